"""Hybrids of transfer: synthetic Gabor filters for conv1, and a network whose upper half is slim
and random.

Reproduces in small: Raghu et al. 2019, section 5.2 and figure 8 (ResNet-50 and CBR-LargeW on
RETINA): Gabor filters do as well as pretrained ones in conv1; pretrained up to block2 with a slim
rest converges as fast as full transfer. The paper shows curves and gives no numbers. Variants:
largew (CBR-LargeW), resnet (ResNet-50), slim (ResNet-50-slim; its source is a ResNet-50). Here
ChestX-ray14 -> Kermany, five repeats:

  python -m transfer_jax.main --config=configs/fig8_hybrids.py:slim
  python -m transfer_jax.main --config=configs/fig8_hybrids.py:largew
  python -m transfer_jax.main --config=configs/fig8_hybrids.py:resnet
      20 ResNet-50s: for a GPU

The data are made by `python -m transfer_jax.tools.prepare` (docs/data.md). No numbers of ours are
known for them yet: 64 x 64 pixels, with test images.
"""

from transfer_jax import settings


def get_config(variant: str = "largew"):
    """The study's config; variant "largew", "resnet" or "slim"."""
    networks = {"largew": "cbr_largew", "resnet": "resnet50", "slim": "resnet50_slim"}
    if variant not in networks:
        raise ValueError(
            f"unknown variant {variant!r} of configs/fig8_hybrids.py: choose one of"
            f" {', '.join(networks)}"
        )
    config = settings.template()
    config.name = f"fig8_hybrids_{variant}"
    config.network = networks[variant]
    config.repeats = 5
    settings.chest(config, source_steps=150, steps=30, eval_every=5)
    config.threshold_auc = 0.9 if variant == "largew" else 0.75
    config.arms = ("random", "gabor", "transfusion:conv1", "pretrained")
    if variant == "slim":
        config.source.network = "resnet50"
        config.arms = (
            "random",
            "transfusion:conv1",
            "transfusion:block2",
            "transfusion:block2+gabor",
        )
    return config
