"""A small network's tensors as training programs wrap them, written to files."""

import numpy as np
import safetensors.numpy

from transfer_jax import models
from transfer_jax.weights import fit, naming

NETWORK = "cbr_tiny"


def tensors(network=NETWORK, scheme="torchvision", outputs=5, seed=0, counters=True):
    """Random tensors of a network under another library's names, batch counters among them."""
    rng = np.random.default_rng(seed)
    places = naming.places(network, fit.template(network, outputs, scheme), scheme)
    made = {p.name: rng.random(p.shape_there, np.float32) for p in places.values()}
    if scheme == "torchvision" and counters:
        norms = [
            name.removesuffix("running_mean") for name in made if name.endswith("running_mean")
        ]
        made |= {f"{norm}num_batches_tracked": np.array(7) for norm in norms}
    return made


def without_head(made, roots=("fc", "classifier", "predictions", "AuxLogits")):
    return {name: value for name, value in made.items() if not name.startswith(roots)}


def under(prefix, made):
    return {f"{prefix}{name}": value for name, value in made.items()}


def linear(name, inputs, outputs):
    return {
        f"{name}.weight": np.ones((outputs, inputs), np.float32),
        f"{name}.bias": np.zeros(outputs, np.float32),
    }


def written(path, made):
    safetensors.numpy.save_file(made, path)
    return path


def first_kernel(made):
    """The first kernel of a file with torchvision's names, as this package has it."""
    return made["conv1.weight"].transpose(2, 3, 1, 0)


def modules(variables):
    return set(variables["params"]) - set(models.HEADS)
