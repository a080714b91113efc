"""Words that sections of a report share: which images, by which weights, chosen on what."""

from __future__ import annotations

from transfer_jax.report.judged_scores import Shown, chosen_on
from transfer_jax.runs.record import DataFacts
from transfer_jax.runs.run import Run
from transfer_jax.settings import Study
from transfer_jax.train.early_stop import LOWER_IS_BETTER

SPLITS = {"test": "test", "val": "validation"}


def where(run: Run, shown: Shown) -> str:
    """Returns the images and the weights of a section as a sentence, and whether it flatters."""
    data = run.record.data
    text = f"On {images(data, shown.split)}, by the {weights(run.study, shown.take)}."
    if shown.optimistic:
        text += " Training stopped early by these images, so that the results are optimistic."
    return text


def images(data: DataFacts, split: str) -> str:
    """Returns on how many images of which split something was measured, in words."""
    count = data.test if split == "test" else data.validation
    text = f"{count:,} {SPLITS[split]} images"
    if data.folds > 1:
        text += " of the first fold (each repeat has a fold of its own)"
    return text


def weights(study: Study, take: str) -> str:
    """Returns which weights of a member were judged, in words."""
    return weights_of(study.recipe.select, take)


def weights_of(select: str, take: str) -> str:
    """Returns which weights were judged, in words, where `select` chooses the best ones."""
    if take == "last":
        return "weights of the last step"
    extreme = "lowest" if select.partition("/")[0] in LOWER_IS_BETTER else "highest"
    return f"best weights ({extreme} validation {select})"


def best_is_optimistic(run: Run, split: str) -> str:
    """Returns why results of best weights flatter, in a sentence; "" where they do not."""
    if not chosen_on(run, split):
        return ""
    if split == "test":
        return (
            "The test images are the validation images, too: best weights were chosen on them, and "
            "their results are optimistic."
        )
    return (
        "The data set has no test images: best weights were chosen on the images that judge them "
        "here, and their results are optimistic."
    )


def over_repeats(repeats: int) -> str:
    """Returns what a mean is over and what stands behind its ±, in words."""
    return (
        f"mean ± sample standard deviation over {repeats} repeats" if repeats > 1 else "one repeat"
    )


def over_patients(study: Study) -> str:
    """Returns what an interval in brackets is, in words."""
    of_what = "of the mean " if study.repeats > 1 else ""
    return (
        f"in brackets the 95 % interval {of_what}over patients (BCa bootstrap, "
        f"{study.evaluation.resamples:,} resamples of the patients)"
    )


def metric(name: str) -> str:
    """Returns the name of a metric as a heading: "AUC weighted" of "auc_weighted"."""
    words = {"auc": "AUC", "ece": "ECE", "f1": "F1", "top5": "top-5 accuracy"}
    return " ".join(words.get(word, word) for word in name.split("_"))
