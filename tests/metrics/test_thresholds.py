import dataclasses

import numpy as np
import pytest
from made_scores import LABELS, by_name, counted, labels
from sklearn import metrics as sklearn

from transfer_jax import metrics
from transfer_jax.metrics import thresholds


def test_half_is_a_probability_of_one_half():
    np.testing.assert_array_equal(thresholds.half(labels(4, 3)), np.zeros(3))


@pytest.mark.parametrize("case", LABELS)
def test_youden_is_where_sensitivity_and_specificity_are_best(case):
    scored = LABELS[case]
    found = thresholds.youden(scored)
    for i, threshold in enumerate(found):
        scores, truth = counted(scored, i)
        undefined = not len(truth) or np.isnan(scores).any() or truth.min() == truth.max()
        assert np.isnan(threshold) == undefined
        if undefined:
            continue
        false, true, at = sklearn.roc_curve(truth, scores, drop_intermediate=False)
        best = (true - false)[1:].max()
        # The highest of the best ones; rounding may part those that are equal.
        expected = at[1:][(true - false)[1:] > best - 1e-12][0]
        assert np.nan_to_num(threshold, posinf=1e300, neginf=-1e300) == expected


def test_decisions_at_youdens_threshold():
    scored = labels(80, 2, seed=30)
    tuned = dataclasses.replace(scored, thresholds=thresholds.youden(scored))
    sensitivity, specificity = (
        by_name(metrics.measure(tuned, [name]))[name, "label 1"][0]
        for name in ("sensitivity", "specificity")
    )
    scores, truth = counted(scored, 1)
    false, true, _ = sklearn.roc_curve(truth, scores)
    assert sensitivity + specificity - 1 == pytest.approx((true - false).max())


def test_an_output_without_threshold_has_no_decisions():
    scored = LABELS["no positives"]
    tuned = dataclasses.replace(scored, thresholds=thresholds.youden(scored))
    found = by_name(metrics.measure(tuned, ["accuracy"]))
    assert found["accuracy", "label 1"][1] == "no threshold"
    assert found["accuracy", "label 0"][1] == "" == found["accuracy", ""][1]
