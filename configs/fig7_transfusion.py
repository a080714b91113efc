"""How much of the network must be transferred? Pretrained up to a stage, random above it.

Reproduces in small: Raghu et al. 2019, section 5.2 and figure 7 (ResNet-50 on RETINA: AUC curves
for every depth, and the steps until 91 % AUC, which fall steeply with conv1 and block1 and little
above; the figure's numbers are not in the text). Here ChestX-ray14 -> Kermany, CBR-Tiny, five
repeats:

  python -m transfer_jax.main --config=configs/fig7_transfusion.py

The data are made by `python -m transfer_jax.tools.prepare` (docs/data.md). No numbers of ours are
known for them yet: 64 x 64 pixels, with test images.
"""

from transfer_jax import models, settings


def get_config():
    """The study's config."""
    config = settings.template()
    config.name = "fig7_transfusion"
    config.network = "cbr_tiny"
    config.repeats = 5
    settings.chest(config, source_steps=300, steps=60, eval_every=4)
    config.arms = ("random", *(f"transfusion:{stage}" for stage in models.stage_names("cbr_tiny")))
    return config
