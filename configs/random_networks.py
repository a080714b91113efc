r"""How alike are two networks that have learned nothing? The floor under every similarity, on real
chest X-rays.

Reproduces: Juodelyte et al. 2023, the row "random vs random" of their published
results/CCA_chest.csv (ResNet-50 of Keras at 224 px, 10,000 sampled positions of 64 channels, five
repeats, untrimmed mean). conv1 to block4:

  theirs   0.579 0.426 0.413 0.421 0.416
      (over seven targets from 0.498 to 0.617, 0.307 to 0.481, 0.318 to 0.460, 0.351 to 0.464,
      0.318 to 0.456)
  ours     0.633 0.481 0.450 0.435 0.420
      (2026-11-23, 2 CPU cores beside other work, 800 s; pairs differ by at most 0.017)

  python -m transfer_jax.tools.prepare raw/cxr_kermany --out=data/cxr_kermany_224 \
      --labels=pneumonia --size=224 --grey
  python -m transfer_jax.main --config=configs/random_networks.py

The report's "random and random, before" is this row; the one step of training is there because a
study trains. What differs: these images had been squashed to 224 x 224 pixels by their publisher,
and Juodelyte's folds are not known.
"""

from transfer_jax import settings


def get_config():
    """The study's config."""
    config = settings.template()
    config.name = "random_networks"
    config.network = "resnet50"
    config.network_options.layout = "keras"
    config.repeats = 3
    config.data.update(
        kind="records", path="data/cxr_kermany_224", labels=("pneumonia",), normalisation="caffe"
    )
    config.recipe.update(steps=1, batch_size=8, eval_every=1, checkpoint_every=1)
    config.similarity.update(kind="sampled", images=204, at_end=True)
    config.arms = (settings.arm("random", name="random", scheme="glorot_uniform"),)
    return config
