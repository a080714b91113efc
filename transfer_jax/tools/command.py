"""What all commands do alike: mistakes of users are one line and exit code 2, Ctrl-C is quiet."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from transfer_jax.core.errors import ConfigError, UserError


class Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes are one line."""

    def error(self, message: str) -> NoReturn:
        """Exits with code 2."""
        fail(f"{message} (see --help)")


def parser(tool: str, description: str | None, example: str | None = None) -> Parser:
    """Returns the parser of a tool.

    Args:
      tool: Name of the tool's module.
      description: What the tool does, printed as it is.
      example: Commands to show below the options.
    """
    return Parser(
        prog=f"python -m transfer_jax.tools.{tool}",
        description=description,
        epilog=example,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def check_new(out: Path) -> None:
    """Raises ConfigError where the file of the option `--out` exists already."""
    if out.exists():
        raise ConfigError(f"--out={out} exists already: remove it, or give another path")


def run(command: Callable[[], None]) -> None:
    """Calls the command, and reports users' mistakes in one line."""
    try:
        command()
    except UserError as error:
        fail(" ".join(str(error).split()))
    except OSError as error:  # a path that cannot be read or written
        fail(" ".join(str(error).split()))
    except KeyboardInterrupt:
        print("\nstopped; nothing was written", file=sys.stderr)
        sys.exit(130)


def split_names(text: str) -> list[str]:
    """Returns the names of splits that the user separated by commas."""
    return [name.strip() for name in text.split(",")]


def fail(message: str) -> NoReturn:
    """Prints the message and exits with code 2."""
    print(f"transfer_jax: {message}", file=sys.stderr)
    sys.exit(2)
