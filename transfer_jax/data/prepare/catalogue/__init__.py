"""Data sets that can be read, one file each: a `CARD` and `read(folder, **options) -> Listing`.

To add one, write a module with these two, and add a line to `DATA_SETS`.
"""

import importlib
from pathlib import Path
from typing import Any

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.data.items import Listing
from transfer_jax.data.prepare.catalogue.set_card import Card

__all__ = ["DATA_SETS", "TFDS", "Card", "Listing", "card", "read"]

# Name -> module, imported when it is asked for.
DATA_SETS: dict[str, str] = {
    "table": "transfer_jax.data.prepare.catalogue.table",
    "folders": "transfer_jax.data.prepare.catalogue.folders",
    "chexpert": "transfer_jax.data.prepare.catalogue.chexpert",
    "chestxray14": "transfer_jax.data.prepare.catalogue.chestxray14",
    "kermany": "transfer_jax.data.prepare.catalogue.kermany",
    "eyepacs": "transfer_jax.data.prepare.catalogue.eyepacs",
    "busi": "transfer_jax.data.prepare.catalogue.busi",
    "ddti": "transfer_jax.data.prepare.catalogue.ddti",
    "cbis_ddsm": "transfer_jax.data.prepare.catalogue.cbis_ddsm",
    "mrnet": "transfer_jax.data.prepare.catalogue.mrnet",
    "patchcamelyon": "transfer_jax.data.prepare.catalogue.patchcamelyon",
    "pcam_small": "transfer_jax.data.prepare.catalogue.pcam_small",
    "isic2018": "transfer_jax.data.prepare.catalogue.isic2018",
    "medmnist": "transfer_jax.data.prepare.catalogue.medmnist",
}

# Prefix of the builders of tensorflow-datasets, all of which one module reads.
TFDS = "tfds:"
_TFDS_MODULE = "transfer_jax.data.prepare.catalogue.tfds"


def card(name: str) -> Card:
    """Returns the card of a data set.

    Args:
      name: Key of `DATA_SETS`, or `tfds:NAME` for a builder of tensorflow-datasets.

    Raises:
      ConfigError: There is no data set of that name.
    """
    data_set_card: Card = _module(name).CARD
    return data_set_card


def read(name: str, folder: Path, **options: str) -> Listing:
    """Lists the images of a raw folder.

    Args:
      name: Name of the data set, see `card`.
      folder: Raw folder, laid out as the data set's card says.
      **options: Options of the data set's card.

    Raises:
      ConfigError: There is no data set of that name, its card does not have one of the options, or
        an option is missing that it requires.
      DataError: The folder is not laid out as the card says, or its tables hold forbidden values.
    """
    card(name).check_options(name, options)
    if name.startswith(TFDS):
        options = {**options, "name": name.removeprefix(TFDS)}
    listing: Listing = _module(name).read(folder, **options)
    return listing


def _module(name: str) -> Any:
    if name.startswith(TFDS):
        return importlib.import_module(_TFDS_MODULE)
    if name not in DATA_SETS:
        raise ConfigError(f"unknown data set {name!r}: {nearest(name, DATA_SETS)}, or tfds:NAME")
    return importlib.import_module(DATA_SETS[name])
