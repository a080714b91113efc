"""Small weight files of every kind, written without their libraries where that is short."""

import io
import pickle
import struct
import zipfile

import numpy as np
import safetensors.numpy

from transfer_jax.weights import formats

TENSORS = {
    "conv1.weight": np.arange(54, dtype=np.float32).reshape(2, 3, 3, 3),
    "bn1.running_mean": np.array([0.5, -1.0], np.float32),
    "fc.weight": np.arange(10, dtype=np.float32).reshape(5, 2),
}
KERAS = {
    "conv1_conv/kernel": np.arange(54, dtype=np.float32).reshape(3, 3, 3, 2),
    "conv1_bn/gamma": np.array([1.0, 2.0], np.float32),
    "predictions/kernel": np.arange(10, dtype=np.float32).reshape(2, 5),
}
STORAGES = {
    "float64": "Double",
    "float32": "Float",
    "float16": "Half",
    "int64": "Long",
    "bool": "Bool",
}


class Call:
    """Pickled as a call of `module.name` with arguments."""

    def __init__(self, module, name, *args):
        self.module, self.name, self.args = module, name, args


class StorageId(tuple):
    pass


class _Name:
    def __init__(self, module, name):
        self.module, self.name = module, name


class _Pickler(pickle._Pickler):
    """Writes names of modules that are not there."""

    def persistent_id(self, obj):
        return tuple(obj) if isinstance(obj, StorageId) else None

    def save(self, obj, *args, **kwargs):
        if isinstance(obj, _Name):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, Call):
            self.save(_Name(obj.module, obj.name))
            self.save(obj.args)
            self.write(pickle.REDUCE)
        else:
            super().save(obj, *args, **kwargs)


def pickled(value):
    buffer = io.BytesIO()
    _Pickler(buffer, 2).dump(value)
    return buffer.getvalue()


def tensor(key, value, shape=None, strides=None, offset=0, length=None):
    """A tensor as torch pickles it."""
    storage = StorageId(
        (
            "storage",
            _Name("torch", f"{STORAGES[value.dtype.name]}Storage"),
            key,
            "cpu",
            value.size if length is None else length,
        )
    )
    shape = value.shape if shape is None else shape
    if strides is None:
        strides = tuple(int(np.prod(shape[i + 1 :])) for i in range(len(shape)))
    return Call(
        "torch._utils",
        "_rebuild_tensor_v2",
        storage,
        offset,
        tuple(shape),
        tuple(strides),
        False,
        Call("collections", "OrderedDict"),
    )


def torch_zip(state, storages, compression=zipfile.ZIP_STORED, extra=()):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled(state))
        archive.writestr("archive/byteorder", "little")
        for key, value in storages.items():
            archive.writestr(f"archive/data/{key}", value.tobytes())
        for name, content in extra:
            archive.writestr(name, content)
    return buffer.getvalue()


def torch_legacy(state, storages):
    parts = [
        pickled(v)
        for v in (
            0x1950A86A20F9469CFC6C,
            1001,
            {"protocol_version": 1001, "little_endian": True},
            state,
            list(storages),
        )
    ]
    return b"".join(
        [*parts, *(struct.pack("<q", value.size) + value.tobytes() for value in storages.values())]
    )


def valid(folder):
    """One file of every kind, with what it holds."""
    keys = {str(i): value for i, value in enumerate(TENSORS.values())}
    state = {
        name: tensor(key, value) for (name, value), key in zip(TENSORS.items(), keys, strict=True)
    }
    contents = {
        "a.safetensors": safetensors.numpy.save(TENSORS, {"format": "pt"}),
        "a.pth": torch_zip(state, keys),
        "old.pth": torch_legacy(state, keys),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    formats.write_keras(folder / "a.h5", KERAS)
    return {**{folder / name: TENSORS for name in contents}, folder / "a.h5": KERAS}
