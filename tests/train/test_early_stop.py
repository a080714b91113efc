import math

import pytest

from transfer_jax.train import early_stop


def history(diverged=(), **losses):
    """Entries of members; `diverged` holds (member, step) of evaluations that were not finite."""
    return [
        {"member": name, "step": 5 * i, "loss": loss, "diverged": (name, 5 * i) in diverged}
        for name, values in losses.items()
        for i, loss in enumerate(values)
    ]


def simulate(losses, patience):
    """Keras' EarlyStopping, written out: the evaluation after which it stops."""
    best, wait = math.inf, 0
    for i, loss in enumerate(losses):
        wait += 1
        if loss < best:
            best, wait = loss, 0
        if wait >= patience:
            return i
    return None


@pytest.mark.parametrize("patience", [1, 2, 3])
@pytest.mark.parametrize("losses", [[1, 0.9, 0.95, 0.96, 0.8, 0.81, 0.82, 0.83], [1, 1, 1, 1], [3, 2, 1, 0.5], [1, math.nan, math.nan, 0.5]])
def test_it_stops_when_keras_does(losses, patience):
    when = simulate(losses, patience)
    for seen in range(1, len(losses) + 1):
        stopped = early_stop.stopped(history(a=[0.0, *losses[:seen]]), patience)  # the first evaluation is before the first step
        assert (stopped == {"a"}) == (when is not None and seen - 1 >= when)


def test_members_stop_for_themselves():
    both = history(a=[9, 1, 2, 3], b=[9, 3, 2, 1])
    assert early_stop.stopped(both, 2) == {"a"}
    assert early_stop.stopped(both, None) == set()
    assert early_stop.stopped([], 2) == set()


def test_the_best_evaluation_is_the_first_lowest():
    assert early_stop.best(history(a=[0.1, 3, 1, 1, 2]))["step"] == 10
    assert early_stop.best(history(a=[0.1]))["step"] == 0
    assert early_stop.best(history(a=[1, math.nan, 5]))["step"] == 10


def test_a_first_loss_that_is_not_a_number_is_no_improvement():
    # Keras 3 takes it for the best one, which nothing improves on, and stops whatever comes after it.
    losses = [9, math.nan, 3, 2, 1, 1.5]
    assert early_stop.stopped(history(a=losses[:2]), 2) == set()
    assert early_stop.stopped(history(a=losses), 2) == set()
    assert early_stop.stopped(history(a=[*losses, 1.5]), 2) == {"a"}
    assert early_stop.best(history(a=losses))["step"] == 20


def test_a_diverged_member_stops_at_once_unless_it_is_to_go_on():
    entries = history(diverged=[("a", 10)], a=[9, 3, math.nan, 2, 1], b=[9, 3, 2, 1, 0.5])
    assert early_stop.diverged(entries) == {"a": 10}
    assert early_stop.stopped(entries, None) == {"a"}
    assert early_stop.stopped(entries, 3) == {"a"}
    assert early_stop.stopped(entries, None, "continue") == set()
    assert early_stop.diverged(history(a=[3, 2])) == {}


def test_nothing_after_a_divergence_is_the_best():
    entries = history(diverged=[("a", 10)], a=[9, 3, math.nan, 0.1])
    assert [entry["step"] for entry in early_stop.sound(entries)] == [0, 5]
    assert early_stop.best(entries)["step"] == 5
    assert early_stop.best(history(diverged=[("a", 5)], a=[9, 0.1, 0.1]))["step"] == 0
    assert early_stop.best(history(diverged=[("a", 0)], a=[math.nan, 0.1]))["step"] == 0
