"""What was run, in words: the end of a report."""

from __future__ import annotations

from collections.abc import Mapping

from transfer_jax.runs import results
from transfer_jax.runs.record import DataFacts, Record
from transfer_jax.runs.run import Run
from transfer_jax.settings import NetworkOptions, Phase, Recipe, Study
from transfer_jax.train import early_stop
from transfer_jax.train.recipe import LOSS
from transfer_jax.train.schedule import MemberSchedule


def of_study(run: Run) -> dict[str, str]:
    """Returns the facts of a study, name -> text."""
    study, record = run.study, run.record
    facts = {
        "Network": _network(study),
        "Target": _target(record.data),
        "Training": _training(run.in_steps.recipe),
        "Normalisation": _normalisation(record.data),
    }
    if record.source:
        facts["Source"] = record.source
    facts["Seeds"] = f"{study.seed}, repeats 0 to {study.repeats - 1}"
    facts["Machine"] = machine(record.machine)
    facts["Time"] = _time(record)
    early = _early_ends(run)
    if early:
        facts["Ended early"] = early
    diverged = [row for row in run.rows if row["diverged_at"] is not None]
    if diverged:
        members = (f"{row['arm']}-{row['repeat']} at step {row['diverged_at']}" for row in diverged)
        facts["Diverged"] = (
            f"{', '.join(members)}: its loss, parameters or predictions are not finite numbers "
            "from then on"
        )
    return facts


def machine(description: Mapping[str, str]) -> str:
    """Returns hardware and versions in words; `description` is that of `core.platform.describe`."""
    return ", ".join(
        value if name == "hardware" else f"{name} {value}" for name, value in description.items()
    )


def _network(study: Study) -> str:
    default = NetworkOptions()
    options = [
        f"{name}={value}"
        for name, value in vars(study.network_options).items()
        if value != getattr(default, name)
    ]
    return ", ".join([study.network, *options])


def _target(data: DataFacts) -> str:
    threshold = f" >= {data.threshold}" if data.task == "binary" else ""
    task = f"{data.task}: {', '.join(data.labels)}{threshold}"
    return f"{data.name}, {task}; {data.images} of {data.height} x {data.width} x {data.channels}"


def _training(recipe: Recipe) -> str:
    parts = [f"rates {', '.join(recipe.rates)}"] if recipe.rates != Recipe().rates else []
    parts += [_phase(phase, recipe) for phase in recipe.phases]
    if recipe.patience and not recipe.phases:
        parts.append(f"early stopping after {_waiting(recipe.patience, recipe.select)}")
    if recipe.select != LOSS:
        parts.append(f"best weights by validation {recipe.select}")
    return (
        f"{recipe.described()} of {recipe.batch_size} images, {recipe.optimizer}, learning rate "
        f"{recipe.learning_rate:g} ({recipe.schedule}), weight decay {recipe.weight_decay:g}"
        + "".join(f"; {part}" for part in parts)
    )


def _phase(phase: Phase, recipe: Recipe) -> str:
    patience, select = phase.patience or recipe.patience, phase.select or recipe.select
    epochs = "" if phase.epochs is None else f" ({phase.epochs} epochs)"
    text = f"{phase.steps} steps{epochs} with rates {', '.join(phase.rates)}"
    return f"at most {text}, until {_waiting(patience, select)}" if patience else text


def _waiting(patience: int, select: str) -> str:
    count = "1 evaluation" if patience == 1 else f"{patience} evaluations"
    return f"{count} without a better validation {select}"


def _early_ends(run: Run) -> str:
    """Returns which members' phases ended by their patience, and when, in words."""
    study, parts = run.in_steps, []
    for arm in study.arms:
        planned = MemberSchedule.of(study.recipe, arm)
        for repeat in range(study.repeats):
            member = arm.member(repeat)
            entries = results.of_member(run.entries, member)
            if early_stop.diverged(entries):
                continue
            schedule = early_stop.followed({member: planned}, entries)[member]
            ends = early_stop.ended_early(schedule)
            which = {i: f"phase {i + 1} " if len(schedule.phases) > 1 else "" for i in ends}
            parts += [f"{member} {which[i]}at step {step}" for i, step in ends.items()]
    return ", ".join(parts)


def _normalisation(data: DataFacts) -> str:
    normalisation = data.normalisation
    mean, std = (
        ", ".join(f"{value:.4g}" for value in values)
        for values in (normalisation.mean, normalisation.std)
    )
    order = "; blue, green, red" if normalisation.bgr else ""
    return f"{normalisation.name}: mean {mean}; std {std}{order}"


def _time(record: Record) -> str:
    if record.seconds is None:
        return f"not finished; begun or resumed on {record.date}"
    return (
        f"{record.seconds:.0f} s in the last run of the program (a resumed study took longer in "
        f"all); {record.date}"
    )
