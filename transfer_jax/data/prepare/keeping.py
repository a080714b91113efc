"""Chooses what the raw data say of images, beside their labels, that a prepared folder keeps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.core.names import nearest
from transfer_jax.data.items import Item, Listing
from transfer_jax.data.prepare import dicom_files
from transfer_jax.data.prepare.dicom_tags import DESCRIPTIONS

LONGEST = 256  # characters; tables hold a column in as many for every image
_DICOM = (".dcm", ".dicom")


def names(option: str) -> list[str]:
    """Returns the columns that the option `--keep` names, separated by commas.

    Raises:
      ConfigError: A name is empty or comes twice.
    """
    listed = [" ".join(name.split()) for name in option.split(",")]
    if "" in listed or len(set(listed)) < len(listed):
        raise ConfigError(
            f"--keep={option} must name different columns, separated by commas, as --keep=age,sex"
        )
    return listed


def select(listing: Listing, keep: Sequence[str]) -> Listing:
    """Returns the listing with the columns `keep` of its images, and no others.

    A column is one that the reader of the set offers or, for DICOM images, one of
    `dicom_tags.DESCRIPTIONS`, which is then read from the header of every image.

    Args:
      listing: The images, with all columns that their reader offers.
      keep: Names of columns.

    Returns:
      The listing, with a note for columns that are empty in some images.

    Raises:
      ConfigError: The set has no such column.
      DataError: Rows of one image differ in a column, a text is too long, or pydicom is missing.
    """
    offered = {name for name in keep if any(name in item.columns for item in listing.items)}
    tags = [name for name in keep if name not in offered]
    described = [item for item in listing.items if _is_dicom(item)] if tags else []
    for name in tags:
        if name not in DESCRIPTIONS or not described:
            raise ConfigError(_unknown(name, listing.items, described))
    for name in keep:
        if name in listing.contradictions:
            raise DataError(
                f"--keep={name}: {listing.contradictions[name]}: keep the row that is right, or"
                " leave that column out"
            )
    items = []
    for item in listing.items:
        told = _described(item, tags)
        items.append(
            dataclasses.replace(
                item,
                columns={
                    name: told.get(name, "") if name in tags else item.columns.get(name, "")
                    for name in keep
                },
            )
        )
    _check_lengths(items)
    notes = [*listing.notes, *_on_empty(items, keep)]
    return dataclasses.replace(listing, items=items, notes=tuple(notes), contradictions={})


def _is_dicom(item: Item) -> bool:
    return isinstance(item.image, Path) and item.image.suffix.lower() in _DICOM


def _described(item: Item, tags: Sequence[str]) -> Mapping[str, str]:
    """Returns tags of an image's header; nothing for an image without one."""
    if not tags or not isinstance(item.image, Path) or not _is_dicom(item):
        return {}
    return dicom_files.describe(item.image, tags)


def _unknown(name: str, items: Sequence[Item], described: Sequence[Item]) -> str:
    known = list(dict.fromkeys(column for item in items for column in item.columns))
    if described:
        known += [tag for tag in DESCRIPTIONS if tag not in known]
    if not known:
        return f"--keep={name}: this set says nothing of its images beside their labels"
    hint = nearest(name, known)
    near = f" ({hint})" if hint.startswith("did") else ""
    return f"--keep={name}: this set has no column {name!r}{near}; it has {', '.join(known)}"


def _check_lengths(items: Sequence[Item]) -> None:
    for item in items:
        for name, text in item.columns.items():
            if len(text) > LONGEST:
                raise DataError(
                    f"--keep={name}: the text of image {item.id} has {len(text)} characters, more"
                    f" than {LONGEST}: it is free text, which is not kept"
                )


def _on_empty(items: Sequence[Item], keep: Sequence[str]) -> list[str]:
    empty = {name: sum(not item.columns[name] for item in items) for name in keep}
    shown = ", ".join(f"{name}: {count}" for name, count in empty.items() if count)
    return [f"images of {len(items)} without a value in kept columns: {shown}"] if shown else []
