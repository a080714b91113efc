"""One image as a tf.train.Example, in the fields that tensorflow-datasets gives such a data set."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from transfer_jax.core.errors import DataError
from transfer_jax.data.spec import Manifest

_LABEL = "labels/"


@functools.cache
def _message() -> Any:
    # tensorflow-datasets ships the compiled message, so that TensorFlow is not needed; its import is slow, so not at the top.
    from tensorflow_datasets.proto import tf_example_pb2

    return tf_example_pb2.Example


def serialize(image: bytes, name: str, patient: str, labels: Mapping[str, int]) -> bytes:
    """An image's encoded bytes, its name, its patient and its labels as the bytes of a tf.train.Example."""
    message = _message()()
    feature = message.features.feature
    feature["image"].bytes_list.value.append(image)
    feature["id"].bytes_list.value.append(name.encode())
    feature["patient"].bytes_list.value.append(patient.encode())
    for label, value in labels.items():
        feature[_LABEL + label].int64_list.value.append(value)
    return message.SerializeToString(deterministic=True)


def image(payload: bytes) -> tuple[bytes, str]:
    """The encoded image in `payload`, and its name.

    Raises:
      DataError: it is no such example.
    """
    try:
        feature = _message().FromString(payload).features.feature
        return feature["image"].bytes_list.value[0], feature["id"].bytes_list.value[0].decode()
    except Exception as error:  # the protobuf library's DecodeError is not importable without it
        raise DataError(f"a record is not an example of this program ({type(error).__name__}: {error}): prepare the data set again") from error


def write_tfds_files(folder: Path, manifest: Manifest, version: str = "1.0.0") -> None:
    """Writes dataset_info.json and features.json, so that `tfds.builder_from_directory(folder)` reads the same shards."""
    import tensorflow_datasets as tfds
    from google.protobuf import json_format
    from tensorflow_datasets.core.proto import dataset_info_pb2

    if manifest.encoding == "raw":
        pixels = tfds.features.Tensor(shape=manifest.shape, dtype=np.uint8, encoding=tfds.features.Encoding.BYTES)
    else:
        pixels = tfds.features.Image(shape=manifest.shape, encoding_format=manifest.encoding)
    features = tfds.features.FeaturesDict(
        {
            "image": pixels,
            "id": tfds.features.Text(),
            "patient": tfds.features.Text(),
            "labels": {name: tfds.features.Scalar(np.int64) for name in manifest.labels},
        }
    )
    features.save_config(folder)
    info = dataset_info_pb2.DatasetInfo(name=manifest.name, version=version, file_format="tfrecord")
    info.citation = str(manifest.source.get("citation", ""))
    for split, content in manifest.splits.items():
        info.splits.append(
            dataset_info_pb2.SplitInfo(
                name=split,
                shard_lengths=[shard["records"] for shard in content["shards"]],
                num_bytes=sum(shard["bytes"] for shard in content["shards"]),
                filepath_template="{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
            )
        )
    (folder / "dataset_info.json").write_text(json_format.MessageToJson(info, preserving_proto_field_name=False))
