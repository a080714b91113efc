"""A study from its settings to its report."""

import time
from pathlib import Path
from typing import NamedTuple

import jax
from jax.sharding import Mesh

from transfer_jax import settings, weights
from transfer_jax.core import files, platform
from transfer_jax.core import mesh as meshes
from transfer_jax.settings import NetworkOptions, Study
from transfer_jax.studies import assessment, cards, datasets, figures, grid, report, results, session, sources, tables, workdir
from transfer_jax.studies.datasets import Opened
from transfer_jax.studies.results import History
from transfer_jax.studies.sources import Pretrained


class Done(NamedTuple):
    """Where a study's results are, and its table as text."""

    report: Path
    tensorboard: Path
    table: str


def run(study: Study, folder: str | Path) -> Done:
    """Runs the study in `folder`, or goes on where it stopped there, and writes its report.

    Raises:
      UserError: settings, data or checkpoints are wrong; nothing half-written is left.
      Interrupted: the user asked to stop; the same call goes on from there.
    """
    folder, start = Path(folder), time.monotonic()
    mesh = meshes.create(study.devices)
    found = sources.from_file(study)
    _check(study, found, mesh)
    workdir.claim(folder, study)
    opened = datasets.open_data(study.data, sources.needs(study, found), folder, study.seed)
    source = found or sources.obtain(study, folder, mesh)
    plans = grid.plans(study, opened, source.variables)
    module = settings.network(study, opened.task.num_outputs)
    outcome = session.train("study", folder, module, opened, study.recipe, plans, seed=study.seed, mesh=mesh)
    if jax.process_index() == 0:
        for plan in plans:
            card = cards.card(study, opened, plan.facts, outcome.history, plan.name)
            weights.save(folder / "weights" / plan.name, outcome.variables[plan.name], card)
        before = {plan.name: assessment.first_filters(plan.variables) for plan in plans}
        after = {name: assessment.first_filters(variables) for name, variables in outcome.variables.items()}
        _write(study, folder, opened, outcome.history, source, (before, after), time.monotonic() - start)
    rows = results.summaries(study, results.rows(study, outcome.history))
    return Done(folder / "report.html", folder, tables.plain(rows, study.threshold_auc))


def _check(study: Study, found: Pretrained | None, mesh: Mesh) -> None:
    """Finds what can be found wrong before anything is written and hours are spent."""
    for where, data, recipe in (("data", study.data, study.recipe), ("source.data", study.source.data, study.source.recipe)):
        if data is not None and recipe is not None:
            meshes.check_batch(mesh, recipe.batch_size, f"config.{where.replace('data', 'recipe')}.batch_size")
            session.optimizer_of(recipe)
            datasets.check(data, sources.needs(study, found), recipe.batch_size, study.seed)
    if found is not None:
        grid.check(study, found.variables)


def _write(study: Study, folder: Path, opened: Opened, history: History, source: Pretrained, kernels: tuple[dict, dict], seconds: float) -> None:
    rows = results.rows(study, history)
    summaries = results.summaries(study, rows)
    head = tuple(h.format(threshold=study.threshold_auc) for h in tables.HEADER)
    first = {arm.name: arm.member(0) for arm in study.arms}
    before, after = ({arm: values[name] for arm, name in first.items()} for values in kernels)
    sections = [
        report.Section("Results", _table_note(study, opened), table=(head, [tables.cells(s) for s in summaries])),
        report.Section(
            "Convergence",
            f"Thin lines: repeats; thick: their mean; dashed: the threshold. Below {figures.LOWEST_AUC} the picture is cut off.",
            picture=figures.convergence(study, history),
        ),
        report.Section("Final AUC", "Members of one repeat saw the same batches in the same order.", picture=figures.final_auc(summaries, rows)),
        report.Section(
            "First-layer filters", "Repeat 0. Grey is zero; the two pictures of an arm share one scale.", picture=figures.first_layer(before, after)
        ),
    ]
    files.write(folder / "results.csv", results.to_csv(rows))
    files.write(folder / "history.csv", results.to_csv(history))
    lead = f"{study.network} on {opened.manifest.name}: {len(study.arms)} initialisations, {study.repeats} repeats each."
    files.write(folder / "report.html", report.page(study.name, lead, _facts(study, opened, source, seconds), sections))


def _table_note(study: Study, opened: Opened) -> str:
    return (
        f"AUC on {len(opened.part(0).val)} validation images, mean ± sample standard deviation over repeats, evaluated every "
        f"{study.recipe.eval_every} steps. Best AUC is picked on the images it is measured on and so is optimistic. "
        "Steps to the threshold are those of the first evaluation at or above it."
    )


def _facts(study: Study, opened: Opened, source: Pretrained, seconds: float) -> dict[str, str]:
    task, recipe = opened.task, study.recipe
    goal = f"{task.kind}: {', '.join(task.labels)}" + (f" >= {task.threshold}" if task.kind == "binary" else "")
    options = [f"{name}={value}" for name, value in vars(study.network_options).items() if value != getattr(NetworkOptions(), name)]
    n = opened.normalisation
    facts = {
        "Network": ", ".join([study.network, *options]),
        "Target": f"{opened.manifest.name}, {goal}; {opened.described()} of "
        f"{opened.manifest.height} x {opened.manifest.width} x {opened.manifest.channels}",
        "Training": f"{recipe.steps} steps of {recipe.batch_size} images, {recipe.optimizer}, learning rate {recipe.learning_rate:g} "
        f"({recipe.schedule}), weight decay {recipe.weight_decay:g}",
    }
    facts["Normalisation"] = (
        f"{n.name}: mean {', '.join(f'{v:.4g}' for v in n.mean)}; std {', '.join(f'{v:.4g}' for v in n.std)}{'; blue, green, red' if n.bgr else ''}"
    )
    if source.history:
        assert study.source.data is not None and study.source.recipe is not None
        data = study.source.data
        facts["Source"] = (
            f"the same network trained {study.source.recipe.steps} steps on {data.phantom or Path(data.path or '').name} "
            f"({data.task}: {', '.join(data.labels)}), AUC {source.history[-1]['auc']:.3f}"
        )
    elif source.card is not None:
        card = source.card
        facts["Source"] = (
            f"{study.source.path} ({card.network}, layout {card.layout}; its normalisation: {card.normalisation.name}, {card.normalisation_from})"
        )
    facts["Seeds"] = f"{study.seed}, repeats 0 to {study.repeats - 1}"
    facts["Machine"] = ", ".join(f"{value}" if key == "hardware" else f"{key} {value}" for key, value in platform.describe().items())
    facts["Time"] = f"{seconds:.0f} s in this run of the program (a resumed study took longer in all); {time.strftime('%Y-%m-%d')}"
    return facts
