"""Generated images: small tasks with the shape of the real ones, for the embedded study, tests and benchmarks.

Three sets, each a pure function of a seed and an image's number:

- `fundus`: a bright disc with vessels and an optic disc; small dark red dots are microaneurysms, whose number sets the grade
  (0 to 4), among pale dots and dark streaks that mean nothing. The referable grades are 2 and above.
- `chest`: two dark lungs between ribs and a heart, grey; three findings (a patch of consolidation, an effusion at the base, a
  wide heart), each independent of the others.
- `texture`: natural-image-like: an object filled with one of eight textures on a background of 1/f noise.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cv2
import numpy as np

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.data.items import Item

# A grade's number of microaneurysms: from, to (both included).
_DOTS = ((0, 0), (1, 2), (3, 5), (6, 9), (10, 14))
_GRADES = (0.34, 0.18, 0.22, 0.16, 0.10)
_IMAGES_PER_PATIENT = 2
_OVERSAMPLE = 4
TEXTURES = ("stripes_0", "stripes_45", "stripes_90", "stripes_135", "checks", "spots", "rings", "grain")

Drawing = tuple[np.ndarray, dict[str, int]]


def items(name: str, *, size: int, counts: Mapping[str, int], seed: int) -> Iterator[Item]:
    """The images of the phantom `name`; each holds its pixels.

    Args:
      name: "fundus", "chest" or "texture".
      size: pixels of both sides.
      counts: split -> number of images.
      seed: another seed is another data set.

    Raises:
      ConfigError: no such phantom.
    """
    draw = _drawer(name)
    number = 0
    for split, count in counts.items():
        for i in range(count):
            image, labels = draw(np.random.default_rng((seed, number)), size)
            yield Item(f"{name}_{number:06d}", f"{split}_{i // _IMAGES_PER_PATIENT:06d}", labels, functools.partial(np.asarray, image), split)
            number += 1


def label_names(name: str) -> dict[str, Any]:
    """Names of the values of the phantom's labels, where they are not numbers."""
    return {"texture": list(TEXTURES)} if name == "texture" else {}


def channels(name: str) -> int:
    """Channels of the phantom's images."""
    return 1 if name == "chest" else 3


def label_values(name: str) -> dict[str, set[int]]:
    """Label -> the values that it can take, for the phantom `name`.

    Raises:
      ConfigError: no such phantom.
    """
    _drawer(name)
    return {
        "fundus": {"grade": set(range(len(_DOTS))), "dots": set(range(_DOTS[-1][1] + 1))},
        "chest": {label: {0, 1} for label in ("consolidation", "effusion", "cardiomegaly")},
        "texture": {"texture": set(range(len(TEXTURES)))},
    }[name]


def _drawer(name: str) -> Callable[[np.random.Generator, int], Drawing]:
    drawers = {"fundus": fundus, "chest": chest, "texture": texture}
    if name not in drawers:
        raise ConfigError(f"unknown phantom {name!r}: {nearest(name, drawers)}")
    return drawers[name]


def _shrink(image: np.ndarray, size: int, rng: np.random.Generator, noise: float) -> np.ndarray:
    """Averages an oversampled image in 0..1 down to size x size, adds sensor noise, gives uint8 [size, size, c]."""
    small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA).reshape(size, size, -1)
    small = small + rng.normal(0, noise, small.shape)
    return np.clip(small * 255, 0, 255).astype(np.uint8)


def _blob(image: np.ndarray, x: float, y: float, radius: float, colour: np.ndarray, strength: float) -> None:
    """Blends a soft-edged disc of `colour` into `image` in place; coordinates in pixels of `image`."""
    reach = int(np.ceil(radius * 2))
    x0, x1 = max(int(x) - reach, 0), min(int(x) + reach + 1, image.shape[1])
    y0, y1 = max(int(y) - reach, 0), min(int(y) + reach + 1, image.shape[0])
    yy, xx = np.mgrid[y0:y1, x0:x1]
    weight = strength / (1 + np.exp((np.hypot(xx - x, yy - y) - radius) / (0.15 * radius)))[..., None]
    image[y0:y1, x0:x1] = image[y0:y1, x0:x1] * (1 - weight) + colour * weight


def fundus(rng: np.random.Generator, size: int) -> Drawing:
    """A retina-like disc, uint8 [size, size, 3], with labels `grade` (0-4) and `dots` (their number)."""
    big = size * _OVERSAMPLE
    centre, radius = big / 2, big * 0.48
    yy, xx = np.mgrid[0:big, 0:big].astype(np.float32)
    distance = np.hypot(xx - centre, yy - centre) / radius
    base = np.array([0.78, 0.40, 0.18]) + rng.normal(0, [0.06, 0.05, 0.03])
    shade = 1 - 0.25 * distance**2 + rng.normal(0, 0.08) * (xx - centre) / radius
    image = base * shade[..., None]
    side = int(rng.choice([-1, 1]))
    disc = np.array([centre + side * radius * rng.uniform(0.45, 0.6), centre + radius * rng.uniform(-0.15, 0.15)])
    _blob(image, disc[0], disc[1], radius * rng.uniform(0.13, 0.18), np.array([0.98, 0.85, 0.55]), 0.9)
    vessel = base * np.array([0.62, 0.42, 0.5])
    for _ in range(rng.integers(5, 8)):
        _vessel(image, disc, -side, radius, rng, vessel)
    grade = int(rng.choice(5, p=_GRADES))
    dots = int(rng.integers(_DOTS[grade][0], _DOTS[grade][1] + 1))
    for count, colour, strength in (
        (dots, base * np.array([0.55, 0.18, 0.25]), rng.uniform(0.5, 0.95)),
        (rng.integers(0, 7), np.array([0.95, 0.80, 0.40]), rng.uniform(0.5, 0.9)),
    ):
        for _ in range(count):
            angle, reach = rng.uniform(0, 2 * np.pi), radius * 0.85 * np.sqrt(rng.uniform(0.02, 1))
            spot = rng.uniform(0.021, 0.035) * big
            _blob(image, centre + reach * np.cos(angle), centre + reach * np.sin(angle), spot, colour, strength)
    image[distance > 1] = 0.02
    return _shrink(image, size, rng, 0.02), {"grade": grade, "dots": dots}


def _vessel(image: np.ndarray, start: np.ndarray, side: int, radius: float, rng: np.random.Generator, colour: np.ndarray) -> None:
    """A curved vessel from the optic disc across the retina, tapering."""
    heading = rng.uniform(-1.3, 1.3) + (0 if side > 0 else np.pi)
    bend, steps = rng.normal(0, 0.08), 14
    point, width = start.copy(), max(1.0, radius * rng.uniform(0.02, 0.035))
    for _ in range(steps):
        following = point + radius * 0.12 * np.array([np.cos(heading), np.sin(heading)])
        ends = [tuple(round(v) for v in p) for p in (point, following)]
        cv2.line(image, ends[0], ends[1], colour.tolist(), max(1, round(width)), cv2.LINE_AA)
        heading, point, width = heading + bend + rng.normal(0, 0.12), following, width * 0.93


def chest(rng: np.random.Generator, size: int) -> Drawing:
    """A frontal chest film, uint8 [size, size, 1], with 0/1 labels `consolidation`, `effusion`, `cardiomegaly`."""
    big = size * _OVERSAMPLE
    yy, xx = np.mgrid[0:big, 0:big].astype(np.float32) / big
    image = np.full((big, big, 1), 0.62 + rng.normal(0, 0.04))
    labels = {name: int(rng.uniform() < 0.4) for name in ("consolidation", "effusion", "cardiomegaly")}
    lungs = []
    for side in (-1, 1):
        x, y = 0.5 + side * rng.uniform(0.19, 0.22), rng.uniform(0.44, 0.50)
        inside = ((xx - x) / rng.uniform(0.14, 0.17)) ** 2 + ((yy - y) / rng.uniform(0.30, 0.35)) ** 2 < 1
        lungs.append((x, y, inside))
        image[inside] -= rng.uniform(0.34, 0.42)
    both = lungs[0][2] | lungs[1][2]
    for rib in np.arange(0.18, 0.80, 0.085) + rng.uniform(0, 0.04):
        curve = np.abs(yy - rib - 0.35 * (np.abs(xx - 0.5) - 0.2) ** 2) < 0.014
        image[curve & both] += 0.09
    width = rng.uniform(0.17, 0.21) if labels["cardiomegaly"] else rng.uniform(0.11, 0.15)
    heart = ((xx - 0.54) / width) ** 2 + ((yy - 0.62) / 0.15) ** 2 < 1
    image[heart] = 0.68
    if labels["effusion"]:
        x, y, inside = lungs[rng.integers(2)]
        image[inside & (yy > y + rng.uniform(0.10, 0.18) + 0.2 * np.abs(xx - x))] = 0.62
    if labels["consolidation"]:
        x, y, _ = lungs[rng.integers(2)]
        for _ in range(rng.integers(3, 7)):
            _blob(
                image, (x + rng.normal(0, 0.035)) * big, (y - 0.08 + rng.normal(0, 0.05)) * big, rng.uniform(0.03, 0.06) * big, np.array([0.62]), 0.6
            )
    return _shrink(image * rng.uniform(0.9, 1.1), size, rng, 0.03), labels


def texture(rng: np.random.Generator, size: int) -> Drawing:
    """An object of one texture on 1/f noise, uint8 [size, size, 3], with the label `texture` (0-7, see `TEXTURES`)."""
    big = size * 2
    label = int(rng.integers(len(TEXTURES)))
    image = _clouds(rng, big)
    pattern = _pattern(TEXTURES[label], rng, big)
    dark, light = rng.uniform(0, 0.6, 3), rng.uniform(0.4, 1.0, 3)
    filled = dark + (light - dark) * pattern[..., None]
    x, y, radius = rng.uniform(0.35, 0.65) * big, rng.uniform(0.35, 0.65) * big, rng.uniform(0.26, 0.42) * big
    yy, xx = np.mgrid[0:big, 0:big]
    power = float(rng.choice([1.0, 2.0, 6.0]))  # diamond, disc, rounded square
    inside = (np.abs(xx - x) / radius) ** power + (np.abs(yy - y) / radius) ** power < 1
    image[inside] = filled[inside]
    return _shrink(image, size, rng, 0.03), {"texture": label}


def _clouds(rng: np.random.Generator, big: int) -> np.ndarray:
    """Coloured 1/f noise in 0..1, [big, big, 3]: the spectrum of natural scenes."""
    frequency = np.hypot(np.fft.fftfreq(big)[:, None], np.fft.rfftfreq(big)[None])
    frequency[0, 0] = 1 / big
    spectrum = (rng.normal(size=(3, *frequency.shape)) + 1j * rng.normal(size=(3, *frequency.shape))) / frequency
    noise = np.fft.irfft2(spectrum, (big, big))
    noise = noise / noise.std((1, 2), keepdims=True)
    return np.clip(0.5 + 0.18 * noise.transpose(1, 2, 0), 0, 1)


def _pattern(name: str, rng: np.random.Generator, big: int) -> np.ndarray:
    """A texture in 0..1, [big, big]."""
    yy, xx = np.mgrid[0:big, 0:big].astype(np.float32)
    period = rng.uniform(0.12, 0.24) * big
    phase = rng.uniform(0, 2 * np.pi, 2)
    if name == "grain":
        return cv2.GaussianBlur(rng.uniform(size=(big, big)), (0, 0), 1.0) * 2 - 0.5
    if name == "rings":
        centre = rng.uniform(0.3, 0.7, 2) * big
        return 0.5 + 0.5 * np.sin(2 * np.pi * np.hypot(xx - centre[0], yy - centre[1]) / period)
    turn = np.deg2rad(float(name.split("_")[1]) + rng.normal(0, 6)) if name.startswith("stripes") else rng.uniform(0, np.pi)
    along, across = xx * np.cos(turn) + yy * np.sin(turn), yy * np.cos(turn) - xx * np.sin(turn)
    u, v = np.sin(2 * np.pi * along / period + phase[0]), np.sin(2 * np.pi * across / period + phase[1])
    if name == "checks":
        return (u * v > 0).astype(np.float32)
    if name == "spots":
        return ((u + v) > 0.9).astype(np.float32)
    return 0.5 + 0.5 * u
