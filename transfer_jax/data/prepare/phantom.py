"""Generated images: small tasks with the form of real ones, for the built-in study, tests and
benchmarks.

Three sets, each a pure function of a seed and the number of an image:

- `fundus`: a bright disc with vessels and an optic disc; small dark red dots are microaneurysms,
  whose number sets the grade (0 to 4), among pale dots and dark streaks without meaning. The
  referable grades are 2 and above.
- `chest`: two dark lungs between ribs and a heart, grey; three findings (a patch of consolidation,
  an effusion at the base, a wide heart), each independent of the others.
- `texture`: similar to natural images: an object filled with one of eight textures on a background
  of 1/f noise.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.data.items import Item
from transfer_jax.data.prepare import phantom_organs, phantom_textures
from transfer_jax.data.prepare.phantom_organs import DOTS, FINDINGS, Drawing
from transfer_jax.data.prepare.phantom_textures import TEXTURES

_IMAGES_PER_PATIENT = 2


def items(name: str, *, size: int, counts: Mapping[str, int], seed: int) -> Iterator[Item]:
    """Yields the images of a phantom, with their pixels.

    Args:
      name: "fundus", "chest" or "texture".
      size: Pixels of both sides.
      counts: Split -> number of images.
      seed: Seed of all images; another one gives another data set.

    Raises:
      ConfigError: There is no such phantom.
    """
    draw = _drawer(name)
    number = 0
    for split, count in counts.items():
        for i in range(count):
            image, labels = draw(np.random.default_rng((seed, number)), size)
            yield Item(
                f"{name}_{number:06d}",
                f"{split}_{i // _IMAGES_PER_PATIENT:06d}",
                labels,
                functools.partial(np.asarray, image),
                split,
            )
            number += 1


def label_names(name: str) -> dict[str, Any]:
    """Returns the names of the values of a phantom's labels, where they are not numbers."""
    return {"texture": list(TEXTURES)} if name == "texture" else {}


def channels(name: str) -> int:
    """Returns the number of channels of a phantom's images."""
    return 1 if name == "chest" else 3


def label_values(name: str) -> dict[str, set[int]]:
    """Returns label -> the values that it can take.

    Raises:
      ConfigError: There is no such phantom.
    """
    _drawer(name)
    return {
        "fundus": {"grade": set(range(len(DOTS))), "dots": set(range(DOTS[-1][1] + 1))},
        "chest": {label: {0, 1} for label in FINDINGS},
        "texture": {"texture": set(range(len(TEXTURES)))},
    }[name]


def _drawer(name: str) -> Callable[[np.random.Generator, int], Drawing]:
    drawers = {
        "fundus": phantom_organs.fundus,
        "chest": phantom_organs.chest,
        "texture": phantom_textures.texture,
    }
    if name not in drawers:
        raise ConfigError(f"unknown phantom {name!r}: {nearest(name, drawers)}")
    return drawers[name]
