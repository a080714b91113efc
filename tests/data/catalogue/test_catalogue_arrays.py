"""Sets of arrays and samples: MRNet, PatchCamelyon, PCam-small, MedMNIST."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import h5py
import numpy as np
import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data import catalogue

RNG = np.random.default_rng(0)


@pytest.fixture
def mrnet(tmp_path):
    root = tmp_path / "MRNet-v1.0"
    tables = {"train": {"abnormal": "0000,1\n0001,0\n", "acl": "0000,0\n0001,0\n", "meniscus": "0000,1\n0001,0\n"}}
    tables["valid"] = {"abnormal": "1130,1\n", "acl": "1130,0\n", "meniscus": "1130,0\n"}
    for part, of_labels in tables.items():
        for plane in ("axial", "coronal", "sagittal"):
            (root / part / plane).mkdir(parents=True)
        for label, text in of_labels.items():
            (root / f"{part}-{label}.csv").write_text(text)
    for case, slices in (("train/sagittal/0000", 5), ("train/sagittal/0001", 2), ("valid/sagittal/1130", 3), ("train/axial/0000", 4)):
        np.save(root / f"{case}.npy", RNG.integers(0, 256, (slices, 6, 7), np.uint8))
    return root


def test_mrnet_middle_slices(mrnet):
    listing = catalogue.read("mrnet", mrnet.parent)
    assert [(item.id, item.patient, item.split, item.labels) for item in listing.items] == [
        ("train/sagittal/0000", "0000", "train", {"abnormal": 1, "acl": 0, "meniscus": 1}),
        ("train/sagittal/0001", "0001", "train", {"abnormal": 0, "acl": 0, "meniscus": 0}),
        ("valid/sagittal/1130", "1130", "val", {"abnormal": 1, "acl": 0, "meniscus": 0}),  # meniscus is not abnormal
    ]
    for item, middle in zip(listing.items, (2, 1, 1), strict=True):
        np.testing.assert_array_equal(item.image(), np.load(mrnet / f"{item.id}.npy")[middle])
    assert listing.notes == ("the publisher does not tell patients apart: every examination counts as a patient of its own",)


def test_mrnet_all_slices_of_another_plane_with_missing_files(mrnet):
    listing = catalogue.read("mrnet", mrnet, plane="axial", slices="all")
    assert [item.id for item in listing.items] == [*(f"train/axial/0000/{i}" for i in range(4)), "train/axial/0001", "valid/axial/1130"]
    assert {item.patient for item in listing.items[:4]} == {"0000"}
    volume = np.load(mrnet / "train/axial/0000.npy")
    for i in range(4):
        np.testing.assert_array_equal(listing.items[i].image(), volume[i])
    assert listing.items[4].image == mrnet / "train/axial/0001.npy"
    with pytest.raises(DataError, match="names 3 images and none is there"):
        catalogue.read("mrnet", mrnet, plane="coronal")


@pytest.mark.parametrize(
    ("table", "text", "message"),
    [
        ("valid-meniscus", "1131,0\n", r"valid-meniscus\.csv and .*valid-abnormal\.csv name different examinations, such as 1130"),
        ("valid-meniscus", "1130,2\n", r"valid-meniscus\.csv, line 1, column 'label': 2 is out of range \(0, 1\)"),
        ("valid-meniscus", "", r"valid-meniscus\.csv has no rows"),
        ("valid-meniscus", ",1\n", r"line 1: empty cell in column 'case'"),
        ("train-acl", "case,label\n0000,1\n", "line 1, column 'label': 'label' is no number"),
        ("train-abnormal", "../0000,1\n0001,1\n", "name different examinations"),
    ],
)
def test_mrnet_refuses_tables(mrnet, table, text, message):
    (mrnet / f"{table}.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        catalogue.read("mrnet", mrnet)


def test_mrnet_refuses_a_missing_table_and_what_is_no_volume(mrnet):
    np.save(mrnet / "train/sagittal/0000.npy", np.zeros((3, 4), np.uint8))
    with pytest.raises(DataError, match=r"0000\.npy is no volume .* its shape is \(3, 4\)"):
        catalogue.read("mrnet", mrnet, slices="all")
    (mrnet / "train/sagittal/0001.npy").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"0001\.npy is not a readable array"):
        catalogue.read("mrnet", mrnet).items[1].image()
    np.save(mrnet / "train/sagittal/0001.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(DataError, match=r"0001\.npy is not a readable array"):
        catalogue.read("mrnet", mrnet).items[1].image()
    (mrnet / "valid-acl.csv").unlink()
    with pytest.raises(DataError, match=r"valid-acl\.csv is missing"):
        catalogue.read("mrnet", mrnet)


def pcam(folder, part, count, labels=None, images=None):
    images = RNG.integers(0, 256, (count, 96, 96, 3), np.uint8) if images is None else images
    labels = np.arange(count) % 2 if labels is None else np.asarray(labels)
    name = f"camelyonpatch_level_2_split_{part}"
    with h5py.File(folder / f"{name}_x.h5", "w") as file:
        file.create_dataset("x", data=images, chunks=(2, *images.shape[1:]), compression="gzip")
    with h5py.File(folder / f"{name}_y.h5", "w") as file:
        file.create_dataset("y", data=labels.reshape(-1, 1, 1, 1).astype(np.uint8))
    return images


def test_patchcamelyon(tmp_path):
    folder = tmp_path / "p cäm"
    folder.mkdir()
    images = {part: pcam(folder, part, count) for part, count in (("train", 4), ("valid", 2), ("test", 2))}
    (folder / "camelyonpatch_level_2_split_train_meta.csv").write_text(",coord_x,wsi\n0,1,slide_a\n1,1,slide_a\n2,1,slide_b\n3,1,slide_b\n")
    listing = catalogue.read("patchcamelyon", folder)
    assert [item.id for item in listing.items] == [f"{part}/{i}" for part in images for i in range(len(images[part]))]
    assert [item.patient for item in listing.items] == ["slide_a", "slide_a", "slide_b", "slide_b", "valid/0", "valid/1", "test/0", "test/1"]
    assert [item.split for item in listing.items] == ["train"] * 4 + ["val"] * 2 + ["test"] * 2
    assert [item.labels for item in listing.items] == [{"tumour": 0}, {"tumour": 1}] * 4
    assert listing.notes == ("there is no meta table of valid, test: every patch counts as a patient of its own",)
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda item: item.image(), listing.items * 5))
    np.testing.assert_array_equal(np.stack(read), np.concatenate([*images.values()] * 5))
    assert read[0].dtype == np.uint8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(pcam, part="train", count=3, labels=[0, 1]), r"holds images of shape \(3, 96, 96, 3\) for 2 labels"),
        (partial(pcam, part="train", count=2, labels=[0, 7]), r"_y\.h5: labels must be 0 or 1, not \[7\]"),
        (partial(pcam, part="train", count=2, images=np.zeros((2, 96, 96, 3), np.float32)), "_x.h5 holds no 8-bit values in 'x'"),
    ],
)
def test_patchcamelyon_refuses(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(DataError, match=message):
        catalogue.read("patchcamelyon", tmp_path)


def test_patchcamelyon_refuses_files_that_do_not_go_together(tmp_path):
    pcam(tmp_path, "train", 2)
    meta = tmp_path / "camelyonpatch_level_2_split_train_meta.csv"
    meta.write_text("wsi\na\n")
    with pytest.raises(DataError, match=r"train_meta\.csv has 1 rows for 2 labels"):
        catalogue.read("patchcamelyon", tmp_path)
    meta.unlink()
    (tmp_path / "camelyonpatch_level_2_split_train_y.h5").unlink()
    with pytest.raises(DataError, match=r"train_y\.h5 is missing: images and labels, x and y, go together"):
        catalogue.read("patchcamelyon", tmp_path)
    (tmp_path / "camelyonpatch_level_2_split_train_y.h5").write_bytes(b"gzip")
    with pytest.raises(DataError, match=r"train_y\.h5 is no HDF5 file with a data set 'y'"):
        catalogue.read("patchcamelyon", tmp_path)


@pytest.fixture
def kaggle(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train_labels.csv").write_text("id,label\n" + "".join(f"a{i},{i % 2}\n" for i in range(12)))
    for i in range(12):
        (tmp_path / "train" / f"a{i}.tif").write_bytes(b"")
    return tmp_path


# pandas 3.1.1: DataFrame({"a": range(12)}).sample(n=5, random_state=...).a.tolist()
@pytest.mark.parametrize(("seed", "drawn"), [("22", [2, 1, 11, 9, 8]), ("2", [9, 5, 4, 7, 1])])
def test_pcam_small_draws_what_pandas_draws(kaggle, seed, drawn):
    listing = catalogue.read("pcam_small", kaggle, count="5", seed=seed)
    assert [item.id for item in listing.items] == [f"train/a{i}.tif" for i in drawn]
    assert [item.labels for item in listing.items] == [{"tumour": i % 2} for i in drawn]
    assert [item.patient for item in listing.items] == [item.id for item in listing.items]
    assert listing.notes[0] == f"5 of 12 images are sampled with seed {seed}"


def test_pcam_small_has_10_000_images_by_default_the_same_ones_as_the_study(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "29971.tif").write_bytes(b"")
    (tmp_path / "train_labels.csv").write_text("id,label\n" + "".join(f"{i},0\n" for i in range(220025)))
    items = catalogue.read("pcam_small", tmp_path).items
    assert len(items) == len({item.id for item in items}) == 10000
    # pandas 3.1.1: DataFrame({"a": range(220025)}).sample(n=10000, random_state=22)
    assert [item.image.stem for item in (*items[:5], *items[-3:])] == ["29971", "38029", "43097", "41132", "128818", "128381", "81765", "141781"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": "13"}, "has 12 rows: fewer than count=13"),
        ({"count": "0"}, "option count='0' must be a whole number from 1 on"),
        ({"count": "1e3"}, "option count='1e3' must be a whole number"),
        ({"count": "5", "seed": "-1"}, "option seed='-1' must be a whole number from 0 on"),
        ({"count": "5", "seed": "4294967296"}, "must be below 4294967296"),
    ],
)
def test_pcam_small_refuses(kaggle, options, message):
    with pytest.raises(DataError, match=message):
        catalogue.read("pcam_small", kaggle, **options)


def arrays(labels=1, shape=(8, 8), dtype=np.uint8):
    content = {}
    for split, count in (("train", 4), ("val", 2), ("test", 3)):
        content[f"{split}_images"] = RNG.integers(0, 256, (count, *shape)).astype(dtype)
        content[f"{split}_labels"] = (np.arange(count * labels).reshape(count, labels) % 3).astype(np.uint8)
    return content


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3)])
def test_medmnist(tmp_path, shape):
    content = arrays(shape=shape)
    np.savez_compressed(tmp_path / "pathmnist.npz", **content)
    listing = catalogue.read("medmnist", tmp_path)
    assert [item.id for item in listing.items] == [f"{split}/{i}" for split, count in (("train", 4), ("val", 2), ("test", 3)) for i in range(count)]
    assert [item.split for item in listing.items] == ["train"] * 4 + ["val"] * 2 + ["test"] * 3
    assert [item.labels["label"] for item in listing.items] == [0, 1, 2, 0, 0, 1, 0, 1, 2]
    assert [item.patient for item in listing.items] == [item.id for item in listing.items]
    assert listing.notes == ("the publisher does not tell patients: every image counts as a patient of its own",)
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda item: item.image(), listing.items))
    np.testing.assert_array_equal(np.stack(read), np.concatenate([content[f"{split}_images"] for split in ("train", "val", "test")]))


def test_medmnist_with_several_labels_and_files(tmp_path):
    np.savez(tmp_path / "a.npz", **arrays(labels=3))
    np.savez(tmp_path / "b.npz", **arrays())
    with pytest.raises(DataError, match=r"has several \.npz files \(a\.npz, b\.npz\): choose one with the option file"):
        catalogue.read("medmnist", tmp_path)
    assert catalogue.read("medmnist", tmp_path, file="a.npz").items[1].labels == {"label_0": 0, "label_1": 1, "label_2": 2}
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
        ({"val_labels": np.zeros((2, 2), np.uint8)}, "val_labels has 2 labels an image, other splits 1"),
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
