"""Run folders of finished studies with drawn scores, made in milliseconds and without training."""

import dataclasses

import numpy as np
import small_studies

from transfer_jax.core import files
from transfer_jax.core.normalisation import Normalisation
from transfer_jax.runs import (
    fingerprint,
    layout,
    predictions,
    record,
    results,
    summary,
    tables,
)
from transfer_jax.runs.predictions import Images, Predictions
from transfer_jax.runs.record import DataFacts, Record
from transfer_jax.runs.run import Run
from transfer_jax.settings import Arm, Evaluation

STEPS = (0, 10, 20)


def study(
    labels=("effusion",), *, classes=0, arms=("random", "mean_var"), referable=None, **changes
):
    """A study of one label, of several, or of the classes of one."""
    task = "multiclass" if classes else "multilabel" if len(labels) > 1 else "binary"
    evaluation = {"groups": ("sex",), "resamples": 200, **changes.pop("evaluation", {})}
    made = small_studies.tiny(
        data__task=task,
        data__labels=tuple(labels),
        data__threshold=1 if task == "binary" else None,
        data__referable=referable,
        recipe__steps=STEPS[-1],
        recipe__eval_every=10,
    )
    inits = ("random", "mean_var", "pretrained", "mean_var", "pretrained", "random")
    return dataclasses.replace(
        made,
        name="made",
        arms=tuple(Arm(name=name, init=inits[i % 6]) for i, name in enumerate(arms)),
        evaluation=Evaluation(**evaluation),
        **changes,
    )


def finished(folder, made, *, classes=0, images=120, test=True, gap=0.0, per_label=True, **facts):
    """Writes the folder of a study with drawn scores, better ones for later arms; returns its run.

    Args:
      folder: A new folder.
      made: A study of `study`.
      classes: Number of classes of a multiclass task.
      images: Number of images of a split.
      test: Whether there are test images.
      gap: How much more noise there is in the scores of one group.
      per_label: Whether the history has an AUC per label.
      facts: Changes of `DataFacts`.
    """
    fingerprint.claim(folder, made)
    data = _facts(made, images, test, facts)
    record.write(folder, _record(data))
    history = []
    for repeat in range(made.repeats):
        for number, arm in enumerate(made.arms):
            for split in ("val", "test") if test else ("val",):
                for take in layout.WEIGHTS:
                    rng = np.random.default_rng((number, repeat, len(split), len(take)))
                    table = _table(made, rng, repeat, split, classes, images, 1 + number / 3, gap)
                    path = layout.predictions(folder, arm.member(repeat), split, take)
                    predictions.write(path, table)
            history += _history(arm.member(repeat), table.outputs if per_label else (), number)
    results.write_history(folder, history)
    if made.source.recipe is not None:
        repeats = range(made.repeats) if made.source.per_repeat else (None,)
        (folder / layout.SOURCE).mkdir()
        results.write_history(folder / layout.SOURCE, [_source(repeat) for repeat in repeats])
    summary.write_run(folder, made, data)
    rows = results.rows(made, history)
    files.write(folder / layout.RESULTS, tables.to_csv(rows))
    fingerprint.record_results(folder)
    return Run(folder)


def _facts(made, images, test, changes):
    facts = {
        "name": "made images",
        "images": f"{images} training images",
        "validation": images,
        "test": images if test else 0,
        "optimistic": False,
        "folds": 1,
        "height": 32,
        "width": 32,
        "channels": 3,
        "task": made.data.task,
        "labels": made.data.labels,
        "threshold": 1,
        "normalisation": Normalisation("own", (0.5,) * 3, (0.2,) * 3),
        "unmeasured": "",
    }
    return DataFacts(**{**facts, **changes})


def _record(data):
    return Record(
        data=data,
        images_per_epoch=48,
        source="the same network trained 3 steps on texture",
        machine={"hardware": "none"},
        date="2026-11-27",
        seconds=1.0,
    )


def _table(made, rng, repeat, split, classes, images, skill, gap):
    """Predictions of the same images in every repeat and by every arm."""
    truth = np.random.default_rng((7, len(split)))
    sex = np.array(["F", "M"])[np.arange(images) // 2 % 2]
    noise = np.where(sex == "M", 1 + gap, 1.0)[:, None]
    if classes:
        targets = truth.integers(0, classes, (images, 1)).astype(float)
        logits = skill * (targets == np.arange(classes)) + noise * rng.normal(
            size=(images, classes)
        )
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        log_odds = np.log(shares) - np.log1p(-shares)
        outputs = tuple(f"{made.data.labels[0]}={i}" for i in range(classes))
    else:
        outputs = made.data.labels
        share = np.linspace(0.5, 0.2, len(outputs))
        targets = (truth.random((images, len(outputs))) < share).astype(float)
        log_odds = skill * (targets - 0.5) + noise * rng.normal(size=targets.shape)
    return Predictions(
        images=Images(
            ids=np.array([f"{split}{i}" for i in range(images)]),
            patients=np.array([f"{split}{i // 2}" for i in range(images)]),
            studies=np.array([f"s{i}" for i in range(images)]),
            columns={"sex": sex},
            labels=made.data.labels,
            targets=targets,
            mask=np.ones(targets.shape, bool),
        ),
        outputs=outputs,
        log_odds=log_odds.astype(np.float32),
    )


def _history(member, outputs, number):
    rng = np.random.default_rng((number, len(member), ord(member[-1])))
    entries = []
    for step in STEPS:
        level = 0.5 + step / 60 + number / 50
        aucs = np.clip(level + rng.normal(0, 0.02, len(outputs) or 1), 0, 1)
        entry = {"member": member, "step": step, "auc": float(aucs.mean())}
        entry["loss"] = 1 - entry["auc"]
        if len(outputs) > 1:
            entry |= {f"auc/{name}": float(auc) for name, auc in zip(outputs, aucs, strict=True)}
        entries.append({**entry, "diverged": False})
    return entries


def _source(repeat):
    score = 0.6 + 0.05 * (repeat or 0)
    return {
        "member": layout.source_member(repeat),
        "step": 3,
        "auc": score,
        "loss": 1 - score,
        "top5": 0.7 + 0.04 * (repeat or 0),
        "auc/texture=0": 0.5,
        "train_loss": 1.0,
        "diverged": False,
    }
