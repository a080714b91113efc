"""Networks judged on another prepared data set: external validation, of one network or a mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from scipy import special

from transfer_jax.core.errors import ConfigError
from transfer_jax.data import partition
from transfer_jax.data.storage.manifest import Manifest
from transfer_jax.data.task import Task
from transfer_jax.metrics.scored import Scored
from transfer_jax.runs import (
    fingerprint,
    inputs,
    judging,
    layout,
    matching,
    predicting,
    predictions,
    trained,
)
from transfer_jax.runs.judging import Rule
from transfer_jax.runs.named_networks import Networks
from transfer_jax.runs.predictions import Images, Predictions
from transfer_jax.runs.trained import Outputs


def predict(networks: Networks, folder: Path, split: str) -> Predictions:
    """Returns what the networks predict for a split of a prepared data set.

    Of several networks it is the mean of their probabilities.

    Args:
      networks: The networks.
      folder: Folder of the data set.
      split: One of its splits.

    Raises:
      UserError: A label is not in the data set, the images do not fit the network, or members of
        folds were trained on images of the set.
    """
    manifest, outputs = Manifest.read(folder), networks.outputs
    _check_unseen(networks, manifest, folder, split)
    numbering = _numbering(outputs, manifest)
    pool, images = predicting.open_images(networks.trained[0], folder, manifest, [split])
    scores = trained.scores(networks.trained[0].form, outputs)
    log_odds = mean_log_odds(
        [predicting.finite_log_odds(scores, one, images) for one in networks.trained]
    )
    task = Task(
        outputs.kind,
        outputs.labels,
        outputs.threshold or 1,
        outputs.count if outputs.kind == "multiclass" else 0,
    )
    table = pool.rows
    values = {
        label: _renumbered(table.labels[there], number)
        for label, (there, number) in numbering.items()
    }
    targets = task.targets(values, training=False)
    return Predictions(
        images=Images.of(table, images.positions, outputs.labels, targets),
        outputs=tuple(outputs.names()),
        log_odds=log_odds,
    )


def _numbering(outputs: Outputs, manifest: Manifest) -> dict[str, tuple[str, Mapping[int, int]]]:
    """Returns label of the network -> label of the data set, and its values as the network's."""
    known = manifest.values()
    found = {}
    for label, there in matching.labels(outputs.labels, known, manifest.name).items():
        names = manifest.labels[there]["names"]
        number = matching.numbers(
            label, outputs.names_of(label), names, known[there], manifest.name
        )
        outputs.check_values(set(number.values()))
        found[label] = (there, number)
    return found


def _renumbered(values: Int[np.ndarray, " n"], number: Mapping[int, int]) -> Int[np.ndarray, " n"]:
    """Returns values as the network numbers them; missing and uncertain ones stay."""
    renumbered = values.copy()
    for value, new in number.items():
        renumbered[values == value] = new
    return renumbered


def mean_log_odds(members: Sequence[Float[np.ndarray, "n s"]]) -> Float[np.ndarray, "n s"]:
    """Returns the log-odds of the mean of the members' probabilities."""
    probabilities = [special.expit(each.astype(np.float64)) for each in members]
    return special.logit(np.mean(probabilities, axis=0))


def check_rule(networks: Networks, rule: Rule) -> None:
    """Raises ConfigError where networks cannot be judged as the rule says."""
    outputs, settings = networks.outputs, rule.settings
    exclusive = outputs.kind == "multiclass"
    settings.check(outputs.kind, prefix="--")
    if rule.referable is not None and not (exclusive and 0 < rule.referable < outputs.count):
        raise ConfigError(
            f"referable={rule.referable} is for networks that predict classes, from 1 on and below "
            f"their number; this one predicts {outputs.described()}"
        )
    if settings.threshold == "validation" and networks.run is None:
        raise ConfigError(
            "threshold='validation' is for members of a study, whose predictions of validation "
            "images are known: choose 'half' or 'youden'"
        )


def validation(networks: Networks, rule: Rule, take: str) -> Scored | None:
    """Returns the scores of the study's validation images by one member, or by the mean of several.

    Returns:
      None where they are not needed.

    Raises:
      ConfigError: The members were validated on different images, or a table is damaged.
    """
    if networks.run is None or rule.settings.threshold != "validation":
        return None
    folder = networks.run.folder
    read = [predictions.read(layout.predictions(folder, m, "val", take)) for m in networks.members]
    if any(not np.array_equal(one.images.ids, read[0].images.ids) for one in read):
        raise ConfigError(
            f"{networks.title} were validated on different images, so that there is no threshold "
            "for their mean: name one of them"
        )
    table = dataclasses.replace(read[0], log_odds=mean_log_odds([one.log_odds for one in read]))
    return judging.judge(table, rule).scored


def _check_unseen(networks: Networks, manifest: Manifest, folder: Path, split: str) -> None:
    """Raises ConfigError where members of folds were trained on images of the split."""
    run = networks.run
    if run is None or not run.study.data.folds or split not in partition.FOLDED:
        return
    if fingerprint.recorded_inputs(run.folder).get(inputs.DATA) == manifest.digest:
        raise ConfigError(
            f"{run.folder} dealt the {split} images of {folder} into folds, so that its members "
            "were trained on most of them: their test results are in its evaluations.csv"
        )
