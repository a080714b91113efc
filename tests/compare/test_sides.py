import json
import shutil

import jax
import numpy as np
import pytest

from transfer_jax import models, weights
from transfer_jax.compare import sides
from transfer_jax.core import digest
from transfer_jax.core.errors import CheckpointError, ConfigError, DataError
from transfer_jax.data.prepare import phantom, writer
from transfer_jax.data.prepare.shards import Form


def same(a, b):
    one, two = jax.tree.leaves(a), jax.tree.leaves(b)
    return len(one) == len(two) and all(np.array_equal(x, y) for x, y in zip(one, two, strict=True))


def test_initial_variables_are_those_that_the_study_began_from(finished_arms):
    arm = "transfusion_conv2_gabor"  # takes from the source, and draws
    folder, begun = finished_arms
    run = sides.open_side(f"{folder}:{arm}")
    assert (run.title, run.repeats) == (arm, 2)
    for repeat in range(2):
        initial, last = run.initial(repeat), run.trained(repeat)
        assert same(initial.variables, begun[f"{arm}-{repeat}"])
        assert same(
            last.variables, weights.load(folder / "weights" / f"{arm}-{repeat}", "cbr_tiny")
        )
        assert not same(initial.variables, last.variables)
        assert initial.form == last.form


def test_best_variables_are_taken_where_asked(finished_arms):
    folder, _ = finished_arms
    run = sides.open_side(f"{folder}:random", take="best")
    assert same(run.trained(1).variables, weights.load(folder / "best" / "random-1", "cbr_tiny"))
    with pytest.raises(ConfigError, match="unknown take='bset': did you mean 'best'"):
        sides.open_side(f"{folder}:random", take="bset")


def test_weights_say_their_network_or_it_is_given(finished_arms, tmp_path):
    folder, _ = finished_arms
    member = folder / "weights" / "random-0"
    run = sides.open_side(str(member))
    assert (run.repeats, run.initial, run.title) == (None, None, "random-0")
    found = run.trained(7)
    assert found.form.options == (("widths", (8, 8, 12, 12)),)
    assert (found.outputs().kind, found.outputs().labels, found.outputs().threshold) == (
        "binary",
        ("grade",),
        2,
    )
    loaded = weights.read(member, "cbr_tiny")
    weights.export(
        loaded.variables, "cbr_tiny", tmp_path / "hub", card=loaded.card, **loaded.card.options
    )  # has a config.json of its own
    assert sides.open_side(str(tmp_path / "hub")).trained(0).network == "cbr_tiny"
    assert (
        sides.open_side(str(tmp_path / "hub" / "model.safetensors")).trained(0).outputs()
        == found.outputs()
    )
    bare = tmp_path / "bare.safetensors"
    shapes = models.shapes(models.create("cbr_tiny", 1), 32)
    weights.export(
        jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes),
        "cbr_tiny",
        tmp_path / "w" / bare.name,
    )
    (tmp_path / "w" / bare.name).rename(bare)
    weights.save(tmp_path / "saved", loaded.variables)  # without a card
    with pytest.raises(
        ConfigError, match=r"saved does not say of which network it is: give --network_b=NETWORK"
    ):
        sides.open_side(str(tmp_path / "saved"), option="--network_b")
    assert sides.open_side(str(bare), "cbr_tiny").trained(0).network == "cbr_tiny"


@pytest.fixture
def copy(finished_arms, tmp_path):
    return shutil.copytree(finished_arms[0], tmp_path / "copy")


def reconfigure(folder, config):
    """Gives a study another config, as if it had been begun with that."""
    (folder / "config.json").write_text(json.dumps(config))
    path = folder / "fingerprint.json"
    fields = digest.unseal(json.loads(path.read_text()))
    path.write_text(json.dumps(digest.seal({**fields, "config": digest.of_json(config)})))


def test_what_is_not_there_is_told(finished_arms, copy, tmp_path):
    folder, _ = finished_arms
    cases = {
        f"{folder}": (
            rf"has 2 arms: name one as {folder}:random \(arms: random, transfusion_conv2_gabor\)"
        ),
        f"{folder}:randm": "has no arm 'randm': did you mean 'random'",
        f"{tmp_path}/none": "none does not exist: give a weight file",
        f"{tmp_path}/none:random": "none does not exist: give a weight file",
        f"{folder}/weights/random-0:random": "holds no study",
    }
    for named, message in cases.items():
        with pytest.raises(ConfigError, match=message):
            sides.open_side(named)
    with pytest.raises(ConfigError, match="network=cbr_small is read for weights only"):
        sides.open_side(f"{folder}:random", "cbr_small")
    with pytest.raises(CheckpointError, match="is a folder without weights"):
        sides.open_side(str(tmp_path))
    shutil.rmtree(copy / "weights" / "random-1")
    with pytest.raises(
        ConfigError,
        match=(
            r"is not finished \(it has no weights/random-1\): call its command again, with"
            rf" --workdir={copy}"
        ),
    ):
        sides.open_side(f"{copy}:random")
    (copy / "config.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        sides.open_side(f"{copy}:random")


def test_paths_of_a_study_are_relative_to_where_it_was_run(copy, monkeypatch):
    config = json.loads((copy / "config.json").read_text())
    config["data"].update(
        kind="records", path="data/fundus", phantom=None, size=None, train=None, val=None
    )
    reconfigure(copy, config)
    with pytest.raises(
        DataError, match=r"was made from data/fundus \(its config.data.path\), which is not here"
    ):
        sides.open_side(f"{copy}:random")
    (prepared,) = (copy / "data").glob("fundus*")
    prepared.rename(copy / "data" / "fundus")
    monkeypatch.chdir(copy)
    assert sides.open_side(f"{copy}:random").repeats == 2
    config["source"].update(
        kind="weights", path="no/where.safetensors", data=None, recipe=None, take=None
    )
    reconfigure(copy, config)
    run = sides.open_side(f"{copy}:transfusion_conv2_gabor")
    with pytest.raises(
        DataError,
        match=r"was made from no/where.safetensors \(its config.source.path\), which is not here",
    ):
        run.initial(0)


def test_a_config_of_another_version_is_told(copy):
    config = json.loads((copy / "config.json").read_text())
    reconfigure(copy, config | {"arm": 3})
    with pytest.raises(
        ConfigError,
        match=(
            r"does not fit this version of the program: unknown option config\.arm: did you mean"
            r" 'arms'"
        ),
    ):
        sides.open_side(f"{copy}:random")


def test_a_study_of_one_arm_needs_no_name(copy):
    config = json.loads((copy / "config.json").read_text())
    config["arms"] = config["arms"][:1]
    config["source"] = {"kind": "none"}
    reconfigure(copy, config)
    assert sides.open_side(str(copy)).title == "random"


def test_a_config_that_was_edited_is_refused(copy):
    text = (copy / "config.json").read_text()
    (copy / "config.json").write_text(text.replace('"seed": 0', '"seed": 1'))
    with pytest.raises(
        ConfigError, match=r"config\.json has changed since the study was begun: put it back"
    ):
        sides.open_side(f"{copy}:random")
    (copy / "config.json").write_text(json.dumps(json.loads(text)))  # laid out otherwise
    assert sides.open_side(f"{copy}:random").repeats == 2


def test_a_study_of_an_earlier_version_is_told(copy):
    (copy / "fingerprint.json").unlink()
    with pytest.raises(
        ConfigError, match=r"has no fingerprint\.json: an earlier version of this program began"
    ):
        sides.open_side(f"{copy}:random")


def test_another_data_set_under_the_same_name_is_refused(copy, tmp_path):
    (folder,) = (copy / "data").glob("fundus*")
    items = list(phantom.items("fundus", size=32, counts={"train": 48, "val": 24}, seed=5))
    shutil.rmtree(folder)
    writer.write(
        folder,
        "fundus",
        items,
        Form(32, 3, encoding="png"),
        source={},
        names=phantom.label_names("fundus"),
    )
    with pytest.raises(
        DataError,
        match=(
            r"the data set is not the one that the study in .* was begun with: put that one back"
        ),
    ):
        sides.open_side(f"{copy}:random")


def test_another_source_is_refused(copy):
    loaded = weights.read(copy / "source" / "weights", "cbr_tiny")
    shutil.rmtree(copy / "source" / "weights")
    other = jax.tree.map(lambda leaf: leaf + 1, loaded.variables)
    weights.save(copy / "source" / "weights", other, loaded.card)
    run = sides.open_side(f"{copy}:transfusion_conv2_gabor")
    assert run.trained(0).network == "cbr_tiny"
    with pytest.raises(DataError, match="the source is not the one"):
        run.initial(0)
