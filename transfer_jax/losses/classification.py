"""Losses and scores of the three kinds of classification task.

A score is the log-odds of a prediction, log(p / (1 - p)), and never the probability p itself: in
float32 all probabilities of logits above 17 are 1, so that ranking them would count ties that do
not exist. `jax.nn.sigmoid(score)` is the probability, for every kind of task.

A "binary" or "multilabel" task has one output per label, or three where the uncertain values of a
label are a class of their own (U-MultiClass of Irvin et al. 2019: negative, positive, uncertain).
`widths` says how many outputs each label has; () is one per label.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

# (outputs of one label [b, 1 or 3], number of the label) -> its column [b].
_LabelFunction = Callable[[Array, int], Array]


def per_output(
    kind: str, logits: Float[Array, "b k"], targets: Float[Array, "b t"], widths: Sequence[int] = ()
) -> Float[Array, "b t"]:
    """Returns the loss of every target, unreduced.

    Args:
      kind: "binary" (t = 1) and "multilabel": sigmoid cross-entropy of targets in [0, 1], or
        softmax cross-entropy over a label's three outputs. "multiclass" (t = 1): softmax
        cross-entropy of a class index in 0..k-1.
      logits: Outputs of the head, [b, k].
      targets: Targets, [b, t]; entries that the caller masks may hold any finite value.
      widths: Number of outputs per label, adding up to k.
    """
    if kind == "multiclass":
        return _softmax(logits, targets[:, 0])[:, None]
    if not any(width > 1 for width in widths):
        return optax.losses.sigmoid_binary_cross_entropy(logits, targets)
    return _per_label(
        widths,
        lambda outputs, i: optax.losses.sigmoid_binary_cross_entropy(outputs[:, 0], targets[:, i]),
        lambda outputs, i: _softmax(outputs, targets[:, i]),
        logits,
    )


def scores(
    kind: str, logits: Float[Array, "b k"], widths: Sequence[int] = ()
) -> Float[Array, "b s"]:
    """Returns the log-odds of every class ("multiclass") or of every label being positive.

    For a label with three outputs these are the log-odds of p1 / (p0 + p1): uncertain is left out.

    Args:
      kind: "binary", "multilabel" or "multiclass".
      logits: Outputs of the head, [b, k].
      widths: Number of outputs per label, adding up to k.
    """
    if kind == "multiclass":
        return _against_the_rest(logits)
    if not any(width > 1 for width in widths):
        return logits
    return _per_label(
        widths,
        lambda outputs, i: outputs[:, 0],
        lambda outputs, i: outputs[:, 1] - outputs[:, 0],
        logits,
    )


def _against_the_rest(logits: Float[Array, "b k"]) -> Float[Array, "b k"]:
    """Returns each class's logit minus the log of the summed exponentials of the other classes."""
    largest = logits.max(axis=1, keepdims=True)
    is_top = jnp.arange(logits.shape[1])[None] == jnp.argmax(logits, axis=1, keepdims=True)
    # For the top class the other terms are summed by themselves: subtracting the largest term from
    # the whole sum would leave rounding error. For any other class the difference holds that term.
    exponentials = jnp.exp(logits - largest)
    others = largest + jnp.log(exponentials.sum(axis=1, keepdims=True) - exponentials)
    below_top = jax.nn.logsumexp(jnp.where(is_top, -jnp.inf, logits), axis=1, keepdims=True)
    return logits - jnp.where(is_top, below_top, others)


def correct(
    kind: str, logits: Float[Array, "b k"], targets: Float[Array, "b t"], widths: Sequence[int] = ()
) -> Float[Array, "b t"]:
    """Returns 1.0 where the prediction equals the target, else 0.0.

    The prediction is the most likely class; a label with one output is predicted to be positive
    where its probability is above one half.

    Args:
      kind: "binary", "multilabel" or "multiclass".
      logits: Outputs of the head, [b, k].
      targets: Targets, [b, t].
      widths: Number of outputs per label, adding up to k.
    """
    if kind == "multiclass":
        return (jnp.argmax(logits, axis=1) == targets[:, 0]).astype(jnp.float32)[:, None]
    if not any(width > 1 for width in widths):
        return ((logits > 0) == (targets > 0.5)).astype(jnp.float32)
    return _per_label(
        widths,
        lambda outputs, i: ((outputs[:, 0] > 0) == (targets[:, i] > 0.5)).astype(jnp.float32),
        lambda outputs, i: (jnp.argmax(outputs, axis=1) == targets[:, i]).astype(jnp.float32),
        logits,
    )


def _softmax(logits: Array, classes: Array) -> Array:
    """Returns the softmax cross-entropy [b]; masked classes may be out of range and are clipped."""
    labels = jnp.clip(classes.astype(jnp.int32), 0, logits.shape[1] - 1)
    return optax.losses.softmax_cross_entropy_with_integer_labels(logits, labels)


def _per_label(
    widths: Sequence[int], one: _LabelFunction, three: _LabelFunction, logits: Array
) -> Array:
    """Returns one column per label, computed from the label's outputs.

    Args:
      widths: Number of outputs per label.
      one: Computes the column of a label with one output.
      three: Computes the column of a label with three outputs.
      logits: Outputs of the head, [b, k].
    """
    ends = [sum(widths[: i + 1]) for i in range(len(widths))]
    return jnp.stack(
        [
            (one if width == 1 else three)(logits[:, end - width : end], i)
            for i, (width, end) in enumerate(zip(widths, ends, strict=True))
        ],
        axis=1,
    )
