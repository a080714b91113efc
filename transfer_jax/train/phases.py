"""A member's training as phases: which parameters are trained, by which optimiser and at which rate, from which step on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array

from transfer_jax.core import mesh as meshes
from transfer_jax.optim.build import Hyper, Optimizer
from transfer_jax.train import state
from transfer_jax.train.state import Member
from transfer_jax.train.step import TrainStep


@dataclasses.dataclass(frozen=True)
class Phase:
    """Some steps of a training.

    Attributes:
      first: step at which it begins.
      optimizer: its own, with a state that begins anew.
      factors: path -> factor of the learning rate, of the parameters that are trained; None for all of them.
      hyper: of the member in this phase.
      step: the compiled step, which members may share.
    """

    first: int
    optimizer: Optimizer
    factors: Mapping[str, float] | None
    hyper: Hyper
    step: TrainStep


class Program:
    """What a member does at each step."""

    def __init__(self, phases: Sequence[Phase], mesh: Mesh) -> None:
        """Phases in order; the first begins at step 0."""
        self.phases, self._mesh = tuple(phases), mesh

    def begin(self, variables: Any, key: jax.Array, metrics: Any) -> Member:
        """The member at step 0, from its variables and its own randomness; `metrics` is a clu collection's class."""
        first = self.phases[0]
        return state.create(variables, key, first.hyper, first.optimizer, metrics, self._mesh, first.factors)

    def at(self, done: int) -> Phase:
        """The phase after `done` steps."""
        return [phase for phase in self.phases if phase.first <= done][-1]

    def enter(self, member: Member, phase: Phase) -> Member:
        """The member at the beginning of a phase: its parameters as they are, a fresh optimiser."""
        fresh = (phase.optimizer.init(state.split(member.params, phase.factors)[0]), phase.hyper)
        # A copy: the step is given the buffers of its member, and members share their hyper-parameters' here.
        optimizer_state, hyper = jax.tree.map(lambda leaf: jax.device_put(jnp.array(leaf, copy=True), meshes.replicated(self._mesh)), fresh)
        return member.replace(optimizer_state=optimizer_state, hyper=hyper)

    def step(self, member: Member, done: int, images: Array, targets: Array, weights: Array) -> Member:
        """The member one step further, after `done` steps."""
        phase = self.at(done)
        if done == phase.first and done:
            member = self.enter(member, phase)
        return phase.step(member, images, targets, weights)

    def like(self, member: Member, done: int) -> Member:
        """A member of the shapes that `member` has after `done` steps, for a checkpoint to be put into."""
        # The state of a phase is made by its first step: after `done` steps it is that of the step before.
        phase = self.at(max(done - 1, 0))
        return member if phase is self.phases[0] else self.enter(member, phase)
