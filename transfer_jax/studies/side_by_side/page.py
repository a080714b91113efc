"""The comparison of two runs as one page and one table."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from transfer_jax.analysis.layerwise import Sampling
from transfer_jax.core import files, platform
from transfer_jax.studies import figures, layer_figures, report, results, tables
from transfer_jax.studies.report import Section
from transfer_jax.studies.results import Spread
from transfer_jax.studies.side_by_side.comparison import INITIAL, OF_A, OF_B, TRAINED, Found
from transfer_jax.studies.side_by_side.finished import Run
from transfer_jax.studies.side_by_side.layers import Row
from transfer_jax.studies.side_by_side.pairing import Pairing
from transfer_jax.studies.trained import Trained

_LAYERS = ("stage", "similarity", "trimmed mean", "chance", "positions", "rank in A", "rank in B")
_AGREEMENT = ("label", "images", "accuracy of A", "accuracy of B", "prediction similarity", "if independent", "kappa")


def write(out: Path, found: Found, names: tuple[str, str], facts: Mapping[str, str]) -> None:
    """Writes the page to `out`, and its rows beside it as CSV.

    Args:
      out: path of the page, ending in .html.
      found: by `comparison.compare`.
      names: of the two runs, as the user gave them.
      facts: what was run, for the end of the page.
    """
    repeats = len({row.repeat for row in found.rows})
    pairs = f"{repeats} pairs of networks, each" if repeats > 1 else "One pair of networks,"
    lead = f"A is {names[0]}, B is {names[1]}. {pairs} compared on {found.images} images."
    sections = [_layers(found.rows), *_before_and_after(found.rows), _all_pairs(found), _filters(found), _agreement(found)]
    files.write(out.with_suffix(".csv"), results.to_csv([row._asdict() for row in found.rows]))
    files.write(out, report.page("Two networks compared", lead, facts, sections))


def facts(runs: tuple[Run, Run], paired: Pairing, found: Found, *, sampled: bool, called: str, seconds: float) -> dict[str, str]:
    """What was run, for the end of the page.

    Args:
      runs: that were compared.
      paired: their members and images.
      found: by `comparison.compare`.
      sampled: whether stages were sampled.
      called: the command.
      seconds: that it took.
    """
    made = {name: _described(run, network) for name, run, network in zip("AB", runs, found.networks, strict=True)}
    known = {run.repeats for run in runs if run.repeats is not None}
    made["Pairs"] = f"{len(paired.positions)}" + (", by repeat" if known else "")
    if len(known) > 1:
        made["Pairs"] += f"; of {max(known)} repeats of one side the last {max(known) - min(known)} have no partner and stay out"
    made["Images"] = f"{paired.described}; stages on {found.images} of them, evenly spread"
    protocol = Sampling(found.images)
    made["Comparison"] = "every position and channel"
    if sampled:
        numbers = f"{protocol.positions:,} positions and {protocol.channels} channels, mean of {protocol.repeats} draws, seed {protocol.seed}"
        made["Comparison"] = f"sampled as by Juodelyte et al. 2023: {numbers}"
    made["Machine"] = ", ".join(f"{value}" if key == "hardware" else f"{key} {value}" for key, value in platform.describe().items())
    return made | {"Command": called, "Time": f"{seconds:.0f} s; {time.strftime('%Y-%m-%d')}"}


def _described(run: Run, network: Trained) -> str:
    card = network.card
    options = "".join(f", {name}={value}" for name, value in card.options.items())
    data = f"; trained on {card.data}" if card.data else ""
    named = run.named if run.repeats is None else f"{run.named} (repeat 0 is {network.where})"
    return f"{named}: {network.network}{options}, layout {card.layout}{data}; normalisation {card.normalisation.name} ({card.normalisation_from})"


def table(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Stages of the same name: their cells, in the order of the page's first table."""
    cells = []
    for stage, own in _by_stage(rows, TRAINED).items():
        sizes = (_span([getattr(row, name) for row in own]) for name in ("n", "rank_a", "rank_b"))
        spreads = (tables.spread(Spread.of(getattr(row, name) for row in own), 3) for name in ("mean", "mean_trimmed"))
        chance = f"{statistics.fmean(row.chance for row in own):.3f}"
        cells.append((stage, *spreads, chance, *sizes))
    return cells


def plain(rows: Sequence[Row]) -> str:
    """The same for a terminal."""
    return tables.plain(_LAYERS, table(rows), math.nan)


def _by_stage(rows: Sequence[Row], what: str) -> dict[str, list[Row]]:
    """Rows of stages of the same name."""
    own = [row for row in rows if row.what == what and row.stage_a == row.stage_b]
    return {stage: [row for row in own if row.stage_a == stage] for stage in dict.fromkeys(row.stage_a for row in own)}


def _curve(rows: Sequence[Row], what: str) -> list[dict[str, float]]:
    """For each repeat, stage -> similarity."""
    by_stage = _by_stage(rows, what)
    return [
        {stage: row.mean for stage, own in by_stage.items() for row in own if row.repeat == repeat} for repeat in sorted({row.repeat for row in rows})
    ]


def _chance(rows: Sequence[Row], what: str) -> dict[str, float]:
    return {stage: statistics.fmean(row.chance for row in own) for stage, own in _by_stage(rows, what).items()}


def _layers(rows: Sequence[Row]) -> Section:
    if not _by_stage(rows, TRAINED):
        return Section("Layer by layer", "The two networks have no stages of the same name; see all pairs of stages below.")
    note = (
        "Similarity of stages of the same name: the mean canonical correlation of their activations, 1 where each network's channels "
        "are linear combinations of the other's, mean ± sample standard deviation over pairs of networks. Chance is what channels that have nothing "
        "to do with each other give at this number of positions: a value near it says nothing. The trimmed mean leaves out the smallest correlations "
        "(those beyond 98 % of the sum); the rank is the number of linearly independent channels."
    )
    return Section("Layer by layer", note, layer_figures.layers({TRAINED: _curve(rows, TRAINED)}, _chance(rows, TRAINED)), (_LAYERS, table(rows)))


def _before_and_after(rows: Sequence[Row]) -> list[Section]:
    """What training did, where it is known where a run began."""
    known = [what for what in (OF_A, OF_B, INITIAL, TRAINED) if _by_stage(rows, what)]
    if not {OF_A, OF_B} & set(known):
        return []
    stages = list(dict.fromkeys(stage for what in known for stage in _by_stage(rows, what)))
    body = []
    for what in known:
        found = _by_stage(rows, what)
        body.append((what, *(tables.spread(Spread.of(row.mean for row in found[stage]), 3) if stage in found else "-" for stage in stages)))
    note = (
        "Each network against itself before and after training (high: it has hardly moved), and the two against each other before and after "
        "(Juodelyte et al. 2023, figure 3). Initial weights are drawn again from the study's seed and source, as it began. Error bars: sample "
        "standard deviation over pairs of networks."
    )
    chance = {stage: value for what in known for stage, value in _chance(rows, what).items()}
    picture = layer_figures.layers({what: _curve(rows, what) for what in known}, chance)
    return [Section("Before and after training", note, picture, (("similarity", *stages), body))]


def _all_pairs(found: Found) -> Section:
    own = [row for row in found.rows if row.what == TRAINED]
    first, second = (list(dict.fromkeys(getattr(row, side) for row in own)) for side in ("stage_a", "stage_b"))
    values = [[statistics.fmean(row.mean for row in own if (row.stage_a, row.stage_b) == (a, b)) for b in second] for a in first]
    picture = layer_figures.heatmap(np.array(values), first, second, "mean CCA similarity", ("A", "B"))
    note = (
        "Every stage of A with every stage of B. Stages of different sizes meet on the smaller grid, the larger one averaged over what falls on a "
        "position. Cells have different levels of chance, since their numbers of positions and channels differ; they are in the CSV file."
    )
    return Section("All pairs of stages", note, picture)


def _filters(found: Found) -> Section:
    note = "Of the first pair of networks. Grey is zero; the pictures of one network share one scale."
    return Section("First-layer filters", note, figures.first_layer(found.before, found.after))


def _agreement(found: Found) -> Section:
    if not found.agreement:
        return Section("Predictions", f"Predictions are not compared: {found.no_agreement}.")
    labels = list(found.agreement[0])
    body, dots = [], {}
    for label in labels:
        own = [repeat[label] for repeat in found.agreement if repeat[label].images]
        if not own:
            continue
        spreads = [
            tables.spread(Spread.of(getattr(one, name) for one in own), 3) for name in ("accuracy_a", "accuracy_b", "similarity", "independent")
        ]
        kappas = [one.kappa for one in own if not math.isnan(one.kappa)]
        body.append((label, _span([one.images for one in own]), *spreads, tables.spread(Spread.of(kappas), 3) if kappas else "-"))
        dots[label] = [(one.similarity, one.independent) for one in own]
    note = (
        "Prediction similarity is the share of images on which both networks are right or both are wrong (Mania et al. 2019; Juodelyte et al. 2023, "
        "equation 2 and figure 5), on all images that judge a pair. If mistakes were independent of each other it would be a1 a2 + (1 - a1)(1 - a2) "
        "for accuracies a1 and a2; kappa says how far it is above that, from 0 to 1 for the same mistakes. A label is predicted where its "
        "probability is above one half. Mean ± sample standard deviation over pairs of networks."
    )
    return Section("Predictions", note, layer_figures.agreement(dots), (_AGREEMENT, body))


def _span(sizes: Sequence[int]) -> str:
    return f"{min(sizes):,}" if len(set(sizes)) == 1 else f"{min(sizes):,} to {max(sizes):,}"
