"""Transfusion in small: what transfer does to accuracy and to the speed of convergence.

Reproduces in small: Raghu et al. 2019, sections 3 and 5 (random against Mean-Var, transfusion of
the first stages, full transfer). The paper, CBR-Tiny on 587 x 587 RETINA: random 95.8 % AUC,
transfer 95.8 %; its speeds of convergence are in figures 6 and 7 only. Ours, on 2 CPU cores
(2026-11-27; all arms with intervals: BUILD_NOTES.md, "Studies"), test AUC, mean ± std of two
repeats, and steps to a validation AUC:

  python -m transfer_jax.main --config=configs/transfusion.py
      generated images, nothing to download
      220 s: random 0.897 ± 0.000, 75 steps to 0.80; pretrained 0.920 ± 0.010, 30 steps
  python -m transfer_jax.main --config=configs/transfusion.py:chest
      pneumonia in children; the source is ChestX-ray14
      1,248 s beside other work: random 0.980 ± 0.000, 45 steps to 0.95; pretrained 0.981 ± 0.000,
      28 steps
  python -m transfer_jax.main --config=configs/transfusion.py:retina
      referable DR; the source is ChestX-ray14, too
      not measured with test images yet

The last two read folders made by `python -m transfer_jax.tools.prepare` (docs/data.md); other
folders with --config.data.path=DIR and --config.source.data.path=DIR.
"""

from transfer_jax import settings


def get_config(variant: str = "phantom"):
    """The study's config; variant "phantom", "retina" or "chest"."""
    config = settings.template()
    config.name = f"transfusion_{variant}"
    config.network = "cbr_tiny"
    config.repeats = 2
    config.source.kind = "train"
    config.similarity.at_end = True
    config.arms = (
        settings.arm("random"),
        settings.arm("mean_var"),
        settings.arm("transfusion", upto="conv1"),
        settings.arm("transfusion", upto="conv2"),
        settings.arm("pretrained"),
    )
    variants = {"phantom": _phantom, "retina": _retina, "chest": _chest}
    if variant not in variants:
        raise ValueError(
            f"unknown variant {variant!r} of configs/transfusion.py: choose one of"
            f" {', '.join(variants)}"
        )
    variants[variant](config)
    return config


def _phantom(config):
    size = 32
    config.source.data.update(
        phantom="texture", size=size, train=2048, val=256, task="multiclass", labels=("texture",)
    )
    config.source.recipe.update(steps=200, learning_rate=2e-3, schedule="cosine", eval_every=100)
    config.data.update(
        phantom="fundus",
        size=size,
        train=1024,
        val=512,
        test=512,
        labels=("grade",),
        threshold=2,
    )
    config.data.augment.flip = True
    config.recipe.update(steps=120, learning_rate=1e-3, eval_every=15, checkpoint_every=60)
    config.threshold_auc = 0.80


def _retina(config):
    settings.chest(config, source_steps=400, steps=120, eval_every=10)
    config.data.update(path="data/fundus_dr", labels=("grade",), threshold=2)
    config.threshold_auc = 0.60


def _chest(config):
    settings.chest(config, source_steps=400, steps=100, eval_every=5)
