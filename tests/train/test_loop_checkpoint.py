import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_step import build

from transfer_jax import optim
from transfer_jax.core.errors import CheckpointError, Interrupted
from transfer_jax.train import checkpoint, loop, state
from transfer_jax.train.interrupt import StopRequest


@pytest.fixture
def members(one_device):
    member, _, _ = build(one_device)
    return {"a": member, "b": member.replace(step=jnp.int32(5))}


def flip_a_bit_in_the_largest_file(folder):
    target = max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(bytes(data))


def test_a_checkpoint_gives_back_every_bit(tmp_path, members):
    with checkpoint.Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore(members) is None
        checkpoints.save(3, members, {"history": [{"auc": 0.1}]})
    with checkpoint.Checkpoints(tmp_path) as checkpoints:
        restored = checkpoints.restore(members)
    assert restored.step == 3
    assert restored.extra == {"history": [{"auc": 0.1}]}
    assert checkpoint.checksums(restored.members) == checkpoint.checksums(members)
    assert jax.tree.structure(restored.members) == jax.tree.structure(members)


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path, members):
    with checkpoint.Checkpoints(tmp_path) as checkpoints:
        for number in (1, 2, 3):
            checkpoints.save(number, members, {})
    assert sorted(int(p.name) for p in tmp_path.iterdir() if p.name.isdigit()) == [2, 3]
    flip_a_bit_in_the_largest_file(tmp_path / "3")
    with checkpoint.Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore(members).step == 2
    flip_a_bit_in_the_largest_file(tmp_path / "2")
    with checkpoint.Checkpoints(tmp_path) as checkpoints, pytest.raises(CheckpointError, match=r"no checkpoint in .* can be read"):
        checkpoints.restore(members)


class Numbers:
    """A stream of 0, 1, 2, ..."""

    def __init__(self):
        self.position = 0

    def __next__(self):
        self.position += 1
        return self.position - 1

    def get_state(self):
        return self.position

    def set_state(self, state):
        self.position = state


def test_the_loop_gives_every_group_its_batches_and_calls_hooks():
    seen, calls = [], []

    def group(names, offset):
        return loop.Group(names, Numbers(), lambda batch, step: (jnp.float32(batch + offset), jnp.float32(step), jnp.float32(0)))

    def step(member, images, targets, mask):
        seen.append((member.params, float(images), float(targets)))
        return member.replace(step=member.step + 1)

    members = {name: state.Member(jnp.int32(0), name, None, None, jax.random.key(0), optim.hyper(0.1, 0.0), None) for name in "abc"}
    hooks = [loop.every(2, lambda done, m: calls.append(done), last=5)]
    loop.run(members, [group(("a", "b"), 0), group(("c",), 10)], step, first=0, last=5, hooks=hooks, stop=StopRequest())
    assert seen[:4] == [("a", 0, 0), ("b", 0, 0), ("c", 10, 0), ("a", 1, 1)]
    assert [int(m.step) for m in members.values()] == [5, 5, 5]
    assert calls == [2, 4, 5]


def test_a_signal_stops_after_the_step_and_hooks():
    calls = []
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest() as stop, pytest.raises(Interrupted):
        loop.run({}, [], lambda *a: a[0], first=0, last=9, stop=stop, hooks=[lambda done, m: calls.append(done), lambda done, m: _raise(done)])
    assert calls == [1, 2, 3]
    assert signal.getsignal(signal.SIGTERM) == before


def _raise(done):
    if done == 3:
        signal.raise_signal(signal.SIGTERM)


def test_a_second_ctrl_c_stops_at_once():
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_checksums_see_every_bit(members):
    changed = {**members, "b": members["b"].replace(key=jax.random.key(2))}
    a, b = checkpoint.checksums(members), checkpoint.checksums(changed)
    assert a["a"] == b["a"]
    assert a["b"] != b["b"]
    assert np.isscalar(a["a"])
