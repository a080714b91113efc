"""Keras's affine transform written out in float64 with scipy, for the comparison: matrices
multiplied one by one, channel by channel.
"""

import numpy as np
from scipy import ndimage


def matrix(rotation, shift_rows, shift_columns, shear, zoom_rows, zoom_columns, h, w, half_pixel):
    theta, phi = np.deg2rad(rotation), np.deg2rad(shear)
    r = np.array([[np.cos(theta), -np.sin(theta), 0], [np.sin(theta), np.cos(theta), 0], [0, 0, 1]])
    t = np.array([[1, 0, shift_rows], [0, 1, shift_columns], [0, 0, 1]])
    s = np.array([[1, -np.sin(phi), 0], [0, np.cos(phi), 0], [0, 0, 1]])
    z = np.diag([zoom_rows, zoom_columns, 1])
    there = np.array([[1, 0, h / 2 + half_pixel], [0, 1, w / 2 + half_pixel], [0, 0, 1]])
    back = np.array([[1, 0, -h / 2 - half_pixel], [0, 1, -w / 2 - half_pixel], [0, 0, 1]])
    return there @ r @ t @ s @ z @ back


def warp(image, m, fill, value=0.0):
    """[h, w, c] of any type to float64."""
    channels = np.moveaxis(np.asarray(image, np.float64), -1, 0)
    return np.stack(
        [
            ndimage.affine_transform(c, m[:2, :2], m[:2, 2], order=1, mode=fill, cval=value)
            for c in channels
        ],
        -1,
    )


def certain(m, h, w, fill):
    """[h, w]: where no rounding of the coordinates, up to 1e-3 pixels, can change the result by a
    jump.
    """
    kept = np.ones((h, w), bool)
    places = np.einsum("ij,jrc->irc", m[:2, :2], np.mgrid[:h, :w]) + m[:2, 2, None, None]
    for x, n, row in zip(places, (h, w), m, strict=False):
        whole = (
            row == np.round(row)
        ).all()  # then the coordinates are exact, in float32 and in scipy
        if fill == "constant":
            edges = [abs(x), abs(x - (n - 1))]
        elif fill == "wrap":
            edges = [abs(x - (n - 1) * np.round(x / (n - 1)))]
        else:
            continue
        for distance in edges:
            kept &= whole | (distance > 1e-3)
    return kept
