"""CheXpert and its table of races."""

import openpyxl
import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import MISSING, UNCERTAIN
from transfer_jax.data.prepare import catalogue
from transfer_jax.data.prepare.catalogue import chexpert, races

TABLE = "CheXpert-v1.0-small"
HEADER = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{','.join(chexpert.FINDINGS)}"
TRAIN = [
    ("train/patient00001/study1/view1_frontal.jpg", "Female,68,Frontal,AP,1.0,,,,,,,,,0.0,,,,1.0"),
    (
        "train/patient00002/study1/view1_frontal.jpg",
        "Male,87,Frontal,PA,,,-1.0,1.0,,-1.0,-1.0,,-1.0,,-1.0,,1.0,",
    ),
    (
        "train/patient00002/study1/view2_lateral.jpg",
        "Male,87,Lateral,,,,-1.0,1.0,,-1.0,-1.0,,-1.0,,-1.0,,1.0,",
    ),
    (
        "train/patient00003/study2/view1_frontal.jpg",
        "Unknown,0,Frontal,LL,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0",
    ),
]
VALID = [
    (
        "valid/patient64541/study1/view1_frontal.jpg",
        "Male,73,Frontal,AP," + ",".join(["0.0", "1.0", *["0.0"] * 12]),
    )
]


def write(root, table, rows, prefix=f"{TABLE}/", header=HEADER):
    root.mkdir(parents=True, exist_ok=True)
    (root / table).write_text(
        "\n".join([header, *(f"{prefix}{path},{rest}" for path, rest in rows)]) + "\n"
    )
    for path, _ in rows:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "Röntgen Daten" / TABLE
    write(folder, "train.csv", TRAIN)
    write(folder, "valid.csv", VALID)
    return folder


def demographics(
    path, rows, header=("PATIENT", "GENDER", "AGE_AT_CXR", "PRIMARY_RACE", "ETHNICITY")
):
    book = openpyxl.Workbook()
    book.active.append(header)
    for patient, text in rows:
        book.active.append([patient, "Male", 50, text, None])
    book.save(path)


@pytest.mark.parametrize("above", [True, False])
def test_chexpert(root, above):
    listing = catalogue.read("chexpert", root.parent if above else root)
    assert [item.id for item in listing.items] == [
        TRAIN[0][0],
        TRAIN[1][0],
        TRAIN[3][0],
        VALID[0][0],
    ]
    assert [item.patient for item in listing.items] == [
        "patient00001",
        "patient00002",
        "patient00003",
        "patient64541",
    ]
    assert [item.split for item in listing.items] == ["train", "train", "train", "val"]
    assert listing.names == {
        "sex": ["Female", "Male"],
        "view": ["frontal", "lateral"],
        "projection": ["AP", "PA", "LL", "RL"],
    }
    none = dict.fromkeys(chexpert.FINDINGS, 0)
    perhaps = dict.fromkeys(
        ("Cardiomegaly", "Edema", "Consolidation", "Atelectasis", "Pleural Effusion"), UNCERTAIN
    )
    assert [item.labels for item in listing.items] == [
        none
        | {
            "No Finding": 1,
            "Support Devices": 1,
            "sex": 0,
            "age": 68,
            "view": 0,
            "projection": 0,
        },
        none
        | perhaps
        | {
            "Lung Opacity": 1,
            "Fracture": 1,
            "sex": 1,
            "age": 87,
            "view": 0,
            "projection": 1,
        },
        none | {"No Finding": 1, "sex": MISSING, "age": 0, "view": 0, "projection": 2},
        none | {"Enlarged Cardiomediastinum": 1, "sex": 1, "age": 73, "view": 0, "projection": 0},
    ]
    assert listing.notes == (
        "1 lateral images are left out: views=all keeps them",
        (
            "18 blank cells are findings that the report does not mention: they count as negative,"
            " as for the labeler's authors"
        ),
        "column 'Sex': 'Unknown' (1) is none of Female, Male and counts as missing",
    )
    assert all(item.image == root / item.id for item in listing.items)


def test_chexpert_with_all_views_and_missing_blanks(root):
    listing = catalogue.read("chexpert", root, views="all", blank="missing")
    lateral = listing.items[2]
    assert (lateral.id, lateral.labels["view"], lateral.labels["projection"]) == (
        TRAIN[2][0],
        1,
        MISSING,
    )
    assert lateral.labels["No Finding"] == MISSING
    assert lateral.labels["Edema"] == UNCERTAIN
    assert listing.notes[0].startswith(
        "25 cells count as missing in columns 'Enlarged Cardiomediastinum', 'Cardiomegaly'"
    )


def test_chexpert_with_the_test_set_whose_table_has_findings_alone(root):
    header = ",".join(["Path", *chexpert.FINDINGS])
    path = "test/patient64741/study1/view1_frontal.jpg"
    write(root, "test.csv", [(path, ",".join(["0.0"] * 13 + ["1.0"]))], prefix="", header=header)
    item = catalogue.read("chexpert", root).items[-1]
    assert (item.id, item.patient, item.split) == (path, "patient64741", "test")
    assert item.labels == dict.fromkeys(chexpert.FINDINGS, 0) | {
        "Support Devices": 1,
        "sex": MISSING,
        "age": MISSING,
        "view": 0,
        "projection": MISSING,
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("AP,1.0", "AP,2.0", "line 2, column 'No Finding': 2.0 is out of range"),
        ("AP,1.0", "AP,often", "line 2, column 'No Finding': often is out of range"),
        ("Female,68", "Female,680", "line 2, column 'Age': 680 is out of range"),
        (
            "68,Frontal",
            "68,Top",
            "line 2, column 'Frontal/Lateral': 'Top' is none of Frontal, Lateral",
        ),
        ("Frontal,AP", "Frontal,XX", "line 2, column 'AP/PA': 'XX' is none of AP, PA, LL, RL"),
        ("train/patient00001", "train/00001", "line 2: path .* is not like"),
        ("study1/view1", "../view1", "line 2: path .* leaves the raw folder"),
        (",Edema", ",Oedema", "has no column 'Edema': did you mean 'Oedema'"),
        ("patient0", "patient9", "names 4 images and none is there"),
    ],
)
def test_chexpert_refuses(root, old, new, message):
    text = (root / "train.csv").read_text()
    assert old in text
    (root / "train.csv").write_text(text.replace(old, new))
    if "none is there" in message:
        (root / VALID[0][0]).unlink()
    with pytest.raises(DataError, match=message):
        catalogue.read("chexpert", root)


def test_chexpert_refuses_options_and_a_folder_without_tables(root):
    with pytest.raises(DataError, match="option views='frontl' is unknown: did you mean 'frontal'"):
        catalogue.read("chexpert", root, views="frontl")
    (root / "valid.csv").unlink()
    with pytest.raises(DataError, match=r"valid\.csv is missing"):
        catalogue.read("chexpert", root)
    (root / "train.csv").unlink()
    with pytest.raises(DataError, match=r"has no train\.csv"):
        catalogue.read("chexpert", root.parent)


RACES = [
    ("patient00001", "White, Hispanic"),
    ("patient00002", "Black or African American"),
    ("patient00003", "Martian"),
    ("patient9", "Patient Refused"),
]


@pytest.mark.parametrize("place", ["beside", "inside", "relative", "absolute"])
def test_chexpert_races(root, tmp_path, place):
    path = {"beside": root.parent, "inside": root, "relative": root.parent, "absolute": tmp_path}[
        place
    ] / ("CHEXPERT DEMO.xlsx" if place in ("beside", "inside") else "races ü.xlsx")
    demographics(path, RACES)
    option = {"relative": "races ü.xlsx", "absolute": str(path)}.get(place, "")
    listing = catalogue.read("chexpert", root.parent, demographics=option)
    assert listing.names["race"] == ["Asian", "Black", "Native American", "White"]
    assert [item.labels["race"] for item in listing.items] == [3, 1, MISSING, MISSING]
    assert listing.notes[0] == "race is missing for texts that are not known: 'Martian' (1)"


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (
            [*RACES, ("patient00001", "Asian")],
            None,
            "rows 6 and 2: patient00001 is Asian and White: keep one row",
        ),
        ([(None, "Asian")], None, "row 2: empty cell in column 'PATIENT'"),
        ([], None, "has a header and no rows"),
        (
            RACES,
            ("PATIENTS", "GENDER", "AGE", "PRIMARY_RACE"),
            "has no column 'PATIENT': did you mean 'PATIENTS'",
        ),
    ],
)
def test_chexpert_refuses_races(root, rows, header, message):
    demographics(root / "CHEXPERT DEMO.xlsx", rows, *([header] if header else []))
    with pytest.raises(DataError, match=message):
        catalogue.read("chexpert", root)


def test_chexpert_takes_the_race_that_is_known_of_two_rows(root):
    demographics(
        root / "CHEXPERT DEMO.xlsx",
        [
            ("patient00001", "Unknown"),
            ("patient00001", "Asian"),
            ("patient00001", None),
            ("patient00001", "asian, hispanic"),
        ],
    )
    assert catalogue.read("chexpert", root).items[0].labels["race"] == 0


def test_chexpert_without_openpyxl_or_with_damaged_demographics(root, monkeypatch):
    (root / "CHEXPERT DEMO.xlsx").write_bytes(b"no workbook")
    with pytest.raises(DataError, match="is not a readable Excel table"):
        catalogue.read("chexpert", root)
    with pytest.raises(DataError, match=r"demographics .*none\.xlsx is missing"):
        catalogue.read("chexpert", root, demographics="none.xlsx")
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(DataError, match=r"python -m pip install -e '\.\[xlsx\]'"):
        catalogue.read("chexpert", root)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Asian - Historical Conv", 0), ("Asian, non-Hispanic", 0), ("Black, non-Hispanic", 1),
        ("American Indian or Alaska Native", 2),
        ("Native American, Hispanic", 2), (" white,  non-hispanic", 3),
        ("Native Hawaiian or Other Pacific Islander", MISSING),
        ("Other, Hispanic", MISSING), ("Race and Ethnicity Unknown", MISSING), ("", MISSING),
        ("Human", None),
    ],
)  # fmt: skip
def test_races_are_merged_as_by_wen_and_yap(text, value):
    assert races.group(text) == value
