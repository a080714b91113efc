"""What members gain in AUC over the first arm, beside how similar they stayed to their beginning:
figure 6 of Juodelyte et al. 2023.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from transfer_jax.compare import representations
from transfer_jax.compare.representations import TRAINING, Likeness
from transfer_jax.runs import evaluations, layout
from transfer_jax.runs.run import Run


class Gain(NamedTuple):
    """A member's gain over the first arm.

    Attributes:
      label: Its arm, or its study.
      split: Images that judge it: "test", or "val" where the study has no test images.
      measure: Name of the measure of similarity.
      similarity: Stage -> similarity of the member before and after training.
      gain: Its AUC relative to that of the first arm in the same repeat, minus one.
    """

    label: str
    split: str
    measure: str
    similarity: dict[str, float]
    gain: float


def of_run(run: Run) -> list[Gain]:
    """Returns the gains of a finished study; none where it did not compare its networks.

    Raises:
      ConfigError: A table is damaged.
    """
    judged, compared = map(run.check_file, (layout.EVALUATIONS, layout.SIMILARITY))
    if judged is None or compared is None:
        return []
    likenesses = representations.from_csv(compared)
    return of_tables(evaluations.from_csv(judged), likenesses) if likenesses else []


def of_tables(rows: Sequence[Mapping[str, Any]], likenesses: Sequence[Likeness]) -> list[Gain]:
    """Returns the gains of the members of every arm but the first.

    The AUC is that of the weights that were compared. Members without an AUC, or whose partner in
    the first arm has none, are left out.

    Args:
      rows: Rows of evaluations.csv.
      likenesses: Rows of similarity.csv, at least one.
    """
    split = "test" if any(row["split"] == "test" for row in rows) else "val"
    chosen = {"split": split, "weights": likenesses[0].weights, "metric": "auc"}
    chosen |= {"group": "", "label": ""}
    auc = {
        (row["arm"], row["repeat"]): row["value"]
        for row in rows
        if all(row[column] == value for column, value in chosen.items())
    }
    moved: dict[tuple[str, int], dict[str, float]] = {}
    for pair, _, _, stage, similarity in likenesses:
        if pair.what == TRAINING:
            moved.setdefault((pair.arm_a, pair.repeat_a), {})[stage] = similarity.mean
    first = rows[0]["arm"]
    points = []
    for (arm, repeat), value in auc.items():
        level = auc.get((first, repeat))
        if arm == first or (arm, repeat) not in moved or not level:
            continue  # nothing is relative to an AUC of zero
        gain = value / level - 1
        if math.isfinite(gain):
            measure = likenesses[0].measure
            points.append(Gain(arm, split, measure, moved[arm, repeat], gain))
    return points
