"""Sets that tensorflow-datasets builds: its own CheXpert from a small folder, and small builders of
other kinds.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import MISSING, UNCERTAIN
from transfer_jax.data.prepare import catalogue, keeping
from transfer_jax.data.prepare.catalogue import chexpert


class _Small(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    SPLITS = ("train",)
    FEATURES: ClassVar = {"image": tfds.features.Tensor(shape=(4, 4, 3), dtype=np.uint8)}

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(self.FEATURES)
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in self.SPLITS}


class CatalogueEyes(_Small):
    """Every kind of label; two images of a patient."""

    SPLITS = ("train", "test", "unlabelled")
    FEATURES: ClassVar = {
        "photo": tfds.features.Image(shape=(None, None, 3)),
        "grade": tfds.features.ClassLabel(names=["none", "mild", "severe"]),
        "age": np.int32,
        "left": np.bool_,
        "score": np.float32,
        "person": tfds.features.Text(),
        "signs": tfds.features.Sequence(tfds.features.ClassLabel(names=["no", "yes"])),
    }

    def _generate_examples(self, split):
        for i in range(4):
            image = np.full((5, 6, 3), 10 * i, np.uint8)
            person = f"{split} {i // 2}"
            yield (
                i,
                {
                    "photo": image,
                    "grade": i % 3,
                    "age": 50 + i,
                    "left": i % 2 == 0,
                    "score": 0.5,
                    "person": person,
                    "signs": [i % 2, 1],
                },
            )


class CatalogueSigned(_Small):
    """A whole number below zero, and a class that is kept secret."""

    FEATURES: ClassVar = {
        "image": tfds.features.Image(shape=(4, 4, 1)),
        "offset": np.int64,
        "kind": tfds.features.ClassLabel(num_classes=2),
        "name": tfds.features.Text(),
    }

    def _generate_examples(self, split):
        yield 0, {"image": np.zeros((4, 4, 1), np.uint8), "offset": -3, "kind": -1, "name": " "}


class CatalogueOutside(CatalogueSigned):
    """Test images alone."""

    SPLITS = ("test",)


class CatalogueUnsplit(CatalogueSigned):
    """A split of none of the usual names."""

    SPLITS = ("everything",)


class CatalogueWords(_Small):
    """No images."""

    FEATURES: ClassVar = {"text": tfds.features.Text()}

    def _generate_examples(self, split):
        yield 0, {"text": "word"}


class CatalogueBroken(_Small):
    """Fails while it is built."""

    def _generate_examples(self, split):
        raise OSError("the publisher's\nserver is away")
        yield


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """CheXpert as its builder wants it, in downloads/manual."""
    folder = tmp_path_factory.mktemp("tfds")
    manual = folder / "downloads" / "manual" / "CheXpert-v1.0-small"
    for part, count in (("train", 3), ("valid", 2)):
        lines = [f"Path,Sex,Age,Frontal/Lateral,AP/PA,{','.join(chexpert.FINDINGS)}"]
        for i in range(count):
            path = f"{part}/patient0000{i}/study1/view1_frontal.jpg"
            (manual / path).parent.mkdir(parents=True)
            assert cv2.imwrite(str(manual / path), np.full((8, 10, 3), 40 * i, np.uint8))
            view = "Lateral," if i == 2 else "Frontal,AP"
            lines.append(
                f"CheXpert-v1.0-small/{path},Male,50,{view},1.0,0.0,-1.0,{','.join([''] * 11)}"
            )
        (manual / f"{part}.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_chexpert_by_its_builder(built):
    listing = catalogue.read("tfds:chexpert", built)
    assert [(item.id, item.split) for item in listing.items] == [
        ("train/0", "train"), ("train/1", "train"), ("train/2", "train"), ("validation/0", "val"),
        ("validation/1", "val"),
    ]  # fmt: skip
    findings = dict.fromkeys(chexpert.FINDINGS, 0) | {"No Finding": 1, "Cardiomegaly": UNCERTAIN}
    assert [
        {k: v for k, v in item.labels.items() if k != "image_view"} for item in listing.items
    ] == [findings] * 5
    assert sorted(item.labels["image_view"] for item in listing.items) == [0, 0, 0, 0, 1]
    assert listing.names == {"image_view": ["frontal", "lateral"]}
    assert listing.notes == (
        "no patients are given: every image counts as a patient of its own",
        "findings that are not mentioned count as negative, as for the labeler's authors",
    )
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(lambda item: item.image(), listing.items))
    assert {(image.shape, image.dtype.name) for image in images} == {((8, 10, 3), "uint8")}
    assert sorted(round(float(image.mean())) for image in images) == [0, 0, 40, 40, 80]
    # A second time nothing is built, and one of the features may be chosen.
    again = catalogue.read("tfds:chexpert", built, label="image_view", patient="name")
    assert [item.labels["image_view"] for item in again.items] == [
        item.labels["image_view"] for item in listing.items
    ]
    assert (
        sorted(item.patient for item in again.items)[0]
        == "CheXpert-v1.0-small/train/patient00000/study1/view1_frontal.jpg"
    )


def test_other_builders(tmp_path):
    listing = catalogue.read("tfds:catalogue_eyes", tmp_path, patient="person")
    assert [item.split for item in listing.items] == ["train_val"] * 4 + ["test"] * 4
    assert listing.names == {"grade": ["none", "mild", "severe"]}
    assert listing.notes == (
        "the split unlabelled is left out: it is none of train, validation and test",
    )
    by_age = {item.labels["age"]: item for item in listing.items[:4]}
    for i in range(4):
        item = by_age[50 + i]
        assert item.labels == {
            "grade": i % 3,
            "age": 50 + i,
            "left": int(i % 2 == 0),
            "signs_0": i % 2,
            "signs_1": 1,
        }
        assert item.patient == f"train {i // 2}"
        np.testing.assert_array_equal(item.image(), np.full((5, 6, 3), 10 * i, np.uint8))
    assert catalogue.read("tfds:catalogue_eyes", tmp_path, label="grade, left").items[
        0
    ].labels.keys() == {"grade", "left"}
    kept = keeping.select(listing, ["age", "grade", "left", "score", "person"]).items
    assert {tuple(item.columns.values()) for item in kept if item.split == "train_val"} == {
        ("50", "none", "True", "0.5", "train 0"), ("51", "mild", "False", "0.5", "train 0"),
        ("52", "severe", "True", "0.5", "train 1"), ("53", "none", "False", "0.5", "train 1"),
    }  # fmt: skip


def test_a_builder_of_test_images_alone(tmp_path):
    listing = catalogue.read("tfds:catalogue_outside", tmp_path, label="kind")
    assert [item.split for item in listing.items] == ["test"]
    (item,) = keeping.select(listing, ["kind", "offset", "name"]).items
    assert tuple(item.columns.values()) == ("", "-3", "")  # the class is kept secret
    with pytest.raises(DataError, match=r"has no split of train, .*: it has everything"):
        catalogue.read("tfds:catalogue_unsplit", tmp_path, label="kind")


def test_a_single_split_is_dealt_and_numbers_below_zero_are_refused(tmp_path):
    with pytest.raises(DataError, match="train/0: offset is -3, labels go from 0 on"):
        catalogue.read("tfds:catalogue_signed", tmp_path)
    item = catalogue.read("tfds:catalogue_signed", tmp_path, label="kind").items[0]
    assert (item.split, item.labels, item.image().shape) == (None, {"kind": MISSING}, (4, 4, 1))
    with pytest.raises(DataError, match="train/0, name: an empty patient"):
        catalogue.read("tfds:catalogue_signed", tmp_path, label="kind", patient="name")
    with pytest.raises(DataError, match="has no feature 'nam': did you mean 'name'"):
        catalogue.read("tfds:catalogue_signed", tmp_path, patient="nam")
    with pytest.raises(DataError, match="has no class or whole number 'kin': did you mean 'kind'"):
        catalogue.read("tfds:catalogue_signed", tmp_path, label="kin")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_set", "tensorflow-datasets has no set 'no_such_set'"),
        ("catalogue_words", "tfds:catalogue_words has no images of 8 bits: its features are text"),
        (
            "catalogue_broken",
            (
                r"tfds:catalogue_broken could not be built in .*OSError: .*the publisher's server"
                r" is away"
            ),
        ),
        ("chexpert", "tfds:chexpert could not be built in .*Manual directory"),
    ],
)
def test_builders_that_give_nothing(tmp_path, name, message):
    with pytest.raises(DataError, match=message) as caught:
        catalogue.read(f"tfds:{name}", tmp_path)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 700


def test_a_set_that_was_prepared_otherwise(tmp_path):
    tfds.builder("catalogue_signed", data_dir=tmp_path).download_and_prepare(file_format="tfrecord")
    with pytest.raises(
        DataError, match="was prepared as tfrecord: remove it, or give another folder"
    ):
        catalogue.read("tfds:catalogue_signed", tmp_path)


def test_the_folder_and_the_libraries_must_be_there(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="nowhere does not exist: make it"):
        catalogue.read("tfds:chexpert", tmp_path / "nowhere")
    monkeypatch.setattr(
        CatalogueSigned, "_split_generators", lambda self, dl_manager: __import__("no_tensorflow")
    )
    with pytest.raises(
        DataError,
        match=(
            r"No module named 'no_tensorflow'.*: most builders need TensorFlow: python -m pip"
            r" install tensorflow-cpu"
        ),
    ):
        catalogue.read("tfds:catalogue_signed", tmp_path)
    monkeypatch.delattr(tfds, "builder")
    with pytest.raises(DataError, match="needs a whole tensorflow-datasets"):
        catalogue.read("tfds:chexpert", tmp_path)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(
        DataError, match=r"needs tensorflow-datasets .*: python -m pip install tensorflow-datasets"
    ):
        catalogue.read("tfds:chexpert", tmp_path)
