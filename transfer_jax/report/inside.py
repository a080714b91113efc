"""The part of a study's report that looks inside its networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transfer_jax.analysis import measures
from transfer_jax.analysis.measures import Measure
from transfer_jax.compare import representations
from transfer_jax.compare.agreements import Agreed
from transfer_jax.compare.auc_gains import Gain
from transfer_jax.compare.representations import AFTER, BEFORE, TRAINING, Likeness
from transfer_jax.report import text_tables, wording
from transfer_jax.report.figures import scatter, stage_curves
from transfer_jax.report.html import Section
from transfer_jax.runs.record import Inspection
from transfer_jax.settings import Study
from transfer_jax.stats import regression
from transfer_jax.stats.intervals import Spread


def sections(
    study: Study,
    gains: Sequence[Gain],
    likenesses: Sequence[Likeness],
    agreements: Sequence[Agreed],
    inspection: Inspection,
) -> list[Section]:
    """Returns the sections.

    Args:
      study: The study.
      gains: Gains in AUC of its members.
      likenesses: Rows of similarity.csv.
      agreements: Rows of agreement.csv.
      inspection: What the comparison was made on.
    """
    made = []
    if representations.curves(likenesses, TRAINING):
        made.append(_training(study, likenesses, inspection))
    if likenesses:
        made += _arms(study, likenesses)
        made.append(_sizes(study, likenesses))
    made += _agreements(study, agreements)
    if len(gains) >= regression.LEAST:
        first = study.arms[0].name
        note = (
            f"Every member of every arm but {first}: its {wording.SPLITS[gains[0].split]} AUC "
            f"relative to {first}'s in the same repeat, against how similar it stayed to its "
            "initial network. Grey: least-squares line through all points, with its 95 % band. "
            "Points of one repeat share data."
        )
        picture = scatter.gains(gains, wording.SPLITS[gains[0].split])
        made.append(Section(title="Gain in AUC and similarity", note=note, picture=picture))
    return made


def _training(study: Study, likenesses: Sequence[Likeness], inspection: Inspection) -> Section:
    """Figure 3 of "Transfusion", 3a of Juodelyte et al."""
    names, level = representations.stages(likenesses), representations.chance(likenesses)
    by_arm = {
        arm: curves for (arm, _), curves in representations.curves(likenesses, TRAINING).items()
    }
    lines = [
        (arm, *(_cell([values[stage] for values in curves]) for stage in names))
        for arm, curves in by_arm.items()
    ]
    lines.append(("by chance", *(f"{level[stage]:.3f}" for stage in names)))
    measure = _measure(study)
    note = (
        f"Similarity of each stage before and after training: {measure.described}, on "
        f"{inspection.images} validation images, {_how(study)}; {_weights(study)}; mean ± sample "
        "standard deviation over repeats. By chance: independent data of as many positions and "
        "channels; a value near it says nothing. "
        + "".join(f"{stage} is left out: {why}. " for stage, why in inspection.left_out.items())
    )
    return Section(
        title="Similarity before and after training",
        note=note,
        picture=stage_curves.layers(by_arm, level, measure=measure.title),
        table=((f"arm ({measure.title})", *names), lines),
    )


def _arms(study: Study, likenesses: Sequence[Likeness]) -> list[Section]:
    """Figures 2 and 4 of "Transfusion"."""
    made, measure = [], _measure(study).title
    top = representations.top(likenesses)
    if top:
        last = representations.stages(likenesses)[-representations.TOP :]
        note = (
            "Trained networks of two arms, or of one arm. Pairs are of different repeats where "
            "there are several: they share neither their fresh weights nor their batches. "
            f"Similarity is {_measure(study).described}; {_weights(study)}."
        )
        picture = scatter.top_stages(top, last, measure)
        made.append(Section(title="Similarity of trained networks", note=note, picture=picture))
        curves = {
            f"{a} and {b}, {what}": pairs
            for what in (BEFORE, AFTER)
            for (a, b), pairs in representations.curves(likenesses, what).items()
        }
        made.append(
            Section(
                title="Networks of two arms, stage by stage",
                note="The same pairs, stage by stage, before and after training.",
                picture=stage_curves.layers(
                    curves, representations.chance(likenesses), measure=measure
                ),
            )
        )
    points = representations.before_and_after(likenesses)
    enough = (max(map(len, groups.values())) >= regression.LEAST for groups in points.values())
    if points and all(enough):
        note = (
            "The same pairs. R² is that of the line through the pairs of one colour. Pairs share "
            "networks, so that few repeats say less than R² seems to."
        )
        made.append(
            Section(
                title="Similarity at initialisation and after training",
                note=note,
                picture=scatter.before_and_after(points, measure),
            )
        )
    return made


def _sizes(study: Study, likenesses: Sequence[Likeness]) -> Section:
    """What the similarities of each stage were computed from."""
    measure = _measure(study)
    lines = []
    for stage in representations.stages(likenesses):
        of_stage = [one.similarity for one in likenesses if one.stage == stage]
        ranks = ([mean.rank_x for mean in of_stage], [mean.rank_y for mean in of_stage])
        counts = ([mean.n for mean in of_stage], *ranks)
        lines.append((stage, *(text_tables.counts(each) for each in counts)))
    note = (
        f"Over all pairs of networks that were compared by {measure.title}. Positions are rows of "
        f"the activations; dimensions are {measure.dimensions}, of the first and the second "
        "network of a pair. Every pair is in similarity.csv."
    )
    header = ("stage", "positions", "dimensions of the first", "of the second")
    return Section(title="Sizes of the comparisons", note=note, table=(header, lines))


def _agreements(study: Study, agreements: Sequence[Agreed]) -> list[Section]:
    """Figure 5 of Juodelyte et al."""
    groups: dict[tuple[str, str], list[Any]] = {}
    for agreed in agreements:
        groups.setdefault((agreed.arm, agreed.label), []).append(agreed.agreement)
    if not groups:
        return []
    first = study.arms[0].name
    fields = ("accuracy_a", "accuracy_b", "similarity", "independent", "kappa")
    lines = [
        (arm, label, *(_cell([getattr(pair, field) for pair in pairs]) for field in fields))
        for (arm, label), pairs in groups.items()
    ]
    note = (
        f"How often a member and that of {first} in the same repeat are both right or both wrong, "
        "beside what independent mistakes would give, a1 a2 + (1 - a1)(1 - a2); kappa is 0 for "
        "those and 1 where all mistakes are shared. Threshold one half, or the most likely class; "
        "mean ± sample standard deviation over repeats; "
        f"{_weights(study)}."
    )
    header = (
        "arm", "label", "accuracy", f"{first}'s", "both right or wrong", "if independent", "kappa",
    )  # fmt: skip
    several = len({label for _, label in groups}) > 1
    dots = {
        f"{arm}, {label}" if several else arm: [
            (pair.similarity, pair.independent) for pair in pairs
        ]
        for (arm, label), pairs in groups.items()
    }
    return [
        Section(
            title=f"Predictions beside those of {first}",
            note=note,
            picture=stage_curves.agreement(dots),
            table=(header, lines),
        )
    ]


def _measure(study: Study) -> Measure:
    return measures.named(study.similarity.measure)


def _weights(study: Study) -> str:
    if study.similarity.weights == "best":
        return "trained weights are the best ones (lowest validation loss)"
    return "trained weights are those of the last step"


def _how(study: Study) -> str:
    if study.similarity.kind == "exact":
        return "all positions and channels"
    return "sampled positions and channels (Juodelyte et al. 2023)"


def _cell(values: Sequence[float]) -> str:
    return text_tables.spread(Spread.of(values), 3)
