import numpy as np
import pytest
from made_scores import GRADES, LABELS, counted, grades, labels, whole
from sklearn import metrics as sklearn

from transfer_jax import metrics
from transfer_jax.core.errors import ConfigError
from transfer_jax.metrics import curves


def infinite(array):
    return np.nan_to_num(array, posinf=1e300, neginf=-1e300)


@pytest.mark.parametrize("case", LABELS)
def test_curves_are_those_of_scikit_learn(case):
    scored = LABELS[case]
    for i, name in enumerate(scored.outputs):
        scores, truth = counted(scored, i)
        roc, precision_recall = curves.roc(scored, name), curves.precision_recall(scored, name)
        flawed = not len(truth) or np.isnan(scores).any()
        if flawed or truth.min() == truth.max():
            assert not roc.thresholds.size
        else:
            false, true, at = sklearn.roc_curve(truth, scores, drop_intermediate=False)
            np.testing.assert_allclose(roc.false_positive_rate, false)
            np.testing.assert_allclose(roc.sensitivity, true)
            np.testing.assert_array_equal(infinite(roc.thresholds), infinite(at))
        if flawed or not truth.any():
            assert not precision_recall.recall.size
        else:
            precision, recall, at = sklearn.precision_recall_curve(truth, scores)
            np.testing.assert_allclose(precision_recall.precision, precision)
            np.testing.assert_allclose(precision_recall.recall, recall)
            np.testing.assert_array_equal(infinite(precision_recall.thresholds[:-1]), at)


def test_the_area_below_the_curve_is_the_auc():
    scored = labels(60, seed=40, levels=2)
    roc = curves.roc(scored)
    (value,) = metrics.measure(scored, ["auc"])
    area = sklearn.auc(roc.false_positive_rate, roc.sensitivity)
    assert area == pytest.approx(value.value, abs=1e-12)


def ece(diagram):
    filled = diagram.counts > 0
    gaps = np.abs(diagram.accuracy - diagram.confidence)[filled]
    return (gaps * diagram.counts[filled]).sum() / diagram.counts.sum()


@pytest.mark.parametrize("scored", [labels(200, seed=41), grades(200, seed=42)])
def test_reliability_explains_the_calibration_error(scored):
    diagram = curves.reliability(scored)
    (value,) = metrics.measure(scored, ["ece"])
    assert ece(diagram) == pytest.approx(value.value, abs=1e-12)
    np.testing.assert_allclose(np.diff(diagram.centres), 1 / 15)
    assert len(curves.reliability(scored, number=4).counts) == 4


@pytest.mark.parametrize("case", GRADES)
def test_tables_of_difficult_grades(case):
    scored = GRADES[case]
    scores, classes = whole(scored)
    matrix, diagram = curves.confusion(scored), curves.reliability(scored)
    one = curves.confusion(scored, scored.outputs[1])
    if not len(classes) or np.isnan(scores).any():
        assert not matrix.any() and not diagram.counts.any() and not one.any()
        return
    outputs = range(len(scored.outputs))
    expected = sklearn.confusion_matrix(classes, scores.argmax(axis=1), labels=outputs)
    np.testing.assert_array_equal(matrix, expected)
    assert diagram.counts.sum() == len(classes) == one.sum()
    assert (one[1, 1], one[1].sum()) == (matrix[1, 1], matrix[1].sum())
    both = 0 < (classes == 0).sum() < len(classes)
    points = len(np.unique(scores[:, 0])) + 1 if both else 0
    assert len(curves.roc(scored, scored.outputs[0]).thresholds) == points


def test_confusion_of_a_label():
    scored = labels(50, 2, seed=43)
    scores, truth = counted(scored, 1)
    expected = sklearn.confusion_matrix(truth, scores >= 0)
    np.testing.assert_array_equal(curves.confusion(scored, "label 1"), expected)


def test_outputs_have_names():
    with pytest.raises(ConfigError, match="no output 'label2': did you mean 'label 2'"):
        curves.roc(labels(9, 3), "label2")
    with pytest.raises(ConfigError, match="no output ''"):
        curves.confusion(labels(9, 3))
