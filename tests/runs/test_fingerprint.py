"""A study goes on with what it was begun with, or not at all."""

import dataclasses
import json
import shutil

import damage
import jax
import numpy as np
import pytest

from transfer_jax import api, models, weights
from transfer_jax.core import digest
from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.data import dataset
from transfer_jax.data.prepare import phantom, writer
from transfer_jax.data.prepare.shards import Form
from transfer_jax.runs import fingerprint, inputs

SHORT = {"recipe__steps": 2, "recipe__eval_every": 2, "recipe__checkpoint_every": 2, "repeats": 1}
THIN = {"network_options__widths": (4, 4, 8, 8)}


def study_of(tiny_study, data, source):
    """A short study on a prepared set, from a weight file."""
    nothing = dict.fromkeys(("data__phantom", "data__size", "data__train", "data__val"))
    where = {
        "data__kind": "records",
        "data__path": str(data),
        "source__kind": "weights",
        "source__path": str(source),
    }
    return tiny_study(arms=("pretrained",), **SHORT, **THIN, **nothing, **where)


def prepare(folder, seed, train=16):
    items = list(phantom.items("fundus", size=32, counts={"train": train, "val": 12}, seed=seed))
    writer.write(
        folder,
        "fundus",
        items,
        Form(32, 3, encoding="png"),
        source={},
        names=phantom.label_names("fundus"),
    )


def export(path, value):
    shapes = models.shapes(models.create("cbr_tiny", 1, widths=(4, 4, 8, 8)), 32)
    variables = jax.tree.map(lambda leaf: np.full(leaf.shape, value, leaf.dtype), shapes)
    weights.export(variables, "cbr_tiny", path, widths=(4, 4, 8, 8))


@pytest.fixture(scope="module")
def finished(tiny_study, tmp_path_factory):
    """A finished study, with its folder, data and source."""
    place = tmp_path_factory.mktemp("inputs")
    prepare(place / "data", seed=0)
    export(place / "source.safetensors", 0.5)
    study = study_of(tiny_study, place / "data", place / "source.safetensors")
    api.run(study, place / "run")
    return study, place


@pytest.fixture
def moved(finished, tiny_study, tmp_path):
    """A copy of it, and of its inputs."""
    place = shutil.copytree(finished[1], tmp_path / "copy")
    study = study_of(tiny_study, place / "data", place / "source.safetensors")
    config = json.loads((place / "run" / "config.json").read_text())
    config["data"]["path"], config["source"]["path"] = study.data.path, study.source.path
    fields = digest.unseal(json.loads((place / "run" / "fingerprint.json").read_text()))
    (place / "run" / "config.json").write_text(json.dumps(config))
    sealed = digest.seal({**fields, "config": digest.of_json(config)})
    (place / "run" / "fingerprint.json").write_text(json.dumps(sealed))
    return study, place


def test_a_study_goes_on_with_copies_of_its_inputs(moved):
    study, place = moved
    before = (place / "run" / "results.csv").read_bytes()
    api.run(study, place / "run")
    assert (place / "run" / "results.csv").read_bytes() == before


@pytest.mark.parametrize("change", [{"seed": 1}, {"seed": 0, "train": 15}])
def test_another_set_at_the_same_path_is_refused(moved, change):
    study, place = moved
    shutil.rmtree(place / "data")
    prepare(place / "data", **change)
    with pytest.raises(
        DataError,
        match=r"the data set is not the one that the study in .*run was begun with: put that",
    ):
        api.run(study, place / "run")


def test_another_source_at_the_same_path_is_refused(moved):
    study, place = moved
    export(place / "source.safetensors", 0.25)
    with pytest.raises(
        DataError, match=r"the source is not the one that the study in .*run was begun with"
    ):
        api.run(study, place / "run")


def test_another_normalisation_beside_the_source_is_refused(moved):
    study, place = moved
    loaded = weights.read(study.source.path, "cbr_tiny")
    card = loaded.card.__class__(
        **{
            **vars(loaded.card),
            "normalisation": loaded.card.normalisation._replace(mean=(0.5,) * 3),
        }
    )
    weights.export(loaded.variables, "cbr_tiny", study.source.path, card=card, **card.options)
    with pytest.raises(DataError, match="the source is not the one"):
        api.run(study, place / "run")


def test_a_table_of_predictions_counts_as_an_input(finished, tmp_path):
    study, place = finished
    opened = dataset.open_data(study.data, inputs.image_spec(study, None), place, study.seed)
    table = tmp_path / "predictions.csv"
    told = []
    for value in ("0.25", "0.75"):
        table.write_text(f"id,grade\nfundus_000000,{value}\n")
        settings = dataclasses.replace(opened.config, predictions=str(table))
        told.append(inputs.digests_of_data(dataclasses.replace(opened, config=settings)))
    assert [list(one) for one in told] == [["data set", "data set's table of predictions"]] * 2
    assert told[0]["data set"] == told[1]["data set"] == opened.manifest.digest
    assert told[0] != told[1]
    assert inputs.digests_of_data(opened) == {"data set": opened.manifest.digest}
    assert inputs.digests_of_data(None) == inputs.digests_of_source(None) == {}


def test_the_same_source_in_a_file_of_another_kind_is_the_same(moved):
    study, place = moved
    loaded = weights.read(study.source.path, "cbr_tiny")
    (place / "source.safetensors").unlink()
    weights.save(place / "source.safetensors", loaded.variables, loaded.card)
    api.run(study, place / "run")


def test_an_edited_config_and_a_missing_fingerprint_are_told(moved):
    study, place = moved
    config, seal = place / "run" / "config.json", place / "run" / "fingerprint.json"
    text = config.read_text()
    config.write_text(text.replace('"seed": 0', '"seed": 1'))
    with pytest.raises(ConfigError, match=r"config\.json has changed since the study was begun"):
        api.run(study, place / "run")
    config.write_text(text)
    seal.unlink()
    with pytest.raises(ConfigError, match=r"has no fingerprint\.json: an earlier version"):
        api.run(study, place / "run")


def test_single_bit_flips_beside_the_config_are_errors_or_harmless(tiny_study, tmp_path):
    folder, study, refused = tmp_path / "w", tiny_study(), 0

    def go_on():
        fingerprint.claim(folder, study)
        fingerprint.check_inputs(folder, {"data set": "a"})

    fingerprint.claim(folder, study)
    fingerprint.record_inputs(folder, {"data set": "a"})
    for damaged in damage.single_bits(folder, default=200):
        with damaged as path:
            _, message = damage.outcome(go_on, ConfigError)
            refused += message is not None
            assert message is None or str(folder) in message, path
            with pytest.raises((ConfigError, DataError)):
                fingerprint.check_inputs(folder, {"data set": "b"})
    assert refused


def test_inputs_are_recorded_as_they_become_known(tiny_study, tmp_path):
    fingerprint.claim(tmp_path / "w", tiny_study())
    fingerprint.record_inputs(tmp_path / "w", {"data set": "a"})
    fingerprint.check_inputs(tmp_path / "w", {"source": "b"})
    fingerprint.record_inputs(tmp_path / "w", {"source": "c"})
    with pytest.raises(DataError, match="the source is not the one"):
        fingerprint.check_inputs(tmp_path / "w", {"data set": "a", "source": "b"})
    assert fingerprint.claim(tmp_path / "w", tiny_study())


def test_a_claim_that_was_cut_short_is_made_anew(tiny_study, tmp_path):
    fingerprint.claim(tmp_path / "w", tiny_study())
    (tmp_path / "w" / "config.json").unlink()
    assert not fingerprint.claim(tmp_path / "w", tiny_study(recipe__steps=9))
    assert fingerprint.claim(tmp_path / "w", tiny_study(recipe__steps=9))


def test_tables_that_were_edited_are_told(tiny_study, tmp_path):
    fingerprint.claim(tmp_path, tiny_study())
    (tmp_path / "results.csv").write_text("arm,final_auc\nrandom,0.5\n")
    fingerprint.record_results(tmp_path)
    fingerprint.check_results(tmp_path, ["results.csv"])
    with (
        damage.flipped(tmp_path / "results.csv", 20),
        pytest.raises(ConfigError, match=r"results\.csv is not as the study left it"),
    ):
        fingerprint.check_results(tmp_path, ["results.csv"])
    with pytest.raises(ConfigError, match=r"similarity\.csv is not as the study left it"):
        fingerprint.check_results(tmp_path, ["similarity.csv"])
