"""Files that are damaged, strange or hostile: refused by name, at once, with nothing run and
nothing allocated.
"""

import builtins
import io
import json
import os
import resource
import struct
import time
import zipfile

import files
import h5py
import numpy as np
import pytest

from transfer_jax.core.errors import CheckpointError
from transfer_jax.weights import formats


def refused(path, message):
    """Asserts that reading the file is an error with this message, in about a second and without
    much memory.
    """
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    with pytest.raises(CheckpointError, match=message) as caught:
        formats.read(path)
    assert time.perf_counter() - start < 3  # a second on a quiet machine
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB
    assert str(path) in str(caught.value)


def state(name="fc.weight", **changes):
    value = np.arange(10, dtype=np.float32)
    return {name: files.tensor("0", value, **changes)}, {"0": value}


@pytest.mark.parametrize("kind", ["a.safetensors", "a.pth", "old.pth", "a.h5"])
def test_truncated_files(tmp_path, kind):
    files.valid(tmp_path)
    content = (tmp_path / kind).read_bytes()
    for length in sorted(
        {
            1,
            7,
            8,
            9,
            100,
            len(content) // 3,
            len(content) // 2,
            len(content) - 200,
            len(content) - 1,
        }
    ):
        cut = tmp_path / f"{length}.{kind}"
        cut.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=r"damaged|cut off|cannot fill|no tensors"):
            formats.read(cut)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.pth", b"", "is empty"),
        (
            "text.safetensors",
            b"this is a text and no weights at all, whatever its name says",
            "is a text that begins with 'this is a text",
        ),
        (
            "huge.safetensors",
            struct.pack("<Q", 2**60) + b'{"a":1}',
            "its header would be 1152921504606846976 bytes long",
        ),
        (
            "long.safetensors",
            struct.pack("<Q", 40) + b'{"a":{"dtype":"F32","shape":[2]',
            "is cut off: its header alone would be 40 bytes long",
        ),
    ],
)
def test_files_of_no_kind(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, message)


def test_missing_files_and_folders(tmp_path):
    refused(tmp_path / "none.pth", "does not exist: give a file of .safetensors")
    refused(tmp_path, "is a folder without weights that this program knows")


def test_safetensors_that_claim_more_than_they_have(tmp_path):
    header = json.dumps(
        {"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}
    ).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 64)
    refused(tmp_path / "a.safetensors", "damaged")
    header = json.dumps({"a": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "b.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 4)
    refused(tmp_path / "b.safetensors", "holds a of type F8_E4M3")


@pytest.mark.parametrize("write", [files.torch_zip, files.torch_legacy])
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("posix", "system"),
        ("torch.nn.modules.container", "Sequential"),
    ],
)
def test_pickles_that_call_are_refused_with_the_name(tmp_path, write, module, name):
    marker = tmp_path / "marker"
    content = write({"fc.weight": files.Call(module, name, f"touch {marker}")}, {})
    (tmp_path / "a.pth").write_bytes(content)
    refused(tmp_path / "a.pth", f"names {module}.{name}, which reading it would call")
    assert not marker.exists()


def test_a_plain_pickle_that_calls(tmp_path):
    marker = tmp_path / "marker"
    (tmp_path / "a.pth").write_bytes(
        b"\x80\x02cposix\nsystem\nX"
        + struct.pack("<I", len(f"touch {marker}"))
        + f"touch {marker}".encode()
        + b"\x85R."
    )
    refused(tmp_path / "a.pth", "names posix.system")
    assert not marker.exists()
    (tmp_path / "b.pth").write_bytes(files.pickled({"a": 1}))
    refused(tmp_path / "b.pth", "is a pickle, but not one of torch.save")


@pytest.mark.parametrize(
    ("instructions", "message"),
    [
        (b"(S'touch x'\nios\nsystem\n.", "pickle instruction INST"),
        (b"\x82\x01.", "pickle instruction EXT1"),
        (b"cbuiltins\nlist\n)\x81.", "names builtins.list"),
        (
            b"}r\xff\xff\xff\x7f.",
            "not a state dict",
        ),  # stored under number 2^31: nothing but a number here
        (b"\x8e" + struct.pack("<Q", 2**60) + b"x.", "pickle instruction BINBYTES8"),
        (b"B" + struct.pack("<I", 2**32 - 1) + b"x.", "EOFError"),
        (b"\x8b" + struct.pack("<i", 2**31 - 1) + b"x.", "EOFError"),
        (b"\x95" + struct.pack("<Q", 2**60) + b"x.", "EOFError"),
        (
            b"ccollections\nOrderedDict\n}X\x08\x00\x00\x00__code__K\x01sb.",
            "attributes of something that is not a mapping",
        ),
        (
            b"}(" + b"K\x01" + b"\x85q\x00" + b"h\x00h\x00\x86q\x00" * 200 + b"K\x01u.",
            "neither a text nor a number",
        ),  # a key whose hash takes for ever
    ],
)
def test_pickles_with_strange_instructions(tmp_path, instructions, message):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + instructions)
    (tmp_path / "a.pth").write_bytes(buffer.getvalue())
    refused(tmp_path / "a.pth", message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": (2**40,), "strides": (0,)}, "made to fill the memory"),
        ({"shape": (2**40, 0, 3)}, "cannot be read|ok"),
        ({"shape": (11,)}, "its 10 stored elements cannot fill"),
        ({"shape": (3, 3), "strides": (4, 1)}, "cannot fill"),
        ({"shape": (2,), "offset": 9}, "cannot fill"),
        ({"shape": (2,), "strides": (2**62,)}, "cannot fill"),
        ({"shape": (2,), "strides": (-1,)}, "whole numbers"),
        ({"shape": ("2",)}, "whole numbers"),
        ({"shape": (2, 2), "strides": (1,)}, "whole numbers"),
    ],
)
@pytest.mark.parametrize("write", [files.torch_zip, files.torch_legacy])
def test_torch_tensors_that_do_not_lie_in_their_storage(tmp_path, write, changes, message):
    if changes["shape"] == (2**40, 0, 3):
        changes = {**changes, "strides": (1, 1, 1)}
        (tmp_path / "a.pth").write_bytes(write(*state(**changes)))
        assert (
            formats.read(tmp_path / "a.pth").tensors["fc.weight"].size == 0
        )  # nothing is nothing, of whatever shape
        return
    if not all(isinstance(n, int) for n in changes["shape"]):
        changes = {**changes, "strides": (1,)}
    (tmp_path / "a.pth").write_bytes(write(*state(**changes)))
    refused(tmp_path / "a.pth", message)


def test_torch_archives_that_are_none(tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(files.torch_zip(*state(), compression=zipfile.ZIP_DEFLATED))
    refused(path, "compressed, or larger than the file")
    path.write_bytes(
        files.torch_zip(
            *state(),
            extra=[("archive/code/__torch__.py", "import os"), ("archive/constants.pkl", "")],
        )
    )
    refused(path, "TorchScript archive, which holds code")
    path.write_bytes(files.torch_zip(state()[0], {}))
    refused(path, "damaged")
    path.write_bytes(files.torch_zip({"epoch": 3}, {}))
    refused(path, "not a state dict, names to tensors, but 'epoch'")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("photo.jpg", "x")
    path.write_bytes(buffer.getvalue())
    refused(path, "not one of torch.save: it has no data.pkl")


@pytest.mark.parametrize("write", [files.torch_zip, files.torch_legacy])
def test_tensors_that_share_their_elements_too_often(tmp_path, write):
    value = np.zeros(100_000, np.float32)
    (tmp_path / "a.pth").write_bytes(
        write({f"{i}.weight": files.tensor("0", value) for i in range(1000)}, {"0": value})
    )
    refused(tmp_path / "a.pth", "would fill .* bytes: it is made to fill the memory")


def test_more_names_than_a_network_has(tmp_path):
    (tmp_path / "a.pth").write_bytes(files.torch_zip({"x" * 5_000_000: 1}, {}))
    refused(tmp_path / "a.pth", "bytes of names and shapes, more than a network has")


def test_legacy_storages_longer_than_the_file(tmp_path):
    content = files.torch_legacy(*state())
    count = struct.pack("<q", 10)
    (tmp_path / "a.pth").write_bytes(content[:-48] + struct.pack("<q", 2**40) + content[-40:])
    assert content[-48:-40] == count
    refused(tmp_path / "a.pth", "cut off: storage '0' should have 1099511627776 elements")


def test_hdf5_that_reaches_out_or_claims_too_much(tmp_path):
    def made(fill):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.h5"
        with h5py.File(path, "w") as root:
            fill(root)
        return path

    refused(
        made(lambda root: root.create_dataset("a/kernel:0", (2**40,), "f4")),
        "of 4398046511104 bytes, which the file",
    )
    refused(
        made(lambda root: root.create_dataset("a/kernel:0", (2**62, 2**62), "f4", chunks=(1, 1))),
        "chunked, compressed or compact",
    )
    refused(
        made(
            lambda root: root.create_dataset(
                "a/kernel:0", data=np.zeros(9999, "f4"), compression="gzip"
            )
        ),
        "chunked, compressed or compact",
    )
    refused(
        made(lambda root: root.__setitem__("a", h5py.ExternalLink("/etc/passwd", "/"))),
        "ExternalLink",
    )
    refused(made(lambda root: root.__setitem__("a", h5py.SoftLink("/b"))), "SoftLink")
    external = [("/etc/passwd", 0, h5py.h5f.UNLIMITED)]
    refused(
        made(lambda root: root.create_dataset("a/kernel:0", (4,), "u1", external=external)),
        "whose data lie in another file",
    )
    refused(
        made(lambda root: root.create_dataset("a/kernel:0", data=["text"])),
        "only plain numbers|chunked",
    )
    refused(made(lambda root: root.create_group("a")), "holds no tensors")
    loop = made(
        lambda root: (
            root.create_dataset("a/b/kernel:0", data=np.zeros(2, "f4")),
            root["a/b"].__setitem__("again", root["a"]),
        )
    )
    refused(loop, "the same one twice")


def test_keras_models_with_code(tmp_path):
    config = {
        "class_name": "Functional",
        "config": {
            "layers": [
                {"class_name": "Lambda", "config": {"name": "preprocess", "function": ["4wEAAAA="]}}
            ]
        },
    }
    with h5py.File(tmp_path / "a.h5", "w") as root:
        root.attrs["model_config"] = json.dumps(config)
        root["model_weights/a/a/kernel:0"] = np.zeros(3, "f4")
    refused(tmp_path / "a.h5", "Lambda layer 'preprocess', which is code in a file")
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", b"x")
    refused(tmp_path / "a.keras", "whole Keras model: save its weights alone")


def test_keras_3_files_without_layer_names(tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as root:
        root["layers/conv2d/vars/0"] = np.zeros((1, 1, 2, 2), "f4")
    refused(tmp_path / "a.weights.h5", "does not name its layers")
    with h5py.File(tmp_path / "b.weights.h5", "w") as root:
        for i in range(5):
            root[f"layers/lstm/vars/{i}"] = np.zeros((2, 2), "f4")
        root["layers/lstm/vars"].attrs["name"] = "lstm"
    refused(tmp_path / "b.weights.h5", "the layer lstm with 5 variables")


def test_no_permission(tmp_path, monkeypatch):
    def closed(path, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(builtins, "open", closed)
    with pytest.raises(CheckpointError, match=r"cannot be opened \(Permission denied\)"):
        formats.read(os.fspath(tmp_path / "a.pth"))
