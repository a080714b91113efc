"""Spellings of words, numbers and names: which mean the same, and how they are ordered.

Words are the same if they differ only in case, in spaces, in the kind of dash or in Unicode's
normal form. Numbers are the same if their values are: "1", "1.0", "+1", "1e0" and "1,0". A point
is always a decimal point; a single comma before exactly three digits is refused, because it may
separate decimals or thousands. Names (of patients and images) keep their case and their leading
zeros: "7", "7.0" and "+7" are the same, "007" is another one.
"""

import functools
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence

from transfer_jax.core.names import nearest

_SAME = dict.fromkeys(map(ord, "‐‑‒–—−﹣－"), "-") | dict.fromkeys(map(ord, "\u200b\u2060\ufeff"))
_PLAIN = re.compile(r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:e[+-]?\d+)?")
_GROUPED = re.compile(
    r"[+-]?[1-9]\d{0,2}(?P<mark>[.,' ’])\d{3}(?:(?P=mark)\d{3})*(?P<rest>[.,]\d+)?"
)
# "1.000" is a thousand to some and one to others, and stays as it is.
_WHOLE = re.compile(r"(?:\+?|(?P<minus>-))(?P<digits>0|[1-9]\d*)(?:[.,](?:0{1,2}|0{4,})?)?")
_CACHED = 1 << 16


def plain(text: str) -> str:
    """Returns the text in Unicode's normal form C with single spaces, none of them at its ends."""
    return " ".join(unicodedata.normalize("NFC", text).split())


@functools.lru_cache(_CACHED)
def fold(text: str) -> str:
    """Returns the form in which words are compared: small letters, single spaces, plain dashes."""
    return plain(unicodedata.normalize("NFC", text).translate(_SAME).casefold())


@functools.lru_cache(_CACHED)
def number(text: str) -> float | None:
    """Returns the number that a text writes, or None if it writes none.

    Raises:
      ValueError: The text may be either of two numbers, as "1,000" may.
    """
    folded = fold(text).replace("- ", "-")
    if folded.lstrip("+-") in ("inf", "infinity"):
        return math.inf
    grouped = _GROUPED.fullmatch(folded)
    if grouped:
        mark, rest = grouped["mark"], grouped["rest"] or ""
        if rest[:1] == mark:
            return None
        single = folded.count(mark) == 1 and not rest
        if single and mark == ",":
            either = folded.replace(",", "")
            raise ValueError(
                f"may be {float(folded.replace(',', '.')):g} or {either}: write it without a"
                " separator"
            )
        if not (single and mark == "."):
            return float(folded.removesuffix(rest).replace(mark, "") + rest.replace(",", "."))
    return float(folded.replace(",", ".")) if _PLAIN.fullmatch(folded) else None


def is_number(text: str) -> bool:
    """Returns whether a text writes a number, even if it may be one of two."""
    try:
        return number(text) is not None
    except ValueError:
        return True


def key(text: str) -> float | str:
    """Returns a value that is equal for texts that mean the same: a number, or a folded word."""
    try:
        value = number(text)
    except ValueError:
        value = None
    return fold(text) if value is None else value


@functools.lru_cache(_CACHED)
def name(text: str) -> str:
    """Returns the one spelling of a name: a whole number without ".0" or "+", other text plain.

    A number with leading zeros ("007") or an exponent ("1E5") is a name like any other.
    """
    text = plain(text)
    whole = _WHOLE.fullmatch(text)
    if whole is None:
        return text
    return ("-" if whole["minus"] and whole["digits"] != "0" else "") + whole["digits"]


def order(text: str) -> tuple[tuple[int, float, str], ...]:
    """Returns a sorting key: numbers by value come first, then words, their digits by value."""
    value = key(text)
    if isinstance(value, float):
        return ((0, value, ""),)
    parts = re.split(r"(\d+)", value)
    return (
        (1, 0.0, ""),
        *((0, float(part), "") if part.isdecimal() else (1, 0.0, part) for part in parts if part),
    )


def hint(name: str, known: Iterable[str]) -> str:
    """Returns a hint at the known name that differs in case or spaces only, or at the nearest."""
    known = list(known)
    same = [each for each in known if _bare(each) == _bare(name)]
    return f"did you mean {same[0]!r}? Case and spaces count" if same else nearest(name, known)


def examples(texts: Sequence[str], most: int = 5) -> str:
    """Returns the first few texts, quoted."""
    shown = ", ".join(repr(text) for text in texts[:most])
    return shown if len(texts) <= most else f"{shown} and {len(texts) - most} more"


def _bare(text: str) -> str:
    return re.sub(r"[\s_-]", "", fold(text))
