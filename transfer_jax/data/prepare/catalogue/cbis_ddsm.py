"""CBIS-DDSM: digitised film mammograms with proven masses and calcifications."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import MISSING, TRAIN_VAL, Item, Listing
from transfer_jax.data.prepare.catalogue import raw_folders, row_texts, sheets
from transfer_jax.data.prepare.catalogue.cells import MISSING_WORDS, OPTION, Cells
from transfer_jax.data.prepare.catalogue.set_card import Card, choice

TABLES = {
    f"{kind}_case_description_{split}_set.csv": split
    for kind in ("mass", "calc")
    for split in ("train", "test")
}
PATHOLOGIES = ("MALIGNANT", "BENIGN", "BENIGN_WITHOUT_CALLBACK")
COLUMNS = {"full": "image file path", "cropped": "cropped image file path"}
# Names under which columns can be kept; either kind of table spells the density in its own way.
ALIASES = {
    "view": "image view", "side": "left or right breast", "type": "abnormality type",
}  # fmt: skip
_DENSITY = ("breast_density", "breast density")
_SEVERAL = "|"  # between what the abnormalities of one image have in a column
ENDINGS = (".dcm", ".png", ".jpg", ".jpeg")

CARD = Card(
    title="CBIS-DDSM",
    layout=(
        "mass_case_description_train_set.csv, mass_case_description_test_set.csv,"
        " calc_case_description_train_set.csv, ...\n"
        "the .dcm files at the tables' paths, here or in CBIS-DDSM/, or .png or .jpg files made"
        " from them in the same places"
    ),
    labels="malignant (0, 1; benign without callback is benign)",
    patient="column patient_id",
    split="the publisher's train and test; train is dealt by patient",
    licence="CC BY 3.0",
    citation=(
        "Lee et al., A curated mammography data set for use in computer-aided detection and"
        " diagnosis research, Scientific Data 2017"
    ),
    address="https://www.cancerimagingarchive.net/collection/cbis-ddsm/",
    channels=1,
    options={
        "images": "full mammograms, or cropped around each abnormality (default: full)",
        "missing": OPTION,
    },
)


def read(folder: Path, *, images: str = "full", missing: str = MISSING_WORDS) -> Listing:
    """Lists the images that the tables name.

    Raises:
      DataError: There is no table, a pathology is unknown, or there are no images.
    """
    column = COLUMNS[choice("images", images, tuple(COLUMNS))]
    levels = [
        level for level in (raw_folders.existing(folder), folder / "CBIS-DDSM") if level.is_dir()
    ]
    tables = {
        level / name: split
        for level in levels
        for name, split in TABLES.items()
        if (level / name).is_file()
    }
    if not tables:
        raise DataError(
            f"{folder} has no {next(iter(TABLES))}: put the publisher's four tables there"
        )
    cells = Cells(missing)
    by_path: dict[str, tuple[Item, sheets.Row]] = {}
    rows = 0
    for table, split in tables.items():
        sheet = sheets.read(table, ("patient_id", "pathology", column), cells=cells)
        density = next((column for column in _DENSITY if column in sheet[0]), _DENSITY[0])
        names = row_texts.named(sheet, {**ALIASES, "density": density})
        rows += len(sheet)
        for row in sheet:
            named = row.filled(column)
            key, file = _place(levels, named, images, row.where)
            pathology = row.word("pathology", PATHOLOGIES)
            malignant = (
                MISSING
                if pathology == MISSING
                else int(pathology == PATHOLOGIES.index("MALIGNANT"))
            )
            texts, who = row_texts.Texts(row, names), row.name("patient_id")
            item = Item(key, who, {"malignant": malignant}, file, split, columns=texts)
            before, line = by_path.setdefault(named, (item, row))
            if before is not item:
                by_path[named] = _merge(before, item, line, row), line
    items, notes = _independent(item for item, _ in by_path.values())
    if len(items) < rows:
        notes.append(
            f"{rows} abnormalities are on {len(items)} images: an image is malignant if one of its"
            " abnormalities is"
        )
    raw_folders.check(items, f"{folder} (tables {', '.join(path.name for path in tables)})")
    return Listing(items, notes=(*notes, *cells.notes()))


def _place(levels: Iterable[Path], named: str, images: str, where: str) -> tuple[str, Path]:
    """Returns the id and the file of an image.

    The file lies at the table's path, or elsewhere in the case's folder, as in newer downloads.
    """
    for level in levels:
        path = sheets.inside(level, named, where)
        for candidate in (path.with_suffix(ending) for ending in ENDINGS):
            if candidate.is_file():
                return candidate.relative_to(level).as_posix(), candidate
        case = level / path.relative_to(level).parts[0]
        files = sorted(file for file in case.rglob("*") if file.suffix.lower() in ENDINGS)
        if len(files) > 1:
            files = [file for file in files if images in file.relative_to(level).as_posix()]
        if len(files) == 1:
            return files[0].relative_to(level).as_posix(), files[0]
    return named, path


def _merge(first: Item, second: Item, before: sheets.Row, row: sheets.Row) -> Item:
    """Returns an image with the labels of two rows together.

    It is malignant if one of its abnormalities is; its label is missing if that depends on a
    missing one. Its columns list what either row has in them.
    """
    if first.patient != second.patient:
        where = f"line {before.line}" if before.path == row.path else before.where
        raise DataError(
            f"{row.where} and {where}: image {first.id} belongs to {second.patient} and to"
            f" {first.patient}: take the publisher's tables"
        )
    values = {first.labels["malignant"], second.labels["malignant"]}
    columns = {name: text.split(_SEVERAL) for name, text in first.columns.items()}
    for name, text in second.columns.items():
        columns[name] = list(dict.fromkeys([*columns.get(name, []), text]))
    return dataclasses.replace(
        first,
        labels={"malignant": 1 if 1 in values else min(values)},
        columns={name: _SEVERAL.join(filter(None, texts)) for name, texts in columns.items()},
    )


def _independent(items: Iterable[Item]) -> tuple[list[Item], list[str]]:
    """Returns the items with splits that share no patient, and notes.

    The publisher split masses and calcifications separately.
    """
    items = list(items)
    tested = {item.patient for item in items if item.split == "test"}
    if not tested:
        return [dataclasses.replace(item, split=None) for item in items], [
            "there is no table of the test set: patients are dealt to all splits"
        ]
    moved = [item for item in items if item.split == "train" and item.patient in tested]
    listed = [
        dataclasses.replace(item, split="test" if item.patient in tested else TRAIN_VAL)
        for item in items
    ]
    if not moved:
        return listed, []
    who = len({item.patient for item in moved})
    return listed, [
        f"{len(moved)} training images of {who} patients who are also in the test set (masses and"
        " calcifications overlap) go to the test"
    ]
