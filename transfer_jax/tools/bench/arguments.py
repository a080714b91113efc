"""Arguments of the benchmarks: one function per subcommand."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transfer_jax.data.storage.image_codec import ENCODINGS
from transfer_jax.settings import Similarity
from transfer_jax.tools.bench.peers import CONTESTANTS

_PIXELS = "pixels of both sides (default: %(default)s)"


def step(actions: Any) -> None:
    """Adds the arguments of `step`."""
    parser = actions.add_parser("step", help="a CBR training step beside PyTorch's")
    networks = ("cbr_tiny", "cbr_small", "cbr_largew", "cbr_larget")
    parser.add_argument("--network", default="cbr_tiny", choices=networks)
    _number(parser, "batch", 32, "images per step")
    parser.add_argument("--size", type=int, default=48, help=_PIXELS)
    _number(parser, "repeats", 20, "steps per round")
    _number(parser, "rounds", 3, "rounds of all contestants")
    parser.add_argument(
        "--contestant",
        choices=tuple(CONTESTANTS),
        help="time this one here and print its seconds as JSON",
    )


def networks(actions: Any) -> None:
    """Adds the arguments of `networks`."""
    parser = actions.add_parser("networks", help="what every network costs")
    _number(parser, "batch", 8, "images per step")
    parser.add_argument("--size", type=int, default=224, help=_PIXELS)
    _number(parser, "repeats", 3, "passes measured")
    parser.add_argument("--only", default="", help="networks, separated by commas (default: all)")


def reading(actions: Any) -> None:
    """Adds the arguments of `input`."""
    parser = actions.add_parser("input", help="images per second of every mode of reading")
    parser.add_argument("--data", type=Path, help="a prepared data set (default: generated images)")
    parser.add_argument(
        "--images",
        choices=("chest", "fundus"),
        default="chest",
        help="generated images: grey or colour (default: %(default)s)",
    )
    _number(parser, "size", 224, "pixels of both sides of generated images")
    _number(parser, "count", 4096, "number of generated images")
    parser.add_argument(
        "--encoding",
        choices=ENCODINGS,
        default="jpeg",
        help="encoding of generated images (default: %(default)s)",
    )
    _number(parser, "batch", 32, "images per batch")
    _number(parser, "rounds", 5, "epochs of every contestant, in turn")


def augment(actions: Any) -> None:
    """Adds the arguments of `augment`."""
    parser = actions.add_parser(
        "augment",
        help="images per second of every preset of augmentation, and its share of a training step",
    )
    parser.add_argument(
        "--network",
        default="resnet50",
        help="network whose training step is compared (default: %(default)s)",
    )
    _number(parser, "batch", 32, "images per batch")
    parser.add_argument("--size", type=int, default=224, help=_PIXELS)
    _number(parser, "repeats", 20, "batches measured")


def drift(actions: Any) -> None:
    """Adds the arguments of `drift`."""
    parser = actions.add_parser(
        "drift", help="what the live comparison with the first weights costs beside training"
    )
    parser.add_argument(
        "--networks",
        default="cbr_tiny:48,resnet50:224",
        help="name:pixels, separated by commas (default: %(default)s)",
    )
    _number(parser, "batch", 32, "images per training batch")
    _number(parser, "images", Similarity().images, "images that are compared on")
    _number(parser, "every", Similarity().every, "steps between two comparisons")
    _number(parser, "repeats", 3, "runs measured")


def cca(actions: Any) -> None:
    """Adds the arguments of `cca`."""
    parser = actions.add_parser("cca", help="canonical correlations beside NumPy's")
    parser.add_argument(
        "--sizes",
        default="",
        help="as 10000x64,12544x256: positions x channels (default: four, up to 100,000 x 2,048)",
    )
    parser.add_argument(
        "--stages",
        default="resnet50",
        choices=("resnet50", "none"),
        help="network whose pairs of stages are compared (default: %(default)s)",
    )
    _number(parser, "images", 50, "images on which stages are compared")
    parser.add_argument(
        "--memory",
        default="100000x512",
        help="positions x channels whose peak memory is measured, and ten times as many; or none",
    )
    _number(parser, "repeats", 3, "runs measured")
    parser.add_argument(
        "--peak",
        help="stream this many positions x channels here and print the growth of the peak memory"
        " in bytes",
    )


ALL: tuple[Callable[[Any], None], ...] = (step, networks, reading, augment, drift, cca)


def _number(parser: argparse.ArgumentParser, name: str, default: int, text: str) -> None:
    parser.add_argument(f"--{name}", type=int, default=default, help=f"{text} (default: {default})")
