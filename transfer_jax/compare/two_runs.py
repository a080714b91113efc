"""Compares two sides repeat by repeat: by stages, before and after training, and by predictions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from jax.sharding import Mesh
from tqdm import tqdm

from transfer_jax.analysis import measures
from transfer_jax.analysis.agreement import Agreement
from transfer_jax.analysis.layerwise import Sampling
from transfer_jax.compare import mistakes, stagewise
from transfer_jax.compare.mistakes import Mistakes
from transfer_jax.compare.pairing import Pairing
from transfer_jax.compare.sides import Side
from transfer_jax.compare.stagewise import Row, StageComparison
from transfer_jax.core.errors import ConfigError
from transfer_jax.data.storage.records import Records
from transfer_jax.data.stored_images import StoredImages
from transfer_jax.runs.trained import Trained
from transfer_jax.train import evaluator

TRAINED, INITIAL = "A to B, trained", "A to B, initial"
OF_A, OF_B = "A, initial to trained", "B, initial to trained"
_BATCH = 32  # images per device: the activations of two networks are held at once


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """What two sides have in common.

    Attributes:
      rows: Rows of all repeats; `what` is TRAINED (every pair of stages), INITIAL, OF_A or OF_B
        (stages of the same name).
      images: Number of images per repeat that stages were compared on.
      agreements: Per repeat, label -> agreement of the predictions.
      no_agreements: Why predictions were not compared; "" where they were.
      before: "A" and "B" -> first kernel [k, k, c, d] of repeat 0 before its training, where known.
      after: The same after training.
      networks: Both networks of repeat 0.
    """

    rows: list[Row]
    images: int
    agreements: list[dict[str, Agreement]]
    no_agreements: str
    before: Mapping[str, np.ndarray]
    after: Mapping[str, np.ndarray]
    networks: tuple[Trained, Trained]


def compare(
    a: Side,
    b: Side,
    pairing: Pairing,
    *,
    images: int,
    sampled: bool,
    mesh: Mesh,
    measure: str = measures.DEFAULT,
) -> Comparison:
    """Compares two sides.

    Args:
      a: The first side.
      b: The second side.
      pairing: Their members, and the images that judge them.
      images: Largest number of images per repeat for the stages; predictions are compared on all.
      sampled: Whether stages are compared at the samples of Juodelyte et al. 2023.
      mesh: The devices.
      measure: Name of the measure of similarity.

    Raises:
      ConfigError: A network cannot take the images.
      AnalysisError: There are too few images, or activations hold NaN.
    """
    records, positions = pairing.records, pairing.spread(images)
    first, second = a.trained(0), b.trained(0)
    for network in (first, second):
        network.check_images(records.folder, records.manifest)
    count = len(positions[0])
    if not sampled:
        stagewise.check_positions(first, second, records.manifest.shape, count)
    compare_stages = StageComparison(measure, Sampling(count) if sampled else None, mesh)
    judge, no_agreements = _judge(first, second, records)
    images_at = _ImagesAt(records, mesh)
    rows: list[Row] = []
    agreements: list[dict[str, Agreement]] = []
    bar = tqdm(positions, desc="comparing", unit="repeat", disable=None, leave=False)
    for repeat, of_repeat in enumerate(bar):
        one, other = a.trained(repeat), b.trained(repeat)
        for what, x, y in _pairs(a, b, repeat):
            every_pair = what == TRAINED
            rows += compare_stages(repeat, what, x, y, images_at(of_repeat), every_pair=every_pair)
        if judge is not None:
            agreements.append(judge(one, other, images_at(pairing.positions[repeat])))
    return Comparison(
        rows=rows,
        images=count,
        agreements=agreements,
        no_agreements=no_agreements,
        before=_first_filters(*(side.initial and side.initial(0) for side in (a, b))),
        after=_first_filters(first, second),
        networks=(first, second),
    )


def _pairs(a: Side, b: Side, repeat: int) -> list[tuple[str, Trained, Trained]]:
    """Returns (what, network, network) of a repeat; initial networks only where both are known."""
    one, other = a.trained(repeat), b.trained(repeat)
    initial_a, initial_b = (
        None if side.initial is None else side.initial(repeat) for side in (a, b)
    )
    candidates = (
        (TRAINED, one, other),
        (INITIAL, initial_a, initial_b),
        (OF_A, initial_a, one),
        (OF_B, initial_b, other),
    )
    return [(what, x, y) for what, x, y in candidates if x is not None and y is not None]


def _first_filters(a: Trained | None, b: Trained | None) -> dict[str, np.ndarray]:
    """Returns "A" and "B" -> first kernel, of the networks that are known."""
    known = {name: network for name, network in (("A", a), ("B", b)) if network is not None}
    return {name: evaluator.first_filters(network.variables) for name, network in known.items()}


def _judge(first: Trained, second: Trained, records: Records) -> tuple[Mistakes | None, str]:
    """Returns what compares predictions, or None and the reason."""
    try:
        return Mistakes(mistakes.common_task(first, second, records), records), ""
    except ConfigError as error:
        return None, str(error)


class _ImagesAt:
    """Images on the devices; the last two sets are kept, since they are decoded already."""

    def __init__(self, records: Records, mesh: Mesh) -> None:
        self._records, self._mesh = records, mesh
        self._last: list[StoredImages] = []

    def __call__(self, positions: np.ndarray) -> StoredImages:
        for images in self._last:
            if np.array_equal(images.positions, positions):
                return images
        images = StoredImages(self._records, positions, self._mesh, per_device=_BATCH)
        self._last = [*self._last[-1:], images]
        return images
