"""Scores as they are judged: classes, thresholds, studies."""

import dataclasses

import numpy as np
import pytest
from made_predictions import made, rule

from transfer_jax.core.errors import ConfigError
from transfer_jax.metrics import thresholds
from transfer_jax.runs import judging


def test_classes_are_judged_one_against_the_rest():
    table = made("multiclass")
    scored = judging.judge(table, rule("multiclass")).scored
    assert scored.exclusive
    np.testing.assert_array_equal(scored.indicators.argmax(1), table.images.targets[:, 0])
    np.testing.assert_array_equal(scored.mask, np.repeat(table.images.mask, 4, axis=1))


def test_a_study_has_the_highest_probability_of_its_images():
    table = made("multilabel", count=8)
    # Studies of one name are those of one patient: "s0" of p0 and "s0" of p1 are two.
    images = dataclasses.replace(table.images, studies=np.array(["s0"] * 8))
    judged = judging.judge(
        dataclasses.replace(table, images=images), rule("multilabel", per_study=True)
    )
    assert judged.patients.tolist() == ["p0", "p1", "p2", "p3"]
    by_study = table.log_odds.reshape(4, 2, 2).max(1)
    np.testing.assert_allclose(judged.scored.log_odds, by_study)
    present = (images.targets * images.mask).reshape(4, 2, 2).max(1)
    counts = images.mask.reshape(4, 2, 2).any(1)
    np.testing.assert_array_equal(judged.scored.mask, counts)
    np.testing.assert_array_equal(judged.scored.indicators[counts], present[counts])
    assert judged.columns["sex"].tolist() == ["F"] * 4


def test_studies_of_classes_are_told():
    with pytest.raises(ConfigError, match="no probability of a class"):
        judging.judge(made("multiclass"), rule("multiclass", per_study=True))


@pytest.mark.parametrize("kind", ["half", "youden", "validation"])
def test_thresholds_come_from_where_the_rule_says(kind):
    how = rule("binary", threshold=kind)
    test = judging.judge(made("binary", seed=1), how)
    validation = judging.judge(made("binary", count=60, seed=2), how).scored
    expected = {
        "half": np.zeros(1),
        "youden": thresholds.youden(test.scored),
        "validation": thresholds.youden(validation),
    }
    got = judging.with_thresholds(test, how, validation).scored.thresholds
    np.testing.assert_array_equal(got, expected[kind])


def test_a_threshold_of_no_validation_images_is_told():
    how = rule("binary", threshold="validation")
    with pytest.raises(ConfigError, match="choose 'half' or 'youden'"):
        judging.with_thresholds(judging.judge(made("binary"), how), how, None)
