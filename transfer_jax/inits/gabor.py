"""Synthetic Gabor filters for the first convolution; nothing is learned or taken from a source.

A filter is exp(-(u^2 + (ASPECT v)^2) / (2 sigma^2)) cos(2 pi u / wavelength + phase), with u
across the stripes and v along them, sampled at pixel centres around the centre of the kernel. The
papers give no grid; this one is ours:

- orientation: 8, every 22.5 degrees;
- wavelength: 3, from 3 pixels (two is the finest that pixels can show; near it, stripes at odd
  angles alias) to the side of the kernel, at least 3.75, at equal ratios: 3, 4.58 and 7 pixels for
  a side of 7; 3, 3.87 and 5 for 5; 3, 3.35 and 3.75 for 3;
- phase: 4, every 90 degrees: light and dark bars, and the two polarities of edges;
- bandwidth: 1 or 1.6 octaves, which makes sigma 0.56 or 0.37 wavelengths, but at most 0.3 of the
  side, so that the envelope ends within the kernel.

Filter i takes its orientation from i, its wavelength from i // 8 and so on, while phase and
bandwidth shift along, so that any number of filters covers the grid evenly. Every value is then
moved by up to a quarter of its step, and the filters are put into a random order.

With three input channels a quarter of the filters is colour-opponent, red against green and blue
against yellow in turn, at the longest wavelength; the rest weighs the channels equally. Every
filter has mean zero in every channel, so that it does not respond to uniform areas.
"""

import math
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from transfer_jax import models
from transfer_jax.core import rng
from transfer_jax.core.errors import ConfigError
from transfer_jax.inits import redrawing
from transfer_jax.inits.signatures import Words, check_words

ORIENTATIONS = 8
WAVELENGTHS = 3
PHASES = 4
BANDWIDTHS = (1.0, 1.6)  # octaves, full width at half height
ASPECT = 0.7  # the envelope's width across the stripes over its length along them
FINEST = 3.0  # finest wavelength, pixels
LEAST_SPAN = 1.25  # least ratio of the longest to the finest wavelength
WIDEST = 0.3  # largest sigma, as a share of the kernel's side
JITTER = 0.25  # largest shift to either side, in steps of the grid
COLOUR_SHARE = 4  # with three channels, one filter in four is coloured
OPPONENTS = ((1.0, -1.0, 0.0), (0.5, 0.5, -1.0))  # red-green, yellow-blue
Scale = Annotated[str, Words(("he", "pretrained"), reading_source=("pretrained",))]


@check_words
def gabor(key: jax.Array, variables: Any, source: Any = None, *, scale: Scale = "he") -> Any:
    """Replaces the kernel of the first convolution by Gabor filters.

    Its bias, where a layout has one, becomes zero. Everything else stays as it is.

    Args:
      key: Typed PRNG key.
      variables: Variables of the network, with 1 or 3 input channels.
      source: Pretrained variables; read only with `scale="pretrained"`.
      scale: Standard deviation of the whole kernel. "he" is sqrt(2 / (kh kw d)), He's counted over
        the outputs, as the network draws its own kernels, so that only the form of the filters
        differs from random ones. "pretrained" is the standard deviation of the source's first
        kernel.

    Raises:
      ConfigError: An unknown scale, no source for "pretrained", another number of channels, or
        kernels smaller than 3.

    Source: Raghu et al. 2019, section 5 and Figure 8, "synthetic Gabor filters"; Daugman 1985 for
    the function.
    """
    if scale == "pretrained" and source is None:
        raise ConfigError(
            "gabor with scale='pretrained' needs a source: give one, or choose scale='he'"
        )
    first_layer = models.stem(variables["params"])[:-1]
    kh, kw, channels, count = models.first_kernel(variables["params"]).shape
    std = (
        redrawing.wide(models.first_kernel(source["params"])).std()
        if scale == "pretrained"
        else math.sqrt(2 / (kh * kw * count))
    )
    kernel = std * filters(key, (kh, kw, channels, count))

    def replace(tree: Any, path: tuple[str, ...]) -> Any:
        if path:
            return {**tree, path[0]: replace(tree[path[0]], path[1:])}
        return {
            name: redrawing.like(old, kernel if name == "kernel" else jnp.zeros_like(old))
            for name, old in tree.items()
        }

    return {**variables, "params": replace(variables["params"], first_layer)}


class Grid(NamedTuple):
    """Steps of the grid, each [d], one entry per filter.

    Wavelengths count from the finest, bandwidths from the narrowest.
    """

    orientation: np.ndarray
    wavelength: np.ndarray
    phase: np.ndarray
    bandwidth: np.ndarray


def grid(count: int, *, wavelength: int | None = None) -> Grid:
    """Returns the grid steps of `count` filters.

    Args:
      count: Number of filters.
      wavelength: Step of the wavelengths at which all filters are; by default every step is used.
    """
    i = np.arange(count)
    angle, turn = i % ORIENTATIONS, i // ORIENTATIONS
    length = turn % WAVELENGTHS if wavelength is None else np.full(count, wavelength)
    rounds = turn // WAVELENGTHS if wavelength is None else turn
    return Grid(
        angle,
        length,
        (rounds + angle + length) % PHASES,
        (rounds // PHASES + angle // 2 + length) % len(BANDWIDTHS),
    )


def filters(key: jax.Array, shape: tuple[int, ...]) -> Float[Array, "kh kw c d"]:
    """Returns Gabor filters with mean zero and mean square one, in random order.

    Args:
      key: Typed PRNG key of the jitter and the order.
      shape: (kh, kw, c, d): side lengths in pixels, input channels, number of filters.

    Raises:
      ConfigError: c is not 1 or 3, or kh or kw is below 3.
    """
    kh, kw, channels, count = shape
    if channels not in (1, 3) or min(kh, kw) < 3:
        raise ConfigError(
            f"gabor makes kernels of 3 x 3 pixels and more with 1 or 3 channels, not {kh} x {kw}"
            f" with {channels}"
        )
    coloured = count // COLOUR_SHARE if channels == 3 else 0
    parts = (grid(count - coloured), grid(coloured, wavelength=WAVELENGTHS - 1))
    steps = Grid(*(np.concatenate(axis) for axis in zip(*parts, strict=True)))
    patterns = _patterns(rng.stream(key, "jitter"), kh, kw, steps)
    colours = np.ones((channels, count))
    for i in range(coloured):
        # By pairs of orientations, and the other way round in the next round: each opponent gets
        # bars and edges, and every orientation.
        colours[:, count - coloured + i] = OPPONENTS[(i // 2 + i // ORIENTATIONS) % len(OPPONENTS)]
    colours /= np.sqrt((colours**2).mean(0, keepdims=True))
    kernel = patterns[:, :, None] * jnp.asarray(colours, patterns.dtype)[None, None]
    return jax.random.permutation(rng.stream(key, "order"), kernel, axis=3)


def _patterns(key: jax.Array, kh: int, kw: int, at: Grid) -> Float[Array, "kh kw d"]:
    """Returns grey filters at jittered steps of the grid, with mean zero and mean square one."""
    jittered = [
        jnp.asarray(steps)
        + jax.random.uniform(rng.stream(key, axis), steps.shape, minval=-JITTER, maxval=JITTER)
        for axis, steps in at._asdict().items()
    ]
    angle, length, phase, band = (steps[None, None] for steps in jittered)
    side = min(kh, kw)
    span = max(side / FINEST, LEAST_SPAN)
    theta = jnp.pi / ORIENTATIONS * angle
    # Never finer than the grid's finest: a jitter below it would alias.
    wavelength = FINEST * span ** (jnp.maximum(length, 0) / (WAVELENGTHS - 1))
    octaves = 2 ** (BANDWIDTHS[0] + (BANDWIDTHS[1] - BANDWIDTHS[0]) * band)
    sigma = jnp.minimum(
        wavelength * math.sqrt(math.log(2) / 2) / math.pi * (octaves + 1) / (octaves - 1),
        WIDEST * side,
    )
    y, x = (jnp.arange(n) - (n - 1) / 2 for n in (kh, kw))
    y, x = y[:, None, None], x[None, :, None]
    across = x * jnp.cos(theta) + y * jnp.sin(theta)
    along = y * jnp.cos(theta) - x * jnp.sin(theta)
    wave = jnp.cos(2 * jnp.pi * across / wavelength + 2 * jnp.pi / PHASES * phase)
    pattern = jnp.exp(-(across**2 + (ASPECT * along) ** 2) / (2 * sigma**2)) * wave
    pattern -= pattern.mean((0, 1), keepdims=True)
    return pattern / jnp.sqrt((pattern**2).mean((0, 1), keepdims=True))
