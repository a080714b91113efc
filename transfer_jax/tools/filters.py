"""Draws first-layer filters: synthetic ones, those of an initialiser, or those of a weight file.

python -m transfer_jax.tools.filters --out=FILE.png ...
"""

import argparse
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import inits, models, weights
from transfer_jax.core import files
from transfer_jax.core.errors import ConfigError
from transfer_jax.inits.gabor import filters
from transfer_jax.report.figures import kernels
from transfer_jax.tools import command

_EXAMPLE = """examples:
  Gabor filters for any kernel; this is docs/gabor.png:
  python -m transfer_jax.tools.filters --kernel=7,5,3 --channels=64,32,32 --out=docs/gabor.png

  the first layer of a weight file, and the same after an initialiser:
  python -m transfer_jax.tools.filters --network=resnet50 --weights=weights/imagenet \\
      --out=imagenet.png
  python -m transfer_jax.tools.filters --network=resnet50 --weights=weights/imagenet \\
      --init=resample:spectrum --out=spectrum.png
"""


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("filters", __doc__, _EXAMPLE)
    parser.add_argument("--kernel", help="sides of Gabor kernels, pixels, separated by commas")
    parser.add_argument(
        "--channels",
        default="64",
        help="numbers of filters per kernel, separated by commas (default: %(default)s)",
    )
    parser.add_argument(
        "--network", help="instead: a network whose first layer is drawn, e.g. resnet50"
    )
    parser.add_argument(
        "--layout",
        default="torchvision",
        help="layout of a network without weights (default: %(default)s)",
    )
    parser.add_argument(
        "--init",
        help=(
            "an initialiser as in config.arms, e.g. mean_var or gabor:he (default: pretrained,"
            " without weights random)"
        ),
    )
    parser.add_argument(
        "--weights", help="the initialiser's source: a weight file or folder of the network"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="PNG file to write")
    return parser


def main() -> None:
    """Draws the filters that the arguments describe."""
    args = _parser().parse_args()
    if (args.kernel is None) == (args.network is None):
        raise ConfigError("give either --kernel, for Gabor filters of any size, or --network")
    if args.kernel is None:
        pictures = _of_network(args.network, args.layout, args.init, args.weights, args.seed)
    else:
        if args.init or args.weights:
            raise ConfigError(
                "--init and --weights are read with --network only: give it instead of --kernel"
            )
        pictures = _gabor(
            _numbers("kernel", args.kernel), _numbers("channels", args.channels), args.seed
        )
    arrays = {title: np.asarray(kernel, np.float32) for title, kernel in pictures.items()}
    files.write(args.out, kernels.kernels(arrays))
    print(f"written: {args.out}: {', '.join(pictures)}")


def _gabor(sides: list[int], counts: list[int], seed: int) -> dict[str, jax.Array]:
    if len(sides) != len(counts):
        raise ConfigError(
            f"--kernel has {len(sides)} numbers and --channels {len(counts)}: "
            "give one number of filters per kernel"
        )
    shapes = [(side, side, 3, count) for side, count in zip(sides, counts, strict=True)]
    return {
        f"Gabor, {' x '.join(map(str, shape))}": filters(jax.random.key(seed), shape)
        for shape in shapes
    }


def _of_network(
    network: str, layout: str, init: str | None, path: str | None, seed: int
) -> dict[str, jax.Array]:
    name, options = inits.parse(init or ("pretrained" if path else "random"))
    initialise = inits.build(name, **options)
    if path is None and inits.needs_source(name, **options):
        raise ConfigError(f"--init={init} begins from pretrained weights: give --weights")
    loaded = None if path is None else weights.read(path, network, head=False, channels=3)
    form: dict[str, Any] = {"layout": layout}
    if loaded is not None:
        form = {"layout": loaded.card.layout, **loaded.card.options}
    module: Any = models.create(network, 1, **form)
    side, key = models.least_side(network), jax.random.key(seed)
    images = jnp.zeros((1, side, side, 3))
    fresh = jax.jit(lambda key: module.init(key, images, train=False))(key)
    source = None if loaded is None else loaded.variables
    title = f"{network}, {init}" if init else f"{network}, {path or 'random'}"
    return {title: models.first_kernel(initialise(key, fresh, source)["params"])}


def _numbers(option: str, text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(f"--{option}={text} must be whole numbers separated by commas") from error
    if min(numbers) < 1:
        raise ConfigError(f"--{option}={text} must be positive")
    return numbers


if __name__ == "__main__":
    command.run(main)
