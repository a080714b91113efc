"""Synthetic Gabor filters for the first convolution; nothing is learned and nothing comes from a source.

A filter is exp(-(u^2 + (ASPECT v)^2) / (2 sigma^2)) cos(2 pi u / wavelength + phase), with u across the stripes and v along them, sampled
at pixel centres around the kernel's centre. The papers give no grid; this one is ours:

- orientation: 8, every 22.5 degrees;
- wavelength: 3, from 3 pixels (two is the finest that pixels can show; near it, stripes at odd angles alias) to the kernel's side, at least
  3.75, at equal ratios: 3, 4.58 and 7 pixels for a side of 7; 3, 3.87 and 5 for 5; 3, 3.35 and 3.75 for 3;
- phase: 4, every 90 degrees: light and dark bars, and the two polarities of edges;
- bandwidth: 1 or 1.6 octaves, which makes sigma 0.56 or 0.37 wavelengths, but at most 0.3 of the side, so that the envelope ends within the
  kernel.

Filter i takes its orientation from i, its wavelength from i // 8 and so on, phase and bandwidth shifting along, so that any number of filters
covers the grid evenly; every value is then moved by up to a quarter of its step, and the filters are put into a random order.

With three input channels a quarter of the filters is colour-opponent, red against green and blue against yellow in turn, at the longest
wavelength; the rest weighs the channels equally. Every filter has mean zero in every channel: it does not answer to uniform areas.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from transfer_jax import models
from transfer_jax.core import rng
from transfer_jax.core.errors import ConfigError
from transfer_jax.inits import choices, layers

ORIENTATIONS = 8
WAVELENGTHS = 3
PHASES = 4
BANDWIDTHS = (1.0, 1.6)  # octaves, full width at half height
ASPECT = 0.7  # the envelope's width across the stripes over its length along them
FINEST, LEAST_SPAN = 3.0, 1.25  # pixels; longest over finest wavelength, at least
WIDEST = 0.3  # largest sigma, of the side
JITTER = 0.25  # of a step of the grid, to either side
COLOUR_SHARE = 4  # one filter in so many, with three channels
OPPONENTS = ((1.0, -1.0, 0.0), (0.5, 0.5, -1.0))  # red-green, yellow-blue
SCALES = ("he", "pretrained")


def gabor(key: jax.Array, variables: Any, source: Any = None, *, scale: str = "he") -> Any:
    """Gabor filters in the first convolution; its bias, where a layout has one, becomes zero. Everything else stays as it is.

    Args:
      key: typed PRNG key.
      variables: of the network, with 1 or 3 input channels.
      source: pretrained variables, read for their first kernel's standard deviation with `scale="pretrained"` only.
      scale: standard deviation of the whole kernel: "he": sqrt(2 / (kh kw d)), He's counted over the outputs, as the network draws its own
        kernels, so that only the filters' form differs from random; "pretrained": that of the source's first kernel.

    Raises:
      ConfigError: an unknown scale, no source for "pretrained", another number of channels, or kernels smaller than 3.

    Source: Raghu et al. 2019, section 5 and Figure 8, "synthetic Gabor filters"; Daugman 1985 for the function.
    """
    choices.check("scale", scale, SCALES)
    if scale == "pretrained" and source is None:
        raise ConfigError("gabor with scale='pretrained' needs a source: give one, or choose scale='he'")
    stem = models.stem(variables["params"])[:-1]
    own = models.first_kernel(variables["params"])
    std = layers.wide(models.first_kernel(source["params"])).std() if scale == "pretrained" else math.sqrt(2 / (own.size // own.shape[2]))
    kernel = std * filters(key, own.shape)

    def put(tree: Any, path: tuple[str, ...]) -> Any:
        if path:
            return {**tree, path[0]: put(tree[path[0]], path[1:])}
        return {name: layers.like(old, kernel if name == "kernel" else jnp.zeros_like(old)) for name, old in tree.items()}

    return {**variables, "params": put(variables["params"], stem)}


class Grid(NamedTuple):
    """Numbers of grid steps, one for each filter; wavelength and bandwidth as steps from the finest and the narrowest band."""

    orientation: np.ndarray
    wavelength: np.ndarray
    phase: np.ndarray
    bandwidth: np.ndarray


def grid(count: int, *, wavelength: int | None = None) -> Grid:
    """The first `count` filters' places in the grid; with `wavelength`, all at this step of it."""
    i = np.arange(count)
    angle, turn = i % ORIENTATIONS, i // ORIENTATIONS
    length = turn % WAVELENGTHS if wavelength is None else np.full(count, wavelength)
    rounds = turn // WAVELENGTHS if wavelength is None else turn
    return Grid(angle, length, (rounds + angle + length) % PHASES, (rounds // PHASES + angle // 2 + length) % len(BANDWIDTHS))


def filters(key: jax.Array, shape: tuple[int, ...]) -> Float[Array, "kh kw c d"]:
    """Gabor filters [kh, kw, c, d], each with mean zero and mean square one, in the order that the key draws.

    Raises:
      ConfigError: c is not 1 or 3, or kh or kw is below 3.
    """
    kh, kw, channels, count = shape
    if channels not in (1, 3) or min(kh, kw) < 3:
        raise ConfigError(f"gabor makes kernels of 3 x 3 pixels and more with 1 or 3 channels, not {kh} x {kw} with {channels}")
    coloured = count // COLOUR_SHARE if channels == 3 else 0
    places = [grid(count - coloured), grid(coloured, wavelength=WAVELENGTHS - 1)]
    patterns = _patterns(rng.stream(key, "jitter"), kh, kw, Grid(*(np.concatenate(pair) for pair in zip(*places, strict=True))))
    colours = np.ones((channels, count))
    for i in range(coloured):
        # By pairs of orientations, and the other way round in the next round: each opponent gets bars and edges, and every orientation.
        colours[:, count - coloured + i] = OPPONENTS[(i // 2 + i // ORIENTATIONS) % len(OPPONENTS)]
    colours /= np.sqrt((colours**2).mean(0, keepdims=True))
    kernel = patterns[:, :, None] * jnp.asarray(colours, patterns.dtype)[None, None]
    return jax.random.permutation(rng.stream(key, "order"), kernel, axis=3)


def _patterns(key: jax.Array, kh: int, kw: int, at: Grid) -> Float[Array, "kh kw d"]:
    """Grey filters at places of the grid, moved by their jitter; each with mean zero and mean square one."""
    moved = [
        jnp.asarray(step) + jax.random.uniform(rng.stream(key, n), step.shape, minval=-JITTER, maxval=JITTER) for n, step in at._asdict().items()
    ]
    angle, length, phase, band = (steps[None, None] for steps in moved)
    side = min(kh, kw)
    span = max(side / FINEST, LEAST_SPAN)
    theta = jnp.pi / ORIENTATIONS * angle
    # Never finer than the grid's finest: a jitter below it would alias.
    wavelength = FINEST * span ** (jnp.maximum(length, 0) / (WAVELENGTHS - 1))
    octaves = 2 ** (BANDWIDTHS[0] + (BANDWIDTHS[1] - BANDWIDTHS[0]) * band)
    sigma = jnp.minimum(wavelength * math.sqrt(math.log(2) / 2) / math.pi * (octaves + 1) / (octaves - 1), WIDEST * side)
    y, x = (jnp.arange(n) - (n - 1) / 2 for n in (kh, kw))
    y, x = y[:, None, None], x[None, :, None]
    across = x * jnp.cos(theta) + y * jnp.sin(theta)
    along = y * jnp.cos(theta) - x * jnp.sin(theta)
    wave = jnp.cos(2 * jnp.pi * across / wavelength + 2 * jnp.pi / PHASES * phase)
    pattern = jnp.exp(-(across**2 + (ASPECT * along) ** 2) / (2 * sigma**2)) * wave
    pattern -= pattern.mean((0, 1), keepdims=True)
    return pattern / jnp.sqrt((pattern**2).mean((0, 1), keepdims=True))
