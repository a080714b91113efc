"""Logs how far members have moved from their initial networks while they train."""

from __future__ import annotations

from collections.abc import Callable

from transfer_jax.analysis import layerwise
from transfer_jax.compare.probe import Probe
from transfer_jax.train.population import Population
from transfer_jax.train.tracker import Trackers


class Drift:
    """A hook that compares every stage of every member with the same stage before training.

    Logs the similarity per stage, by the measure of the probe, with its level by chance beside it:
    as "similarity_cca/conv1" and "similarity_cca_by_chance/conv1".
    """

    def __init__(self, probe: Probe, tracker: Trackers, stopped: Callable[[int], set[str]]) -> None:
        """Creates the hook.

        Args:
          probe: Compares two networks.
          tracker: Where the result is logged.
          stopped: Returns the members that are not compared any more after so many rounds.
        """
        self._probe, self._tracker, self._stopped = probe, tracker, stopped

    def __call__(self, done: int, population: Population) -> None:
        """Compares all members after `done` steps."""
        stopped = self._stopped(done)
        for name, spec in population.specs.items():
            if name in stopped:
                continue
            comparisons = self._probe(spec.repeat, spec.variables, population.get(name).variables)
            if not comparisons:
                continue
            means = {stage: layerwise.mean_of(draws) for stage, draws in comparisons.items()}
            name_of_measure = f"similarity_{self._probe.measure}"
            values = {f"{name_of_measure}/{stage}": mean.mean for stage, mean in means.items()}
            values |= {
                f"{name_of_measure}_by_chance/{stage}": mean.chance for stage, mean in means.items()
            }
            self._tracker.scalars(name, done, values)
