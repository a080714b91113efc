"""Runs a study.

python -m transfer_jax.main --config=configs/transfusion.py [--workdir=DIR] [--config.x.y=value ...]
"""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from absl import app, flags
from absl import logging as absl_logging
from ml_collections import config_flags

from transfer_jax.core import errors

_CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    "The study: a Python file whose get_config returns its options.",
    lock_config=True,
)
_WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Folder of the study; one that holds this study already is resumed. "
    "Default: a new folder in runs/.",
)
_MISTAKES = (
    flags.Error, AttributeError, KeyError, ValueError, TypeError, OSError, errors.UserError,
)  # fmt: skip


def _parse(argv: list[str]) -> list[str]:
    """Parses flags as absl does, and reports mistakes in one line."""
    try:
        rest = flags.FLAGS(argv)
        # A file that could not be loaded raises here, not before.
        getattr(_CONFIG.value, "items", None)
    except _MISTAKES as error:
        _fail(_one_line(error))
    if len(rest) > 1:
        _fail(f"unexpected argument {rest[1]!r}: options begin with --")
    if _CONFIG.value is None:
        _fail("no study given: add --config=configs/transfusion.py, or a config file of your own")
    return rest


def _one_line(error: BaseException) -> str:
    """Returns the message of an error in one line.

    Of a message that quotes a traceback (a mistake inside a config file), that is its last line.
    """
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error).strip()
    if "Traceback (most recent call last)" in text:
        text = text.splitlines()[-1]
    return " ".join(text.split())


def _fail(message: str) -> NoReturn:
    print(f"transfer_jax: {message}", file=sys.stderr)
    sys.exit(2)


@contextlib.contextmanager
def _stoppable(workdir: Path) -> Iterator[None]:
    """Ends the program on Ctrl-C, and says how to resume."""
    try:
        yield
    except (errors.Interrupted, KeyboardInterrupt):
        print(f"\nstopped; resume with the same command and --workdir={workdir}", file=sys.stderr)
        sys.exit(130)


def main(argv: list[str]) -> None:
    """Runs the study that the flags describe."""
    del argv
    if not flags.FLAGS["verbosity"].present:
        absl_logging.set_verbosity(absl_logging.WARNING)  # Orbax reports every file it writes
    from transfer_jax import api, settings
    from transfer_jax.core import platform
    from transfer_jax.report import study_page as report

    platform.keep_large_buffers()
    try:
        overrides = config_flags.get_override_values(flags.FLAGS["config"])
        study = settings.load(_CONFIG.value, overrides)
        workdir = Path(_WORKDIR.value) if _WORKDIR.value else api.default_workdir(study)
        with _stoppable(workdir):
            results = api.run(study, workdir)
            text = report.console(results)
    except (errors.UserError, OSError) as error:
        _fail(_one_line(error))
    print(
        f"\n{text}\n\nreport:      {results.report}\n"
        f"TensorBoard: python -m tensorboard.main --logdir={results.folder}"
    )


if __name__ == "__main__":
    app.run(main, flags_parser=_parse)
