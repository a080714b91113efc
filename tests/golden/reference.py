"""The weights and images of the reference numbers, made from names and shapes; origin: README.md
beside this file.
"""

import json
import zlib
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent


def read(file):
    """A reference file, e.g. "torchvision/resnet18"."""
    return json.loads((FOLDER / f"{file}.json").read_text())


def tensor(name, shape, salt=0):
    """The float32 value of the tensor `name` of the reference library; another salt gives another
    network.
    """
    z = np.random.default_rng(zlib.crc32(f"{salt}:{name}".encode())).standard_normal(shape)
    leaf = name.replace("/", ".").split(".")[-1]
    if leaf in ("running_var", "moving_variance"):
        value = np.exp(0.1 * z)
    elif leaf in ("running_mean", "moving_mean", "bias", "beta"):
        value = 0.1 * z
    elif leaf == "num_batches_tracked":
        value = np.zeros(shape)
    elif len(shape) <= 1:
        value = 1.0 + 0.1 * z
    else:
        inputs = shape[:-1] if leaf == "kernel" else shape[1:]
        value = z * np.sqrt(1.0 / np.prod(inputs))
    return value.astype(np.float32)


def tensors(reference, salt=0):
    """All tensors of a reference network by name."""
    return {name: tensor(name, tuple(shape), salt) for name, shape in reference["tensors"]}


def images(batch, size, seed=0):
    """Standard normal images, float32 NHWC."""
    return np.random.default_rng(seed).standard_normal((batch, size, size, 3)).astype(np.float32)


def activations(seed, n, d1, d2, shared, noise, scale):
    """Two float64 activations [n, d1] and [n, d2] of svcca.json: rectified mixtures of shared
    factors, unevenly scaled; the order of draws counts.
    """
    rng = np.random.default_rng(seed)
    factors = rng.standard_normal((n, shared))
    found = []
    for d in (d1, d2):
        mixed = factors @ rng.standard_normal((shared, d))
        mixed += noise * rng.standard_normal((n, d))
        mixed += rng.standard_normal(d)
        found.append(np.maximum(mixed, 0) * np.exp(scale * rng.standard_normal(d)))
    return found


def check(value, expected, tolerance=1e-4):
    """Shape, mean, standard deviation and eight probes of `value`, each within `tolerance` of the
    reference's standard deviation.
    """
    flat = np.asarray(value, np.float64).ravel()
    assert list(np.shape(value)) == expected["shape"]
    got = [flat.mean(), flat.std(), *flat[expected["probe_index"]]]
    np.testing.assert_allclose(
        got,
        [expected["mean"], expected["std"], *expected["probes"]],
        rtol=0,
        atol=tolerance * expected["std"],
    )
