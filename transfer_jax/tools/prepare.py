"""Turns raw images of a data set into TFRecord shards with a manifest.

python -m transfer_jax.tools.prepare RAW --out=DIR ...
"""

import argparse
import dataclasses
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from transfer_jax.core import files
from transfer_jax.core.errors import ConfigError
from transfer_jax.data.items import Item, Listing
from transfer_jax.data.prepare import archives, catalogue, dealing, keeping, writer
from transfer_jax.data.prepare.catalogue.set_card import Card
from transfer_jax.data.prepare.shards import Form
from transfer_jax.data.storage.manifest import MANIFEST, Manifest
from transfer_jax.tools import command, prepare_arguments


def main() -> None:
    """Prepares the data set that the arguments describe."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--set", default=prepare_arguments.DEFAULT_SET)
    first.add_argument("--list", action="store_true")
    first_args, _ = first.parse_known_args()
    if first_args.list:
        _list()
        return
    card = catalogue.card(first_args.set)
    args = prepare_arguments.parser(__doc__ or "", card, first_args.set).parse_args()
    args.name = args.name or args.out.name
    prepare_arguments.check(args)
    options = {
        option: getattr(args, option)
        for option in card.options
        if getattr(args, option) is not None
    }
    with archives.unpacked(args.raw, args.out) as raw:
        listing = catalogue.read(args.set, raw.folder, **options)
        listing = dataclasses.replace(listing, notes=tuple(map(raw.named, listing.notes)))
        manifest = _without_temporary(_prepare(args, card, listing, options), raw, args.out)
    _print_summary(manifest, args.out)


def _prepare(
    args: argparse.Namespace, card: Card, listing: Listing, options: dict[str, str]
) -> Manifest:
    if args.limit is not None:
        listing.items[args.limit :] = []
    listing = keeping.select(listing, keeping.names(args.keep) if args.keep else ())
    for note in listing.notes:
        print(f"note: {note}")
    if args.splits and not args.deal and all(item.split is None for item in listing.items):
        raise ConfigError(
            f"--splits={args.splits}: the set has no splits of its own: give --deal, too;"
            " --deal=test:1 alone makes test images of all"
        )
    items, how, notes = dealing.assign(
        listing,
        fractions=dealing.shares(args.deal) if args.deal else None,
        by=args.by,
        stratify=args.stratify,
        seed=args.deal_seed,
    )
    if args.splits:
        items, how = dealing.only(items, how, command.split_names(args.splits))
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
        "resize": args.resize,
    }
    manifest = _write(args, items, source, listing.names)
    for note in manifest.source["notes"][len(source["notes"]) :]:
        print(f"note: {note}")
    return manifest


def _write(
    args: argparse.Namespace,
    items: Sequence[Item],
    source: dict[str, Any],
    names: Mapping[str, list[str]],
) -> Manifest:
    """Writes the data set; ends the program with code 130 where the user stops it."""
    form = Form(args.size, args.channels, args.fit, args.encoding, args.stretch, args.resize)
    try:
        with tqdm(total=len(items), unit="image", desc=args.name, disable=None) as bar:
            return writer.write(
                args.out,
                args.name,
                items,
                form,
                source=source,
                names=names,
                most_rejected=args.max_rejected,
                allow_overlap=args.allow_patient_overlap,
                workers=args.workers,
                progress=bar.update,
            )
    except KeyboardInterrupt:
        print(
            "\nstopped; finished shards are kept, and the same command goes on from there",
            file=sys.stderr,
        )
        sys.exit(130)


def _without_temporary(manifest: Manifest, raw: archives.Raw, out: Path) -> Manifest:
    """Returns the manifest with reasons for rejected images that name the archive, not the folder
    that it was unpacked to.
    """
    if raw.archive is None or not manifest.rejected:
        return manifest
    rejected = [{**entry, "reason": raw.named(entry["reason"])} for entry in manifest.rejected]
    manifest = dataclasses.replace(manifest, rejected=rejected)
    files.write(out / MANIFEST, manifest.to_json())
    return manifest


def _print_summary(manifest: Manifest, out: Path) -> None:
    for split, content in manifest.splits.items():
        balance = "; ".join(
            f"{label} {_balance(manifest, label, split)}" for label in manifest.labels
        )
        print(f"{split}: {content['records']} images of {content['patients']} patients, {balance}")
    for entry in manifest.rejected[:10]:
        print(f"rejected: {entry['id']}: {entry['reason']}")
    if manifest.rejected:
        print(
            f"rejected: {len(manifest.rejected)} images in all; {out / 'manifest.json'} lists them"
        )
    if manifest.overlap:
        print(
            f"warning: {manifest.overlap} patients are in several splits, as you allowed: what is"
            " measured on them is too good"
        )
    if "train" not in manifest.splits:
        print(
            "note: there are no training images: the set has no normalisation of its own, and no"
            " study can train on it"
        )
    print(f"written: {out}")


def _balance(manifest: Manifest, label: str, split: str) -> str:
    counts, names = manifest.labels[label]["counts"][split], manifest.labels[label]["names"]
    words = {"-1": "missing", "-2": "uncertain"}
    if len(counts) > 12:
        return f"{len(counts)} values"
    return ", ".join(
        f"{words.get(value) or (names[int(value)] if names else value)}: {count}"
        for value, count in counts.items()
    )


def _list() -> None:
    for name in catalogue.DATA_SETS:
        card = catalogue.card(name)
        print(f"{name}: {card.title}")
        for what in ("layout", "labels", "patient", "split", "licence", "citation", "address"):
            text = textwrap.indent(getattr(card, what), " " * 14)
            print(f"    {what + ':':10}{text[14:]}")
        for option, text in card.options.items():
            print(f"    --{option}: {text}")
        print()
    print(
        f"{catalogue.TFDS}NAME: any data set that tensorflow-datasets can build; RAW is its"
        " data_dir"
    )


if __name__ == "__main__":
    command.run(main)
