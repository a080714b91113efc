import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "transfer_jax").rglob("*.py"))
MOST_LINES = 300


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_short_and_say_what_they_are(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    assert ast.get_docstring(ast.parse(text))


def seconds_and_modules(statement):
    code = f"import sys, time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t, *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, *modules = done.stdout.split()
    return float(seconds), set(modules)


def test_the_package_is_imported_in_a_second_and_without_tensorflow():
    seconds, modules = seconds_and_modules("from transfer_jax import models, inits, settings")
    assert seconds < 3  # under one on a quiet machine; the bound leaves room for a busy one
    assert not {"tensorflow", "tensorflow_datasets", "grain", "matplotlib", "torch"} & modules


def test_what_computes_is_imported_without_the_data_libraries():
    _, modules = seconds_and_modules(
        "import transfer_jax.models.cbr, transfer_jax.models.resnet, transfer_jax.inits, transfer_jax.losses.classification, "
        "transfer_jax.train.step, transfer_jax.train.evaluate, transfer_jax.optim, transfer_jax.analysis.filters"
    )
    assert not {"tensorflow", "tensorflow_datasets", "grain", "clu", "ml_collections"} & modules


def test_a_study_is_imported_without_tensorflow():
    _, modules = seconds_and_modules("import transfer_jax.main, transfer_jax.studies.runner, transfer_jax.tools.prepare")
    assert "tensorflow" not in modules
