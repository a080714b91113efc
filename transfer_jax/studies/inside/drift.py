"""How far members have moved from what they began from, while they train."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from transfer_jax.analysis import layerwise
from transfer_jax.studies.inside.probe import Probe
from transfer_jax.studies.plan import Plan
from transfer_jax.train.state import Member
from transfer_jax.train.tensorboard import Writer


class Drift:
    """A hook that compares every stage of every member with the one it began from, onto TensorBoard: mean CCA, and its chance level beside it."""

    def __init__(self, probe: Probe, plans: Sequence[Plan], boards: Mapping[str, Writer], stopped: Callable[[], set[str]]) -> None:
        """The members of `plans`, those that have `stopped` left out; `boards` are their event files, none where another process writes them."""
        self._probe, self._plans, self._boards, self._stopped = probe, plans, boards, stopped

    def __call__(self, done: int, members: Mapping[str, Member]) -> None:
        """Compares after `done` steps."""
        for plan in self._plans:
            if plan.name in self._stopped():
                continue
            found = self._probe(plan.repeat, plan.variables, members[plan.name].variables)
            if found and plan.name in self._boards:
                values = {f"similarity/{stage}": layerwise.mean_of(of).mean for stage, of in found.items()}
                floor = {f"similarity_by_chance/{stage}": layerwise.mean_of(of).chance for stage, of in found.items()}
                self._boards[plan.name].scalars(done, values | floor)
