"""What every command does alike: a user's mistake is one line and exit code 2, Ctrl-C leaves nothing half-written."""

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

from transfer_jax.core.errors import UserError


class Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes are one line."""

    def error(self, message: str) -> NoReturn:
        """Exits with code 2."""
        fail(f"{message} (see --help)")


def run(command: Callable[[], None]) -> None:
    """Calls the command, with users' mistakes told in one line."""
    try:
        command()
    except UserError as error:
        fail(" ".join(str(error).split()))
    except KeyboardInterrupt:
        print("\nstopped; nothing was written", file=sys.stderr)
        sys.exit(130)


def fail(message: str) -> NoReturn:
    """Prints the message and exits with code 2."""
    print(f"transfer_jax: {message}", file=sys.stderr)
    sys.exit(2)
