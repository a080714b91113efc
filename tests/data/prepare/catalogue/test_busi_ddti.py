"""Ultrasound: BUSI and DDTI."""

import pytest
from raw_trees import touch

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import MISSING
from transfer_jax.data.prepare import catalogue


@pytest.mark.parametrize("above", [True, False])
def test_busi(tmp_path, above):
    root = tmp_path / "Dataset_BUSI_with_GT"
    touch(
        root,
        *(
            f"{kind}/{kind} (1){end}.png"
            for kind in ("benign", "malignant", "normal")
            for end in ("", "_mask")
        ),
        "benign/benign (1)_mask_1.png",
    )
    listing = catalogue.read("busi", tmp_path if above else root)
    assert [(item.id, item.patient, item.labels, item.split) for item in listing.items] == [
        (
            f"{kind}/{kind} (1).png",
            f"{kind}/{kind} (1).png",
            {"class": value, "malignant": malignant},
            None,
        )
        for kind, value, malignant in (("benign", 0, 0), ("malignant", 1, 1), ("normal", 2, 0))
    ]
    assert listing.names == {"class": ["benign", "malignant", "normal"]}
    assert listing.notes == (
        (
            "the publisher does not tell patients apart: images of one patient may be in several"
            " splits"
        ),
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
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f"<case><number>{number}</number><age>49</age>{score}<mark><image>1</image></mark></case>"
        )
        (tmp_path / f"{number}.xml").write_text(
            text, encoding="utf-8-sig" if number == "2" else "utf-8"
        )
    touch(tmp_path, "1_1.jpg", "1_2.jpg", "2_1.jpg", "10_1.jpg", "11_1.JPG", "99_1.jpg")
    return tmp_path


def test_ddti(ddti):
    listing = catalogue.read("ddti", ddti)
    found = [
        (item.id, item.patient, item.labels["malignant"], item.labels["tirads"], item.split)
        for item in listing.items
    ]
    assert found == [
        ("10_1.jpg", "10", MISSING, MISSING, None), ("11_1.JPG", "11", MISSING, MISSING, None),
        ("1_1.jpg", "1", 1, 3, None),
        ("1_2.jpg", "1", 1, 3, None), ("2_1.jpg", "2", 0, 2, None),
    ]  # fmt: skip
    assert listing.names == {"tirads": ["1", "2", "3", "4a", "4b", "4c", "5"]}
    assert listing.notes == (
        (
            "2 images without a TI-RADS score have no label: missing=benign counts them as"
            " Juodelyte et al. did"
        ),
        "1 XML files have no image",
        "left out: images without an N.xml for N_1.jpg: 1 (99_1.jpg)",
    )


def test_ddti_with_missing_scores_as_benign(ddti):
    listing = catalogue.read("ddti", ddti, missing="benign")
    assert [item.labels["malignant"] for item in listing.items] == [0, 0, 1, 1, 0]
    assert listing.items[0].labels["tirads"] == MISSING
    assert (
        listing.notes[0]
        == "2 images without a TI-RADS score count as benign, as in Juodelyte et al."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"<case><tirads>4</tirads></case>", r"1\.xml: TI-RADS '4' is none of 1, 2, 3, 4a"),
        (b"<case><tirads>4a</case>", r"1\.xml is not readable XML"),
        (b"", r"1\.xml is not readable XML"),
        (
            b'<!DOCTYPE case [<!ENTITY a "b">]><case/>',
            r"1\.xml declares a document type or entities",
        ),
        (
            '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE case><case/>'.encode("utf-16"),
            r"1\.xml is not readable XML",
        ),
    ],
)
def test_ddti_refuses(ddti, text, message):
    (ddti / "1.xml").write_bytes(text)
    with pytest.raises(DataError, match=message):
        catalogue.read("ddti", ddti)


def test_ddti_reads_latin_1(ddti):
    (ddti / "1.xml").write_bytes(
        '<?xml version="1.0"'
        ' encoding="ISO-8859-1"?><case><report>sólido</report><tirads>2</tirads></case>'.encode(
            "latin-1"
        )
    )
    assert catalogue.read("ddti", ddti).items[2].labels == {"malignant": 0, "tirads": 1}
