import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import models, optim
from transfer_jax.core import mesh as meshes
from transfer_jax.losses import weighted_mean
from transfer_jax.metrics import averages
from transfer_jax.objectives.supervised import Supervised
from transfer_jax.optim import schedules
from transfer_jax.train import state, step
from transfer_jax.train.judge import Judge

RNG = np.random.default_rng(0)
IMAGES = jnp.asarray(RNG.normal(size=(16, 32, 32, 3)), jnp.float32)
TARGETS = jnp.asarray(RNG.integers(0, 2, (16, 1)), jnp.float32)
WEIGHTS = jnp.ones((16, 1))


def build(mesh, optimizer="sgd", network="cbr_tiny", objective=Supervised(kind="binary")):
    module = models.create(network, 1)
    made = optim.build(optimizer, schedule=schedules.build("constant", 10))
    variables = jax.jit(lambda k: module.init(k, IMAGES[:1], train=False))(jax.random.key(0))
    hyper = optim.hyper({"sgd": 0.005, "adam": 2e-3}[optimizer], 1e-4)
    member = state.create(variables, jax.random.key(1), hyper, made, objective, module, mesh)
    return (
        member,
        step.compile_step(step.make_step(module, objective, made), mesh),
        step.compile_predict(step.make_predict(module, objective), mesh),
    )


def on(mesh, images, targets, weights):
    """A batch on the devices."""
    batch = {"images": images, "targets": targets, "weights": weights}
    return {name: jax.device_put(np.asarray(a), meshes.batched(mesh)) for name, a in batch.items()}


def losses(mesh, steps, **options):
    member, train_step, _ = build(mesh, **options)
    values = []
    for _ in range(steps):
        member = train_step(member, on(mesh, IMAGES, TARGETS, WEIGHTS))
        values.append(averages.compute(member.averages)["loss"])
        member = member.replace(averages=state.on_mesh(averages.empty(("loss", "accuracy")), mesh))
    return values, member


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_training_on_one_batch_learns_it(one_device, optimizer):
    values, member = losses(one_device, 8, optimizer=optimizer)
    assert values[-1] < 0.5 * values[0]
    assert int(member.step) == 8


def test_eight_devices_do_what_one_does(one_device):
    # One step: the next ones magnify the rounding of the first (ReLUs and maxima change sides).
    one, member_one = losses(one_device, 1)
    eight, member_eight = losses(meshes.create(), 1)
    np.testing.assert_allclose(one, eight, rtol=1e-5)
    for a, b in zip(
        jax.tree.leaves(member_one.variables), jax.tree.leaves(member_eight.variables), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=5e-5)


def test_rows_that_do_not_count_teach_nothing(one_device):
    # Two rows whose weight is zero, whatever is in them: the step is that of the others.
    weights = WEIGHTS.at[3].set(0).at[7].set(0)
    results = []
    for value in (0.0, 1.0):
        member, train_step, _ = build(one_device)
        targets = TARGETS.at[3].set(value).at[7].set(value)
        results.append(train_step(member, on(one_device, IMAGES, targets, weights)).params)
    for a, b in zip(jax.tree.leaves(results[0]), jax.tree.leaves(results[1]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_weighted_means_are_over_those_that_count():
    values, weights = (
        jnp.asarray([[1.0], [2.0], [3.0], [4.0]]),
        jnp.asarray([[2.0], [0.0], [0.5], [0.5]]),
    )
    assert float(weighted_mean(values, weights)) == pytest.approx((2 * 1 + 0.5 * 3 + 0.5 * 4) / 3)
    assert float(weighted_mean(values, 0 * weights)) == 0.0


def test_one_compilation_serves_members_of_other_hyper_parameters(one_device):
    member, train_step, _ = build(one_device)
    for rate in (0.1, 0.01):
        member = member.replace(
            hyper=jax.device_put(optim.hyper(rate, 0.0), meshes.replicated(one_device))
        )
        member = train_step(member, on(one_device, IMAGES, TARGETS, WEIGHTS))
    assert train_step._cache_size() == 1


def test_prediction_and_evaluation_count_rows_that_count(one_device):
    member, _, predict = build(one_device)
    whole = predict(member.variables, {}, on(one_device, IMAGES, TARGETS, WEIGHTS))
    scores, loss = whole.scores, whole.loss
    assert scores.shape == (16, 1)
    assert float(whole.count) == 16
    halves = [
        on(one_device, IMAGES[:8], TARGETS[:8], WEIGHTS[:8]),
        on(one_device, IMAGES[8:], TARGETS[8:], WEIGHTS[8:]),
    ]
    padding = on(one_device, IMAGES[:8] * 9, 1 - TARGETS[:8], 0 * WEIGHTS[:8])
    judge = Judge(Supervised(kind="binary"), predict, ("a",), exclusive=False)
    report = judge.evaluate({"a": (member.variables, {})}, [*halves, padding])["a"]
    positive, negative = scores[TARGETS[:, 0] > 0.5, 0], scores[TARGETS[:, 0] < 0.5, 0]
    wanted = np.mean(np.asarray(positive)[:, None] > np.asarray(negative)[None])
    assert report["auc"] == pytest.approx(float(wanted), abs=1e-9)
    assert report["loss"] == pytest.approx(float(loss) / 16, rel=1e-5)


def test_multiclass_evaluation_is_one_against_the_rest(one_device):
    module = models.create("cbr_tiny", 3)
    objective = Supervised(kind="multiclass")
    variables = module.init(jax.random.key(0), IMAGES[:1], train=False)
    targets = jnp.asarray(np.arange(16) % 3, jnp.float32)[:, None]
    batch = on(one_device, IMAGES, targets, WEIGHTS)
    predict = step.compile_predict(step.make_predict(module, objective), one_device)
    judge = Judge(objective, predict, ("a=0", "a=1", "a=2"), exclusive=True)
    report = judge.evaluate({"a": (variables, {})}, [batch])["a"]
    by_class = [report[f"auc/a={i}"] for i in range(3)]
    assert report["auc"] == pytest.approx(np.mean(by_class))
