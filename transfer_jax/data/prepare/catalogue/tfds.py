"""Any image set that tensorflow-datasets can build: `tfds:NAME`."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from transfer_jax.core.errors import DataError
from transfer_jax.core.names import nearest
from transfer_jax.data.items import MISSING, TRAIN_VAL, UNCERTAIN, Item, Listing
from transfer_jax.data.prepare.catalogue import chexpert
from transfer_jax.data.prepare.catalogue.set_card import Card

SPLITS = {"train": "train", "validation": "val", "valid": "val", "val": "val", "test": "test"}
# The classes of the builder chexpert.
MENTIONS = {"uncertain": UNCERTAIN, "positive": 1, "negative": 0, "unmentioned": 0}
_LONGEST = 300

CARD = Card(
    title="Any image set of tensorflow-datasets",
    layout=(
        "the data_dir of tensorflow-datasets: sets that are loaded by hand lie in"
        " downloads/manual, others are downloaded"
    ),
    labels="every class and whole number of the builder, or those that the option label names",
    patient=(
        "the feature that the option patient names; without it every image counts as a patient of"
        " its own"
    ),
    split="the builder's train, validation and test, as far as it has them",
    licence="as the set's page says",
    citation="as the set's page says",
    address="https://www.tensorflow.org/datasets/catalog/overview",
    options={
        "label": (
            "features to take as labels, separated by commas (default: every class and whole"
            " number)"
        ),
        "patient": "feature that tells patients apart (default: none)",
    },
)


def read(folder: Path, *, name: str, label: str = "", patient: str = "") -> Listing:
    """Lists the images of a builder such as "patch_camelyon" or "cbis_ddsm/patches".

    The builder is prepared in the folder if it has not been.

    Raises:
      DataError: tensorflow-datasets or TensorFlow is missing, the builder is unknown or fails, or
        it has no images or no such features.
    """
    if not folder.is_dir():
        raise DataError(
            f"data folder {folder} does not exist: make it; tensorflow-datasets puts its files"
            " there"
        )
    library, builder = _prepared(name, folder)
    features = dict(builder.info.features.items())
    image = _image_feature(library, name, features)
    if patient and patient not in features:
        raise DataError(f"tfds:{name} has no feature {patient!r}: {nearest(patient, features)}")
    classes_of = _labels(library, name, features, label)
    told = _texts(library, features)
    homes = _homes(name, list(builder.info.splits))
    items: list[Item] = []
    for split, home in homes.items():
        listed = builder.as_data_source(split, decoders={image: library.decode.SkipDecoding()})
        pixels = builder.as_data_source(split)
        for i in range(len(listed)):
            example, key = listed[i], f"{split}/{i}"
            labels: dict[str, int] = {}
            for feature, names in classes_of.items():
                labels |= _values(feature, example[feature], names, f"tfds:{name}, {key}")
            who = _text(example[patient], f"{key}, {patient}") if patient else key
            texts = {feature: _shown(example[feature], known) for feature, known in told.items()}
            read_image = functools.partial(_image, pixels, i, image)
            items.append(Item(key, who, labels, read_image, home, columns=texts))
    if len({frozenset(item.labels) for item in items}) != 1:
        raise DataError(
            f"tfds:{name} has no images, or not as many labels for each: choose others with the"
            " option label"
        )
    notes = [] if patient else ["no patients are given: every image counts as a patient of its own"]
    notes += [
        f"the split {split} is left out: it is none of train, validation and test"
        for split in builder.info.splits
        if split not in homes
    ]
    if any(map(_are_mentions, classes_of.values())):
        notes.append(
            "findings that are not mentioned count as negative, as for the labeler's authors"
        )
    words = {
        feature: names
        for feature, names in classes_of.items()
        if names and feature in items[0].labels
    }
    return Listing(items, words, tuple(notes))


def _image_feature(library: Any, name: str, features: Mapping[str, Any]) -> str:
    """Returns the first feature that is an image; raises DataError if it is not one of 8 bits."""
    for key, feature in features.items():
        if isinstance(feature, library.features.Image):
            if feature.np_dtype == np.uint8:
                return key
            break
    raise DataError(f"tfds:{name} has no images of 8 bits: its features are {', '.join(features)}")


def _are_mentions(names: list[str] | None) -> bool:
    """Returns whether the classes are those of the builder chexpert."""
    return names is not None and set(names) == set(MENTIONS)


def _prepared(name: str, folder: Path) -> tuple[Any, Any]:
    """Returns the library, and the builder with its files in place."""
    try:
        import tensorflow_datasets as library  # heavy, and only this reader needs all of it
    except ImportError as error:
        raise DataError(
            f"tfds:{name} needs tensorflow-datasets ({error}): python -m pip install"
            " tensorflow-datasets"
        ) from error
    if not hasattr(library, "builder"):  # it hides errors of its own imports
        raise DataError(
            f"tfds:{name} needs a whole tensorflow-datasets: python -m pip install --upgrade"
            " tensorflow-datasets importlib-resources"
        )
    try:
        builder = library.builder(name, data_dir=folder)
    except Exception as error:  # builders raise whatever they like
        raise DataError(
            f"tensorflow-datasets has no set {name!r} ({_line(error)}): see {CARD.address}"
        ) from error
    try:
        builder.download_and_prepare(file_format="array_record")
    except Exception as error:
        hint = (
            ": most builders need TensorFlow: python -m pip install tensorflow-cpu"
            if isinstance(error, ImportError | AttributeError)
            else ""
        )
        raise DataError(
            f"tfds:{name} could not be built in {folder} ({_line(error)}){hint}"
        ) from error
    if builder.info.file_format.value != "array_record":
        raise DataError(
            f"{builder.data_path} was prepared as {builder.info.file_format.value}: remove it, or"
            " give another folder"
        )
    return library, builder


def _line(error: Exception) -> str:
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _labels(
    library: Any, name: str, features: Mapping[str, Any], option: str
) -> dict[str, list[str] | None]:
    """Returns feature -> names of its classes, None for whole numbers.

    The features are those that the option `label` names, or all that can be labels.
    """
    possible: dict[str, list[str] | None] = {}
    for key, feature in features.items():
        inner = feature.feature if isinstance(feature, library.features.Sequence) else feature
        if isinstance(inner, library.features.ClassLabel):
            possible[key] = list(inner.names)
        elif (
            inner is feature
            and feature.shape == ()
            and isinstance(feature.np_dtype, type)
            and issubclass(feature.np_dtype, np.integer | np.bool_)
        ):
            possible[key] = None
    columns = [column.strip() for column in option.split(",")] if option else list(possible)
    for column in columns:
        if column not in possible:
            raise DataError(
                f"tfds:{name} has no class or whole number {column!r}: {nearest(column, possible)}"
            )
    if not columns:
        raise DataError(
            f"tfds:{name} has no classes and no whole numbers: its features are"
            f" {', '.join(features)}"
        )
    return {column: possible[column] for column in columns}


def _values(feature: str, value: Any, names: list[str] | None, where: str) -> dict[str, int]:
    """Returns label -> value of one image: one label for a scalar, several for a sequence."""
    if np.ndim(value) == 0:
        # A class of -1 is one that the publisher does not tell.
        if int(value) < (0 if names is None else MISSING):
            raise DataError(
                f"{where}: {feature} is {int(value)}, labels go from 0 on: choose others with the"
                " option label"
            )
        return {feature: int(value)}
    values = [int(each) for each in value]
    if names is not None and _are_mentions(names):
        values = [MENTIONS[names[each]] for each in values]
        if len(values) == len(chexpert.FINDINGS):
            return dict(zip(chexpert.FINDINGS, values, strict=True))
    return {f"{feature}_{i}": each for i, each in enumerate(values)}


def _homes(name: str, splits: list[str]) -> dict[str, str | None]:
    """Returns split of the builder -> split of the items."""
    homes: dict[str, str | None] = {split: SPLITS[split] for split in splits if split in SPLITS}
    if not homes:
        raise DataError(
            f"tfds:{name} has no split of {', '.join(SPLITS)}: it has {', '.join(splits)}"
        )
    if "train" in homes and "val" not in homes.values():
        homes["train"] = TRAIN_VAL if "test" in homes else None
    return homes


def _texts(library: Any, features: Mapping[str, Any]) -> dict[str, list[str] | None]:
    """Returns feature -> names of its classes or None, for the features that can be kept: single
    texts, numbers and classes.
    """
    return {
        key: list(feature.names) if isinstance(feature, library.features.ClassLabel) else None
        for key, feature in features.items()
        if getattr(feature, "shape", None) == ()
    }


def _shown(value: Any, names: list[str] | None) -> str:
    """Returns a single value as text; "" for a class that the publisher does not tell."""
    if names is not None:
        return names[int(value)] if 0 <= int(value) < len(names) else ""
    return (value.decode() if isinstance(value, bytes) else str(value)).strip()


def _text(value: Any, where: str) -> str:
    text = (value.decode() if isinstance(value, bytes) else str(value)).strip()
    if not text:
        raise DataError(f"{where}: an empty patient")
    return text


def _image(source: Any, index: int, key: str) -> np.ndarray:
    return np.asarray(source[index][key])
