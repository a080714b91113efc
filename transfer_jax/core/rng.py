"""Named random streams: a key does not depend on how many other keys were drawn before it."""

import zlib

import jax


def stream(key: jax.Array, name: str) -> jax.Array:
    """Returns the typed PRNG key of the stream `name` under `key` (a typed key, shape [])."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))
