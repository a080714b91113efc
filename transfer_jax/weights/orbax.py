"""Variables of a network as an Orbax folder, checked against the network when they come back."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from transfer_jax import models
from transfer_jax.core import files
from transfer_jax.core.errors import CheckpointError


def save(path: str | Path, variables: Any) -> None:
    """Writes `{"params": ..., "batch_stats": ...}` to the folder `path`; one that is there already is left as it is."""
    path = Path(path).absolute()
    if path.exists():
        return
    host = jax.tree.map(np.asarray, {"params": variables["params"], "batch_stats": variables["batch_stats"]})
    with files.directory(path) as folder, ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder / "variables", host)


def load(path: str | Path, name: str) -> Any:
    """The variables of the network `name` from a folder that `save` wrote.

    Strict: every tensor of the network is there with its shape, and nothing else. The head keeps the file's own size.

    Raises:
      CheckpointError: no such folder, not an Orbax folder, or one line that lists every missing, extra and misshapen tensor.
    """
    path = Path(path).absolute()
    folder = path / "variables"
    if not folder.is_dir():
        raise CheckpointError(f"{path} holds no saved weights (no folder 'variables' in it): give the folder 'weights' of a finished run's member")
    try:
        with ocp.StandardCheckpointer() as checkpointer:
            found = checkpointer.restore(folder)
        head = found["params"][models.HEAD]["kernel"]
        outputs = int(head.shape[-1])
    except Exception as error:  # Orbax, tensorstore and a foreign tree raise many kinds; all mean the same to the user
        raise CheckpointError(f"{path} cannot be read as weights of {name}: {str(error).splitlines()[0]}") from error
    module = models.create(name, outputs)
    wanted = jax.eval_shape(lambda: module.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)), train=False))
    have, want = _shapes(found), _shapes(wanted)
    problems = [f"missing {k}" for k in want.keys() - have.keys()] + [f"extra {k}" for k in have.keys() - want.keys()]
    problems += [f"{k} has shape {have[k]}, not {want[k]}" for k in have.keys() & want.keys() if have[k] != want[k]]
    if problems:
        raise CheckpointError(f"{path} does not fit {name}: {'; '.join(sorted(problems))}")
    return jax.tree.map(jnp.asarray, found)


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {"/".join(str(p.key) for p in path): tuple(leaf.shape) for path, leaf in leaves}
