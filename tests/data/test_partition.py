"""What is said of labels on which no AUC can be computed."""

from pathlib import Path

import numpy as np
import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data import partition
from transfer_jax.data.partition import Part
from transfer_jax.data.task import Targets, Task

MULTILABEL = Task("multilabel", ("a", "b", "c"))


def judged(*columns, weights=None):
    values = np.array(columns, float).T
    return Targets(values, np.ones_like(values) if weights is None else np.array(weights, float).T)


def part(*val):
    return Part(np.arange(2), np.array(val, int), np.zeros(0, int))


def test_a_label_with_one_class_is_named():
    targets = judged([0, 1, 0, 1], [0, 1, 0, 0], [1, 1, 1, 1])
    assert (
        partition.unmeasured(MULTILABEL, targets, [part(0, 1, 2, 3)])
        == "The AUC is the mean over 2 of 3 labels: c is left out, since the validation images"
        " hold one class only of it."
    )
    said = partition.unmeasured(MULTILABEL, targets, [part(0, 1), part(0, 3), part(2, 3)])
    assert said.startswith("In fold 1 the AUC is the mean over 2 of 3 labels: c is left out")
    assert "In fold 2 the AUC is the mean over 1 of 3 labels: b, c are left out" in said


def test_what_does_not_count_is_no_class():
    targets = judged([0, 1], [0, 1], [0, 1], weights=([1, 1], [1, 1], [1, 0]))
    assert "2 of 3 labels: c is" in partition.unmeasured(MULTILABEL, targets, [part(0, 1)])
    assert partition.unmeasured(MULTILABEL, judged([0, 1], [0, 1], [1, 0]), [part(0, 1)]) == ""


def test_a_class_that_validation_lacks_is_named():
    task = Task("multiclass", ("grade",), classes=4)
    assert "over 3 of 4 classes: grade = 3 is left out" in partition.unmeasured(
        task, judged([0, 1, 2, 2]), [part(0, 1, 2, 3)]
    )


def test_one_class_of_everything_is_an_error():
    targets = judged([0, 1, 0], [0, 1, 0], [0, 1, 0])
    with pytest.raises(DataError, match="one class only of a, b, c"):
        partition.check_classes(Path("set"), MULTILABEL, targets, targets, part(2))
