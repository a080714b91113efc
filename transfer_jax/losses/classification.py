"""Losses and scores of the three kinds of classification task.

A score is the log-odds of what it predicts, log(p / (1 - p)), and never the probability p itself: in
float32 all probabilities of logits above 17 are 1, so that ranking them would count ties that are not
there. `jax.nn.sigmoid(score)` is the probability, for every kind of task.

A "binary" or "multilabel" task has one output a label, or three where a label's uncertain values are a class of their own
(U-MultiClass of Irvin et al. 2019: negative, positive, uncertain). `widths` says how many outputs each label has; () is one for each.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

_OfLabel = Callable[[Array, int], Array]


def per_output(kind: str, logits: Float[Array, "b k"], targets: Float[Array, "b t"], widths: Sequence[int] = ()) -> Float[Array, "b t"]:
    """The loss of every target, unreduced.

    Args:
      kind: "binary" (t = 1) and "multilabel": sigmoid cross-entropy of targets in [0, 1], or softmax cross-entropy over a label's
        three outputs; "multiclass" (t = 1): softmax cross-entropy of a class index in 0..k-1.
      logits: [b, k].
      targets: [b, t]; entries that are to be masked may hold any finite value.
      widths: outputs of each label, adding up to k.
    """
    if kind == "multiclass":
        return _softmax(logits, targets[:, 0])[:, None]
    if not any(width > 1 for width in widths):
        return optax.losses.sigmoid_binary_cross_entropy(logits, targets)
    return _each(
        widths,
        lambda own, i: optax.losses.sigmoid_binary_cross_entropy(own[:, 0], targets[:, i]),
        lambda own, i: _softmax(own, targets[:, i]),
        logits,
    )


def scores(kind: str, logits: Float[Array, "b k"], widths: Sequence[int] = ()) -> Float[Array, "b s"]:
    """Returns the log-odds of every class ("multiclass") or of every label being positive.

    A label with three outputs has the log-odds of p1 / (p0 + p1): the uncertain class is left out.
    """
    if kind == "multiclass":
        return _against_the_rest(logits)
    if not any(width > 1 for width in widths):
        return logits
    return _each(
        widths,
        lambda outputs, i: outputs[:, 0],
        lambda outputs, i: outputs[:, 1] - outputs[:, 0],
        logits,
    )


def _against_the_rest(logits: Float[Array, "b k"]) -> Float[Array, "b k"]:
    """Returns each class's logit minus the log of the summed exponentials of the other classes."""
    largest = logits.max(axis=1, keepdims=True)
    is_top = jnp.arange(logits.shape[1])[None] == jnp.argmax(logits, axis=1, keepdims=True)
    # The others of the top class are summed by themselves: what is left of the whole sum after its
    # largest term is taken out again would be rounding error. Those of any other class hold that term.
    exponentials = jnp.exp(logits - largest)
    others = largest + jnp.log(exponentials.sum(axis=1, keepdims=True) - exponentials)
    below_top = jax.nn.logsumexp(jnp.where(is_top, -jnp.inf, logits), axis=1, keepdims=True)
    return logits - jnp.where(is_top, below_top, others)


def correct(kind: str, logits: Float[Array, "b k"], targets: Float[Array, "b t"], widths: Sequence[int] = ()) -> Float[Array, "b t"]:
    """1.0 where the prediction (most likely class, or probability above one half) equals the target, else 0.0."""
    if kind == "multiclass":
        return (jnp.argmax(logits, axis=1) == targets[:, 0]).astype(jnp.float32)[:, None]
    if not any(width > 1 for width in widths):
        return ((logits > 0) == (targets > 0.5)).astype(jnp.float32)
    return _each(
        widths,
        lambda own, i: ((own[:, 0] > 0) == (targets[:, i] > 0.5)).astype(jnp.float32),
        lambda own, i: (jnp.argmax(own, axis=1) == targets[:, i]).astype(jnp.float32),
        logits,
    )


def _softmax(logits: Array, classes: Array) -> Array:
    labels = jnp.clip(classes.astype(jnp.int32), 0, logits.shape[1] - 1)
    return optax.losses.softmax_cross_entropy_with_integer_labels(logits, labels)


def _each(widths: Sequence[int], one: _OfLabel, three: _OfLabel, logits: Array) -> Array:
    """A column for each label, from its own outputs."""
    ends = [sum(widths[: i + 1]) for i in range(len(widths))]
    return jnp.stack(
        [(one if width == 1 else three)(logits[:, end - width : end], i) for i, (width, end) in enumerate(zip(widths, ends, strict=True))], axis=1
    )
