"""Classes in a user's own words: values of a table's column, or names of folders with images."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import MISSING
from transfer_jax.data.prepare.catalogue import spellings
from transfer_jax.data.prepare.catalogue.sheets import Row

LARGEST = 2**31
# Up to so many different words are classes, however few images each has; more words need so many
# images per word on average, or they are names or free text.
_FEW, _IMAGES_PER_WORD = 20, 5
_MOST = 1000
_TRUTH = {"false": 0, "true": 1}


def column(rows: Sequence[Row], name: str) -> tuple[list[int], list[str], list[str]]:
    """Reads a column as a label: whole numbers as they are, words as 0, 1, ... in order.

    Args:
      rows: Rows of the table.
      name: Name of the column.

    Returns:
      The value of every row, the names of the values if they are words, and notes.

    Raises:
      DataError: Every cell is missing, a number is not a whole one from 0 on, or the column holds
        lists, names or free text rather than classes.
    """
    missing = [row.missing(name) for row in rows]
    spelled = Counter(row[name] for row, without in zip(rows, missing, strict=True) if not without)
    where = f"{rows[0].path}: column {name!r}"
    if not spelled:
        raise DataError(
            f"{where} is empty in every row, or holds nothing but words for missing values: there"
            " is nothing to learn"
        )
    words = [text for text in spelled if not spellings.is_number(text)]
    if not words:
        return (
            [MISSING if row.is_missing(name) else row.number(name, range(LARGEST)) for row in rows],
            [],
            [],
        )
    numbers = {spellings.key(text) for text in spelled if spellings.is_number(text)}
    if numbers and numbers <= {0.0, 1.0} and all(spellings.fold(word) in _TRUTH for word in words):
        values = [MISSING if row.is_missing(name) else _truth(row, name) for row in rows]
        return (
            values,
            [],
            [
                f"column {name!r} holds {spellings.examples(words)} beside 0 and 1: true counts as"
                " 1, false as 0"
            ],
        )
    _refuse_lists(words, where)
    names, value_of, notes = group(spelled, f"column {name!r}")
    _refuse_names(names, sum(spelled.values()), where)
    if numbers:
        notes.append(
            f"column {name!r} holds words and numbers, so that all of them count as words:"
            f" {spellings.examples(names, 12)} (--missing=WORD makes a word a missing value)"
        )
    return [MISSING if row.is_missing(name) else value_of[row[name]] for row in rows], names, notes


def group(spelled: Mapping[str, int], what: str) -> tuple[list[str], dict[str, int], list[str]]:
    """Groups texts into classes: texts that mean the same are one; numbers come first and in order.

    Args:
      spelled: Spelling -> how often it occurs.
      what: What is spelled, for the note.

    Returns:
      The names of the classes, the class of every spelling, and notes.
    """
    same: dict[float | str, list[str]] = defaultdict(list)
    for text in spelled:
        same[spellings.key(text)].append(text)
    names: list[str] = []
    value_of: dict[str, int] = {}
    notes = []
    for texts in sorted(same.values(), key=lambda texts: spellings.order(texts[0])):
        shown = min(texts, key=lambda text: (-spelled[text], len(text), text))
        value_of |= dict.fromkeys(texts, len(names))
        names.append(spellings.name(shown))
        if len(texts) > 1:
            others = ", ".join(
                f"{text!r} ({spelled[text]})" for text in sorted(texts) if text != shown
            )
            notes.append(f"{what}: {others} and {shown!r} ({spelled[shown]}) are one class")
    return names, value_of, notes


def _truth(row: Row, name: str) -> int:
    folded = spellings.fold(row[name])
    return _TRUTH[folded] if folded in _TRUTH else row.number(name, (0, 1))


def _refuse_lists(words: Sequence[str], where: str) -> None:
    """Raises an error for cells that list several classes, as "Edema|Effusion" does."""
    for mark in "|;,":
        parts = {word: [part.strip() for part in word.split(mark)] for word in words}
        lists = [word for word, listed in parts.items() if len(listed) > 1 and all(listed)]
        counted = Counter(part for listed in parts.values() for part in listed)
        if mark != "|":  # "melanoma, in situ" is one class, unless its parts occur elsewhere
            lists = [word for word in lists if all(counted[part] > 1 for part in parts[word])]
        if lists:
            raise DataError(
                f"{where} holds lists such as {lists[0]!r}, and a label has one value per image:"
                f" make a column of 0 and 1 for each of {spellings.examples(sorted(counted), 8)},"
                " and name these columns"
            )


def _refuse_names(names: Sequence[str], filled: int, where: str) -> None:
    """Raises an error for words that are too many to be classes."""
    if len(names) > _MOST or (len(names) > _FEW and filled < _IMAGES_PER_WORD * len(names)):
        raise DataError(
            f"{where} holds {len(names)} different words in {filled} cells"
            f" ({spellings.examples(names, 3)}): they are names or free text rather than classes."
            " Choose another column, or write a column with few classes"
        )
