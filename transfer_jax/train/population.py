"""The members of a training and where they live: one after the other, over the whole mesh."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from transfer_jax.metrics import averages
from transfer_jax.objectives import Objective
from transfer_jax.objectives.protocol import DeviceBatch
from transfer_jax.optim.optimizer import Optimizer
from transfer_jax.train import state
from transfer_jax.train import step as steps
from transfer_jax.train.schedule import MemberSchedule, ScheduledPhase
from transfer_jax.train.state import Member

# Names of stages whose batch norms are frozen -> the network.
MakeNetwork = Callable[[tuple[str, ...]], Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemberSpec:
    """What a member is before its training.

    Attributes:
      name: Name of the member.
      repeat: Number of its repeat; members of one repeat see the same batches.
      variables: Variables that it begins from.
      key: Typed PRNG key of its own randomness.
      schedule: How it is trained.
      facts: What it is, name -> text or number, for tables of hyper-parameters and model cards.
    """

    name: str
    repeat: int
    variables: Any
    key: jax.Array
    schedule: MemberSchedule
    facts: Mapping[str, Any]


class _Program(NamedTuple):
    """What is compiled for a phase.

    Attributes:
      optimizer: Its optimiser.
      factors: Path -> factor of the learning rate, of the parameters that are trained.
      step: The compiled step.
    """

    optimizer: Optimizer
    factors: Mapping[str, float]
    step: steps.Step


class Population:
    """Members behind `step`, `get`, `map` and `save`, wherever they live.

    Members whose phases differ in numbers alone (learning rate, weight decay, first step) share
    compiled steps.
    """

    def __init__(
        self,
        specs: Sequence[MemberSpec],
        make_network: MakeNetwork,
        objective: Objective,
        mesh: Mesh,
    ) -> None:
        """Creates every member at step 0.

        Args:
          specs: The members.
          make_network: Makes the network with some stages' batch norms frozen.
          objective: What is minimised.
          mesh: The devices.
        """
        self.specs = {spec.name: spec for spec in specs}
        self._schedules = {spec.name: spec.schedule for spec in specs}
        self._make_network, self._objective, self._mesh = make_network, objective, mesh
        self._programs: dict[ScheduledPhase, _Program] = {}
        self._params = specs[0].variables["params"]
        self._members = {name: self._begin(spec) for name, spec in self.specs.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all members, in order."""
        return tuple(self.specs)

    def get(self, name: str) -> Member:
        """Returns a member's state; the next step of the member reuses its buffers."""
        return self._members[name]

    def step(self, name: str, done: int, batch: DeviceBatch) -> None:
        """Takes a member one step further.

        Args:
          name: Name of the member.
          done: Number of steps that it has done.
          batch: The batch on the device.
        """
        phase = self._schedules[name].at(done)
        if done == phase.first and done:
            self._members[name] = self._enter(self._members[name], phase)
        self._members[name] = self._program(phase).step(self._members[name], batch)

    def follow(self, schedules: Mapping[str, MemberSchedule]) -> None:
        """Sets the schedules that members follow from now on.

        Args:
          schedules: Member -> its schedule, see `early_stop.followed`.
        """
        self._schedules = {name: schedules[name] for name in self.specs}

    def map(self, function: Callable[[Member], Any], names: Iterable[str] | None = None) -> Any:
        """Returns name -> `function(member)` of the members `names`, by default of all."""
        names = self._members if names is None else names
        return {name: function(self._members[name]) for name in names}

    def variables(self) -> dict[str, Any]:
        """Returns name -> variables of every member."""
        return self.map(lambda member: member.variables)

    def empty_averages(self, name: str) -> dict[str, float]:
        """Returns what a member has logged since the last call, and starts afresh."""
        member = self._members[name]
        values = averages.compute(member.averages)
        fresh = state.on_mesh(averages.empty(self._objective.logged), self._mesh)
        self._members[name] = member.replace(averages=fresh)
        return {key: values[key] for key in self._objective.logged}

    def save(self) -> dict[str, Member]:
        """Returns name -> state of every member, for a checkpoint."""
        return dict(self._members)

    def restore(self, members: Mapping[str, Member]) -> None:
        """Replaces the members by those of a checkpoint."""
        self._members = {name: members[name] for name in self.specs}

    def like(self, done: int, schedules: Mapping[str, MemberSchedule]) -> dict[str, Member]:
        """Returns members of the shapes that they have after `done` rounds, to restore into.

        Args:
          done: Number of rounds.
          schedules: Member -> its schedule, as it followed it until then.
        """
        # The state of a phase is made by its first step: after `done` steps it is that of the step
        # before.
        members = {}
        for name, member in self._members.items():
            schedule = schedules[name]
            phase = schedule.at(max(min(done, schedule.end) - 1, 0))
            members[name] = member if not phase.first else self._enter(member, phase)
        return members

    def _begin(self, spec: MemberSpec) -> Member:
        phase = spec.schedule.phases[0]
        program = self._program(phase)
        return state.create(
            spec.variables,
            spec.key,
            phase.hyper,
            program.optimizer,
            self._objective,
            self._make_network(()),
            self._mesh,
            program.factors,
        )

    def _enter(self, member: Member, phase: ScheduledPhase) -> Member:
        """Returns the member at the start of a phase: the same parameters, a fresh optimiser."""
        program = self._program(phase)
        trained, _ = state.split(member.params, member.objective_params, program.factors)
        fresh = (program.optimizer.init(trained), phase.hyper, jnp.int32(phase.first))
        optimizer_state, hyper, start = state.on_mesh(fresh, self._mesh)
        return member.replace(optimizer_state=optimizer_state, hyper=hyper, phase_start=start)

    def _program(self, phase: ScheduledPhase) -> _Program:
        key = phase.compiled_as
        if key not in self._programs:
            factors = phase.factors(self._params)
            network = self._make_network(phase.frozen_stages(self._params, factors))
            optimizer = phase.build_optimizer()
            trained = {path: factor for path, factor in factors.items() if factor}
            step = steps.make_step(network, self._objective, optimizer, trained)
            compiled = steps.compile_step(step, self._mesh)
            self._programs[key] = _Program(optimizer, trained, compiled)
        return self._programs[key]
