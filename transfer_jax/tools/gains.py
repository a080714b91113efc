"""`python -m transfer_jax.tools.gains RUN ... --out=FILE.png`: gain in AUC against similarity before and after training, over several studies.

Reproduces figure 6 of Juodelyte et al. 2023: every member of every arm but the first is a point, its gain that over the first arm (random weights)
in the same repeat. The studies must have been run with `similarity.at_end=True`, and with one network.
"""

import argparse
from pathlib import Path

from transfer_jax.core import files
from transfer_jax.core.errors import ConfigError
from transfer_jax.studies.inside import gains
from transfer_jax.tools import command

_EXAMPLE = """example:
  python -m transfer_jax.main --config=configs/juodelyte.py:natural --workdir=runs/natural
  python -m transfer_jax.main --config=configs/juodelyte.py:medical --workdir=runs/medical
  python -m transfer_jax.tools.gains runs/natural runs/medical --out=gains.png
"""


def _parser() -> argparse.ArgumentParser:
    parser = command.Parser(
        prog="python -m transfer_jax.tools.gains", description=__doc__, epilog=_EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, help="folders of finished studies")
    parser.add_argument("--out", type=Path, required=True, help="PNG file to write")
    return parser


def main() -> None:
    """Draws the picture that the arguments describe."""
    args = _parser().parse_args()
    if args.out.exists():
        raise ConfigError(f"--out={args.out} exists already: take it away, or give another path")
    points = [point for folder in args.runs for point in gains.read(folder)]
    files.write(args.out, gains.picture(points))
    print(f"{gains.table(points)}\nwritten: {args.out}: {len(points)} members of {len(args.runs)} studies")


if __name__ == "__main__":
    command.run(main)
