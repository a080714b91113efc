import cv2
import numpy as np
import pytest

from transfer_jax.report.figures import stage_curves


def picture(png):
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)


def test_every_curve_with_its_spread_and_the_level_of_chance_is_drawn():
    one = {"A": [{"conv1": 0.9, "conv2": 0.5}]}
    several = {
        "A": [{"conv1": 0.9, "conv2": 0.5}, {"conv1": 0.7, "conv2": 0.3}],
        "B": [{"conv1": 0.2}],
    }  # B has no conv2
    drawn = [
        picture(stage_curves.layers(*of, measure="CCA"))
        for of in ((one,), (one, {"conv1": 0.1, "conv2": 0.2}), (several,))
    ]
    assert len({image.tobytes() for image in drawn}) == 3


def test_cells_without_a_value_stay_empty():
    values = np.array([[1.0, np.nan], [0.0, 0.5]])
    full, holed = (
        picture(stage_curves.heatmap(v, ("a", "b"), ("c", "d"), "t", ("A", "B")))
        for v in (np.nan_to_num(values), values)
    )
    assert full.shape == holed.shape
    assert (full != holed).any()


@pytest.mark.parametrize("repeats", [1, 3])
def test_agreement_beside_independent_mistakes(repeats):
    image = picture(
        stage_curves.agreement(
            {"grade": [(0.8, 0.6)] * repeats, "effusion": [(0.7, 0.7)] * repeats}
        )
    )
    assert image.std() > 10
