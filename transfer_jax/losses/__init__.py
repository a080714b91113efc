"""Losses: elementwise and unreduced formulas; the caller masks them and averages.

`weighted_mean` is the average that every objective takes of them.
"""

from jaxtyping import Array, Float

__all__ = ["weighted_mean"]


def weighted_mean(values: Float[Array, "b t"], weights: Float[Array, "b t"]) -> Float[Array, ""]:
    """Returns the weighted sum of the values, divided by the number of values that count.

    It is not divided by the sum of the weights: weights whose mean over a data set is one then keep
    the scale of the mean loss, whatever a batch holds (as `class_weight` of Keras does).

    Args:
      values: Values, [b, t].
      weights: Weight of every value, [b, t]; a value counts where its weight is not zero.

    Returns:
      A scalar; 0 where no value counts.
    """
    count = (weights != 0).sum().astype(values.dtype)
    return (values * weights).sum() / (count + (count == 0))
