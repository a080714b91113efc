import math

import pytest

from transfer_jax.core.errors import ConfigError
from transfer_jax.train import early_stop
from transfer_jax.train.recipe import Phase, Recipe
from transfer_jax.train.schedule import MemberSchedule


def history(diverged=(), **losses):
    """Entries of members; `diverged` holds (member, step) of evaluations that were not finite."""
    return [
        {"member": name, "step": 5 * i, "loss": loss, "diverged": (name, 5 * i) in diverged}
        for name, values in losses.items()
        for i, loss in enumerate(values)
    ]


def stopped(entries, patience, on_divergence="stop"):
    """The members of whose only phase the evaluations have taken something away."""
    recipe = Recipe(steps=1000, patience=patience)
    schedules = {entry["member"]: MemberSchedule.of(recipe) for entry in entries}
    followed = early_stop.followed(schedules, entries, on_divergence)
    return {name for name, schedule in followed.items() if schedule.end < 1000}


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
@pytest.mark.parametrize(
    "losses",
    [
        [1, 0.9, 0.95, 0.96, 0.8, 0.81, 0.82, 0.83],
        [1, 1, 1, 1],
        [3, 2, 1, 0.5],
        [1, math.nan, math.nan, 0.5],
    ],
)
def test_it_stops_when_keras_does(losses, patience):
    when = simulate(losses, patience)
    for seen in range(1, len(losses) + 1):
        # The first evaluation is before the first step.
        gone = stopped(history(a=[0.0, *losses[:seen]]), patience)
        assert (gone == {"a"}) == (when is not None and seen - 1 >= when)


def test_members_stop_for_themselves():
    both = history(a=[9, 1, 2, 3], b=[9, 3, 2, 1])
    assert stopped(both, 2) == {"a"}
    assert stopped(both, None) == set()
    assert stopped([], 2) == set()


def test_the_best_evaluation_is_the_first_lowest():
    assert early_stop.best(history(a=[0.1, 3, 1, 1, 2]))["step"] == 10
    assert early_stop.best(history(a=[0.1]))["step"] == 0
    assert early_stop.best(history(a=[1, math.nan, 5]))["step"] == 10


def test_a_first_loss_that_is_not_a_number_is_no_improvement():
    # Keras 3 takes it for the best one, which nothing improves on, and stops whatever comes after
    # it.
    losses = [9, math.nan, 3, 2, 1, 1.5]
    assert stopped(history(a=losses[:2]), 2) == set()
    assert stopped(history(a=losses), 2) == set()
    assert stopped(history(a=[*losses, 1.5]), 2) == {"a"}
    assert early_stop.best(history(a=losses))["step"] == 20


def test_a_diverged_member_stops_at_once_unless_it_is_to_go_on():
    entries = history(diverged=[("a", 10)], a=[9, 3, math.nan, 2, 1], b=[9, 3, 2, 1, 0.5])
    assert early_stop.diverged(entries) == {"a": 10}
    assert stopped(entries, None) == {"a"}
    assert stopped(entries, 3) == {"a"}
    assert stopped(entries, None, "continue") == set()
    assert early_stop.diverged(history(a=[3, 2])) == {}


def test_nothing_after_a_divergence_is_the_best():
    entries = history(diverged=[("a", 10)], a=[9, 3, math.nan, 0.1])
    assert [entry["step"] for entry in early_stop.sound(entries)] == [0, 5]
    assert early_stop.best(entries)["step"] == 5
    assert early_stop.best(history(diverged=[("a", 5)], a=[9, 0.1, 0.1]))["step"] == 0
    assert early_stop.best(history(diverged=[("a", 0)], a=[math.nan, 0.1]))["step"] == 0


def scored(*entries):
    """Entries of one member: (accuracy, loss) per evaluation, every 5 steps."""
    return [
        {"member": "a", "step": 5 * i, "accuracy": accuracy, "loss": loss, "diverged": False}
        for i, (accuracy, loss) in enumerate(entries)
    ]


def test_a_metric_chooses_the_best_evaluation_whichever_way_it_counts():
    entries = scored((0.99, 9), (0.5, 3), (0.7, 4), (0.7, 1), (math.nan, 2))
    assert early_stop.best(entries)["step"] == 15
    assert early_stop.best(entries, "accuracy")["step"] == 10  # the first of equal ones
    with_labels = [
        {**entry, "auc/1": entry["accuracy"], "ece/1": entry["loss"]} for entry in entries
    ]
    assert early_stop.best(with_labels, "auc/1")["step"] == 10
    assert early_stop.best(with_labels, "ece/1")["step"] == 15
    never = scored((0.5, 1), (math.nan, 1), (math.nan, 2))
    assert early_stop.best(never, "accuracy")["step"] == 5


def test_a_metric_that_is_not_evaluated_is_an_error():
    schedule = MemberSchedule.of(Recipe(steps=9, phases=(Phase(steps=9, select="auc/7"),)))
    entry = {"member": "a", "step": 0, "loss": 1.0, "auc": 0.5, "auc/0": 0.5, "auc/1": 0.5}
    early_stop.check(entry, "auc", MemberSchedule.of(Recipe(select="auc")))
    with pytest.raises(ConfigError, match=r"select='auc/7' is not evaluated on this .* 'auc/[01]'"):
        early_stop.check(entry, "auc", schedule)


HEAD = Phase(steps=40, patience=2, select="accuracy")


def followed(entries, *phases, **recipe):
    steps = sum(phase.steps for phase in phases)
    plan = MemberSchedule.of(Recipe(steps=steps, phases=phases, **recipe))
    return early_stop.followed({"a": plan}, entries)["a"]


def test_a_plateau_ends_a_phase_and_the_next_one_begins_there():
    # The head's accuracy stalls at step 15; its losses rise all along and mean nothing.
    head = [(0.1, 0.1), (0.6, 0.50), (0.6, 0.51), (0.5, 0.52)]
    schedule = followed(scored(*head[:3]), HEAD, Phase(steps=50), patience=3)
    assert [phase.first for phase in schedule.phases] == [0, 40]
    schedule = followed(scored(*head), HEAD, Phase(steps=50), patience=3)
    assert [phase.first for phase in schedule.phases] == [0, 15]
    assert [phase.steps for phase in schedule.phases] == [40, 50]
    assert schedule.end == 65
    assert [schedule.index(done) for done in (14, 15, 64)] == [0, 1, 1]
    # The next phase counts afresh, by the recipe's metric and patience: 0.53 is its first best.
    rest = [*head, (0.4, 0.53), (0.9, 0.53), (0.9, 0.53)]
    assert followed(scored(*rest), HEAD, Phase(steps=50), patience=3).end == 65
    schedule = followed(scored(*rest, (0.9, 0.6)), HEAD, Phase(steps=50), patience=3)
    assert schedule.end == 35
    assert early_stop.described(schedule, 35) == (
        "phase 2 of 2 ended at step 35: no better loss for 3 evaluations"
    )


def test_the_recipes_patience_holds_for_every_phase_on_its_own():
    losses = history(a=[9, 0.50, 0.51, 0.52, 0.53, 0.54, 0.55])
    phases = (Phase(steps=60), Phase(steps=20), Phase(steps=10))
    schedule = followed(losses, *phases, patience=3)
    assert ([phase.first for phase in schedule.phases], schedule.end) == ([0, 20, 40], 50)
    # A phase that has run out of steps begins the next one between evaluations, and afresh.
    phases = (Phase(steps=12), Phase(steps=78))
    assert followed(losses, *phases, patience=3).end == 30  # 0.52 is the first of the second


def test_a_plateau_where_a_phase_ends_anyway_changes_nothing():
    losses = history(a=[9, 0.5, 0.6])
    schedule = followed(losses, Phase(steps=10, patience=1), Phase(steps=10))
    assert ([phase.first for phase in schedule.phases], schedule.end) == ([0, 10], 20)
    assert followed(losses, Phase(steps=10, patience=1)).end == 10


def test_a_member_that_diverges_stops_in_whichever_phase_it_is():
    entries = history(diverged=[("a", 15)], a=[9, 1, 2, math.nan])
    schedule = followed(entries, Phase(steps=40, patience=1), Phase(steps=50))
    assert (schedule.phases[1].first, schedule.end) == (10, 15)
