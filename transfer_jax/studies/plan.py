"""What a member of a study is before its training."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax

from transfer_jax.studies.programs import Course


@dataclasses.dataclass(frozen=True)
class Plan:
    """One member before its training.

    Attributes:
      name: of the member.
      repeat: members of one repeat see the same batches.
      variables: where it begins.
      key: its own randomness.
      course: how it is trained.
      facts: what it is, for TensorBoard's table.
    """

    name: str
    repeat: int
    variables: Any
    key: jax.Array
    course: Course
    facts: Mapping[str, Any]
