"""What the benchmarks do and print: one function per subcommand.

Each function imports what it measures, so that no benchmark loads the libraries of another.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable

from transfer_jax.core import platform
from transfer_jax.core.errors import UserError
from transfer_jax.tools.bench.peers import CONTESTANTS, OURS


def step(args: argparse.Namespace) -> None:
    """Times a training step of every contestant, round by round."""
    from transfer_jax.tools.bench import timing

    options = [
        f"--{name}={getattr(args, name)}" for name in ("network", "batch", "size", "repeats")
    ]
    seconds: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    for _ in range(args.rounds):
        for name in CONTESTANTS:
            line, error = timing.in_own_process("step", *options, f"--contestant={name}")
            if error:
                hint = (
                    "install it with: python -m pip install -e '.[peers]'"
                    if "No module named 'torch'" in error
                    else "run it alone with --contestant"
                )
                raise UserError(f"{name} failed: {error}; {hint}")
            seconds[name] += json.loads(line)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(
        f"{args.network}, batch {args.batch}, {args.size} px, float32, Adam; {args.rounds} rounds"
        f" of {args.repeats} steps; {platform.describe()}"
    )
    for name, value in medians.items():
        print(
            f"{name:36} {1e3 * value:8.1f} ms  {value / medians[OURS]:5.2f} x ours  "
            f" {CONTESTANTS[name]}"
        )


def networks(args: argparse.Namespace) -> None:
    """Prints what every network costs."""
    from transfer_jax import models
    from transfer_jax.tools.bench import network_costs

    platform.keep_large_buffers()
    names = args.only.split(",") if args.only else models.names()
    print(
        f"1000 outputs, batch {args.batch}, {args.size} px, float32, Adam; medians of"
        f" {args.repeats}; {platform.describe()}\n"
    )
    print(
        "| network | layout | parameters | GFLOPs per image | forward, s | training step, s |\n"
        "| --- | --- | --- | --- | --- | --- |"
    )
    for name, layout in ((n, layout) for n in names for layout in models.layouts(n)):
        cost = network_costs.measure(
            name, layout, outputs=1000, batch=args.batch, size=args.size, repeats=args.repeats
        )
        flops = 2e-9 * cost.multiply_adds
        print(
            f"| {name} | {layout} | {cost.parameters:,} | {flops:.2f} | {cost.forward:.2f} |"
            f" {cost.train_step:.2f} |",
            flush=True,
        )


def reading(args: argparse.Namespace) -> None:
    """Prints the images per second of every mode of reading."""
    from transfer_jax.tools.bench import throughput

    rates = throughput.reading(
        args.data,
        size=args.size,
        count=args.count,
        encoding=args.encoding,
        phantom_name=args.images,
        batch=args.batch,
        rounds=args.rounds,
    )
    print(
        f"{args.data or f'{args.count} {args.images} phantoms of {args.size} px, {args.encoding}'},"
        f" batch {args.batch}; {platform.describe()}"
    )
    for name, rate in rates.items():
        print(
            f"{name:14} {rate:10,.0f} images/s {rate / rates['bare decoder']:7.2f} x the bare"
            f" decoder {rate / rates['streamed']:7.2f} x streamed"
        )


def _sizes(option: str, text: str) -> list[tuple[int, int]]:
    try:
        sizes = [(int(n), int(d)) for n, _, d in (size.partition("x") for size in text.split(","))]
    except ValueError as error:
        raise UserError(f"--{option}={text} must look like 10000x64,12544x256") from error
    if min(least for size in sizes for least in size) < 1:
        raise UserError(f"--{option}={text}: positions and channels are at least 1")
    return sizes


def cca(args: argparse.Namespace) -> None:
    """Prints the time of canonical correlations beside NumPy's."""
    from transfer_jax.tools.bench import cca_speed, stage_pairs

    if args.peak:
        print(cca_speed.peak(*_sizes("peak", args.peak)[0]))
        return
    sizes = _sizes("sizes", args.sizes) if args.sizes else cca_speed.SIZES
    if args.images < 1:
        raise UserError(f"--images={args.images} must be at least 1")
    memory = [] if args.memory == "none" else _sizes("memory", args.memory)
    print(
        f"medians of {args.repeats}; {platform.describe()}\n\n"
        f"{cca_speed.table(sizes, args.repeats)}",
        flush=True,
    )
    for n, d in memory:
        print(f"\n{cca_speed.peaks(n, d)}", flush=True)
    if args.stages != "none":
        print(
            "\n"
            + stage_pairs.table(
                args.stages, stage_pairs.STAGES[args.stages], args.images, repeats=args.repeats
            )
        )


def drift(args: argparse.Namespace) -> None:
    """Prints the cost of the live comparison with the first weights."""
    from transfer_jax.tools.bench import network_costs

    platform.keep_large_buffers()
    for name in ("batch", "images", "every", "repeats"):
        if getattr(args, name) < 1:
            raise UserError(f"--{name}={getattr(args, name)} must be at least 1")
    print(
        f"batch {args.batch}, {args.images} images looked at every {args.every} steps, medians of"
        f" {args.repeats}; {platform.describe()}"
    )
    for network, _, size in (each.partition(":") for each in args.networks.split(",")):
        if not size.isdigit():
            raise UserError(f"--networks={args.networks} must look like cbr_tiny:48,resnet50:224")
        cost = network_costs.compare(
            network, batch=args.batch, size=int(size), images=args.images, repeats=args.repeats
        )
        share = cost.share(args.every)
        print(
            f"{network:16} {int(size):4} px: comparison {cost.seconds:7.3f} s, training step"
            f" {cost.step:7.4f} s: {share:.2%} of the time",
            flush=True,
        )


def augment(args: argparse.Namespace) -> None:
    """Prints the images per second of every preset of augmentation."""
    from transfer_jax import models
    from transfer_jax.data.augment import PRESETS
    from transfer_jax.tools.bench import throughput, timing

    platform.keep_large_buffers()
    rates = {
        preset: throughput.augmentation(preset, args.batch, args.size, args.repeats)
        for preset in PRESETS
    }
    step = timing.median(
        timing.training_step(
            models.create(args.network, 1), "binary", batch=args.batch, size=args.size
        ),
        3,
    )
    print(
        f"batch {args.batch}, {args.size} px, 3 channels; a training step of {args.network} takes"
        f" {step:.3f} s; {platform.describe()}"
    )
    for preset, rate in rates.items():
        print(f"{preset:16} {rate:10,.0f} images/s {args.batch / rate / step:8.2%} of the step")


ALL: dict[str, Callable[[argparse.Namespace], None]] = {
    "networks": networks,
    "input": reading,
    "cca": cca,
    "augment": augment,
    "drift": drift,
}
