"""`python -m transfer_jax.main --config=configs/transfusion.py [--workdir=DIR] [--config.x.y=value ...]`: runs a study."""

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from absl import app, flags
from absl import logging as absl_logging
from ml_collections import config_flags

from transfer_jax.core import errors

_CONFIG = config_flags.DEFINE_config_file("config", None, "The study: a Python file whose get_config returns its options.", lock_config=True)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the study; one that holds this study is gone on with. Default: a new one in runs/.")


def _parse(argv: list[str]) -> list[str]:
    """Flags as absl parses them, mistakes as one line."""
    try:
        rest = flags.FLAGS(argv)
        getattr(_CONFIG.value, "items", None)  # a file that could not be loaded raises here, not before
    except (flags.Error, AttributeError, KeyError, ValueError, TypeError, OSError, errors.UserError) as error:
        _fail(_one_line(error))
    if len(rest) > 1:
        _fail(f"unexpected argument {rest[1]!r}: options begin with --")
    if _CONFIG.value is None:
        _fail("no study given: add --config=configs/transfusion.py, or a config file of your own")
    return rest


def _one_line(error: BaseException) -> str:
    """The error's message; of one that quotes a whole traceback (a mistake inside a config file), the last line."""
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error).strip()
    if "Traceback (most recent call last)" in text:
        text = text.splitlines()[-1]
    return " ".join(text.split())


def _fail(message: str) -> NoReturn:
    print(f"transfer_jax: {message}", file=sys.stderr)
    sys.exit(2)


@contextlib.contextmanager
def _stoppable(workdir: Path) -> Iterator[None]:
    """Ctrl-C ends the program with a word on how to go on."""
    try:
        yield
    except (errors.Interrupted, KeyboardInterrupt):
        print(f"\nstopped; the same command with --workdir={workdir} goes on from here", file=sys.stderr)
        sys.exit(130)


def main(argv: list[str]) -> None:
    """Runs the study that the flags describe."""
    del argv
    if not flags.FLAGS["verbosity"].present:
        absl_logging.set_verbosity(absl_logging.WARNING)  # Orbax reports every file it writes
    from transfer_jax import settings
    from transfer_jax.core import platform
    from transfer_jax.studies import runner

    platform.keep_large_buffers()
    try:
        study = settings.load(_CONFIG.value, config_flags.get_override_values(flags.FLAGS["config"]))
        workdir = Path(_WORKDIR.value or f"runs/{study.name}-{time.strftime('%Y%m%d-%H%M%S')}")
        with _stoppable(workdir):
            done = runner.run(study, workdir)
    except errors.UserError as error:
        _fail(_one_line(error))
    notes = "".join(f"\n{note}" for note in done.notes)
    print(f"\n{done.table}{notes}\n\nreport:      {done.report}\nTensorBoard: python -m tensorboard.main --logdir={done.tensorboard}")


if __name__ == "__main__":
    app.run(main, flags_parser=_parse)
