import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from transfer_jax.analysis import filter_grid
from transfer_jax.train.event_file import Writer
from transfer_jax.train.progress import Progress


def test_tensorboard_reads_what_is_written(tmp_path):
    with Writer(tmp_path / "run") as writer:
        writer.hyper_parameters({"arm": "random", "rate": 0.1})
        for step in range(3):
            writer.scalars(step, {"auc": 0.5 + step / 10, "loss": 1.0})
        writer.image(2, "filters", np.zeros((4, 6, 3), np.uint8))
        writer.text(0, "parameters", "a table")
    found = EventAccumulator(str(tmp_path / "run"), size_guidance={"images": 0, "scalars": 0})
    found.Reload()
    assert [(e.step, e.value) for e in found.Scalars("auc")] == [
        (s, pytest.approx(0.5 + s / 10)) for s in range(3)
    ]
    assert (found.Images("filters")[0].width, found.Images("filters")[0].height) == (6, 4)
    assert found.Tensors("parameters")[0].tensor_proto.string_val == [b"a table"]
    assert "_hparams_/session_start_info" in found.PluginTagToContent("hparams")


def test_progress_away_from_a_terminal_is_plain_lines(capsys):
    with Progress("source", 0, 10, 32) as progress:
        progress.note("AUC 0.9")
        progress.update(5)
        progress.update(10)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "source: step 0 of 10"
    assert lines[-1].startswith("source: step 10 of 10, ")
    assert "images/s, 0 s left, AUC 0.9" in lines[-1]


def test_filters_share_one_scale_and_zero_is_grey():
    kernel = np.zeros((5, 5, 3, 8))
    kernel[0, 0, 0, 0], kernel[0, 0, :, 1] = 1.0, -1.0
    picture = filter_grid.grid(kernel)
    assert picture.shape == (2 * 32 + 2, 4 * 32 + 2, 3)
    assert tuple(picture[2, 2]) == (255, 127, 127)
    assert tuple(picture[2, 34]) == (0, 0, 0)
    assert tuple(filter_grid.grid(kernel, scale=2.0)[2, 2]) == (191, 127, 127)
    assert filter_grid.grid(np.ones((3, 3, 1, 4))).dtype == np.uint8
