"""EyePACS."""

import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare import catalogue


@pytest.fixture
def eyes(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    for name in (
        "train/10_left",
        "train/10_right",
        "train/13_left",
        "test/1_left",
        "test/1_right",
    ):
        (tmp_path / f"{name}.jpeg").write_bytes(b"")
    (tmp_path / "trainLabels.csv").write_text("image,level\n10_left,0\n10_right,4\n13_left,2\n")
    (tmp_path / "retinopathy_solution.csv").write_text(
        "image,level,Usage\n1_left,1,Private\n1_right,3,Public\n"
    )
    return tmp_path


def test_eyepacs(eyes):
    listing = catalogue.read("eyepacs", eyes)
    found = [
        (item.id, item.patient, item.split, item.labels["grade"], item.labels["eye"])
        for item in listing.items
    ]
    assert found == [
        ("train/10_left.jpeg", "10", "train_val", 0, 0),
        ("train/10_right.jpeg", "10", "train_val", 4, 1),
        ("train/13_left.jpeg", "13", "train_val", 2, 0), ("test/1_left.jpeg", "1", "test", 1, 0),
        ("test/1_right.jpeg", "1", "test", 3, 1),
    ]  # fmt: skip
    assert listing.names == {
        "grade": ["No DR", "Mild", "Moderate", "Severe", "Proliferative DR"],
        "eye": ["left", "right"],
    }
    assert listing.notes == (
        "the public and the private images of Kaggle's test set are both in the split 'test'",
    )


def test_eyepacs_without_the_test_set_and_with_other_endings(eyes):
    (eyes / "retinopathy_solution.csv").unlink()
    for path in (eyes / "train").iterdir():
        path.rename(path.with_suffix(".png"))
    listing = catalogue.read("eyepacs", eyes)
    assert [item.image for item in listing.items] == [
        eyes / "train" / name for name in ("10_left.png", "10_right.png", "13_left.png")
    ]
    assert {item.split for item in listing.items} == {None}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("10_right,4", "10_right,5", r"line 3, column 'level': 5 is out of range \(0\.\.4\)"),
        ("10_right,4", "10_right,mild", "line 3, column 'level': 'mild' is no number"),
        ("10_right,4", "10,4", "line 3: image '10' must be a number with _left or _right"),
        ("10_right,4", "../10_right,4", "line 3: path .* leaves the raw folder"),
        ("10_right,4", ",4", "line 3: empty cell in column 'image'"),
        ("1", "9", "names 3 images and none is there"),
    ],
)
def test_eyepacs_refuses(eyes, old, new, message):
    (eyes / "trainLabels.csv").write_text((eyes / "trainLabels.csv").read_text().replace(old, new))
    with pytest.raises(DataError, match=message):
        catalogue.read("eyepacs", eyes)
