"""Arguments of `tools.prepare`: those of every data set, those of one, and their checks."""

import argparse
from pathlib import Path

from transfer_jax.data.prepare import dealing
from transfer_jax.data.prepare.catalogue.set_card import Card
from transfer_jax.data.storage import image_codec
from transfer_jax.tools import command

DEFAULT_SET = "table"

_EXAMPLE = """examples:
  python -m transfer_jax.tools.prepare raw/fundus --out=data/fundus --labels=grade --size=128
  python -m transfer_jax.tools.prepare raw/CheXpert-v1.0-small --set=chexpert --out=data/chexpert
  python -m transfer_jax.tools.prepare --list

Without --set the raw folder holds a CSV table with one row per image (--set=table). A label is
a whole number or a word. Words that differ in case or spaces are one class, and so are 1, 1.0
and "1". An empty cell, NA, N/A, nan, None, null and "-" are missing labels, which neither train
nor count; --missing=NA,unknown names other words, --missing= none at all. Notes say what was
taken for missing, merged, found under another name or left out. --set=NAME --help shows the
options of a set. When a preparation is interrupted, the same command resumes it. The folder
that is written can be read by tensorflow_datasets.builder_from_directory, too.
"""


def parser(description: str, card: Card, name: str) -> argparse.ArgumentParser:
    """Returns the parser of all arguments.

    Args:
      description: What the program does.
      card: Card of the data set that is prepared.
      name: Name of that data set.
    """
    arguments = command.parser("prepare", description, _EXAMPLE)
    arguments.add_argument("raw", type=Path, help="folder (or .zip, .tar.gz) with the raw data")
    arguments.add_argument(
        "--out", type=Path, required=True, help="folder to write; it must not exist"
    )
    arguments.add_argument(
        "--set", default=DEFAULT_SET, help="which data set it is; see --list (default: %(default)s)"
    )
    arguments.add_argument(
        "--list",
        action="store_true",
        help="show the data sets that can be read, and what they must look like",
    )
    arguments.add_argument("--name", help="name of the data set (default: the name of --out)")
    arguments.add_argument("--licence", help="licence of the images (default: the set's)")
    arguments.add_argument(
        "--keep",
        metavar="COLUMNS",
        help="columns of the raw tables, or tags of DICOM headers, that are kept as texts beside"
        " the labels, separated by commas, as age,sex,view; an unknown one lists those of the set",
    )
    _add_form(arguments, card)
    _add_splits(arguments)
    _add_work(arguments)
    options = arguments.add_argument_group(f"options of --set={name}")
    for option, text in card.options.items():
        options.add_argument(f"--{option}", required=option in card.required, help=text)
    return arguments


def _add_form(arguments: argparse.ArgumentParser, card: Card) -> None:
    form = arguments.add_argument_group("how images are written")
    form.add_argument(
        "--size", type=int, default=224, help="pixels of both sides (default: %(default)s)"
    )
    form.add_argument(
        "--channels",
        type=int,
        choices=(1, 3),
        default=card.channels,
        help="1 is grey (default for this set: %(default)s)",
    )
    form.add_argument(
        "--grey", action="store_const", const=1, dest="channels", help="the same as --channels=1"
    )
    form.add_argument(
        "--fit",
        choices=image_codec.FITS,
        default="pad",
        help="keep the aspect ratio and pad, or squash (default: %(default)s)",
    )
    form.add_argument(
        "--resize",
        choices=image_codec.METHODS,
        default="area",
        help="area averages when images shrink and is linear when they grow; bilinear and nearest"
        " are those of Pillow, and so of Keras, which takes nearest (default: %(default)s)",
    )
    form.add_argument(
        "--encoding",
        choices=image_codec.ENCODINGS,
        default="jpeg",
        help="encoding of the images in the shards (default: %(default)s)",
    )
    form.add_argument(
        "--stretch",
        action="store_true",
        help="stretch images of more than 8 bits from their darkest to their brightest value",
    )


def _add_splits(arguments: argparse.ArgumentParser) -> None:
    deal = arguments.add_argument_group("splits")
    deal.add_argument(
        "--deal",
        help="deal all images anew, as train:0.8,val:0.05,test:0.15; test:1 makes all of them test"
        " images, for external validation (default: the publisher's split, else 0.8, 0.1, 0.1)",
    )
    deal.add_argument(
        "--splits",
        help="splits to write, separated by commas, as test: images of others are left out"
        " (default: all)",
    )
    deal.add_argument(
        "--by", choices=dealing.BY, default="patient", help="what is dealt (default: %(default)s)"
    )
    deal.add_argument(
        "--stratify",
        metavar="LABEL",
        help="a label whose values are to be as frequent in every split; empty: no regard to"
        " labels (default: every value of every label is put into every split where possible)",
    )
    deal.add_argument(
        "--deal_seed", type=int, default=0, help="seed of dealing (default: %(default)s)"
    )
    deal.add_argument(
        "--allow_patient_overlap",
        action="store_true",
        help="let a patient be in several splits, to reproduce a paper that leaked",
    )


def _add_work(arguments: argparse.ArgumentParser) -> None:
    work = arguments.add_argument_group("work")
    work.add_argument("--limit", type=int, help="take the first images only")
    work.add_argument(
        "--max_rejected",
        type=float,
        default=0.0,
        help="share of missing or unreadable images that may be left out (default: 0)",
    )
    work.add_argument("--workers", type=int, help="threads that decode (default: one per core)")


def check(args: argparse.Namespace) -> None:
    """Ends the program with a message where a value is out of its range."""
    if not args.name.isidentifier():
        command.fail(
            f"name {args.name!r} must be letters, digits and underscores: give one with --name"
        )
    if not 32 <= args.size <= 4096:
        command.fail(f"--size={args.size} must lie in 32..4096: networks need at least 32 pixels")
    if not 0 <= args.max_rejected < 1:
        command.fail(
            f"--max_rejected={args.max_rejected} must lie in 0..1: it is a share of the images"
        )
    for option in ("limit", "workers"):
        if getattr(args, option) is not None and getattr(args, option) < 1:
            command.fail(f"--{option}={getattr(args, option)} must be at least 1")
    if args.deal_seed < 0:
        command.fail(f"--deal_seed={args.deal_seed} must not be negative")
