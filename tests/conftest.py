"""Eight fake devices, strict arrays, checked shapes; and what happens to tests of real images where there are none."""

import importlib.util
import os
import sys
from pathlib import Path

os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import jax
import numpy as np
import pytest
from jaxtyping import install_import_hook

jax.config.update("jax_numpy_rank_promotion", "raise")
install_import_hook("transfer_jax", "typecheck.checker")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"


def pytest_collection_modifyitems(config, items):
    real = [item for item in items if "shared_data" in item.keywords]
    if not real or SHARED.is_dir():
        return
    if os.environ.get("CI"):
        raise pytest.UsageError(f"{SHARED} is missing: {len(real)} tests need its images, and in CI they must run")
    config.hook.pytest_deselected(items=real)
    items[:] = [item for item in items if item not in real]
    config.stash[_MISSING] = len(real)


# Tests beside PyTorch and Keras are collected where these are installed; in CI they must be.
_PEERS = {
    "torch": ["weights/test_with_torch.py", "data/augment/test_with_torchvision.py"],
    "keras": ["weights/test_with_keras.py", "data/augment/test_affine_with_keras.py"],
}
collect_ignore = [file for peer, tests in _PEERS.items() if importlib.util.find_spec(peer) is None for file in tests]
if collect_ignore and os.environ.get("CI"):
    raise pytest.UsageError(f"torch and keras must be installed in CI: without them {', '.join(collect_ignore)} would be left out")

_MISSING = pytest.StashKey[int]()


def pytest_terminal_summary(terminalreporter, config):
    if _MISSING in config.stash:
        terminalreporter.write_line(f"{config.stash[_MISSING]} tests of real images deselected: they read {SHARED}, which is not here")


@pytest.fixture
def one_device():
    from transfer_jax.core import mesh

    return mesh.create(1)


@pytest.fixture(scope="session")
def shared():
    return SHARED


@pytest.fixture
def command(monkeypatch, capsys):
    """Commands in this process: `command(main)` is a function (*args, check=code) -> the output or, with a code, the error."""
    from transfer_jax.tools import command as tools

    def of(main):
        def run(*args, check=0):
            monkeypatch.setattr(sys, "argv", [main.__module__, *map(str, args)])
            code = 0
            try:
                tools.run(main)
            except SystemExit as stop:
                code = stop.code
            out, error = capsys.readouterr()
            assert code == check, error
            return error if check else out

        return run

    return of


@pytest.fixture(scope="session")
def finished_arms(tmp_path_factory):
    """A finished study of two arms in two folds: its folder, and member -> the variables that it began from."""
    from small_studies import tiny_arms

    from transfer_jax.studies import grid, runner

    begun = {}
    plans = grid.plans

    def watched(*given):
        made = plans(*given)
        begun.update({plan.name: jax.tree.map(np.array, plan.variables) for plan in made})
        return made

    folder = tmp_path_factory.mktemp("finished") / "arms"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "plans", watched)
        runner.run(tiny_arms(), folder)
    return folder, begun
