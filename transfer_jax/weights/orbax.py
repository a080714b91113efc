"""Variables of a network as an Orbax folder with their card, both checked when they are read back.

Orbax restores changed bytes without a word, so the folder carries a digest: the path, type, shape
and checksum of every tensor, and the digest of the card. It covers what is read, not files: a copy
of the folder, or the same tensors saved by another version of Orbax, match it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from transfer_jax import models
from transfer_jax.core import digest, files
from transfer_jax.core.errors import CheckpointError
from transfer_jax.weights import fit
from transfer_jax.weights.model_card import Card

VARIABLES, CARD, DIGEST = "variables", "card.json", "digest.json"
_REMEDY = "restore the folder from a copy, or save the weights again"


def save(path: str | Path, variables: Any, card: Card | None = None) -> None:
    """Writes the variables to a new folder, with their card and the digest of both.

    Args:
      path: Folder to make; an existing one is left as it is.
      variables: `{"params": ..., "batch_stats": ...}`.
      card: Description of the weights, if there is one.
    """
    path = Path(path).absolute()
    if path.exists():
        return
    parts = {name: variables[name] for name in ("params", "batch_stats")}
    host = jax.tree.map(np.asarray, parts)
    described = None if card is None else card.to_json()
    sealed = digest.seal(
        {
            "format": 1,
            "tensors": digest.of_tensors(host),
            "card": None if described is None else digest.of_json(described),
        }
    )
    with files.directory(path) as folder:
        with ocp.StandardCheckpointer() as checkpointer:
            checkpointer.save(folder / VARIABLES, host)
        if described is not None:
            files.write(folder / CARD, json.dumps(described, indent=2) + "\n")
        files.write(folder / DIGEST, json.dumps(sealed, indent=2) + "\n")


def card(folder: Path) -> Card | None:
    """Returns the card in a folder that `save` wrote, or None if it was saved without one.

    Raises:
      CheckpointError: The card or the folder's digest is missing, damaged or changed.
    """
    return _card(folder, _digests(folder))


def load(path: str | Path, name: str, options: Mapping[str, Any]) -> tuple[Any, str, Card | None]:
    """Returns the variables in a folder that `save` wrote, their layout, and their card if any.

    Strict: the tensors are those that were saved, bit for bit, and every tensor of the network is
    there with its shape, and nothing else. The head is whatever the folder holds.

    Args:
      path: Folder that `save` wrote.
      name: Name of the network.
      options: Options of `models.create` that change shapes.

    Raises:
      CheckpointError: There is no such folder, it is damaged, or it does not fit the network; one
        line lists every tensor that is missing, extra, of another shape, or changed.
    """
    path = Path(path).absolute()
    if not (path / VARIABLES).is_dir():
        raise CheckpointError(
            f"{path} holds no saved weights (no folder 'variables' in it): give the folder"
            " 'weights' of a finished run's member"
        )
    digests = _digests(path)
    saved = _card(path, digests)
    variables = _restore(path, name)
    changed = digest.differences(digests["tensors"], digest.of_tensors(variables))
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise CheckpointError(
            f"{path} is damaged, its tensors do not match their digest"
            f" ({'; '.join(changed[:3])}{more}): {_REMEDY}"
        )
    layout = _layout(path, name, variables, saved, options)
    return jax.tree.map(jnp.asarray, variables), layout, saved


def _restore(path: Path, name: str) -> Any:
    try:
        with ocp.StandardCheckpointer() as checkpointer:
            return checkpointer.restore(path / VARIABLES)
    except Exception as error:  # Orbax and tensorstore raise many kinds; to the user they are one
        cause = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"{path} is damaged and cannot be read as weights of {name} ({cause[:200]}): {_REMEDY}"
        ) from error


def _digests(folder: Path) -> dict[str, Any]:
    """Returns the folder's digest of tensors and of the card."""
    path = folder / DIGEST
    if not path.is_file():
        raise CheckpointError(
            f"{folder} has no {DIGEST}, without which damage to its weights would go unnoticed: an"
            f" earlier version of this program wrote it, or it is not complete; {_REMEDY} with"
            " this version"
        )
    try:
        fields = digest.read(path)
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{path} cannot be used ({error}): {_REMEDY}") from error
    if fields.get("format") != 1 or not isinstance(fields.get("tensors"), dict):
        raise CheckpointError(f"{path} is of a later version of this program: read it with that")
    return fields


def _card(folder: Path, digests: Mapping[str, Any]) -> Card | None:
    path, expected = folder / CARD, digests.get("card")
    if expected is None and not path.exists():
        return None
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}): {_REMEDY}") from error
    if digest.of_json(value) != expected:
        raise CheckpointError(f"{path} has changed since the weights were saved: {_REMEDY}")
    return Card.from_json(value, str(path))


def _layout(
    path: Path, name: str, variables: Any, saved: Card | None, options: Mapping[str, Any]
) -> str:
    """Returns the layout in which the variables are those of the network."""
    own_options = saved.options if saved is not None and saved.network == name else {}
    layouts = models.layouts(name)
    if saved is not None and saved.layout in layouts:
        layouts = (saved.layout,)
    try:
        channels = models.first_kernel(variables["params"]).shape[2]
        heads = {
            part: {
                module: leaf for module, leaf in variables[part].items() if module in models.HEADS
            }
            for part in ("params", "batch_stats")
        }
    except Exception as error:  # a tree of another network fails in many ways
        raise CheckpointError(
            f"{path} cannot be read as weights of {name}: {str(error).splitlines()[0]}"
        ) from error
    problems = []
    for layout in layouts:
        shapes = fit.template(name, 1, layout, channels, **{**own_options, **options})
        body = models.without(shapes, models.HEADS)
        # The head belongs to the task: whatever it is, it is taken.
        expected = {part: {**tree, **heads[part]} for part, tree in body.items()}
        problems.append(fit.differences(variables, expected))
        if not problems[-1]:
            return layout
    raise CheckpointError(f"{path} does not fit {name}: {'; '.join(problems[0])}")
