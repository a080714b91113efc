import numpy as np
import pytest
from made_scores import GRADES, against_rest, changed, check, grades, labels, whole
from scipy import special
from sklearn import metrics as sklearn

from transfer_jax import metrics
from transfer_jax.core.errors import ConfigError
from transfer_jax.metrics.grades import referable


@pytest.mark.parametrize("first", [1, 2, 4])
def test_referable_is_the_sum_of_probabilities(first):
    logits = np.random.default_rng(0).normal(0, 2, (200, 5))
    scored = changed(grades(200), log_odds=((), against_rest(logits)))
    referred = referable(scored, first)
    probability = special.softmax(logits, axis=1)[:, first:].sum(axis=1)
    np.testing.assert_allclose(special.expit(referred.log_odds[:, 0]), probability, rtol=1e-12)
    truth = scored.indicators.argmax(axis=1) >= first
    np.testing.assert_array_equal(referred.indicators[:, 0] > 0.5, truth)
    assert referred.outputs == (f"grade>={first}",) and not referred.exclusive
    (value,) = metrics.measure(referred, ["auc"])
    assert value.value == pytest.approx(sklearn.roc_auc_score(truth, probability), abs=1e-12)


def test_certain_predictions_keep_their_order():
    # Both probabilities are 1 in float64; the log-odds still tell which is more certain.
    logits = np.array([[0.0, 0.0, 50.0], [0.0, 0.0, 60.0], [60.0, 0.0, 0.0]])
    scored = changed(grades(3, 3), log_odds=((), against_rest(logits)))
    expected = logits[:, 2] - np.logaddexp(logits[:, 0], logits[:, 1])
    np.testing.assert_allclose(referable(scored, 2).log_odds[:, 0], expected, rtol=1e-12)


@pytest.mark.parametrize("case", GRADES)
def test_difficult_grades(case):
    scored = GRADES[case]
    referred = referable(scored, 1)
    assert referred.mask.sum() == scored.mask.all(axis=1).sum()
    rows = np.isnan(scored.log_odds).any(axis=1)
    np.testing.assert_array_equal(np.isnan(referred.log_odds[:, 0]), rows)


def test_images_without_a_possible_grade_have_no_score():
    scored = changed(grades(3, 3), log_odds=(1, -np.inf))
    np.testing.assert_array_equal(
        np.isnan(referable(scored, 1).log_odds[:, 0]), [False, True, False]
    )


def test_labels_may_hold_an_equals_sign():
    scored = grades(4, 3)
    named = type(scored)(
        log_odds=scored.log_odds, indicators=scored.indicators, mask=scored.mask,
        outputs=("a=b=0", "a=b=1", "a=b=2"), exclusive=True,
    )  # fmt: skip
    assert referable(named, 2).outputs == ("a=b>=2",)


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match="cannot begin at 5: the label has grades 0 to 4"):
        referable(grades(3), 5)
    with pytest.raises(ConfigError, match="cannot begin at 0"):
        referable(grades(3), 0)
    with pytest.raises(ConfigError, match="set task='multiclass'"):
        referable(labels(3), 1)


@pytest.mark.parametrize("case", GRADES)
def test_kappa(case):
    scored = GRADES[case]
    scores, classes = whole(scored)
    if not len(classes) or np.isnan(scores).any():
        number = "a score is NaN" if len(classes) else "no images"
    elif len(np.union1d(classes, scores.argmax(axis=1))) == 1:
        number = "one class only"
    else:
        predicted, outputs = scores.argmax(axis=1), range(len(scored.outputs))
        number = sklearn.cohen_kappa_score(classes, predicted, labels=outputs, weights="quadratic")
    check(metrics.measure(scored, ["kappa"]), {("kappa", ""): number})


def test_kappa_is_of_multiclass_tasks():
    check(metrics.measure(labels(9, 2), ["kappa"]), {("kappa", ""): "not a multiclass task"})
