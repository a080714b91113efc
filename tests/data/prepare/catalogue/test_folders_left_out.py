"""Folders for each class: which images are taken, which are left out and told, and in which order
classes are.
"""

import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare import catalogue


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def read(folder):
    listing = catalogue.read("folders", folder)
    return (
        {item.id: item.labels["class"] for item in listing.items},
        listing.names["class"],
        listing.notes,
    )


PATIENTS = "no patients are given: every image counts as a patient of its own"


def test_every_ending_and_sub_folders_are_taken(tmp_path):
    names = [
        f"a/{i}{ending}"
        for i, ending in enumerate((".png", ".JPEG", ".jfif", ".webp", ".Jpe", ".TIF", ".dicom"))
    ]
    items, _, notes = read(touch(tmp_path, *names, "a/visit/1/8.png", "b/9.png"))
    assert sorted(items) == sorted([*names, "a/visit/1/8.png", "b/9.png"])
    assert notes == (
        (
            "images in folders within class folders: 1 (a/visit/1/8.png); the upper folder is"
            " their class"
        ),
        PATIENTS,
    )


def test_one_line_tells_what_is_left_out_and_why(tmp_path):
    touch(
        tmp_path,
        "train/a/1.png",
        "train/b/2.png",
        "train/a/x.gif",
        "train/a/y.gif",
        "train/a/Thumbs.db",
        "train/b/.DS_Store",
        "train/b/README",
    )
    touch(
        tmp_path,
        "train/loose.png",
        "test/a/3.png",
        "test/b/4.png",
        "labels.csv",
        "docs/guide.pdf",
        "__MACOSX/train/a/._1.png",
    )
    (tmp_path / "train/a/gone.png").symlink_to(tmp_path / "nowhere")
    assert read(tmp_path)[2] == (
        PATIENTS,
        (
            "left out: files ending in .gif: 2 (train/a/x.gif); hidden or system files: 2"
            " (train/a/Thumbs.db); files ending in .csv: 1 (labels.csv); files ending in .pdf: 1"
            " (docs/guide.pdf); files without ending: 1 (train/b/README); images outside of class"
            " folders: 1 (train/loose.png); links that lead nowhere: 1 (train/a/gone.png)"
        ),
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([str(i) for i in (10, 2, 0, 1)], ["0", "1", "2", "10"]),
        (["01", "02", "10"], ["01", "02", "10"]),
        (["grade 10", "grade 2", "grade 1"], ["grade 1", "grade 2", "grade 10"]),
        (["0.5", "10", "1.5"], ["0.5", "1.5", "10"]),
        (["stage 2b", "Stage 2a", "healthy"], ["healthy", "Stage 2a", "stage 2b"]),
    ],
)
def test_classes_are_in_natural_order(tmp_path, names, expected):
    assert read(touch(tmp_path, *(f"{name}/1.png" for name in names)))[1] == expected


def test_numbers_that_are_not_the_classes_numbers_are_told(tmp_path):
    notes = read(touch(tmp_path, "1/a.png", "2/b.png", "3/c.png"))[2]
    assert notes[1].startswith(
        "class folders are counted from 0 on, whatever their numbers ('1' is class 0, '2' is class"
        " 1, '3' is class 2)"
    )
    assert not any("counted from 0" in note for note in read(touch(tmp_path, "0/a.png"))[2])


def test_folders_that_differ_in_case_are_one_class(tmp_path):
    items, names, notes = read(
        touch(
            tmp_path,
            "train/Normal/1.png",
            "train/sick/2.png",
            "val/normal/3.png",
            "val/Sick /4.png",
            "train/sick/5.png",
        )
    )
    assert names == ["Normal", "sick"]
    assert items == {
        "train/Normal/1.png": 0,
        "train/sick/2.png": 1,
        "train/sick/5.png": 1,
        "val/normal/3.png": 0,
        "val/Sick /4.png": 1,
    }
    assert "class folders: 'normal' (1) and 'Normal' (1) are one class" in notes


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (("Training", "Testing"), ("train", "test")),
        (("train", "valid", "test"), ("train", "val", "test")),
        (("TRAIN", "Validation"), ("train", "val")),
    ],
)
def test_folders_of_splits_in_other_words(tmp_path, folders, splits):
    for folder in folders:
        touch(tmp_path, f"{folder}/a/1.png", f"{folder}/b/2.png")
    listing = catalogue.read("folders", tmp_path)
    assert [item.split for item in listing.items] == [split for split in splits for _ in "ab"]


def test_the_only_folder_is_gone_into(tmp_path):
    items, _, notes = read(touch(tmp_path, "dataset/a/1.png", "dataset/b/2.png", "readme.txt"))
    assert items == {"dataset/a/1.png": 0, "dataset/b/2.png": 1}
    assert (
        notes[0]
        == "the folder dataset is the only one, and the folders in it are taken as classes or"
        " splits"
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["val/a/1.png", "valid/a/1.png", "train/a/2.png"],
            "has val and valid, which are both the split 'val': keep one of them",
        ),
        (
            ["a/train/1.png", "a/test/2.png", "b/train/3.png"],
            r"class folder .*a has the folder test, which is a split: .* as in test/a",
        ),
        (
            ["one/x/1.png", "one/y/2.png", "two/x/3.png", "two/y/4.png"],
            "has one, two with the same folders x, y in each, and either may be the classes",
        ),
        (
            ["a/1.gif", "b/1.png"],
            (
                r"class folder .*a has no images \(.*\), but files ending in .gif: 1 \(1.gif\):"
                r" fill it or remove it"
            ),
        ),
        (["train/1.png", "a.png"], "train has no folders: it needs one for each class"),
    ],
)
def test_what_is_not_clear_is_refused(tmp_path, names, message):
    with pytest.raises(DataError, match=message):
        read(touch(tmp_path, *names))


@pytest.mark.parametrize("above", ["set", "x/set", "x/y/set"])
@pytest.mark.parametrize("beside", [(), ("logo.png",)])
def test_folders_that_are_alone_in_theirs_are_gone_into(tmp_path, above, beside):
    touch(tmp_path, f"{above}/a/1.png", f"{above}/b/2.png", *beside)
    items, names, notes = read(tmp_path)
    assert names == ["a", "b"]
    assert items == {f"{above}/a/1.png": 0, f"{above}/b/2.png": 1}
    assert f"the folder {above} is the only one" in notes[0]
    assert any("images beside it are left out: 1 (logo.png)" in note for note in notes) == bool(
        beside
    )
