"""The public functions: run a study, and open what it left."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_collections import config_dict

from transfer_jax import settings
from transfer_jax.core import processes
from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.runs.run import Run
from transfer_jax.settings import Study

Results = Run


def run(
    study: Study | config_dict.ConfigDict | str | Path,
    workdir: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Results:
    """Runs a study, or resumes it, and writes its report.

    Args:
      study: Settings of a study, a config, or the path of a config file: "configs/transfusion.py",
        with ":chest" behind it for a variant.
      workdir: Folder of the study; one that holds this study already is resumed. By default a new
        folder in runs/.
      overrides: Options that differ, by their dotted names: {"recipe.steps": 100}. For a config or
        a config file only.

    Returns:
      The study in its folder.

    Raises:
      UserError: Settings, data, weights or checkpoints are wrong.
      Interrupted: The user asked to stop; the same call resumes from there.
    """
    # Here, so that opening a run imports nothing that trains or draws.
    from transfer_jax.report import study_page
    from transfer_jax.studies.runner import run_study

    checked = _settings(study, overrides or {})
    folder = default_workdir(checked) if workdir is None else Path(workdir)
    run_study(checked, folder)
    results = Run(folder)
    if processes.is_main():
        study_page.write(results)
    return results


def open_run(folder: str | Path) -> Results:
    """Opens the folder of a finished or unfinished study; needs neither its data nor a device.

    Raises:
      ConfigError: The folder holds no study, or its settings are damaged.
    """
    return Run(folder)


def default_workdir(study: Study) -> Path:
    """Returns a new folder in runs/, named after the study and the time."""
    return Path("runs") / f"{study.name}-{time.strftime('%Y%m%d-%H%M%S')}"


def _settings(study: object, overrides: Mapping[str, Any]) -> Study:
    if isinstance(study, Study):
        if overrides:
            raise ConfigError(
                "overrides are for a config or a config file: change the Study itself"
            )
        return study
    config = _config_of_file(str(study)) if isinstance(study, str | Path) else study
    if not isinstance(config, config_dict.ConfigDict):
        raise ConfigError(
            f"a study is a Study, a config or the path of a config file, not {study!r}"
        )
    config = config.copy_and_resolve_references()
    for name, value in overrides.items():
        _override(config, name, value)
    return settings.load(config, list(overrides))


def _override(config: config_dict.ConfigDict, name: str, value: Any) -> None:
    section, where = config, "config"
    *path, option = name.split(".")
    for part in path:
        if part not in section or not isinstance(section[part], config_dict.ConfigDict):
            raise ConfigError(f"unknown section {where}.{part}: {nearest(part, section)}")
        section, where = section[part], f"{where}.{part}"
    if option not in section:
        raise ConfigError(f"unknown option {where}.{option}: {nearest(option, section)}")
    before = section[option]
    try:
        with section.unlocked():
            section[option] = value
    except TypeError as error:
        raise ConfigError(
            f"{where}.{option} is {before!r} and cannot become {value!r}: it has another type"
        ) from error


def _config_of_file(text: str) -> config_dict.ConfigDict:
    """Returns the config of a file, with the variant behind its colon."""
    path, _, variant = (text, "", "") if Path(text).exists() else text.rpartition(":")
    if not Path(path or text).is_file():
        raise ConfigError(f"config file {path or text} does not exist")
    spec = importlib.util.spec_from_file_location("_config", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        config = module.get_config(variant) if variant else module.get_config()
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return config
