"""A set of NumPy arrays: MedMNIST."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare import catalogue

RNG = np.random.default_rng(0)


def arrays(labels=1, shape=(8, 8), dtype=np.uint8):
    content = {}
    for split, count in (("train", 4), ("val", 2), ("test", 3)):
        content[f"{split}_images"] = RNG.integers(0, 256, (count, *shape)).astype(dtype)
        content[f"{split}_labels"] = (np.arange(count * labels).reshape(count, labels) % 3).astype(
            np.uint8
        )
    return content


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3)])
def test_medmnist(tmp_path, shape):
    content = arrays(shape=shape)
    np.savez_compressed(tmp_path / "pathmnist.npz", **content)
    listing = catalogue.read("medmnist", tmp_path)
    assert [item.id for item in listing.items] == [
        f"{split}/{i}"
        for split, count in (("train", 4), ("val", 2), ("test", 3))
        for i in range(count)
    ]
    assert [item.split for item in listing.items] == ["train"] * 4 + ["val"] * 2 + ["test"] * 3
    assert [item.labels["label"] for item in listing.items] == [0, 1, 2, 0, 0, 1, 0, 1, 2]
    assert [item.patient for item in listing.items] == [item.id for item in listing.items]
    assert listing.notes == (
        "the publisher does not tell patients: every image counts as a patient of its own",
    )
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda item: item.image(), listing.items))
    np.testing.assert_array_equal(
        np.stack(read),
        np.concatenate([content[f"{split}_images"] for split in ("train", "val", "test")]),
    )


def test_medmnist_with_several_labels_and_files(tmp_path):
    np.savez(tmp_path / "a.npz", **arrays(labels=3))
    np.savez(tmp_path / "b.npz", **arrays())
    with pytest.raises(
        DataError,
        match=r"has several \.npz files \(a\.npz, b\.npz\): choose one with the option file",
    ):
        catalogue.read("medmnist", tmp_path)
    assert catalogue.read("medmnist", tmp_path, file="a.npz").items[1].labels == {
        "label_0": 0,
        "label_1": 1,
        "label_2": 2,
    }
    with pytest.raises(DataError, match=r"c\.npz is missing"):
        catalogue.read("medmnist", tmp_path, file="c.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (arrays(dtype=np.float32), r"train_images has shape \(4, 8, 8\) and type float32"),
        (arrays(shape=(8, 8, 8)), r"train_images has shape \(4, 8, 8, 8\)"),
        ({"val_labels": np.zeros((3, 1), np.uint8)}, r"val_labels has shape \(3, 1\)"),
        ({"val_labels": np.full((2, 1), -1)}, "val_labels has shape .* whole numbers from 0 on"),
        ({"val_labels": np.zeros((2, 1))}, "val_labels has shape .* type float64"),
        (
            {"val_labels": np.zeros((2, 2), np.uint8)},
            "val_labels has 2 labels per image, other splits 1",
        ),
        ({"test_labels": np.array([[{}]] * 3)}, r"is no \.npz file with an array test_labels"),
    ],
)
def test_medmnist_refuses(tmp_path, change, message):
    np.savez(tmp_path / "a.npz", **{**arrays(), **change})
    with pytest.raises(DataError, match=message):
        catalogue.read("medmnist", tmp_path)


def test_medmnist_refuses_missing_arrays_and_damaged_files(tmp_path):
    np.savez(tmp_path / "a.npz", train_images=np.zeros((1, 8, 8), np.uint8))
    with pytest.raises(DataError, match=r"is no \.npz file with an array train_labels"):
        catalogue.read("medmnist", tmp_path)
    (tmp_path / "a.npz").write_bytes(b"PK damaged")
    with pytest.raises(DataError, match=r"is no \.npz file with an array train_images"):
        catalogue.read("medmnist", tmp_path)
