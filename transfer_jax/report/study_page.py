"""The report of a study, rendered from its folder."""

from __future__ import annotations

from pathlib import Path

from transfer_jax.compare import agreements, auc_gains, representations
from transfer_jax.core import files
from transfer_jax.core.errors import ConfigError
from transfer_jax.report import (
    convergence,
    facts,
    html,
    inside,
    judged,
    judged_curves,
    source_section,
    text_tables,
)
from transfer_jax.report.figures import kernels
from transfer_jax.report.html import Section
from transfer_jax.report.summaries import summaries
from transfer_jax.runs import first_layer, layout
from transfer_jax.runs.run import Run

CONSOLE_METRICS = 3
_SPREAD = {False: "one repeat", True: "mean ± standard deviation over repeats"}


def write(run: Run, path: Path | None = None) -> Path:
    """Writes the report of a finished or unfinished study.

    Args:
      run: The study.
      path: File to write, by default report.html in the run folder.

    Returns:
      The file.

    Raises:
      ConfigError: Files of the folder are missing or damaged.
    """
    path = run.report if path is None else path
    files.write(path, page(run))
    return path


def page(run: Run) -> str:
    """Returns the report as HTML, a function of the run folder alone.

    Raises:
      ConfigError: Files of the folder are missing or damaged.
    """
    if not run.entries:
        raise ConfigError(f"{run.folder} holds no evaluation yet: there is nothing to report")
    study, record = run.study, run.record
    by_arm = summaries(study, run.rows)
    sections = [
        *judged.sections(run),
        *judged_curves.sections(run),
        *convergence.sections(run, by_arm),
        *source_section.sections(run),
        *_inside(run),
        *_filters(run),
    ]
    repeats = f"{study.repeats} repeat{'s' if study.repeats > 1 else ''} each"
    arms = f"{len(study.arms)} initialisation{'s' if len(study.arms) > 1 else ''}"
    lead = f"{study.network} on {record.data.name}: {arms}, {repeats}."
    if not run.finished:
        last = max(entry["step"] for entry in run.entries)
        lead += f" Not finished: evaluated up to step {last} of {run.in_steps.recipe.steps}."
    return html.page(study.name, lead, facts.of_study(run), sections)


def console(run: Run) -> str:
    """Returns the tables of a study for a terminal, with what their reader must know below them.

    Those are the results over all images, of the first metrics, and the convergence.
    """
    parts = [
        f"{section.title}, {_SPREAD[run.study.repeats > 1]} [95 % interval over patients]\n"
        f"{_first_columns(section)}\n"
        for section in judged.sections(run)[:1]
    ]
    header = text_tables.header(text_tables.HEADER, run.study.threshold_auc)
    cells = [text_tables.cells(each) for each in summaries(run.study, run.rows)]
    parts += [f"{convergence.TITLE}\n{text_tables.plain(header, cells)}", *notes(run)]
    return "\n".join(parts)


def _first_columns(section: Section) -> str:
    assert section.table is not None
    header, rows = section.table
    shown = 2 + CONSOLE_METRICS  # after the arm and its weights
    return text_tables.plain(header[:shown], [row[:shown] for row in rows])


def notes(run: Run) -> list[str]:
    """Returns what a reader of the table must know, a sentence or two each."""
    diverged = [row for row in run.rows if row["diverged_at"] is not None]
    texts = []
    if diverged:
        names = (f"{row['arm']}-{row['repeat']} at step {row['diverged_at']}" for row in diverged)
        texts.append(
            f"Diverged: {', '.join(names)}. Diverged members enter no mean, are compared with no "
            "other, and leave only the weights of their best evaluation before."
        )
    if run.record.data.unmeasured:
        texts.append(run.record.data.unmeasured)
    return texts


def _inside(run: Run) -> list[Section]:
    inspection = run.record.inspection
    similarity, agreement = map(run.check_file, (layout.SIMILARITY, layout.AGREEMENT))
    if inspection is None or similarity is None or agreement is None:
        return []
    return inside.sections(
        run.study,
        auc_gains.of_run(run),
        representations.from_csv(similarity),
        agreements.from_csv(agreement),
        inspection,
    )


def _filters(run: Run) -> list[Section]:
    """The first member of each arm that did not diverge."""
    run.check_file(layout.FILTERS)
    stored, arms = first_layer.read(run.folder), {arm.name: arm for arm in run.study.arms}
    members: dict[str, str] = {}
    for row in run.rows:
        if row["diverged_at"] is None:
            members.setdefault(row["arm"], arms[row["arm"]].member(row["repeat"]))
    before, after = (
        {arm: kernels_of[name] for arm, name in members.items() if name in kernels_of}
        for kernels_of in stored
    )
    if not after:
        return []
    note = (
        "The first repeat of each arm that did not diverge. Grey is zero; the two pictures of an "
        "arm share one scale."
    )
    picture = kernels.first_layer(before, after)
    return [Section(title="First-layer filters", note=note, picture=picture)]
