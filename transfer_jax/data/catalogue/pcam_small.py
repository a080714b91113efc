"""The sample of Kaggle's histopathologic cancer detection (PatchCamelyon without duplicates) that Juodelyte et al. transfer to."""

from pathlib import Path

import numpy as np

from transfer_jax.core.errors import DataError
from transfer_jax.data.catalogue import files, places, sheets
from transfer_jax.data.catalogue.card import Card
from transfer_jax.data.catalogue.cells import MISSING_WORDS, OPTION, Cells
from transfer_jax.data.catalogue.gathering import Gathering
from transfer_jax.data.items import Item, Listing

TABLE = "train_labels.csv"
MOST_SEED = 2**32

CARD = Card(
    title="PCam-small: a sample of Kaggle's histopathologic cancer detection",
    layout="train_labels.csv\ntrain/*.tif",
    labels="tumour (0, 1)",
    patient="unknown: Kaggle does not tell the slides; every patch counts as a patient of its own",
    split="none; dealt by image",
    licence="CC0",
    citation="Veeling et al., Rotation equivariant CNNs for digital pathology, MICCAI 2018",
    address="https://www.kaggle.com/c/histopathologic-cancer-detection",
    options={
        "count": "images to sample (default: 10000; PCam-middle: 100000)",
        "seed": "of the sample (default: 22; PCam-middle: 2)",
        "missing": OPTION,
    },
)


def read(folder: Path, *, count: str = "10000", seed: str = "22", missing: str = MISSING_WORDS) -> Listing:
    """`count` of the table's images, in the order in which they were drawn.

    They are the rows that pandas' `DataFrame.sample(n=count, random_state=seed)` draws, which Juodelyte et al. used: it draws them with
    numpy's older generator, whose numbers never change.

    Raises:
      DataError: the table is missing or has fewer rows, an option is no number, or no image is there.
    """
    wanted, start = files.number("count", count, 1), files.number("seed", seed, 0)
    if start >= MOST_SEED:
        raise DataError(f"option seed={seed!r} must be below {MOST_SEED}")
    cells, gathered = Cells(missing), Gathering()
    rows = sheets.read(folder / TABLE, ("id", "label"), cells=cells)
    if wanted > len(rows):
        raise DataError(f"{folder / TABLE} has {len(rows)} rows: fewer than count={wanted}")
    drawn = [rows[int(i)] for i in np.random.RandomState(start).choice(len(rows), size=wanted, replace=False)]
    names = [f"train/{row.filled('id').removesuffix('.tif')}.tif" for row in drawn]
    found = places.find(folder, [(name, row.where) for name, row in zip(names, drawn, strict=True)], unused=False)
    for row, name, there in zip(drawn, names, found.paths, strict=True):
        file = there or sheets.inside(folder, name, row.where)
        key = file.relative_to(folder).as_posix()
        gathered.add(Item(key, key, {"tumour": row.number("label", (0, 1))}, file), row)
    files.check(gathered.items, f"table {folder / TABLE}", folder)
    notes = (f"{wanted} of {len(rows)} images are sampled with seed {start}", "slides are not known: patches of one slide may be in several splits")
    return Listing(gathered.items, notes=(*notes, *cells.notes(), *gathered.notes(), *found.notes))
