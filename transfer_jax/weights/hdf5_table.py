"""Lists where the datasets of an HDF5 file lie; `keras_file` runs it in a process of its own.

It imports nothing of this package, so that it starts in a fraction of a second. It reads one path
per line from the standard input and answers each with one line of JSON: {"datasets": [...],
"layers": {...}}, or {"refused": why}, or {"damaged": message of the library}. No tensor is read
here: the caller takes the bytes from the file itself, at the offsets in the table.
"""

import json
import os
import signal
import sys
from typing import Any

import h5py
import numpy as np

MAX_DEPTH = 16
MAX_OBJECTS = 100_000
MEMORY = 2 << 30  # of address space; the file itself is never held, and a table is small
SECONDS = 1.0  # of processor time for one file; a real one takes hundredths
OPTIMIZER = frozenset({"optimizer", "optimizer_weights"})


class Refused(Exception):
    """The file may be whole, but must not be read."""


def table(path: str) -> dict[str, Any]:
    """Returns the datasets of a file and the layer names that Keras 3 noted beside them.

    Returns:
      "datasets": a list of {"path", "dtype", "shape", "offset"}; the dtype is NumPy's string or
        "bfloat16", the offset is None where the dataset is empty. "layers": path of each group
        that has a `name` -> that name. "listed": names of layers in Keras 2's layout.

    Raises:
      Refused: A link or a dataset that reaches outside the file, a Lambda layer, or a layout that
        Keras does not write.
    """
    contents: dict[str, Any] = {"datasets": [], "layers": {}, "listed": []}
    with h5py.File(path, "r", locking=False) as file:
        config = _text(file, "model_config")
        if config is not None:
            _check_config(json.loads(config))
        root = file.get("model_weights", file)
        contents["listed"] = _listed(root)
        _walk(file, "", contents, set(), os.path.getsize(path))
    return contents


def _walk(
    group: h5py.Group, prefix: str, contents: dict[str, Any], seen: set[int], size: int
) -> None:
    """Adds everything under `group`.

    `seen` holds addresses of objects: since no object is reached twice, the walk is a tree and
    ends.
    """
    if prefix.count("/") > MAX_DEPTH:
        raise Refused(f"has groups nested deeper than {MAX_DEPTH}: {prefix[:200]!r}")
    for name in group:
        path = prefix + name
        if not prefix and name in OPTIMIZER:
            continue
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise Refused(
                f"has the link {path!r} ({type(link).__name__}) to somewhere else: only data in"
                " the file itself is read"
            )
        thing = group[name]
        address = h5py.h5o.get_info(thing.id).addr
        if address in seen or len(seen) >= MAX_OBJECTS:
            raise Refused(f"has too many objects, or the same one twice, at {path!r}")
        seen.add(address)
        if isinstance(thing, h5py.Group):
            layer = _text(thing, "name")
            if layer is not None:
                contents["layers"][path] = layer
            _walk(thing, path + "/", contents, seen, size)
        elif isinstance(thing, h5py.Dataset):
            contents["datasets"].append({"path": path, **_dataset(thing, path, size)})


def _dataset(dataset: h5py.Dataset, path: str, size: int) -> dict[str, Any]:
    plist = dataset.id.get_create_plist()
    layout = plist.get_layout()
    if layout == h5py.h5d.VIRTUAL or (layout == h5py.h5d.CONTIGUOUS and plist.get_external_count()):
        raise Refused(
            f"has the dataset {path!r}, whose data lie in another file: only data in the file"
            " itself is read"
        )
    if layout != h5py.h5d.CONTIGUOUS:
        raise Refused(
            f"has the dataset {path!r} in a chunked, compressed or compact layout: write it again"
            " with Keras' model.save_weights"
        )
    if dataset.id.get_space().get_simple_extent_type() == h5py.h5s.NULL:
        raise Refused(f"has the dataset {path!r} without a shape")
    dtype = dataset.dtype
    brain = _text(dataset, "dtype") == "bfloat16" and dtype.itemsize == 2
    # A float of unusual layout gets the numpy type that could hold it: its bytes in the file are
    # not of that type.
    if not brain and (
        dtype.kind not in "fiub"
        or not h5py.h5t.py_create(dtype, logical=True).equal(dataset.id.get_type())
    ):
        raise Refused(f"has the dataset {path!r} of type {dtype}: only plain numbers are read")
    shape, offset, nbytes = dataset.shape, dataset.id.get_offset(), dtype.itemsize
    for length in shape:  # in Python's integers, that do not overflow
        nbytes *= length
    if nbytes and (offset is None or nbytes > size or offset > size - nbytes):
        raise Refused(
            f"has the dataset {path!r} of {nbytes} bytes, which the file of {size} bytes does not"
            " hold"
        )
    return {
        "dtype": "bfloat16" if brain else dtype.str,
        "shape": list(shape),
        "offset": offset if nbytes else None,
    }


def _listed(group: Any) -> list[str]:
    """Returns the attribute `layer_names`, a small array of texts."""
    if not isinstance(group, h5py.Group) or "layer_names" not in group.attrs:
        return []
    shape = group.attrs.get_id("layer_names").shape
    if len(shape) != 1 or shape[0] > MAX_OBJECTS:
        raise Refused(f"has layer_names of shape {shape}")
    return [
        name.decode() if isinstance(name, bytes) else str(name)
        for name in group.attrs["layer_names"].tolist()
    ]


def _text(thing: Any, name: str) -> str | None:
    """Returns an attribute as a string; None where there is none or it is no string."""
    if name not in thing.attrs:
        return None
    kind = thing.attrs.get_id(name).dtype
    if h5py.check_string_dtype(kind) is None:
        return None
    value = thing.attrs[name]
    if isinstance(value, np.bytes_ | bytes):
        value = value.decode()
    return value if isinstance(value, str) else None


def _check_config(config: Any) -> None:
    """Refuses the description of a model with a Lambda layer, which is a Python function in the
    file.
    """
    pending = [config]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if node.get("class_name") == "Lambda":
                inner = node.get("config")
                name = inner.get("name") if isinstance(inner, dict) else None
                raise Refused(
                    f"describes a model with the Lambda layer {str(name)[:100]!r}, which is code"
                    " in a file: write the weights alone, with Keras'"
                    " model.save_weights('x.weights.h5')"
                )
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)


def _answer(path: str) -> dict[str, Any]:
    try:
        return table(path)
    except Refused as error:
        return {"refused": str(error)}
    except (
        Exception
    ) as error:  # h5py turns damage into errors of many kinds; the caller tells the user one thing
        lines = str(error).splitlines() or [""]
        return {"damaged": f"{type(error).__name__}: {lines[0][:300]}"}


def main() -> None:
    """Answers the paths on the standard input, within limits of memory and processor time where the
    system has them.
    """
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for line in sys.stdin:
        if sys.platform != "win32":
            signal.setitimer(
                signal.ITIMER_PROF, SECONDS
            )  # its signal ends the process, in C code, too
        print(json.dumps(_answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
