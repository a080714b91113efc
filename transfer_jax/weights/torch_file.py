"""State dicts in the files of torch.save: zip archives since PyTorch 1.6, a sequence of pickles
before.
"""

import io
import math
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from transfer_jax.core.errors import CheckpointError
from transfer_jax.weights import messages, pickles, state_dicts

_LEGACY = 0x1950A86A20F9469CFC6C
_SHARED = 4  # tensors may share storages; all together may be this many times as large as the file
_SAVE = "torch.save(model.state_dict(), ...)"
_Bytes = Callable[[pickles.Storage], bytes]


def read(path: Path, state: str | None = None) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Returns the tensors of the state dict in a file, and notes on how it was chosen.

    Args:
      path: The file.
      state: Name of the state dict, where the file holds several (see `state_dicts.choose`).

    Raises:
      CheckpointError: The file holds code, compressed or oversized entries, or something else than
        named tensors; or it holds several state dicts, and none of them is chosen.
    """
    with open(path, "rb") as file:
        if file.read(2) != b"PK":
            return _legacy(file, path, state)
        if not zipfile.is_zipfile(file):
            raise CheckpointError(
                f"{path} is damaged: it begins as a zip archive and does not end as one, as a"
                " download that was cut off does; fetch it again"
            )
        return _zip(file, path, state)


def _zip(file: Any, path: Path, state: str | None) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    size = os.path.getsize(path)
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        if "config.json" in names and any(name.endswith(".weights.h5") for name in names):
            raise CheckpointError(
                f"{path} is a whole Keras model: save its weights alone, with"
                " model.save_weights('x.weights.h5')"
            )
        index = [name for name in names if name.endswith("/data.pkl") and name.count("/") == 1]
        if any("/code/" in name or name.endswith("/constants.pkl") for name in names):
            raise CheckpointError(
                f"{path} is a TorchScript archive, which holds code: save the tensors alone, with"
                " torch.save(model.state_dict(), ...)"
            )
        if len(index) != 1:
            raise CheckpointError(
                f"{path} is a zip archive, but not one of torch.save: {_contents(names)}"
            )
        prefix = index[0].removesuffix("data.pkl")
        for entry in archive.infolist():
            if (
                entry.compress_type != zipfile.ZIP_STORED
                or entry.file_size != entry.compress_size
                or entry.file_size > size
            ):
                raise CheckpointError(
                    f"{path} has the entry {entry.filename!r} compressed, or larger than the file:"
                    " torch.save writes neither"
                )
            if entry.filename == index[0] and entry.file_size > pickles.LONGEST:
                raise CheckpointError(
                    f"{path} has {entry.file_size} bytes of names and shapes, more than a"
                    " network has"
                )
        order = f"{prefix}byteorder"
        if order in names and archive.read(order) != b"little":
            raise CheckpointError(
                f"{path} was written on a big-endian machine: save it again on another"
            )
        state_dict = state_dicts.choose(
            _load(io.BytesIO(archive.read(index[0])), path), state, path
        )
        arrays = _arrays(
            state_dict.tensors, lambda storage: archive.read(f"{prefix}data/{storage.key}"), path
        )
        return arrays, state_dict.notes


def _contents(names: list[str]) -> str:
    """Returns what a zip archive without tensors of PyTorch holds, and what to do with it."""
    if names and all(name.endswith(".npy") for name in names):
        return "it holds NumPy arrays (.npz): give a .safetensors, .pth or .h5 file"
    inside = [
        name
        for name in names
        if name.endswith((".safetensors", ".pth", ".pt", ".tar", ".bin", ".h5"))
    ]
    if inside:
        return f"unpack it, and give a weight file in it ({messages.listed(inside, 5)})"
    return "it has no data.pkl"


def _legacy(
    file: Any, path: Path, state: str | None
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    file.seek(0)
    if _load(file, path) != _LEGACY:
        raise CheckpointError(
            f"{path} is a pickle, but not one of torch.save: save a state dict, with {_SAVE}"
        )
    _load(file, path)  # the protocol's version
    system = _load(file, path)
    if system.get("little_endian") is not True:
        raise CheckpointError(
            f"{path} was written on a big-endian machine: save it again on another"
        )
    checkpoint = _load(file, path)
    keys = _load(file, path)
    # Storages follow one another, an optimiser's among them; those of the state dict are read.
    storages = {
        tensor.storage.key: tensor.storage for tensor in state_dicts.every_tensor(checkpoint)
    }
    state_dict = state_dicts.choose(checkpoint, state, path)
    size, places = os.path.getsize(path), {}
    for key in keys:
        storage = storages.get(key)
        if storage is None:
            raise CheckpointError(
                f"{path} holds storage {key!r}, which no tensor uses: it is damaged"
            )
        count = int.from_bytes(file.read(8), "little", signed=True)
        nbytes = count * storage.dtype.itemsize
        if not 0 <= nbytes <= size - file.tell():
            raise CheckpointError(
                f"{path} is cut off: storage {key!r} should have {count} elements"
            )
        places[key] = (file.tell(), nbytes)
        file.seek(nbytes, os.SEEK_CUR)

    def content(storage: pickles.Storage) -> bytes:
        offset, nbytes = places[storage.key]
        file.seek(offset)
        read: bytes = file.read(nbytes)
        return read

    return _arrays(state_dict.tensors, content, path), state_dict.notes


def _load(file: Any, path: Path) -> Any:
    try:
        return pickles.load(file)
    except CheckpointError as error:
        raise CheckpointError(f"{path} is not read: {error}") from error


def _arrays(
    tensors: Mapping[str, pickles.Tensor], content: _Bytes, path: Path
) -> dict[str, np.ndarray]:
    storages: dict[str, np.ndarray] = {}
    arrays, nbytes, most = {}, 0, _SHARED * os.path.getsize(path)
    for name, tensor in tensors.items():
        storage = tensor.storage
        nbytes += math.prod(tensor.shape) * storage.dtype.itemsize
        if nbytes > most:
            raise CheckpointError(
                f"{path} holds tensors that share their elements and would fill {nbytes} bytes: it"
                " is made to fill the memory"
            )
        if storage.key not in storages:
            storages[storage.key] = np.frombuffer(content(storage), storage.dtype)
        flat = storages[storage.key]
        if flat.dtype != storage.dtype:
            raise CheckpointError(
                f"{path} holds storage {storage.key!r} as two types: it is damaged"
            )
        arrays[name] = _view(flat, tensor, name, path)
    return arrays


def _view(flat: np.ndarray, tensor: pickles.Tensor, name: str, path: Path) -> np.ndarray:
    count = last = 0
    if 0 not in tensor.shape:
        count, last = 1, tensor.offset
        for length, stride in zip(tensor.shape, tensor.strides, strict=True):
            count, last = count * length, last + (length - 1) * stride
    # In Python's whole numbers, which do not overflow; and a view that repeats elements would be
    # larger than its storage.
    if count > flat.size or (count and last >= flat.size):
        raise CheckpointError(
            f"{path} holds {name} of shape {tensor.shape}, which its {flat.size} stored elements"
            " cannot fill"
        )
    if not count:
        return np.zeros(tensor.shape, flat.dtype)
    strides = tuple(stride * flat.itemsize for stride in tensor.strides)
    return np.array(
        np.lib.stride_tricks.as_strided(
            flat[tensor.offset :], tensor.shape, strides, writeable=False
        ),
        order="C",
    )
