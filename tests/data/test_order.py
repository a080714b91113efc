import numpy as np
import pytest

from transfer_jax.core.processes import Share
from transfer_jax.data import order
from transfer_jax.data.order import Order, shuffled

ROWS = np.arange(100, 150)
CLASSES = np.repeat([0, 1, 2], [35, 10, 5])


def made(seed=0, batch=10, draw=None, length=50):
    return Order(draw or shuffled(ROWS), length, batch, seed)


def test_every_epoch_holds_every_row_once_in_an_order_of_its_own():
    epochs = np.concatenate([made().batch(i) for i in range(10)]).reshape(2, 50)
    assert [sorted(epoch) for epoch in epochs.tolist()] == [ROWS.tolist()] * 2
    assert (epochs[0] != epochs[1]).any()


def test_batches_that_do_not_divide_an_epoch_lose_and_repeat_nothing():
    together = np.concatenate([made(batch=8).batch(i) for i in range(25)])
    assert [sorted(epoch.tolist()) for epoch in together.reshape(4, 50)] == [ROWS.tolist()] * 4


def test_the_order_depends_on_the_seed_alone_and_a_batch_on_its_number_alone():
    first, again = made(), made()
    assert (first.batch(7) == again.batch(7)).all()
    assert (first.batch(123) == again.batch(123)).all()
    assert (first.batch(7) != made(seed=1).batch(7)).any()


@pytest.mark.parametrize("processes", [2, 5])
def test_shares_side_by_side_are_the_whole_batch(processes):
    for number in range(12):
        parts = [made().batch(number, Share(i, processes)) for i in range(processes)]
        np.testing.assert_array_equal(np.concatenate(parts), made().batch(number))


def test_over_sampling_makes_classes_equal_and_loses_nobody():
    draw, length = order.over(ROWS, CLASSES)
    assert length == 105
    epochs = [draw(np.random.default_rng(i)) for i in range(4)]
    for epoch in epochs:
        assert np.bincount(CLASSES[epoch - 100]).tolist() == [35, 35, 35]
        assert set(epoch.tolist()) == set(ROWS.tolist())
        assert np.bincount(epoch - 100)[35:45].min() == 3  # 35 / 10: three or four times each
    assert sorted(epochs[0]) != sorted(epochs[1])
    together = np.concatenate(
        [made(draw=draw, length=length, batch=20).batch(i) for i in range(21)]
    )
    assert [np.bincount(CLASSES[epoch - 100]).tolist() for epoch in together.reshape(4, 105)] == [
        [35, 35, 35]
    ] * 4


def test_under_sampling_takes_as_many_of_each_and_others_each_epoch():
    draw, length = order.under(ROWS, CLASSES)
    assert length == 15
    seen = set()
    for i in range(40):
        epoch = draw(np.random.default_rng(i))
        assert len(set(epoch.tolist())) == 15
        assert np.bincount(CLASSES[epoch - 100]).tolist() == [5, 5, 5]
        seen |= set(epoch.tolist())
    assert seen == set(ROWS.tolist())


def test_weights_make_classes_weigh_the_same_and_are_one_on_average():
    weights = order.weights(CLASSES)
    assert weights.mean() == pytest.approx(1)
    assert [weights[c == CLASSES].sum() for c in range(3)] == pytest.approx([50 / 3] * 3)


def test_memory_of_an_order_is_a_few_epochs():
    many = order.Order(order.shuffled(np.arange(1000)), 1000, 100, 0)
    for number in range(0, 10_000, 10):
        many.batch(number)
    assert many._epoch.cache_info().currsize <= 3
