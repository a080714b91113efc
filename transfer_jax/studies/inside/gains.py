"""Figure 6 of Juodelyte et al. 2023 over several studies: what transfer gained against how similar networks stayed to what they began from."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from transfer_jax.analysis import regression
from transfer_jax.core.errors import ConfigError
from transfer_jax.studies import workdir
from transfer_jax.studies.inside import figures, representations
from transfer_jax.studies.inside.representations import Gain

FILES = ("results.csv", "similarity.csv")


def read(folder: Path) -> list[Gain]:
    """The members of a finished study that has compared its networks, labelled by the study's folder.

    Raises:
      ConfigError: It is not such a study, or its tables are not as it left them.
    """
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise ConfigError(f"{folder} has no {' and no '.join(missing)}: give the folder of a finished study that ran with similarity.at_end=True")
    workdir.check_results(folder, FILES)
    rows, similarities = (list(csv.DictReader((folder / name).read_text().splitlines())) for name in FILES)
    found = representations.gains(rows, similarities)
    if not found:
        raise ConfigError(f"{folder} has one arm only, or networks that were not compared: gains are over its first arm")
    return [point._replace(label=f"{folder.name}: {point.label}") for point in found]


def picture(points: Sequence[Gain]) -> bytes:
    """The figure as PNG.

    Raises:
      ConfigError: too few points, or networks of other stages.
    """
    stages = points[0].similarity
    for point in points:
        if list(point.similarity) != list(stages):
            raise ConfigError(
                f"{point.label} has the stages {', '.join(point.similarity)}, {points[0].label} {', '.join(stages)}: compare one network"
            )
    if len(points) < regression.LEAST:
        raise ConfigError(f"there are {len(points)} members to draw: a line needs {regression.LEAST} or more")
    return figures.gains(points)


def table(points: Sequence[Gain]) -> str:
    """The line of each stage as text: its slope (% AUC for a change of 0.1), R², p, and the number of points."""
    lines = ["stage  slope (% AUC per 0.1)  R²  p  members"]
    for stage in points[0].similarity:
        line = regression.line(np.array([point.similarity[stage] for point in points]), np.array([point.gain for point in points]))
        lines.append(f"{stage}  {10 * line.slope:+.2f}  {line.r2:.3f}  {line.p:.2g}  {line.n}")
    return "\n".join(lines)
