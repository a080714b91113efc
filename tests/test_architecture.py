"""The form of the code: short files and functions, one name per module, quick imports."""

import ast
import collections
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "transfer_jax").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
MOST_LINES = 300  # of a file
MOST_LINES_OF_A_FUNCTION = 60
MOST_CHARACTERS = 100
# Modules that share a base name where a reader expects it: a command and what it calls.
SAME_NAME = {"__init__", "compare", "gains"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_short_and_say_what_they_are(path):
    text = path.read_text()
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    assert len(text.splitlines()) < MOST_LINES
    assert max(map(len, text.splitlines()), default=0) <= MOST_CHARACTERS
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno + 1 < MOST_LINES_OF_A_FUNCTION, node.name


def test_files_are_neither_crumbs_nor_heaps():
    lengths = [len(path.read_text().splitlines()) for path in FILES if path.stem != "__init__"]
    assert 100 <= statistics.median(lengths) <= 200


def test_no_two_modules_share_a_base_name():
    names = collections.Counter(path.stem for path in FILES)
    assert {name for name, count in names.items() if count > 1} <= SAME_NAME
    of_tests = collections.Counter(path.stem for path in TESTS)
    assert {name for name, count in of_tests.items() if count > 1} == set()


def seconds_and_modules(statement):
    code = (
        f"import sys, time; t = time.process_time(); {statement}; print(time.process_time() - t,"
        " *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, *modules = done.stdout.split()
    return float(seconds), set(modules)


def test_the_package_is_imported_in_a_second_and_without_tensorflow():
    seconds, modules = seconds_and_modules("import transfer_jax")
    assert seconds < 1 and "jax" not in modules
    # JAX, Flax, optax and Orbax take nearly all of it.
    seconds, modules = seconds_and_modules("from transfer_jax import models, inits, settings")
    assert seconds < 4
    assert not {"tensorflow", "tensorflow_datasets", "grain", "matplotlib", "torch"} & modules


def test_what_computes_is_imported_without_the_data_libraries():
    _, modules = seconds_and_modules(
        "import transfer_jax.models.cbr, transfer_jax.models.resnet, transfer_jax.inits,"
        " transfer_jax.losses.classification, transfer_jax.train.step,"
        " transfer_jax.train.evaluator, transfer_jax.objectives.supervised, transfer_jax.optim,"
        " transfer_jax.analysis.filter_grid"
    )
    assert not {"tensorflow", "tensorflow_datasets", "grain", "ml_collections"} & modules


def test_a_study_is_imported_without_tensorflow():
    _, modules = seconds_and_modules(
        "import transfer_jax.main, transfer_jax.api, transfer_jax.tools.prepare"
    )
    assert "tensorflow" not in modules
