"""Members that follow a schedule: phases, freezing, factors of the learning rate."""

import jax
import numpy as np
import pytest
from test_step import IMAGES, TARGETS, WEIGHTS, on

from transfer_jax import models
from transfer_jax.core.errors import ConfigError
from transfer_jax.objectives.supervised import Supervised
from transfer_jax.train import state
from transfer_jax.train.population import MemberSpec, Population
from transfer_jax.train.recipe import Phase, Recipe
from transfer_jax.train.schedule import MemberSchedule

ALL, HEAD, TOP = ("all=1",), ("head=1", "all=0"), ("head=1", "conv4=1", "all=0")
OBJECTIVE = Supervised(kind="binary")


@pytest.fixture(scope="module")
def variables():
    module = models.create("cbr_tiny", 1)
    return jax.jit(lambda key: module.init(key, IMAGES[:1], train=False))(jax.random.key(0))


def network(frozen):
    return models.create("cbr_tiny", 1, frozen_batch_norm=frozen)


def population(variables, mesh, *phases, **recipe):
    steps = sum(phase.steps for phase in phases)
    options = {"learning_rate": 1e-2, "weight_decay": 1e-2, "schedule": "cosine"} | recipe
    schedule = MemberSchedule.of(Recipe(steps=steps, phases=phases, **options))
    spec = MemberSpec(
        name="a", repeat=0, variables=variables, key=jax.random.key(1), schedule=schedule, facts={}
    )
    return Population([spec], network, OBJECTIVE, mesh)


def run(members, mesh, first, last):
    for done in range(first, last):
        members.step("a", done, on(mesh, IMAGES, TARGETS, WEIGHTS))
    return members.get("a")


def changed(before, after):
    """The top-level modules of which a bit has changed."""
    return {
        module
        for module in before
        if any(
            (a != b).any()
            for a, b in zip(*map(jax.tree.leaves, (before[module], after[module])), strict=True)
        )
    }


BODY = {f"{kind}{i}" for i in range(1, 5) for kind in ("conv", "bn")}


def test_frozen_parameters_keep_every_bit_and_have_no_optimiser_state(one_device, variables):
    after = run(population(variables, one_device, Phase(steps=10, rates=TOP)), one_device, 0, 3)
    assert changed(variables["params"], after.params) == {"head", "conv4", "bn4"}
    assert changed(variables["batch_stats"], after.batch_stats) == {"bn4"}
    trained = sum(
        leaf.size
        for module in ("head", "conv4", "bn4")
        for leaf in jax.tree.leaves(variables["params"][module])
    )
    moments = sum(leaf.size for leaf in jax.tree.leaves(after.optimizer_state))
    assert moments == 2 * trained + 1  # Adam's two moments and its count


def test_frozen_stages_cost_no_backward_work(one_device, variables):
    batch = on(one_device, IMAGES, TARGETS, WEIGHTS)

    def flops(rates):
        members = population(variables, one_device, Phase(steps=10, rates=rates))
        (program,) = members._programs.values()
        lowered = program.step.lower(members.get("a"), batch)
        return lowered.compile().cost_analysis()["flops"]

    everything, top, head = flops(ALL), flops(TOP), flops(HEAD)
    module = models.create("cbr_tiny", 1)
    forward = jax.jit(lambda v, x: module.apply(v, x, train=True, mutable=["batch_stats"])[0][0])
    alone = forward.lower(variables, IMAGES).compile().cost_analysis()["flops"]
    assert head < 1.1 * alone  # a forward pass, and the head's gradient
    assert alone < top < 0.75 * everything


def test_phases_follow_each_other_with_optimisers_of_their_own(one_device, variables):
    second = Phase(steps=4, optimizer="sgd", learning_rate=1e-4)
    members = population(
        variables, one_device, Phase(steps=3, rates=HEAD, learning_rate=1e-3), second
    )
    head_only = run(members, one_device, 0, 3)
    assert changed(variables["params"], head_only.params) == {"head"}
    assert changed(variables["batch_stats"], head_only.batch_stats) == set()
    kept = jax.tree.map(np.asarray, head_only.params)
    after = run(members, one_device, 3, 5)
    assert changed(kept, after.params) == BODY | {"head"}
    assert float(after.hyper.learning_rate) == pytest.approx(1e-4)
    # The second phase alone, from where the first ended, does the same: nothing of the first is
    # left.
    begun = {"params": kept, "batch_stats": variables["batch_stats"]}
    alone = run(population(begun, one_device, second), one_device, 0, 2)
    for a, b in zip(jax.tree.leaves(alone.params), jax.tree.leaves(after.params), strict=True):
        np.testing.assert_array_equal(a, b)


def test_checkpoints_know_the_shapes_of_every_phase(one_device, variables):
    phases = (Phase(steps=2, rates=HEAD), Phase(steps=2, optimizer="sgd"))
    members = population(variables, one_device, *phases)
    shapes = {}
    for done in range(4):
        shapes[done] = jax.tree.structure(members.get("a"))
        fresh = population(variables, one_device, *phases)
        planned = {"a": fresh.specs["a"].schedule}
        assert jax.tree.structure(fresh.like(done, planned)["a"]) == shapes[done]
        members.step("a", done, on(one_device, IMAGES, TARGETS, WEIGHTS))
    assert shapes[2] == shapes[0] != shapes[3]  # the second phase's state is made by its first step


def test_a_phase_that_ends_early_gives_way_to_the_next_without_a_new_program(one_device, variables):
    head, rest = Phase(steps=6, rates=HEAD), Phase(steps=4, warmup=2, optimizer="sgd")
    members = population(variables, one_device, head, rest)
    run(members, one_device, 0, 2)
    early = {"a": members.specs["a"].schedule.shortened(0, 2)}
    members.follow(early)
    kept = jax.tree.map(np.asarray, members.get("a").variables)
    after = run(members, one_device, 2, 4)
    assert (int(after.phase_start), early["a"].end) == (2, 6)
    # Schedule and warm-up count from the actual start: the same as the second phase alone.
    alone = population(kept, one_device, rest)
    for a, b in zip(
        jax.tree.leaves(run(alone, one_device, 0, 2).params),
        jax.tree.leaves(after.params),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
    # At its latest start it is the same program.
    late = population(variables, one_device, head, rest)
    late._programs = members._programs
    programs = {key: program.step._cache_size() for key, program in late._programs.items()}
    run(late, one_device, 0, 8)
    assert {key: p.step._cache_size() for key, p in late._programs.items()} == programs
    # Checkpoints of members whose phase began early have its shapes.
    fresh = population(variables, one_device, head, rest)
    assert jax.tree.structure(fresh.like(3, early)["a"]) == jax.tree.structure(after)
    assert jax.tree.structure(fresh.like(9, early)["a"]) == jax.tree.structure(after)
    gone = {"a": early["a"].stopped(1)}
    assert jax.tree.structure(fresh.like(9, gone)["a"]) == jax.tree.structure(fresh.get("a"))


def test_factors_scale_the_learning_rate(one_device, variables):
    after = {}
    for factor in (1.0, 0.25):
        phase = Phase(steps=10, rates=(f"all={factor}",), optimizer="sgd")
        after[factor] = run(population(variables, one_device, phase), one_device, 0, 1).params
    for before, whole, quarter in zip(
        *map(jax.tree.leaves, (variables["params"], after[1.0], after[0.25])), strict=True
    ):
        np.testing.assert_allclose(quarter - before, 0.25 * (whole - before), atol=1e-6)


def test_phases_that_differ_in_numbers_alone_share_a_compiled_step(one_device, variables):
    def spec(name, rate, **options):
        recipe = Recipe(steps=4, learning_rate=rate, **options)
        return MemberSpec(
            name=name,
            repeat=0,
            variables=variables,
            key=jax.random.key(1),
            schedule=MemberSchedule.of(recipe),
            facts={},
        )

    specs = [spec("a", 1e-2), spec("b", 1e-3), spec("c", 1e-2, optimizer="sgd")]
    assert len(Population(specs, network, OBJECTIVE, one_device)._programs) == 2


def test_an_arm_overrides_the_recipe_and_a_phase_overrides_both():
    recipe = Recipe(steps=4, learning_rate=0.1, weight_decay=0.2, rates=HEAD)
    arm = Recipe(
        steps=4, learning_rate=0.3, phases=(Phase(steps=1, weight_decay=0.5), Phase(steps=3))
    )
    (only,) = MemberSchedule.of(recipe).phases
    assert (only.learning_rate, only.weight_decay, only.rates) == (0.1, 0.2, HEAD)
    first, second = MemberSchedule.of(recipe, arm).phases
    assert (first.learning_rate, first.weight_decay, second.weight_decay) == (0.3, 0.5, 0.0)
    assert (first.first, second.first, second.steps) == (0, 1, 3)
    assert MemberSchedule.of(recipe, arm).at(0) is not MemberSchedule.of(recipe, arm).at(3)


def test_phases_must_add_up():
    with pytest.raises(ConfigError, match=r"the phases have 1 \+ 2 = 3 steps, the recipe 4"):
        MemberSchedule.of(Recipe(steps=4, phases=(Phase(steps=1), Phase(steps=2))))


def test_splitting_parameters_and_joining_them_is_nothing(variables):
    own = {"scale": np.ones(3)}
    trained, frozen = state.split(variables["params"], own, {"conv1/kernel": 1.0})
    assert list(trained) == ["conv1/kernel", "objective/scale"]
    joined, objective_params = state.joined(trained, frozen)
    assert objective_params["scale"] is own["scale"]
    assert jax.tree.structure(joined) == jax.tree.structure(variables["params"])
    assert all(
        a is b
        for a, b in zip(jax.tree.leaves(joined), jax.tree.leaves(variables["params"]), strict=True)
    )
