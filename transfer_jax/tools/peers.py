"""What the bench measures beside this package: a PyTorch user's training step, a TensorFlow user's input pipeline."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np


def torch_step_seconds(widths: tuple[int, ...], kernel: int, pools: int, *, batch: int, size: int, repeats: int, channels_last: bool) -> list[float]:
    """Seconds of single CBR training steps in float32 (forward, backward, Adam), after warm-up.

    Args:
      widths: channels of the blocks.
      kernel: side of the convolution kernels, pixels.
      pools: blocks that end in a max pool.
      batch: images per step.
      size: side of the images, pixels.
      repeats: steps measured.
      channels_last: PyTorch's memory format for NHWC, its fast one on CPUs; its default is NCHW.
    """
    import torch

    layers: list[Any] = []
    before = 3
    for i, width in enumerate(widths, start=1):
        layers += [torch.nn.Conv2d(before, width, kernel, padding=kernel // 2, bias=False), torch.nn.BatchNorm2d(width), torch.nn.ReLU()]
        layers += [torch.nn.MaxPool2d(3, 2, 1)] if i <= pools else []
        before = width
    network = torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(before, 1))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = network.to(device, memory_format=layout)
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.standard_normal((batch, 3, size, size), np.float32)).to(device, memory_format=layout)
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


def tf_data(files: list[str], encoding: str, shape: tuple[int, int, int], batch: int) -> Iterator[Any]:
    """Endless shuffled batches of our records through tf.data, as its guide advises: parallel reading and decoding, prefetching."""
    import tensorflow as tf

    spec = {"image": tf.io.FixedLenFeature([], tf.string)}

    def decode(payload: Any) -> Any:
        data = tf.io.parse_single_example(payload, spec)["image"]
        if encoding == "raw":
            return tf.reshape(tf.io.decode_raw(data, tf.uint8), shape)
        return tf.ensure_shape(tf.io.decode_image(data, channels=shape[2], expand_animations=False), shape)

    found = tf.data.TFRecordDataset(files, num_parallel_reads=tf.data.AUTOTUNE).shuffle(1024).repeat()
    return iter(found.map(decode, num_parallel_calls=tf.data.AUTOTUNE).batch(batch).prefetch(tf.data.AUTOTUNE).as_numpy_iterator())
