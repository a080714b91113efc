"""Labels of a data set, and the values they take, matched by name with what a network predicts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest


def labels(predicted: Sequence[str], known: Collection[str], dataset: str) -> dict[str, str]:
    """Returns label of the network -> label of the data set.

    Labels match by name; where none is equal, "Pleural Effusion" matches "pleural_effusion".

    Args:
      predicted: Labels of the network.
      known: Labels of the data set.
      dataset: Name of the data set, for messages.

    Raises:
      ConfigError: A label matches none or several.
    """
    found = {}
    for label in predicted:
        same = _same(label, known)
        if not same:
            raise ConfigError(
                f"data set {dataset} has no label {label!r}, which the network predicts: "
                f"{nearest(label, known)}"
            )
        if len(same) > 1:
            raise ConfigError(
                f"the network's label {label!r} may be {' or '.join(same)} of data set {dataset}: "
                "rename one of them there"
            )
        found[label] = same[0]
    return found


def numbers(
    label: str,
    predicted: Sequence[str],
    names: Sequence[str] | None,
    values: Collection[int],
    dataset: str,
) -> Mapping[int, int]:
    """Returns value of a label in the data set -> the same value as the network numbers it.

    Args:
      label: Name of the label, for messages.
      predicted: Names of the values as the network numbers them; () where they have none, as
        grades do.
      names: Names of the values as the data set numbers them, or None. Without names on either
        side the numbers are taken as they are.
      values: Values that the label takes in the data set.
      dataset: Name of the data set, for messages.

    Raises:
      ConfigError: The network does not know a value that the data set has.
    """
    if not predicted or not names:
        return {value: value for value in values}
    number = {}
    for value in values:
        same = _same(names[value], predicted)
        if len(same) != 1:
            raise ConfigError(
                f"{label} is {names[value]!r} for images of data set {dataset}, and the network "
                f"knows {', '.join(map(repr, predicted))}: prepare the data set with these names"
            )
        number[value] = list(predicted).index(same[0])
    return number


def _same(name: str, known: Collection[str]) -> list[str]:
    return [each for each in known if each == name] or [
        each for each in known if _plain(each) == _plain(name)
    ]


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
