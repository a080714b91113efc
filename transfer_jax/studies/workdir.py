"""A study's folder: made for one config, and only resumed by the same one."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from transfer_jax.core import files
from transfer_jax.core.errors import ConfigError
from transfer_jax.settings import Study

CONFIG = "config.json"


def claim(folder: str | Path, study: Study) -> bool:
    """Makes the folder for the study, or checks that it is this study's.

    Returns:
      Whether the folder held this study already.

    Raises:
      ConfigError: the folder belongs to another config (the message names the first options that differ), or it holds other files.
    """
    folder = Path(folder)
    path = folder / CONFIG
    wanted = dataclasses.asdict(study)
    if not path.exists():
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
            raise ConfigError(f"workdir {folder} is not empty and holds no study (no {CONFIG}): give an empty or new folder")
        files.write(path, json.dumps(wanted, indent=2) + "\n")
        return False
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise ConfigError(f"{path} cannot be read ({error}): give another workdir") from error
    differences = _differences(found, json.loads(json.dumps(wanted)), "config")
    if differences:
        raise ConfigError(f"workdir {folder} belongs to another config: {'; '.join(differences[:3])}: give another workdir, or the same config")
    return True


def _differences(found: Any, wanted: Any, where: str) -> list[str]:
    if isinstance(found, dict) and isinstance(wanted, dict):
        return [d for key in sorted(found.keys() | wanted.keys()) for d in _differences(found.get(key), wanted.get(key), f"{where}.{key}")]
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        return [d for i, (a, b) in enumerate(zip(found, wanted, strict=True)) for d in _differences(a, b, f"{where}[{i}]")]
    return [] if found == wanted else [f"{where} is {found!r} there and {wanted!r} here"]
