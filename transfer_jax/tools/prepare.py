"""`python -m transfer_jax.tools.prepare RAW --out=DIR ...`: a folder of images with a CSV table becomes TFRecord shards."""

import argparse
from pathlib import Path

from tqdm import tqdm

from transfer_jax.data import images, writer
from transfer_jax.data.catalogue import table
from transfer_jax.tools import command

_EXAMPLE = """example:
  python -m transfer_jax.tools.prepare raw/fundus --out=data/fundus --labels=grade --size=128

The table has one row an image. A label is a whole number or a word; an empty cell is a missing label, which neither trains nor
counts. With --split= (empty) patients are dealt to train, val and test (80/10/10) by a fixed shuffle. The folder that is
written can be read by tensorflow_datasets.builder_from_directory, too.
"""


def _parser() -> argparse.ArgumentParser:
    parser = command.Parser(
        prog="python -m transfer_jax.tools.prepare", description=__doc__, epilog=_EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("raw", type=Path, help="folder with the images and the table")
    parser.add_argument("--out", type=Path, required=True, help="folder to write; it must not exist")
    parser.add_argument("--labels", required=True, help="label columns, separated by commas")
    parser.add_argument("--table", default="labels.csv", help="the CSV file in the raw folder (default: %(default)s)")
    parser.add_argument("--image", default="image", help="column of image paths, relative to the raw folder (default: %(default)s)")
    parser.add_argument("--patient", default="patient", help="column of patients (default: %(default)s)")
    parser.add_argument("--split", default="split", help="column of train, val and test; empty: deal patients (default: %(default)s)")
    parser.add_argument("--size", type=int, default=224, help="pixels of both sides (default: %(default)s)")
    parser.add_argument("--grey", action="store_true", help="keep one channel")
    parser.add_argument("--fit", choices=images.FITS, default="pad", help="keep the aspect ratio and pad, or squash (default: %(default)s)")
    parser.add_argument("--encoding", choices=images.ENCODINGS, default="jpeg", help="of the images in the shards (default: %(default)s)")
    parser.add_argument("--name", help="of the data set (default: the name of --out)")
    parser.add_argument("--limit", type=int, help="take the table's first rows only")
    return parser


def main() -> None:
    """Prepares the data set that the arguments describe."""
    args = _parser().parse_args()
    name = args.name or args.out.name
    if not name.isidentifier():
        command.fail(f"name {name!r} must be letters, digits and underscores: give one with --name")
    if not 32 <= args.size <= 4096:
        command.fail(f"--size={args.size} must lie in 32..4096: networks need at least 32 pixels")
    columns = table.Columns(args.image, args.patient, args.split or None, tuple(args.labels.split(",")))
    found = table.read(args.raw, args.table, columns, args.limit)
    rows = table.rows(found, size=args.size, channels=1 if args.grey else 3, fit=args.fit)
    source = {"table": args.table, "fit": args.fit, "labels": list(columns.labels)}
    shown = tqdm(rows, total=len(found.paths), unit="image", desc=name, disable=None)
    manifest = writer.write(args.out, name, shown, encoding=args.encoding, source=source, label_names=found.names)
    for split, content in manifest.splits.items():
        balance = "; ".join(f"{label} {manifest.labels[label]['counts'][split]}" for label in manifest.labels)
        print(f"{split}: {content['records']} images of {content['patients']} patients, {balance}")
    print(f"written: {args.out}")


if __name__ == "__main__":
    command.run(main)
