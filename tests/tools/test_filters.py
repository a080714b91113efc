import cv2
import jax
import pytest

from transfer_jax import models, weights
from transfer_jax.tools import filters


@pytest.fixture
def draw(command):
    return command(filters.main)


def test_gabor_filters_of_any_size(draw, tmp_path):
    out = draw(f"--out={tmp_path}/g.png", "--kernel=7,3", "--channels=16,8")
    assert "Gabor, 7 x 7 x 3 x 16, Gabor, 3 x 3 x 3 x 8" in out
    assert cv2.imread(str(tmp_path / "g.png")).std() > 10


def test_the_first_layer_of_a_network_and_of_a_file(draw, tmp_path):
    module = models.create("cbr_tiny", 2, widths=(4, 4, 4, 4))
    shapes = models.shapes(module, 32)
    variables = jax.tree.map(lambda s: jax.random.normal(jax.random.key(0), s.shape), shapes)
    weights.export(variables, "cbr_tiny", tmp_path / "w", "torchvision", widths=(4, 4, 4, 4))
    draw(f"--out={tmp_path}/a.png", "--network=cbr_tiny", f"--weights={tmp_path}/w")
    draw(
        f"--out={tmp_path}/b.png",
        "--network=cbr_tiny",
        f"--weights={tmp_path}/w",
        "--init=resample:values",
    )
    of_file, resampled = (cv2.imread(str(tmp_path / name)) for name in ("a.png", "b.png"))
    assert of_file.shape == resampled.shape
    assert (of_file != resampled).any()
    error = draw(f"--out={tmp_path}/c.png", "--network=cbr_tiny", "--init=mean_var", check=2)
    assert "--init=mean_var begins from pretrained weights: give --weights" in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give either --kernel"),
        (("--kernel=3", "--network=cbr_tiny"), "give either --kernel"),
        (("--kernel=3", "--init=gabor"), "are read with --network only"),
        (("--kernel=3,5", "--channels=8"), "--kernel has 2 numbers and --channels 1"),
        (("--kernel=three",), "--kernel=three must be whole numbers"),
        (("--kernel=3", "--channels=0"), "--channels=0 must be positive"),
        (("--kernel=2",), "kernels of 3 x 3 pixels and more"),
        (("--network=cbr_tiny", "--init=gabr"), "did you mean 'gabor'"),
    ],
)
def test_mistakes(draw, tmp_path, options, message):
    assert message in draw(f"--out={tmp_path}/x.png", *options, check=2)
    assert not list(tmp_path.iterdir())
