"""Writes the probabilities that trained weights give images.

    python -m transfer_jax.tools.predict WEIGHTS NETWORK --data=DIR --out=FILE

The policy "self_trained" for uncertain labels reads its table (`--config.data.predictions=FILE`).
"""

import argparse
from pathlib import Path

from transfer_jax.data import prediction_table
from transfer_jax.runs import predicting
from transfer_jax.tools import command

_EXAMPLE = """example (U-SelfTrained of the CheXpert paper: train without the uncertain labels
first, then with what that network predicts for them):
  python -m transfer_jax.main --config=configs/... --config.data.uncertain="('ignore',)" \\
      --workdir=runs/first
  python -m transfer_jax.tools.predict runs/first/weights/random-0 resnet50 --data=data/chexpert \\
      --out=runs/first/train.csv
  python -m transfer_jax.main --config=configs/... --config.data.uncertain="('self_trained',)" \\
      --config.data.predictions=runs/first/train.csv
"""


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("predict", __doc__, _EXAMPLE)
    parser.add_argument("weights", help="folder of weights, as runs/first/weights/random-0")
    parser.add_argument("network", help="their network, e.g. resnet50")
    parser.add_argument("--data", type=Path, required=True, help="folder made by tools.prepare")
    parser.add_argument(
        "--splits", default="train", help="splits, separated by commas (default: %(default)s)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="CSV file to write: id, and a column per output",
    )
    return parser


def main() -> None:
    """Predicts what the arguments describe."""
    args = _parser().parse_args()
    command.check_new(args.out)
    splits = command.split_names(args.splits)
    predictions = predicting.predict(args.weights, args.network, args.data, splits)
    prediction_table.write(args.out, predictions.ids, predictions.outputs)
    outputs = ", ".join(predictions.outputs)
    print(f"written: {args.out}: {len(predictions.ids)} images, {outputs}")


if __name__ == "__main__":
    command.run(main)
