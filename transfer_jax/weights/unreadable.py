"""Recognises files that are no readable weights by their first bytes.

People name what a download left behind: a web page, a pointer to a large file, half of a file, an
archive around the weights. The message says what the file is and what to give instead.
"""

from __future__ import annotations

import re
from pathlib import Path

KINDS = ".safetensors (torchvision, timm), .pth (torchvision, timm), .h5 or .weights.h5 (Keras)"
START = 512  # bytes that `describe` wants to see

_SAVE_AGAIN = "open it with its own library, and save torchvision's state dict or Keras' weights"
_UNPACK = "unpack it, and give the weight file in it"
# (offset, bytes there, what the file is, what to do); the first that fits is told.
_MAGIC: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\x1f\x8b", "a gzip archive", _UNPACK),
    (0, b"BZh", "a bzip2 archive", _UNPACK),
    (0, b"\xfd7zXZ\x00", "an xz archive", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "a zstd archive", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (0, b"Rar!", "a rar archive", _UNPACK),
    (4, b"TFL3", "a TensorFlow Lite model, whose weights are made for inference", _SAVE_AGAIN),
    (0, b"GGUF", "a GGUF file, which holds language models", _SAVE_AGAIN),
    (0, b"\x93NUMPY", "a single NumPy array", "give the file of a whole network"),
    (0, b"%PDF", "a PDF document", "give a weight file"),
    (0, b"\x89PNG", "a PNG image", "give a weight file"),
    (0, b"\xff\xd8\xff", "a JPEG image", "give a weight file"),
)
_TAR_MEMBERS = (b"sys_info", b"pickle", b"storages", b"tensors")
_ONNX = re.compile(rb"\x08[\x01-\x20](?:\x12|\x1a|\x22|\x3a|\x42)")
_TENSORFLOW_DATA = re.compile(r"\.data-\d{5}-of-\d{5}$")
_TENSORFLOW_INDEX = bytes.fromhex("57fb808b247547db")  # the end of a table in LevelDB's format
_TENSORFLOW = "part of a TensorFlow checkpoint"
_TENSORFLOW_ADVICE = (
    "load it into the Keras model, and save it with model.save_weights('x.weights.h5')"
)


def describe(path: Path, start: bytes) -> str | None:
    """Returns what the file is and what to give instead, or None for a file of an unknown kind.

    Args:
      path: The file; its name is considered only where its bytes do not decide.
      start: Its first `START` bytes, or all of them.
    """
    for offset, magic, what, advice in _MAGIC:
        if start[offset : offset + len(magic)] == magic:
            return f"is {what}: {advice}"
    if start[257:262] == b"ustar":
        return _tar(start)
    if _TENSORFLOW_DATA.search(path.name) or _end(path) == _TENSORFLOW_INDEX:
        return f"is {_TENSORFLOW}: {_TENSORFLOW_ADVICE}"
    if path.suffix == ".pb":
        return f"is a TensorFlow graph: {_TENSORFLOW_ADVICE}"
    if path.suffix == ".onnx" or _ONNX.match(start):
        return f"is an ONNX model: {_SAVE_AGAIN}"
    return _text(start)


def missing(path: Path) -> str | None:
    """Returns what a path without a file stands for, or None where it stands for nothing."""
    if path.with_name(f"{path.name}.index").is_file():
        return f"is the name of a TensorFlow checkpoint: {_TENSORFLOW_ADVICE}"
    return None


def folder(path: Path) -> str:
    """Returns what a folder without a weight file of a known name is, and what to give instead."""
    names = sorted(entry.name for entry in path.iterdir())
    if "saved_model.pb" in names:
        return f"is a TensorFlow SavedModel: {_TENSORFLOW_ADVICE}"
    if "checkpoint" in names or any(name.endswith(".index") for name in names):
        return f"is the folder of a TensorFlow checkpoint: {_TENSORFLOW_ADVICE}"
    weights = [
        name for name in names if name.endswith((".safetensors", ".pth", ".pt", ".bin", ".h5"))
    ]
    if weights:
        return f"is a folder: give a weight file in it ({', '.join(weights[:5])})"
    if "weights" in names:
        return "is the folder of a study: give the folder of one member, below its folder 'weights'"
    return f"is a folder without weights that this program knows: give a file of {KINDS}"


def _tar(start: bytes) -> str:
    member = start[:100].rstrip(b"\0").removeprefix(b"./")
    if member in _TAR_MEMBERS:
        return (
            "is a tar archive, as torch.save wrote it before 2017: open it with PyTorch if you"
            " trust where it comes from, and save its state dict again"
        )
    return f"is a tar archive: {_UNPACK}"


def _text(start: bytes) -> str | None:
    """Describes a text; the last bytes may be half of a character."""
    text = start.decode("utf-8-sig", errors="ignore").lstrip()
    if start.startswith(b"version https://git-lfs"):
        return (
            "is a pointer of Git LFS, not the file itself: fetch it with 'git lfs pull', or from"
            " the page where it can be downloaded"
        )
    if re.match(r"<(!doctype|html|head|body|\?xml|!--)", text, re.IGNORECASE):
        return "is a web page (HTML), which a failed download often leaves: fetch the file again"
    if text.startswith(("{", "[")) and b"\0" not in start:
        return f"is a JSON file, not weights: give the weight file beside it, a file of {KINDS}"
    if text.startswith("model_checkpoint_path:"):
        return f"is {_TENSORFLOW}: {_TENSORFLOW_ADVICE}"
    whole = start.decode("utf-8", errors="ignore")
    if (
        len(start) >= 16
        and len(whole.encode()) >= len(start) - 3
        and whole.replace("\n", "").isprintable()
    ):
        return f"is a text that begins with {whole[:40]!r}, not weights: give a file of {KINDS}"
    return None


def _end(path: Path) -> bytes:
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        return file.read()
