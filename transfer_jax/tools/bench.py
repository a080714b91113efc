"""`python -m transfer_jax.tools.bench step|networks`: how fast, beside what else, on this machine.

`step` times one CBR training step (float32, Adam) of this package and of PyTorch. Every contestant runs in a process of its
own, as its user would run it, round by round in turn, so that a noisy machine is noisy for all of them. Needs the extra `peers`.
`networks` gives the parameters, the FLOPs, and the time of a forward pass and of a training step of every network.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

from transfer_jax.core import platform
from transfer_jax.core.errors import UserError
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
    return parser


def _own_step_seconds(args: argparse.Namespace) -> list[float]:
    import jax
    import jax.numpy as jnp
    import numpy as np

    from transfer_jax import models, optim
    from transfer_jax.core import mesh as meshes
    from transfer_jax.metrics.training import TrainMetrics
    from transfer_jax.optim import schedules
    from transfer_jax.train import objective, state, step

    module, mesh, rng = models.create(args.network, 1), meshes.create(1), np.random.default_rng(0)
    optimizer = optim.build("adam", schedule=schedules.build("constant", steps=1))
    images = jnp.asarray(rng.standard_normal((args.batch, args.size, args.size, 3), np.float32))
    targets = jnp.asarray(rng.integers(0, 2, (args.batch, 1)).astype(np.float32))
    variables = module.init(jax.random.key(0), images[:1], train=False)
    member = state.create(variables, jax.random.key(0), optim.hyper(1e-3, 0.0), optimizer, TrainMetrics, mesh)
    train_step = step.make_train_step(module, objective.classify("binary"), optimizer, mesh)
    seconds = []
    for _ in range(args.repeats + 3):
        start = time.perf_counter()
        member = jax.block_until_ready(train_step(member, images, targets, jnp.ones((args.batch, 1), bool)))
        seconds.append(time.perf_counter() - start)
    return seconds[3:]


def _contestant(args: argparse.Namespace) -> list[float]:
    from transfer_jax import models

    if args.contestant == _OURS or args.contestant.endswith("kept buffers"):
        platform.keep_large_buffers()
    if args.contestant.startswith(_OURS):
        return _own_step_seconds(args)
    network = models.create(args.network, 1)
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


def main() -> None:
    """Runs the benchmark that the arguments describe."""
    args = _parser().parse_args()
    if args.action == "networks":
        _networks(args)
    elif args.contestant:
        print(json.dumps(_contestant(args)))
    else:
        _all(args)


if __name__ == "__main__":
    command.run(main)
