"""A study's folder: made for one config, one data set and one source, and resumed only by these."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from transfer_jax.core import digest, files
from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.settings import Study

CONFIG = "config.json"
FINGERPRINT = "fingerprint.json"
RESULTS = ("results.csv", "history.csv", "similarity.csv", "agreement.csv")
_ELSEWHERE = "give another workdir, or the same config"


def claim(folder: str | Path, study: Study) -> bool:
    """Makes the folder for the study, or checks that it is this study's.

    Returns:
      Whether the folder held this study already.

    Raises:
      ConfigError: The folder belongs to another config (the message names the first options that
        differ), holds other files, or its config is damaged.
    """
    folder = Path(folder)
    path = folder / CONFIG
    config = json.loads(json.dumps(dataclasses.asdict(study)))
    if not path.exists():
        others = folder.is_dir() and any(entry.name != FINGERPRINT for entry in folder.iterdir())
        if folder.is_file() or others:
            raise ConfigError(f"workdir {folder} is not empty and holds no study (no {CONFIG}): give an empty or new folder")
        # The fingerprint first: a folder with a config and no fingerprint is an earlier version's.
        _write(folder, {"format": 1, "config": digest.of_json(config), "inputs": {}, "results": {}})
        files.write(path, json.dumps(config, indent=2) + "\n")
        return False
    differences = _differences(read_config(folder), config, "config")
    if differences:
        raise ConfigError(f"workdir {folder} belongs to another config: {'; '.join(differences[:3])}: {_ELSEWHERE}")
    return True


def is_study(folder: Path) -> bool:
    """Returns whether the folder is a study's; one with exported weights has a config, too."""
    if (folder / FINGERPRINT).is_file():
        return True
    config = _config(folder / CONFIG) if (folder / CONFIG).is_file() else None
    return isinstance(config, dict) and "arms" in config


def read_config(folder: Path) -> Any:
    """Returns the config of the study in the folder, as JSON.

    Raises:
      ConfigError: The config or the fingerprint is missing, damaged, or changed.
    """
    config = _config(folder / CONFIG)
    if digest.of_json(config) != _fingerprint(folder)["config"]:
        raise ConfigError(f"{folder / CONFIG} has changed since the study was begun: put it back as it was, or run the study anew in another workdir")
    return config


def check_inputs(folder: Path, inputs: Mapping[str, str]) -> None:
    """Checks that what a study reads is what it was begun with.

    Args:
      folder: Folder of the study.
      inputs: What is read, such as "data set" -> digest of its content.

    Raises:
      DataError: One of them has changed; those that the study has not recorded yet are not judged.
    """
    known = _fingerprint(folder)["inputs"]
    for name, content in inputs.items():
        if known.get(name, content) != content:
            raise DataError(
                f"the {name} is not the one that the study in {folder} was begun with: put that one back, or run the study anew in another workdir"
            )


def record_inputs(folder: Path, inputs: Mapping[str, str]) -> None:
    """Checks what a study reads as `check_inputs` does, and records what was not recorded yet."""
    check_inputs(folder, inputs)
    fields = _fingerprint(folder)
    if not inputs.keys() <= fields["inputs"].keys():
        _write(folder, {**fields, "inputs": {**fields["inputs"], **inputs}})


def record_results(folder: Path) -> None:
    """Records the digests of the tables that the study has left."""
    sums = {name: digest.of_file(folder / name) for name in RESULTS if (folder / name).is_file()}
    _write(folder, {**_fingerprint(folder), "results": sums})


def check_results(folder: Path, names: Iterable[str]) -> None:
    """Checks that tables of a finished study are as it left them.

    Raises:
      ConfigError: A table is missing or has changed, or the study has not recorded any.
    """
    known = _fingerprint(folder)["results"]
    for name in names:
        path = folder / name
        if not path.is_file() or digest.of_file(path) != known.get(name):
            raise ConfigError(f"{path} is not as the study left it: call the study's command again, with --workdir={folder}")


def _config(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): restore it from a copy, or run the study anew in another workdir") from error


def _fingerprint(folder: Path) -> dict[str, Any]:
    path = folder / FINGERPRINT
    if not path.is_file():
        raise ConfigError(
            f"{folder} has no {FINGERPRINT}: an earlier version of this program began the study, or "
            "the folder is not complete; run the study anew in another workdir"
        )
    try:
        fields = digest.read(path)
        if fields["format"] != 1:
            raise ValueError("a later version of this program wrote it")
        return fields
    except (ValueError, KeyError, OSError) as error:
        raise ConfigError(f"{path} cannot be used ({error}): restore it from a copy, or run the study anew in another workdir") from error


def _write(folder: Path, fields: Mapping[str, Any]) -> None:
    files.write(folder / FINGERPRINT, json.dumps(digest.seal(fields), indent=2) + "\n")


def _differences(found: Any, wanted: Any, where: str) -> list[str]:
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = sorted(found.keys() | wanted.keys())
        return [line for key in keys for line in _differences(found.get(key), wanted.get(key), f"{where}.{key}")]
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        pairs = zip(found, wanted, strict=True)
        return [line for i, (one, two) in enumerate(pairs) for line in _differences(one, two, f"{where}[{i}]")]
    return [] if found == wanted else [f"{where} is {found!r} there and {wanted!r} here"]
