"""Benchmarks on this machine, each beside what it should be compared with.

    python -m transfer_jax.tools.bench step|networks|input|augment|cca|drift

`step` times a CBR training step (float32, Adam) of this package and of PyTorch. Every contestant
runs in a process of its own, as its user would run it, round by round in turn, so that a noisy
machine is noisy for all of them. Needs the extra `peers`. `networks` gives the parameters, the
FLOPs, and the time of a forward pass and of a training step of every network. `input` gives the
images per second of every mode of reading, beside the bare decoder and, where TensorFlow is
installed, tf.data. `cca` times canonical correlations beside google/svcca's algorithm in NumPy,
and beside the least that they could take: of one pair of activations, and of all pairs of stages
of two networks; and it gives the peak memory of few and of many positions. `drift` gives the share
of the training time that the live comparison of a network with its first weights takes. `augment`
gives the images per second of every preset of augmentation, and its share of a network's training
step.
"""

import argparse
import json

from transfer_jax.tools import command
from transfer_jax.tools.bench import actions, arguments, peers


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("bench", __doc__)
    subparsers = parser.add_subparsers(dest="action", required=True)
    for add in arguments.ALL:
        add(subparsers)
    return parser


def main() -> None:
    """Runs the benchmark that the arguments describe."""
    args = _parser().parse_args()
    if args.action != "step":
        actions.ALL[args.action](args)
    elif args.contestant:
        print(json.dumps(peers.step_seconds(args)))
    else:
        actions.step(args)


if __name__ == "__main__":
    command.run(main)
