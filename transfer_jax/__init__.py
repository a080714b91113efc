"""A laboratory for transfer learning in medical imaging, in JAX and Flax.

`run` trains a study and `open_run` opens what it left; `models`, `weights`, `inits` and `settings`
are the building blocks. Everything is imported when it is first used.
"""

import importlib
from typing import Any

__version__ = "0.1.0"
__all__ = ["Results", "inits", "models", "open_run", "run", "settings", "weights"]

_FUNCTIONS = ("Results", "open_run", "run")


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        return getattr(importlib.import_module("transfer_jax.api"), name)
    if name in __all__:
        return importlib.import_module(f"transfer_jax.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
