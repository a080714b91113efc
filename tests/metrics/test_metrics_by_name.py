import subprocess
import sys

import numpy as np
import pytest
from made_scores import GRADES, LABELS, by_name, grades, labels

from transfer_jax import metrics
from transfer_jax.core.errors import ConfigError
from transfer_jax.metrics import over_labels
from transfer_jax.metrics.scored import Number


def test_every_metric_follows_the_protocol():
    for name in metrics.METRICS:
        metric = metrics.create(name)
        assert isinstance(metric, metrics.Metric) and metric.__doc__
        for scored in (labels(20), labels(20, 3), grades(20, 6)):
            values = metric(scored)
            assert values[0][:2] == (name, "")
            labelled = [value.label for value in values if value.label]
            assert labelled in ([], list(scored.outputs))


@pytest.mark.parametrize("scored", [*LABELS.values(), *GRADES.values()])
def test_nothing_stops_the_metrics(scored):
    by_name(metrics.measure(scored, metrics.METRICS))


def test_metrics_are_measured_in_the_order_of_their_names():
    values = metrics.measure(labels(20), ("f1", "auc", "accuracy"))
    assert [value.metric for value in values] == ["f1", "auc", "accuracy"]


def test_metrics_of_classes_are_undefined_for_other_tasks():
    undefined = {v.metric for v in metrics.measure(labels(40, 7), metrics.METRICS) if v.reason}
    assert undefined == set(metrics.OF_CLASSES)
    assert not any(v.reason for v in metrics.measure(grades(200, 7), metrics.METRICS))


def test_an_unknown_metric():
    with pytest.raises(ConfigError, match="unknown metric 'acu': did you mean 'auc'"):
        metrics.measure(labels(4), ["acu"])


def test_means_leave_out_what_is_undefined():
    undefined = Number(float("nan"), "no positives")
    assert over_labels.mean([Number(1.0), undefined, Number(0.5)]) == (0.75, "")
    assert over_labels.mean([Number(1.0), undefined, Number(0.5)], [3, 9, 1]) == (0.875, "")
    other = Number(float("nan"), "no images")
    value, reason = over_labels.mean([undefined, other, undefined])
    assert np.isnan(value) and reason == "no positives; no images"


def test_scikit_learn_is_imported_by_those_that_need_it():
    code = (
        "import sys, transfer_jax.metrics.curves; from transfer_jax import metrics;"
        "[metrics.create(name) for name in metrics.METRICS]; print('sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
