"""Files that are no weights: each is told by what it is and by what to give instead, in a line."""

import io
import json
import pickle
import struct
import tarfile
import zipfile

import files
import numpy as np
import pytest
import safetensors.numpy
from containers import tensors, written

from transfer_jax import weights
from transfer_jax.core.errors import CheckpointError
from transfer_jax.weights import formats


def tar(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in members:
            archive.addfile(tarfile.TarInfo(name))
    return buffer.getvalue()


def archive(*members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name in members:
            made.writestr(name, "x")
    return buffer.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 46830571\n"
STRANGE = {
    "lfs.pth": (LFS, "is a pointer of Git LFS"),
    "lfs.safetensors": (LFS, "is a pointer of Git LFS"),
    "page.pth": (b"<!DOCTYPE html><html><head><title>404</title></head></html>", "is a web page"),
    "page.h5": (b"\xef\xbb\xbf\n  <html lang='en'>", "is a web page"),
    "page.safetensors": (
        b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
        "is a web page",
    ),
    "error.pth": (b'{"error": "Repository not found"}', "is a JSON file"),
    "text.pth": (
        b"Quota exceeded for this file. Please try again later.\n" * 30,
        "is a text that begins with 'Quota exceeded",
    ),
    "umlaut.pth": ("Grüße von einem Server, der überlastet ist. ".encode() * 30, "is a text"),
    "braces.pth": (b"abcdefgh{not a safetensors file but words", "is a text"),
    "pickle0.pth": (pickle.dumps({"weight": [1.0] * 20}, protocol=0), "is a text"),
    "model.tar": (
        tar("sys_info", "pickle", "tensors", "storages"),
        "torch.save wrote it before 2017",
    ),
    "old.pth": (tar("storages"), "torch.save wrote it before 2017"),
    "other.tar": (tar("resnet50.pth"), "is a tar archive: unpack it"),
    "a.pth.gz": (b"\x1f\x8b\x08\x00" + bytes(60), "is a gzip archive: unpack it"),
    "a.bz2": (b"BZh91AY&SY" + bytes(60), "is a bzip2 archive"),
    "a.xz": (b"\xfd7zXZ\x00" + bytes(60), "is an xz archive"),
    "a.7z": (b"7z\xbc\xaf\x27\x1c" + bytes(60), "is a 7z archive"),
    "a.tflite": (b"\x20\x00\x00\x00TFL3" + bytes(60), "is a TensorFlow Lite model"),
    "a.gguf": (b"GGUF\x03\x00\x00\x00" + bytes(60), "is a GGUF file"),
    "a.onnx": (b"\x08\x07\x12\x07pytorch" + bytes(60), "is an ONNX model"),
    "unnamed": (b"\x08\x08\x12\x07pytorch" + bytes(60), "is an ONNX model"),
    "saved_model.pb": (b"\x08\x01\x12\x90\x01" + bytes(60), "is a TensorFlow graph"),
    "model.ckpt.data-00000-of-00001": (bytes(range(200)), "is part of a TensorFlow checkpoint"),
    "model.ckpt.index": (
        bytes(range(200)) + bytes.fromhex("57fb808b247547db"),
        "is part of a TensorFlow checkpoint",
    ),
    "checkpoint": (
        b'model_checkpoint_path: "model.ckpt-1"\n',
        "is part of a TensorFlow checkpoint",
    ),
    "a.npy": (b"\x93NUMPY\x01\x00" + bytes(60), "is a single NumPy array"),
    "a.npz": (archive("conv1.npy", "fc.npy"), "it holds NumPy arrays"),
    "a.zip": (
        archive("RadImageNet/ResNet50.pt", "readme.txt"),
        r"unpack it, and give a weight file in it \(RadImageNet/ResNet50.pt\)",
    ),
    "docs.zip": (archive("readme.txt"), "not one of torch.save: it has no data.pkl"),
    "cut.pth": (
        archive("archive/data.pkl", "archive/data/0")[:-30],
        "begins as a zip archive and does not end as one",
    ),
    "a.png": (b"\x89PNG\r\n\x1a\n" + bytes(60), "is a PNG image"),
    "noise": (
        bytes(range(128, 228)),
        "is damaged, or none of the files that this program reads.*begins with 80|no torch file",
    ),
    "noise2": (
        bytes(range(200, 250)),
        "is damaged, or none of the files that this program reads.*begins with c8 c9",
    ),
    "empty": (b"", "is empty"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_strange_files_say_what_they_are(tmp_path, name):
    content, message = STRANGE[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        formats.read(path)
    text = str(caught.value)
    assert str(path) in text
    assert len(text.replace(str(path), "")) < 400
    assert "bytes long" not in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["saved_model.pb", "variables"], "is a TensorFlow SavedModel"),
        (["checkpoint", "model.ckpt.index"], "is the folder of a TensorFlow checkpoint"),
        (["resnet50.pth", "notes.txt"], r"is a folder: give a weight file in it \(resnet50.pth\)"),
        (["weights"], "is the folder of a study: give the folder of one member"),
        (["notes.txt"], "is a folder without weights that this program knows"),
        ([], "is a folder without weights that this program knows"),
    ],
)
def test_folders_of_another_kind(tmp_path, entries, message):
    for entry in entries:
        (tmp_path / entry).touch()
    with pytest.raises(CheckpointError, match=message):
        weights.read(tmp_path, "cbr_tiny")


def test_the_name_of_a_tensorflow_checkpoint(tmp_path):
    (tmp_path / "model.ckpt.index").touch()
    with pytest.raises(CheckpointError, match="is the name of a TensorFlow checkpoint"):
        formats.read(tmp_path / "model.ckpt")


def test_an_exported_folder_of_keras_is_read(tmp_path):
    made = weights.load(written_keras(tmp_path / "k.h5"), "resnet50")
    weights.export(made, "resnet50", tmp_path / "folder", "keras")
    again = weights.load(tmp_path / "folder", "resnet50")
    assert (again["params"]["conv1"]["kernel"] == made["params"]["conv1"]["kernel"]).all()


def written_keras(path):
    formats.write_keras(path, tensors("resnet50", "keras"))
    return path


@pytest.mark.parametrize("length", range(256))
def test_sound_files_are_read_whatever_they_begin_with(tmp_path, length):
    """Headers are padded to eight bytes, so that a file can begin with 0x80, as a pickle does."""
    path = tmp_path / "a.safetensors"
    header = json.dumps(
        {
            "__metadata__": {"n": "x" * length},
            "a": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]},
        }
    ).encode()
    header += b" " * (-(len(header) - length) % 256)
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"ab")
    assert formats.read(path).kind == "safetensors"
    assert len(header) % 256 == length


@pytest.mark.parametrize("magic", [b"PK\x03\x04", b"\x1f\x8b\x00\x00"])
def test_a_sound_file_whose_length_looks_like_another_kind(tmp_path, magic, monkeypatch):
    (length,) = struct.unpack("<Q", magic + bytes(4))
    header = json.dumps({"a": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}}).encode()
    path = tmp_path / "a.safetensors"
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", length) + header)
        for _ in range((length - len(header)) // 65536):
            file.write(b" " * 65536)
        file.write(b" " * ((length - len(header)) % 65536) + b"ab")
    assert formats.read(path).kind == "safetensors"


def test_pickles_that_could_be_safetensors_stay_pickles(tmp_path):
    for writer in (files.torch_zip, files.torch_legacy):
        path = tmp_path / "a.pth"
        flat = np.arange(6, dtype=np.float32)
        path.write_bytes(writer({"a.weight": files.tensor("0", flat)}, {"0": flat}))
        assert formats.read(path).kind == "torch"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_downloads_that_were_cut_off(tmp_path, share):
    content = safetensors.numpy.save(tensors())
    path = tmp_path / "a.safetensors"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(
        CheckpointError,
        match=(
            f"is cut off: the file has {int(share * len(content))} of {len(content)} bytes.*fetch"
            " it again"
        ),
    ):
        formats.read(path)
    path.write_bytes(content[:500])
    with pytest.raises(CheckpointError, match="is cut off: its header alone would be"):
        formats.read(path)


def test_messages_are_short(tmp_path):
    resnet = tensors("resnet18")
    cases = {
        "another network": (
            tensors("densenet121"),
            r"100 missing: .* and 90 more; .*; its tensors are those of densenet121$",
        ),
        "too many": (
            {
                **resnet,
                **{f"{'x' * 300}{i}.weight": np.ones((1, 1, 3, 3), np.float32) for i in range(500)},
            },
            "500 extra",
        ),
        "half": (
            {k: v.astype(np.float16) if v.ndim else v for k, v in resnet.items()},
            r"all 102 tensors are float16; cast=True",
        ),
    }
    for name, (made, message) in cases.items():
        path = written(tmp_path / "a.safetensors", made)
        with pytest.raises(CheckpointError, match=message) as caught:
            weights.read(path, "resnet18")
        assert len(str(caught.value).replace(str(path), "")) < (
            500 if name == "half" else 1600 if name == "too many" else 1000
        )
    mixed = {**resnet, "conv1.weight": resnet["conv1.weight"].astype(np.float16)}
    with pytest.raises(
        CheckpointError, match=r"1 of 102 tensors are float16 \(conv1.weight\); cast=True"
    ):
        weights.read(written(tmp_path / "a.safetensors", mixed), "resnet18")


@pytest.mark.parametrize("fault", ["missing", "extra", "misshapen"])
def test_ten_names_of_each_kind_are_told_and_how_many_more(tmp_path, fault):
    made = tensors("resnet18")
    strange = {f"strange{i:02}.weight": np.ones((1, 1, 3, 3), np.float32) for i in range(25)}
    convolutions = [name for name in sorted(made) if "conv" in name][:15]
    file = {
        "missing": {name: value for name, value in made.items() if name not in convolutions},
        "extra": {**made, **strange},
        "misshapen": {**made, **{name: np.ones((1, 1), np.float32) for name in convolutions}},
    }[fault]
    with pytest.raises(CheckpointError) as caught:
        weights.read(written(tmp_path / "a.safetensors", file), "resnet18")
    text = str(caught.value)
    names = list(strange) if fault == "extra" else convolutions
    assert f"{len(names)} {fault}: {names[0]}" in text
    assert all(name in text for name in names[:10])
    assert names[10] not in text
    assert f" and {len(names) - 10} more" in text
