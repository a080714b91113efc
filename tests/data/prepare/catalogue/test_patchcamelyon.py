"""PatchCamelyon and PCam-small."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import h5py
import numpy as np
import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare import catalogue

RNG = np.random.default_rng(0)


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
    images = {
        part: pcam(folder, part, count) for part, count in (("train", 4), ("valid", 2), ("test", 2))
    }
    (folder / "camelyonpatch_level_2_split_train_meta.csv").write_text(
        ",coord_x,wsi\n0,1,slide_a\n1,1,slide_a\n2,1,slide_b\n3,1,slide_b\n"
    )
    listing = catalogue.read("patchcamelyon", folder)
    assert [item.id for item in listing.items] == [
        f"{part}/{i}" for part in images for i in range(len(images[part]))
    ]
    assert [item.patient for item in listing.items] == [
        "slide_a",
        "slide_a",
        "slide_b",
        "slide_b",
        "valid/0",
        "valid/1",
        "test/0",
        "test/1",
    ]
    assert [item.split for item in listing.items] == ["train"] * 4 + ["val"] * 2 + ["test"] * 2
    assert [item.labels for item in listing.items] == [{"tumour": 0}, {"tumour": 1}] * 4
    assert listing.notes == (
        "there is no meta table of valid, test: every patch counts as a patient of its own",
    )
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda item: item.image(), listing.items * 5))
    np.testing.assert_array_equal(np.stack(read), np.concatenate([*images.values()] * 5))
    assert read[0].dtype == np.uint8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            partial(pcam, part="train", count=3, labels=[0, 1]),
            r"holds images of shape \(3, 96, 96, 3\) for 2 labels",
        ),
        (
            partial(pcam, part="train", count=2, labels=[0, 7]),
            r"_y\.h5: labels must be 0 or 1, not \[7\]",
        ),
        (
            partial(pcam, part="train", count=2, images=np.zeros((2, 96, 96, 3), np.float32)),
            "_x.h5 holds no 8-bit values in 'x'",
        ),
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
    with pytest.raises(
        DataError, match=r"train_y\.h5 is missing: images and labels, x and y, go together"
    ):
        catalogue.read("patchcamelyon", tmp_path)
    (tmp_path / "camelyonpatch_level_2_split_train_y.h5").write_bytes(b"gzip")
    with pytest.raises(DataError, match=r"train_y\.h5 is no HDF5 file with a data set 'y'"):
        catalogue.read("patchcamelyon", tmp_path)


@pytest.fixture
def kaggle(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train_labels.csv").write_text(
        "id,label\n" + "".join(f"a{i},{i % 2}\n" for i in range(12))
    )
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
    (tmp_path / "train_labels.csv").write_text(
        "id,label\n" + "".join(f"{i},0\n" for i in range(220025))
    )
    items = catalogue.read("pcam_small", tmp_path).items
    assert len(items) == len({item.id for item in items}) == 10000
    # pandas 3.1.1: DataFrame({"a": range(220025)}).sample(n=10000, random_state=22)
    assert [item.image.stem for item in (*items[:5], *items[-3:])] == [
        "29971",
        "38029",
        "43097",
        "41132",
        "128818",
        "128381",
        "81765",
        "141781",
    ]


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
