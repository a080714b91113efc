"""The comparison of two sides as one page and one table."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from transfer_jax.analysis import measures
from transfer_jax.analysis.measures import Measure
from transfer_jax.compare.stagewise import Row
from transfer_jax.compare.two_runs import INITIAL, OF_A, OF_B, TRAINED, Comparison
from transfer_jax.core import files
from transfer_jax.report import html, text_tables
from transfer_jax.report.figures import kernels, stage_curves
from transfer_jax.report.html import Section
from transfer_jax.runs.tables import to_csv
from transfer_jax.stats.intervals import Spread

_AGREEMENT = (
    "label", "images", "accuracy of A", "accuracy of B", "prediction similarity",
    "if independent", "kappa",
)  # fmt: skip


def write(
    out: Path, comparison: Comparison, names: tuple[str, str], facts: Mapping[str, str]
) -> None:
    """Writes the page, and its rows beside it as CSV.

    Args:
      out: Path of the page, ending in .html.
      comparison: What was found by `two_runs.compare`.
      names: Names of the two sides, as the user gave them.
      facts: What was run, for the end of the page.
    """
    rows = comparison.rows
    repeats = len({row.repeat for row in rows})
    pairs = f"{repeats} pairs of networks, each" if repeats > 1 else "One pair of networks,"
    lead = f"A is {names[0]}, B is {names[1]}. {pairs} compared on {comparison.images} images."
    sections = [
        _layers(rows),
        *_before_and_after(rows),
        _all_pairs(rows),
        _filters(comparison),
        _agreement(comparison),
    ]
    files.write(out.with_suffix(".csv"), to_csv([row._asdict() for row in rows]))
    files.write(out, html.page("Two networks compared", lead, facts, sections))


def console(rows: Sequence[Row]) -> str:
    """Returns the table of stages of the same name, for a terminal."""
    return text_tables.plain(_header(rows), _cells(rows))


def _measure(rows: Sequence[Row]) -> Measure:
    """Returns the measure, which all rows share."""
    return measures.named(rows[0].measure)


def _header(rows: Sequence[Row]) -> tuple[str, ...]:
    measure = _measure(rows)
    trimmed = ("trimmed mean",) if measure.trimmed else ()
    return ("stage", measure.title, *trimmed, "chance", "positions", "rank in A", "rank in B")


def _cells(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Returns the cells of stages of the same name, in the order of `_header`."""
    cells = []
    names = ("mean", "mean_trimmed") if _measure(rows).trimmed else ("mean",)
    for stage, of_stage in _by_stage(rows, TRAINED).items():
        means = (
            text_tables.spread(Spread.of(getattr(row, name) for row in of_stage), 3)
            for name in names
        )
        chance = f"{statistics.fmean(row.chance for row in of_stage):.3f}"
        counts = (
            text_tables.counts([getattr(row, name) for row in of_stage])
            for name in ("n", "rank_a", "rank_b")
        )
        cells.append((stage, *means, chance, *counts))
    return cells


def _by_stage(rows: Sequence[Row], what: str) -> dict[str, list[Row]]:
    """Returns stage -> rows that compare it with the stage of the same name."""
    by_stage: dict[str, list[Row]] = {}
    for row in rows:
        if row.what == what and row.stage_a == row.stage_b:
            by_stage.setdefault(row.stage_a, []).append(row)
    return by_stage


def _curve(rows: Sequence[Row], what: str) -> list[dict[str, float]]:
    """Returns, per repeat, stage -> similarity."""
    by_stage = _by_stage(rows, what)
    return [
        {
            stage: row.mean
            for stage, of_stage in by_stage.items()
            for row in of_stage
            if row.repeat == repeat
        }
        for repeat in sorted({row.repeat for row in rows})
    ]


def _chance(rows: Sequence[Row], what: str) -> dict[str, float]:
    return {
        stage: statistics.fmean(row.chance for row in of_stage)
        for stage, of_stage in _by_stage(rows, what).items()
    }


def _layers(rows: Sequence[Row]) -> Section:
    title = "Layer by layer"
    if not _by_stage(rows, TRAINED):
        note = "The two networks have no stages of the same name; see all pairs of stages below."
        return Section(title=title, note=note)
    measure = _measure(rows)
    trimmed = (
        "The trimmed mean leaves out the smallest correlations (those beyond 98 % of the sum). "
        if measure.trimmed
        else ""
    )
    note = (
        f"Similarity of stages of the same name: {measure.described} of their activations; "
        "mean ± sample standard deviation over pairs of networks. Chance is what channels that "
        "have nothing in common give at this number of positions: a value near it says nothing. "
        f"{trimmed}The rank is the number of dimensions in use: {measure.dimensions}."
    )
    picture = stage_curves.layers(
        {TRAINED: _curve(rows, TRAINED)}, _chance(rows, TRAINED), measure=measure.title
    )
    return Section(title=title, note=note, picture=picture, table=(_header(rows), _cells(rows)))


def _before_and_after(rows: Sequence[Row]) -> list[Section]:
    """What training did, where the initial networks of a side are known."""
    known = {
        what: by_stage
        for what in (OF_A, OF_B, INITIAL, TRAINED)
        if (by_stage := _by_stage(rows, what))
    }
    if not {OF_A, OF_B} & known.keys():
        return []
    names = list(dict.fromkeys(stage for by_stage in known.values() for stage in by_stage))
    body = [
        (
            what,
            *(
                text_tables.spread(Spread.of(row.mean for row in by_stage.get(stage, [])), 3)
                for stage in names
            ),
        )
        for what, by_stage in known.items()
    ]
    note = (
        "Each network against itself before and after training (high: it has hardly moved), and "
        "the two against each other before and after (Juodelyte et al. 2023, figure 3). Initial "
        "weights are drawn again from the study's seed and source. Error bars: sample standard "
        "deviation over pairs of networks."
    )
    chance = {stage: value for what in known for stage, value in _chance(rows, what).items()}
    measure = _measure(rows).title
    curves = {what: _curve(rows, what) for what in known}
    picture = stage_curves.layers(curves, chance, measure=measure)
    table = ((measure, *names), body)
    return [Section(title="Before and after training", note=note, picture=picture, table=table)]


def _all_pairs(rows: Sequence[Row]) -> Section:
    trained = [row for row in rows if row.what == TRAINED]
    of_a, of_b = (
        list(dict.fromkeys(getattr(row, side) for row in trained))
        for side in ("stage_a", "stage_b")
    )
    by_pair: dict[tuple[str, str], list[float]] = {}
    for row in trained:
        by_pair.setdefault((row.stage_a, row.stage_b), []).append(row.mean)
    values = np.array([[statistics.fmean(by_pair[a, b]) for b in of_b] for a in of_a])
    note = (
        "Every stage of A with every stage of B. Stages of different sizes meet on the smaller "
        "grid, the larger one averaged over the area of each position. Cells have different levels "
        "of chance, since their numbers of positions and channels differ; they are in the CSV file."
    )
    picture = stage_curves.heatmap(
        values, of_a, of_b, f"similarity ({_measure(rows).title})", ("A", "B")
    )
    return Section(title="All pairs of stages", note=note, picture=picture)


def _filters(comparison: Comparison) -> Section:
    note = (
        "Of the first pair of networks. Grey is zero; the pictures of one network share one scale."
    )
    picture = kernels.first_layer(comparison.before, comparison.after)
    return Section(title="First-layer filters", note=note, picture=picture)


def _agreement(comparison: Comparison) -> Section:
    title = "Predictions"
    if not comparison.agreements:
        note = f"Predictions are not compared: {comparison.no_agreements}."
        return Section(title=title, note=note)
    body, dots = [], {}
    for label in comparison.agreements[0]:
        pairs = [repeat[label] for repeat in comparison.agreements if repeat[label].images]
        if not pairs:
            continue
        spreads = (
            text_tables.spread(Spread.of(getattr(pair, name) for pair in pairs), 3)
            for name in ("accuracy_a", "accuracy_b", "similarity", "independent", "kappa")
        )
        body.append((label, text_tables.counts([pair.images for pair in pairs]), *spreads))
        dots[label] = [(pair.similarity, pair.independent) for pair in pairs]
    note = (
        "Prediction similarity is the share of images on which both networks are right or both are "
        "wrong (Mania et al. 2019; Juodelyte et al. 2023, equation 2 and figure 5), on all images "
        "that judge a pair. If mistakes were independent of each other it would be a1 a2 + "
        "(1 - a1)(1 - a2) for accuracies a1 and a2; kappa says how far it is above that, from 0 to "
        "1 for the same mistakes. A label is predicted where its probability is above one half. "
        "Mean ± sample standard deviation over pairs of networks."
    )
    picture = stage_curves.agreement(dots)
    return Section(title=title, note=note, picture=picture, table=(_AGREEMENT, body))
