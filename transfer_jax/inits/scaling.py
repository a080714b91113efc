"""Mean-Var: the scale of pretrained weights without their features."""

from typing import Any

import jax

from transfer_jax import models
from transfer_jax.core import rng


def mean_var(key: jax.Array, variables: Any, source: Any) -> Any:
    """Every convolution kernel drawn anew, iid N(m, s^2) with m and s^2 the mean and variance of the pretrained tensor.

    Batch norm stays as it was drawn (scale 1, bias 0): the paper's text does not say what it does with it. The draw of a
    tensor depends on the key and the tensor's own path alone.

    Source: Raghu et al. 2019, section 5, "Weight Scalings".
    """

    def draw(path: Any, own: jax.Array, theirs: jax.Array) -> jax.Array:
        if path[-1].key != "kernel":
            return own
        noise = jax.random.normal(rng.stream(key, jax.tree_util.keystr(path)), own.shape, own.dtype)
        return theirs.mean().astype(own.dtype) + theirs.std().astype(own.dtype) * noise

    own = {module: tensors for module, tensors in variables["params"].items() if module not in models.HEADS}
    theirs = {module: source["params"][module] for module in own}
    drawn = jax.tree_util.tree_map_with_path(draw, own, theirs)
    return {**variables, "params": {**variables["params"], **drawn}}
