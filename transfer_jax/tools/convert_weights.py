"""`python -m transfer_jax.tools.convert_weights FILE NETWORK --out=PATH ...`: weights of one library become another's."""

import argparse
from pathlib import Path

import jax

from transfer_jax import models, weights
from transfer_jax.core.errors import ConfigError
from transfer_jax.core.normalisation import NAMED
from transfer_jax.tools import command
from transfer_jax.weights import exporting, reading

_EXAMPLE = """examples:
  python -m transfer_jax.tools.convert_weights runs/study/weights/pretrained-0 resnet50 --out=hub/my-resnet50
      a folder for a hub: model.safetensors that torchvision and timm load with strict=True, README.md (the model card), config.json
  python -m transfer_jax.tools.convert_weights RadImageNet-ResNet50_notop.h5 resnet50 --to=orbax --out=weights/radimagenet
      a source for studies: --config.source.kind=weights --config.source.path=weights/radimagenet
  python -m transfer_jax.tools.convert_weights hf://timm/resnet50.tv_in1k resnet50 --to=orbax --out=weights/imagenet
  python -m transfer_jax.tools.convert_weights checkpoint.pth resnet50 --state=state_dict_ema --drop-head --out=hub/ema
      one of several state dicts in a training program's checkpoint

The weights are read strictly: a tensor that is missing, of no known kind, of another shape or of another type is an error. Prefixes
(module., model.backbone.), children numbered by nn.Sequential, and heads, queues or momentum copies beside the network are
recognised, and said in the output and in the card.
"""


def _parser() -> argparse.ArgumentParser:
    parser = command.Parser(
        prog="python -m transfer_jax.tools.convert_weights",
        description=__doc__,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", help=".safetensors, .pth, .h5, .weights.h5, a folder of weights, or hf://owner/name[@revision][/file]")
    parser.add_argument("network", help="its network, e.g. resnet50")
    parser.add_argument("--out", required=True, help="folder to make, or a file ending in .safetensors (keras: .h5)")
    parser.add_argument("--layout", default="auto", choices=reading.LAYOUTS, help="whose names the file has (default: %(default)s)")
    parser.add_argument("--to", choices=(*exporting.LAYOUTS, "orbax"), help="whose names to write (default: those of the weights' own layout)")
    parser.add_argument("--drop-head", action="store_true", help="leave the head out")
    parser.add_argument("--cast", action="store_true", help="turn float16, bfloat16 and float64 into float32")
    parser.add_argument("--state", help="the state dict to read, where a .pth file holds several, e.g. state_dict_ema")
    parser.add_argument("--prefix", help="what the names of the network's tensors begin with, where several networks in the file fit")
    parser.add_argument("--channels", type=int, choices=(1, 3), help="of the input; 1 sums a stem of three channels")
    parser.add_argument("--normalisation", choices=tuple(NAMED), help="of the pixels, instead of what the file or its library says")
    parser.add_argument("--widths", help="channels of each block, separated by commas, where they are not the network's own")
    return parser


def main() -> None:
    """Converts the weights that the arguments describe."""
    args = _parser().parse_args()
    if Path(args.out).exists():
        raise ConfigError(f"--out={args.out} exists already: take it away, or give another path")
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
    to, card = args.to or loaded.card.layout, loaded.card
    if to == "orbax":
        weights.save(args.out, loaded.variables, card)
    else:
        weights.export(loaded.variables, args.network, args.out, to, card=card, **card.options)
    n = card.normalisation
    count = sum(leaf.size for leaf in jax.tree.leaves(loaded.variables["params"]))
    head = "with a head" if models.HEAD in loaded.variables["params"] else "without a head"
    print(f"{args.network}: {count:,} parameters, {head}, layout {card.layout}; normalisation {n.name} ({card.normalisation_from})")
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
