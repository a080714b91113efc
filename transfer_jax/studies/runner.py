"""A study from its settings to the tables in its folder."""

from __future__ import annotations

import dataclasses
import functools
import time
from pathlib import Path
from typing import Any

from jax.sharding import Mesh

from transfer_jax import settings
from transfer_jax.compare import agreements, representations
from transfer_jax.compare.probe import Probe
from transfer_jax.core import files, platform, processes
from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import ConfigError
from transfer_jax.data import dataset
from transfer_jax.data.dataset import Dataset
from transfer_jax.runs import (
    fingerprint,
    inputs,
    layout,
    record,
    results,
    summary,
    tables,
)
from transfer_jax.runs.inputs import Pretrained
from transfer_jax.runs.record import DataFacts, Inspection, Record
from transfer_jax.settings import Study
from transfer_jax.studies import (
    final_predictions,
    lengths,
    members,
    saving,
    source,
    training,
)
from transfer_jax.studies.training import Outcome, Training
from transfer_jax.train.evaluator import labels_in_mean
from transfer_jax.train.population import MemberSpec


def run_study(study: Study, folder: str | Path) -> None:
    """Runs the study in a folder, or resumes it there; a finished study is left as it is.

    Raises:
      UserError: Settings, data or checkpoints are wrong; nothing half-written is left.
      Interrupted: The user asked to stop; the same call resumes from there.
    """
    folder, start = Path(folder), time.monotonic()
    mesh = meshes.create(study.devices)
    pretrained = inputs.pretrained_from_file(study)
    opened, source_opened = _check(study, pretrained, mesh)
    fingerprint.claim(folder, study)
    fingerprint.record_inputs(folder, _digests(opened, source_opened, pretrained))
    if _intact(folder):
        return
    opened = opened or dataset.open_data(
        study.data, inputs.image_spec(study, pretrained), folder, study.seed
    )
    source_opened = source_opened or source.open_data(study, folder)
    fingerprint.record_inputs(folder, _digests(opened, source_opened, pretrained))
    study = lengths.in_steps(study, opened, source_opened)
    pretrained = pretrained or source.train(study, folder, mesh, source_opened)
    fingerprint.record_inputs(folder, _digests(opened, source_opened, pretrained))
    specs = members.specs(study, opened, pretrained)
    facts = _record(study, opened, pretrained)
    if processes.is_main():
        record.write(folder, facts)
        saving.save_filters(folder, specs, None)
    make_network = functools.partial(settings.network, study, opened.task.num_outputs)
    probe = Probe(opened, make_network(), specs[0].variables, study.similarity, mesh)
    plan = Training(
        label="study",
        folder=folder,
        make_network=make_network,
        dataset=opened,
        recipe=study.recipe,
        specs=specs,
        seed=study.seed,
        mesh=mesh,
        metrics=study.evaluated_metrics,
        probe=probe,
    )
    outcome = training.train(plan)
    final_predictions.save(plan, outcome)
    similarities = _similarities(study, probe, specs, outcome)
    if processes.is_main():
        saving.save_weights(study, folder, opened, specs, outcome)
        saving.save_filters(folder, specs, outcome)
        _write_tables(study, folder, facts.data, outcome, similarities)
        inspected = Inspection(images=probe.images, left_out=probe.left_out)
        finished = dataclasses.replace(
            facts,
            seconds=round(time.monotonic() - start, 3),
            inspection=inspected if study.similarity.at_end else None,
        )
        record.write(folder, finished)
        fingerprint.record_results(folder)
    processes.barrier(f"results of {folder}")


def _check(
    study: Study, pretrained: Pretrained | None, mesh: Mesh
) -> tuple[Dataset | None, Dataset | None]:
    """Finds what can be found wrong before anything is written and hours are spent.

    Returns:
      The study's data and its source's, where they exist already.
    """
    recipe, source_opened = study.recipe, None
    meshes.check_batch(mesh, recipe.batch_size, "config.recipe.batch_size")
    spec = inputs.image_spec(study, pretrained)
    opened = dataset.check(study.data, spec, recipe.batch_size, study.seed)
    data, recipe_of_source = study.source.data, study.source.recipe
    if data is not None and recipe_of_source is not None:
        batch_size = recipe_of_source.batch_size
        meshes.check_batch(mesh, batch_size, "config.source.recipe.batch_size")
        spec = inputs.source_image_spec(study)
        source_opened = dataset.check(data, spec, batch_size, study.seed)
    in_steps = lengths.in_steps(study, opened, source_opened)
    members.check(in_steps, None if pretrained is None else pretrained.of(0))
    return opened, source_opened


def _digests(
    opened: Dataset | None, source_opened: Dataset | None, pretrained: Pretrained | None
) -> dict[str, str]:
    """Returns the digests of what the study reads, as far as it is opened."""
    return {
        **inputs.digests_of_data(opened),
        **inputs.digests_of_data(source_opened, inputs.SOURCE_DATA),
        **inputs.digests_of_source(pretrained),
    }


def _intact(folder: Path) -> bool:
    """Returns whether the study has finished and its tables are as it left them."""
    names = fingerprint.recorded_results(folder)
    try:
        record.read(folder)
        fingerprint.check_results(folder, names)
    except ConfigError:
        return False
    return bool(names)


def _record(study: Study, opened: Dataset, pretrained: Pretrained) -> Record:
    return Record(
        data=DataFacts.of(opened),
        images_per_epoch=lengths.images_per_epoch(study.data, study.recipe, opened, study),
        source=_source_in_words(study, pretrained),
        machine=platform.describe(),
        date=time.strftime("%Y-%m-%d"),
    )


def _source_in_words(study: Study, pretrained: Pretrained) -> str:
    if pretrained.history:
        data, recipe = study.source.data, study.source.recipe
        assert data is not None and recipe is not None
        last = {entry["member"]: entry for entry in pretrained.history}
        scores = [f"{entry['auc']:.3f}{labels_in_mean(entry)}" for entry in last.values()]
        each = ", once per repeat," if study.source.per_repeat else ""
        name = data.phantom or Path(data.path or "").name
        return (
            f"the same network trained {recipe.described()}{each} on {name} "
            f"({data.task}: {', '.join(data.labels)}), validation AUC {', '.join(scores)}"
        )
    if pretrained.card is None:
        return ""
    card = pretrained.card
    recognised = "".join(f"; {sentence}" for sentence in card.recognised)
    return (
        f"{study.source.path} ({card.network}, layout {card.layout}; its normalisation: "
        f"{card.normalisation.name}, {card.normalisation_from}{recognised})"
    )


def _similarities(
    study: Study, probe: Probe, specs: list[MemberSpec], outcome: Outcome
) -> list[representations.Likeness] | None:
    """Compares the members whose weights are of use; None where the study does not ask for it."""
    if not study.similarity.at_end:
        return None
    before: dict[str, Any] = {spec.name: spec.variables for spec in specs}
    after = outcome.usable(study.similarity.weights, study.recipe.select)
    return representations.compare(study, probe, before, after)


def _write_tables(
    study: Study,
    folder: Path,
    data: DataFacts,
    outcome: Outcome,
    similarities: list[representations.Likeness] | None,
) -> None:
    results.write_history(folder, outcome.history)
    summary.write_run(folder, study, data)
    rows = results.rows(study, outcome.history)
    files.write(folder / layout.RESULTS, tables.to_csv(rows))
    if similarities is not None:
        agreed = agreements.to_rows(agreements.compare(study, data, folder))
        files.write(
            folder / layout.SIMILARITY, tables.to_csv(representations.to_rows(similarities))
        )
        files.write(folder / layout.AGREEMENT, tables.to_csv(agreed))
