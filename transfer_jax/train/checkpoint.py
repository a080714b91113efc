"""Checkpoints of a whole training: all members, the data's positions and the history, in one Orbax step.

Orbax commits a step by a rename, so that a killed save leaves nothing that counts. It does not notice changed bytes: every
step carries checksums of its arrays, and a step that does not match them is passed over for the one before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import google_crc32c
import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from transfer_jax.core.errors import CheckpointError
from transfer_jax.train.state import Member

_KEPT = 2


class Restored(NamedTuple):
    """What a checkpoint held."""

    step: int
    members: dict[str, Member]
    best: dict[str, Any]
    extra: dict[str, Any]


class Checkpoints:
    """The checkpoints in a folder; the newest two are kept. Use as a context: leaving it waits for the last save."""

    def __init__(self, folder: str | Path) -> None:
        """Opens or makes the folder."""
        options = ocp.CheckpointManagerOptions(preservation_policy=preservation_policy.LatestN(_KEPT), enable_async_checkpointing=True)
        self._folder = Path(folder).absolute()
        self._manager = ocp.CheckpointManager(self._folder, options=options)

    def __enter__(self) -> Checkpoints:
        """Itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Waits for what is being written."""
        self._manager.wait_until_finished()
        self._manager.close()

    def save(self, step: int, members: dict[str, Member], best: dict[str, Any], extra: dict[str, Any]) -> None:
        """Saves in the background; a step that is there already is left alone.

        Args:
          step: rounds done.
          members: name -> state.
          best: name -> variables of the member's best evaluation.
          extra: anything that JSON holds: data positions, history.
        """
        if step in self._manager.all_steps():
            return
        content = {"extra": extra, "crc32c": checksums(members), "crc32c_best": checksums(best)}
        arrays = {"members": ocp.args.StandardSave(members), "best": ocp.args.StandardSave(best)}
        self._manager.save(step, args=ocp.args.Composite(**arrays, content=ocp.args.JsonSave(content)))

    def restore(self, like: Callable[[int], dict[str, Member]]) -> Restored | None:
        """The newest sound checkpoint, or None where there is none.

        Args:
          like: rounds done -> states of the shapes and shardings wanted.

        Raises:
          CheckpointError: there are checkpoints and none can be read.
        """
        problems = []
        for step in sorted(self._manager.all_steps(), reverse=True):
            members = like(step)
            wanted = jax.tree.map(ocp.utils.to_shape_dtype_struct, members)
            best = {name: member.variables for name, member in wanted.items()}
            try:
                arrays = {"members": ocp.args.StandardRestore(wanted), "best": ocp.args.StandardRestore(best)}
                found = self._manager.restore(step, args=ocp.args.Composite(**arrays, content=ocp.args.JsonRestore()))
            except Exception as error:  # Orbax and tensorstore raise many kinds for a damaged step
                problems.append(f"step {step}: {str(error).splitlines()[0][:200]}")
                continue
            content = found["content"]
            if (checksums(found["members"]), checksums(found["best"])) == (content["crc32c"], content["crc32c_best"]):
                for problem in problems:
                    logging.warning("passed over a damaged checkpoint in %s, %s", self._folder, problem)
                own, best = ({name: found[part][name] for name in members} for part in ("members", "best"))
                return Restored(step, own, best, content["extra"])
            problems.append(f"step {step}: its arrays do not match their checksums")
        if problems:
            raise CheckpointError(f"no checkpoint in {self._folder} can be read ({'; '.join(problems)}): remove the folder to start anew")
        return None


def checksums(members: Mapping[str, Any]) -> dict[str, int]:
    """CRC32C of every member's (or its variables') arrays, in the order of their tree."""
    result = {}
    for name, member in members.items():
        crc = 0
        for leaf in jax.tree.leaves(member):
            data = jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
            crc = google_crc32c.extend(crc, np.ascontiguousarray(data).tobytes())
        result[name] = crc
    return result
