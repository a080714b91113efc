"""One image as a tf.train.Example, in the fields that tensorflow-datasets gives such a data set.

The library is imported at the top on purpose, although that takes 0.3 s. While it is imported, it
replaces `builtins.__import__` for all threads, and on Python 3.11 two threads that meet there wait
for each other for ever. Records are read and written by threads, so the import must be over before
the first of them starts. TensorFlow is not needed: the library ships the compiled message.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from google.protobuf import json_format, message
from tensorflow_datasets.core.proto import dataset_info_pb2
from tensorflow_datasets.proto import tf_example_pb2

from transfer_jax.core.errors import DataError
from transfer_jax.data.storage.manifest import Manifest

_LABEL = "labels/"


def serialize(image: bytes, name: str, patient: str, labels: Mapping[str, int]) -> bytes:
    """Returns an image as a serialized tf.train.Example.

    Args:
      image: Encoded pixels.
      name: Name of the image.
      patient: Its patient.
      labels: Label -> value.
    """
    example = tf_example_pb2.Example()
    feature = example.features.feature
    feature["image"].bytes_list.value.append(image)
    feature["id"].bytes_list.value.append(name.encode())
    feature["patient"].bytes_list.value.append(patient.encode())
    for label, value in labels.items():
        feature[_LABEL + label].int64_list.value.append(value)
    return example.SerializeToString(deterministic=True)


def image(payload: bytes) -> tuple[bytes, str]:
    """Returns the encoded image in `payload` and the image's name.

    Raises:
      DataError: The payload is not an example that `serialize` has written.
    """
    try:
        feature = tf_example_pb2.Example.FromString(payload).features.feature
        return feature["image"].bytes_list.value[0], feature["id"].bytes_list.value[0].decode()
    except (message.DecodeError, IndexError, UnicodeDecodeError) as error:
        raise DataError(
            f"a record is not an example of this program ({type(error).__name__}: {error}):"
            " prepare the data set again"
        ) from error


def write_tfds_files(folder: Path, manifest: Manifest, version: str = "1.0.0") -> None:
    """Writes the files with which `tfds.builder_from_directory(folder)` reads the same shards.

    They are dataset_info.json and features.json.

    Args:
      folder: Folder of the data set.
      manifest: Its manifest.
      version: Version that tensorflow-datasets shows.
    """
    if manifest.encoding == "raw":
        pixels = tfds.features.Tensor(
            shape=manifest.shape, dtype=np.uint8, encoding=tfds.features.Encoding.BYTES
        )
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
    (folder / "dataset_info.json").write_text(
        json_format.MessageToJson(info, preserving_proto_field_name=False)
    )
