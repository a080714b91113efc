"""How networks are compared: by which measure, with which weights, and at which positions."""

from __future__ import annotations

import dataclasses

from transfer_jax.analysis import measures
from transfer_jax.analysis.sampling import Sampling
from transfer_jax.core.options import choice, select
from transfer_jax.core.ranges import NotNegativeInt, PositiveInt


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exact:
    """All positions and channels."""

    def build(self, images: int) -> None:
        """Returns None: nothing is sampled."""
        del images


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sampled:
    """Some positions and channels (Juodelyte et al. 2023).

    Attributes:
      positions: Number of positions per stage and repeat.
      channels: Number of channels per stage.
      repeats: Number of samples that are averaged.
    """

    positions: int = 10_000
    channels: int = 64
    repeats: int = 5

    def build(self, images: int) -> Sampling:
        """Returns the sampling of this many images."""
        return Sampling(images, self.positions, self.channels, self.repeats)


WEIGHTS = ("last", "best")
KINDS: dict[str, type] = {"exact": Exact, "sampled": Sampled}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Similarity:
    """How networks are compared, stage by stage (see `analysis.layerwise`).

    Attributes:
      measure: "cca", "svcca", "pwcca" or "cka" (see `analysis.measures`).
      weights: Trained weights that are compared at the end, "last" or "best" (by validation loss).
      kind: "exact" (all positions and channels), or "sampled" (Juodelyte et al. 2023).
      images: Number of validation images in use, evenly spread over all of them.
      every: Number of steps between comparisons of each member with its first variables, logged to
        TensorBoard; 0 for none.
      at_end: Whether the report compares members with their first variables and with one another,
        and their predictions.
      positions: "sampled" only: number of positions per stage and repeat (default 10,000).
      channels: "sampled" only: number of channels per stage (default 64).
      repeats: "sampled" only: number of samples that are averaged (default 5).
    """

    measure: str = measures.DEFAULT
    weights: str = WEIGHTS[0]
    kind: str = "exact"
    images: PositiveInt = 256
    every: NotNegativeInt = 1000
    at_end: bool = False
    positions: PositiveInt | None = None
    channels: PositiveInt | None = None
    repeats: PositiveInt | None = None

    def selected(self) -> Exact | Sampled:
        """Returns the options of the chosen kind."""
        protocol: Exact | Sampled = select(self, KINDS[self.kind])
        return protocol


CHOICE = choice("kind", KINDS)
