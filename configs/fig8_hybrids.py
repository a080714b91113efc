"""Hybrids of transfer: synthetic Gabor filters for conv1, and a network whose upper half is slim
and random.

Reproduces in small: Raghu et al. 2019, section 5.2 and figure 8 (ResNet-50 and CBR-LargeW on
RETINA): Gabor filters do as well as pretrained ones in conv1; pretrained up to block2 with a slim
rest converges as fast as full transfer. The paper shows curves and gives no numbers. Variants:
largew (CBR-LargeW), resnet (ResNet-50), slim (ResNet-50-slim; its source is a ResNet-50). Ours, on
ChestX-ray14 -> Kermany at 48 x 48 pixels (2026-11-21, 2 CPU cores beside other work; all of it:
BUILD_NOTES.md, "Studies"), five repeats:

  python -m transfer_jax.main --config=configs/fig8_hybrids.py:slim
      665 s; AUC after 30 steps and steps to 0.75:
      random 0.774, 29; up to conv1 0.820, 22; up to block2 0.880, 19; up to block2 with Gabor
      filters in conv1 0.907, 5
  python -m transfer_jax.main --config=configs/fig8_hybrids.py:largew
      989 s; AUC after 30 steps and steps to 0.9:
      random 0.934, 18; gabor 0.945, 9; up to conv1 0.948, 13; pretrained 0.957, 8
  python -m transfer_jax.main --config=configs/fig8_hybrids.py:resnet
      not run for its numbers (20 ResNet-50s)

The data are made by `python -m transfer_jax.tools.prepare` (README.md, "Real images").
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
