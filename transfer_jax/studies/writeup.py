"""What a finished study leaves to be read: its tables, its pictures, and one page with all of them."""

import time
from pathlib import Path
from typing import Any

from transfer_jax.core import files, platform
from transfer_jax.settings import NetworkOptions, Recipe, Study
from transfer_jax.studies import comparison, figures, report, results, tables
from transfer_jax.studies.datasets import Opened
from transfer_jax.studies.inside import inspection, representations
from transfer_jax.studies.inside import sections as looks
from transfer_jax.studies.inside.inspection import Inside
from transfer_jax.studies.results import History
from transfer_jax.studies.sources import Pretrained


def write(
    study: Study,
    folder: Path,
    opened: Opened,
    history: History,
    source: Pretrained,
    kernels: tuple[dict, dict],
    inside: Inside | None,
    seconds: float,
) -> None:
    """Writes results.csv, history.csv and report.html; similarity.csv and agreement.csv where it was looked `inside`.

    Args:
      study: that is finished.
      folder: of the run.
      opened: the data.
      history: evaluations of all members.
      source: what arms began from.
      kernels: member -> first-layer kernel, before and after training.
      inside: what similarity was found.
      seconds: that this run of the program took.
    """
    rows = results.rows(study, history)
    summaries = results.summaries(study, rows)
    head = tuple(h.format(threshold=study.threshold_auc) for h in tables.HEADER)
    drawn = _drawn(study, rows)
    before, after = ({arm: values[name] for arm, name in drawn.items()} for values in kernels)
    sections = [
        report.Section("Results", _table_note(study, opened, rows), table=(head, [tables.cells(s) for s in summaries])),
        report.Section(
            "Convergence",
            f"Thin lines: repeats; thick: their mean; dashed: the threshold. Below {figures.LOWEST_AUC} the picture is cut off."
            + (" A cross marks the last evaluation before a member diverged." if _diverged(rows) else ""),
            picture=figures.convergence(study, history),
        ),
        *_compared(study, rows),
        report.Section(
            "Steps to the threshold",
            f"No interpolation: members are evaluated every {study.recipe.eval_every} steps.",
            picture=figures.steps_to_threshold(summaries, rows, study.threshold_auc),
        ),
        report.Section("Final AUC", "Members of one repeat saw the same batches in the same order.", picture=figures.final_auc(summaries, rows)),
        *(looks.sections(study, inside, rows) if inside is not None else []),
    ]
    if drawn:
        note = "The first repeat of each arm that did not diverge. Grey is zero; the two pictures of an arm share one scale."
        sections.append(report.Section("First-layer filters", note, picture=figures.first_layer(before, after)))
    files.write(folder / "results.csv", results.to_csv(rows))
    files.write(folder / "history.csv", results.to_csv(history))
    if inside is not None:
        files.write(folder / "similarity.csv", results.to_csv(representations.to_rows(inside.likenesses)))
        files.write(folder / "agreement.csv", results.to_csv(inspection.to_rows(inside.agreements)))
    lead = f"{study.network} on {opened.manifest.name}: {len(study.arms)} initialisations, {study.repeats} repeats each."
    facts = _facts(study, opened, source, seconds)
    diverged = _diverged(rows)
    if diverged:
        facts["Diverged"] = (
            ", ".join(f"{row['arm']}-{row['repeat']} at step {row['diverged_at']}" for row in diverged)
            + ": its loss, parameters or predictions are not finite numbers from then on"
        )
    files.write(folder / "report.html", report.page(study.name, lead, facts, sections))


def _diverged(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the rows of the members that diverged."""
    return [row for row in rows if row["diverged_at"] is not None]


def _drawn(study: Study, rows: list[dict[str, Any]]) -> dict[str, str]:
    """Returns, for each arm, the first of its members that did not diverge, if there is one."""
    arms = {arm.name: arm for arm in study.arms}
    members: dict[str, str] = {}
    for row in rows:
        if row["diverged_at"] is None:
            members.setdefault(row["arm"], arms[row["arm"]].member(row["repeat"]))
    return members


def _compared(study: Study, rows: list[dict[str, Any]]) -> list[report.Section]:
    """Arms against the first, where there are several."""
    found = comparison.differences(study, rows)
    if not found:
        return []
    head = tuple(h.format(threshold=study.threshold_auc) for h in tables.DIFFERENCES)
    note = (
        f"Arm minus {study.arms[0].name}, paired by repeat, mean ± half of the {comparison.LEVEL:.0%} confidence interval (Student's t; * where zero "
        "lies outside). Intervals are not corrected for their number. Members that stopped early keep their last AUC."
    )
    return [report.Section(f"Differences from {study.arms[0].name}", note, table=(head, [tables.difference_cells(d) for d in found]))]


def _table_note(study: Study, opened: Opened, rows: list[dict[str, Any]]) -> str:
    unmeasured = opened.unmeasured()
    return (
        f"AUC on {len(opened.part(0).val)} validation images, mean ± sample standard deviation over repeats, evaluated every "
        f"{study.recipe.eval_every} steps. Best AUC is picked on the images it is measured on and so is optimistic. "
        "Steps to the threshold are those of the first evaluation at or above it."
        + (f" {unmeasured}" if unmeasured else "")
        + (" Members that diverged enter no mean and never reach the threshold." if _diverged(rows) else "")
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
        f"({recipe.schedule}), weight decay {recipe.weight_decay:g}{_course(recipe)}",
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
            f"{results.labels_in_mean(source.history[-1])}"
        )
    elif source.card is not None:
        card = source.card
        recognised = "".join(f"; {sentence}" for sentence in card.recognised)
        facts["Source"] = (
            f"{study.source.path} ({card.network}, layout {card.layout}; "
            f"its normalisation: {card.normalisation.name}, {card.normalisation_from}{recognised})"
        )
    facts["Seeds"] = f"{study.seed}, repeats 0 to {study.repeats - 1}"
    facts["Machine"] = ", ".join(f"{value}" if key == "hardware" else f"{key} {value}" for key, value in platform.describe().items())
    facts["Time"] = f"{seconds:.0f} s in this run of the program (a resumed study took longer in all); {time.strftime('%Y-%m-%d')}"
    return facts


def _course(recipe: Recipe) -> str:
    """What a recipe does besides training everything to the end, in words; arms may have rates and phases of their own."""
    said = [f"rates {', '.join(recipe.rates)}"] if recipe.rates != Recipe().rates else []
    said += [f"{phase.steps} steps with rates {', '.join(phase.rates)}" for phase in recipe.phases]
    said += [f"early stopping after {recipe.patience} evaluations"] if recipe.patience else []
    return "".join(f"; {words}" for words in said)
