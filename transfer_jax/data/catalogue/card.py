"""What is known of a public data set before one has it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """A data set's card; `python -m transfer_jax.tools.prepare --list` shows it.

    Attributes:
      title: full name.
      layout: the files of the raw folder, as the publisher lays them out, a line each.
      labels: what is labelled.
      patient: what tells patients apart.
      split: the publisher's split, or how one is made.
      licence: of the images.
      citation: of the paper to cite.
      address: of the publisher.
      channels: of the images that are written when nothing else is asked for: 1 (grey) or 3 (RGB).
      options: option of the reader -> its help; they become flags of tools.prepare. Options without a default come first in `required`.
      required: the options that must be given.
    """

    title: str
    layout: str
    labels: str
    patient: str
    split: str
    licence: str
    citation: str
    address: str
    channels: int = 3
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    required: tuple[str, ...] = ()
