"""From one number per label to the numbers over all labels: macro, weighted and micro averages.

The averages are those of scikit-learn's `average=`, over the labels whose number is defined (as
with `zero_division=np.nan`).
"""

from collections.abc import Sequence

import numpy as np

from transfer_jax.metrics.scored import Number, Scored, Value, undefined


def values(
    metric: str,
    scored: Scored,
    numbers: Sequence[Number],
    *,
    supports: Sequence[int] | None = None,
    micro: Number | None = None,
) -> list[Value]:
    """Returns the values of a metric that has a number per label.

    Args:
      metric: Name of the metric.
      scored: The scores.
      numbers: The number of every output.
      supports: Number of positives of every output, for the weighted mean; None for a metric that
        has none.
      micro: The number of all outputs pooled; None for a metric that has none.

    Returns:
      For one output its number alone, with label "". Otherwise the macro mean (label ""), the
      weighted mean and the pooled number where there are such, and the number of every output.
    """
    if len(numbers) == 1:
        return [Value(metric, "", *numbers[0])]
    over_all = [Value(metric, "", *mean(numbers))]
    if supports is not None:
        over_all.append(Value(f"{metric}_weighted", "", *mean(numbers, supports)))
    if micro is not None:
        over_all.append(Value(f"{metric}_micro", "", *micro))
    by_label = [
        Value(metric, name, *number) for name, number in zip(scored.outputs, numbers, strict=True)
    ]
    return over_all + by_label


def mean(numbers: Sequence[Number], weights: Sequence[int] | None = None) -> Number:
    """Returns the mean of the numbers that are defined.

    Args:
      numbers: The numbers.
      weights: Their weights; None for equal ones.
    """
    defined = [i for i, number in enumerate(numbers) if not np.isnan(number.value)]
    if not defined:
        return undefined("; ".join(dict.fromkeys(number.reason for number in numbers)))
    chosen = np.array([numbers[i].value for i in defined], np.float64)
    if weights is None:
        return Number(float(chosen.mean()))
    counts = np.array([weights[i] for i in defined], np.float64)
    if not counts.sum():
        return undefined("no positives")
    return Number(float(np.average(chosen, weights=counts)))
