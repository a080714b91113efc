"""Curves, reliability diagrams and confusion matrices hold the numbers that they are drawn from."""

import cv2
import numpy as np
import pytest
from matplotlib.colors import to_hex

from transfer_jax import metrics
from transfer_jax.metrics import curves
from transfer_jax.metrics.scored import Scored
from transfer_jax.report.figures import (
    confusion_matrices,
    operating_curves,
    reliability_diagram,
    style,
)


def scored(seed=0, count=80, positives=0.4):
    rng = np.random.default_rng(seed)
    truth = (rng.random((count, 1)) < positives).astype(float)
    return Scored(
        log_odds=truth + rng.normal(size=(count, 1)).round(1),
        indicators=truth,
        mask=np.ones((count, 1), bool),
        outputs=("finding",),
        exclusive=False,
    )


def lines(axes, name):
    return [line for line in axes.lines if line.get_label() == name]


def test_the_curve_of_a_single_repeat_is_drawn_as_it_is(drawn):
    one, roc = scored(), curves.roc(scored())
    (axes,) = drawn(operating_curves.roc, {"finding": {"a": [roc], "b": []}})
    (line,) = lines(axes, "a")
    np.testing.assert_array_equal(line.get_xdata(), roc.false_positive_rate)
    np.testing.assert_array_equal(line.get_ydata(), roc.sensitivity)
    assert len(axes.lines) == 3  # chance, a, and b without points
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("1 - specificity", "sensitivity")

    curve = curves.precision_recall(one)
    (axes,) = drawn(operating_curves.precision_recall, {"x": {"a": [curve]}}, {"x": 0.4})
    (line,) = lines(axes, "a")
    np.testing.assert_array_equal(line.get_xdata(), curve.recall)
    np.testing.assert_array_equal(line.get_ydata(), curve.precision)
    # Its steps hold each precision from its recall down to the next: the average precision.
    assert line.get_drawstyle() == "steps-post"
    area = -(np.diff(line.get_xdata()) * line.get_ydata()[:-1]).sum()
    assert area == pytest.approx(metrics.measure(one, ["average_precision"])[0].value)
    assert list(axes.lines[0].get_ydata()) == [0.4, 0.4]


def test_thick_lines_are_means_whose_areas_are_the_mean_metrics(drawn):
    several = [scored(seed, 300) for seed in range(3)]
    (axes,) = drawn(operating_curves.roc, {"x": {"a": [curves.roc(one) for one in several]}})
    (mean,) = lines(axes, "a")
    assert len(axes.lines) == 1 + 3 + 1
    area = np.trapezoid(mean.get_ydata(), mean.get_xdata())
    assert area == pytest.approx(mean_metric(several, "auc"), abs=0.005)
    assert (mean.get_xdata()[0], mean.get_ydata()[0], mean.get_ydata()[-1]) == (0, 0, 1)

    repeats = [curves.precision_recall(one) for one in several]
    (axes,) = drawn(operating_curves.precision_recall, {"x": {"a": repeats}}, {"x": 0.4})
    (mean,) = lines(axes, "a")
    # Precision is averaged at the recalls r / 200; each stands for the step below it.
    assert mean.get_ydata().mean() == pytest.approx(
        mean_metric(several, "average_precision"), abs=0.01
    )


def mean_metric(several, name):
    return np.mean([metrics.measure(one, [name])[0].value for one in several])


def test_a_label_without_positives_is_drawn_as_having_no_curve(drawn):
    none = curves.roc(scored(positives=0.0))
    panels = {"a": {"x": [curves.roc(scored())]}, "b": {"x": [none, none]}}
    first, second = drawn(operating_curves.roc, panels)
    assert [text.get_text() for text in second.texts] == ["no curve"]
    assert not first.texts
    assert not len(lines(second, "x")[0].get_xdata())


@pytest.mark.parametrize("arms", [1, 8, 9])
@pytest.mark.parametrize("labels", [1, 2, 4, 6])
def test_figures_of_few_and_many_arms_and_labels_are_laid_out_without_warning(arms, labels):
    roc = [curves.roc(scored(seed, 30)) for seed in range(2)]
    panels = {
        f"Enlarged Cardiomediastinum {i}": {f"transfusion_block{j}": roc for j in range(arms)}
        for i in range(labels)
    }
    image = cv2.imdecode(np.frombuffer(operating_curves.roc(panels), np.uint8), cv2.IMREAD_COLOR)
    height, width = image.shape[:2]
    assert width == (676 if labels == 1 else 1040)  # 5.2 or 8 inches of 130 pixels
    assert 500 < height < 1200
    assert image.std() > 10


def test_arms_keep_their_colours_and_get_other_dashes_when_those_begin_again(drawn):
    roc = [curves.roc(scored(count=20))]
    (axes,) = drawn(operating_curves.roc, {"x": {str(i): roc for i in range(10)}})
    arms = [lines(axes, str(i))[0] for i in range(10)]
    assert to_hex(arms[8].get_color()) == style.COLOURS[0].lower()
    assert (arms[0].get_linestyle(), arms[8].get_linestyle()) == ("-", "--")


def test_a_reliability_diagram_has_the_predictions_of_all_repeats_together(drawn):
    several = [scored(seed) for seed in range(3)]
    diagrams = {"a": [curves.reliability(one) for one in several], "b": []}
    axes = drawn(
        reliability_diagram.reliability, diagrams, {"a": "ECE 0.1", "b": ""}, ("p", "share")
    )
    together = Scored(
        log_odds=np.concatenate([one.log_odds for one in several]),
        indicators=np.concatenate([one.indicators for one in several]),
        mask=np.ones((240, 1), bool),
        outputs=("finding",),
        exclusive=False,
    )
    expected = curves.reliability(together)
    filled = expected.counts > 0
    above, below = axes[0], axes[2]  # two columns: a, b; then their counts
    dots = above.lines[-1]
    np.testing.assert_allclose(dots.get_xdata(), expected.confidence[filled])
    np.testing.assert_allclose(dots.get_ydata(), expected.accuracy[filled])
    assert [bar.get_height() for bar in below.patches] == expected.counts.tolist()
    assert above.get_title() == "a\nECE 0.1"
    assert len(above.lines) == 1 + 3 + 1


@pytest.mark.parametrize(("classes", "arms"), [(2, 1), (3, 4), (7, 8), (20, 1)])
def test_confusion_matrices_have_their_counts_in_the_cells(drawn, classes, arms):
    counts = np.random.default_rng(0).integers(0, 2000, (classes, classes))
    counts[0] = 0  # a class without images
    names = [f"a class with a rather long name {i}" for i in range(classes)]
    matrices = {str(i): counts + i for i in range(arms)}
    axes = drawn(confusion_matrices.confusion, matrices, names, "lesion")
    for i in range(arms):
        written = [int(text.get_text()) for text in axes[i].texts]
        assert written == (counts + i).ravel().tolist()
    shares = np.asarray(axes[0].images[0].get_array())
    np.testing.assert_allclose(shares[1:].sum(1), 1)
    assert (shares[0] == 0).all()
    assert (axes[0].get_xlabel(), axes[0].get_ylabel()) == ("predicted lesion", "true lesion")
