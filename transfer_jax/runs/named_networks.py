"""Trained networks by the names that users give them: arms and members of studies, and weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from transfer_jax import weights
from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.runs import fingerprint, layout, trained
from transfer_jax.runs.run import Run
from transfer_jax.runs.trained import Outputs, Trained
from transfer_jax.settings import Arm, Study

HUB = "hf://"
_KINDS = "a weight file, a folder with weights, or the folder of a finished study (DIR, or DIR:ARM)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Networks:
    """Networks whose probabilities are averaged: one, or the members of an arm.

    Attributes:
      title: What they are, in words.
      trained: The networks, all of one form and with the same outputs.
      run: Their study; None for weights.
      members: Their names in the study.
    """

    title: str
    trained: tuple[Trained, ...]
    run: Run | None = None
    members: tuple[str, ...] = ()

    @property
    def outputs(self) -> Outputs:
        """What they predict."""
        return self.trained[0].outputs()


def locate(named: str) -> tuple[str, str]:
    """Returns the file, folder or address that a user names, and the name after the colon, or "".

    Raises:
      ConfigError: There is no such file or folder.
    """
    if named.startswith(HUB) or Path(named).exists():
        return named, ""
    path, colon, name = named.rpartition(":")
    if colon and Path(path).is_dir():
        return path, name
    raise ConfigError(f"{path if colon else named} does not exist: give {_KINDS}")


def is_study(path: str) -> bool:
    """Returns whether a path that `locate` returned is the folder of a study."""
    return not path.startswith(HUB) and fingerprint.is_study(Path(path))


def stated_network(named: str, network: str | None, option: str) -> str:
    """Returns the network of weights: the one that the user gives, or that they state themselves.

    Args:
      named: The weights.
      network: What the user gives; None for nothing.
      option: Where the user can give it, for the message.

    Raises:
      ConfigError: Neither says it.
    """
    name = network or weights.stated_network(named)
    if name is None:
        raise ConfigError(
            f"{named} does not say of which network it is: give {option}=NETWORK, "
            f"e.g. {option}=resnet50"
        )
    return name


def check_no_network(run: Run, named: str, network: str | None, option: str) -> None:
    """Raises ConfigError where the user gives a network for a study, which has one itself."""
    if network is not None:
        raise ConfigError(
            f"{option}={network} is read for weights only, and {named} is a study of "
            f"{run.study.network}: take it out"
        )


def named_arm(path: str, study: Study, name: str, members: Sequence[str] = ()) -> Arm:
    """Returns the arm of a name; of no name the only arm.

    Args:
      path: Folder of the study, for messages.
      study: The study.
      name: The name, or "".
      members: Names of members that would do as well, for the hint.

    Raises:
      ConfigError: There is no such arm, or there are several and none is named.
    """
    arms = {arm.name: arm for arm in study.arms}
    if not name and len(arms) > 1:
        raise ConfigError(
            f"{path} has {len(arms)} arms: name one as {path}:{study.arms[0].name} "
            f"(arms: {', '.join(arms)})"
        )
    if name and name not in arms:
        what = "no arm and no member" if members else "no arm"
        raise ConfigError(f"{path} has {what} {name!r}: {nearest(name, (*arms, *members))}")
    return arms[name] if name else study.arms[0]


def open_networks(named: str, network: str | None, take: str) -> Networks:
    """Opens what a user names.

    Args:
      named: "DIR:ARM" or "DIR:MEMBER" of a finished study, DIR of a study with one arm, or weights
        as for `weights.read`.
      network: Network of weights whose card does not name it.
      take: "last" or "best" weights of a study's members.

    Raises:
      ConfigError: There is nothing of that name, or the study is not finished.
      CheckpointError: The weights are damaged.
    """
    path, name = locate(named)
    if is_study(path):
        run = Run(path)
        check_no_network(run, named, network, "--network")
        return _of_study(run, name, take)
    if name:
        raise ConfigError(f"{path} holds no study, so that it has no {name!r}")
    read = trained.read(named, stated_network(named, network, "--network"))
    return Networks(title=Path(named).name, trained=(read,))


def _of_study(run: Run, name: str, take: str) -> Networks:
    study, folder = run.study, run.folder
    if name in run.members and name not in {arm.name for arm in study.arms}:
        members: tuple[str, ...] = (name,)
    else:
        arm = named_arm(str(folder), study, name, run.members)
        members = tuple(arm.member(repeat) for repeat in range(study.repeats))
    if not run.finished:
        raise ConfigError(
            f"{folder} is not finished: call its command again, with --workdir={folder}"
        )
    sound = tuple(member for member in members if layout.weights(folder, member, take).exists())
    if not sound:
        raise ConfigError(f"{', '.join(members)} of {folder} left no {take} weights: diverged")
    networks = tuple(
        trained.read(str(layout.weights(folder, member, take)), study.network) for member in sound
    )
    title = sound[0] if len(sound) == 1 else f"mean of {', '.join(sound)}"
    return Networks(title=f"{title} ({take} weights)", trained=networks, run=run, members=sound)
