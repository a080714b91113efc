"""Breast, thyroid and skin: BUSI, DDTI, CBIS-DDSM, ISIC 2018."""

import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data import catalogue
from transfer_jax.data.catalogue import isic2018
from transfer_jax.data.items import MISSING


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


@pytest.mark.parametrize("above", [True, False])
def test_busi(tmp_path, above):
    root = tmp_path / "Dataset_BUSI_with_GT"
    touch(
        root, *(f"{kind}/{kind} (1){end}.png" for kind in ("benign", "malignant", "normal") for end in ("", "_mask")), "benign/benign (1)_mask_1.png"
    )
    listing = catalogue.read("busi", tmp_path if above else root)
    assert [(item.id, item.patient, item.labels, item.split) for item in listing.items] == [
        (f"{kind}/{kind} (1).png", f"{kind}/{kind} (1).png", {"class": value, "malignant": malignant}, None)
        for kind, value, malignant in (("benign", 0, 0), ("malignant", 1, 1), ("normal", 2, 0))
    ]
    assert listing.names == {"class": ["benign", "malignant", "normal"]}
    assert listing.notes == (
        "the publisher does not tell patients apart: images of one patient may be in several splits",
        "left out: masks: 4 (benign/benign (1)_mask.png)",
    )
    (root / "normal" / "normal (1).png").unlink()
    with pytest.raises(DataError, match="normal has no images"):
        catalogue.read("busi", root)


@pytest.fixture
def ddti(tmp_path):
    for number, score in (
        ("1", "<tirads>4a</tirads>"),
        ("2", "<tirads> 3 </tirads>"),
        ("10", "<tirads></tirads>"),
        ("11", ""),
        ("12", "<tirads>5</tirads>"),
    ):
        text = f'<?xml version="1.0" encoding="UTF-8"?><case><number>{number}</number><age>49</age>{score}<mark><image>1</image></mark></case>'
        (tmp_path / f"{number}.xml").write_text(text, encoding="utf-8-sig" if number == "2" else "utf-8")
    touch(tmp_path, "1_1.jpg", "1_2.jpg", "2_1.jpg", "10_1.jpg", "11_1.JPG", "99_1.jpg")
    return tmp_path


def test_ddti(ddti):
    listing = catalogue.read("ddti", ddti)
    assert [(item.id, item.patient, item.labels["malignant"], item.labels["tirads"], item.split) for item in listing.items] == [
        ("10_1.jpg", "10", MISSING, MISSING, None), ("11_1.JPG", "11", MISSING, MISSING, None), ("1_1.jpg", "1", 1, 3, None),
        ("1_2.jpg", "1", 1, 3, None), ("2_1.jpg", "2", 0, 2, None),
    ]  # fmt: skip
    assert listing.names == {"tirads": ["1", "2", "3", "4a", "4b", "4c", "5"]}
    assert listing.notes == (
        "2 images without a TI-RADS score have no label: missing=benign counts them as Juodelyte et al. did",
        "1 XML files have no image",
        "left out: images without an N.xml for N_1.jpg: 1 (99_1.jpg)",
    )


def test_ddti_with_missing_scores_as_benign(ddti):
    listing = catalogue.read("ddti", ddti, missing="benign")
    assert [item.labels["malignant"] for item in listing.items] == [0, 0, 1, 1, 0]
    assert listing.items[0].labels["tirads"] == MISSING
    assert listing.notes[0] == "2 images without a TI-RADS score count as benign, as in Juodelyte et al."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"<case><tirads>4</tirads></case>", r"1\.xml: TI-RADS '4' is none of 1, 2, 3, 4a"),
        (b"<case><tirads>4a</case>", r"1\.xml is not readable XML"),
        (b"", r"1\.xml is not readable XML"),
        (b'<!DOCTYPE case [<!ENTITY a "b">]><case/>', r"1\.xml declares a document type or entities"),
        ('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE case><case/>'.encode("utf-16"), r"1\.xml is not readable XML"),
    ],
)
def test_ddti_refuses(ddti, text, message):
    (ddti / "1.xml").write_bytes(text)
    with pytest.raises(DataError, match=message):
        catalogue.read("ddti", ddti)


def test_ddti_reads_latin_1(ddti):
    (ddti / "1.xml").write_bytes(
        '<?xml version="1.0" encoding="ISO-8859-1"?><case><report>sólido</report><tirads>2</tirads></case>'.encode("latin-1")
    )
    assert catalogue.read("ddti", ddti).items[2].labels == {"malignant": 0, "tirads": 1}


HEADER = (
    "patient_id,breast_density,left or right breast,image view,abnormality id,abnormality type,mass shape,mass margins,assessment,"
    "pathology,subtlety,image file path,cropped image file path,ROI mask file path"
)


def case(kind, part, patient, number, pathology):
    name = f"{kind}-{part}_{patient}_LEFT_CC"
    crop = f'"{name}_{number}/1.3.6/1.3.{number}/000000.dcm\n"'  # as published, with a line end in the cell
    mask = f"{name}_{number}/1.3.6/1.3.7/000001.dcm"
    return f"{patient},3,LEFT,CC,{number},mass,OVAL,SPICULATED,4,{pathology},4,{name}/1.3.5/1.3.4/000000.dcm,{crop},{mask}"


def full(kind, part, patient):
    return f"{kind}-{part}_{patient}_LEFT_CC/1.3.5/1.3.4/000000.dcm"


@pytest.fixture
def ddsm(tmp_path):
    tables = {
        "mass_case_description_train_set.csv": [
            case("Mass", "Training", "P_00001", 1, "BENIGN"), case("Mass", "Training", "P_00001", 2, "MALIGNANT"),
            case("Mass", "Training", "P_00002", 1, "BENIGN_WITHOUT_CALLBACK"), case("Mass", "Training", "P_00004", 1, "MALIGNANT"),
        ],
        "mass_case_description_test_set.csv": [case("Mass", "Test", "P_00003", 1, "MALIGNANT")],
        "calc_case_description_test_set.csv": [case("Calc", "Test", "P_00002", 1, "BENIGN")],
    }  # fmt: skip
    for name, rows in tables.items():
        (tmp_path / name).write_text("\n".join([HEADER, *rows]) + "\n")
    mass = [full("Mass", "Training", patient) for patient in ("P_00001", "P_00002", "P_00004")]
    touch(tmp_path / "CBIS-DDSM", *mass, full("Mass", "Test", "P_00003"), full("Calc", "Test", "P_00002"))
    return tmp_path


def test_cbis_ddsm(ddsm):
    listing = catalogue.read("cbis_ddsm", ddsm)
    assert [(item.id, item.patient, item.labels, item.split) for item in listing.items] == [
        (full("Mass", "Training", "P_00001"), "P_00001", {"malignant": 1}, "train_val"),
        (full("Mass", "Training", "P_00002"), "P_00002", {"malignant": 0}, "test"),
        (full("Mass", "Training", "P_00004"), "P_00004", {"malignant": 1}, "train_val"),
        (full("Mass", "Test", "P_00003"), "P_00003", {"malignant": 1}, "test"),
        (full("Calc", "Test", "P_00002"), "P_00002", {"malignant": 0}, "test"),
    ]
    assert all(item.image == ddsm / "CBIS-DDSM" / item.id for item in listing.items)
    assert listing.notes == (
        "1 training images of 1 patients who are also in the test set (masses and calcifications overlap) go to the test",
        "6 abnormalities are on 5 images: an image is malignant if one of its abnormalities is",
    )


def test_cbis_ddsm_cropped_converted_and_renamed(ddsm):
    touch(
        ddsm,
        "Mass-Training_P_00001_LEFT_CC_1/1.3.6/1.3.1/000000.png",  # converted
        "Mass-Training_P_00001_LEFT_CC_2/10-04-2016-DDSM/1-cropped images-1/1-1.dcm",  # as newer downloads have it
        "Mass-Training_P_00001_LEFT_CC_2/10-04-2016-DDSM/1-ROI mask images-2/1-2.dcm",
        "Mass-Training_P_00002_LEFT_CC_1/x/y/1-1.dcm",
    )
    listing = catalogue.read("cbis_ddsm", ddsm, images="cropped")
    assert [item.id for item in listing.items[:4]] == [
        "Mass-Training_P_00001_LEFT_CC_1/1.3.6/1.3.1/000000.png",
        "Mass-Training_P_00001_LEFT_CC_2/10-04-2016-DDSM/1-cropped images-1/1-1.dcm",
        "Mass-Training_P_00002_LEFT_CC_1/x/y/1-1.dcm",
        "Mass-Training_P_00004_LEFT_CC_1/1.3.6/1.3.1/000000.dcm",  # missing: the writer counts it
    ]
    assert [item.labels["malignant"] for item in listing.items] == [0, 1, 0, 1, 1, 0]
    assert [item.image.is_file() for item in listing.items] == [True] * 3 + [False] * 3


def test_cbis_ddsm_without_test_tables_deals_all(ddsm):
    for table in ("mass", "calc"):
        (ddsm / f"{table}_case_description_test_set.csv").unlink()
    listing = catalogue.read("cbis_ddsm", ddsm)
    assert {item.split for item in listing.items} == {None}
    assert listing.notes[0] == "there is no table of the test set: patients are dealt to all splits"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("MALIGNANT", "MALIGN", "line 4, column 'pathology': 'MALIGN' is none of MALIGNANT, BENIGN"),
        ("P_00001,3,LEFT,CC,2", "P_00009,3,LEFT,CC,2", r"line 4 and line 2: image .* belongs to P_00009 and to P_00001"),
        ("P_00001,3,LEFT,CC,2", ",3,LEFT,CC,2", "line 4: empty cell in column 'patient_id'"),
        ("Mass-Training", "../Mass-Training", "line 2: path .* leaves the raw folder"),
        (",pathology,", ",path,", "has no column 'pathology'"),
    ],
)
def test_cbis_ddsm_refuses(ddsm, old, new, message):
    table = ddsm / "mass_case_description_train_set.csv"
    table.write_text(table.read_text().replace(old, new))
    with pytest.raises(DataError, match=message):
        catalogue.read("cbis_ddsm", ddsm)


def test_cbis_ddsm_needs_a_table_and_an_image(ddsm):
    (ddsm / "CBIS-DDSM").rename(ddsm / "elsewhere")
    with pytest.raises(DataError, match="names 5 images and none is there"):
        catalogue.read("cbis_ddsm", ddsm)
    with pytest.raises(DataError, match=r"has no mass_case_description_train_set\.csv"):
        catalogue.read("cbis_ddsm", ddsm / "elsewhere")


def part(folder, name, images):
    table = folder / f"ISIC2018_Task3_{name}_GroundTruth" / f"ISIC2018_Task3_{name}_GroundTruth.csv"
    table.parent.mkdir(parents=True)
    lines = [f"{image},{','.join('1.0' if i == value else '0.0' for i in range(7))}" for image, value in images]
    table.write_text("\n".join([f"image,{','.join(isic2018.DIAGNOSES)}", *lines]) + "\n")
    touch(folder, *(f"ISIC2018_Task3_{name}_Input/{image}.jpg" for image, _ in images))
    return table


@pytest.fixture
def isic(tmp_path):
    part(tmp_path, "Training", [("ISIC_1", 1), ("ISIC_2", 0), ("ISIC_3", 6)])
    return tmp_path


GROUPINGS = "ISIC2018_Task3_Training_LesionGroupings.csv"


@pytest.mark.parametrize("place", ["", "ISIC2018_Task3_Training_GroundTruth"])
def test_isic2018_with_lesions(isic, place):
    (isic / place / GROUPINGS).write_text("image,lesion_id,diagnosis_confirm_type\nISIC_1,HAM_7,x\nISIC_2,HAM_7,x\nISIC_3,HAM_8,x\n")
    listing = catalogue.read("isic2018", isic)
    assert [(item.id, item.patient, item.labels, item.split) for item in listing.items] == [
        ("ISIC2018_Task3_Training_Input/ISIC_1.jpg", "HAM_7", {"diagnosis": 1}, None),
        ("ISIC2018_Task3_Training_Input/ISIC_2.jpg", "HAM_7", {"diagnosis": 0}, None),
        ("ISIC2018_Task3_Training_Input/ISIC_3.jpg", "HAM_8", {"diagnosis": 6}, None),
    ]
    assert listing.names == {"diagnosis": ["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"]}
    assert listing.notes == ()
    (isic / place / GROUPINGS).write_text("image,lesion_id\nISIC_1,HAM_7\nISIC_2,HAM_7\n")
    with pytest.raises(DataError, match=f"line 4: image ISIC_3 is not in {GROUPINGS}"):
        catalogue.read("isic2018", isic)


def test_isic2018_parts(isic):
    assert catalogue.read("isic2018", isic).notes == (f"there is no {GROUPINGS}: images of one lesion may be in several splits",)
    part(isic, "Test", [("ISIC_9", 5)])
    listing = catalogue.read("isic2018", isic)
    assert [item.split for item in listing.items] == ["train_val"] * 3 + ["test"]
    part(isic, "Validation", [("ISIC_8", 2)])
    listing = catalogue.read("isic2018", isic)
    assert [item.split for item in listing.items] == ["train"] * 3 + ["val", "test"]
    assert [item.patient for item in listing.items] == [item.id for item in listing.items]
    assert listing.items[3].labels == {"diagnosis": 2}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ISIC_2,1.0,0.0", "ISIC_2,1.0,1.0", "line 3: image ISIC_2 has 2 diagnoses"),
        ("ISIC_2,1.0,0.0", "ISIC_2,0.0,0.0", "line 3: image ISIC_2 has 0 diagnoses"),
        ("ISIC_2,1.0,0.0", "ISIC_2,0.5,0.5", r"line 3, column 'MEL': 0\.5 is out of range \(0, 1\)"),
        ("ISIC_2,1.0,0.0", "ISIC_2,nan,0.0", "line 3: image ISIC_2 has no value for MEL"),
        ("ISIC_", "ISIC_000", "names 3 images and none is there"),
    ],
)
def test_isic2018_refuses(isic, old, new, message):
    table = isic / "ISIC2018_Task3_Training_GroundTruth" / "ISIC2018_Task3_Training_GroundTruth.csv"
    table.write_text(table.read_text().replace(old, new))
    with pytest.raises(DataError, match=message):
        catalogue.read("isic2018", isic)
