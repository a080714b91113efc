"""What does transfer do inside the network? Similarity before and after training, of random and
pretrained networks, and their first filters.

Reproduces in small: Raghu et al. 2019, section 4 and figures 2 to 5 (ResNet-50 and CBRs on RETINA;
the figures' numbers are not in the text but for figure 4's R² of ResNet's conv1: 0.75 and 0.84 of
random and pretrained and of two random ones). Here ChestX-ray14 -> Kermany, five repeats:

  python -m transfer_jax.main --config=configs/similarity.py
      CBR-Tiny; similarity.csv, and figures 2 to 5 in report.html
  python -m transfer_jax.main --config=configs/similarity.py:cbr_largew
      any other network

The data are made by `python -m transfer_jax.tools.prepare` (docs/data.md). No numbers of ours are
known for them yet: 64 x 64 pixels, with test images.
"""

from transfer_jax import settings


def get_config(network: str = "cbr_tiny"):
    """The study's config; variants are names of networks."""
    config = settings.template()
    config.name = f"similarity_{network}"
    config.network = network
    config.repeats = 5
    settings.chest(config, source_steps=300, steps=60, eval_every=20)
    config.similarity.update(at_end=True, every=20)
    config.arms = ("random", "pretrained")
    return config
