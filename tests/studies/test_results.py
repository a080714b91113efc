import math

import numpy as np
import pytest

from transfer_jax import settings
from transfer_jax.settings import Arm, Study
from transfer_jax.studies import comparison, report, results, tables

HISTORY = [
    {"member": member, "step": step, "auc": auc, "loss": 0.1}
    for member, curve in {"a-0": [0.5, 0.8, 0.7], "a-1": [0.5, 0.6, 0.9], "b-0": [0.5, 0.5, 0.6], "b-1": [0.5, 0.75, 0.74]}.items()
    for step, auc in zip((0, 10, 20), curve, strict=True)
]
STUDY = settings.Study(arms=(settings.Arm(name="a"), settings.Arm(name="b")), repeats=2, threshold_auc=0.75)


def test_summaries_by_hand():
    a, b = results.summaries(STUDY, results.rows(STUDY, HISTORY))
    assert a.final == results.Spread((0.7 + 0.9) / 2, math.sqrt(2) * 0.1) or abs(a.final.std - math.sqrt(0.02)) < 1e-12
    assert abs(a.best.mean - 0.85) < 1e-12
    assert (a.reached, a.steps.mean) == (2, 15.0)
    assert (b.reached, b.steps.mean) == (1, 10.0)
    assert math.isnan(b.steps.std)


def test_the_table_says_how_many_reached_the_threshold():
    text = tables.plain(tables.HEADER, [tables.cells(s) for s in results.summaries(STUDY, results.rows(STUDY, HISTORY))], 0.75)
    assert "steps to AUC >= 0.75" in text
    assert "0.800 ± 0.141" in text
    assert "10 (1 of 2)" in text
    nothing = results.Summary("c", 2, results.Spread(0.5, 0.0), results.Spread(0.5, 0.0), 0, results.Spread.of([]))
    assert tables.cells(nothing)[-1] == "not reached"


def test_csv_has_every_key_once():
    assert results.to_csv([{"a": 1}, {"a": 2, "b": "x,y"}]) == 'a,b\n1,\n2,"x,y"\n'


def test_the_page_escapes_and_is_one_file():
    page = report.page(
        "<t>", "lead & more", {"k": "<v>"}, [report.Section("s", "n", table=(("h",), (("<c>",),))), report.Section("p", "n", picture=b"png")]
    )
    assert "<t>" not in page
    assert "&lt;c&gt;" in page
    assert "lead &amp; more" in page
    assert "data:image/png;base64,cG5n" in page


def test_arms_are_compared_with_the_first_repeat_by_repeat():
    # Paired t interval by hand: differences 0.1, 0.2, 0.3 have mean 0.2, standard error 0.1 / sqrt(3), t(2, 0.975) = 4.302653.
    study = Study(arms=(Arm(name="a"), Arm(name="b", init="pretrained")), repeats=3)
    rows = [
        {"arm": arm, "final_auc": 0.5 + r / 10 + (0.1 * (r + 1) if arm == "b" else 0), "steps_to_threshold": steps}
        for arm, reached in (("a", (10, 20, None)), ("b", (5, 10, 15)))
        for r, steps in enumerate(reached)
    ]
    (found,) = comparison.differences(study, rows)
    assert found.arm == "b"
    assert found.auc.mean == pytest.approx(0.2)
    assert found.auc.half == pytest.approx(4.302653 * 0.1 / np.sqrt(3), rel=1e-6)
    assert not found.auc.clear
    assert (found.steps.mean, found.steps.number) == (-7.5, 2)
    assert tables.difference_cells(found)[3] == "2"
    assert comparison.Interval.of([1.0]).number == 1
    assert comparison.Interval.of([1.0, 1.1, 0.9]).clear
