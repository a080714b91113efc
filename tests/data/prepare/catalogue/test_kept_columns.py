"""What every reader offers to keep of its raw tables, and the studies that it tells apart."""

import h5py
import numpy as np
import openpyxl
import pytest
from raw_trees import touch

from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.data.prepare import catalogue, keeping
from transfer_jax.data.prepare.catalogue import chexpert, isic2018


def kept(listing, *names):
    """The values of kept columns, one tuple per image."""
    items = keeping.select(listing, names).items
    assert all(list(item.columns) == list(names) for item in items)
    return [tuple(item.columns.values()) for item in items]


def test_chexpert_by_short_and_own_names_and_by_study(tmp_path):
    header = ",".join(["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *chexpert.FINDINGS])
    findings = "," * len(chexpert.FINDINGS)
    paths = [
        "train/patient00001/study2/view1_frontal.jpg",
        "train/patient00001/study2/view2_lateral.jpg",
        "train/patient00002/study1/view1_frontal.jpg",
    ]
    told = [" Female , 068,Frontal,AP", "Female,68,Lateral,", "Unknown,NA,Frontal,PA"]
    lines = [f"{path},{each}{findings}" for path, each in zip(paths, told, strict=True)]
    (tmp_path / "train.csv").write_text("\n".join([header, *lines]))
    valid = "valid/patient00003/study1/view1_frontal.jpg"
    (tmp_path / "valid.csv").write_text(f"{header}\n{valid},Male,5,Frontal,AP{findings}\n")
    (tmp_path / "test.csv").write_text(
        f"Path,{','.join(chexpert.FINDINGS)}\ntest/patient9/view1_frontal.jpg{findings}\n"
    )
    touch(tmp_path, *paths, valid, "test/patient9/view1_frontal.jpg")
    book = openpyxl.Workbook()
    for row in (
        ("PATIENT", "PRIMARY_RACE"),
        ("patient00001", "White, non-Hispanic "),
        ("patient00002", "Martian"),
        ("patient00003", None),
    ):
        book.active.append(row)
    book.save(tmp_path / "CHEXPERT DEMO.xlsx")
    listing = catalogue.read("chexpert", tmp_path, views="all")
    assert kept(listing, "sex", "Age", "view", "projection", "race", "study") == [
        ("Female", "068", "Frontal", "AP", "White, non-Hispanic", "patient00001/study2"),
        ("Female", "68", "Lateral", "", "White, non-Hispanic", "patient00001/study2"),
        ("Unknown", "", "Frontal", "PA", "Martian", "patient00002/study1"),
        ("Male", "5", "Frontal", "AP", "", "patient00003/study1"),
        ("", "", "", "", "", ""),  # the table of the test set tells nothing but findings
    ]
    assert [item.study for item in listing.items] == [
        "patient00001/study2",
        "patient00001/study2",
        "patient00002/study1",
        "patient00003/study1",
        None,
    ]
    for table in ("train.csv", "valid.csv"):
        (tmp_path / table).unlink()
    alone = catalogue.read("chexpert", tmp_path)
    assert [(item.id, item.split) for item in alone.items] == [
        ("test/patient9/view1_frontal.jpg", "test")
    ]
    (tmp_path / "valid.csv").write_text(f"{header}\n{valid},Male,5,Frontal,AP{findings}\n")
    with pytest.raises(DataError, match=r"has no train\.csv"):
        catalogue.read("chexpert", tmp_path)


def test_chestxray14(tmp_path):
    touch(tmp_path, "images/1_000.png", "images/2_000.png")
    (tmp_path / "Data_Entry_2017_v2020.csv").write_text(
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View"
        " Position,OriginalImage[Width,Height],\n"
        "1_000.png,Hernia,0,1,058Y,F,PA,2682,2749,\n2_000.png,Mass,3,2,-,m,,1,2,\n"
    )
    listing = catalogue.read("chestxray14", tmp_path)
    assert kept(listing, "age", "sex", "view", "follow_up", "Height]") == [
        ("058Y", "F", "PA", "0", "2749"),
        ("", "m", "", "3", "2"),
    ]
    assert {item.study for item in listing.items} == {None}
    with pytest.raises(ConfigError, match=r"no column 'gender'; it has age, sex, view, follow_up"):
        kept(listing, "gender")
    with pytest.raises(ConfigError, match=r"no column 'agee' \(did you mean 'age'\?\)"):
        kept(listing, "agee")


def test_eyepacs_and_its_test_set_alone(tmp_path):
    touch(tmp_path, "train/1_left.jpeg", "test/2_Right.jpeg")
    (tmp_path / "trainLabels.csv").write_text("image,level\n1_left,0\n")
    (tmp_path / "retinopathy_solution.csv").write_text("image,level,Usage\n2_Right,4,Private\n")
    listing = catalogue.read("eyepacs", tmp_path)
    assert kept(listing, "eye", "Usage") == [("left", ""), ("Right", "Private")]
    (tmp_path / "trainLabels.csv").unlink()
    alone = catalogue.read("eyepacs", tmp_path)
    assert [(item.id, item.split) for item in alone.items] == [("test/2_Right.jpeg", "test")]
    (tmp_path / "retinopathy_solution.csv").unlink()
    with pytest.raises(DataError, match=r"trainLabels\.csv is missing"):
        catalogue.read("eyepacs", tmp_path)


@pytest.mark.parametrize("name", isic2018.METADATA)
def test_isic2018_with_the_tables_of_lesions_and_of_ham10000(tmp_path, name):
    truth = tmp_path / "ISIC2018_Task3_Training_GroundTruth"
    truth.mkdir()
    (truth / "ISIC2018_Task3_Training_GroundTruth.csv").write_text(
        f"image,{','.join(isic2018.DIAGNOSES)}\nISIC_1,1,0,0,0,0,0,0\nISIC_2,0,1,0,0,0,0,0\n"
    )
    touch(tmp_path, *(f"ISIC2018_Task3_Training_Input/ISIC_{i}.jpg" for i in (1, 2)))
    (truth / "ISIC2018_Task3_Training_LesionGroupings.csv").write_text(
        "image,lesion_id,diagnosis_confirm_type\nISIC_1,HAM_1,histo\nISIC_2,HAM_1,\n"
    )
    separator = "\t" if name.endswith(".tab") else ","
    table = (
        "lesion_id,image_id,dx,age,sex,localization\nHAM_1,ISIC_1,mel,80.0,male,back\n"
        "HAM_9,ISIC_9,nv,,,\n"
    )
    (tmp_path / name).write_text(table.replace(",", separator))
    listing = catalogue.read("isic2018", tmp_path)
    assert kept(listing, "age", "sex", "localization", "lesion_id", "diagnosis_confirm_type") == [
        ("80.0", "male", "back", "HAM_1", "histo"),
        ("", "", "", "HAM_1", ""),
    ]
    (tmp_path / name).write_text(
        (table + "HAM_1,ISIC_1,mel,81,male,back\n").replace(",", separator)
    )
    with pytest.raises(DataError, match=r"line 4 and line 2: image ISIC_1 has the ages 81 and 80"):
        catalogue.read("isic2018", tmp_path)


def test_isic2018_test_part_alone(tmp_path):
    truth = tmp_path / "ISIC2018_Task3_Test_GroundTruth"
    truth.mkdir()
    (truth / "ISIC2018_Task3_Test_GroundTruth.csv").write_text(
        f"image,{','.join(isic2018.DIAGNOSES)}\nISIC_1,1,0,0,0,0,0,0\n"
    )
    touch(tmp_path, "ISIC2018_Task3_Test_Input/ISIC_1.jpg")
    listing = catalogue.read("isic2018", tmp_path)
    assert [item.split for item in listing.items] == ["test"]
    assert listing.notes == (
        "there is no ISIC2018_Task3_Training_GroundTruth: nothing is there to train on",
    )


def test_cbis_ddsm_lists_what_several_abnormalities_have(tmp_path):
    touch(tmp_path, "M_1/x/1.dcm", "C_1/x/1.dcm")
    (tmp_path / "mass_case_description_train_set.csv").write_text(
        "patient_id,breast_density,left or right breast,image view,abnormality id,abnormality type,"
        "mass shape,pathology,image file path,cropped image file path\n"
        "P_1,3,LEFT,CC,1,mass,OVAL,BENIGN,M_1/x/1.dcm,x\n"
        "P_1,3,LEFT,CC,2,mass,ROUND,MALIGNANT,M_1/x/1.dcm,x\n"
        "P_1,3,LEFT,CC,3,mass,,MALIGNANT,M_1/x/1.dcm,x\n"
    )
    (tmp_path / "calc_case_description_train_set.csv").write_text(
        "patient_id,breast density,left or right breast,image view,abnormality id,abnormality type,"
        "calc type,pathology,image file path,cropped image file path\n"
        "P_2,4,RIGHT,MLO,1,calcification,PUNCTATE,BENIGN,C_1/x/1.dcm,x\n"
    )
    listing = catalogue.read("cbis_ddsm", tmp_path)
    assert kept(listing, "view", "side", "type", "density", "mass shape", "calc type") == [
        ("CC", "LEFT", "mass", "3", "OVAL|ROUND", ""),
        ("MLO", "RIGHT", "calcification", "4", "", "PUNCTATE"),
    ]


def test_ddti(tmp_path):
    (tmp_path / "1.xml").write_text(
        "<case><age> 49 </age><sex>F</sex><tirads>4a</tirads><margins/></case>"
    )
    touch(tmp_path, "1_1.jpg")
    listing = catalogue.read("ddti", tmp_path)
    assert kept(listing, "age", "sex", "tirads", "margins") == [("49", "F", "4a", "")]


def test_patchcamelyon(tmp_path):
    name = "camelyonpatch_level_2_split_test"
    with h5py.File(tmp_path / f"{name}_x.h5", "w") as file:
        file.create_dataset("x", data=np.zeros((2, 96, 96, 3), np.uint8))
    with h5py.File(tmp_path / f"{name}_y.h5", "w") as file:
        file.create_dataset("y", data=np.zeros((2, 1, 1, 1), np.uint8))
    (tmp_path / f"{name}_meta.csv").write_text(",coord_x,wsi\n0,7,slide_a\n1,8,slide_b\n")
    listing = catalogue.read("patchcamelyon", tmp_path)
    assert kept(listing, "coord_x", "slide") == [("7", "slide_a"), ("8", "slide_b")]
    assert {item.split for item in listing.items} == {"test"}


def test_pcam_small(tmp_path):
    touch(tmp_path, "train/a.tif")
    (tmp_path / "train_labels.csv").write_text("id,label,site\na,1,B\n")
    assert kept(catalogue.read("pcam_small", tmp_path, count="1"), "site") == [("B",)]


def test_folders_keep_the_named_groups_of_the_pattern(tmp_path):
    touch(tmp_path, "ill/p1_s1_left.png", "ill/p1_s2_right.png", "well/p2_s1_left.png")
    pattern = r"^(?P<patient>p\d)_(?P<study>s\d)_(?P<side>\w+)"
    listing = catalogue.read("folders", tmp_path, patient=pattern)
    assert kept(listing, "side") == [("left",), ("right",), ("left",)]
    assert [item.study for item in listing.items] == ["p1/s1", "p1/s2", "p2/s1"]
    plain = catalogue.read("folders", tmp_path, patient=r"^(?P<who>p\d)_")
    assert [(item.patient, item.study) for item in plain.items] == [
        ("p1", None), ("p1", None), ("p2", None),
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="says nothing of its images beside their labels"):
        kept(plain, "side")


@pytest.fixture
def table(tmp_path):
    touch(tmp_path, *(f"{i}.png" for i in range(4)))

    def write(*lines, columns="sex"):
        header = f"image,patient,split,visit,grade,{columns}"
        (tmp_path / "labels.csv").write_text("\n".join([header, *lines]) + "\n")
        return tmp_path

    return write


def test_tables_keep_any_column_and_take_studies_from_one(table):
    folder = table(
        "0.png,p,train,1,0, F ", "1.png,p,train,1,1,n/a", "2.png,q,val,1,0,Ünbekannt",
        "3.png,q,val,2,0",
    )  # fmt: skip
    listing = catalogue.read("table", folder, labels="grade", study="visit")
    assert kept(listing, "sex", "grade") == [
        ("F", "0"), ("", "1"), ("Ünbekannt", "0"), ("", "0"),
    ]  # fmt: skip
    assert [item.study for item in listing.items] == ["p/1", "p/1", "q/1", "q/2"]
    note = keeping.select(listing, ["sex"]).notes[-1]
    assert note == "images of 4 without a value in kept columns: sex: 2"
    with pytest.raises(DataError, match="has no column 'vist': did you mean 'visit'"):
        catalogue.read("table", folder, labels="grade", study="vist")
    assert {item.study for item in catalogue.read("table", folder, labels="grade").items} == {None}


def test_rows_that_differ_in_a_kept_column_or_in_the_study_are_errors(table):
    folder = table("0.png,p,train,1,0,F,a", "0.png,p,train,2,0,M,a", columns="sex,site")
    listing = catalogue.read("table", folder, labels="grade")
    assert kept(listing, "site") == [("a",)]
    with pytest.raises(
        DataError,
        match=r"--keep=sex: .*line 3 and line 2: both are about image 0\.png, and its 'sex' is 'M'"
        r" in the one and 'F' in the other: keep the row that is right",
    ):
        kept(listing, "sex")
    with pytest.raises(DataError, match=r"its study is 'p/2' in the one and 'p/1' in the other"):
        catalogue.read("table", folder, labels="grade", study="visit")
