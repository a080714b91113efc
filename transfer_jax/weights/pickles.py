"""Unpickles state dicts of PyTorch without PyTorch and without running what the pickle names.

A pickle is a program. Here it has only the instructions that a state dict needs and only the names
below to look up, and they are bound to harmless stand-ins, so that there is nothing to call. The
unpickler is Python's own in Python, not the one in C: that one makes tables as large as a file
asks for, and its instructions cannot be chosen.
"""

import pickle
import pickletools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from transfer_jax.core.errors import CheckpointError

_TYPES: dict[str, Any] = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}
# Without INST, OBJ and NEWOBJ (calls by other means), EXT (a registry of names) and PERSID (a
# text).
_INSTRUCTIONS = """
    PROTO FRAME STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG
    LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE
    BINUNICODE8 BINBYTES SHORT_BINBYTES EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST
    APPEND APPENDS EMPTY_DICT DICT SETITEM SETITEMS
    PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET GLOBAL STACK_GLOBAL REDUCE BUILD BINPERSID
"""


LONGEST = (
    4_000_000  # bytes; ResNet-152's take 100,000, and Python's objects a hundred times as much
)
_PURE: Any = (
    pickle._Unpickler
)  # the unpickler written in Python, with one method for each instruction


class Storage(NamedTuple):
    """A flat array that the pickle names and the file holds elsewhere.

    Attributes:
      key: Its name in the file.
      dtype: Type of its elements.
      length: Number of its elements.
    """

    key: str
    dtype: np.dtype
    length: int


class Tensor(NamedTuple):
    """A view into a storage: all that is left of a tensor until the bytes of its file are read.

    Lengths are numbers of elements.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Type(NamedTuple):
    """Stands for a storage class, which a pickle names and never calls."""

    dtype: np.dtype


class _Dict(dict):
    """A mapping from texts and numbers alone: hashing nested tuples can take for ever."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if type(key) not in (str, int):
            raise ValueError("a mapping with a key that is neither a text nor a number")
        super().__setitem__(key, value)


def _ordered_dict(items: Iterable[Any] = ()) -> _Dict:
    ordered = _Dict()
    for key, value in items:  # Python 2 pickled an OrderedDict as a list of pairs
        ordered[key] = value
    return ordered


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> Tensor:
    del rest  # requires_grad and hooks
    numbers = [offset, *shape, *strides]
    if (
        not isinstance(storage, Storage)
        or len(shape) != len(strides)
        or not all(type(n) is int and n >= 0 for n in numbers)
    ):
        raise ValueError("a tensor whose place in its storage is not given in whole numbers")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _parameter(data: Any, *rest: Any) -> Any:
    del rest
    return data


def _size(sizes: Any) -> tuple[Any, ...]:
    return tuple(sizes)


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _ordered_dict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch", "Size"): _size,
}


class _Bounded:
    """A file that reads no more than it holds, and no more than a state dict needs, whatever the
    pickle says.
    """

    def __init__(self, file: Any) -> None:
        start = file.tell()
        self._file, self._end = file, min(file.seek(0, 2), start + LONGEST)
        file.seek(start)

    def read(self, count: int) -> bytes:
        if not 0 <= count <= self._end - self._file.tell():
            raise EOFError("the pickle ends too early")
        return self._file.read(count)

    def readline(self) -> bytes:
        line = self._file.readline(1 << 16)
        if not line.endswith(b"\n") or self._file.tell() > self._end:
            raise EOFError("the pickle ends too early")
        return line


class _Chosen(dict):
    """A mapping from instruction to method; every other instruction is refused by name."""

    def __missing__(self, code: int) -> Any:
        name = next((op.name for op in pickletools.opcodes if op.code == chr(code)), str(code))
        raise CheckpointError(f"it holds the pickle instruction {name}, which no state dict needs")


class _Unpickler(_PURE):
    # The methods that replace Python's own, and after them the chosen ones of Python's own.
    def load_empty_dictionary(self) -> None:
        self.append(_Dict())

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append(_ordered_dict(zip(items[::2], items[1::2], strict=True)))

    def load_build(self) -> None:
        # A state dict's attributes (versions of its modules) are not needed, and nothing else may
        # be changed.
        self.stack.pop()
        if not isinstance(self.stack[-1], _Dict):
            raise ValueError("attributes of something that is not a mapping")

    dispatch = _Chosen(
        {
            op: _PURE.dispatch[op]
            for op in (ord(getattr(pickle, name)) for name in _INSTRUCTIONS.split())
        }
    )
    dispatch |= {
        ord(pickle.EMPTY_DICT): load_empty_dictionary,
        ord(pickle.DICT): load_dict,
        ord(pickle.BUILD): load_build,
    }

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _TYPES:
            return _Type(np.dtype(_TYPES[name]))
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        raise CheckpointError(
            f"it names {module[:100]}.{name[:100]}, which reading it would call; files that run"
            " code are not read: save the tensors alone, with torch.save(model.state_dict(),"
            " 'weights.pth')"
        )

    def persistent_load(self, pid: Any) -> Storage:
        # ("storage", class, key, device, elements), with a sixth entry (a view's place) in old
        # files, which is None there.
        kind, storage, key, _, length, *view = pid
        if (
            kind != "storage"
            or type(storage) is not _Type
            or type(key) is not str
            or type(length) is not int
            or length < 0
            or view not in ([], [None])
        ):
            raise ValueError("a storage of an unknown kind")
        return Storage(key, storage.dtype, length)


def load(file: Any) -> Any:
    """Returns the next pickle in a seekable file, with `Tensor` in place of tensors.

    The file is left behind the end of the pickle.

    Raises:
      CheckpointError: It names something that is not known to be harmless, or has an instruction
        that no state dict needs; the message begins with "it".
      Exception: It is damaged.
    """
    return _Unpickler(_Bounded(file), encoding="utf-8").load()
