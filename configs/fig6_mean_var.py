"""Does the scale of pretrained weights alone speed up convergence? Random, Mean-Var and pretrained
beginnings.

Reproduces in small: Raghu et al. 2019, section 5.1 and figure 6 (ResNet-50 and CBRs on RETINA, 587
x 587): Mean-Var converges sooner than random, pretrained sooner than Mean-Var; the paper shows
curves and gives no numbers. Ours, on ChestX-ray14 -> Kermany at 48 x 48 pixels, CBR-Tiny
(2026-11-21, 2 CPU cores beside other work, 278 s; all of it: BUILD_NOTES.md, "Studies"):

  python -m transfer_jax.main --config=configs/fig6_mean_var.py
      steps to AUC 0.95, five repeats: random 28, mean_var 22, mean_var with pretrained batch norms
      20, pretrained 19; final AUC 0.970 to 0.975

The data are made by `python -m transfer_jax.tools.prepare` (README.md, "Real images").
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
