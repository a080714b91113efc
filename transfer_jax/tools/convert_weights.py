"""Converts weights of one library into those of another.

python -m transfer_jax.tools.convert_weights FILE NETWORK --out=PATH ...
"""

import argparse
from pathlib import Path

import jax

from transfer_jax import models, weights
from transfer_jax.core.errors import ConfigError
from transfer_jax.core.normalisation import NAMED
from transfer_jax.tools import command
from transfer_jax.weights import exporting, reading

_EXAMPLE = """examples:
  a folder for a hub: model.safetensors that torchvision and timm load with strict=True, README.md
  (the model card), and config.json:
  python -m transfer_jax.tools.convert_weights runs/study/weights/pretrained-0 resnet50 \\
      --out=hub/my-resnet50

  a source for studies (--config.source.kind=weights --config.source.path=weights/radimagenet):
  python -m transfer_jax.tools.convert_weights RadImageNet-ResNet50_notop.h5 resnet50 --to=orbax \\
      --out=weights/radimagenet
  python -m transfer_jax.tools.convert_weights hf://timm/resnet50.tv_in1k resnet50 --to=orbax \\
      --out=weights/imagenet

  one of several state dicts in a checkpoint of a training program:
  python -m transfer_jax.tools.convert_weights checkpoint.pth resnet50 --state=state_dict_ema \\
      --drop-head --out=hub/ema

Weights are read strictly: a tensor that is missing, of an unknown kind, of another shape or of
another type is an error. Prefixes (module., model.backbone.), children numbered by nn.Sequential,
and heads, queues or momentum copies beside the network are recognised, and reported in the output
and in the card.
"""


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("convert_weights", __doc__, _EXAMPLE)
    parser.add_argument(
        "file",
        help=".safetensors, .pth, .h5, .weights.h5, a folder of weights, or"
        " hf://owner/name[@revision][/file]",
    )
    parser.add_argument("network", help="the file's network, e.g. resnet50")
    parser.add_argument(
        "--out",
        required=True,
        help="folder to make, or a file ending in .safetensors (keras: .h5)",
    )
    _add_reading(parser)
    parser.add_argument(
        "--to",
        choices=(*exporting.LAYOUTS, "orbax"),
        help="layout to write (default: that of the weights themselves)",
    )
    return parser


def _add_reading(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how the file is read")
    group.add_argument(
        "--layout",
        default="auto",
        choices=reading.LAYOUTS,
        help="whose names the file has (default: %(default)s)",
    )
    group.add_argument("--drop-head", action="store_true", help="leave the head out")
    group.add_argument(
        "--cast", action="store_true", help="turn float16, bfloat16 and float64 into float32"
    )
    group.add_argument(
        "--state",
        help="the state dict to read, where a .pth file holds several, e.g. state_dict_ema",
    )
    group.add_argument(
        "--prefix",
        help="what the names of the network's tensors begin with, where several networks in the"
        " file fit",
    )
    group.add_argument(
        "--channels",
        type=int,
        choices=(1, 3),
        help="channels of the input; 1 sums a stem of three channels",
    )
    group.add_argument(
        "--normalisation",
        choices=tuple(NAMED),
        help="normalisation of the pixels, instead of what the file or its library says",
    )
    group.add_argument(
        "--widths",
        help="channels of each block, separated by commas, where they are not the network's own",
    )


def main() -> None:
    """Converts the weights that the arguments describe."""
    args = _parser().parse_args()
    command.check_new(Path(args.out))
    loaded = weights.read(
        args.file,
        args.network,
        args.layout,
        head=not args.drop_head,
        cast=args.cast,
        channels=args.channels,
        normalisation=args.normalisation,
        state=args.state,
        prefix=args.prefix,
        **_widths(args.widths),
    )
    card = loaded.card
    to = args.to or card.layout
    if to == "orbax":
        weights.save(args.out, loaded.variables, card)
    else:
        weights.export(loaded.variables, args.network, args.out, to, card=card, **card.options)
    count = sum(leaf.size for leaf in jax.tree.leaves(loaded.variables["params"]))
    head = "with a head" if models.HEAD in loaded.variables["params"] else "without a head"
    print(
        f"{args.network}: {count:,} parameters, {head}, layout {card.layout}; normalisation"
        f" {card.normalisation.name} ({card.normalisation_from})"
    )
    for sentence in card.recognised:
        print(f"recognised: {sentence}")
    print(f"written: {args.out}")


def _widths(text: str | None) -> dict[str, tuple[int, ...]]:
    try:
        return {} if text is None else {"widths": tuple(int(part) for part in text.split(","))}
    except ValueError as error:
        raise ConfigError(f"--widths={text} must be whole numbers separated by commas") from error


if __name__ == "__main__":
    command.run(main)
