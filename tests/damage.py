"""Damages files one bit at a time, at seeded places, and mends them again."""

import contextlib
import os
import random

# Many more by hand: TRANSFER_JAX_FLIPS=2000 python -m pytest -n 0 -k single_bit
FLIPS = int(os.environ.get("TRANSFER_JAX_FLIPS", "0"))


@contextlib.contextmanager
def flipped(path, byte, bit=0):
    """One bit of a file is the other way round inside the block; in place, as other programs may
    have mapped it.
    """
    _flip(path, byte, bit)
    try:
        yield path
    finally:
        _flip(path, byte, bit)


def _flip(path, byte, bit):
    with open(path, "r+b") as file:
        file.seek(byte)
        (value,) = file.read(1)
        file.seek(byte)
        file.write(bytes([value ^ 1 << bit]))


def single_bits(folder, default, seed=0):
    """Contexts that each flip one bit, of every file in turn: `default` of them, or FLIPS."""
    rng = random.Random(seed)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size]
    for number in range(FLIPS or default):
        path = files[number % len(files)]
        yield flipped(path, rng.randrange(path.stat().st_size), rng.randrange(8))


def outcome(read, error):
    """What `read` gives, or the message of the error of that kind: (value, None) or (None,
    message).
    """
    try:
        return read(), None
    except error as problem:
        return None, str(problem)
