import csv

import cv2
import numpy as np
import pytest

from transfer_jax.tools import prepare as tool


@pytest.fixture
def raw(tmp_path):
    """Twelve images in a table, with umlauts and spaces in their names."""
    folder = tmp_path / "röntgen bilder"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    with open(folder / "labels.csv", "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["image", "patient", "split", "grade", "side"])
        for i in range(12):
            name = f"images/bild {i} ä.png"
            ok, data = cv2.imencode(".png", rng.integers(0, 256, (40, 60, 3), np.uint8))
            assert ok
            (folder / name).write_bytes(data.tobytes())
            out.writerow(
                [
                    name,
                    f"p{i // 2}",
                    "train" if i < 8 else "val",
                    "" if i == 3 else i % 5,
                    "LR"[i % 2],
                ]
            )
    return folder


@pytest.fixture
def prepare(command):
    return command(tool.main)
