"""Where images come from: one short file for each kind of raw folder, with a `CARD` and `read(folder, **options) -> Listing`."""

import importlib
from pathlib import Path
from typing import Any

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.data.catalogue.card import Card
from transfer_jax.data.items import Listing

TFDS = "tfds:"

# A set's name is that of its module.
_NAMES = (
    "table", "folders", "chexpert", "chestxray14", "kermany", "eyepacs", "busi", "ddti", "cbis_ddsm", "mrnet", "patchcamelyon", "pcam_small",
    "isic2018", "medmnist",
)  # fmt: skip


def names() -> tuple[str, ...]:
    """The data sets that can be read; besides them `tfds:NAME` for every builder of tensorflow-datasets."""
    return _NAMES


def card(name: str) -> Card:
    """The card of a data set.

    Raises:
      ConfigError: no such name.
    """
    found: Card = _module(name).CARD
    return found


def read(name: str, folder: Path, **options: str) -> Listing:
    """The images of a raw folder.

    Args:
      name: of the data set.
      folder: in the layout of its card.
      options: of its card.

    Raises:
      ConfigError: no such name, an option that the card does not have, or one missing that it requires.
      DataError: the folder is not laid out as the card says, or its tables hold what they must not.
    """
    known = card(name)
    for option in options:
        if option not in known.options:
            raise ConfigError(f"data set {name} has no option {option!r}: {nearest(option, known.options) if known.options else 'it has none'}")
    for option in known.required:
        if option not in options:
            raise ConfigError(f"data set {name} needs the option {option!r}: {known.options[option]}")
    if name.startswith(TFDS):
        options = {**options, "name": name.removeprefix(TFDS)}
    listing: Listing = _module(name).read(folder, **options)
    return listing


def _module(name: str) -> Any:
    if name.startswith(TFDS):
        return importlib.import_module(f"{__name__}.tfds")
    if name not in _NAMES:
        raise ConfigError(f"unknown data set {name!r}: {nearest(name, _NAMES)}, or tfds:NAME")
    return importlib.import_module(f"{__name__}.{name}")
