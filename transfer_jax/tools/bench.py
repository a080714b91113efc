"""`python -m transfer_jax.tools.bench step|networks|input|augment|cca|drift`: how fast, beside what else, on this machine.

`step` times one CBR training step (float32, Adam) of this package and of PyTorch. Every contestant runs in a process of its
own, as its user would run it, round by round in turn, so that a noisy machine is noisy for all of them. Needs the extra `peers`.
`networks` gives the parameters, the FLOPs, and the time of a forward pass and of a training step of every network.
`input` gives the images a second of every mode of reading, beside the bare decoder and, where TensorFlow is installed, tf.data.
`cca` times canonical correlations beside google/svcca's algorithm in NumPy, and beside the least that they could take: of one pair of activations,
and of all pairs of stages of two networks; and it tells the peak memory of few and of many positions.
`drift` gives the share of the training time that the live comparison of a network with its first weights takes.
`augment` gives those of every preset of augmentation, and what share of a network's training step it takes.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from transfer_jax.core import platform
from transfer_jax.core.errors import UserError
from transfer_jax.data.images import ENCODINGS
from transfer_jax.settings import Similarity
from transfer_jax.tools import command, peers

_OURS = "transfer_jax"
_CONTESTANTS = {
    _OURS: "as `main` runs it: freed buffers are kept",
    "transfer_jax, plain allocator": "glibc's defaults",
    "torch": "PyTorch as it comes (NCHW)",
    "torch, channels_last": "PyTorch in its fast layout for CPUs",
    "torch, channels_last, kept buffers": "the same, and freed buffers are kept",
}


def _parser() -> argparse.ArgumentParser:
    parser = command.Parser(prog="python -m transfer_jax.tools.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    step = actions.add_parser("step", help="a CBR training step beside PyTorch's")
    step.add_argument("--network", default="cbr_tiny", choices=("cbr_tiny", "cbr_small", "cbr_largew", "cbr_larget"))
    step.add_argument("--batch", type=int, default=32, help="images per step (default: %(default)s)")
    step.add_argument("--size", type=int, default=48, help="pixels of both sides (default: %(default)s)")
    step.add_argument("--repeats", type=int, default=20, help="steps a round (default: %(default)s)")
    step.add_argument("--rounds", type=int, default=3, help="rounds of all contestants (default: %(default)s)")
    step.add_argument("--contestant", choices=tuple(_CONTESTANTS), help="time this one here and print its seconds as JSON")
    table = actions.add_parser("networks", help="what every network costs")
    table.add_argument("--batch", type=int, default=8, help="images per step (default: %(default)s)")
    table.add_argument("--size", type=int, default=224, help="pixels of both sides (default: %(default)s)")
    table.add_argument("--repeats", type=int, default=3, help="passes measured (default: %(default)s)")
    table.add_argument("--only", default="", help="networks, separated by commas (default: all)")
    reading = actions.add_parser("input", help="images a second of every mode of reading")
    reading.add_argument("--data", type=Path, help="a prepared data set (default: generated images)")
    reading.add_argument("--images", choices=("chest", "fundus"), default="chest", help="generated: grey or colour (default: %(default)s)")
    reading.add_argument("--size", type=int, default=224, help="of generated images, pixels (default: %(default)s)")
    reading.add_argument("--count", type=int, default=4096, help="of generated images (default: %(default)s)")
    reading.add_argument("--encoding", choices=ENCODINGS, default="jpeg", help="of generated images (default: %(default)s)")
    reading.add_argument("--batch", type=int, default=32, help="images in a batch (default: %(default)s)")
    reading.add_argument("--rounds", type=int, default=5, help="epochs of every contestant, in turn (default: %(default)s)")
    changing = actions.add_parser("augment", help="images a second of every preset of augmentation, and its share of a training step")
    changing.add_argument("--network", default="resnet50", help="whose training step it is compared with (default: %(default)s)")
    changing.add_argument("--batch", type=int, default=32, help="images in a batch (default: %(default)s)")
    changing.add_argument("--size", type=int, default=224, help="pixels of both sides (default: %(default)s)")
    changing.add_argument("--repeats", type=int, default=20, help="batches measured (default: %(default)s)")
    drifting = actions.add_parser("drift", help="what the live comparison with the first weights costs beside training")
    drifting.add_argument("--networks", default="cbr_tiny:48,resnet50:224", help="name:pixels, separated by commas (default: %(default)s)")
    drifting.add_argument("--batch", type=int, default=32, help="images in a training batch (default: %(default)s)")
    drifting.add_argument("--images", type=int, default=Similarity().images, help="that are looked at (default: %(default)s)")
    drifting.add_argument("--every", type=int, default=Similarity().every, help="steps between two comparisons (default: %(default)s)")
    drifting.add_argument("--repeats", type=int, default=3, help="runs measured (default: %(default)s)")
    correlating = actions.add_parser("cca", help="canonical correlations beside NumPy's")
    correlating.add_argument("--sizes", default="", help="as 10000x64,12544x256: positions x channels (default: four, up to 100,000 x 2,048)")
    correlating.add_argument("--stages", default="resnet50", choices=("resnet50", "none"), help="whose pairs of stages (default: %(default)s)")
    correlating.add_argument("--images", type=int, default=50, help="on which stages are compared (default: %(default)s)")
    correlating.add_argument(
        "--memory", default="100000x512", help="positions x channels whose peak memory is told, and of ten times as many; or none"
    )
    correlating.add_argument("--repeats", type=int, default=3, help="runs measured (default: %(default)s)")
    correlating.add_argument("--peak", help="stream so many positions x channels here and print the growth of the peak memory in bytes")
    return parser


def _contestant(args: argparse.Namespace) -> list[float]:
    from transfer_jax import models
    from transfer_jax.tools import timing

    if args.contestant == _OURS or args.contestant.endswith("kept buffers"):
        platform.keep_large_buffers()
    network = models.create(args.network, 1)
    if args.contestant.startswith(_OURS):
        return timing.seconds(timing.training_step(network, "binary", batch=args.batch, size=args.size), args.repeats, warm_up=3)
    return peers.torch_step_seconds(
        network.widths,
        network.kernel,
        network.pools,
        batch=args.batch,
        size=args.size,
        repeats=args.repeats,
        channels_last="channels_last" in args.contestant,
    )


def _all(args: argparse.Namespace) -> None:
    options = [f"--{name}={getattr(args, name)}" for name in ("network", "batch", "size", "repeats")]
    seconds: dict[str, list[float]] = {name: [] for name in _CONTESTANTS}
    for _ in range(args.rounds):
        for name in _CONTESTANTS:
            call = [sys.executable, "-m", "transfer_jax.tools.bench", "step", *options, f"--contestant={name}"]
            done = subprocess.run(call, capture_output=True, text=True, check=False)
            if done.returncode:
                last = done.stderr.strip().splitlines()[-1]
                hint = (
                    "install it with: python -m pip install -e '.[peers]'" if "No module named 'torch'" in last else "run it alone with --contestant"
                )
                raise UserError(f"{name} failed: {last}; {hint}")
            seconds[name] += json.loads(done.stdout.splitlines()[-1])
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"{args.network}, batch {args.batch}, {args.size} px, float32, Adam; {args.rounds} rounds of {args.repeats} steps; {platform.describe()}")
    for name, value in medians.items():
        print(f"{name:36} {1e3 * value:8.1f} ms  {value / medians[_OURS]:5.2f} x ours   {_CONTESTANTS[name]}")


def _networks(args: argparse.Namespace) -> None:
    from transfer_jax import models
    from transfer_jax.tools import networks

    platform.keep_large_buffers()
    names = args.only.split(",") if args.only else models.names()
    chosen = [(name, layout) for name in names for layout in models.layouts(name)]
    print(f"1000 outputs, batch {args.batch}, {args.size} px, float32, Adam; medians of {args.repeats}; {platform.describe()}\n")
    print("| network | layout | parameters | GFLOPs per image | forward, s | training step, s |\n| --- | --- | --- | --- | --- | --- |")
    for name, layout in chosen:
        cost = networks.measure(name, layout, outputs=1000, batch=args.batch, size=args.size, repeats=args.repeats)
        flops = 2e-9 * cost.multiply_adds
        print(f"| {name} | {layout} | {cost.parameters:,} | {flops:.2f} | {cost.forward:.2f} | {cost.train_step:.2f} |", flush=True)


def _input(args: argparse.Namespace) -> None:
    from transfer_jax.tools import inputs

    rates = inputs.measure(
        args.data, size=args.size, count=args.count, encoding=args.encoding, phantom_name=args.images, batch=args.batch, rounds=args.rounds
    )
    print(f"{args.data or f'{args.count} {args.images} phantoms of {args.size} px, {args.encoding}'}, batch {args.batch}; {platform.describe()}")
    for name, rate in rates.items():
        print(f"{name:14} {rate:10,.0f} images/s {rate / rates['bare decoder']:7.2f} x the bare decoder {rate / rates['streamed']:7.2f} x streamed")


def _sizes(option: str, text: str) -> list[tuple[int, int]]:
    try:
        sizes = [(int(n), int(d)) for n, _, d in (size.partition("x") for size in text.split(","))]
    except ValueError as error:
        raise UserError(f"--{option}={text} must look like 10000x64,12544x256") from error
    if min(least for size in sizes for least in size) < 1:
        raise UserError(f"--{option}={text}: positions and channels are at least 1")
    return sizes


def _cca(args: argparse.Namespace) -> None:
    from transfer_jax.tools import cca_bench, stage_bench

    if args.peak:
        print(cca_bench.peak(*_sizes("peak", args.peak)[0]))
        return
    sizes = _sizes("sizes", args.sizes) if args.sizes else cca_bench.SIZES
    if args.images < 1:
        raise UserError(f"--images={args.images} must be at least 1")
    memory = [] if args.memory == "none" else _sizes("memory", args.memory)
    print(f"medians of {args.repeats}; {platform.describe()}\n\n{cca_bench.table(sizes, args.repeats)}", flush=True)
    for n, d in memory:
        print(f"\n{cca_bench.peaks(n, d)}", flush=True)
    if args.stages != "none":
        print(f"\n{stage_bench.table(args.stages, stage_bench.STAGES[args.stages], args.images, repeats=args.repeats)}")


def _drift(args: argparse.Namespace) -> None:
    from transfer_jax.tools import drift_bench

    platform.keep_large_buffers()
    for name in ("batch", "images", "every", "repeats"):
        if getattr(args, name) < 1:
            raise UserError(f"--{name}={getattr(args, name)} must be at least 1")
    print(f"batch {args.batch}, {args.images} images looked at every {args.every} steps, medians of {args.repeats}; {platform.describe()}")
    for network, _, size in (each.partition(":") for each in args.networks.split(",")):
        if not size.isdigit():
            raise UserError(f"--networks={args.networks} must look like cbr_tiny:48,resnet50:224")
        cost = drift_bench.measure(network, batch=args.batch, size=int(size), images=args.images, repeats=args.repeats)
        share = cost.share(args.every)
        print(
            f"{network:16} {int(size):4} px: comparison {cost.comparison:7.3f} s, training step {cost.step:7.4f} s: {share:.2%} of the time",
            flush=True,
        )


def _augment(args: argparse.Namespace) -> None:
    from transfer_jax import models
    from transfer_jax.data import augment
    from transfer_jax.tools import augmenting, timing

    platform.keep_large_buffers()
    rates = {preset: augmenting.measure(preset, args.batch, args.size, args.repeats) for preset in augment.PRESETS}
    step = timing.median(timing.training_step(models.create(args.network, 1), "binary", batch=args.batch, size=args.size), 3)
    print(f"batch {args.batch}, {args.size} px, 3 channels; a training step of {args.network} takes {step:.3f} s; {platform.describe()}")
    for preset, rate in rates.items():
        print(f"{preset:16} {rate:10,.0f} images/s {args.batch / rate / step:8.2%} of the step")


def main() -> None:
    """Runs the benchmark that the arguments describe."""
    args = _parser().parse_args()
    others = {"networks": _networks, "input": _input, "cca": _cca, "augment": _augment, "drift": _drift}
    if args.action in others:
        others[args.action](args)
    elif args.contestant:
        print(json.dumps(_contestant(args)))
    else:
        _all(args)


if __name__ == "__main__":
    command.run(main)
