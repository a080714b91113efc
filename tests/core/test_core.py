import os

import jax
import pytest

from transfer_jax.core import errors, files, mesh, names, rng


def test_write_replaces_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "a" / "b.txt"
    files.write(target, "one")
    files.write(target, b"two")
    assert target.read_text() == "two"
    monkeypatch.setattr(os, "fsync", _disk_full)
    with pytest.raises(OSError, match="no space"):
        files.write(target, "three")
    assert target.read_text() == "two"
    assert [p.name for p in target.parent.iterdir()] == ["b.txt"]


def _disk_full(descriptor):
    raise OSError("no space left")


def test_directory_appears_whole_or_not_at_all(tmp_path):
    with files.directory(tmp_path / "good") as folder:
        (folder / "x").write_text("x")
        assert not (tmp_path / "good").exists()
    assert (tmp_path / "good" / "x").read_text() == "x"
    with pytest.raises(RuntimeError), files.directory(tmp_path / "bad"):
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["good"]
    with pytest.raises(FileExistsError), files.directory(tmp_path / "good"):
        pass


def test_paths_of_others_stay_below_a_folder(tmp_path):
    assert files.below(tmp_path, "a\\b/./c.png") == tmp_path / "a/b/c.png"
    assert files.below(tmp_path, ".") == files.below(tmp_path, "") == tmp_path
    assert [files.below(tmp_path, path) for path in ("/a", "\\a", "..", "a/../../b", "a\\..")] == [
        None
    ] * 5


def test_streams_are_told_apart_by_name_alone():
    key = jax.random.key(3)
    a, b = rng.stream(key, "init"), rng.stream(key, "dropout")
    assert (jax.random.key_data(a) != jax.random.key_data(b)).any()
    assert (jax.random.key_data(a) == jax.random.key_data(rng.stream(key, "init"))).all()


def test_registry_names_the_nearest():
    with pytest.raises(errors.ConfigError, match="did you mean 'resnet50'"):
        names.look_up("network", "resnet5O", {"resnet50": "a:b", "cbr_tiny": "a:b"})


def test_nothing_is_nearest_where_nothing_is_known():
    assert names.nearest("x", []) == "known: none"


def test_mesh_size_and_batches_are_checked():
    assert mesh.create().size == 8
    with pytest.raises(errors.ConfigError, match="devices=9"):
        mesh.create(9)
    with pytest.raises(errors.ConfigError, match="batch_size=12 does not divide over 8"):
        mesh.check_batch(mesh.create(), 12, "batch_size")
