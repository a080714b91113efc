"""What a run folder was made for: one config, one data set and one source."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from transfer_jax.core import digest, files
from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.runs import layout
from transfer_jax.settings import Study

_ELSEWHERE = "give another workdir, or the same config"
_ANEW = "restore it from a copy, or run the study anew in another workdir"


def claim(folder: str | Path, study: Study) -> bool:
    """Makes the folder for the study, or checks that it is this study's.

    Returns:
      Whether the folder held this study already.

    Raises:
      ConfigError: The folder belongs to another config (the message names the first options that
        differ), holds other files, or its config is damaged.
    """
    folder = Path(folder)
    path = folder / layout.CONFIG
    config = json.loads(json.dumps(dataclasses.asdict(study)))
    if not path.exists():
        others = folder.is_dir() and any(
            entry.name != layout.FINGERPRINT for entry in folder.iterdir()
        )
        if folder.is_file() or others:
            raise ConfigError(
                f"workdir {folder} is not empty and holds no study (no {layout.CONFIG}): "
                "give an empty or new folder"
            )
        # The fingerprint first: a folder with a config and no fingerprint is an earlier version's.
        _write(folder, {"format": 1, "config": digest.of_json(config), "inputs": {}, "results": {}})
        files.write(path, json.dumps(config, indent=2) + "\n")
        return False
    differences = _differences(read_config(folder), config, "config")
    if differences:
        raise ConfigError(
            f"workdir {folder} belongs to another config: {'; '.join(differences[:3])}: "
            f"{_ELSEWHERE}"
        )
    return True


def is_study(folder: Path) -> bool:
    """Returns whether the folder is a study's; a folder of exported weights has a config, too."""
    if (folder / layout.FINGERPRINT).is_file():
        return True
    path = folder / layout.CONFIG
    config = _config(path) if path.is_file() else None
    return isinstance(config, dict) and "arms" in config


def read_config(folder: Path) -> Any:
    """Returns the config of the study in the folder, as JSON.

    Raises:
      ConfigError: The config or the fingerprint is missing, damaged, or changed.
    """
    config = _config(folder / layout.CONFIG)
    if digest.of_json(config) != _fingerprint(folder)["config"]:
        raise ConfigError(
            f"{folder / layout.CONFIG} has changed since the study was begun: put it back as it "
            "was, or run the study anew in another workdir"
        )
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
                f"the {name} is not the one that the study in {folder} was begun with: put that "
                "one back, or run the study anew in another workdir"
            )


def record_inputs(folder: Path, inputs: Mapping[str, str]) -> None:
    """Checks what a study reads like `check_inputs`, and records what was not recorded yet."""
    check_inputs(folder, inputs)
    fields = _fingerprint(folder)
    if not inputs.keys() <= fields["inputs"].keys():
        _write(folder, {**fields, "inputs": {**fields["inputs"], **inputs}})


def record_results(folder: Path) -> None:
    """Records the digests of what a finished study leaves: tables, filters and predictions."""
    source = f"{layout.SOURCE}/{layout.HISTORY}"
    names = (*layout.TABLES, layout.FILTERS, source)
    present = [name for name in names if (folder / name).is_file()]
    predictions = sorted((folder / layout.PREDICTIONS).glob("*.csv.gz"))
    present += [str(path.relative_to(folder).as_posix()) for path in predictions]
    sums = {name: digest.of_file(folder / name) for name in present}
    _write(folder, {**_fingerprint(folder), "results": sums})


def recorded_inputs(folder: Path) -> dict[str, str]:
    """Returns the digests of what a study reads, by name."""
    inputs: dict[str, str] = _fingerprint(folder)["inputs"]
    return inputs


def recorded_results(folder: Path) -> tuple[str, ...]:
    """Returns the names of the files whose digests are recorded; none of an unfinished study."""
    return tuple(_fingerprint(folder)["results"])


def check_results(folder: Path, names: Iterable[str]) -> None:
    """Checks that files of a finished study are as it left them.

    Raises:
      ConfigError: A file is missing or has changed, or the study has not recorded it.
    """
    known = _fingerprint(folder)["results"]
    for name in names:
        path = folder / name
        if not path.is_file() or digest.of_file(path) != known.get(name):
            raise ConfigError(
                f"{path} is not as the study left it: call the study's command again, "
                f"with --workdir={folder}"
            )


def _config(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): {_ANEW}") from error


def _fingerprint(folder: Path) -> dict[str, Any]:
    path = folder / layout.FINGERPRINT
    if not path.is_file():
        raise ConfigError(
            f"{folder} has no {layout.FINGERPRINT}: an earlier version of this program began the "
            "study, or the folder is not complete; run the study anew in another workdir"
        )
    try:
        fields = digest.read(path)
        if fields["format"] != 1:
            raise ValueError("a later version of this program wrote it")
        return fields
    except (ValueError, KeyError, OSError) as error:
        raise ConfigError(f"{path} cannot be used ({error}): {_ANEW}") from error


def _write(folder: Path, fields: Mapping[str, Any]) -> None:
    files.write(folder / layout.FINGERPRINT, json.dumps(digest.seal(fields), indent=2) + "\n")


def _differences(recorded: Any, current: Any, where: str) -> list[str]:
    """Returns the options that differ between two configs, in words."""
    if isinstance(recorded, dict) and isinstance(current, dict):
        return [
            line
            for key in sorted(recorded.keys() | current.keys())
            for line in _differences(recorded.get(key), current.get(key), f"{where}.{key}")
        ]
    if isinstance(recorded, list) and isinstance(current, list) and len(recorded) == len(current):
        return [
            line
            for i, (one, two) in enumerate(zip(recorded, current, strict=True))
            for line in _differences(one, two, f"{where}[{i}]")
        ]
    return [] if recorded == current else [f"{where} is {recorded!r} there and {current!r} here"]
