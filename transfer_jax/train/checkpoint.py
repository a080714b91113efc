"""Checkpoints of a whole training: members, data positions and history, in one Orbax step.

Orbax commits a step by a rename, so that a killed save leaves nothing that counts. It does not
notice changed bytes: every step therefore carries a digest of its number, its arrays, and
everything beside them. A step that does not match is passed over for the one before, always with a
warning.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from transfer_jax.core import digest, processes
from transfer_jax.core.errors import CheckpointError
from transfer_jax.train.state import Member

Like = Callable[[int, dict[str, Any]], dict[str, Member]]

_KEPT = 2
_UNFINISHED = ".orbax-checkpoint-tmp"
_DAMAGED = ".damaged"
_ORBAX_OWN = "metadata"


class Restored(NamedTuple):
    """Content of a checkpoint.

    Attributes:
      step: Number of rounds done.
      members: Member -> its state.
      best: Member -> its variables at the best evaluation.
      extra: Data positions and history.
    """

    step: int
    members: dict[str, Member]
    best: dict[str, Any]
    extra: dict[str, Any]


class Checkpoints:
    """The newest two checkpoints of a folder; a context that waits for the last save."""

    def __init__(self, folder: str | Path) -> None:
        """Opens the folder, or creates it."""
        options = ocp.CheckpointManagerOptions(
            preservation_policy=preservation_policy.LatestN(_KEPT), enable_async_checkpointing=True
        )
        self._folder = Path(folder).absolute()
        self._manager = ocp.CheckpointManager(self._folder, options=options)

    def __enter__(self) -> Checkpoints:
        """Returns itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Waits for the last save."""
        self._manager.wait_until_finished()
        self._manager.close()

    def save(
        self, step: int, members: dict[str, Member], best: dict[str, Any], extra: dict[str, Any]
    ) -> None:
        """Saves in the background; a step that exists already is left alone.

        Args:
          step: Number of rounds done.
          members: Member -> its state.
          best: Member -> its variables at the best evaluation.
          extra: Data positions and history, in types that JSON has.
        """
        if step in self._manager.all_steps():
            return
        content = digest.seal(
            {
                "step": step,
                "members": digest.of_tensors(members),
                "best": digest.of_tensors(best),
                "extra": extra,
            }
        )
        self._manager.save(
            step,
            args=ocp.args.Composite(
                members=ocp.args.StandardSave(members),
                best=ocp.args.StandardSave(best),
                content=ocp.args.JsonSave(content),
            ),
        )

    def restore(self, like: Like) -> Restored | None:
        """Returns the newest sound checkpoint, or None if nothing was saved yet.

        Steps that are passed over are named in a warning. Damaged steps that are newer than the one
        returned are renamed, since Orbax saves no step below its newest one.

        Args:
          like: Number of rounds done, and what was saved beside the arrays -> states of the shapes
            and shardings to restore.

        Raises:
          CheckpointError: There are checkpoints and none of them can be read.
        """
        steps = sorted(self._manager.all_steps(), reverse=True)
        problems, unfinished = self._unreadable_folders(steps)
        damaged = []
        for step in steps:
            try:
                restored = self._read(step, like)
            except CheckpointError as error:
                problems.append(f"step {step}: {error}")
                damaged.append(step)
                continue
            problems += [
                f"step {late}: its save did not finish" for late in unfinished if late > step
            ]
            for problem in problems:
                logging.warning(
                    "%s: passed over %s; going on from step %d", self._folder, problem, step
                )
            self._set_aside(damaged)
            return restored
        if problems:
            raise CheckpointError(
                f"no checkpoint in {self._folder} can be read ({'; '.join(problems)}): "
                "restore the folder from a copy, or remove it to start anew"
            )
        for step in unfinished:
            logging.warning(
                "%s: passed over step %d: its save did not finish; starting anew",
                self._folder,
                step,
            )
        return None

    def _read(self, step: int, like: Like) -> Restored:
        """Restores a step and compares it with its digest."""
        content = self._restore(step, content=ocp.args.JsonRestore())["content"]
        try:
            fields = digest.unseal(content)
            saved = fields["step"]
        except (ValueError, KeyError) as error:
            raise CheckpointError(f"its content cannot be used ({error})") from error
        if saved != step:
            raise CheckpointError(f"its folder holds step {saved}")
        extra = fields.get("extra", {})
        members = like(step, extra)
        shapes = jax.tree.map(ocp.utils.to_shape_dtype_struct, members)
        best = {name: member.variables for name, member in shapes.items()}
        arrays = self._restore(
            step,
            members=ocp.args.StandardRestore(shapes),
            best=ocp.args.StandardRestore(best),
        )
        for part in ("members", "best"):
            changed = digest.differences(fields.get(part, {}), digest.of_tensors(arrays[part]))
            if changed:
                raise CheckpointError(f"its arrays do not match their digest ({changed[0]})")
        restored = [{name: arrays[part][name] for name in members} for part in ("members", "best")]
        return Restored(step, restored[0], restored[1], extra)

    def _restore(self, step: int, **args: Any) -> Any:
        try:
            return self._manager.restore(step, args=ocp.args.Composite(**args))
        except Exception as error:  # Orbax and tensorstore raise many kinds for a damaged step
            cause = (str(error).splitlines() or [type(error).__name__])[0]
            raise CheckpointError(f"{type(error).__name__}: {cause[:200]}") from error

    def _unreadable_folders(self, steps: list[int]) -> tuple[list[str], list[int]]:
        """Returns problems with folders that are no finished steps, and unfinished steps."""
        problems, unfinished = [], []
        for path in sorted(self._folder.iterdir()):
            name, is_unfinished, _ = path.name.partition(_UNFINISHED)
            known = name in map(str, steps) or path.name == _ORBAX_OWN or _DAMAGED in path.name
            if known or not path.is_dir():
                continue
            if is_unfinished and name.isdecimal():
                unfinished.append(int(name))
            elif name.isdecimal():
                problems.append(f"folder {path.name}: Orbax does not take it for a finished step")
            else:
                problems.append(f"folder {path.name}: it is not named as a step is")
        return problems, unfinished

    def _set_aside(self, damaged: list[int]) -> None:
        """Renames damaged steps, so that they are out of the way and can still be examined."""
        if not damaged:
            return
        if processes.is_main():
            for step in damaged:
                path = self._folder / str(step)
                number = sum(1 for _ in self._folder.glob(f"{step}{_DAMAGED}*"))
                path.rename(path.with_name(f"{step}{_DAMAGED}{number or ''}"))
        processes.barrier(f"damaged steps of {self._folder}")
        self._manager.reload()
