"""Does the scale of pretrained weights alone speed up convergence? Random, Mean-Var and pretrained
beginnings.

Reproduces in small: Raghu et al. 2019, section 5.1 and figure 6 (ResNet-50 and CBRs on RETINA, 587
x 587): Mean-Var converges sooner than random, pretrained sooner than Mean-Var; the paper shows
curves and gives no numbers. Here ChestX-ray14 -> Kermany, CBR-Tiny, five repeats:

  python -m transfer_jax.main --config=configs/fig6_mean_var.py

The data are made by `python -m transfer_jax.tools.prepare` (docs/data.md). No numbers of ours are
known for them yet: 64 x 64 pixels, with test images.
"""

from transfer_jax import settings


def get_config():
    """The study's config."""
    config = settings.template()
    config.name = "fig6_mean_var"
    config.network = "cbr_tiny"
    config.repeats = 5
    settings.chest(config, source_steps=300, steps=60, eval_every=4)
    config.arms = ("random", "mean_var", "mean_var:pretrained", "pretrained")
    return config
