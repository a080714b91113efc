"""Phantoms of organs: a retina with microaneurysms, and a chest film with three findings.

They are drawn `_OVERSAMPLE` times as large as they are stored, and averaged.
"""

import cv2
import numpy as np

Drawing = tuple[np.ndarray, dict[str, int]]

# A grade's number of microaneurysms: from, to (both included).
DOTS = ((0, 0), (1, 2), (3, 5), (6, 9), (10, 14))
_GRADES = (0.34, 0.18, 0.22, 0.16, 0.10)
FINDINGS = ("consolidation", "effusion", "cardiomegaly")
_OVERSAMPLE = 4


def fundus(rng: np.random.Generator, size: int) -> Drawing:
    """Draws a retina-like disc, uint8 [size, size, 3], with the labels `grade` (0-4) and `dots`
    (the number of microaneurysms).
    """
    big = size * _OVERSAMPLE
    centre, radius = big / 2, big * 0.48
    yy, xx = np.mgrid[0:big, 0:big].astype(np.float32)
    distance = np.hypot(xx - centre, yy - centre) / radius
    base = np.array([0.78, 0.40, 0.18]) + rng.normal(0, [0.06, 0.05, 0.03])
    shade = 1 - 0.25 * distance**2 + rng.normal(0, 0.08) * (xx - centre) / radius
    image = base * shade[..., None]
    side = int(rng.choice([-1, 1]))
    disc_x = centre + side * radius * rng.uniform(0.45, 0.6)
    disc_y = centre + radius * rng.uniform(-0.15, 0.15)
    disc = np.array([disc_x, disc_y])
    disc_colour = np.array([0.98, 0.85, 0.55])
    _blob(image, disc[0], disc[1], radius * rng.uniform(0.13, 0.18), disc_colour, 0.9)
    vessel = base * np.array([0.62, 0.42, 0.5])
    for _ in range(rng.integers(5, 8)):
        _vessel(image, disc, -side, radius, rng, vessel)
    grade = int(rng.choice(5, p=_GRADES))
    dots = int(rng.integers(DOTS[grade][0], DOTS[grade][1] + 1))
    for count, colour, strength in (
        (dots, base * np.array([0.55, 0.18, 0.25]), rng.uniform(0.5, 0.95)),
        (rng.integers(0, 7), np.array([0.95, 0.80, 0.40]), rng.uniform(0.5, 0.9)),
    ):
        for _ in range(count):
            angle, reach = rng.uniform(0, 2 * np.pi), radius * 0.85 * np.sqrt(rng.uniform(0.02, 1))
            spot = rng.uniform(0.021, 0.035) * big
            x, y = centre + reach * np.cos(angle), centre + reach * np.sin(angle)
            _blob(image, x, y, spot, colour, strength)
    image[distance > 1] = 0.02
    return shrink(image, size, rng, 0.02), {"grade": grade, "dots": dots}


def _vessel(
    image: np.ndarray,
    start: np.ndarray,
    side: int,
    radius: float,
    rng: np.random.Generator,
    colour: np.ndarray,
) -> None:
    """Draws a curved, tapering vessel from the optic disc across the retina."""
    heading = rng.uniform(-1.3, 1.3) + (0 if side > 0 else np.pi)
    bend, steps = rng.normal(0, 0.08), 14
    point, width = start.copy(), max(1.0, radius * rng.uniform(0.02, 0.035))
    for _ in range(steps):
        following = point + radius * 0.12 * np.array([np.cos(heading), np.sin(heading)])
        ends = [tuple(round(v) for v in p) for p in (point, following)]
        cv2.line(image, ends[0], ends[1], colour.tolist(), max(1, round(width)), cv2.LINE_AA)
        heading, point, width = heading + bend + rng.normal(0, 0.12), following, width * 0.93


def chest(rng: np.random.Generator, size: int) -> Drawing:
    """Draws a frontal chest film, uint8 [size, size, 1], with 0/1 labels `consolidation`,
    `effusion`, `cardiomegaly`.
    """
    big = size * _OVERSAMPLE
    yy, xx = np.mgrid[0:big, 0:big].astype(np.float32) / big
    image = np.full((big, big, 1), 0.62 + rng.normal(0, 0.04))
    labels = {name: int(rng.uniform() < 0.4) for name in FINDINGS}
    lungs = []
    for side in (-1, 1):
        x, y = 0.5 + side * rng.uniform(0.19, 0.22), rng.uniform(0.44, 0.50)
        inside = ((xx - x) / rng.uniform(0.14, 0.17)) ** 2 + (
            (yy - y) / rng.uniform(0.30, 0.35)
        ) ** 2 < 1
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
                image,
                (x + rng.normal(0, 0.035)) * big,
                (y - 0.08 + rng.normal(0, 0.05)) * big,
                rng.uniform(0.03, 0.06) * big,
                np.array([0.62]),
                0.6,
            )
    return shrink(image * rng.uniform(0.9, 1.1), size, rng, 0.03), labels


def _blob(
    image: np.ndarray, x: float, y: float, radius: float, colour: np.ndarray, strength: float
) -> None:
    """Blends a soft-edged disc of `colour` into `image` in place; coordinates in pixels
    of `image`.
    """
    reach = int(np.ceil(radius * 2))
    x0, x1 = max(int(x) - reach, 0), min(int(x) + reach + 1, image.shape[1])
    y0, y1 = max(int(y) - reach, 0), min(int(y) + reach + 1, image.shape[0])
    yy, xx = np.mgrid[y0:y1, x0:x1]
    weight = (
        strength / (1 + np.exp((np.hypot(xx - x, yy - y) - radius) / (0.15 * radius)))[..., None]
    )
    image[y0:y1, x0:x1] = image[y0:y1, x0:x1] * (1 - weight) + colour * weight


def shrink(image: np.ndarray, size: int, rng: np.random.Generator, noise: float) -> np.ndarray:
    """Averages an oversampled image down to size x size pixels and adds noise.

    Args:
      image: Image, values 0..1, [n size, n size, c].
      size: Pixels of both sides of the result.
      rng: Random numbers.
      noise: Standard deviation of the noise, values of 0..1.

    Returns:
      uint8 [size, size, c].
    """
    small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA).reshape(size, size, -1)
    small = small + rng.normal(0, noise, small.shape)
    return np.clip(small * 255, 0, 255).astype(np.uint8)
