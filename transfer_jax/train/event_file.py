"""TensorBoard event files without TensorFlow.

The messages and the record format are those of the tensorboard package. Its EventFileWriter is not
used, since it imports TensorFlow (3 s) wherever that is installed.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.plugins.text import metadata as text_plugin
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util import tensor_util


class Writer:
    """Writes events of one member, readable at once; use it as a context."""

    def __init__(self, folder: str | Path) -> None:
        """Creates the folder and an event file in it."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        # Sortable by time, unlike any other file of the same program: TensorBoard reads the files
        # of a folder in name order.
        milliseconds, host = time.time_ns() // 10**6, socket.gethostname()
        name = f"events.out.tfevents.{milliseconds:014d}.{host}.{os.getpid()}"
        self._records = RecordWriter(open(folder / name, "xb"))
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def __enter__(self) -> Writer:
        """Returns itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Closes the file."""
        self._records.close()

    def _write(self, event: Event) -> None:
        self._records.write(event.SerializeToString())
        self._records.flush()

    def _add(self, step: int, values: list[Summary.Value]) -> None:
        self._write(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Writes tag -> number."""
        self._add(
            step,
            [Summary.Value(tag=tag, simple_value=float(value)) for tag, value in values.items()],
        )

    def image(self, step: int, tag: str, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """Writes an RGB image."""
        png = cv2.imencode(".png", image[..., ::-1])[1].tobytes()
        height, width = image.shape[:2]
        picture = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png)
        self._add(step, [Summary.Value(tag=tag, image=picture)])

    def text(self, step: int, tag: str, text: str) -> None:
        """Writes a text, which TensorBoard shows as Markdown."""
        tensor = tensor_util.make_tensor_proto(np.array([text.encode()], dtype=object))
        self._add(
            step,
            [
                Summary.Value(
                    tag=tag, metadata=text_plugin.create_summary_metadata(tag, ""), tensor=tensor
                )
            ],
        )

    def hyper_parameters(self, values: Mapping[str, str | float | int | bool]) -> None:
        """Writes the row of this member in TensorBoard's table of hyper-parameters."""
        self._write(Event(wall_time=time.time(), summary=hparams.hparams_pb(dict(values))))
