"""Phantoms of natural images: an object filled with one of eight textures on 1/f noise."""

import cv2
import numpy as np

from transfer_jax.data.prepare.phantom_organs import Drawing, shrink

TEXTURES = (
    "stripes_0", "stripes_45", "stripes_90", "stripes_135", "checks", "spots", "rings", "grain",
)  # fmt: skip
_OVERSAMPLE = 2


def texture(rng: np.random.Generator, size: int) -> Drawing:
    """Draws an object of one texture on 1/f noise, uint8 [size, size, 3], with the label `texture`
    (its place in `TEXTURES`).
    """
    big = size * _OVERSAMPLE
    label = int(rng.integers(len(TEXTURES)))
    image = _clouds(rng, big)
    pattern = _pattern(TEXTURES[label], rng, big)
    dark, light = rng.uniform(0, 0.6, 3), rng.uniform(0.4, 1.0, 3)
    filled = dark + (light - dark) * pattern[..., None]
    x, y, radius = (
        rng.uniform(0.35, 0.65) * big,
        rng.uniform(0.35, 0.65) * big,
        rng.uniform(0.26, 0.42) * big,
    )
    yy, xx = np.mgrid[0:big, 0:big]
    power = float(rng.choice([1.0, 2.0, 6.0]))  # diamond, disc, rounded square
    inside = (np.abs(xx - x) / radius) ** power + (np.abs(yy - y) / radius) ** power < 1
    image[inside] = filled[inside]
    return shrink(image, size, rng, 0.03), {"texture": label}


def _clouds(rng: np.random.Generator, big: int) -> np.ndarray:
    """Returns coloured 1/f noise in 0..1, [big, big, 3]: the spectrum of natural scenes."""
    frequency = np.hypot(np.fft.fftfreq(big)[:, None], np.fft.rfftfreq(big)[None])
    frequency[0, 0] = 1 / big
    spectrum = (
        rng.normal(size=(3, *frequency.shape)) + 1j * rng.normal(size=(3, *frequency.shape))
    ) / frequency
    noise = np.fft.irfft2(spectrum, (big, big))
    noise = noise / noise.std((1, 2), keepdims=True)
    return np.clip(0.5 + 0.18 * noise.transpose(1, 2, 0), 0, 1)


def _pattern(name: str, rng: np.random.Generator, big: int) -> np.ndarray:
    """Returns a texture in 0..1, [big, big]."""
    yy, xx = np.mgrid[0:big, 0:big].astype(np.float32)
    period = rng.uniform(0.12, 0.24) * big
    phase = rng.uniform(0, 2 * np.pi, 2)
    if name == "grain":
        return cv2.GaussianBlur(rng.uniform(size=(big, big)), (0, 0), 1.0) * 2 - 0.5
    if name == "rings":
        centre = rng.uniform(0.3, 0.7, 2) * big
        return 0.5 + 0.5 * np.sin(2 * np.pi * np.hypot(xx - centre[0], yy - centre[1]) / period)
    turn = (
        np.deg2rad(float(name.split("_")[1]) + rng.normal(0, 6))
        if name.startswith("stripes")
        else rng.uniform(0, np.pi)
    )
    along, across = xx * np.cos(turn) + yy * np.sin(turn), yy * np.cos(turn) - xx * np.sin(turn)
    u, v = (
        np.sin(2 * np.pi * along / period + phase[0]),
        np.sin(2 * np.pi * across / period + phase[1]),
    )
    if name == "checks":
        return (u * v > 0).astype(np.float32)
    if name == "spots":
        return ((u + v) > 0.9).astype(np.float32)
    return 0.5 + 0.5 * u
