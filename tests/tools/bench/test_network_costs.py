import pytest

from transfer_jax.tools.bench import __main__, network_costs


def test_the_cost_of_a_comparison_is_a_share_of_the_training(command):
    out = command(__main__.main)(
        "drift", "--networks=cbr_tiny:32", "--images=32", "--batch=8", "--every=50", "--repeats=1"
    )
    line = out.splitlines()[-1]
    assert line.startswith("cbr_tiny           32 px: comparison") and line.endswith(
        "% of the time"
    )
    numbers = [
        float(word.rstrip("%"))
        for word in line.replace(":", " ").split()
        if word.rstrip("%").replace(".", "", 1).isdigit()
    ]
    _, comparison, step, share = numbers
    assert share == pytest.approx(100 * comparison / (50 * step), rel=0.02)


def test_a_comparison_twice_as_often_costs_twice_as_much():
    cost = network_costs.Comparison(seconds=2.0, step=0.1)
    assert cost.share(1000) == pytest.approx(0.02) and cost.share(500) == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("arg", "message"),
    [
        ("--networks=cbr_tiny", "must look like cbr_tiny:48,resnet50:224"),
        ("--every=0", "--every=0 must be at least 1"),
        ("--networks=cbr:32", "cbr"),
    ],
)
def test_what_cannot_be_measured_is_one_line(command, arg, message):
    error = command(__main__.main)("drift", arg, check=2)
    assert message in error and len(error.splitlines()) == 1
