import subprocess
import sys

import numpy as np
import pytest
from golden import reference

from transfer_jax import weights
from transfer_jax.tools import convert_weights
from transfer_jax.weights import formats


@pytest.fixture
def convert(command):
    return command(convert_weights.main)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    formats.write_safetensors(path, reference.tensors(reference.read("torchvision/resnet18")), {})
    return path


def test_there_and_back(convert, file, tmp_path):
    # The first as a user does it, in a process of its own.
    call = [file, "resnet18", "--to=orbax", f"--out={tmp_path / 'orbax'}", "--normalisation=caffe"]
    done = subprocess.run(
        [sys.executable, "-m", "transfer_jax.tools.convert_weights", *map(str, call)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (
        "resnet18: 11,689,512 parameters, with a head, layout torchvision; normalisation caffe"
        " (chosen by the user)" in done.stdout
    )
    convert(tmp_path / "orbax", "resnet18", f"--out={tmp_path / 'hub'}")
    a, b = (formats.read(path).tensors for path in (file, tmp_path / "hub/model.safetensors"))
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    assert weights.read(tmp_path / "hub", "resnet18").card.normalisation.name == "caffe"
    assert "without a head" in convert(
        file, "resnet18", f"--out={tmp_path / 'grey.safetensors'}", "--drop-head", "--channels=1"
    )
    assert "fc.weight" not in formats.read(tmp_path / "grey.safetensors").tensors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.pth", "resnet18"], "nowhere.pth does not exist"),
        (["FILE", "resnet50"], "does not fit resnet50"),
        (["FILE", "resnet19"], "unknown network 'resnet19'"),
        (["FILE", "resnet18", "--to=keras"], "resnet18 has no layout 'keras'"),
        (["FILE", "cbr_tiny", "--widths=1,x"], "--widths=1,x must be whole numbers"),
        (["FILE", "resnet18", "--layout=tf"], "invalid choice: 'tf'"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(convert, file, tmp_path, arguments, message):
    error = convert(
        *[file if a == "FILE" else a for a in arguments], f"--out={tmp_path / 'out'}", check=2
    )
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_not_overwritten(convert, file, tmp_path):
    (tmp_path / "out").mkdir()
    assert "exists already" in convert(file, "resnet18", f"--out={tmp_path / 'out'}", check=2)


def test_what_was_recognised_is_told_and_written(convert, file, tmp_path):
    wrapped = {f"module.{name}": value for name, value in formats.read(file).tensors.items()}
    both = {
        **wrapped,
        **{name.replace("module.", "ema."): value.copy() for name, value in wrapped.items()},
    }
    formats.write_safetensors(tmp_path / "both.safetensors", both, {})
    error = convert(tmp_path / "both.safetensors", "resnet18", f"--out={tmp_path / 'out'}", check=2)
    assert (
        "holds 2 networks that fit resnet18, under the prefixes 'ema.', 'module.': choose one with"
        " prefix=" in error
    )
    call = (
        tmp_path / "both.safetensors",
        "resnet18",
        f"--out={tmp_path / 'out'}",
        "--prefix=module",
        "--drop-head",
    )
    out = convert(*call)
    assert "recognised: prefix module. removed\n" in out
    assert "recognised: head module.fc.* ignored\n" in out
    assert "prefix module. removed" in (tmp_path / "out/README.md").read_text()
    written = formats.read(tmp_path / "out/model.safetensors").tensors
    assert (written["conv1.weight"] == wrapped["module.conv1.weight"]).all()
    assert "leave it out" in convert(
        file, "resnet18", f"--out={tmp_path / 'other'}", "--state=ema", check=2
    )
