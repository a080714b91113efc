"""Two runs compared, repeat by repeat: layer by layer, before and after their training, and by what they predict."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jax.sharding import Mesh
from tqdm import tqdm

from transfer_jax.analysis.agreement import Agreement
from transfer_jax.analysis.layerwise import Sampling
from transfer_jax.core.errors import ConfigError
from transfer_jax.data.records import Records
from transfer_jax.studies import assessment
from transfer_jax.studies.shown import Shown
from transfer_jax.studies.side_by_side import layers, mistakes
from transfer_jax.studies.side_by_side.finished import Run
from transfer_jax.studies.side_by_side.layers import Layers, Row
from transfer_jax.studies.side_by_side.mistakes import Mistakes
from transfer_jax.studies.side_by_side.pairing import Pairing
from transfer_jax.studies.trained import Trained

TRAINED, INITIAL, OF_A, OF_B = "A to B, trained", "A to B, initial", "A, initial to trained", "B, initial to trained"
_BATCH = 32  # images per device: the activations of two networks are there at once


class Found(NamedTuple):
    """What two runs have in common.

    Attributes:
      rows: of all repeats; `what` is TRAINED (every pair of stages), INITIAL, OF_A or OF_B (stages of the same name).
      images: of each repeat, that the stages were compared on.
      agreement: for each repeat, label -> agreement of the predictions.
      no_agreement: why there is none; empty where there is.
      before: "A" and "B" -> the first kernel [k, k, c, d] of repeat 0 before its training, where that is known.
      after: the same after it.
      networks: both of repeat 0.
    """

    rows: list[Row]
    images: int
    agreement: list[dict[str, Agreement]]
    no_agreement: str
    before: dict[str, np.ndarray]
    after: dict[str, np.ndarray]
    networks: tuple[Trained, Trained]


def compare(a: Run, b: Run, pairing: Pairing, *, images: int, sampled: bool, mesh: Mesh) -> Found:
    """Compares two runs.

    Args:
      a: the first run.
      b: the second.
      pairing: their members, and the images that judge them.
      images: at most so many of each repeat's are looked at for the stages; predictions are compared on all.
      sampled: compare stages as Juodelyte et al. 2023 do, at some 10,000 positions of 64 channels; else at all.
      mesh: the devices.

    Raises:
      ConfigError: a network cannot take the images.
      AnalysisError: too few images, or NaN.
    """
    records, chosen = pairing.records, pairing.spread(images)
    first, second = a.trained(0), b.trained(0)
    for one in (first, second):
        one.check_images(records.folder, records.manifest)
    if not sampled:
        layers.check_positions(first, second, records.manifest.shape, len(chosen[0]))
    alike = Layers(Sampling(len(chosen[0])) if sampled else None, mesh)
    judge, why = _judge(first, second, records)
    found = Found([], len(chosen[0]), [], why, {}, {}, (first, second))
    shown: Shown | None = None
    judged: Shown | None = None
    for repeat, positions in enumerate(tqdm(chosen, desc="comparing", unit="repeat", disable=None, leave=False)):
        one, other = a.trained(repeat), b.trained(repeat)
        began, other_began = (None if run.initial is None else run.initial(repeat) for run in (a, b))
        shown = _show(records, positions, mesh, shown)
        found.rows.extend(alike(repeat, TRAINED, one, other, shown, every_pair=True))
        for what, x, y in ((INITIAL, began, other_began), (OF_A, began, one), (OF_B, other_began, other)):
            if x is not None and y is not None:
                found.rows.extend(alike(repeat, what, x, y, shown, every_pair=False))
        if judge is not None:
            judged = _show(records, pairing.positions[repeat], mesh, shown if judged is None else judged)
            found.agreement.append(judge(one, other, judged))
        if repeat == 0:
            found.before.update(_kernels({"A": began, "B": other_began}))
            found.after.update(_kernels({"A": one, "B": other}))
    return found


def _judge(first: Trained, second: Trained, records: Records) -> tuple[Mistakes | None, str]:
    """What compares predictions; or nothing, and why."""
    try:
        return Mistakes(mistakes.common_task(first, second, records), records), ""
    except ConfigError as error:
        return None, str(error)


def _show(records: Records, positions: np.ndarray, mesh: Mesh, last: Shown | None) -> Shown:
    """The images; those shown last where they are the same, since they are decoded already."""
    return last if last is not None and np.array_equal(last.positions, positions) else Shown(records, positions, mesh, per_device=_BATCH)


def _kernels(networks: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: assessment.first_filters(network.variables) for name, network in networks.items() if network is not None}
