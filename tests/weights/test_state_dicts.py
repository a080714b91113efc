"""Checkpoints of training programs: the state dict among other things, and which of several is
read.
"""

import files
import numpy as np
import pytest
from containers import first_kernel, tensors, under

from transfer_jax import weights
from transfer_jax.core.errors import CheckpointError
from transfer_jax.weights import formats

WRITERS = [files.torch_zip, files.torch_legacy]


class Pickling:
    """Collects arrays, and gives what a pickle of torch.save has in their places."""

    def __init__(self):
        self.storages = {}

    def __call__(self, made):
        def tensor(value):
            key = str(len(self.storages))
            self.storages[key] = value
            return files.tensor(key, value)

        return {name: tensor(value) for name, value in made.items()}


@pytest.fixture
def checkpoint(tmp_path):
    """Writes a checkpoint: names -> arrays where it has a state dict."""

    def write(content, writer=files.torch_zip):
        pickling = Pickling()

        def state(value):
            if isinstance(value, dict):
                arrays = value and all(isinstance(v, np.ndarray) for v in value.values())
                return pickling(value) if arrays else {key: state(v) for key, v in value.items()}
            return [state(v) for v in value] if isinstance(value, list) else value

        path = tmp_path / "checkpoint.pth"
        path.write_bytes(writer(state(content), pickling.storages))
        return path

    return write


def equal(loaded, made):
    return np.array_equal(loaded.variables["params"]["conv1"]["kernel"], first_kernel(made))


OPTIMIZER = {
    "state": {0: {"step": np.zeros((), np.float32), "exp_avg": np.ones((2, 3, 5, 5), np.float32)}},
    "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1]}],
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("name", ["state_dict", "model", "network", "net.inner"])
def test_the_one_state_dict_is_read_wherever_it_lies(checkpoint, writer, name):
    made = tensors(counters=False)
    outer, _, inner = name.partition(".")
    content = {
        "epoch": 3,
        outer: {inner: made} if inner else made,
        "optimizer": OPTIMIZER,
        "best": {"auc": 0.9},
    }
    loaded = weights.read(checkpoint(content, writer), "cbr_tiny")
    assert equal(loaded, made)
    assert loaded.card.recognised == (
        f"state dict {name} read; ignored beside it: epoch, optimizer, best",
    )


@pytest.mark.parametrize("writer", WRITERS)
def test_of_several_state_dicts_one_must_be_chosen(checkpoint, writer):
    made, averaged = tensors(counters=False), tensors(seed=1, counters=False)
    path = checkpoint(
        {"epoch": 3, "state_dict": under("module.", made), "state_dict_ema": averaged}, writer
    )
    message = (
        r"holds several state dicts, state_dict \(22 tensors\), state_dict_ema \(22 tensors\):"
        r" choose one"
    )
    with pytest.raises(CheckpointError, match=message) as caught:
        weights.read(path, "cbr_tiny")
    assert "config.source.state, convert_weights --state=state_dict_ema" in str(caught.value)
    assert equal(weights.read(path, "cbr_tiny", state="state_dict"), made)
    loaded = weights.read(path, "cbr_tiny", state="state_dict_ema")
    assert equal(loaded, averaged)
    assert loaded.card.recognised == (
        "state dict state_dict_ema chosen; ignored beside it: epoch, state_dict",
    )
    with pytest.raises(
        CheckpointError,
        match=r"holds no state dict 'state_dict_em': did you mean 'state_dict_ema'\?",
    ):
        weights.read(path, "cbr_tiny", state="state_dict_em")


def test_a_state_dict_without_convolutions_is_no_second_network(checkpoint):
    made = tensors(counters=False)
    path = checkpoint({"model": made, "loss": {"center": np.ones((1, 8), np.float32)}})
    loaded = weights.read(path, "cbr_tiny")
    assert equal(loaded, made)
    assert loaded.card.recognised == ("state dict model read; ignored beside it: loss",)


def test_the_same_state_dict_under_two_names(tmp_path):
    pickling = Pickling()
    state = pickling(tensors(counters=False))
    path = tmp_path / "a.pth"
    path.write_bytes(files.torch_zip({"model": state, "ema": state}, pickling.storages))
    with pytest.raises(CheckpointError, match=r"several state dicts, model .*, ema "):
        weights.read(path, "cbr_tiny")
    assert (
        weights.read(path, "cbr_tiny", state="ema")
        .card.recognised[0]
        .startswith("state dict ema chosen")
    )


def test_a_state_is_chosen_in_checkpoints_of_several_alone(checkpoint, tmp_path):
    with pytest.raises(
        CheckpointError,
        match="is a single state dict, without names to choose from: leave state='ema' out",
    ):
        weights.read(checkpoint(tensors(counters=False)), "cbr_tiny", state="ema")
    files.valid(tmp_path)
    for name in ("a.safetensors", "a.h5"):
        with pytest.raises(
            CheckpointError,
            match=r"chooses among the state dicts of a \.pth file, and .* is none: leave it out",
        ):
            formats.read(tmp_path / name, state="ema")


def test_checkpoints_without_a_state_dict(checkpoint):
    with pytest.raises(CheckpointError, match="not a state dict, names to tensors, but 'epoch'"):
        weights.read(checkpoint({"epoch": 3, "optimizer": OPTIMIZER}), "cbr_tiny")
    with pytest.raises(CheckpointError, match="not a state dict, names to tensors: save it with"):
        weights.read(checkpoint([1, 2]), "cbr_tiny")


def test_a_pickle_that_holds_itself_ends(tmp_path):
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        # A dictionary with itself under "a", and a list in it that holds itself.
        archive.writestr(
            "archive/data.pkl",
            b"\x80\x02}q\x00(X\x01\x00\x00\x00ah\x00X\x01\x00\x00\x00b]q\x01h\x01au.",
        )
    path = tmp_path / "a.pth"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(CheckpointError, match="not a state dict"):
        formats.read(path)
