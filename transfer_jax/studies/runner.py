"""A study from its settings to its report."""

import functools
import time
from pathlib import Path
from typing import NamedTuple

import jax
from jax.sharding import Mesh

from transfer_jax import settings, weights
from transfer_jax.core import mesh as meshes
from transfer_jax.settings import Study
from transfer_jax.studies import assessment, cards, datasets, fingerprints, grid, results, session, sources, tables, workdir, writeup
from transfer_jax.studies.datasets import Opened
from transfer_jax.studies.inside import inspection
from transfer_jax.studies.inside.probe import Probe
from transfer_jax.studies.session import Outcome
from transfer_jax.studies.sources import Pretrained
from transfer_jax.train import early_stop


class Done(NamedTuple):
    """Where a study's results are, and what the console says of them.

    Attributes:
      report: The report's file.
      tensorboard: Folder for TensorBoard.
      table: One line per arm.
      notes: What a reader of the table must know, a sentence each.
    """

    report: Path
    tensorboard: Path
    table: str
    notes: tuple[str, ...]


def run(study: Study, folder: str | Path) -> Done:
    """Runs the study in `folder`, or goes on where it stopped there, and writes its report.

    Raises:
      UserError: settings, data or checkpoints are wrong; nothing half-written is left.
      Interrupted: the user asked to stop; the same call goes on from there.
    """
    folder, start = Path(folder), time.monotonic()
    mesh = meshes.create(study.devices)
    found = sources.from_file(study)
    opened, source_opened = _check(study, found, mesh)
    workdir.claim(folder, study)
    workdir.record_inputs(folder, _inputs(opened, source_opened, found))
    opened = opened or datasets.open_data(study.data, sources.needs(study, found), folder, study.seed)
    source_opened = source_opened or sources.open_data(study, folder)
    workdir.record_inputs(folder, _inputs(opened, source_opened, found))
    source = found or sources.obtain(study, folder, mesh, source_opened)
    workdir.record_inputs(folder, _inputs(opened, source_opened, source))
    plans = grid.plans(study, opened, source.variables)
    network = functools.partial(settings.network, study, opened.task.num_outputs)
    probe = Probe(opened, network(), plans[0].variables, study.similarity, mesh)
    outcome = session.train("study", folder, network, opened, study.recipe, plans, seed=study.seed, mesh=mesh, probe=probe)
    inside = inspection.inspect(study, opened, network(), probe, plans, outcome, mesh) if study.similarity.at_end else None
    if jax.process_index() == 0:
        for plan in plans:
            for place, variables, entry in cards.places(folder, outcome, plan.name):
                weights.save(place, variables, cards.card(study, opened, plan.facts, entry))
        before = {plan.name: assessment.first_filters(plan.variables) for plan in plans}
        after = {name: assessment.first_filters(variables) for name, variables in outcome.variables.items()}
        writeup.write(study, folder, opened, outcome.history, source, (before, after), inside, time.monotonic() - start)
        workdir.record_results(folder)
    rows = results.summaries(study, results.rows(study, outcome.history))
    table = tables.plain(tables.HEADER, [tables.cells(row) for row in rows], study.threshold_auc)
    notes = tuple(filter(None, (_diverged(outcome), opened.unmeasured())))
    return Done(folder / "report.html", folder, table, notes)


def _diverged(outcome: Outcome) -> str:
    """Says which members diverged, or "" where none did."""
    diverged = early_stop.diverged(outcome.history)
    if not diverged:
        return ""
    members = ", ".join(f"{member} at step {step}" for member, step in diverged.items())
    return (
        f"Diverged: {members}. Diverged members enter no mean, are compared with no other, and leave "
        "only the weights of their best evaluation before."
    )


def _inputs(opened: Opened | None, source_opened: Opened | None, source: Pretrained | None) -> dict[str, str]:
    """Returns the digests of what the study reads, as far as it is opened."""
    return {
        **fingerprints.of_data(opened),
        **fingerprints.of_data(source_opened, fingerprints.SOURCE_DATA),
        **fingerprints.of_source(source),
    }


def _check(study: Study, found: Pretrained | None, mesh: Mesh) -> tuple[Opened | None, Opened | None]:
    """Finds what can be found wrong before anything is written and hours are spent.

    Returns:
      The study's data and its source's, where they are opened by now.
    """
    meshes.check_batch(mesh, study.recipe.batch_size, "config.recipe.batch_size")
    opened = datasets.check(study.data, sources.needs(study, found), study.recipe.batch_size, study.seed)
    source, source_opened = study.source, None
    if source.data is not None and source.recipe is not None:
        meshes.check_batch(mesh, source.recipe.batch_size, "config.source.recipe.batch_size")
        source_opened = datasets.check(source.data, sources.own_needs(study), source.recipe.batch_size, study.seed)
    grid.check(study, found.variables if found is not None else None)
    return opened, source_opened
