"""Variables of a network as an Orbax folder with their card, checked against the network when they come back."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from transfer_jax import models
from transfer_jax.core import files
from transfer_jax.core.errors import CheckpointError
from transfer_jax.weights import fit
from transfer_jax.weights.card import Card

VARIABLES, CARD = "variables", "card.json"


def save(path: str | Path, variables: Any, card: Card | None = None) -> None:
    """Writes `{"params": ..., "batch_stats": ...}` to the folder `path`; one that is there already is left as it is."""
    path = Path(path).absolute()
    if path.exists():
        return
    host = jax.tree.map(np.asarray, {"params": variables["params"], "batch_stats": variables["batch_stats"]})
    with files.directory(path) as folder:
        with ocp.StandardCheckpointer() as checkpointer:
            checkpointer.save(folder / VARIABLES, host)
        if card is not None:
            files.write(folder / CARD, json.dumps(card.to_json(), indent=2) + "\n")


def card(folder: Path) -> Card | None:
    """The card in a folder that `save` wrote, None where there is none.

    Raises:
      CheckpointError: it is damaged.
    """
    path = folder / CARD
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_text())
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON ({error}): take it away, or save the weights again") from error
    return Card.from_json(value, str(path))


def load(path: str | Path, name: str, options: Mapping[str, Any]) -> tuple[Any, str, Card | None]:
    """The variables of the network `name` from a folder that `save` wrote, their layout, and their card where they have one.

    Strict: every tensor of the network is there with its shape, and nothing else. The head is the folder's own.

    Args:
      path: the folder.
      name: of the network.
      options: of `models.create`, that change shapes.

    Raises:
      CheckpointError: no such folder, not an Orbax folder, or one line that lists every missing, extra and misshapen tensor.
    """
    path = Path(path).absolute()
    folder = path / VARIABLES
    if not folder.is_dir():
        raise CheckpointError(f"{path} holds no saved weights (no folder 'variables' in it): give the folder 'weights' of a finished run's member")
    try:
        with ocp.StandardCheckpointer() as checkpointer:
            found = checkpointer.restore(folder)
        channels = models.first_kernel(found["params"]).shape[2]
        heads = {collection: {m: t for m, t in found[collection].items() if m in models.HEADS} for collection in ("params", "batch_stats")}
    except Exception as error:  # Orbax, tensorstore and a foreign tree raise many kinds; all mean the same to the user
        raise CheckpointError(f"{path} cannot be read as weights of {name}: {str(error).splitlines()[0]}") from error
    known = card(path)
    options = {**(known.options if known is not None and known.network == name else {}), **options}
    layouts = models.layouts(name)
    if known is not None and known.layout in layouts:
        layouts = (known.layout,)
    problems = []
    for layout in layouts:
        body = models.without(fit.template(name, 1, layout, channels, **options), models.HEADS)
        # The head belongs to the task: whatever it is, it is taken.
        problems.append(fit.differences(found, {collection: {**tree, **heads[collection]} for collection, tree in body.items()}))
        if not problems[-1]:
            return jax.tree.map(jnp.asarray, found), layout, known
    raise CheckpointError(f"{path} does not fit {name}: {'; '.join(problems[0])}")
