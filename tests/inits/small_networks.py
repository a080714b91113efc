"""Small networks of several families, filled by NumPy: nothing is compiled to make them."""

import functools
import zlib

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import models

NETWORKS = {
    "cbr_tiny": {"name": "cbr_tiny", "widths": (8, 8, 8, 8)},
    "resnet50_keras": {
        "name": "resnet50",
        "layout": "keras",
        "widths": (8, 8, 8, 8),
    },  # convolutions have biases
}


@functools.cache
def shapes(name, outputs, layout="torchvision", **options):
    return models.shapes(models.create(name, outputs, layout, **options), 32)


def filled(name, seed, outputs=2, layout="torchvision", dtype=jnp.float32, **options):
    """Variables as of a trained network: no tensor is like another, values are not normal, batch
    norms not fresh.
    """

    def fill(path, shape):
        rng = np.random.default_rng([seed, zlib.crc32(jax.tree_util.keystr(path).encode())])
        spread = rng.uniform(0.1, 0.5)
        values = rng.uniform(-0.3, 0.3) + spread * rng.laplace(size=shape.shape)
        return jnp.asarray(np.abs(values) if path[-1].key == "var" else values, dtype)

    return jax.tree_util.tree_map_with_path(fill, shapes(name, outputs, layout, **options))


def equal(a, b):
    return all(
        bool((x == y).all()) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


def flat(tree):
    return {
        tuple(part.key for part in path): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]
    }


def convolutions(variables):
    """Path -> tensor, for kernels and biases of the convolutions."""
    params = {
        path: leaf
        for path, leaf in flat(variables["params"]).items()
        if path[0] not in models.HEADS
    }
    return {path: leaf for path, leaf in params.items() if (*path[:-1], "kernel") in params}


def rest(variables):
    """What belongs to no convolution of the body: batch norms and their statistics, the head."""
    mine = convolutions(variables)
    return {path: leaf for path, leaf in flat(variables).items() if path[1:] not in mine}


def correlation(a, b):
    return np.corrcoef(np.ravel(a).astype(np.float64), np.ravel(b).astype(np.float64))[0, 1]
