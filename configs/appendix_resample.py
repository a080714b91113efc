"""What in pretrained weights helps? Ablations that keep a statistic of each tensor and destroy its
features.

Goes past: Raghu et al. 2019, appendix (sampling from the pretrained weights; its text was not to
be had). `values` shuffles a tensor, `filters` each filter, `histogram` draws from its values,
`spectrum` keeps each filter's amplitude spectrum, `scale` its second moment alone, `magnitude`
flips signs. Here ChestX-ray14 -> Kermany, CBR-Tiny, five repeats:

  python -m transfer_jax.main --config=configs/appendix_resample.py

The data are made by `python -m transfer_jax.tools.prepare` (docs/data.md). No numbers of ours are
known for them yet: 64 x 64 pixels, with test images.
"""

from transfer_jax import settings


def get_config():
    """The study's config."""
    config = settings.template()
    config.name = "appendix_resample"
    config.network = "cbr_tiny"
    config.repeats = 5
    settings.chest(config, source_steps=300, steps=60, eval_every=4)
    kept = ("values", "filters", "histogram", "spectrum", "scale", "magnitude")
    config.arms = ("random", *(f"resample:{keep}" for keep in kept), "pretrained")
    return config
