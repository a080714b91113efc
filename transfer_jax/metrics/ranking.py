"""Area under the ROC curve, exact with ties.

The pairs are counted on the device in integers, since neither float32 nor int32 can hold the count of pairs of a large
evaluation; the counts are put together on the host. AUC = (pairs ordered rightly + half of the tied pairs) / pairs.

Source: the Mann-Whitney statistic; Hanley and McNeil 1982.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

_BITS, _PARTS = 11, 3
MAX_ROWS = 1 << (31 - _BITS)


class PairCounts(NamedTuple):
    """Counts of positive-negative pairs, one entry per label.

    Attributes:
      digits: Twice the rightly ordered pairs plus the ties, as base-2048 digits summed apart.
      positives: Number of positives that count.
      negatives: Number of negatives that count.
      unordered: Whether a score that counts is NaN, which no order can place.
    """

    digits: Int[Array, "k 3"]
    positives: Int[Array, " k"]
    negatives: Int[Array, " k"]
    unordered: Bool[Array, " k"]


@jax.jit
def count_pairs(scores: Float[Array, "n k"], targets: Float[Array, "n k"], mask: Bool[Array, "n k"]) -> PairCounts:
    """Counts, label by label, how the positives' scores stand against the negatives'.

    Args:
      scores: [n, k], any monotone score; infinities rank as what they are; n below 2 ** 20.
      targets: [n, k], above 0.5 is positive.
      mask: [n, k], False for rows that do not count for a label (padding, missing labels).
    """

    def one(score: Array, target: Array, valid: Array) -> tuple[Array, Array, Array, Array]:
        positive, negative = valid & (target > 0.5), valid & (target <= 0.5)
        # Everything that is no negative sorts to the end, beside negatives of +inf at most: no search
        # may count more entries than there are negatives.
        negatives, size = jnp.sort(jnp.where(negative, score, jnp.inf)), negative.sum()
        below = jnp.minimum(jnp.searchsorted(negatives, score, side="left"), size)
        not_above = jnp.minimum(jnp.searchsorted(negatives, score, side="right"), size)
        twice = jnp.where(positive, below + not_above, 0).astype(jnp.int32)
        digits = jnp.stack([((twice >> (_BITS * i)) & ((1 << _BITS) - 1)).sum() for i in range(_PARTS)])
        return digits, positive.sum(), size, (valid & jnp.isnan(score)).any()

    return PairCounts(*jax.vmap(one, in_axes=1)(scores, targets, mask))


def auc(counts: PairCounts) -> Float[np.ndarray, " k"]:
    """Returns the AUC of every label, float64 in [0, 1].

    It is NaN where a label has no positives, no negatives, or a NaN among the scores that count.
    """
    digits, positives, negatives = (np.asarray(field).astype(object) for field in (counts.digits, counts.positives, counts.negatives))
    pairs = positives * negatives
    twice = (digits << np.arange(0, _BITS * _PARTS, _BITS).astype(object)).sum(1)
    defined = (pairs > 0) & ~np.asarray(counts.unordered)
    values = [t / (2 * p) if ok else np.nan for t, p, ok in zip(twice, pairs, defined, strict=True)]
    return np.array(values, np.float64)


def one_against_rest(targets: Float[Array, "n 1"], classes: int) -> Float[Array, "n k"]:
    """Class indices as indicator columns, so that a multiclass AUC is a label-wise one."""
    return (targets == jnp.arange(classes)[None]).astype(jnp.float32)
