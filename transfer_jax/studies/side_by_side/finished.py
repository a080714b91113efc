"""What a user names to be looked at: weights, or an arm of a finished study with its members' last, best and initial variables."""

from __future__ import annotations

import csv
import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transfer_jax import inits, settings, weights
from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.core.names import nearest
from transfer_jax.settings import Arm, Study
from transfer_jax.studies import datasets, fingerprints, grid, sources, trained, workdir
from transfer_jax.studies.trained import Trained

TAKE = {"last": "weights", "best": "best"}  # which variables of a member -> the folder of a run that holds them
_HUB = "hf://"
_KINDS = "a weight file, a folder with weights, or the folder of a finished study (DIR, or DIR:ARM)"


@dataclasses.dataclass(frozen=True)
class Run:
    """One network or several that are repeats of each other.

    Attributes:
      named: as the user named it.
      title: in short: an arm's name, or a file's.
      repeats: number of members; None for weights, which stand for any repeat.
      study: that it is of; None for weights.
      opened: the study's data; None for weights.
      trained: repeat -> the trained network.
      initial: repeat -> the network before its training; None for weights.
    """

    named: str
    title: str
    repeats: int | None
    study: Study | None
    opened: datasets.Opened | None
    trained: Callable[[int], Trained]
    initial: Callable[[int], Trained] | None


def open_run(named: str, network: str | None = None, *, option: str = "network", take: str = "last") -> Run:
    """Opens what a user names.

    Args:
      named: weights as for `weights.read`, the folder of a finished study with one arm, or "DIR:ARM" for one of several arms.
      network: of weights that do not say it themselves.
      option: where the user can give the network, for errors.
      take: "last" or "best" (by validation loss) variables of a study's members.

    Raises:
      UserError: there is nothing of that name, the study is not finished or its data are not here, or the weights are damaged.
    """
    if take not in TAKE:
        raise ConfigError(f"unknown take={take!r}: {nearest(take, TAKE)}")
    path, arm = _path(named)
    study = None if named.startswith(_HUB) else _study(Path(path))
    if study is None:
        if arm is not None:
            raise ConfigError(f"{path} holds no study (no {workdir.CONFIG} of one), so it has no arm {arm!r}")
        return _weights(named, network, option)
    if network is not None:
        raise ConfigError(f"{option}={network} is read for weights only, and {named} is a study of {study.network}: take it out")
    return _arm(named, Path(path), study, _chosen(path, study, arm), take)


def _path(named: str) -> tuple[str, str | None]:
    """The file or folder, and the arm where one is named."""
    if named.startswith(_HUB) or Path(named).exists():
        return named, None
    path, colon, arm = named.rpartition(":")
    if colon and Path(path).is_dir():
        return path, arm
    raise ConfigError(f"{path if colon else named} does not exist: give {_KINDS}")


def _study(folder: Path) -> Study | None:
    """Returns the study whose folder it is, or None if it is the folder of none."""
    if not workdir.is_study(folder):
        return None
    path, config = folder / workdir.CONFIG, workdir.read_config(folder)
    try:
        return settings.load(config)
    except ConfigError as error:
        raise ConfigError(f"{path} does not fit this version of the program: {error}") from error


def _chosen(path: str, study: Study, name: str | None) -> Arm:
    known = {arm.name: arm for arm in study.arms}
    if name is None and len(known) > 1:
        raise ConfigError(f"{path} has {len(known)} arms: name one as {path}:{study.arms[0].name} (arms: {', '.join(known)})")
    if name is not None and name not in known:
        raise ConfigError(f"{path} has no arm {name!r}: {nearest(name, known)}")
    return study.arms[0] if name is None else known[name]


def _weights(named: str, network: str | None, option: str) -> Run:
    name = network or weights.stated_network(named)
    if name is None:
        raise ConfigError(f"{named} does not say of which network it is: give {option}=NETWORK, e.g. {option}=resnet50")
    found = trained.read(named, name)
    return Run(named, Path(named).stem, None, None, None, lambda repeat: found, None)


def _arm(named: str, folder: Path, study: Study, arm: Arm, take: str) -> Run:
    needed = ["report.html", *(f"{TAKE[take]}/{arm.member(repeat)}" for repeat in range(study.repeats))]
    missing = [name for name in needed if not (folder / name).exists()]
    if missing:
        _check_diverged(folder, study, arm, take)
        raise ConfigError(f"{folder} is not finished (it has no {missing[0]}): call its command again, with --workdir={folder}")
    opened = _data(folder, study)
    source = functools.cache(lambda: _source(folder, study, arm))

    @functools.lru_cache(maxsize=1)  # weights of one repeat at a time
    def last(repeat: int) -> Trained:
        return trained.read(str(folder / TAKE[take] / arm.member(repeat)), study.network)

    def initial(repeat: int) -> Trained:
        where = f"{arm.member(repeat)} before its training"
        return dataclasses.replace(last(repeat), where=where, variables=grid.first_variables(study, opened, arm, repeat, source()))

    return Run(named, arm.name, study.repeats, study, opened, last, initial)


def _check_diverged(folder: Path, study: Study, arm: Arm, take: str) -> None:
    """Raises ConfigError where weights are missing since their member diverged."""
    if not (folder / "results.csv").is_file():
        return
    table = csv.DictReader((folder / "results.csv").read_text(encoding="utf-8").splitlines())
    for row in table:
        if row["arm"] == arm.name and row["diverged_at"]:
            member = arm.member(int(row["repeat"]))
            advice = ""
            if take == "last" and (folder / TAKE["best"] / member).exists():
                advice = "its best weights before that are there (take them by --take=best), or "
            raise ConfigError(
                f"{member} of {folder} diverged at step {row['diverged_at']} and left no {take} weights: "
                f"{advice}name another arm (arms: {', '.join(each.name for each in study.arms)})"
            )


def _data(folder: Path, study: Study) -> datasets.Opened:
    """The study's data, which decide how many outputs its networks have and which images judge them."""
    if study.data.path is not None:
        _check_here(folder, "data.path", study.data.path)
    opened = datasets.open_data(study.data, sources.needs(study, None), folder, study.seed)
    workdir.check_inputs(folder, fingerprints.of_data(opened))
    return opened


def _source(folder: Path, study: Study, arm: Arm) -> Any:
    """What the arm began from; None where it asks for nothing."""
    if not inits.needs_source(arm.init, **arm.options()):
        return None
    if study.source.path is not None and not study.source.path.startswith(_HUB):
        _check_here(folder, "source.path", study.source.path)
    source = sources.from_file(study)
    if source is None:
        place, network = folder / sources.NAME / "weights", sources.pretrained_network(study)
        source = sources.Pretrained(weights.load(place, network), None, [])
    workdir.check_inputs(folder, fingerprints.of_source(source))
    return source.variables


def _check_here(folder: Path, option: str, path: str) -> None:
    if not Path(path).exists():
        raise DataError(
            f"{folder} was made from {path} (its config.{option}), which is not here: call this where the study was run; "
            f"its weights alone can be compared, too, as {folder}/weights/MEMBER"
        )
