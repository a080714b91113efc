"""Augmentation on the device: pure functions of a key and a batch of uint8 images.

Every image has draws of its own. `augment(key, images, Augmentation(...))` or `augment(key,
images, preset("wen_yap_1"))` does everything; the parts stand by themselves in `geometric`,
`affine` and `colour`. `normalise` is the last step before the network.
"""

from transfer_jax.data.augment.augmentation import Augmentation, augment
from transfer_jax.data.augment.colour import normalise
from transfer_jax.data.augment.geometric import crop, flip, flip_vertical, quarter_turn, shift
from transfer_jax.data.augment.presets import PRESETS, preset
from transfer_jax.data.augment.resized import resized_crop

__all__ = [
    "PRESETS",
    "Augmentation",
    "augment",
    "crop",
    "flip",
    "flip_vertical",
    "normalise",
    "preset",
    "quarter_turn",
    "resized_crop",
    "shift",
]
