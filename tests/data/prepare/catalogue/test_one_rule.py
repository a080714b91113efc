"""Every reader of tables reads cells by the same rule, in every form of table, and each
image once.
"""

import re

import numpy as np
import openpyxl
import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import MISSING, UNCERTAIN
from transfer_jax.data.prepare import catalogue
from transfer_jax.data.prepare.catalogue import chexpert, isic2018


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def chexpert_set(folder, label):
    findings = ["0"] * (len(chexpert.FINDINGS) - 1)
    header = ",".join(["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *chexpert.FINDINGS])
    for table, split in (("train.csv", "train"), ("valid.csv", "valid")):
        path = f"{split}/patient00001/study1/view1_frontal.jpg"
        touch(folder, path)
        (folder / table).write_text(
            f"{header}\n{path},Male,50,Frontal,AP,"
            f"{','.join([label if split == 'train' else '0', *findings])}\n"
        )
    return folder / "train.csv", "No Finding"


def chestxray14_set(folder, label):
    touch(folder, "images/1_000.png")
    table = folder / "Data_Entry_2017_v2020.csv"
    table.write_text(
        "Image Index,Finding Labels,Patient ID,Patient Age,Patient Gender,View"
        f" Position\n1_000.png,Hernia,1,50,F,{label}\n"
    )
    return table, "view"


def eyepacs_set(folder, label):
    touch(folder, "train/1_left.jpeg")
    (folder / "trainLabels.csv").write_text(f"image,level\n1_left,{label}\n")
    return folder / "trainLabels.csv", "grade"


def isic2018_set(folder, label):
    home = folder / "ISIC2018_Task3_Training_GroundTruth"
    home.mkdir()
    touch(folder, "ISIC2018_Task3_Training_Input/ISIC_1.jpg")
    table = home / "ISIC2018_Task3_Training_GroundTruth.csv"
    others = ["0" if "1" in label else label] * (len(isic2018.DIAGNOSES) - 2)
    table.write_text(
        f"image,{','.join(isic2018.DIAGNOSES)}\nISIC_1,{','.join([others[0], label, *others])}\n"
    )
    return table, "diagnosis"


def mrnet_set(folder, label):
    for part, case in (("train", "0000"), ("valid", "1130")):
        (folder / part / "sagittal").mkdir(parents=True)
        np.save(folder / part / "sagittal" / f"{case}.npy", np.zeros((1, 2, 2), np.uint8))
        for name in ("abnormal", "acl", "meniscus"):
            (folder / f"{part}-{name}.csv").write_text(
                f"{case},{label if part == 'train' else 0}\n"
            )
    return folder / "train-acl.csv", "acl"


def pcam_small_set(folder, label):
    touch(folder, "train/a.tif")
    (folder / "train_labels.csv").write_text(f"id,label\na,{label}\n")
    return folder / "train_labels.csv", "tumour"


def cbis_ddsm_set(folder, label):
    touch(folder, "Mass_1/x/1.dcm")
    table = folder / "mass_case_description_train_set.csv"
    table.write_text(
        "patient_id,pathology,image file path,cropped image file"
        f" path\nP_1,{label},Mass_1/x/1.dcm,x\n"
    )
    return table, "malignant"


def table_set(folder, label):
    touch(folder, "a.png", "b.png")
    (folder / "labels.csv").write_text(
        f"image,patient,split,grade\na.png,1,train,{label}\nb.png,2,val,0\n"
    )
    return folder / "labels.csv", "grade"


MAKERS = {
    "chexpert": chexpert_set, "chestxray14": chestxray14_set, "eyepacs": eyepacs_set,
    "isic2018": isic2018_set, "mrnet": mrnet_set,
    "pcam_small": pcam_small_set, "cbis_ddsm": cbis_ddsm_set, "table": table_set,
}  # fmt: skip
OPTIONS = {
    "table": {"labels": "grade"},
    "pcam_small": {"count": "1"},
    "chexpert": {"blank": "missing"},
}
VALID = {"chestxray14": "AP", "cbis_ddsm": "MALIGNANT"}


def read(name, folder, **options):
    return catalogue.read(name, folder, **OPTIONS.get(name, {}), **options)


def test_every_reader_of_tables_is_tested_here():
    assert set(MAKERS) == {
        name for name in catalogue.DATA_SETS if "missing" in catalogue.card(name).options
    } - {"ddti"}  # ddti reads XML


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("cell", ["", "NA", "n/a", "NaN", "None", "NULL", "-"])
def test_words_for_missing_are_missing_labels_everywhere(tmp_path, name, cell):
    _, label = MAKERS[name](tmp_path, cell)
    listing = read(name, tmp_path)
    assert listing.items[0].labels[label] == MISSING
    assert any(
        "missing in column" in note and (f"{cell!r}: " in note if cell else "blank: " in note)
        for note in listing.notes
    )


@pytest.mark.parametrize("name", MAKERS)
def test_other_words_for_missing_everywhere(tmp_path, name):
    _, label = MAKERS[name](tmp_path, "not known")
    assert read(name, tmp_path, missing="x,Not  Known").items[0].labels[label] == MISSING


@pytest.mark.parametrize("name", [name for name in MAKERS if name not in VALID])
@pytest.mark.parametrize("cell", ["1", "1.0", "+1", "1e0", "01", '"1,0"', "1\u00a0"])
def test_numbers_in_every_spelling_everywhere(tmp_path, name, cell):
    _, label = MAKERS[name](tmp_path, cell)
    assert read(name, tmp_path).items[0].labels[label] == 1


@pytest.mark.parametrize("name", VALID)
@pytest.mark.parametrize("spelled", [str.lower, str.title, lambda word: f" {word} \u00a0"])
def test_words_in_every_spelling_everywhere(tmp_path, name, spelled):
    _, label = MAKERS[name](tmp_path, spelled(VALID[name]))
    assert read(name, tmp_path).items[0].labels[label] == 1


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace(",", ";").encode(),
        lambda t: t.replace(",", "\t").encode("utf-16"),
        lambda t: t.replace("\n", "\r\n").encode("utf-8-sig"),
    ],
    ids=["semicolons", "unicode text", "windows"],
)
def test_tables_of_every_form_everywhere(tmp_path, name, change):
    table, label = MAKERS[name](tmp_path, VALID.get(name, "1"))
    table.write_bytes(change(table.read_text()))
    assert read(name, tmp_path).items[0].labels[label] == 1


@pytest.mark.parametrize(
    "name", [name for name in MAKERS if name != "cbis_ddsm"]
)  # there an image has a row per abnormality
def test_rows_that_repeat_and_rows_that_contradict_everywhere(tmp_path, name):
    table, _ = MAKERS[name](tmp_path, VALID.get(name, "1"))
    lines = table.read_text().splitlines()
    row = 0 if name == "mrnet" else 1  # below the header, where there is one
    table.write_text("\n".join([*lines, lines[row]]) + "\n")
    options = {"pcam_small": {"count": "2"}}.get(name, OPTIONS.get(name, {}))
    listing = catalogue.read(name, tmp_path, **options)
    assert [item.id for item in listing.items].count(listing.items[0].id) == 1
    other = {
        "chestxray14": (",AP", ",PA"),
        "isic2018": ("0,1,0", "1,0,0"),
        "chexpert": (",AP,1", ",AP,0"),
    }.get(name, (",1", ",0"))
    changed = other[1].join(lines[row].rsplit(other[0], 1))
    assert changed != lines[row]
    table.write_text("\n".join([*lines, changed]) + "\n")
    with pytest.raises(DataError, match=r"line \d and line \d: both are about") as caught:
        catalogue.read(name, tmp_path, **options)
    assert set(re.findall(r"line (\d)", str(caught.value))) == {str(row + 1), str(len(lines) + 1)}


@pytest.mark.parametrize("cell", ["-1", "-1.0", "−1.0", "–1", "-1.00", '"-1,0"', "-1e0"])
def test_uncertain_in_every_spelling(tmp_path, cell):
    chexpert_set(tmp_path, cell)
    assert catalogue.read("chexpert", tmp_path).items[0].labels["No Finding"] == UNCERTAIN


def test_blank_findings_of_chexpert_in_words(tmp_path):
    chexpert_set(tmp_path, "NA")
    listing = catalogue.read("chexpert", tmp_path)
    assert listing.items[0].labels["No Finding"] == 0
    assert listing.notes == (
        (
            "1 blank cells (1 written 'NA') are findings that the report does not mention: they"
            " count as negative, as for the labeler's authors"
        ),
    )
    with pytest.raises(DataError, match="NA is out of range"):
        catalogue.read("chexpert", tmp_path, missing="")


def test_races_of_patients_in_other_spellings(tmp_path):
    chexpert_set(tmp_path, "1")
    book = openpyxl.Workbook()
    for row in (
        (" PATIENT", "PRIMARY_RACE"),
        ("patient00001\u00a0", "asian,  NON-Hispanic"),
        (7.0, "N/A"),
        ("7", "White"),
        (7, "null"),
    ):
        book.active.append(row)
    book.save(tmp_path / "CHEXPERT DEMO.xlsx")
    listing = catalogue.read("chexpert", tmp_path)
    assert listing.items[0].labels["race"] == 0
    assert not any("not known" in note for note in listing.notes)
    book.active.append(("7.0", "Black"))
    book.save(tmp_path / "CHEXPERT DEMO.xlsx")
    with pytest.raises(DataError, match="rows 6 and 4: 7 is Black and White"):
        catalogue.read("chexpert", tmp_path)


def test_eyepacs_with_upper_case_endings_and_mixed_ones(tmp_path):
    touch(tmp_path, "train/1_left.JPEG", "train/1_right.JPEG", "train/2_left.png")
    (tmp_path / "trainLabels.csv").write_text("image,level\n1_left.jpeg,0\n1_Right,1\n2_left,2\n")
    listing = catalogue.read("eyepacs", tmp_path)
    assert [(item.id, item.patient, item.labels["eye"]) for item in listing.items] == [
        ("train/1_left.JPEG", "1", 0), ("train/1_right.JPEG", "1", 1), ("train/2_left.png", "2", 0),
    ]  # fmt: skip
    assert listing.notes[1].startswith(
        "images whose files are named otherwise than in the table: 2 by case (1_left.JPEG for"
        " 1_left.jpeg)"
    )


def test_chestxray14_of_copies_with_findings_in_other_letters(tmp_path):
    table, _ = chestxray14_set(tmp_path, "PA")
    table.write_text(table.read_text().replace("Hernia", "pleural thickening|HERNIA"))
    (tmp_path / "images/1_000.png").rename(tmp_path / "images/1_000.jpg")
    touch(tmp_path, "images/2_000.png")
    item = catalogue.read("chestxray14", tmp_path).items[0]
    assert (
        item.id,
        item.labels["Pleural_Thickening"],
        item.labels["Hernia"],
        item.labels["Mass"],
    ) == ("images/1_000.jpg", 1, 1, 0)
    table.write_text(table.read_text().replace("pleural thickening|HERNIA", "NA"))
    assert {
        catalogue.read("chestxray14", tmp_path).items[0].labels[name] for name in ("Hernia", "Mass")
    } == {MISSING}


def test_mammograms_with_an_abnormality_of_unknown_pathology(tmp_path):
    table, _ = cbis_ddsm_set(tmp_path, "BENIGN")
    first = table.read_text()
    for second, value in (("MALIGNANT", 1), ("NA", MISSING), ("benign", 0)):
        table.write_text(f"{first}P_1,{second},Mass_1/x/1.dcm,x\n")
        assert [
            item.labels["malignant"] for item in catalogue.read("cbis_ddsm", tmp_path).items
        ] == [value]
