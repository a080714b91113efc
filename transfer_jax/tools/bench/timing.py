"""How the benchmarks take time: of any call, and of a training step."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from transfer_jax import optim
from transfer_jax.core import mesh as meshes
from transfer_jax.objectives.supervised import Supervised
from transfer_jax.optim import schedules
from transfer_jax.train import state, step


def seconds(run: Callable[[], Any], repeats: int, warm_up: int = 1) -> list[float]:
    """Returns the seconds of each of `repeats` calls, until their results are there.

    Args:
      run: What is timed.
      repeats: Number of calls measured.
      warm_up: Number of calls before them, which compile and are not measured.
    """
    durations = []
    for _ in range(warm_up + repeats):
        start = time.perf_counter()
        jax.block_until_ready(run())
        durations.append(time.perf_counter() - start)
    return durations[warm_up:]


def median(run: Callable[[], Any], repeats: int, warm_up: int = 1) -> float:
    """Returns the median of `seconds`."""
    return statistics.median(seconds(run, repeats, warm_up))


def in_own_process(*arguments: str) -> tuple[str, str]:
    """Calls the benchmarks in a process of their own, so that nothing is loaded or cached before.

    Args:
      *arguments: The subcommand and its options.

    Returns:
      The last line that it printed, and "" or, where it failed, the last line of its error.
    """
    call = [sys.executable, "-m", "transfer_jax.tools.bench", *arguments]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        return "", (done.stderr.strip().splitlines() or ["no message"])[-1]
    return done.stdout.splitlines()[-1], ""


def training_step(module: nn.Module, kind: str, *, batch: int, size: int) -> Callable[[], Any]:
    """Returns a call that takes one training step (float32, Adam, one device) on images of noise.

    Args:
      module: The network.
      kind: Kind of the task.
      batch: Number of images.
      size: Pixels of both sides.
    """
    mesh, rng = meshes.create(1), np.random.default_rng(0)
    inputs = {
        "images": jnp.asarray(rng.standard_normal((batch, size, size, 3), np.float32)),
        "targets": jnp.asarray(rng.integers(0, 2, (batch, 1)).astype(np.float32)),
        "weights": jnp.ones((batch, 1)),
    }
    objective = Supervised(kind=kind)
    optimizer = optim.build("adam", schedule=schedules.build("constant", steps=1))
    train_step = step.compile_step(step.make_step(module, objective, optimizer), mesh)
    image, key = inputs["images"][:1], jax.random.key(0)
    variables = jax.jit(lambda key: module.init(key, image, train=False))(key)
    hyper = optim.hyper(1e-3, 0.0)
    member = [state.create(variables, key, hyper, optimizer, objective, module, mesh)]

    def run() -> Any:
        member[0] = train_step(member[0], inputs)
        return member[0]

    return run
