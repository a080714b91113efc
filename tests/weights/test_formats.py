"""Weight files of every kind: what is in them comes out, with its type and order."""

import io
import zipfile

import files
import h5py
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from transfer_jax.weights import formats


def equal(found, wanted):
    return found.keys() == wanted.keys() and all(
        np.array_equal(found[k], v) and found[k].dtype == v.dtype for k, v in wanted.items()
    )


def test_every_kind_comes_out_as_it_went_in(tmp_path):
    for path, wanted in files.valid(tmp_path).items():
        assert equal(formats.read(path).tensors, wanted), path


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64, np.int64, np.bool_])
def test_safetensors_of_other_types(tmp_path, dtype):
    tensors = {
        "a": np.arange(6).reshape(2, 3).astype(dtype),
        "scalar": np.array(1).astype(dtype),
        "none": np.zeros((0, 3), dtype),
    }
    formats.write_safetensors(tmp_path / "a.safetensors", tensors, {"note": "text"})
    raw = formats.read(tmp_path / "a.safetensors")
    assert equal(raw.tensors, tensors)
    assert raw.metadata == {"note": "text"}
    assert raw.kind == "safetensors"


@pytest.mark.parametrize("write", [files.torch_zip, files.torch_legacy])
def test_torch_views_and_wrappers(tmp_path, write):
    flat = np.arange(24, dtype=np.float32)
    state = {
        "module.last": files.tensor("0", flat, (2, 3, 2, 2), (12, 1, 6, 3)),  # channels_last
        "module.part": files.tensor("0", flat, (4,), (1,), offset=20),
        "module.scalar": files.tensor("0", flat, (), (), offset=7),
        "module.empty": files.tensor("0", flat, (0, 5)),
    }
    path = tmp_path / "a.bin"
    path.write_bytes(
        write(
            {
                "epoch": 3,
                "state_dict": files.Call(
                    "collections", "OrderedDict", [[k, v] for k, v in state.items()]
                ),
            },
            {"0": flat},
        )
    )
    wanted = {
        "module.last": flat.reshape(2, 2, 2, 3).transpose(0, 3, 1, 2),
        "module.part": flat[20:],
        "module.scalar": flat[7].reshape(()),
        "module.empty": np.zeros((0, 5), np.float32),
    }
    raw = formats.read(path)
    assert equal(raw.tensors, wanted)
    assert raw.notes == ("state dict state_dict read; ignored beside it: epoch",)


def test_keras_2_layers_with_slashes_and_optimizers(tmp_path):
    kernel = np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3)
    with h5py.File(tmp_path / "a.h5", "w") as root:
        root.attrs["layer_names"] = [b"conv1/conv", b"conv1/bn"]
        root["conv1/conv/conv1/conv/kernel:0"] = kernel
        root["conv1/bn/conv1/bn/gamma:0"] = kernel[0, 0, 0]
        root["optimizer_weights/Adam/conv1/conv/kernel/m:0"] = kernel
    found = formats.read(tmp_path / "a.h5").tensors
    assert equal(found, {"conv1/conv/kernel": kernel, "conv1/bn/gamma": kernel[0, 0, 0]})


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", "<i8"])
def test_keras_of_other_types(tmp_path, dtype):
    with h5py.File(tmp_path / "a.h5", "w") as root:
        root["a/a/kernel:0"] = np.arange(4).astype(dtype)
    found = formats.read(tmp_path / "a.h5").tensors["a/kernel"]
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(found, np.arange(4))


def test_what_is_written_is_whole_or_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError("no space left"))
    )
    for write in (
        lambda p: formats.write_keras(p, files.KERAS),
        lambda p: formats.write_safetensors(p, files.TENSORS, {}),
    ):
        with pytest.raises(OSError, match="no space"):
            write(tmp_path / "a.h5")
    assert not list(tmp_path.iterdir())


def test_safetensors_are_readable_by_the_library(tmp_path):
    formats.write_safetensors(tmp_path / "a.safetensors", files.TENSORS, {})
    assert equal(safetensors.numpy.load_file(tmp_path / "a.safetensors"), files.TENSORS)
    assert not zipfile.is_zipfile(io.BytesIO((tmp_path / "a.safetensors").read_bytes()))
