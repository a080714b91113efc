"""ChestX-ray14 and Kermany, made small and real."""

import csv
from collections import Counter

import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import MISSING
from transfer_jax.data.prepare import catalogue
from transfer_jax.data.prepare.catalogue import chestxray14

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View"
    " Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
ROWS = [
    "00000001_000.png,Cardiomegaly|Emphysema,0,1,058Y,M,PA,2682,2749,0.143,0.143",
    "00000001_001.png,No Finding,1,1,59,M,AP,2682,2749,0.143,0.143",
    "00000002_000.png,Hernia,0,2,411Y,F,PA,2682,2749,0.143,0.143",
    "00000003_000.png,Pleural_Thickening,0,3,013M,X,,2682,2749,0.143,0.143",
    "00000004_000.png,Mass,0,4,,F,PA,2682,2749,0.143,0.143",
]


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


@pytest.fixture
def nih(tmp_path):
    folder = tmp_path / "NIH Röntgen"
    touch(
        folder,
        *(
            f"images_00{i}/images/0000000{p}.png"
            for i, p in ((1, "1_000"), (1, "1_001"), (2, "2_000"), (2, "3_000"), (2, "4_000"))
        ),
    )
    (folder / "Data_Entry_2017_v2020.csv").write_text("\n".join([HEADER, *ROWS]) + "\n")
    (folder / "train_val_list.txt").write_text(
        "00000001_000.png\n00000001_001.png\n00000004_000.png\n"
    )
    (folder / "test_list.txt").write_text("00000002_000.png\n00000003_000.png")
    return folder


def test_chestxray14(nih):
    listing = catalogue.read("chestxray14", nih)
    assert listing.names == {"view": ["PA", "AP"], "sex": ["F", "M"]}
    assert listing.notes == (
        "2 cells count as missing in columns 'View Position', 'Patient Age' (blank: 2)",
        "column 'Patient Gender': 'X' (1) is none of F, M and counts as missing",
    )
    assert [item.id for item in listing.items] == [
        f"images_00{i}/images/0000000{p}.png"
        for i, p in ((1, "1_000"), (1, "1_001"), (2, "2_000"), (2, "3_000"), (2, "4_000"))
    ]
    assert [item.patient for item in listing.items] == ["1", "1", "2", "3", "4"]
    assert [item.split for item in listing.items] == [
        "train_val",
        "train_val",
        "test",
        "test",
        "train_val",
    ]
    none = dict.fromkeys(chestxray14.FINDINGS, 0)
    assert [item.labels for item in listing.items] == [
        none | {"Cardiomegaly": 1, "Emphysema": 1, "view": 0, "sex": 1, "age": 58},
        none | {"view": 1, "sex": 1, "age": 59},
        none | {"Hernia": 1, "view": 0, "sex": 0, "age": MISSING},
        none | {"Pleural_Thickening": 1, "view": MISSING, "sex": MISSING, "age": 1},
        none | {"Mass": 1, "view": 0, "sex": 0, "age": MISSING},
    ]
    assert all(item.image == nih / item.id for item in listing.items)


def test_chestxray14_in_part_without_lists_and_with_the_first_editions_comma(nih):
    (nih / "train_val_list.txt").unlink()
    (nih / "test_list.txt").unlink()
    (nih / "images_002/images/00000003_000.png").unlink()
    (nih / "Data_Entry_2017_v2020.csv").unlink()
    (nih / "Data_Entry_2017.csv").write_text(",\n".join([HEADER, *ROWS]) + ",\n")
    listing = catalogue.read("chestxray14", nih)
    assert [item.patient for item in listing.items] == ["1", "1", "2", "4"]
    assert {item.split for item in listing.items} == {None}
    assert listing.notes == (
        "1 of the table's 5 images are not in the folder",
        "1 cell counts as missing in column 'Patient Age' (blank: 1)",
    )


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "Data_Entry_2017_v2020.csv",
            "|Emphysema",
            "|Emphysemia",
            "line 2: unknown finding 'Emphysemia'",
        ),
        (
            "Data_Entry_2017_v2020.csv",
            "|Emphysema",
            "|No Finding",
            "line 2: .* is a finding and none at once",
        ),
        (
            "Data_Entry_2017_v2020.csv",
            ",0,2,",
            ",0,,",
            "line 4: empty cell in column 'Patient ID'",
        ),
        (
            "Data_Entry_2017_v2020.csv",
            "Patient ID",
            "Patient",
            "has no column 'Patient ID': did you mean",
        ),
        (
            "test_list.txt",
            "00000002_000.png",
            "",
            "line 4: image 00000002_000.png is in neither of",
        ),
        (
            "test_list.txt",
            "00000002_000.png",
            "00000001_000.png",
            "00000001_000.png is in both of",
        ),
        (
            "Data_Entry_2017_v2020.csv",
            "0000000",
            "1000000",
            "names none of the 5 images in the folder, such as 00000001_000.png",
        ),
    ],
)
def test_chestxray14_refuses(nih, file, old, new, message):
    (nih / file).write_text((nih / file).read_text().replace(old, new))
    with pytest.raises(DataError, match=message):
        catalogue.read("chestxray14", nih)


def test_chestxray14_needs_both_lists_and_images(nih):
    (nih / "test_list.txt").unlink()
    with pytest.raises(DataError, match=r"has train_val_list\.txt alone"):
        catalogue.read("chestxray14", nih)
    for image in nih.glob("images_*/images/*.png"):
        image.unlink()
    with pytest.raises(DataError, match=r"has no images/\*\.png"):
        catalogue.read("chestxray14", nih)


@pytest.mark.shared_data
def test_the_real_chestxray14_images(shared, tmp_path):
    with open(shared / "cxr_nih14" / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    (tmp_path / "images").mkdir()
    lists = {"train_val_list.txt": [], "test_list.txt": []}
    lines = [HEADER]
    for row in rows:
        name = row["image"].rpartition("/")[2].replace(".jpg", ".png")
        (tmp_path / "images" / name).symlink_to(shared / "cxr_nih14" / row["image"])
        lines.append(
            f"{name},{row['labels']},{row['followup']},{row['patient']},{row['age']},{row['sex']},"
            f"{row['view']},1024,1024,0.1,0.1"
        )
        lists["test_list.txt" if row["list_split"] == "test" else "train_val_list.txt"].append(name)
    (tmp_path / "Data_Entry_2017_v2020.csv").write_text("\n".join(lines) + "\n")
    for name, names in lists.items():
        (tmp_path / name).write_text("\n".join(names))
    listing = catalogue.read("chestxray14", tmp_path)
    assert len(listing.items) == 810
    assert len({item.patient for item in listing.items}) == 546
    assert listing.notes == ()
    for finding in chestxray14.FINDINGS:
        assert sum(item.labels[finding] for item in listing.items) == sum(
            int(row[finding]) for row in rows
        )
    assert Counter(item.split for item in listing.items) == {
        "train_val": len(lists["train_val_list.txt"]),
        "test": len(lists["test_list.txt"]),
    }
    assert Counter(item.labels["sex"] for item in listing.items) == Counter(
        "FM".index(row["sex"]) for row in rows
    )
    assert [item.labels["age"] for item in listing.items] == [int(row["age"]) for row in rows]


@pytest.fixture
def kermany(tmp_path):
    folder = tmp_path / "chest_xray"
    touch(
        folder,
        "train/NORMAL/IM-0005-0001.jpeg", "train/NORMAL/NORMAL2-IM-0005-0001-0002.jpeg",
        "train/PNEUMONIA/person12_virus_3.jpeg",
        "train/PNEUMONIA/person12_bacteria_4.jpeg", "val/NORMAL/IM-0006-0001.jpeg",
        "val/PNEUMONIA/person13_bacteria_1.jpeg",
        "test/NORMAL/NORMAL-77-0001.jpeg", "test/PNEUMONIA/person12_virus_9.jpeg",
        "test/PNEUMONIA/BACTERIA-77-0002.jpeg",
        "train/NORMAL/.DS_Store",
    )  # fmt: skip
    return folder


KERMANY = [
    ("train/NORMAL/IM-0005-0001.jpeg", "IM-0005", 0, 0),
    ("train/NORMAL/NORMAL2-IM-0005-0001-0002.jpeg", "NORMAL2-IM-0005", 0, 0),
    ("train/PNEUMONIA/person12_bacteria_4.jpeg", "person12", 1, 1),
    ("train/PNEUMONIA/person12_virus_3.jpeg", "person12", 1, 2),
    ("val/NORMAL/IM-0006-0001.jpeg", "IM-0006", 0, 0),
    ("val/PNEUMONIA/person13_bacteria_1.jpeg", "person13", 1, 1),
    ("test/NORMAL/NORMAL-77-0001.jpeg", "77", 0, 0),
    ("test/PNEUMONIA/BACTERIA-77-0002.jpeg", "77", 1, 1),
    ("test/PNEUMONIA/person12_virus_9.jpeg", "person12", 1, 2),
]


@pytest.mark.parametrize("above", [True, False])
def test_kermany(kermany, above):
    listing = catalogue.read("kermany", kermany.parent if above else kermany)
    assert [
        (i.id, i.patient, i.labels["pneumonia"], i.labels["subtype"]) for i in listing.items
    ] == KERMANY
    assert {item.split for item in listing.items} == {None}
    assert listing.names == {"subtype": ["normal", "bacteria", "virus"]}
    assert listing.notes == (
        (
            "the publisher's split is not used: its val has 16 images, and the same person numbers"
            " are in its train and test"
        ),
        "left out: hidden or system files: 1 (train/NORMAL/.DS_Store)",
    )
    assert all(item.image == kermany / item.id for item in listing.items)


def test_kermany_with_the_publishers_folders_keeps_patients_in_one_split(kermany):
    listing = catalogue.read("kermany", kermany, official="yes")
    assert [item.split for item in listing.items] == ["train"] * 4 + ["val"] * 2 + ["test"] * 3
    assert {item.patient for item in listing.items if "person12" in item.id} == {
        "train person12",
        "test person12",
    }
    assert "patients are told apart within a folder only" in listing.notes[0]


def test_kermany_refuses(kermany):
    with pytest.raises(DataError, match="option official='true' is unknown: known: no, yes"):
        catalogue.read("kermany", kermany, official="true")
    (kermany / "val/PNEUMONIA/person13_bacteria_1.jpeg").rename(
        kermany / "val/PNEUMONIA/IM-0001-0001.jpeg"
    )
    with pytest.raises(
        DataError, match=r"IM-0001-0001\.jpeg is none of the publisher's for PNEUMONIA"
    ):
        catalogue.read("kermany", kermany)
    (kermany / "val/PNEUMONIA/IM-0001-0001.jpeg").unlink()
    with pytest.raises(DataError, match="val/PNEUMONIA has no images"):
        catalogue.read("kermany", kermany)


@pytest.mark.shared_data
def test_the_real_kermany_images(shared, tmp_path):
    with open(shared / "cxr_kermany" / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for split in ("train", "val", "test"):
        for kind in ("NORMAL", "PNEUMONIA"):
            (tmp_path / "chest_xray" / split / kind).mkdir(parents=True)
    for i, row in enumerate(rows):
        home = tmp_path / "chest_xray" / ("train", "val", "test")[i % 3] / row["label"]
        (home / row["image"].rpartition("/")[2]).symlink_to(shared / "cxr_kermany" / row["image"])
    listing = catalogue.read("kermany", tmp_path)
    assert len(listing.items) == len({item.id for item in listing.items}) == 4726
    assert len({item.patient for item in listing.items}) == 2495
    known = {row["image"].rpartition("/")[2]: row for row in rows}
    for item in listing.items:
        row = known[item.image.name]
        assert item.patient == row["patient"]
        assert item.labels == {
            "pneumonia": int(row["pneumonia"]),
            "subtype": ["", "bacteria", "virus"].index(row["subtype"]),
        }
