"""Compares two runs or weight files and writes one page.

    python -m transfer_jax.tools.compare RUN_A RUN_B [--data=DIR] [--out=FILE.html]

The page shows the similarity of the networks layer by layer (CCA, or another --measure), before and
after training where that is known, their first-layer filters, and whether they make the same
mistakes. It needs no other file; a CSV file of the same name holds its numbers.
"""

import argparse
import shlex
import sys
import time
from pathlib import Path

from transfer_jax.analysis import measures
from transfer_jax.compare import pairing, sides, two_runs
from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import ConfigError
from transfer_jax.report import comparison_facts, comparison_page
from transfer_jax.runs import layout
from transfer_jax.tools import command

_EXAMPLE = """a RUN is a weight file or folder (or hf://owner/name), or a finished study: DIR, or
DIR:ARM where it has several arms. The arm's repeats are compared one by one; weights are compared
with every repeat of the other side.

examples:
  two arms of a study, each repeat on the images that it was validated on:
  python -m transfer_jax.tools.compare runs/first:random runs/first:pretrained

  two weight files, on the validation images of a prepared data set:
  python -m transfer_jax.tools.compare weights/imagenet.safetensors weights/radimagenet.h5 \\
      --network_a=resnet50 --network_b=resnet50 --data=data/chexpert --out=sources.html

  a fine-tuned network and the one that it began from, by the protocol of Juodelyte et al. 2023:
  python -m transfer_jax.tools.compare runs/first/weights/pretrained-0 weights/imagenet \\
      --data=data/chexpert --sampling
"""


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("compare", __doc__, _EXAMPLE)
    parser.add_argument("a", metavar="RUN_A", help="weights, DIR or DIR:ARM of a finished study")
    parser.add_argument("b", metavar="RUN_B", help="likewise")
    for side in "ab":
        parser.add_argument(
            f"--network_{side}",
            help=f"network of RUN_{side.upper()} where its weights do not name it, e.g. resnet50",
        )
    parser.add_argument(
        "--data",
        type=Path,
        help="folder made by tools.prepare; not needed for studies judged by the same images",
    )
    parser.add_argument("--splits", help="splits of --data, separated by commas (default: val)")
    parser.add_argument(
        "--images",
        type=int,
        default=512,
        help="largest number of images for the layers, evenly spread (default: %(default)s)",
    )
    parser.add_argument(
        "--sampling",
        action="store_true",
        help="10,000 positions of 64 channels, mean of 5 draws (default: all of them)",
    )
    parser.add_argument(
        "--measure",
        choices=tuple(measures.MEASURES),
        default=measures.DEFAULT,
        help="measure of similarity (default: %(default)s)",
    )
    parser.add_argument(
        "--take",
        choices=tuple(layout.WEIGHTS),
        help="weights of a study's members: of the last step, or the best ones (default: last)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("compare.html"),
        help="page to write; its CSV goes beside it (default: %(default)s)",
    )
    return parser


def main() -> None:
    """Compares what the arguments describe."""
    args = _parser().parse_args()
    _check(args)
    start = time.monotonic()
    take = args.take or "last"
    a = sides.open_side(args.a, args.network_a, option="--network_a", take=take)
    b = sides.open_side(args.b, args.network_b, option="--network_b", take=take)
    if args.take is not None and a.repeats is None and b.repeats is None:
        raise ConfigError(
            f"--take={args.take} is read for studies, and {args.a} and {args.b} are weights: "
            "take it out"
        )
    pairs = pairing.pair(a, b, args.data, command.split_names(args.splits or "val"))
    compared = two_runs.compare(
        a,
        b,
        pairs,
        images=args.images,
        sampled=args.sampling,
        mesh=meshes.create(),
        measure=args.measure,
    )
    facts = comparison_facts.of_comparison(
        (a, b),
        pairs,
        compared,
        sampled=args.sampling,
        measure=args.measure,
        take=take,
        command=shlex.join(["python", "-m", "transfer_jax.tools.compare", *sys.argv[1:]]),
        seconds=time.monotonic() - start,
    )
    comparison_page.write(args.out, compared, (a.named, b.named), facts)
    table = comparison_page.console(compared.rows)
    print(f"{table}\n\nwritten: {args.out}, {args.out.with_suffix('.csv')}")


def _check(args: argparse.Namespace) -> None:
    """Finds what is wrong with the arguments before anything is opened."""
    if args.out.suffix != ".html":
        raise ConfigError(f"--out={args.out} must end in .html")
    for path in (args.out, args.out.with_suffix(".csv")):
        if path.exists():
            raise ConfigError(f"{path} exists already: remove it, or give another --out")
    if args.splits is not None and args.data is None:
        raise ConfigError(
            f"--splits={args.splits} is read with --data only: give --data, or take it out"
        )
    if args.images < 1:
        raise ConfigError(f"--images={args.images} must be positive")


if __name__ == "__main__":
    command.run(main)
