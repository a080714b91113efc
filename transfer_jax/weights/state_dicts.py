"""Chooses the state dict to read in a checkpoint of PyTorch.

Training programs save a state dict beside other things: an optimiser's state, an epoch, a moving
average of the weights. The only state dict of a network is read wherever it lies; of several, one
must be chosen by name, because they hold different weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from transfer_jax.core.errors import CheckpointError
from transfer_jax.core.names import nearest
from transfer_jax.weights import messages
from transfer_jax.weights.pickles import Tensor

_DEEPEST = 4  # mappings within mappings; real ones have one or two
_SAVE = "save it with torch.save(model.state_dict(), ...)"


class Chosen(NamedTuple):
    """A state dict, and how it was chosen.

    Attributes:
      tensors: Name -> tensor, still without its bytes.
      notes: Sentences for the card.
    """

    tensors: dict[str, Tensor]
    notes: tuple[str, ...]


def choose(checkpoint: Any, state: str | None, path: Path) -> Chosen:
    """Returns the state dict of a checkpoint's network.

    Args:
      checkpoint: Content of the pickle.
      state: Name of the state dict to take, "a.b" for one within another mapping; needed where the
        checkpoint holds several.
      path: The file, for messages.

    Raises:
      CheckpointError: There is no state dict, there are several and none is chosen, or there is
        none of this name.
    """
    state_dicts = dict(_state_dicts(checkpoint))
    if not state_dicts:
        raise CheckpointError(
            f"{path} is not a state dict, names to tensors{_strange(checkpoint)}: {_SAVE}"
        )
    networks = {
        name: tensors for name, tensors in state_dicts.items() if _has_convolutions(tensors)
    } or state_dicts
    if state is not None:
        if set(state_dicts) == {""}:
            raise CheckpointError(
                f"{path} is a single state dict, without names to choose from: leave"
                f" state={state!r} out"
            )
        if state not in state_dicts:
            raise CheckpointError(
                f"{path} holds no state dict {state!r}: {nearest(state, state_dicts)}"
            )
        return Chosen(dict(state_dicts[state]), _notes(checkpoint, state, "chosen"))
    if len(networks) > 1:
        names = messages.listed(
            [f"{name or 'the outermost'} ({len(t)} tensors)" for name, t in networks.items()]
        )
        example = max(networks, key=len)
        raise CheckpointError(
            f"{path} holds several state dicts, {names}: choose one, e.g. with state={example!r} "
            f"(config.source.state, convert_weights --state={example})"
        )
    ((name, tensors),) = networks.items()
    return Chosen(dict(tensors), _notes(checkpoint, name, "read") if name else ())


def every_tensor(value: Any) -> Iterator[Tensor]:
    """Yields the tensors anywhere in a checkpoint, an optimiser's among them."""
    pending, seen = [value], set()
    while pending:
        node = pending.pop()
        if isinstance(node, Tensor):
            yield node
        elif isinstance(node, Mapping | list | tuple) and id(node) not in seen:
            seen.add(id(node))  # a pickle can hold a list that holds itself
            pending.extend(node.values() if isinstance(node, Mapping) else node)


def _state_dicts(checkpoint: Any) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
    """Yields the state dicts in a checkpoint by name; "" is the checkpoint itself.

    An optimiser's state is numbered by parameter, and so is not reached by names.
    """
    pending, seen, known = [("", checkpoint, 0)], set(), {}
    while pending:
        name, node, depth = pending.pop(0)
        if not isinstance(node, Mapping):
            continue
        if id(node) not in known:
            known[id(node)] = bool(node) and all(
                isinstance(key, str) and isinstance(value, Tensor) for key, value in node.items()
            )
        if known[id(node)]:
            yield name, node
        elif depth < _DEEPEST and id(node) not in seen:
            seen.add(id(node))
            inner = ((key, value) for key, value in node.items() if isinstance(key, str))
            pending += [
                (f"{name}.{key}" if name else key, value, depth + 1) for key, value in inner
            ]


def _has_convolutions(tensors: Mapping[str, Tensor]) -> bool:
    return any(len(tensor.shape) == 4 for tensor in tensors.values())


def _notes(checkpoint: Any, state: str, verb: str) -> tuple[str, ...]:
    beside = [str(key) for key in checkpoint if state != key and not state.startswith(f"{key}.")]
    ignored = f"; ignored beside it: {messages.listed(beside)}" if beside else ""
    return (f"state dict {state} {verb}{ignored}",)


def _strange(checkpoint: Any) -> str:
    """Returns ", but KEY" for a key that keeps the most similar mapping from being a state dict."""
    mappings, fullest = [checkpoint], None
    if isinstance(checkpoint, Mapping):
        mappings += [value for value in checkpoint.values() if isinstance(value, Mapping)]
    for mapping in mappings:
        if not isinstance(mapping, Mapping):
            continue
        count = sum(isinstance(value, Tensor) for value in mapping.values())
        if fullest is None or count > fullest[0]:
            fullest = (count, mapping)
    entries = fullest[1].items() if fullest is not None else ()
    return next(
        (f", but {key!r}"[:100] for key, value in entries if not isinstance(value, Tensor)), ""
    )
