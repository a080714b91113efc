"""Predictions of every judged image by a member's weights, as tables that pandas reads in a line.

One file per member, split and weights: `pandas.read_csv("predictions/random-0.test.best.csv.gz")`.
A row per image holds "id", "patient", "study", the columns that tools.prepare kept (age, sex, ...),
"target:LABEL" per label (a class index for a multiclass task; empty where it does not count) and
"log_odds:OUTPUT" per output (a label, or "label=class").
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from transfer_jax.core import files
from transfer_jax.core.errors import ConfigError
from transfer_jax.data.storage import rows
from transfer_jax.data.storage.rows import Rows
from transfer_jax.data.task import Targets

KEYS = ("id", "patient", "study")
_TARGET, _LOG_ODDS = "target:", "log_odds:"
_PLAIN = {rows.headed(key, KEYS): key for key in KEYS}  # of kept columns that are named as a key
# The time in the header of a gzip file would make equal tables differ.
_GZIP = {"method": "gzip", "compresslevel": 1, "mtime": 0}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Images:
    """The n images that judge a member.

    Attributes:
      ids: Names of the images, [n].
      patients: Their patients, [n].
      studies: The studies (visits) that they belong to, [n].
      columns: Kept column, such as "sex" -> text of every image, [n]; "" where it is not known.
      labels: Names of the t targets.
      targets: Targets, [n, t]; a class index for a multiclass task.
      mask: Which targets count, [n, t].
    """

    ids: Shaped[np.ndarray, " n"]
    patients: Shaped[np.ndarray, " n"]
    studies: Shaped[np.ndarray, " n"]
    columns: Mapping[str, Shaped[np.ndarray, " n"]]
    labels: tuple[str, ...]
    targets: Float[np.ndarray, "n t"]
    mask: Bool[np.ndarray, "n t"]

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self.ids)

    @classmethod
    def of(
        cls,
        table: Rows,
        positions: Int[np.ndarray, " n"],
        labels: tuple[str, ...],
        targets: Targets,
    ) -> Images:
        """Returns some images of a data set.

        Args:
          table: Table of all images.
          positions: Positions of the n images in it.
          labels: Names of the targets.
          targets: Targets of all images.
        """
        return cls(
            ids=table.ids[positions],
            patients=table.patients[positions],
            studies=table.studies[positions],
            columns={name: texts[positions] for name, texts in table.columns.items()},
            labels=labels,
            targets=targets.values[positions],
            mask=targets.weights[positions] != 0,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predictions:
    """What a member predicts of n images.

    Attributes:
      images: The images.
      outputs: Names of the s scores: labels, or "label=class" of a multiclass task.
      log_odds: Log-odds, [n, s].
    """

    images: Images
    outputs: tuple[str, ...]
    log_odds: Float[np.ndarray, "n s"]


def write(path: Path, predictions: Predictions) -> None:
    """Writes a table; the same predictions give the same bytes."""
    import pandas

    images = predictions.images
    texts = dict(zip(KEYS, (images.ids, images.patients, images.studies), strict=True))
    texts |= {rows.headed(name, KEYS): column for name, column in images.columns.items()}
    table: dict[str, np.ndarray] = dict(texts)
    targets = np.where(images.mask, images.targets, np.nan)
    table |= {f"{_TARGET}{label}": targets[:, i] for i, label in enumerate(images.labels)}
    # As float32 they are written with as many digits as a float32 needs.
    log_odds = predictions.log_odds.astype(np.float32)
    table |= {f"{_LOG_ODDS}{name}": log_odds[:, i] for i, name in enumerate(predictions.outputs)}
    buffer = io.BytesIO()
    pandas.DataFrame(table).to_csv(
        buffer,
        index=False,
        lineterminator="\n",
        compression=_GZIP,
        quoting=rows.quoting_of(text for column in texts.values() for text in column.tolist()),
    )
    files.write(path, buffer.getvalue())


def copy(source: Path, target: Path) -> None:
    """Copies a table, for weights that are the same."""
    files.write(target, source.read_bytes())


def read(path: Path) -> Predictions:
    """Reads a table.

    Raises:
      ConfigError: The file is missing or damaged, or is not such a table.
    """
    import pandas

    try:
        frame = pandas.read_csv(path, compression="gzip", dtype=str, na_filter=False)
        text = {str(name): frame[name].to_numpy(str) for name in frame}
        targets, log_odds = _numbers(text, _TARGET), _numbers(text, _LOG_ODDS)
        if not targets or not log_odds:
            raise ValueError("it has no targets or no log-odds")
        values = np.stack([*targets.values()], 1)
        numbers = (_TARGET, _LOG_ODDS)
        others = [name for name in text if name not in KEYS and not name.startswith(numbers)]
        ids, patients, studies = (text[key] for key in KEYS)
        mask = ~np.isnan(values)
        images = Images(
            ids=ids,
            patients=patients,
            studies=studies,
            columns={_PLAIN.get(name, name): text[name] for name in others},
            labels=tuple(targets),
            targets=np.where(mask, values, 0),
            mask=mask,
        )
        outputs = tuple(log_odds)
        return Predictions(
            images=images,
            outputs=outputs,
            log_odds=np.stack([*log_odds.values()], 1).astype(np.float32),
        )
    except (OSError, ValueError, KeyError, EOFError, pandas.errors.ParserError) as error:
        raise ConfigError(
            f"{path} cannot be read as a table of predictions ({error}): restore it from a copy, "
            "or call the study's command again"
        ) from error


def _numbers(text: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Returns name -> numbers of the columns with a prefix; empty cells are NaN."""
    return {
        name.removeprefix(prefix): np.where(column == "", "nan", column).astype(np.float64)
        for name, column in text.items()
        if name.startswith(prefix)
    }
