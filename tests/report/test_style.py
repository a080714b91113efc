"""What all figures share."""

import pytest

from transfer_jax.report.figures import style


@pytest.mark.parametrize("width", [4, 5.2, 8])
@pytest.mark.parametrize("name", ["arm", "transfusion_conv1", "resample:spectrum_of_each_slice_xx"])
def test_a_legend_is_no_wider_than_its_figure(width, name):
    figure, axes_of = style.panels(1, width=width)
    for i in range(6):
        axes_of[0].plot([0, 1], [0, i], color=style.colour(i), label=f"{name}{i}")
    style.legend_below(figure, axes_of[0])
    figure.canvas.draw()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width
    assert style.png(figure).startswith(b"\x89PNG")
