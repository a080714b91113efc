import sys

import pytest

from transfer_jax.core.errors import AnalysisError, UserError
from transfer_jax.tools.bench import __main__, cca_speed, stage_pairs

STAGES = {"conv1": (4, 3), "block1": (2, 5)}


def cells(table):
    names, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()
    )
    assert {len(row) for row in rows} == {len(names)}
    return [dict(zip(names, row, strict=True)) for row in rows]


def test_sizes_agree_with_numpy():
    rows = cells(cca_speed.table([(500, 8), (300, 16)], repeats=1))
    assert [(row["n"], row["d"]) for row in rows] == [("500", "8"), ("300", "16")]
    for row in rows:
        assert (
            float(row["largest error"]) < 1e-5
            and float(row["on the device"]) < 1e-4
            and float(row["here / floor"]) > 0
        )


def test_all_pairs_of_stages_agree_with_numpy():
    (row,) = cells(stage_pairs.table("small", STAGES, images=24, batch=12, repeats=1))
    assert row["stages"] == "small, 4 pairs, 24 images"
    assert float(row["largest error"]) < 1e-5 and float(row["on the device"]) < 1e-4
    assert float(row["NumPy / here"]) > 0 and float(row["here / floor"]) > 0


def test_too_few_images_for_the_widest_stage():
    with pytest.raises(AnalysisError, match="3 positions of 4 and 4 channels"):
        stage_pairs.measure({"block2": (1, 4)}, images=3, repeats=1)


def test_memory_does_not_depend_on_the_positions():
    few, many = cca_speed.measure_peaks(5_000, 64)
    assert few > 0 and many < few + 15e6  # two float32 activations of 50,000 positions are 26 MB


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sizes=10y3"], "must look like"),
        (["--memory=0x64"], "at least 1"),
        (["--images=0"], "--images=0 must be at least 1"),
    ],
)
def test_options_that_cannot_be(monkeypatch, options, message):
    monkeypatch.setattr(sys, "argv", ["bench", "cca", *options])
    with pytest.raises(UserError, match=message):
        __main__.main()
