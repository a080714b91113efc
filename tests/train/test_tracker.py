"""Trackers: one interface, whatever is behind it."""

import contextlib
import json

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from transfer_jax.train.tracker import JsonLines, TensorBoard, Trackers


def test_everything_is_logged_everywhere(tmp_path):
    with contextlib.ExitStack() as stack:
        boards = TensorBoard(tmp_path / "boards", ("a-0", "b-0"), stack)
        tracker = Trackers([boards, JsonLines(tmp_path / "log.jsonl", stack)])
        assert tracker
        tracker.facts("a-0", {"arm": "a", "rate": 0.1})
        tracker.scalars("a-0", 2, {"auc": 0.5, "loss": float("nan")})
        tracker.scalars("b-0", 2, {"auc": 0.25})
        tracker.text("b-0", 2, "diverged", "a text")
        tracker.image("b-0", 2, "filters", np.zeros((4, 6, 3), np.uint8))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(line["member"], line["step"]) for line in lines] == [
        ("a-0", 0), ("a-0", 2), ("b-0", 2), ("b-0", 2),
    ]  # fmt: skip
    assert lines[0]["facts"] == {"arm": "a", "rate": 0.1}
    assert lines[1]["scalars"] == {"auc": 0.5, "loss": "nan"}
    assert lines[3]["text"] == {"diverged": "a text"}
    assert all(line["time"] > 1.7e9 for line in lines)
    for name, tags in (("a-0", ["auc", "loss"]), ("b-0", ["auc"])):
        events = EventAccumulator(str(tmp_path / "boards" / name), size_guidance={"images": 0})
        events.Reload()
        assert events.Tags()["scalars"] == tags
        assert events.Tags()["images"] == (["filters"] if name == "b-0" else [])


def test_a_resumed_training_appends(tmp_path):
    for step in (1, 2):
        with contextlib.ExitStack() as stack:
            JsonLines(tmp_path / "log.jsonl", stack).scalars("a", step, {"x": step})
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["scalars"]["x"] for line in lines] == [1.0, 2.0]


def test_processes_that_write_nothing_log_nothing():
    tracker = Trackers([])
    assert not tracker
    tracker.scalars("a", 1, {"x": 1.0})
    tracker.text("a", 1, "t", "text")
