"""What does transfer do inside the network? Similarity before and after training, of random and
pretrained networks, and their first filters.

Reproduces in small: Raghu et al. 2019, section 4 and figures 2 to 5 (ResNet-50 and CBRs on RETINA;
the figures' numbers are not in the text but for figure 4's R² of ResNet's conv1: 0.75 and 0.84 of
random and pretrained and of two random ones). Ours, ChestX-ray14 -> Kermany at 48 x 48 pixels
(2026-11-23, 2 CPU cores beside other work, 380 s; all of it: BUILD_NOTES.md, "Studies"):
similarity before and after training, conv1 to conv4: random 0.83 0.52 0.43 0.47, pretrained 0.88
0.69 0.53 0.53, by chance 0.01 0.04 0.10 0.29.

  python -m transfer_jax.main --config=configs/similarity.py
      CBR-Tiny; similarity.csv, and figures 2 to 5 in report.html
  python -m transfer_jax.main --config=configs/similarity.py:cbr_largew
      any other network

The data are made by `python -m transfer_jax.tools.prepare` (README.md, "Real images").
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
