"""Damaged checkpoints: what is restored is what was saved, and whatever is passed over is said.

TRANSFER_JAX_FLIPS=2000 python -m pytest -n 0 tests/train/test_checkpoint_damage.py tries many.
"""

import json
import logging
import shutil

import damage
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import optim
from transfer_jax.core import digest
from transfer_jax.core.errors import CheckpointError
from transfer_jax.train.checkpoint import Checkpoints
from transfer_jax.train.state import Member

# When one tensor cannot be read, Orbax leaves the reading of the others behind.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

ENTRY = {"member": "a", "step": 2, "auc": 0.625, "loss": float("nan")}
EXTRA = {"history": [ENTRY], "positions": [{"next": 7}]}


def members(step, extra=None):
    kernel = jnp.arange(24, dtype=jnp.float32).reshape(2, 3, 4) + step
    moments = {"mu": kernel / 3, "nu": {"bias": jnp.ones(4)}}
    hyper, key = optim.hyper(0.1, 0.0), jax.random.key(step)
    member = Member(
        step=jnp.int32(step),
        phase_start=jnp.int32(step // 2),
        params={"k": kernel},
        batch_stats={"mean": jnp.zeros(4)},
        objective_params={},
        objective_state={"seen": jnp.int32(step)},
        optimizer_state=moments,
        key=key,
        hyper=hyper,
        averages=None,
    )
    return {"a": member}


def save(folder, *steps):
    with Checkpoints(folder) as checkpoints:
        for step in steps:
            state = members(step)
            best = {name: jax.tree.map(np.asarray, one.variables) for name, one in state.items()}
            checkpoints.save(step, state, best, EXTRA)


def restore(folder):
    with Checkpoints(folder) as checkpoints:
        return checkpoints.restore(members)


def same(restored, step):
    state = members(step)
    best = {name: one.variables for name, one in state.items()}
    return (
        restored.step == step
        and digest.of_tensors(restored.members) == digest.of_tensors(state)
        and digest.of_tensors(restored.best) == digest.of_tensors(best)
        and json.dumps(restored.extra) == json.dumps(EXTRA)
    )


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints"


def content_of(folder, step):
    return folder / str(step) / "content" / "metadata"


def test_single_bit_flips_never_give_another_state(folder):
    save(folder, 3)
    refused = trials = 0
    for damaged in damage.single_bits(folder, default=24):
        with damaged as path:
            trials += 1
            restored, message = damage.outcome(lambda: restore(folder), CheckpointError)
            refused += message is not None
            assert (
                str(folder) in message if message else restored is not None and same(restored, 3)
            ), path
    assert 0 < refused < trials


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"auc": 0.625', '"auc": 0.626'),
        ('"next": 7', '"next": 6'),
        ('"step": 3', '"step": 2'),
        ("NaN", "0.1"),
    ],
)
def test_a_change_beside_the_arrays_is_found(folder, old, new):
    save(folder, 3)
    path = content_of(folder, 3)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(CheckpointError, match=r"step 3: its content cannot be used .*own digest"):
        restore(folder)


def test_a_step_without_a_digest_is_told_to_be_an_earlier_versions(folder):
    save(folder, 3)
    content_of(folder, 3).write_text(json.dumps({"extra": EXTRA, "crc32c": {}, "crc32c_best": {}}))
    with pytest.raises(CheckpointError, match="it has no digest: an earlier version wrote it"):
        restore(folder)


def test_a_step_under_another_number_is_not_restored(folder):
    save(folder, 3)
    (folder / "3").rename(folder / "7")
    with pytest.raises(CheckpointError, match="step 7: its folder holds step 3"):
        restore(folder)


def test_arrays_of_another_step_are_not_restored(folder):
    save(folder, 3, 4)
    shutil.rmtree(folder / "4" / "best")
    shutil.copytree(folder / "3" / "best", folder / "4" / "best")
    assert same(restore(folder), 3)


def lines(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: content_of(folder, 4).unlink(), "passed over step 4: "),
        (lambda folder: shutil.rmtree(folder / "4" / "members"), "passed over step 4: "),
        (
            lambda folder: (folder / "4").rename(folder / "t"),
            "passed over folder t: it is not named",
        ),
        (
            lambda folder: (folder / "4").rename(folder / "4.orbax-checkpoint-tmp"),
            "step 4: its save did not",
        ),
        (
            lambda folder: (folder / "4").rename(folder / "4.orbax-checkpoint-tmp-1"),
            "step 4: its save did not",
        ),
        (
            lambda folder: (folder / "4").rename(folder / "04x"),
            "passed over folder 04x: it is not named",
        ),
    ],
)
def test_every_fallback_is_said(folder, caplog, harm, said):
    save(folder, 3, 4)
    harm(folder)
    assert same(restore(folder), 3)
    (line,) = lines(caplog)
    assert said in line
    assert line.startswith(f"{folder}: passed over")
    assert line.endswith("going on from step 3")


def test_an_unfinished_save_that_was_overtaken_is_not_worth_a_word(folder, caplog):
    save(folder, 3, 4)
    (folder / "2.orbax-checkpoint-tmp").mkdir()
    assert same(restore(folder), 4)
    assert lines(caplog) == []


def test_a_folder_with_unfinished_saves_alone_begins_anew_and_says_so(folder, caplog):
    (folder / "4.orbax-checkpoint-tmp").mkdir(parents=True)
    assert restore(folder) is None
    assert [
        line for line in lines(caplog) if line.endswith("its save did not finish; starting anew")
    ]


def test_a_step_under_a_broken_name_alone_does_not_begin_anew(folder):
    save(folder, 3)
    (folder / "3").rename(folder / "s")
    with pytest.raises(CheckpointError, match="folder s: it is not named as a step is"):
        restore(folder)


def test_a_damaged_step_is_set_aside_and_saved_anew(folder):
    save(folder, 3, 5)
    content_of(folder, 5).write_text("{")
    with Checkpoints(folder) as checkpoints:
        assert checkpoints.restore(members).step == 3
    # Orbax would save neither 4, which is below its newest step, nor 5, which is there already.
    save(folder, 4, 5)
    assert same(restore(folder), 5)
    assert sorted(path.name for path in folder.iterdir()) == ["4", "5", "5.damaged"]
    content_of(folder, 5).write_text("{")
    assert same(restore(folder), 4)
    assert (folder / "5.damaged1").is_dir()
