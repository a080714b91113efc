"""Images that lie under another name than the table's."""

import unicodedata

import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare.catalogue import places


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def find(folder, *names, **options):
    found = places.find(
        folder, [(name, f"line {i}") for i, name in enumerate(names, start=2)], **options
    )
    return [path and path.relative_to(folder).as_posix() for path in found.paths], found.notes


NFC, NFD = (unicodedata.normalize(form, "i/rö.png") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    ("there", "name", "kind"),
    [
        (NFD, NFC, "Unicode form"), (NFC, NFD, "Unicode form"), ("i/A.PNG", "i/a.png", "case"),
        ("I/a.png", "i/a.png", "case"),
        ("i/a.JPEG", "i/a.jpeg", "case"), ("i/a.jpg", "i/a.png", "ending"),
        ("i/a.png", "i/a", "ending"), ("i/A.JPG", "i/a.png", "ending"),
        ("i/7.png", "i/7.0", "ending"), ("i/a b.png", "i/a\u00a0b.png", "spelling"),
        ("i/a-b.png", "i/a–b.png", "spelling"),
        ("deep/er/a.png", "a.png", "folder"), ("a.png", "i/a.png", "folder"),
        ("data/i/a.png", "i/a.png", "folder"),
        ("i/visit/a.png", "i/a.png", "folder"), ("other/a.png", "i/a.png", "folder"),
        ("i/a.png", "i\\a.png", None),
    ],
)  # fmt: skip
def test_an_only_file_with_a_near_name_is_found_and_told(tmp_path, there, name, kind):
    touch(tmp_path, there)
    paths, notes = find(tmp_path, name)
    assert paths == [there]
    assert [f"1 by {kind}" in note for note in notes] == ([True] if kind else [])


def test_one_note_counts_each_kind_with_an_example(tmp_path):
    touch(tmp_path, "a.PNG", "b.PNG", "c.jpg", "exact.png", "unused.png", "readme.txt")
    assert find(tmp_path, "a.png", "b.png", "c.png", "exact.png", "missing.png") == (
        ["a.PNG", "b.PNG", "c.jpg", "exact.png", None],
        [
            (
                "images whose files are named otherwise than in the table: 2 by case (a.PNG for"
                " a.png), 1 by ending (c.jpg for c.png)"
            ),
            "left out: images that the table does not name: 1 (unused.png)",
        ],
    )


@pytest.mark.parametrize(
    ("there", "names", "message"),
    [
        (
            ["a.jpg", "a.tif"],
            ["a.png"],
            "line 2: image a.png is not there, and a.jpg and a.tif are as near",
        ),
        (
            ["x/a.png", "y/a.png"],
            ["a.png"],
            "x/a.png and y/a.png are as near to that name: name one of them in full",
        ),
        (["A.png", "a.PNG"], ["a.png"], "A.png and a.PNG are as near"),
        (
            ["z/a.png"],
            ["x/a.png", "y/a.png"],
            "line 3: images x/a.png and y/a.png are not there, and z/a.png may be either",
        ),
        (["i/1/a.png", "i/2/a.png"], ["i/a.png"], "are as near"),
        (["a.png"], ["../a.png"], "line 2: path '../a.png' leaves the raw folder"),
    ],
)
def test_several_near_names_are_an_error_that_names_them(tmp_path, there, names, message):
    touch(tmp_path, *there)
    with pytest.raises(DataError, match=message):
        find(tmp_path, *names)


def test_the_nearest_of_several_is_taken(tmp_path):
    touch(tmp_path, "a.PNG", "a.jpg", "deep/a.png")
    assert find(tmp_path, "a.png", unused=False)[0] == ["a.PNG"]


@pytest.mark.parametrize(
    ("there", "names"),
    [
        (["x/a.png"], ["x/a.png", "y/a.png"]),  # y was not unpacked: x's image is not y's
        (["a.jpg"], ["a.jpg", "a.png"]),  # two images, of which one is missing
        (["i/b.png", "masks/a.png"], ["i/b.png", "i/a.png"]),  # a mask is not the image
        (
            ["t/p1/s1/v.png", "t/p3/s9/v.png"],
            ["t/p1/s1/v.png", "t/p2/s9/v.png"],
        ),  # nor is another patient's
    ],
)
def test_a_missing_image_is_not_replaced_by_another_one(tmp_path, there, names):
    touch(tmp_path, *there)
    assert find(tmp_path, *names, unused=False) == ([names[0], None], [])


def test_the_publishers_folders_are_searched_without_a_note(tmp_path):
    touch(tmp_path, "images_001/images/a.png", "images_002/images/b.jpg", "images_002/images/c.png")
    paths, notes = find(tmp_path, "a.png", "b.png", homes=("images_*/images",))
    assert paths == ["images_001/images/a.png", "images_002/images/b.jpg"]
    assert notes[0].endswith("table: 1 by ending (images_002/images/b.jpg for b.png)")
    touch(tmp_path, "images_002/images/a.png")
    with pytest.raises(
        DataError,
        match=(
            r"image a\.png is there twice, as images_001/images/a\.png and as"
            r" images_002/images/a\.png"
        ),
    ):
        find(tmp_path, "a.png", homes=("images_*/images",))


def test_links_to_folders_are_followed_once(tmp_path):
    touch(tmp_path, "raw/i/a.png", "elsewhere/b.png")
    (tmp_path / "raw/i/again").symlink_to(tmp_path / "raw")
    (tmp_path / "raw/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "raw/broken.png").symlink_to(tmp_path / "nowhere.png")
    assert find(tmp_path / "raw", "i/a.png", "b.png", unused=False)[0] == [
        "i/a.png",
        "linked/b.png",
    ]
