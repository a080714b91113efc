"""Eight fake devices, strict arrays, checked shapes; and what happens to tests of real images where
there are none.
"""

import atexit
import importlib.util
import os
import shutil
import sys
import tempfile
import textwrap
from pathlib import Path

os.environ["XLA_FLAGS"] = (
    f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
)
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
# Many tests train the same tiny study: its programs are compiled once per worker, not per test.
# Workers share nothing, since JAX may read an entry while another process still writes it.
os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="transfer_jax_compiled_")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

import jax
import numpy as np
import pytest
from jaxtyping import install_import_hook

atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
jax.config.update("jax_numpy_rank_promotion", "raise")
install_import_hook("transfer_jax", "typecheck.checker")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"


def pytest_collection_modifyitems(config, items):
    real = [item for item in items if "shared_data" in item.keywords]
    if not real or SHARED.is_dir():
        return
    if os.environ.get("CI"):
        raise pytest.UsageError(
            f"{SHARED} is missing: {len(real)} tests need its images, and in CI they must run"
        )
    config.hook.pytest_deselected(items=real)
    items[:] = [item for item in items if item not in real]
    config.stash[_MISSING] = len(real)


# Tests beside PyTorch and Keras are collected where these are installed; in CI they must be.
_PEERS = {
    "torch": ["weights/test_with_torch.py", "data/augment/test_with_torchvision.py"],
    "keras": [
        "weights/test_with_keras.py",
        "data/augment/test_affine_with_keras.py",
        "data/storage/test_resize_with_keras.py",
    ],
}
collect_ignore = [
    file
    for peer, tests in _PEERS.items()
    if importlib.util.find_spec(peer) is None
    for file in tests
]
if collect_ignore and os.environ.get("CI"):
    raise pytest.UsageError(
        f"torch and keras must be installed in CI: without them {', '.join(collect_ignore)} would"
        " be left out"
    )

_MISSING = pytest.StashKey[int]()


def pytest_terminal_summary(terminalreporter, config):
    if _MISSING in config.stash:
        terminalreporter.write_line(
            f"{config.stash[_MISSING]} tests of real images deselected: they read {SHARED}, which"
            " is not here"
        )


@pytest.fixture
def one_device():
    from transfer_jax.core import mesh

    return mesh.create(1)


@pytest.fixture(scope="session")
def shared():
    return SHARED


@pytest.fixture
def command(monkeypatch, capsys):
    """Commands in this process: `command(main)` is a function (*args, check=code) -> the output or,
    with a code, the error.
    """
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


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes modules of a temporary package; returns a function (name, text) -> its dotted name."""
    place = tmp_path / "toys"
    place.mkdir()
    (place / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name, text):
        (place / f"{name}.py").write_text(textwrap.dedent(text))
        return f"toys.{name}"

    yield write
    for name in [name for name in sys.modules if name.split(".")[0] == "toys"]:
        del sys.modules[name]


@pytest.fixture(scope="session")
def tiny_study():
    from small_studies import tiny

    return tiny


@pytest.fixture(scope="session")
def finished_arms(tmp_path_factory):
    """A finished study of two arms in two folds: its folder, and member -> its first variables."""
    from small_studies import tiny_arms

    from transfer_jax import api
    from transfer_jax.studies import members

    initial = {}
    specs = members.specs

    def watched(*args):
        watched_specs = specs(*args)
        initial.update({s.name: jax.tree.map(np.array, s.variables) for s in watched_specs})
        return watched_specs

    folder = tmp_path_factory.mktemp("finished") / "arms"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(members, "specs", watched)
        api.run(tiny_arms(), folder)
    return folder, initial
