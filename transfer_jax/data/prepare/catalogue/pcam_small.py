"""PCam-small: a sample of Kaggle's histopathologic cancer detection, as Juodelyte et al. drew it.

Kaggle's images are PatchCamelyon without duplicates.
"""

from pathlib import Path

import numpy as np

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import Item, Listing
from transfer_jax.data.prepare.catalogue import places, raw_folders, row_texts, sheets
from transfer_jax.data.prepare.catalogue.cells import MISSING_WORDS, OPTION, Cells
from transfer_jax.data.prepare.catalogue.gathering import Gathering
from transfer_jax.data.prepare.catalogue.set_card import Card, number

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
        "count": "number of images to sample (default: 10000; PCam-middle: 100000)",
        "seed": "seed of the sample (default: 22; PCam-middle: 2)",
        "missing": OPTION,
    },
)


def read(
    folder: Path, *, count: str = "10000", seed: str = "22", missing: str = MISSING_WORDS
) -> Listing:
    """Lists `count` of the table's images, in the order in which they were drawn.

    They are the rows that pandas' `DataFrame.sample(n=count, random_state=seed)` draws, which
    Juodelyte et al. used: it draws them with NumPy's older generator, whose numbers never change.

    Raises:
      DataError: The table is missing or has fewer rows, an option is no number, or there are no
        images.
    """
    sample_size, random_seed = number("count", count, 1), number("seed", seed, 0)
    if random_seed >= MOST_SEED:
        raise DataError(f"option seed={seed!r} must be below {MOST_SEED}")
    cells, gathered = Cells(missing), Gathering()
    rows = sheets.read(folder / TABLE, ("id", "label"), cells=cells)
    if sample_size > len(rows):
        raise DataError(f"{folder / TABLE} has {len(rows)} rows: fewer than count={sample_size}")
    drawn = [
        rows[int(i)]
        for i in np.random.RandomState(random_seed).choice(
            len(rows), size=sample_size, replace=False
        )
    ]
    names = [f"train/{row.filled('id').removesuffix('.tif')}.tif" for row in drawn]
    files = places.find(
        folder, [(name, row.where) for name, row in zip(names, drawn, strict=True)], unused=False
    )
    columns = row_texts.named(rows)
    for row, name, path in zip(drawn, names, files.paths, strict=True):
        file = path or sheets.inside(folder, name, row.where)
        key = file.relative_to(folder).as_posix()
        labels, texts = {"tumour": row.number("label", (0, 1))}, row_texts.Texts(row, columns)
        gathered.add(Item(key, key, labels, file, columns=texts), row)
    raw_folders.check(gathered.items, f"table {folder / TABLE}", folder)
    notes: tuple[str, ...] = (
        f"{sample_size} of {len(rows)} images are sampled with seed {random_seed}",
        "slides are not known: patches of one slide may be in several splits",
    )
    notes += (*cells.notes(), *gathered.notes(), *files.notes)
    return Listing(gathered.items, notes=notes, contradictions=gathered.contradictions)
