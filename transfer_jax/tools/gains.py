"""Draws the gain in AUC against the similarity before and after training, over several studies.

    python -m transfer_jax.tools.gains RUN ... --out=FILE.png

Reproduces figure 6 of Juodelyte et al. 2023: every member of every arm but the first is a point,
its gain that over the first arm (random weights) in the same repeat. The studies must have been
run with `similarity.at_end=True`, and with one network.
"""

import argparse
from pathlib import Path

from transfer_jax.core import files
from transfer_jax.report import gains_page
from transfer_jax.tools import command

_EXAMPLE = """example:
  python -m transfer_jax.main --config=configs/juodelyte.py:natural --workdir=runs/natural
  python -m transfer_jax.main --config=configs/juodelyte.py:medical --workdir=runs/medical
  python -m transfer_jax.tools.gains runs/natural runs/medical --out=gains.png
"""


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("gains", __doc__, _EXAMPLE)
    parser.add_argument("runs", nargs="+", type=Path, help="folders of finished studies")
    parser.add_argument("--out", type=Path, required=True, help="PNG file to write")
    return parser


def main() -> None:
    """Draws the figure that the arguments describe."""
    args = _parser().parse_args()
    command.check_new(args.out)
    points = [point for folder in args.runs for point in gains_page.read(folder)]
    files.write(args.out, gains_page.picture(points))
    count = f"{len(points)} members of {len(args.runs)} studies"
    print(f"{gains_page.table(points)}\nwritten: {args.out}: {count}")


if __name__ == "__main__":
    command.run(main)
