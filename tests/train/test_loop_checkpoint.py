import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_step import build

from transfer_jax.core import digest
from transfer_jax.core.errors import CheckpointError, Interrupted
from transfer_jax.train import checkpoint, loop, state
from transfer_jax.train.interrupt import StopRequest
from transfer_jax.train.population import Population


@pytest.fixture
def members(one_device):
    member, _, _ = build(one_device)
    return {"a": member, "b": member.replace(step=jnp.int32(5))}


def best(members):
    return {name: jax.tree.map(np.asarray, member.variables) for name, member in members.items()}


def flip_a_bit_in_the_largest_file(folder):
    target = max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(bytes(data))


def test_a_checkpoint_gives_back_every_bit(tmp_path, members):
    with checkpoint.Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore(lambda done, extra: members) is None
        checkpoints.save(3, members, best(members), {"history": [{"auc": 0.1}]})
    with checkpoint.Checkpoints(tmp_path) as checkpoints:
        restored = checkpoints.restore(lambda done, extra: members)
    assert restored.step == 3
    assert restored.extra == {"history": [{"auc": 0.1}]}
    assert digest.of_tensors(restored.members) == digest.of_tensors(members)
    assert digest.of_tensors(restored.best) == digest.of_tensors(best(members))
    assert jax.tree.structure(restored.members) == jax.tree.structure(members)


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path, members):
    with checkpoint.Checkpoints(tmp_path) as checkpoints:
        for number in (1, 2, 3):
            checkpoints.save(number, members, best(members), {})
    assert sorted(int(p.name) for p in tmp_path.iterdir() if p.name.isdigit()) == [2, 3]
    flip_a_bit_in_the_largest_file(tmp_path / "3")
    with checkpoint.Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore(lambda done, extra: members).step == 2
    flip_a_bit_in_the_largest_file(tmp_path / "2")
    with (
        checkpoint.Checkpoints(tmp_path) as checkpoints,
        pytest.raises(CheckpointError, match=r"no checkpoint in .* can be read"),
    ):
        checkpoints.restore(lambda done, extra: members)


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


class Counting(Population):
    """A population whose members count their steps."""

    def __init__(self, names):
        self.seen = []
        self.members = dict.fromkeys(names, None)
        for name in names:
            fields = dict.fromkeys(state.Member.__dataclass_fields__)
            self.members[name] = state.Member(**fields | {"step": jnp.int32(0)})

    def get(self, name):
        return self.members[name]

    def step(self, name, done, batch):
        assert int(self.members[name].step) == done
        self.seen.append((name, float(batch["images"]), float(batch["targets"])))
        self.members[name] = self.members[name].replace(step=self.members[name].step + 1)


def group(names, offset=0):
    def prepare(batch, step):
        return {"images": jnp.float32(batch + offset), "targets": jnp.float32(step)}

    return loop.Group(names, Numbers(), prepare)


def test_the_loop_gives_every_group_its_batches_and_calls_hooks():
    calls, members = [], Counting("abc")
    hooks = [loop.every(2, lambda done, population: calls.append(done), last=5)]
    groups = [group(("a", "b")), group(("c",), 10)]
    assert loop.run(members, groups, first=0, last=5, hooks=hooks, stop=StopRequest()) == 5
    assert members.seen[:4] == [("a", 0, 0), ("b", 0, 0), ("c", 10, 0), ("a", 1, 1)]
    assert [int(m.step) for m in members.members.values()] == [5, 5, 5]
    assert calls == [2, 4, 5]

    # Members that stop: the others see what they would have seen, and it ends when none is left.
    members.seen.clear()
    gone = set()
    leave = [lambda done, population: gone.update({6: "c", 8: "ab"}.get(done, ""))]
    done = loop.run(
        members,
        groups,
        first=5,
        last=20,
        hooks=leave,
        stop=StopRequest(),
        stopped=lambda done: gone,
    )
    assert done == 8
    assert [s for s in members.seen if s[0] == "a"] == [("a", 5, 5), ("a", 6, 6), ("a", 7, 7)]
    assert [s for s in members.seen if s[0] == "c"] == [("c", 15, 5)]
    assert [one.stream.position for one in groups] == [8, 8]


def test_a_signal_stops_after_the_step_and_hooks():
    calls = []
    before = signal.getsignal(signal.SIGTERM)
    hooks = [lambda done, members: calls.append(done), lambda done, members: _raise(done)]
    with StopRequest() as stop, pytest.raises(Interrupted):
        loop.run(Counting("a"), [group(("a",))], first=0, last=9, stop=stop, hooks=hooks)
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
