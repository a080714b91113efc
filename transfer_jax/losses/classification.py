"""Losses and scores of the three kinds of classification task."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float


def per_output(kind: str, logits: Float[Array, "b k"], targets: Float[Array, "b t"]) -> Float[Array, "b t"]:
    """The loss of every target, unreduced.

    Args:
      kind: "binary" (k = t = 1) and "multilabel" (k = t): sigmoid cross-entropy of targets in [0, 1];
        "multiclass" (t = 1): softmax cross-entropy of a class index in 0..k-1.
      logits: [b, k].
      targets: [b, t]; entries that are to be masked may hold any finite value.
    """
    if kind == "multiclass":
        labels = jnp.clip(targets[:, 0].astype(jnp.int32), 0, logits.shape[1] - 1)
        return optax.losses.softmax_cross_entropy_with_integer_labels(logits, labels)[:, None]
    return optax.losses.sigmoid_binary_cross_entropy(logits, targets)


def scores(kind: str, logits: Float[Array, "b k"]) -> Float[Array, "b k"]:
    """Probabilities in [0, 1]: softmax over classes, sigmoid per label otherwise."""
    return jax.nn.softmax(logits) if kind == "multiclass" else jax.nn.sigmoid(logits)


def correct(kind: str, logits: Float[Array, "b k"], targets: Float[Array, "b t"]) -> Float[Array, "b t"]:
    """1.0 where the prediction (most likely class, or probability above one half) equals the target, else 0.0."""
    if kind == "multiclass":
        return (jnp.argmax(logits, axis=1) == targets[:, 0]).astype(jnp.float32)[:, None]
    return ((logits > 0) == (targets > 0.5)).astype(jnp.float32)
