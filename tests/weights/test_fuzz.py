"""Ten thousand damaged files: a value or the project's own error comes out, never anything else."""

import resource
import time

import files
import numpy as np
import pytest

from transfer_jax.core.errors import CheckpointError
from transfer_jax.weights import formats, keras_file

LENGTHS = (0, 1, 2**31 - 1, 2**32 - 1, 2**40, 2**60, 2**63, 2**64 - 1)


def mutate(rng, content):
    """The content with one to five changes; a function of the generator's state."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 6)):
        n = max(len(content), 1)
        i, j, length = (int(v) for v in (*rng.integers(n, size=2), rng.integers(1, 33)))
        kind = rng.integers(8)
        if kind < 2:
            content[i : i + 1] = bytes([rng.integers(256)])
        elif kind == 2:
            content[i : i + 8] = LENGTHS[rng.integers(len(LENGTHS))].to_bytes(8, "little")
        elif kind == 3:
            del content[i:]
        elif kind == 4:
            content[i:i] = content[j : j + length]
        elif kind == 5:
            content[i : i + length] = bytes(length)
        elif kind == 6:
            content[i : i + length], content[j : j + length] = (
                content[j : j + length],
                content[i : i + length],
            )
        else:
            del content[i : i + length]
    return bytes(content)


@pytest.mark.parametrize(
    ("kind", "count"), [("a.safetensors", 2500), ("a.pth", 2500), ("old.pth", 2500), ("a.h5", 2500)]
)
def test_damaged_files_give_errors_of_the_project(tmp_path, monkeypatch, kind, count):
    whole = next(path for path in files.valid(tmp_path) if path.name == kind).read_bytes()
    rng, made = np.random.default_rng(2026), []
    for i in range(count):
        path = tmp_path / f"{i}.{kind}"
        path.write_bytes(mutate(rng, whole))
        made.append(path)
    if kind == "a.h5":
        # One process answers for all of them; a file that it does not come back from costs it its
        # life, and another goes on.
        answers = dict(zip(made, keras_file.ask(made), strict=True))
        monkeypatch.setattr(keras_file, "ask", lambda paths: [answers[path] for path in paths])
    before, slowest, outcomes = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        0.0,
        {"read": 0, "refused": 0},
    )
    for path in made:
        start, message = time.perf_counter(), None
        try:
            raw = formats.read(path)
        except CheckpointError as error:
            message = str(error)
        if message is None:
            assert all(isinstance(value, np.ndarray) for value in raw.tensors.values())
        else:
            assert str(path) in message
        outcomes["read" if message is None else "refused"] += 1
        slowest = max(slowest, time.perf_counter() - start)
    assert slowest < 3  # a second on a quiet machine
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB
    assert (
        min(outcomes.values()) > count // 100
    )  # changes in the numbers pass, changes in the structure do not
