import subprocess
import sys

import pytest

# In a process of its own: what other tests allocate and free would hide what this one looks for.
_EPOCHS = """
import itertools, pathlib, sys, tempfile
import numpy as np
from transfer_jax.data import pipeline
from transfer_jax.data.storage import records
from transfer_jax.data.storage.manifest import Manifest
from transfer_jax.data.order import Order, shuffled
from transfer_jax.data.task import Targets
from transfer_jax.tools.bench import throughput

with tempfile.TemporaryDirectory() as place:
    form = {"size": 224, "count": 512, "encoding": "jpeg", "phantom_name": "fundus"}
    folder = throughput.generate(pathlib.Path(place) / "set", **form)
    opened, _ = records.open_splits(folder, Manifest.read(folder), ["train"])
    targets = Targets(np.zeros((512, 1), np.float32), np.ones((512, 1), np.float32))
    load = opened if sys.argv[1] == "streamed" else opened.mapped()
    order = Order(shuffled(np.arange(512)), 512, 32, 0)
    stream = pipeline.train_batches(load, targets.columns(), order)
    for epoch in range(30):
        for batch in itertools.islice(stream, 16):
            pass
        print(int(open("/proc/self/statm").read().split()[1]) * 4096)
"""


@pytest.mark.parametrize("mode", ["streamed", "mapped"])
def test_memory_is_constant_over_epochs(mode):
    done = subprocess.run(
        [sys.executable, "-c", _EPOCHS, mode], capture_output=True, text=True, check=True
    )
    memory = [int(line) / 1e6 for line in done.stdout.split()]
    assert len(memory) == 30
    # An epoch is 77 MB decoded, batches in flight are 5 MB each: keeping 3 % of what was read
    # would be found.
    assert max(memory[20:]) - max(memory[2:6]) < 40
