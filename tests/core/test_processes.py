import jax
import numpy as np
import pytest
from jax.experimental import multihost_utils

from transfer_jax.core import processes
from transfer_jax.core.processes import Share


def test_one_process_is_the_main_one_and_waits_for_nobody(monkeypatch):
    monkeypatch.setattr(multihost_utils, "sync_global_devices", lambda name: pytest.fail("waited"))
    monkeypatch.setattr(multihost_utils, "broadcast_one_to_all", lambda v: pytest.fail("sent"))
    processes.barrier("here")
    assert processes.broadcast(7) == 7
    assert processes.is_main()
    assert processes.share() == Share(0, 1)


def test_several_processes(monkeypatch):
    waited = []
    monkeypatch.setattr(jax, "process_count", lambda: 3)
    monkeypatch.setattr(jax, "process_index", lambda: 2)
    monkeypatch.setattr(multihost_utils, "sync_global_devices", waited.append)
    monkeypatch.setattr(multihost_utils, "broadcast_one_to_all", lambda v: np.asarray(v) * 0)
    processes.barrier("here")
    assert waited == ["here"]
    assert processes.broadcast(7) == 0
    assert not processes.is_main()
    assert processes.share() == Share(2, 3)
