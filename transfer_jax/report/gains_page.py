"""Figure 6 of Juodelyte et al. 2023 over several studies: gain in AUC against similarity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from transfer_jax.analysis import measures
from transfer_jax.compare import auc_gains
from transfer_jax.compare.auc_gains import Gain
from transfer_jax.core.errors import ConfigError
from transfer_jax.report import wording
from transfer_jax.report.figures import scatter
from transfer_jax.runs import fingerprint, layout
from transfer_jax.runs.run import Run
from transfer_jax.stats import regression

_TABLES = (layout.EVALUATIONS, layout.SIMILARITY)


def read(folder: Path) -> list[Gain]:
    """Returns the members of a finished study that compared its networks, labelled by its folder.

    Raises:
      ConfigError: It is not such a study, or its tables are not as it left them.
    """
    missing = [name for name in _TABLES if not (folder / name).is_file()]
    if missing:
        raise ConfigError(
            f"{folder} has no {' and no '.join(missing)}: give the folder of a finished study that "
            "ran with similarity.at_end=True"
        )
    fingerprint.check_results(folder, _TABLES)
    points = auc_gains.of_run(Run(folder))
    if not points:
        raise ConfigError(
            f"{folder} has one arm only, or networks that were not compared: gains are over its "
            "first arm"
        )
    return [point._replace(label=f"{folder.name}: {point.label}") for point in points]


def picture(points: Sequence[Gain]) -> bytes:
    """Returns the figure as PNG.

    Raises:
      ConfigError: There are too few points, or networks of different stages or by different
        measures.
    """
    first, *others = points
    for point in others:
        if point.measure != first.measure:
            raise ConfigError(
                f"{point.label} was compared by {point.measure}, {first.label} by {first.measure} "
                "(config.similarity.measure): give studies of one measure"
            )
        if point.split != first.split:
            judged = (f"{each.label} is judged on {each.split} images" for each in (point, first))
            raise ConfigError(f"{', '.join(judged)}: give studies that are judged alike")
        if list(point.similarity) != list(first.similarity):
            raise ConfigError(
                f"{point.label} has the stages {', '.join(point.similarity)}, {first.label} "
                f"{', '.join(first.similarity)}: compare one network"
            )
    if len(points) < regression.LEAST:
        raise ConfigError(
            f"there are {len(points)} members to draw: a line needs {regression.LEAST} or more"
        )
    return scatter.gains(points, wording.SPLITS[first.split])


def table(points: Sequence[Gain]) -> str:
    """Returns a line per stage: slope (% AUC per 0.1 of similarity), R², p, number of points."""
    measure = measures.named(points[0].measure).title
    split = wording.SPLITS[points[0].split]
    lines = [f"stage  slope (% {split} AUC per 0.1 of {measure})  R²  p  members"]
    gain = np.array([point.gain for point in points])
    for stage in points[0].similarity:
        line = regression.line(np.array([point.similarity[stage] for point in points]), gain)
        lines.append(f"{stage}  {10 * line.slope:+.2f}  {line.r2:.3f}  {line.p:.2g}  {line.n}")
    return "\n".join(lines)
