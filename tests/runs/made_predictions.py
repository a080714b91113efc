"""Predictions of made-up networks for made-up images."""

import numpy as np

from transfer_jax.runs.judging import Rule
from transfer_jax.runs.predictions import Images, Predictions
from transfer_jax.settings import Evaluation


def made(kind, count=120, seed=0, noise=1.0, classes=4):
    """Returns what a network that knows something predicts."""
    truth, rng = np.random.default_rng(7), np.random.default_rng(seed)
    patients = np.array([f"p{i // 2}" for i in range(count)])
    if kind == "multiclass":
        values = truth.integers(0, classes, (count, 1)).astype(float)
        columns = (values == np.arange(classes)) * 2.0
        labels, outputs = ("grade",), tuple(f"grade={i}" for i in range(classes))
    else:
        labels = ("finding",) if kind == "binary" else ("Edema", "Effusion")
        values = truth.integers(0, 2, (count, len(labels))).astype(float)
        columns, outputs = values * 2.0 - 1, labels
    mask = truth.random(values.shape) < 0.9
    return Predictions(
        images=Images(
            ids=np.array([f"i{i}" for i in range(count)]),
            patients=patients,
            studies=np.array([f"s{i % 2}" for i in range(count)]),
            columns={
                "sex": np.array(["F", "M"])[np.arange(count) % 2],
                "age": np.array(["30", "50", "", "70"])[np.arange(count) % 4],
            },
            labels=labels,
            targets=np.where(mask, values, 0),
            mask=mask,
        ),
        outputs=outputs,
        log_odds=(columns + noise * rng.standard_normal(columns.shape)).astype(np.float32),
    )


def rule(kind, metrics=("auc",), referable=None, **settings):
    """Returns how they are judged, with few resamples."""
    return Rule(
        kind=kind,
        metrics=metrics,
        referable=referable,
        settings=Evaluation(**{"resamples": 200, **settings}),
    )
