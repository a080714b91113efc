"""Models in several files: all of them are read, strictly as the index says, or none is."""

import json

import files
import numpy as np
import pytest
from containers import first_kernel, tensors, written

from transfer_jax import weights
from transfer_jax.core.errors import CheckpointError
from transfer_jax.weights import formats

ONE, TWO = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


@pytest.fixture
def sharded(tmp_path):
    """Writes a network in two files, and its index; returns the index's path, its mapping and the
    tensors.
    """
    made = tensors()
    places = {name: ONE if name.startswith("conv") else TWO for name in made}
    for file in (ONE, TWO):
        written(
            tmp_path / file, {name: value for name, value in made.items() if places[name] == file}
        )
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    return index, places, made


def changed(index, places):
    index.write_text(json.dumps({"weight_map": places}))
    return index


def test_all_files_are_read(sharded):
    index, _, made = sharded
    for path in (index, index.parent):
        loaded = weights.read(path, "cbr_tiny")
        assert np.array_equal(loaded.variables["params"]["conv1"]["kernel"], first_kernel(made))
        assert loaded.card.recognised == ("read from 2 files of model.safetensors.index.json",)
    assert formats.read(index).kind == "sharded"


def test_a_missing_file(sharded):
    index, _, _ = sharded
    (index.parent / ONE).unlink()
    with pytest.raises(
        CheckpointError,
        match=f"index of a model in 2 files, of which 1 are not beside it \\({ONE}\\): fetch them",
    ):
        formats.read(index)


def test_tensors_lie_where_the_index_says(sharded):
    index, places, _ = sharded
    with pytest.raises(
        CheckpointError,
        match=(
            rf"{ONE} does not hold the tensors that {index.name} says: 1 not listed there:"
            r" conv1\.weight"
        ),
    ):
        formats.read(
            changed(index, {name: file for name, file in places.items() if name != "conv1.weight"})
        )
    with pytest.raises(CheckpointError, match=r"1 not listed there: conv1\.weight"):
        formats.read(changed(index, {**places, "conv1.weight": TWO}))
    with pytest.raises(CheckpointError, match=r"1 missing: conv9\.weight"):
        formats.read(changed(index, {**places, "conv9.weight": TWO}))
    index.write_text(f'{{"weight_map": {{"conv1.weight": "{ONE}", "conv1.weight": "{TWO}"}}}}')
    with pytest.raises(CheckpointError, match="so no index of a model in several files"):
        formats.read(index)


@pytest.mark.parametrize(
    "file",
    [
        "../secret.safetensors",
        "/etc/secret.safetensors",
        "a/b.safetensors",
        "..\\s.safetensors",
        "c:s.bin",
        "passwd",
        "",
        3,
        None,
    ],
)
def test_no_path_leaves_the_folder(sharded, file):
    index, places, _ = sharded
    (index.parent.parent / "secret.safetensors").write_bytes((index.parent / ONE).read_bytes())
    with pytest.raises(
        CheckpointError,
        match=(
            r"says that conv1\.weight lies in .*: the files of a model must lie beside its index"
        ),
    ):
        formats.read(changed(index, {**places, "conv1.weight": file}))


def test_an_index_that_names_itself(sharded):
    index, _, _ = sharded
    loop = index.with_name("loop.bin")
    loop.write_text(json.dumps({"weight_map": {"conv1.weight": "loop.bin"}}))
    with pytest.raises(CheckpointError, match=r"loop\.bin is an index itself"):
        formats.read(loop)


@pytest.mark.parametrize(
    "content", ['{"weight_map": {}}', '{"weight_map": 3}', "{", '{"a": ', "[" * 100_000]
)
def test_damaged_indices(sharded, content):
    index, _, _ = sharded
    index.write_text(content)
    with pytest.raises(CheckpointError, match="JSON file"):
        formats.read(index)


def test_other_json_files_are_called_what_they_are(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"architecture": "resnet50"}')
    with pytest.raises(
        CheckpointError, match="is a JSON file, not weights: give the weight file beside it"
    ):
        formats.read(path)


def test_files_of_pytorch(tmp_path):
    flat = np.arange(6, dtype=np.float32)
    for i, name in enumerate(("a.weight", "b.weight")):
        (tmp_path / f"{i}.bin").write_bytes(
            files.torch_zip({name: files.tensor("0", flat)}, {"0": flat})
        )
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": {"a.weight": "0.bin", "b.weight": "1.bin"}}))
    assert set(formats.read(index).tensors) == {"a.weight", "b.weight"}
