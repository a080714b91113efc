"""`python -m transfer_jax.tools.prepare RAW --out=DIR ...`: raw images of a data set become TFRecord shards with a manifest."""

import argparse
import dataclasses
import sys
import textwrap
from pathlib import Path

from tqdm import tqdm

from transfer_jax.core import files
from transfer_jax.data import archives, catalogue, dealing, images, writer
from transfer_jax.data.catalogue.card import Card
from transfer_jax.data.shards import Form
from transfer_jax.data.spec import MANIFEST, Manifest
from transfer_jax.tools import command

_EXAMPLE = """examples:
  python -m transfer_jax.tools.prepare raw/fundus --out=data/fundus --labels=grade --size=128
  python -m transfer_jax.tools.prepare raw/CheXpert-v1.0-small --set=chexpert --out=data/chexpert
  python -m transfer_jax.tools.prepare --list

Without --set the raw folder holds a CSV table with one row per image (--set=table). A label is a whole number or a word. Words that
differ in case or spaces are one class, and so are 1, 1.0 and "1". An empty cell, NA, N/A, nan, None, null and "-" are missing labels,
which neither train nor count; --missing=NA,unknown names other words, --missing= none at all. Notes say what was taken for missing,
merged, found under another name or left out. --set=NAME --help shows the options of a set. When a preparation is interrupted, the
same command goes on. The folder that is written can be read by tensorflow_datasets.builder_from_directory, too.
"""
_TABLE = "table"


def _parser(card: Card, name: str) -> argparse.ArgumentParser:
    parser = command.Parser(
        prog="python -m transfer_jax.tools.prepare", description=__doc__, epilog=_EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("raw", type=Path, help="folder (or .zip, .tar.gz) with the raw data")
    parser.add_argument("--out", type=Path, required=True, help="folder to write; it must not exist")
    parser.add_argument("--set", default=_TABLE, help="which data set it is; see --list (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="show the data sets that can be read, and what they must look like")
    parser.add_argument("--name", help="of the data set (default: the name of --out)")
    parser.add_argument("--licence", help="of the images (default: the set's)")
    form = parser.add_argument_group("how images are written")
    form.add_argument("--size", type=int, default=224, help="pixels of both sides (default: %(default)s)")
    form.add_argument("--channels", type=int, choices=(1, 3), default=card.channels, help="1 is grey (default for this set: %(default)s)")
    form.add_argument("--grey", action="store_const", const=1, dest="channels", help="the same as --channels=1")
    form.add_argument("--fit", choices=images.FITS, default="pad", help="keep the aspect ratio and pad, or squash (default: %(default)s)")
    form.add_argument("--encoding", choices=images.ENCODINGS, default="jpeg", help="of the images in the shards (default: %(default)s)")
    form.add_argument("--stretch", action="store_true", help="stretch images of more than 8 bits from their darkest to their brightest value")
    deal = parser.add_argument_group("splits")
    deal.add_argument("--deal", help="deal all images anew, as train:0.8,val:0.05,test:0.15 (default: the publisher's split, else 0.8, 0.1, 0.1)")
    deal.add_argument("--by", choices=dealing.BY, default="patient", help="what is dealt (default: %(default)s)")
    deal.add_argument(
        "--stratify",
        metavar="LABEL",
        help="a label whose values are to be as frequent in every split; empty: no regard to labels "
        "(default: every value of every label is put into every split where possible)",
    )
    deal.add_argument("--deal_seed", type=int, default=0, help="of dealing (default: %(default)s)")
    deal.add_argument("--allow_patient_overlap", action="store_true", help="let a patient be in several splits, to reproduce a paper that leaked")
    work = parser.add_argument_group("work")
    work.add_argument("--limit", type=int, help="take the first images only")
    work.add_argument("--max_rejected", type=float, default=0.0, help="share of missing or unreadable images that may be left out (default: 0)")
    work.add_argument("--workers", type=int, help="threads that decode (default: one per core)")
    own = parser.add_argument_group(f"options of --set={name}")
    for option, text in card.options.items():
        own.add_argument(f"--{option}", required=option in card.required, help=text)
    return parser


def _list() -> None:
    for name in catalogue.names():
        card = catalogue.card(name)
        print(f"{name}: {card.title}")
        for what in ("layout", "labels", "patient", "split", "licence", "citation", "address"):
            text = textwrap.indent(getattr(card, what), " " * 14)
            print(f"    {what + ':':10}{text[14:]}")
        for option, text in card.options.items():
            print(f"    --{option}: {text}")
        print()
    print(f"{catalogue.TFDS}NAME: any data set that tensorflow-datasets can build; RAW is its data_dir")


def main() -> None:
    """Prepares the data set that the arguments describe."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--set", default=_TABLE)
    first.add_argument("--list", action="store_true")
    asked, _ = first.parse_known_args()
    if asked.list:
        _list()
        return
    card = catalogue.card(asked.set)
    args = _parser(card, asked.set).parse_args()
    _check(args)
    options = {option: getattr(args, option) for option in card.options if getattr(args, option) is not None}
    with archives.unpacked(args.raw, args.out) as raw:
        listing = catalogue.read(args.set, raw.folder, **options)
        listing = dataclasses.replace(listing, notes=tuple(map(raw.told, listing.notes)))
        manifest = _without_temporary(_prepare(args, card, listing, options), raw, args.out)
    _tell(manifest, args.out)


def _check(args: argparse.Namespace) -> None:
    args.name = args.name or args.out.name
    if not args.name.isidentifier():
        command.fail(f"name {args.name!r} must be letters, digits and underscores: give one with --name")
    if not 32 <= args.size <= 4096:
        command.fail(f"--size={args.size} must lie in 32..4096: networks need at least 32 pixels")
    if not 0 <= args.max_rejected < 1:
        command.fail(f"--max_rejected={args.max_rejected} must lie in 0..1: it is a share of the images")
    for option in ("limit", "workers"):
        if getattr(args, option) is not None and getattr(args, option) < 1:
            command.fail(f"--{option}={getattr(args, option)} must be at least 1")
    if args.deal_seed < 0:
        command.fail(f"--deal_seed={args.deal_seed} must not be negative")


def _prepare(args: argparse.Namespace, card: Card, listing: catalogue.Listing, options: dict[str, str]) -> Manifest:
    for note in listing.notes:
        print(f"note: {note}")
    if args.limit is not None:
        listing.items[args.limit :] = []
    wanted = dealing.shares(args.deal) if args.deal else None
    items, how, notes = dealing.assign(listing, wanted=wanted, by=args.by, stratify=args.stratify, seed=args.deal_seed)
    print(f"splits: {how}")
    for note in notes:
        print(f"note: {note}")
    source = {
        "set": args.set,
        "title": card.title,
        "licence": args.licence or card.licence,
        "citation": card.citation,
        "address": card.address,
        "notes": [*listing.notes, *notes],
        "splits": how,
        "options": options,
        "fit": args.fit,
        "stretch": args.stretch,
    }
    form = Form(args.size, args.channels, args.fit, args.encoding, args.stretch)
    try:
        with tqdm(total=len(items), unit="image", desc=args.name, disable=None) as shown:
            manifest = writer.write(
                args.out,
                args.name,
                items,
                form,
                source=source,
                names=listing.names,
                most_rejected=args.max_rejected,
                allow_overlap=args.allow_patient_overlap,
                workers=args.workers,
                progress=shown.update,
            )
    except KeyboardInterrupt:
        print("\nstopped; finished shards are kept, and the same command goes on from there", file=sys.stderr)
        sys.exit(130)
    for note in manifest.source["notes"][len(source["notes"]) :]:
        print(f"note: {note}")
    return manifest


def _without_temporary(manifest: Manifest, raw: archives.Raw, out: Path) -> Manifest:
    """The manifest, in which reasons for rejected images name the archive and not the folder that it was unpacked to."""
    if raw.archive is None or not manifest.rejected:
        return manifest
    rejected = [{**entry, "reason": raw.told(entry["reason"])} for entry in manifest.rejected]
    manifest = dataclasses.replace(manifest, rejected=rejected)
    files.write(out / MANIFEST, manifest.to_json())
    return manifest


def _tell(manifest: Manifest, out: Path) -> None:
    for split, content in manifest.splits.items():
        balance = "; ".join(f"{label} {_balance(manifest, label, split)}" for label in manifest.labels)
        print(f"{split}: {content['records']} images of {content['patients']} patients, {balance}")
    for entry in manifest.rejected[:10]:
        print(f"rejected: {entry['id']}: {entry['reason']}")
    if manifest.rejected:
        print(f"rejected: {len(manifest.rejected)} images in all; {out / 'manifest.json'} lists them")
    if manifest.overlap:
        print(f"warning: {manifest.overlap} patients are in several splits, as you allowed: what is measured on them is too good")
    print(f"written: {out}")


def _balance(manifest: Manifest, label: str, split: str) -> str:
    counts, names = manifest.labels[label]["counts"][split], manifest.labels[label]["names"]
    words = {"-1": "missing", "-2": "uncertain"}
    if len(counts) > 12:
        return f"{len(counts)} values"
    return ", ".join(f"{words.get(value) or (names[int(value)] if names else value)}: {count}" for value, count in counts.items())


if __name__ == "__main__":
    command.run(main)
