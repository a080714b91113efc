"""One side of a comparison: weights, or an arm of a finished study with its members' variables."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

from transfer_jax import inits
from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.core.names import nearest
from transfer_jax.data import dataset
from transfer_jax.data.dataset import Dataset
from transfer_jax.runs import fingerprint, initial, inputs, layout, named_networks, trained
from transfer_jax.runs.inputs import Pretrained
from transfer_jax.runs.named_networks import HUB
from transfer_jax.runs.run import Run
from transfer_jax.runs.trained import Trained
from transfer_jax.settings import Arm, Study


@dataclasses.dataclass(frozen=True, kw_only=True)
class Side:
    """One network, or several that are repeats of each other.

    Attributes:
      named: As the user named it.
      title: Short name: of an arm or a file.
      repeats: Number of members; None for weights, which stand for any repeat.
      study: The study; None for weights.
      dataset: Data of the study; None for weights.
      trained: Repeat -> the trained network.
      initial: Repeat -> the network before its training; None for weights.
    """

    named: str
    title: str
    trained: Callable[[int], Trained]
    repeats: int | None = None
    study: Study | None = None
    dataset: Dataset | None = None
    initial: Callable[[int], Trained] | None = None


def open_side(
    named: str, network: str | None = None, *, option: str = "network", take: str = "last"
) -> Side:
    """Opens what a user names.

    Args:
      named: Weights as for `weights.read`, the folder of a finished study with one arm, or
        "DIR:ARM" for a study with several arms.
      network: Network of weights that do not say it themselves.
      option: Where the user can give the network, for messages.
      take: "last" or "best" (by `Recipe.select`) variables of a study's members.

    Raises:
      UserError: There is nothing of that name, the study is not finished or its data are not here,
        or the weights are damaged.
    """
    if take not in layout.WEIGHTS:
        raise ConfigError(f"unknown take={take!r}: {nearest(take, layout.WEIGHTS)}")
    path, arm = named_networks.locate(named)
    if not named_networks.is_study(path):
        if arm:
            raise ConfigError(
                f"{path} holds no study (no {layout.CONFIG} of one), so it has no arm {arm!r}"
            )
        return _weights(named, network, option)
    run = Run(path)
    named_networks.check_no_network(run, named, network, option)
    return _arm(named, run, named_networks.named_arm(path, run.study, arm), take)


def _weights(named: str, network: str | None, option: str) -> Side:
    network_with_weights = trained.read(
        named, named_networks.stated_network(named, network, option)
    )
    return Side(named=named, title=Path(named).stem, trained=lambda repeat: network_with_weights)


def _arm(named: str, run: Run, arm: Arm, take: str) -> Side:
    study, folder = run.study, run.folder
    _check_finished(run, arm, take)
    opened = _data(run)
    pretrained = functools.cache(lambda: _pretrained(run, arm))

    @functools.lru_cache(maxsize=1)  # weights of one repeat at a time
    def last(repeat: int) -> Trained:
        return trained.read(str(layout.weights(folder, arm.member(repeat), take)), study.network)

    def first(repeat: int) -> Trained:
        return dataclasses.replace(
            last(repeat),
            where=f"{arm.member(repeat)} before its training",
            variables=initial.initial_of_arm(study, opened, arm, repeat, pretrained().of(repeat)),
        )

    return Side(
        named=named,
        title=arm.name,
        repeats=study.repeats,
        study=study,
        dataset=opened,
        trained=last,
        initial=first,
    )


def _check_finished(run: Run, arm: Arm, take: str) -> None:
    """Raises ConfigError where the study is not finished or the arm lacks weights."""
    folder = run.folder
    missing = [] if run.finished else [layout.RESULTS]
    for repeat in range(run.study.repeats):
        place = layout.weights(folder, arm.member(repeat), take)
        if not place.exists():
            missing.append(str(place.relative_to(folder)))
    if not missing:
        return
    if run.finished:
        _check_diverged(run, arm, take)
    raise ConfigError(
        f"{folder} is not finished (it has no {missing[0]}): call its command again, "
        f"with --workdir={folder}"
    )


def _check_diverged(run: Run, arm: Arm, take: str) -> None:
    """Raises ConfigError where weights are missing because their member diverged."""
    for row in run.rows:
        if row["arm"] != arm.name or row["diverged_at"] is None:
            continue
        member = arm.member(row["repeat"])
        advice = ""
        if take == "last" and layout.weights(run.folder, member, "best").exists():
            advice = "its best weights before that are there (take them by --take=best), or "
        raise ConfigError(
            f"{member} of {run.folder} diverged at step {row['diverged_at']} and left no {take} "
            f"weights: {advice}name another arm "
            f"(arms: {', '.join(other.name for other in run.study.arms)})"
        )


def _data(run: Run) -> Dataset:
    """Returns the study's data: they decide the networks' outputs and which images judge them."""
    study = run.study
    if study.data.path is not None:
        _check_here(run, "data.path", study.data.path)
    spec = inputs.image_spec(study, None)
    opened = dataset.open_data(study.data, spec, run.folder, study.seed)
    fingerprint.check_inputs(run.folder, inputs.digests_of_data(opened))
    return opened


def _pretrained(run: Run, arm: Arm) -> Pretrained:
    """Returns what the arm began from; nothing where it needs no source."""
    if not inits.needs_source(arm.init, **arm.options()):
        return Pretrained()
    study = run.study
    path = study.source.path
    if path is not None and not path.startswith(HUB):
        _check_here(run, "source.path", path)
    source = inputs.pretrained_from_file(study) or inputs.pretrained_of_study(study, run.folder)
    fingerprint.check_inputs(run.folder, inputs.digests_of_source(source))
    return source


def _check_here(run: Run, option: str, path: str) -> None:
    if not Path(path).exists():
        raise DataError(
            f"{run.folder} was made from {path} (its config.{option}), which is not here: call "
            "this where the study was run; its weights alone can be compared, too, as "
            f"{run.folder}/weights/MEMBER"
        )
