"""Nothing is imported by threads: on Python 3.11 that can hang, see
`transfer_jax.data.storage.examples`.
"""

import json
import subprocess
import sys
import textwrap

import cv2
import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare import originals

# Prepares originals of several kinds, then reads them in every mode, in a process that has imported
# nothing yet; prints the modules that a thread other than the main one was the first to import.
PROGRAM = """
    import json, sys, threading
    from pathlib import Path

    import numpy as np

    class Watch:
        first_imported_by_threads = []

        def find_spec(self, name, path=None, target=None):
            if threading.current_thread() is not threading.main_thread():
                self.first_imported_by_threads.append(name)

    sys.meta_path.insert(0, Watch())

    from transfer_jax.core import mesh
    from transfer_jax.data.prepare import phantom, writer
    from transfer_jax.data import pipeline, resident
    from transfer_jax.data.storage import records
    from transfer_jax.data.storage.manifest import Manifest
    from transfer_jax.data.items import Item
    from transfer_jax.data.order import Order, shuffled
    from transfer_jax.data.prepare.shards import Form
    from transfer_jax.data.task import Targets

    folder = Path(sys.argv[1])
    items = list(phantom.items("fundus", size=16, counts={"train": 150}, seed=0))
    files = sorted((folder / "raw").iterdir())
    items += [Item(file.name, file.name, items[0].labels, file, "train") for file in files]
    form = Form(16, 3, encoding="png")
    writer.write(folder / "set", "set", items, form, source={}, most_rejected=0.5)

    manifest = Manifest.read(folder / "set")
    opened, positions = records.open_splits(folder / "set", manifest, ["train"])
    targets = Targets(*(np.ones((len(opened), 1), np.float32) for _ in range(2)))
    order = Order(shuffled(positions["train"]), len(opened), 16, seed=0)
    for load in (opened, opened.mapped(), None):
        batches = pipeline.train_batches(load, targets.columns(), order)
        for _ in range(12):
            next(batches)
    resident.put(opened, mesh.create(1))
    sys.stdout.write(json.dumps([len(opened), Watch.first_imported_by_threads]))
"""


def write_dicom(path):
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    file.Rows = file.Columns = 16
    file.BitsAllocated = file.BitsStored = 8
    file.HighBit, file.PixelRepresentation, file.SamplesPerPixel = 7, 0, 1
    file.PhotometricInterpretation = "MONOCHROME2"
    file.PixelData = bytes(range(256))
    file.save_as(path)


def test_threads_are_never_the_first_to_import_a_module(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    picture = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for i in range(4):
        write_dicom(raw / f"scan{i}.dcm")
        for suffix in (".png", ".jpg", ".tif"):
            (raw / f"{i}{suffix}").write_bytes(cv2.imencode(suffix, picture)[1].tobytes())
        (raw / f"damaged{i}.png").write_bytes(b"neither a PNG nor anything else")
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert json.loads(done.stdout) == [150 + 16, []]


def test_one_image_of_each_kind_is_decoded_and_errors_are_left_to_the_writer(tmp_path):
    decoded = []

    def array(number):
        decoded.append(number)
        raise DataError("damaged")

    (tmp_path / "damaged.png").write_bytes(b"")
    originals.preload(
        [lambda: array(1), tmp_path / "missing.jpg", tmp_path / "damaged.png", lambda: array(2)]
    )
    assert decoded == [1]
