"""Augmentations of the papers that are reproduced here, as data."""

from collections.abc import Mapping
from typing import Any

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.data.augment.augmentation import Augmentation

_JUODELYTE: dict[str, Any] = {
    "rotation": 10.0,
    "height_shift": 0.1,
    "width_shift": 0.1,
    "shear": 0.1,
    "zoom": 0.1,
    "fill": "nearest",
}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    # Wen & Yap's four versions of Keras's ImageDataGenerator; the shear is in degrees there, so
    # that it does nearly nothing.
    "wen_yap_1": {
        "rotation": 90.0,
        "width_shift": 0.2,
        "flip": True,
        "vertical_flip": True,
        "shear": 0.3,
        "zoom": 0.1,
        "fill": "nearest",
    },
    "wen_yap_2": {
        "rotation": 10.0,
        "flip": True,
        "zoom": 0.05,
        "fill": "constant",
        "fill_value": 0.0,
    },
    "wen_yap_3": {},
    "wen_yap_4": {"flip": True},
    # Juodelyte et al., "Revisiting hidden representations in transfer learning for medical
    # imaging"; chest X-rays are not mirrored.
    "juodelyte": {**_JUODELYTE, "flip": True},
    "juodelyte_chest": _JUODELYTE,
    # Two views for contrastive pretraining. Awatramani et al. name rotation, crop, flip and colour
    # jitter and give no magnitudes: these are chosen here, milder than SimCLR's for photographs,
    # because colour and position say something in medical images.
    "contrastive": {
        "rotation": 15.0,
        "resized_crop": 0.5,
        "flip": True,
        "brightness": 0.2,
        "contrast": 0.2,
        "saturation": 0.2,
        "hue": 0.05,
    },
}


def preset(name: str) -> Augmentation:
    """Returns the augmentation of a name in `PRESETS`.

    Raises:
      ConfigError: There is no augmentation of that name.
    """
    if name not in PRESETS:
        raise ConfigError(f"unknown augmentation {name!r}: {nearest(name, PRESETS)}")
    return Augmentation(**PRESETS[name])
