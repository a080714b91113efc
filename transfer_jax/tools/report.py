"""Renders the report of a finished or unfinished study again, from its folder alone.

    python -m transfer_jax.tools.report RUN [--out=FILE.html]

Neither data nor a device are needed. The page of a finished study is the same, byte for byte, as
the one that the study wrote itself.
"""

import argparse
from pathlib import Path

from transfer_jax.report import study_page
from transfer_jax.runs.run import Run
from transfer_jax.tools import command

_EXAMPLE = """example:
  python -m transfer_jax.tools.report runs/first --out=first.html
"""


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("report", __doc__, _EXAMPLE)
    parser.add_argument("run", type=Path, help="folder (--workdir) of a study")
    parser.add_argument(
        "--out", type=Path, help="page to write (default: report.html in the folder, replaced)"
    )
    return parser


def main() -> None:
    """Renders the report that the arguments describe."""
    args = _parser().parse_args()
    if args.out is not None:
        command.check_new(args.out)
    run = Run(args.run)
    path = study_page.write(run, args.out)
    state = "finished" if run.finished else "not finished"
    print(f"{study_page.console(run)}\n\nwritten: {path} ({state})")


if __name__ == "__main__":
    command.run(main)
