"""Keras' HDF5 files: a separate process tells where the arrays lie, and the bytes are read here.

HDF5's C code was not written for hostile files: of 20,000 files with a few changed bytes it
crashed on 21 and ran for ever on 79 (BUILD_NOTES.md). So `hdf5_table` runs apart, under limits of
time and memory, and answers with names, types, shapes and offsets.
"""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from transfer_jax.core.errors import CheckpointError

_SECONDS = 20
_WHOLE = "model_weights/"  # of a whole model, beside its configuration
# The variables of a layer in Keras 3's order, told apart by their number and the first one's axes.
_CONVOLUTION = ("kernel", "bias")
_NORM, _UNSCALED = (
    ("gamma", "beta", "moving_mean", "moving_variance"),
    ("beta", "moving_mean", "moving_variance"),
)


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Returns the tensors of a file as `layer/weight`, or `network/layer/weight` in a network that
    is a layer itself.

    Both of Keras' layouts are read: that of Keras 2 (and of RadImageNet's files), of weights or of
    a whole model, and Keras 3's .weights.h5.

    Raises:
      CheckpointError: The file is damaged, refers to other files, describes a Lambda layer, or
        does not name its layers.
    """
    table = ask([path])[0]
    if "refused" in table:
        raise CheckpointError(f"{path} {table['refused']}")
    if "damaged" in table:
        raise CheckpointError(
            f"{path} cannot be read: it is damaged, or no Keras file ({table['damaged']})"
        )
    datasets = {entry["path"]: entry for entry in table["datasets"]}
    names = (
        _new_names(datasets, table["layers"], path)
        if any("/vars/" in name for name in datasets)
        else _old_names(datasets, table["listed"])
    )
    if len(set(names.values())) != len(names):
        raise CheckpointError(
            f"{path} holds two weights of one layer under the same name: it is damaged"
        )
    with open(path, "rb") as file:
        return {name: _array(file, datasets[there]) for there, name in names.items()}, {}


def ask(paths: list[Path]) -> list[dict[str, Any]]:
    """Returns the answer of `hdf5_table` for each file; {"damaged": why} for a file that ends the
    process.
    """
    script = Path(__file__).with_name("hdf5_table.py")
    answers: list[dict[str, Any]] = []
    while len(answers) < len(paths):
        lines = "".join(json.dumps(str(path.absolute())) + "\n" for path in paths[len(answers) :])
        # The table limits itself to a second of processor time for a file; this is for a system
        # without such limits.
        try:
            done = subprocess.run(
                [sys.executable, "-I", str(script)],
                input=lines,
                capture_output=True,
                text=True,
                timeout=_SECONDS * (1 + len(paths)),
                check=False,
            )
            output, why = done.stdout, f"HDF5 ended with code {done.returncode}"
        except subprocess.TimeoutExpired as expired:
            output, why = (expired.stdout or b"").decode(), "HDF5 was still at it in the end"
        found = [
            json.loads(line) for line in output.splitlines(keepends=True) if line.endswith("\n")
        ]
        answers += found
        if len(answers) < len(paths):
            answers.append({"damaged": why})
    return answers


def _old_names(datasets: Mapping[str, Any], listed: list[str]) -> dict[str, str]:
    """Returns dataset path -> name for Keras 2's layout: `<layer>/<weight's own name>`.

    The weight's own name is `<layer>/kernel:0`, perhaps below scopes (`sequential/<layer>/kernel`).
    A layer with two weights of one kind is a network, whose weights' own names say their layers.
    Everything may lie under `model_weights/`, and a layer's own name may have slashes in it.
    """
    whole = any(path.startswith(_WHOLE) for path in datasets)
    by_length = sorted(listed, key=len, reverse=True)
    layers: dict[str, dict[str, str]] = {}
    for path in datasets:
        if path.startswith(_WHOLE) or not whole:
            name = re.sub(r":0$", "", path.removeprefix(_WHOLE))
            named = next((layer for layer in by_length if name.startswith(f"{layer}/")), None)
            layer = named or name.split("/")[0]
            layers.setdefault(layer, {})[path] = name.removeprefix(f"{layer}/")
    names = {}
    for layer, weights in layers.items():
        leaves = {path: path_in_file.rpartition("/")[2] for path, path_in_file in weights.items()}
        network = len(set(leaves.values())) < len(leaves)
        names.update(
            {path: f"{layer}/{weights[path] if network else leaf}" for path, leaf in leaves.items()}
        )
    return names


def _new_names(
    datasets: Mapping[str, Any], layers: Mapping[str, str], path: Path
) -> dict[str, str]:
    """Returns dataset path -> name for Keras 3's layout: `layers/<class>_<n>/vars/<i>`.

    The group `vars` has the layer's name; a network that is a layer has `layers` of its own.
    """
    groups: dict[str, dict[int, str]] = {}
    for there in datasets:
        group, _, number = there.rpartition("/")
        if not group.endswith("/vars") or not number.isdecimal():
            continue
        groups.setdefault(group, {})[int(number)] = there
    names = {}
    for group, variables in groups.items():
        if group not in layers:
            raise CheckpointError(
                f"{path} does not name its layers ({group[:200]}): save it again with Keras 3.5 or"
                " newer, or as a .h5 file"
            )
        first = datasets[variables[min(variables)]]["shape"]
        kinds = _CONVOLUTION if len(first) > 1 else _NORM if len(variables) == 4 else _UNSCALED
        if len(variables) > len(kinds) or sorted(variables) != list(range(len(variables))):
            raise CheckpointError(
                f"{path} holds the layer {layers[group][:200]} with {len(variables)} variables: no"
                " such layer is in our networks"
            )
        parents = [part for part in group.split("/")[:-2] if part != "layers"]
        layer = "/".join([*parents, layers[group]])
        names.update({there: f"{layer}/{kinds[i]}" for i, there in variables.items()})
    return names


def _array(file: Any, entry: Mapping[str, Any]) -> np.ndarray:
    dtype, shape = (
        np.dtype(ml_dtypes.bfloat16 if entry["dtype"] == "bfloat16" else entry["dtype"]),
        tuple(entry["shape"]),
    )
    if entry["offset"] is None:
        return np.zeros(shape, dtype)
    file.seek(entry["offset"])
    flat = np.frombuffer(file.read(int(np.prod(shape, dtype=object)) * dtype.itemsize), dtype)
    return flat.reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def write(file: Any, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes Keras 2's layout to a file or buffer; names are `layer/weight`.

    Keras reads it with load_weights(path, by_name=True).
    """
    import h5py

    layers: dict[str, dict[str, np.ndarray]] = {}
    for name, value in tensors.items():
        layer, _, weight = name.rpartition("/")
        layers.setdefault(layer, {})[weight] = value
    # Keras finds a layer by its name, but the weights in a layer by their order.
    layers = {
        layer: {weight: weights[weight] for weight in (*_CONVOLUTION, *_NORM) if weight in weights}
        for layer, weights in layers.items()
    }
    with h5py.File(file, "w") as root:
        root.attrs["layer_names"] = np.array([layer.encode() for layer in layers])
        root.attrs["backend"], root.attrs["keras_version"] = b"tensorflow", b"2.15.0"
        for layer, weights in layers.items():
            group = root.create_group(layer)
            group.attrs["weight_names"] = np.array(
                [f"{layer}/{weight}:0".encode() for weight in weights]
            )
            for weight, value in weights.items():
                group.create_dataset(f"{layer}/{weight}:0", data=value)
