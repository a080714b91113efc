"""Which columns a prepared folder keeps: names, DICOM headers, and what is refused."""

import sys

import dicom_maker
import numpy as np
import pytest
from small_sets import FORM, item

from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.data.items import Listing
from transfer_jax.data.prepare import keeping, writer
from transfer_jax.data.storage import records
from transfer_jax.data.storage.manifest import Manifest


@pytest.mark.parametrize("option", ["age,,sex", ",", "age,sex,age", "age, age"])
def test_names_must_be_different(option):
    with pytest.raises(ConfigError, match="must name different columns"):
        keeping.names(option)
    assert keeping.names("age, Follow-up  # ,sex") == ["age", "Follow-up #", "sex"]


def test_nothing_is_kept_unless_it_is_asked_for():
    listing = Listing([item(0, columns={"age": "7"})], notes=("a note",))
    selected = keeping.select(listing, ())
    assert selected.items[0].columns == {} and selected.notes == ("a note",)


def test_free_text_is_refused():
    listing = Listing([item(0, columns={"report": "x" * 257})])
    with pytest.raises(DataError, match="--keep=report: the text of image i0 has 257 characters"):
        keeping.select(listing, ["report"])


@pytest.fixture
def dicoms(tmp_path):
    pixels = np.zeros((8, 8), np.uint8)
    tags = [
        {"PatientSex": "F", "PatientAge": "058Y", "ViewPosition": "PA", "Manufacturer": "Ü & Co"},
        {"PatientSex": "", "Modality": "DX", "SpecificCharacterSet": "ISO_IR 100"},
    ]
    paths = [
        dicom_maker.write(
            tmp_path / f"{i}.dcm", pixels, **{"SpecificCharacterSet": "ISO_IR 192"} | each
        )
        for i, each in enumerate(tags)
    ]
    (tmp_path / "damaged.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 9)
    return [*paths, tmp_path / "damaged.dcm", tmp_path / "absent.dcm"]


def test_tags_of_dicom_headers(dicoms):
    items = [item(i, image=path, columns={"site": str(i)}) for i, path in enumerate(dicoms)]
    items.append(item(9))  # an array among files
    names = ["PatientSex", "PatientAge", "site", "Manufacturer"]
    selected = keeping.select(Listing(items), names)
    assert [tuple(each.columns.values()) for each in selected.items] == [
        ("F", "058Y", "0", "Ü & Co"),
        ("", "", "1", ""),
        ("", "", "2", ""),
        ("", "", "3", ""),
        ("", "", "", ""),
    ]
    assert selected.notes == (
        "images of 5 without a value in kept columns: PatientSex: 4, PatientAge: 4, site: 1,"
        " Manufacturer: 4",
    )


@pytest.mark.parametrize("name", ["PatientName", "PatientID", "PatientBirthDate", "RescaleSlope"])
def test_tags_that_name_a_person_or_no_image_are_not_offered(dicoms, name):
    with pytest.raises(ConfigError, match=rf"no column '{name}'.* it has PatientSex, PatientAge,"):
        keeping.select(Listing([item(0, image=dicoms[0])]), [name])


def test_tags_need_dicom_images_and_pydicom(dicoms, monkeypatch):
    with pytest.raises(ConfigError, match="says nothing of its images beside their labels"):
        keeping.select(Listing([item(0)]), ["PatientSex"])
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(DataError, match="is a DICOM image: install its reader with"):
        keeping.select(Listing([item(0, image=dicoms[0])]), ["PatientSex"])


def test_columns_and_studies_are_written_and_read_back(tmp_path):
    items = [
        item(0, study="p0/s1", columns={"sex": "F", "a": "one"}),
        item(1, columns={"sex": "", "a": "two"}),
        item(2, split="test", columns={"sex": "M"}),
    ]
    manifest = writer.write(tmp_path / "set", "set", items, FORM, source={})
    assert manifest.columns == ("sex", "a")
    assert Manifest.read(tmp_path / "set") == manifest
    opened, positions = records.open_splits(tmp_path / "set", manifest, ["train", "test"])
    assert opened.rows.columns["sex"].tolist() == ["F", "", "M"]
    assert opened.rows.columns["a"].tolist() == ["one", "two", ""]
    assert opened.rows.labels["a"].tolist() == [0, 1, 0]
    assert opened.rows.studies.tolist() == ["p0/s1", "i1", "i2"]
    assert positions["test"].tolist() == [2]
    table = (tmp_path / "set" / "train.csv").read_text().splitlines()
    assert table[:2] == ["id,patient,study,a,sex,a (text)", "i0,p0,p0/s1,0,F,one"]
