"""DDTI: ultrasound images of the thyroid with TI-RADS scores, Bogota."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import MISSING, Item, Listing
from transfer_jax.data.prepare.catalogue import raw_folders
from transfer_jax.data.prepare.catalogue.set_card import Card, choice

SCORES = ("1", "2", "3", "4a", "4b", "4c", "5")
MALIGNANT = ("4a", "4b", "4c", "5")
COLUMNS = (
    "age", "sex", "composition", "echogenicity", "margins", "calcifications", "tirads",
)  # fmt: skip
WITHOUT = {"missing": MISSING, "benign": 0}
_SCORES = ".xml"
_ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp")
_IMAGE = re.compile(rf"(\d+)_\d+(?:{'|'.join(map(re.escape, _ENDINGS))})", re.IGNORECASE)

CARD = Card(
    title="Digital database of thyroid images (DDTI)",
    layout="N.xml, N_1.jpg, N_2.jpg, ...",
    labels="malignant (0, 1: TI-RADS 4a and above), tirads (1, 2, 3, 4a, 4b, 4c, 5)",
    patient="N of the file names",
    split="none; dealt by patient",
    licence="as the publisher says: cite the paper",
    citation="Pedraza et al., An open access thyroid ultrasound image database, SIPAIM 2015",
    address="http://cimalab.unal.edu.co/?lang=es&mod=project&id=31",
    channels=1,
    options={
        "missing": (
            "patients without a TI-RADS score: missing, or benign as in Juodelyte et al. (default:"
            " missing)"
        )
    },
)


def read(folder: Path, *, missing: str = "missing") -> Listing:
    """Lists the images of all patients with an XML file.

    Raises:
      DataError: There are no XML files, or one of them cannot be read or has an unknown score.
    """
    without = WITHOUT[choice("missing", missing, tuple(WITHOUT))]
    cases = {
        path.stem: _case(path)
        for path in sorted(raw_folders.existing(folder).glob("*.xml"))
        if not path.name.startswith(".")
    }
    left = raw_folders.LeftOut(folder)
    items = []
    for image in raw_folders.images(folder, (*_ENDINGS, _SCORES), left, below=True):
        if image.suffix.lower() == _SCORES:
            continue
        match = _IMAGE.fullmatch(image.name)
        if not match or match[1] not in cases:
            left.add("images without an N.xml for N_1.jpg", image)
            continue
        score, texts = cases[match[1]]
        malignant = without if score == MISSING else int(SCORES[score] in MALIGNANT)
        labels = {"malignant": malignant, "tirads": score}
        items.append(Item(image.name, match[1], labels, image, columns=texts))
    raw_folders.check(items, f"{folder} (files N.xml with images N_1.jpg)", folder)
    unscored = len([item for item in items if item.labels["tirads"] == MISSING])
    notes = []
    if unscored:
        counted = (
            "count as benign, as in Juodelyte et al."
            if without == 0
            else "have no label: missing=benign counts them as Juodelyte et al. did"
        )
        notes.append(f"{unscored} images without a TI-RADS score {counted}")
    idle = len(cases) - len({item.patient for item in items})
    if idle:
        notes.append(f"{idle} XML files have no image")
    return Listing(items, {"tirads": list(SCORES)}, (*notes, *left.notes()))


def _case(path: Path) -> tuple[int, dict[str, str]]:
    """Returns the place in `SCORES` of the file's score, and the texts that can be kept."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise DataError(
            f"{path} declares a document type or entities, which the publisher's files do not: it"
            " is refused"
        )
    try:
        tree = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(
            f"{path} is not readable XML ({error}): take the publisher's file"
        ) from error
    score = (tree.findtext("tirads") or "").strip().lower()
    if score and score not in SCORES:
        raise DataError(f"{path}: TI-RADS {score!r} is none of {', '.join(SCORES)}")
    texts = {name: (tree.findtext(name) or "").strip() for name in COLUMNS}
    return SCORES.index(score) if score else MISSING, texts
