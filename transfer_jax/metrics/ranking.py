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
    """For each label: twice the rightly ordered pairs plus the ties, as base-2048 digits summed apart, and the class sizes."""

    digits: Int[Array, "k 3"]
    positives: Int[Array, " k"]
    negatives: Int[Array, " k"]


@jax.jit
def count_pairs(scores: Float[Array, "n k"], targets: Float[Array, "n k"], mask: Bool[Array, "n k"]) -> PairCounts:
    """Counts, label by label, how the positives' scores stand against the negatives'.

    Args:
      scores: [n, k], any monotone score, finite; n below 2 ** 20.
      targets: [n, k], above 0.5 is positive.
      mask: [n, k], False for rows that do not count for a label (padding, missing labels).
    """

    def one(score: Array, target: Array, valid: Array) -> tuple[Array, Array, Array]:
        positive, negative = valid & (target > 0.5), valid & (target <= 0.5)
        # Everything that is no negative sorts behind all finite scores and is counted by neither search.
        negatives = jnp.sort(jnp.where(negative, score, jnp.inf))
        below = jnp.searchsorted(negatives, score, side="left")
        not_above = jnp.searchsorted(negatives, score, side="right")
        twice = jnp.where(positive, below + not_above, 0).astype(jnp.int32)
        digits = jnp.stack([((twice >> (_BITS * i)) & ((1 << _BITS) - 1)).sum() for i in range(_PARTS)])
        return digits, positive.sum(), negative.sum()

    return PairCounts(*jax.vmap(one, in_axes=1)(scores, targets, mask))


def auc(counts: PairCounts) -> Float[np.ndarray, " k"]:
    """AUC of every label, float64 in [0, 1]; NaN where a class is empty."""
    digits = np.asarray(counts.digits).astype(object)
    pairs = np.asarray(counts.positives).astype(object) * np.asarray(counts.negatives).astype(object)
    twice = sum(digits[:, i] << (_BITS * i) for i in range(_PARTS))
    return np.array([t / (2 * p) if p else np.nan for t, p in zip(np.atleast_1d(twice), np.atleast_1d(pairs), strict=True)], np.float64)


def one_against_rest(targets: Float[Array, "n 1"], classes: int) -> Float[Array, "n k"]:
    """Class indices as indicator columns, so that a multiclass AUC is a label-wise one."""
    return (targets == jnp.arange(classes)[None]).astype(jnp.float32)
