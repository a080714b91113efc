"""Adding an objective, a metric or an optimiser is a file and a registry line.

Each test writes the file into a temporary package, as docs/how_to tells, adds the line, and uses
the result through the program's own code: nothing else is touched. Networks and initialisers are in
test_registries_models.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import api, metrics, objectives, settings
from transfer_jax.core.errors import ConfigError
from transfer_jax.train.checkpoint import Checkpoints

OBJECTIVE = '''
"""Cross-entropy times a learned scale, with its running mean as a state."""

import dataclasses

import jax.numpy as jnp

from transfer_jax.objectives.protocol import Aux, Needs
from transfer_jax.objectives.supervised import Supervised

NEEDS = Needs(columns=("targets", "weights", "groups"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Centred(Supervised):
    momentum: float = 0.5
    needs: Needs = NEEDS
    logged: tuple[str, ...] = ("loss", "accuracy", "centre")

    def init(self, key, module, variables):
        return {"scale": jnp.float32(1)}, {"centre": jnp.float32(0), "seen": jnp.int32(0)}

    def loss(self, apply, params, state, batch, key):
        value, aux = super().loss(apply, params, state, batch, key)
        centre = self.momentum * state["centre"] + (1 - self.momentum) * value
        state = {"centre": centre, "seen": state["seen"] + len(batch["groups"])}
        logged = aux.logged | {"centre": centre}
        return params["scale"] ** 2 * value, Aux(state, aux.batch_stats, logged)
'''

METRIC = '''
"""Share of positives."""


from transfer_jax.metrics.scored import Value


def positives(scored):
    counted = scored.pooled()
    share = float(counted.positive.mean()) if len(counted.positive) else float("nan")
    return [
        Value("positives", "", share, "" if len(counted.positive) else "no images"),
        Value("positives", "all", 1.0, ""),
    ]
'''


def test_an_objective_with_parameters_and_state(package, monkeypatch, tiny_study, tmp_path):
    module = package("centred", OBJECTIVE)
    monkeypatch.setitem(objectives.OBJECTIVES, "centred", f"{module}:Centred")
    with pytest.raises(ConfigError, match=r"recipe\.objective='centered': did you mean 'centred'"):
        tiny_study(recipe__objective="centered")
    saved = {}
    save = Checkpoints.save

    def watched(self, step, members, best, extra):
        saved.update(
            {name: jax.tree.map(np.asarray, m.objective_state) for name, m in members.items()}
        )
        saved["scale"] = float(members["random-0"].objective_params["scale"])
        save(self, step, members, best, extra)

    monkeypatch.setattr(Checkpoints, "save", watched)
    thin = {"network_options__widths": (4, 4, 8, 8), "source__kind": "none"}
    study = tiny_study(arms=("random",), recipe__objective="centred", **thin)
    history = api.run(study, tmp_path / "w").history
    assert {"train_loss", "train_accuracy", "train_centre"} <= set(history.columns)
    assert int(saved["random-0"]["seen"]) == 6 * 8  # images of six steps
    assert saved["scale"] != 1.0  # it is trained
    assert np.isfinite(history.train_centre.dropna()).all()


def test_a_metric(package, monkeypatch, tiny_study, tmp_path):
    module = package("positives", METRIC)
    monkeypatch.setitem(metrics.METRICS, "positives", f"{module}:positives")
    thin = {"network_options__widths": (4, 4, 8, 8), "source__kind": "none"}
    study = tiny_study(arms=("random",), repeats=1, metrics=("positives",), **thin)
    run = api.run(study, tmp_path / "w")
    predictions = run.predictions
    expected = predictions.target.mean()
    np.testing.assert_allclose(run.history.positives, expected)
    long = run.evaluations
    assert set(long[long.metric == "positives"].label) == {"", "all"}


def test_an_optimiser(package, monkeypatch):
    from transfer_jax import optim
    from transfer_jax.optim import schedules

    module = package(
        "sign",
        '''
        """Sign of the gradient."""

        import dataclasses

        import optax

        from transfer_jax.optim.optimizer import Optimizer


        @dataclasses.dataclass(frozen=True, kw_only=True)
        class Sign:
            power: float = 1.0

            def build(self, schedule):
                return Optimizer(optax.scale_by_sign(), schedule)
        ''',
    )
    monkeypatch.setitem(optim.KINDS, "sign", __import__(module, fromlist=["Sign"]).Sign)
    optimizer = optim.build("sign", schedule=schedules.build("constant", 3))
    params = {"a": jnp.array([1.0, 2.0])}
    moved, _ = optimizer.update(
        {"a": jnp.array([3.0, -0.5])},
        optimizer.init(params),
        params,
        jnp.int32(0),
        optim.hyper(0.5, 0.0),
        {"a": 1.0},
    )
    np.testing.assert_allclose(moved["a"], [0.5, 2.5])
    assert settings.Recipe().optimizer in optim.KINDS
