"""Metrics of an arm as functions of the weights of its images, and their bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from transfer_jax import metrics
from transfer_jax.metrics import grades
from transfer_jax.metrics.scored import Scored
from transfer_jax.runs import evaluations, weighted
from transfer_jax.runs.judging import Judged, Rule
from transfer_jax.stats import bootstrap, delong, paired, subgroups
from transfer_jax.stats.bootstrap import Bootstrapped, Statistic
from transfer_jax.stats.subgroups import Gap


class Key(NamedTuple):
    """What a number is of.

    Attributes:
      group: "sex=F"; "" for all images.
      label: Name of an output; "" over all labels.
      metric: Name of the metric.
    """

    group: str
    label: str
    metric: str


class ArmStatistics:
    """Metrics of an arm as functions of the weights of the images of all of its repeats.

    A patient who is judged in several repeats is drawn for all of them at once.
    """

    def __init__(self, repeats: Mapping[int, Judged], rule: Rule, where: str) -> None:
        """Prepares the statistics of an arm.

        Args:
          repeats: Repeat -> what is judged of it.
          rule: How it is judged.
          where: What the images are, for messages.
        """
        self.repeats, self.rule = repeats, rule
        self._known: dict[Key, list[Statistic]] = {}
        self.patients = np.concatenate([judged.patients for judged in repeats.values()])
        self._groups = {
            repeat: evaluations.groups_of(judged, rule, where) for repeat, judged in repeats.items()
        }

    def intervals(self, keys: Sequence[Key]) -> dict[Key, Bootstrapped]:
        """Returns the bootstrap interval of the mean over repeats, where there is one."""
        per_repeat = {key: self._per_repeat(key) for key in keys}
        means = {key: weighted.mean_of_all(each) for key, each in per_repeat.items() if each}
        return self._bootstrap(means)

    def differences(self, keys: Sequence[Key], other: ArmStatistics) -> dict[Key, dict[str, float]]:
        """Returns the differences from another arm, over the repeats that both have."""
        shared = [repeat for repeat in self.repeats if repeat in other.repeats]
        if not shared:
            return {}
        here, there = (
            ArmStatistics({r: each.repeats[r] for r in shared}, self.rule, "")
            if list(each.repeats) != shared
            else each
            for each in (self, other)
        )
        pairs = {key: (here._per_repeat(key), there._per_repeat(key)) for key in keys}
        pairs = {key: pair for key, pair in pairs.items() if all(pair)}
        seen = here._bootstrap({key: paired.difference(*pair) for key, pair in pairs.items()})
        ones = np.ones((len(here.patients), 1))
        rows = {}
        for key, (a, b) in pairs.items():
            over_repeats = paired.over_repeats(
                (float(one(ones)[0]) for one in a), (float(one(ones)[0]) for one in b)
            )
            rows[key] = {
                "difference": seen[key].estimate,
                "difference_low": seen[key].low,
                "difference_high": seen[key].high,
                "repeats_low": over_repeats.low,
                "repeats_high": over_repeats.high,
                "p": over_repeats.p if len(shared) > 1 else here._delong(key, there),
            }
        return rows

    def gaps(self) -> dict[tuple[str, str], Gap]:
        """Returns the largest gap between groups, (column, metric) -> gap.

        A group is judged by the mean over repeats of the number over all labels. Groups that are
        too small in a repeat, and those whose images do not define the metric, are left out.
        """
        gaps, ones = {}, np.ones((len(self.patients), 1))
        for column in next(iter(self._groups.values())):
            names = np.unique(np.concatenate([each[column] for each in self._groups.values()]))
            for metric in self.rule.metrics:
                statistics: dict[str, Statistic] = {}
                for name in (str(name) for name in names if name):
                    per_repeat = self._per_repeat(Key(name, "", metric))
                    if per_repeat and all(np.isfinite(one(ones)[0]) for one in per_repeat):
                        statistics[name] = weighted.mean_of_all(per_repeat)
                gaps[column, metric] = subgroups.largest_gap(
                    statistics, self.patients, self._sizes(column, statistics), {},
                    resamples=self.rule.settings.resamples,
                )  # fmt: skip
        return gaps

    def groups_of_first(self, column: str) -> Shaped[np.ndarray, " n"]:
        """Returns the group of every image of the first repeat by a column; "" of none."""
        return next(iter(self._groups.values()))[column]

    def _sizes(self, column: str, names: Iterable[str]) -> dict[str, int]:
        """Returns group -> number of its images in the first repeat."""
        group_of = self.groups_of_first(column)
        return {name: int((group_of == name).sum()) for name in names}

    def _bootstrap(self, statistics: Mapping[Key, Statistic]) -> dict[Key, Bootstrapped]:
        found = bootstrap.intervals(
            list(statistics.values()),
            self.patients,
            resamples=self.rule.settings.resamples,
        )
        return dict(zip(statistics, found, strict=True))

    def _per_repeat(self, key: Key) -> list[Statistic]:
        """Returns a metric of every repeat, or nothing where a repeat has no such function.

        An arm's interval and its differences from others sort the same scores once.
        """
        if key not in self._known:
            self._known[key] = self._make(key)
        return self._known[key]

    def _make(self, key: Key) -> list[Statistic]:
        statistics, first = [], 0
        for repeat, judged in self.repeats.items():
            count = len(judged.patients)
            group_of = self._groups[repeat].get(key.group.partition("=")[0])
            rows = np.arange(count)
            if key.group:
                rows = np.flatnonzero(group_of == key.group)
                if len(rows) < self.rule.settings.smallest_group:
                    return []
            one = weighted.statistic(key.metric, *_view(judged.scored.take(rows), key, self.rule))
            if one is None:
                return []
            statistics.append(_of_rows(one, first + rows))
            first += count
        return statistics

    def _delong(self, key: Key, other: ArmStatistics) -> float:
        """Returns the p-value of one AUC against another of the same images."""
        if key.metric != "auc" or key.group:
            return math.nan
        (one,), (two,) = self.repeats.values(), other.repeats.values()
        scored, label = _view(one.scored, key, self.rule)
        against, _ = _view(two.scored, key, self.rule)
        if not label and len(scored.outputs) > 1:
            return math.nan
        column = scored.outputs.index(label) if label else 0
        areas = delong.areas(
            np.stack([scored.log_odds[:, column], against.log_odds[:, column]]),
            scored.indicators[:, column] > 0.5,
            one.patients,
            scored.mask[:, column],
        )
        return delong.difference(areas).p


def _of_rows(statistic: Statistic, rows: np.ndarray) -> Statistic:
    return lambda weights: statistic(weights[rows])


def _view(scored: Scored, key: Key, rule: Rule) -> tuple[Scored, str]:
    """Returns the scores that a number is computed from, and its label among them."""
    if rule.referable is None or key.label or key.metric in metrics.OF_CLASSES:
        return scored, key.label
    return grades.referable(scored, rule.referable), ""
