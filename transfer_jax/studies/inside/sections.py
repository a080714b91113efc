"""The part of a study's report that looks inside its networks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from transfer_jax.analysis import regression
from transfer_jax.settings import Study
from transfer_jax.studies import layer_figures, tables
from transfer_jax.studies.inside import figures, representations
from transfer_jax.studies.inside.inspection import Inside
from transfer_jax.studies.inside.representations import AFTER, BEFORE, TRAINING
from transfer_jax.studies.report import Section
from transfer_jax.studies.results import Spread


def sections(study: Study, inside: Inside, rows: Sequence[Mapping[str, Any]]) -> list[Section]:
    """The sections of what was found; `rows` are those of results.csv."""
    found = inside.likenesses
    made = [_training(study, inside)] if representations.curves(found, TRAINING) else []
    made += [*_arms(inside), *_agreements(study, inside)] if found else _agreements(study, inside)
    points = representations.gains(rows, representations.to_rows(found))
    if len(points) >= regression.LEAST:
        first = study.arms[0].name
        note = (
            f"Every member of every arm but {first}: its AUC relative to {first}'s in the same repeat, against how similar it stayed to what it "
            "began from. Grey: least-squares line through all points, with its 95 % band. Points of one repeat share data."
        )
        made.append(Section("Gain in AUC and similarity", note, picture=figures.gains(points)))
    return made


def _training(study: Study, inside: Inside) -> Section:
    """Figure 3 of "Transfusion", 3a of Juodelyte et al."""
    found = inside.likenesses
    stages, level = representations.stages(found), representations.chance(found)
    own = {arm: curves for (arm, _), curves in representations.curves(found, TRAINING).items()}
    lines = [(arm, *(_cell([of[stage] for of in curves]) for stage in stages)) for arm, curves in own.items()]
    lines.append(("by chance", *(f"{level[stage]:.3f}" for stage in stages)))
    note = (
        f"Mean canonical correlation (CCA) of each stage before and after training, on {inside.images} validation images, {_how(study)}; "
        "mean ± sample standard deviation over repeats. By chance: independent data of as many positions and channels; a value near it says nothing. "
        + "".join(f"{stage} is left out: {why}. " for stage, why in inside.left_out.items())
    )
    table = (("arm", *stages), lines)
    return Section("Similarity before and after training", note, picture=layer_figures.layers(own, level), table=table)


def _arms(inside: Inside) -> list[Section]:
    """Figures 2 and 4 of "Transfusion"."""
    found = inside.likenesses
    made = []
    top = representations.top(found)
    if top:
        last = representations.stages(found)[-representations.TOP :]
        note = (
            "Trained networks of two arms, or of one arm. Pairs are of different repeats where there are several: they share neither their fresh "
            "weights nor their batches."
        )
        made.append(Section("Similarity of trained networks", note, picture=figures.top_stages(top, last)))
        curves = {f"{a} and {b}, {what}": of for what in (BEFORE, AFTER) for (a, b), of in representations.curves(found, what).items()}
        note = "The same pairs, stage by stage, before and after training."
        made.append(Section("Networks of two arms, stage by stage", note, picture=layer_figures.layers(curves, representations.chance(found))))
    points = representations.before_and_after(found)
    if points and all(max(map(len, groups.values())) >= regression.LEAST for groups in points.values()):
        note = "The same pairs. R²: of the line through the pairs of one colour. Pairs share networks, so that few repeats say less than R² seems to."
        made.append(Section("Similarity at initialisation and after training", note, picture=figures.before_and_after(points)))
    return made


def _agreements(study: Study, inside: Inside) -> list[Section]:
    """Figure 5 of Juodelyte et al."""
    groups: dict[tuple[str, str], list[Any]] = {}
    for each in inside.agreements:
        groups.setdefault((each.arm, each.label), []).append(each.found)
    if not groups:
        return []
    first = study.arms[0].name
    fields = ("accuracy_a", "accuracy_b", "similarity", "independent", "kappa")
    lines = [(arm, label, *(_cell([getattr(of, field) for of in found]) for field in fields)) for (arm, label), found in groups.items()]
    note = (
        f"How often a member and that of {first} in the same repeat are both right or both wrong, beside what independent mistakes would give, "
        "a1 a2 + (1 - a1)(1 - a2); kappa is 0 for those and 1 where all mistakes are shared. Threshold one half, or the most likely class; "
        "mean ± sample standard deviation over repeats."
    )
    head = ("arm", "label", "accuracy", f"{first}'s", "both right or wrong", "if independent", "kappa")
    several = len({label for _, label in groups}) > 1
    pairs = {f"{arm}, {label}" if several else arm: [(of.similarity, of.independent) for of in found] for (arm, label), found in groups.items()}
    return [Section(f"Predictions beside those of {first}", note, picture=layer_figures.agreement(pairs), table=(head, lines))]


def _how(study: Study) -> str:
    chosen = study.similarity
    return "all positions and channels" if chosen.kind == "exact" else "sampled positions and channels (Juodelyte et al. 2023)"


def _cell(values: Sequence[float]) -> str:
    finite = [value for value in values if not math.isnan(value)]
    return tables.spread(Spread.of(finite), 3) if finite else "-"
