import jax
import numpy as np
import pytest
from flax import traverse_util
from test_step import IMAGES, TARGETS, WEIGHTS, on

from transfer_jax import models, optim
from transfer_jax.metrics.training import TrainMetrics
from transfer_jax.optim import schedules
from transfer_jax.train import objective, phases, state, step

GOAL = objective.classify("binary")


@pytest.fixture(scope="module")
def variables():
    module = models.create("cbr_tiny", 1)
    return jax.jit(lambda key: module.init(key, IMAGES[:1], train=False))(jax.random.key(0))


def factors_of(variables, trained, factor=1.0):
    paths = traverse_util.flatten_dict(variables["params"], sep="/")
    return {path: factor for path in paths if path.split("/")[0] in trained}


def phase(variables, mesh, first, trained, *, optimizer="adam", rate=1e-2, steps=10, frozen=(), factor=1.0):
    made = optim.build(optimizer, schedule=schedules.build("cosine", steps))
    factors = factors_of(variables, trained, factor)
    module = models.create("cbr_tiny", 1, frozen_batch_norm=frozen)
    return phases.Phase(first, made, factors, optim.hyper(rate, 1e-2), step.make_train_step(module, GOAL, made, mesh, factors, first))


def run(program, member, mesh, first, last):
    for done in range(first, last):
        member = program.step(member, done, *on(mesh, IMAGES, TARGETS, WEIGHTS))
    return member


def begin(program, variables, mesh):
    return program.begin(variables, jax.random.key(1), TrainMetrics)


def changed(before, after):
    """The top-level modules of which a bit has changed."""
    return {module for module in before if any((a != b).any() for a, b in zip(*map(jax.tree.leaves, (before[module], after[module])), strict=True))}


STAGES = ("conv1", "conv2", "conv3", "conv4")
BODY = {f"{kind}{i}" for i in range(1, 5) for kind in ("conv", "bn")}


def test_frozen_parameters_keep_every_bit_and_have_no_optimiser_state(one_device, variables):
    program = phases.Program([phase(variables, one_device, 0, {"head", "conv4", "bn4"}, frozen=STAGES[:3])], one_device)
    member = begin(program, variables, one_device)
    after = run(program, member, one_device, 0, 3)
    assert changed(variables["params"], after.params) == {"head", "conv4", "bn4"}
    assert changed(variables["batch_stats"], after.batch_stats) == {"bn4"}
    trained = sum(leaf.size for module in ("head", "conv4", "bn4") for leaf in jax.tree.leaves(variables["params"][module]))
    assert sum(leaf.size for leaf in jax.tree.leaves(after.optimizer_state)) == 2 * trained + 1  # Adam's two moments and its count


def test_frozen_stages_cost_no_backward_work(one_device, variables):
    def flops(trained):
        made = phase(variables, one_device, 0, trained)
        member = begin(phases.Program([made], one_device), variables, one_device)
        return made.step.lower(member, *on(one_device, IMAGES, TARGETS, WEIGHTS)).compile().cost_analysis()["flops"]

    everything, top, head = flops(BODY | {"head"}), flops({"head", "conv4", "bn4"}), flops({"head"})
    module = models.create("cbr_tiny", 1)
    forward = jax.jit(lambda v, x: module.apply(v, x, train=True, mutable=["batch_stats"])[0][0])
    alone = forward.lower(variables, IMAGES).compile().cost_analysis()["flops"]
    assert head < 1.1 * alone  # a forward pass, and the head's gradient
    assert alone < top < 0.75 * everything


def test_phases_follow_each_other_with_their_own_optimisers(one_device, variables):
    first = phase(variables, one_device, 0, {"head"}, optimizer="adam", rate=1e-3, steps=3, frozen=STAGES)
    second = phase(variables, one_device, 3, BODY | {"head"}, optimizer="sgd", rate=1e-4, steps=4)
    program = phases.Program([first, second], one_device)
    head_only = run(program, begin(program, variables, one_device), one_device, 0, 3)
    assert changed(variables["params"], head_only.params) == {"head"}
    assert changed(variables["batch_stats"], head_only.batch_stats) == set()
    kept = jax.tree.map(np.asarray, head_only.params)
    after = run(program, head_only, one_device, 3, 5)
    assert changed(kept, after.params) == BODY | {"head"}
    assert float(after.hyper.learning_rate) == pytest.approx(1e-4)
    # The second phase alone, from where the first ended, does the same: nothing of the first is left in it.
    alone = phases.Program([phase(variables, one_device, 0, BODY | {"head"}, optimizer="sgd", rate=1e-4, steps=4)], one_device)
    begun = begin(alone, {"params": kept, "batch_stats": variables["batch_stats"]}, one_device)
    for a, b in zip(jax.tree.leaves(run(alone, begun, one_device, 0, 2).params), jax.tree.leaves(after.params), strict=True):
        np.testing.assert_array_equal(a, b)


def test_checkpoints_know_the_shapes_of_every_phase(one_device, variables):
    program = phases.Program(
        [phase(variables, one_device, 0, {"head"}), phase(variables, one_device, 2, BODY | {"head"}, optimizer="sgd")], one_device
    )
    fresh = begin(program, variables, one_device)
    member, shapes = fresh, {0: jax.tree.structure(fresh)}
    for done in range(4):
        shapes[done] = jax.tree.structure(member)
        assert jax.tree.structure(program.like(begin(program, variables, one_device), done)) == shapes[done]
        member = program.step(member, done, *on(one_device, IMAGES, TARGETS, WEIGHTS))
    assert shapes[2] == shapes[0] != shapes[3]  # the second phase's state is made by its first step


def test_factors_scale_the_learning_rate(one_device, variables):
    after = {}
    for factor in (1.0, 0.25):
        program = phases.Program([phase(variables, one_device, 0, BODY | {"head"}, optimizer="sgd", rate=1e-2, factor=factor)], one_device)
        after[factor] = run(program, begin(program, variables, one_device), one_device, 0, 1).params
    for before, whole, quarter in zip(*map(jax.tree.leaves, (variables["params"], after[1.0], after[0.25])), strict=True):
        np.testing.assert_allclose(quarter - before, 0.25 * (whole - before), atol=1e-6)


def test_splitting_parameters_and_joining_them_is_nothing(variables):
    trained, frozen = state.split(variables["params"], {"conv1/kernel": 1.0})
    assert list(trained) == ["conv1/kernel"]
    joined = state.joined(trained, frozen)
    assert jax.tree.structure(joined) == jax.tree.structure(variables["params"])
    assert all(a is b for a, b in zip(jax.tree.leaves(joined), jax.tree.leaves(variables["params"]), strict=True))
