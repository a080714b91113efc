"""What tools.prepare keeps beside labels, sets of test images alone, and how images are resized."""

import cv2
import numpy as np
import PIL.Image
import pytest

from transfer_jax.data.storage import records, rows
from transfer_jax.data.storage.manifest import Manifest


def described(raw):
    """Adds columns to the raw table: sex, study and scanner."""
    path = raw / "labels.csv"
    header, *lines = path.read_text().splitlines()
    told = [
        f'{line},{"FM"[i // 2 % 2] if i else "n/a"},s{i % 2}," Scanner {i // 6}, old "'
        for i, line in enumerate(lines)
    ]
    path.write_text("\n".join([f"{header},sex,visit,scanner", *told]) + "\n")
    return raw


def test_columns_and_studies_reach_the_records(prepare, raw, tmp_path):
    options = ("--labels=side", "--size=32", "--study=visit", "--keep=sex, scanner")
    out = prepare(described(raw), f"--out={tmp_path}/set", *options)
    assert "note: images of 12 without a value in kept columns: sex: 1" in out
    manifest = Manifest.read(tmp_path / "set")
    assert manifest.columns == ("sex", "scanner")
    opened, _ = records.open_splits(tmp_path / "set", manifest, ["train", "val"])
    table = opened.rows
    assert table.columns["sex"].tolist() == ["", "F", *"MMFFMMFFMM"]
    assert table.columns["scanner"].tolist() == ["Scanner 0, old"] * 6 + ["Scanner 1, old"] * 6
    assert table.studies.tolist() == [f"p{i // 2}/s{i % 2}" for i in range(12)]
    assert set(table.labels) == {"side"}


def test_without_the_option_tables_have_no_columns(prepare, raw, tmp_path):
    prepare(described(raw), f"--out={tmp_path}/set", "--labels=side", "--size=32")
    manifest = Manifest.read(tmp_path / "set")
    table = rows.read(tmp_path / "set", manifest.splits["train"])
    assert (manifest.columns, table.columns) == ((), {})
    assert table.studies.tolist() == table.ids.tolist()
    assert (tmp_path / "set" / "train.csv").read_text().splitlines()[0] == "id,patient,side"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--keep=gender"], "no column 'gender'; it has image, patient, split, grade, side, sex"),
        (["--keep=sx"], "no column 'sx' (did you mean 'sex'?); it has image"),
        (["--keep=sex,"], "--keep=sex, must name different columns"),
        (["--study=vist"], "has no column 'vist': did you mean 'visit'?"),
        (["--resize=cubic"], "invalid choice: 'cubic'"),
        (["--splits=tset"], "must name different splits of train, val, test"),
        (["--splits=test"], "no image is in the split 'test', the set has train, val; --deal="),
        (["--split=", "--splits=test"], "the set has no splits of its own: give --deal, too"),
        (["--deal=test:0.5"], "add up to 1"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(prepare, raw, tmp_path, options, message):
    call = (described(raw), f"--out={tmp_path}/new/set", "--labels=side", *options)
    error = prepare(*call, check=2)
    assert error.startswith("transfer_jax: ") and message in error
    assert len(error.strip().splitlines()) == 1
    assert list((tmp_path / "new").glob("*")) == []


@pytest.mark.parametrize(
    ("options", "split", "count"),
    [(["--deal=test:1"], "test", 12), (["--splits=val"], "val", 4)],
)
def test_sets_without_training_images(prepare, raw, tmp_path, options, split, count):
    out = prepare(raw, f"--out={tmp_path}/set", "--labels=side", "--size=32", *options)
    assert f"{split}: {count} images" in out and "no study can train on it" in out
    manifest = Manifest.read(tmp_path / "set")
    assert (list(manifest.splits), manifest.mean) == ([split], ())
    opened, positions = records.open_splits(tmp_path / "set", manifest, [split])
    assert opened(positions[split]).shape == (count, 32, 32, 3)


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
def test_resizing_is_recorded_and_is_that_of_pillow(prepare, raw, tmp_path, method):
    options = ("--labels=side", "--size=33", "--fit=squash", "--encoding=png")
    prepare(raw, f"--out={tmp_path}/set", *options, f"--resize={method}")
    manifest = Manifest.read(tmp_path / "set")
    assert manifest.source["resize"] == method
    opened, positions = records.open_splits(tmp_path / "set", manifest, ["train"])
    for name, stored in zip(opened.rows.ids, opened(positions["train"]), strict=True):
        with PIL.Image.open(raw / str(name)) as file:
            resized = file.resize((33, 33), PIL.Image.Resampling[method.upper()])
        np.testing.assert_array_equal(stored, np.asarray(resized))


def test_area_is_recorded_where_nothing_is_said(prepare, raw, tmp_path):
    options = ("--labels=side", "--size=32", "--fit=squash", "--encoding=png")
    prepare(raw, f"--out={tmp_path}/set", *options)
    manifest = Manifest.read(tmp_path / "set")
    assert manifest.source["resize"] == "area"
    opened, _ = records.open_splits(tmp_path / "set", manifest, ["train"])
    data = np.frombuffer((raw / str(opened.rows.ids[0])).read_bytes(), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    expected = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(opened(np.arange(1))[0], expected)
