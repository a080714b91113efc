"""How pixels become a network's input: the part of a weight file that is lost most often."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest

OWN = "own"


class Normalisation(NamedTuple):
    """A normalisation: pixels 0-255 become (x / 255 - mean) / std, channel by channel.

    Attributes:
      name: A key of `NAMED`, "own" (the statistics of the training set), or "custom".
      mean: Mean per channel of the network's input, in 0..1.
      std: Standard deviation per channel, in 0..1.
      bgr: Whether the network's channels are blue, green, red; mean and std are in this order, too.
    """

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    bgr: bool = False

    def to_json(self) -> dict[str, Any]:
        """Returns the normalisation as a mapping of plain values."""
        return {"name": self.name, "mean": list(self.mean), "std": list(self.std), "bgr": self.bgr}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Normalisation:
        """Returns the normalisation that `to_json` wrote.

        Raises:
          ValueError, KeyError, TypeError: It is not such a mapping.
        """
        mean, std = (tuple(float(v) for v in value[key]) for key in ("mean", "std"))
        usable = all(map(math.isfinite, mean)) and all(0 < value < math.inf for value in std)
        if len(mean) not in (1, 3) or len(mean) != len(std) or not usable:
            raise ValueError(f"mean={mean} and std={std} are not those of one or three channels")
        return cls(str(value.get("name", "custom")), mean, std, bool(value.get("bgr", False)))

    def grey(self) -> Normalisation:
        """Returns the normalisation for one input channel: the means of the channels'
        mean and std.
        """
        return self._replace(
            mean=(sum(self.mean) / len(self.mean),), std=(sum(self.std) / len(self.std),), bgr=False
        )


_CAFFE_MEAN = (103.939 / 255, 116.779 / 255, 123.68 / 255)
NAMED: Mapping[str, Normalisation] = {
    n.name: n
    for n in (
        Normalisation(
            "imagenet", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        ),  # torchvision; keras.applications' mode "torch"
        Normalisation(
            "caffe", _CAFFE_MEAN, (1 / 255,) * 3, bgr=True
        ),  # keras.applications' mode "caffe": 0-255 less the mean
        Normalisation(
            "caffe_over_255", _CAFFE_MEAN, (1.0,) * 3, bgr=True
        ),  # RadImageNet's own scripts: the same, then times 1/255
        Normalisation(
            "minus_one_to_one", (0.5,) * 3, (0.5,) * 3
        ),  # TF-slim; keras.applications' mode "tf"
        Normalisation("zero_to_one", (0.0,) * 3, (1.0,) * 3),
    )
}


def named(name: str) -> Normalisation:
    """Returns the normalisation of a name.

    Raises:
      ConfigError: There is none.
    """
    if name not in NAMED:
        raise ConfigError(f"unknown normalisation {name!r}: {nearest(name, NAMED)}")
    return NAMED[name]
