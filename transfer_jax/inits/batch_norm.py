"""What becomes of the batch norms where an initialiser redraws the convolutions."""

from typing import Any

import jax

from transfer_jax.inits import choices, distributions, layers

KINDS = ("own", "pretrained", "mean_var")


def fill(key: jax.Array, variables: Any, source: Any, kind: str, distribution: str = "normal") -> Any:
    """`variables` with their batch norms as `kind` says; convolutions and the head stay as they are.

    Args:
      key: typed PRNG key; each tensor has a stream of its own.
      variables: of the network.
      source: of the same network.
      kind: "own": as in `variables`, which is scale 1, bias 0, mean 0 and variance 1 where these are freshly drawn; "pretrained": scale, bias
        and running statistics of the source; "mean_var": scale and bias drawn from the mean and variance of the source's tensor, running
        statistics as in `variables` (drawn ones would belong to no data, and a drawn variance could be negative).
      distribution: of "mean_var", see `distributions.draw`.

    Raises:
      ConfigError: another kind; the source lacks a tensor or, for "pretrained", has it in another shape.
    """
    choices.check("batch_norm", kind, KINDS)
    if kind == "own":
        return variables
    if kind == "pretrained":
        for collection in ("params", "batch_stats"):
            variables = layers.batch_norms(key, variables, source, lambda _, own, theirs: theirs, collection=collection)
        return variables

    def draw(key: jax.Array, own: jax.Array, theirs: jax.Array) -> jax.Array:
        return distributions.draw(key, own.shape, theirs.mean(), theirs.std(), distribution)

    return layers.batch_norms(key, variables, source, draw, same_shape=False)
