"""`python -m transfer_jax.tools.predict WEIGHTS NETWORK --data=DIR --out=FILE`: the probabilities that trained weights give images.

Its table is what the policy "self_trained" for uncertain labels reads (`--config.data.predictions=FILE`).
"""

import argparse
from pathlib import Path

from transfer_jax.core.errors import ConfigError
from transfer_jax.data import predictions
from transfer_jax.studies import predicting
from transfer_jax.tools import command

_EXAMPLE = """example (U-SelfTrained of the CheXpert paper: first with the uncertain labels left out, then with what that network says of them):
  python -m transfer_jax.main --config=configs/... --config.data.uncertain="('ignore',)" --workdir=runs/first
  python -m transfer_jax.tools.predict runs/first/weights/random-0 resnet50 --data=data/chexpert --out=runs/first/train.csv
  python -m transfer_jax.main --config=configs/... --config.data.uncertain="('self_trained',)" --config.data.predictions=runs/first/train.csv
"""


def _parser() -> argparse.ArgumentParser:
    parser = command.Parser(
        prog="python -m transfer_jax.tools.predict", description=__doc__, epilog=_EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", help="folder of a finished run, as runs/first/weights/random-0")
    parser.add_argument("network", help="its network, e.g. resnet50")
    parser.add_argument("--data", type=Path, required=True, help="folder made by tools.prepare")
    parser.add_argument("--splits", default="train", help="separated by commas (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write: id, and a column for each output")
    return parser


def main() -> None:
    """Predicts what the arguments describe."""
    args = _parser().parse_args()
    if args.out.exists():
        raise ConfigError(f"--out={args.out} exists already: take it away, or give another path")
    found = predicting.predict(args.weights, args.network, args.data, args.splits.split(","))
    predictions.write(args.out, found.ids, found.outputs)
    print(f"written: {args.out}: {len(found.ids)} images, {', '.join(found.outputs)}")


if __name__ == "__main__":
    command.run(main)
