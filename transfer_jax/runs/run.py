"""A run folder opened again, without data or device: settings, tables, predictions, weights."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transfer_jax import settings, weights
from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.metrics import Scored
from transfer_jax.runs import (
    fingerprint,
    inputs,
    judging,
    layout,
    long_form,
    predictions,
    record,
    results,
)
from transfer_jax.runs.judging import Rule
from transfer_jax.runs.record import Record
from transfer_jax.settings import Study
from transfer_jax.train import early_stop

if TYPE_CHECKING:
    import pandas


class Run:
    """A finished or unfinished study in its folder.

    Tables are read when they are first asked for, and checked against the digests that a finished
    study records.

    Attributes:
      folder: The run folder.
      study: Settings of the study.
    """

    def __init__(self, folder: str | Path) -> None:
        """Opens a run folder.

        Raises:
          ConfigError: The folder holds no study, its settings are damaged, or they do not fit this
            version of the program.
        """
        self.folder = Path(folder)
        if not self.folder.is_dir() or not fingerprint.is_study(self.folder):
            raise ConfigError(f"{folder} holds no study: give the folder (--workdir) of one")
        config = fingerprint.read_config(self.folder)
        try:
            self.study: Study = settings.load(config)
        except ConfigError as error:
            raise ConfigError(
                f"{self.folder / layout.CONFIG} does not fit this version of the program: {error}"
            ) from error

    def __repr__(self) -> str:
        """Returns the study's name, its folder, and whether it is finished."""
        state = "finished" if self.finished else "not finished"
        return f"Run({self.study.name!r}, {str(self.folder)!r}, {state})"

    @property
    def finished(self) -> bool:
        """Whether the study has finished."""
        return bool(fingerprint.recorded_results(self.folder))

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the study's members, repeat by repeat."""
        return tuple(member for member, _, _ in long_form.members(self.study))

    @functools.cached_property
    def record(self) -> Record:
        """Facts of the run; raises ConfigError where it has not begun its training."""
        return record.read(self.folder)

    @functools.cached_property
    def in_steps(self) -> Study:
        """The settings, with how arms are trained in steps where it is set in epochs.

        Raises ConfigError where that is not known yet, as `record` does.
        """
        return self.study.in_steps(self.record.images_per_epoch, None)

    @functools.cached_property
    def entries(self) -> list[dict[str, Any]]:
        """The history: one dict per member and evaluation."""
        if self.finished:
            fingerprint.check_results(self.folder, [layout.HISTORY])
        return results.read_history(self.folder)

    @functools.cached_property
    def source_entries(self) -> list[dict[str, Any]]:
        """Evaluations, on the source's own validation images, of the weights that arms began from.

        An entry of the source's history, with "repeat" beside its columns, per repeat that has a
        source of its own; a single one, with repeat None, where one source serves all repeats; none
        of a study that trains no source.
        """
        source = self.study.source
        if source.recipe is None:
            return []
        name = f"{layout.SOURCE}/{layout.HISTORY}"
        if self.finished:
            fingerprint.check_results(self.folder, [name])
        history = results.read_history(self.folder / layout.SOURCE)
        take, select = source.take or "last", source.recipe.select
        return [
            {"repeat": repeat, **results.taken(history, member, take, select)}
            for repeat in inputs.sources(self.study)
            if results.of_member(history, member := layout.source_member(repeat))
        ]

    @functools.cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of results.csv: one dict per member that has been evaluated."""
        return results.rows(self.study, self.entries)

    @property
    def report(self) -> Path:
        """Path of the report."""
        return self.folder / layout.REPORT

    def check_file(self, name: str) -> Path | None:
        """Returns the path of a file of a finished study, or None where it left no such file.

        Args:
          name: Path of the file in the run folder.

        Raises:
          ConfigError: The file is not as the study left it.
        """
        if name not in fingerprint.recorded_results(self.folder):
            return None
        fingerprint.check_results(self.folder, [name])
        return self.folder / name

    def predictions_of(self, member: str, split: str, take: str) -> Path | None:
        """Returns the table of what a member predicted, or None where it left none.

        Args:
          member: Name of the member.
          split: "test" or "val".
          take: "last" or "best".

        Raises:
          ConfigError: The table of a finished study is not as the study left it.
        """
        path = layout.predictions(self.folder, member, split, take)
        if self.finished:
            return self.check_file(path.relative_to(self.folder).as_posix())
        return path if path.exists() else None

    def weights(self, member: str, take: str = "last") -> Any:
        """Returns a member's variables, `{"params": ..., "batch_stats": ...}`.

        Args:
          member: Name of the member, as "pretrained-0".
          take: "last", or "best" (by the recipe's `select`: by default the lowest validation loss).

        Raises:
          ConfigError: There is no such member, or it left no such weights (it is not finished, or
            it diverged).
          CheckpointError: The weights are damaged.
        """
        self._check_member(member)
        if take not in layout.WEIGHTS:
            raise ConfigError(f"unknown take={take!r}: {nearest(take, layout.WEIGHTS)}")
        place = layout.weights(self.folder, member, take)
        if not place.exists():
            raise self._lacking(member, f"{take} weights")
        return weights.load(place, self.study.network)

    def scored(self, member: str, split: str | None = None, take: str = "last") -> Scored:
        """Returns a member's scores of a split, for `metrics.measure`.

        Args:
          member: Name of the member, as "pretrained-0".
          split: "test" or "val"; by default test images where the data set has some.
          take: "last" or "best".

        Raises:
          ConfigError: There is no such member, or it left no such predictions (it is not finished,
            or it diverged).
        """
        self._check_member(member)
        split = split or ("test" if self.record.data.test else "val")
        path = self.predictions_of(member, split, take)
        if path is None:
            raise self._lacking(member, f"predictions of the split {split!r} by {take} weights")
        rule = Rule.of(self.study, self.record.data)
        return judging.judge(predictions.read(path), rule).scored

    def _lacking(self, member: str, what: str) -> ConfigError:
        diverged = early_stop.diverged(results.of_member(self.entries, member))
        why = "it is not finished"
        if diverged:
            why = f"it diverged at step {diverged[member]}"
        elif self.finished:
            why = "the study has none"
        return ConfigError(f"{member} of {self.folder} has no {what}: {why}")

    def _check_member(self, member: str) -> None:
        if member not in self.members:
            raise ConfigError(
                f"{self.folder} has no member {member!r}: {nearest(member, self.members)}"
            )

    @property
    def history(self) -> pandas.DataFrame:
        """One row per member and evaluation: step, auc, loss, diverged, training averages."""
        import pandas

        return pandas.DataFrame(self.entries)

    @property
    def results(self) -> pandas.DataFrame:
        """One row per member, as in results.csv."""
        import pandas

        return pandas.DataFrame(self.rows)

    @property
    def evaluations(self) -> pandas.DataFrame:
        """Every number that judges a member, in long form.

        One row per number: member, arm, repeat, step, split, weights, group, images, patients,
        label ("" over all labels), metric, value, and reason (why a value is NaN). Evaluations
        during training have the split "val", or "train" for averages over the training batches
        since the evaluation before; their weights are "" and their group is "". Those at the end,
        of evaluations.csv, have the weights "last" or "best", and a group such as "sex=F", or ""
        for all images.
        """
        import pandas

        rows = [*long_form.of_history(self), *long_form.of_end(self)]
        return pandas.DataFrame(rows, columns=long_form.EVALUATIONS)

    @property
    def predictions(self) -> pandas.DataFrame:
        """Predictions of every judged image by the weights of every member, in long form.

        One row per member, split, weights, image and output: member, arm, repeat, split, weights,
        id, patient, study, output (the label, or "label=class"), target (1 or 0; NaN where it does
        not count), log_odds and probability.
        """
        import pandas

        frames = [pandas.DataFrame(part) for part in long_form.of_predictions(self)]
        if not frames:
            return pandas.DataFrame(columns=long_form.PREDICTIONS)
        return pandas.concat(frames, ignore_index=True)
