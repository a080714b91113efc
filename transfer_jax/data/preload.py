"""Imports what decodes original images before threads do.

Importing in threads is where programs hang: a library that imports lazily replaces
`builtins.__import__` for all of them meanwhile (see `examples`). Decoders import late and in their
own ways: Pillow its formats, pydicom the decoder of a transfer syntax, tensorflow-datasets what a
feature needs, HDF5 at the first image of a file. Decoding one image of each kind beforehand covers
them all, whatever their names are.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import PIL.Image

from transfer_jax.core.errors import DataError
from transfer_jax.data import originals
from transfer_jax.data.items import Image


def decoders(images: Iterable[Image]) -> None:
    """Decodes the first image of every kind in the calling thread, and drops the pixels.

    A kind is a file's suffix, or "a function". An image that cannot be decoded is passed over: its
    error is raised, or counted, where the image is written.

    Args:
      images: Original images, see `originals.load`.
    """
    first: dict[str | None, Image] = {}
    for image in images:
        first.setdefault(image.suffix.lower() if isinstance(image, Path) else None, image)
    if any(kind is not None for kind in first):
        PIL.Image.init()  # all of its formats: those that a damaged image would make it look through
    for image in first.values():
        try:
            originals.load(image, channels=3)
        except DataError:
            continue
