"""Networks as the tests of models make them."""

import jax
import jax.numpy as jnp

from transfer_jax import models


def initial(module, images):
    """Returns variables that a network draws."""
    return jax.jit(lambda key: module.init(key, images, train=False))(jax.random.key(0))


def variables_of(name, size=32, layout="torchvision", **options):
    """Returns a network of five outputs, and the shapes of its variables."""
    module = models.create(name, 5, layout, **options)
    return module, jax.eval_shape(
        lambda: module.init(jax.random.key(0), jnp.zeros((2, size, size, 3)), train=False)
    )
