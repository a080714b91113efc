"""Names of everything in a run folder.

config.json          settings of the study
fingerprint.json     digests of the settings, of what the study reads, and of its tables
run.json             facts that tables and reports need: data, source, machine, time
log.jsonl            everything that was logged, one JSON object per line
history.csv          one row per member and evaluation; rewritten at every evaluation
evaluations.csv      every metric at the end, per member, split, weights, group and label
summary.csv          the same over repeats, with intervals and differences from the first arm
results.csv          one row per member; only of a finished study
similarity.csv       stages of networks compared, one row per pair and stage (similarity.at_end)
agreement.csv        predictions compared, one row per member and label (similarity.at_end)
filters.npz          first-layer kernels of every member, before and after training
predictions/         log-odds of every judged image, per member, split and weights, see
                     `runs.predictions`
weights/MEMBER       last weights, with their card
best/MEMBER          weights of the best evaluation by recipe.select, with their card
report.html          the report, rendered from the files above alone
tensorboard/MEMBER   event files
checkpoints/         what an interrupted study resumes from
source/              the same of the pretraining, where the study trains its source: history, log,
                     checkpoints, and weights/ with a card, or REPEAT/weights (source.per_repeat)
data/                generated images
"""

from __future__ import annotations

from pathlib import Path

CONFIG = "config.json"
FINGERPRINT = "fingerprint.json"
RECORD = "run.json"
LOG = "log.jsonl"
HISTORY = "history.csv"
EVALUATIONS = "evaluations.csv"
SUMMARY = "summary.csv"
RESULTS = "results.csv"
SIMILARITY = "similarity.csv"
AGREEMENT = "agreement.csv"
FILTERS = "filters.npz"
PREDICTIONS = "predictions"
REPORT = "report.html"
TENSORBOARD = "tensorboard"
CHECKPOINTS = "checkpoints"
SOURCE = "source"
# Which weights of a member -> the folder that holds them.
WEIGHTS = {"last": "weights", "best": "best"}
TABLES = (RESULTS, HISTORY, EVALUATIONS, SUMMARY, SIMILARITY, AGREEMENT)


def weights(folder: Path, member: str, take: str = "last") -> Path:
    """Returns the folder of a member's weights.

    Args:
      folder: The run folder.
      member: Name of the member.
      take: "last" or "best".
    """
    return folder / WEIGHTS[take] / member


def source_weights(folder: Path, repeat: int | None = None) -> Path:
    """Returns the folder of the weights that the study's own pretraining gave.

    Args:
      folder: The run folder.
      repeat: The repeat whose pretraining it is; None where one serves all repeats.
    """
    source = folder / SOURCE
    return (source if repeat is None else source / str(repeat)) / "weights"


def source_member(repeat: int | None = None) -> str:
    """Returns the name of a pretraining in its history; the arguments are as above."""
    return SOURCE if repeat is None else f"{SOURCE}-{repeat}"


def predictions(folder: Path, member: str, split: str, take: str) -> Path:
    """Returns the file with the predictions of a member's weights for the images of a split.

    Args:
      folder: The run folder.
      member: Name of the member.
      split: "val" or "test".
      take: "last" or "best".
    """
    return folder / PREDICTIONS / f"{member}.{split}.{take}.csv.gz"
