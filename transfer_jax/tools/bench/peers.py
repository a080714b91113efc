"""Contestants of the benchmarks: PyTorch's training step beside ours, TensorFlow's input pipeline.

torch and TensorFlow are optional and heavy, so that the functions that use them import them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from transfer_jax import models
from transfer_jax.core import platform
from transfer_jax.tools.bench import timing

OURS = "transfer_jax"
CONTESTANTS = {
    OURS: "as `main` runs it: freed buffers are kept",
    "transfer_jax, plain allocator": "glibc's defaults",
    "torch": "PyTorch as it comes (NCHW)",
    "torch, channels_last": "PyTorch in its fast layout for CPUs",
    "torch, channels_last, kept buffers": "the same, and freed buffers are kept",
}


def step_seconds(args: argparse.Namespace) -> list[float]:
    """Returns the seconds of single training steps of a contestant, in this process.

    Args:
      args: Arguments of the benchmark `step`, with the contestant.
    """
    if args.contestant == OURS or args.contestant.endswith("kept buffers"):
        platform.keep_large_buffers()
    network = models.create(args.network, 1)
    if args.contestant.startswith(OURS):
        step = timing.training_step(network, "binary", batch=args.batch, size=args.size)
        return timing.seconds(step, args.repeats, warm_up=3)
    return torch_step_seconds(
        network.widths,
        network.kernel,
        network.pools,
        batch=args.batch,
        size=args.size,
        repeats=args.repeats,
        channels_last="channels_last" in args.contestant,
    )


def torch_step_seconds(
    widths: tuple[int, ...],
    kernel: int,
    pools: int,
    *,
    batch: int,
    size: int,
    repeats: int,
    channels_last: bool,
) -> list[float]:
    """Returns seconds of single CBR training steps in float32 (forward, backward, Adam), after
    warm-up.

    Args:
      widths: Number of channels per block.
      kernel: Side of the convolution kernels, pixels.
      pools: Number of blocks that end in a max pool.
      batch: Number of images per step.
      size: Side of the images, pixels.
      repeats: Number of steps measured.
      channels_last: Whether to use PyTorch's memory format for NHWC, its fast one on CPUs; its
        default is NCHW.
    """
    import torch

    layers: list[Any] = []
    before = 3
    for i, width in enumerate(widths, start=1):
        layers += [
            torch.nn.Conv2d(before, width, kernel, padding=kernel // 2, bias=False),
            torch.nn.BatchNorm2d(width),
            torch.nn.ReLU(),
        ]
        layers += [torch.nn.MaxPool2d(3, 2, 1)] if i <= pools else []
        before = width
    network = torch.nn.Sequential(
        *layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(before, 1)
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = network.to(device, memory_format=layout)
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.standard_normal((batch, 3, size, size), np.float32)).to(
        device, memory_format=layout
    )
    targets = torch.from_numpy(rng.integers(0, 2, (batch, 1)).astype(np.float32)).to(device)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    seconds = []
    for _ in range(repeats + 3):
        start = time.perf_counter()
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(network(images), targets).backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return seconds[3:]


def tf_data(
    files: list[str], encoding: str, shape: tuple[int, int, int], batch: int
) -> Iterator[Any]:
    """Returns endless shuffled batches of records through tf.data, as its guide advises: read and
    decoded in parallel, and prefetched.

    Args:
      files: Paths of the shards.
      encoding: Encoding of the images.
      shape: Height, width and channels of an image.
      batch: Number of images per batch.
    """
    import tensorflow as tf

    spec = {"image": tf.io.FixedLenFeature([], tf.string)}

    def decode(payload: Any) -> Any:
        data = tf.io.parse_single_example(payload, spec)["image"]
        if encoding == "raw":
            return tf.reshape(tf.io.decode_raw(data, tf.uint8), shape)
        return tf.ensure_shape(
            tf.io.decode_image(data, channels=shape[2], expand_animations=False), shape
        )

    payloads = (
        tf.data.TFRecordDataset(files, num_parallel_reads=tf.data.AUTOTUNE).shuffle(1024).repeat()
    )
    return iter(
        payloads.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(batch)
        .prefetch(tf.data.AUTOTUNE)
        .as_numpy_iterator()
    )
