"""Juodelyte's sampled comparison: some 10,000 positions and 64 channels per stage, several times.

A draw takes as many whole images as have that many positions, so 1 of a ResNet's first stage at
224 px and 204 of its last, and the same random channels of both networks. Images and channels are
drawn beforehand from the seed. An update then picks them out of the batch, so that all draws need
one forward pass, and no more memory than the batch's share of what was drawn.

Source: Juodelyte et al., "Revisiting hidden representations in transfer learning for medical
imaging", TMLR 2023, and its code, which draws without a seed.
"""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Int

from transfer_jax.analysis import batch_moments
from transfer_jax.analysis import moments as sums
from transfer_jax.analysis.moments import Moments, Pair
from transfer_jax.analysis.result import check_positions
from transfer_jax.analysis.stage_moments import Grid, Shaped, by_row, common_grid, fold
from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import AnalysisError

_IMAGES, _CHANNELS = range(2)  # streams of a seed


class Sampling(NamedTuple):
    """What is drawn.

    Attributes:
      images: Number of images that are compared in all; those drawn are some of them.
      positions: Number of positions per draw, as near as whole images come.
      channels: Number of channels per draw. Where a stage of the pair has fewer, all of its
        channels are taken, and those with the same numbers of the other.
      repeats: Number of draws; each gives a result.
      seed: Seed of all draws, not negative.
    """

    images: int
    positions: int = 10_000
    channels: int = 64
    repeats: int = 5
    seed: int = 0

    def check(self) -> None:
        """Raises AnalysisError where a number is out of its range."""
        for name, value in self._asdict().items():
            least = 0 if name == "seed" else 1
            if value < least:
                raise AnalysisError(f"sampling: {name}={value} must be at least {least}")

    def share(self, grid: Grid) -> int:
        """Returns the number of images per draw on a grid of rows x columns."""
        return min(max(round(self.positions / (grid[0] * grid[1])), 1), self.images)


def draw_images(sampling: Sampling, grid: Grid, repeat: int) -> Int[np.ndarray, " k"]:
    """Returns the images of a draw for stages that meet on a grid, the first of a random order of
    all.

    They are below `sampling.images`, and none appears twice.
    """
    rng = np.random.default_rng((sampling.seed, _IMAGES, repeat, *grid))
    return rng.permutation(sampling.images)[: sampling.share(grid)]


def draw_channels(sampling: Sampling, d1: int, d2: int, repeat: int) -> Int[np.ndarray, " k"]:
    """Returns the channels of a draw, the same for both stages.

    They are below d1 and d2, and none appears twice; all, in order, where no more are needed.
    """
    d = min(d1, d2)
    if d <= sampling.channels:
        return np.arange(d)
    return np.random.default_rng((sampling.seed, _CHANNELS, repeat, d)).permutation(d)[
        : sampling.channels
    ]


class Sampled(NamedTuple):
    """What was summed so far.

    Attributes:
      seen: Number of counted images, int32.
      chosen: Grid -> whether an image was drawn, [repeats, images].
      moments: Pair -> moments whose leaves have a leading axis of repeats.
    """

    seen: Any
    chosen: dict[Grid, Any]
    moments: dict[Pair, Moments]

    def repeats(self) -> list[tuple[Pair, Moments]]:
        """Returns every pair's moments, draw by draw."""
        return [
            (pair, jax.tree.map(lambda leaf, repeat=repeat: leaf[repeat], of))
            for pair, of in self.moments.items()
            for repeat in range(len(of.n.high))
        ]


def empty(
    sampling: Sampling,
    x: Mapping[str, Shaped],
    y: Mapping[str, Shaped],
    pairs: list[Pair],
    mesh: Mesh | None = None,
) -> Sampled:
    """Returns the state before the first batch; the arguments are those of `stage_moments.empty`.

    Raises:
      AnalysisError: A pair has no more positions than channels.
    """

    def put(value: np.ndarray) -> Any:
        return jnp.asarray(value) if mesh is None else meshes.put_whole(mesh, value)

    chosen, repeats = {}, {}
    for a, b in pairs:
        grid, channels = (
            common_grid(x[a], y[b]),
            len(draw_channels(sampling, x[a].shape[-1], y[b].shape[-1], 0)),
        )
        check_positions(sampling.share(grid) * grid[0] * grid[1], channels, channels, (a, b))
        if grid not in chosen:
            drawn = np.zeros((sampling.repeats, sampling.images), bool)
            for repeat in range(sampling.repeats):
                drawn[repeat, draw_images(sampling, grid, repeat)] = True
            chosen[grid] = put(drawn)
        one = sums.empty({a: channels}, {b: channels})
        repeats[a, b] = jax.tree.map(
            lambda leaf: put(np.stack([np.asarray(leaf)] * sampling.repeats)), one
        )
    return Sampled(put(np.zeros((), np.int32)), chosen, repeats)


def update(
    sampling: Sampling,
    state: Sampled,
    xs: Mapping[str, Array],
    ys: Mapping[str, Array],
    counted: Array,
) -> Sampled:
    """Adds a batch of both networks' activations; to be called under jit.

    Args:
      sampling: Sampling of the state.
      state: The state so far.
      xs: Activations [b, h, w, c] or [b, c] per stage of the first network.
      ys: Activations per stage of the second network.
      counted: 1 or True for the images that count, [b], in the order that numbers them.
    """
    counted = counted > 0
    number = jnp.clip(state.seen + jnp.cumsum(counted, dtype=np.int32) - 1, 0, sampling.images - 1)
    picked = {
        grid: _pick(drawn[:, number] & counted[None], sampling.share(grid))
        for grid, drawn in state.chosen.items()
    }

    @functools.cache
    def on_grid(side: int, stage: str, grid: Grid) -> Array:
        x = (xs, ys)[side][stage]
        return fold(x, grid).reshape(len(x), -1, x.shape[-1])

    def add(pair: Pair, before: Moments) -> Moments:
        grid = common_grid(xs[pair[0]], ys[pair[1]])
        x, y = (
            on_grid(side, stage, grid) for side, stage in enumerate(pair)
        )  # before anything is picked: picking is what takes long
        channels = np.stack(
            [
                draw_channels(sampling, x.shape[-1], y.shape[-1], repeat)
                for repeat in range(sampling.repeats)
            ]
        )

        def one(before: Moments, places: Array, counted: Array, channels: Array) -> Moments:
            rows = [
                jnp.take(jnp.take(z, places, axis=0), channels, axis=-1).reshape(-1, len(channels))
                for z in (x, y)
            ]
            return batch_moments.update(
                before, {pair[0]: rows[0]}, {pair[1]: rows[1]}, by_row(counted, grid)
            )

        return jax.vmap(one)(before, *picked[grid], jnp.asarray(channels))

    seen = state.seen + counted.sum(dtype=np.int32)
    return Sampled(seen, state.chosen, {pair: add(pair, of) for pair, of in state.moments.items()})


def _pick(drawn: Array, most: int) -> tuple[Array, Array]:
    """Returns the places of the images of a batch that were drawn, and which places hold one.

    Both are [repeats, at most `most`].
    """
    places = jnp.argsort(~drawn, axis=1, stable=True)[:, :most]
    return places, jnp.take_along_axis(drawn, places, axis=1)
