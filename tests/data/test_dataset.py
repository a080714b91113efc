"""What a study's data settings do."""

import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.data import augment, dataset, modes, prediction_table, resident
from transfer_jax.data.items import MISSING, UNCERTAIN, Item
from transfer_jax.data.loader import Loader
from transfer_jax.data.prepare import phantom, writer
from transfer_jax.data.prepare.shards import Form
from transfer_jax.settings import Data

NEEDS = dataset.ImageSpec(network="cbr_tiny", channels=3)
# A third positive; some uncertain, some missing; two images a patient.
FINDING = [1, 0, 0, 1, 0, 0, UNCERTAIN, 0, 0, MISSING, 1, 0] * 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("data")
    drawn = list(phantom.items("chest", size=32, counts={"train": 120}, seed=0))
    items = [
        Item(
            old.id,
            f"p{i // 2}",
            {"finding": FINDING[i], "other": i % 2, "grade": i % 3},
            old.image,
            "train" if i < 90 else "val",
        )
        for i, old in enumerate(drawn)
    ]
    writer.write(place / "set", "set", items, Form(32, 1, encoding="png"), source={})
    leaky = [
        Item(i.id, i.patient, i.labels, i.image, "val" if n % 5 == 1 else "train")
        for n, i in enumerate(items)
    ]
    writer.write(
        place / "leaky", "leaky", leaky, Form(32, 1, encoding="png"), source={}, allow_overlap=True
    )
    writer.write(
        place / "whole",
        "whole",
        [Item(i.id, i.patient, i.labels, i.image, "train") for i in items],
        Form(32, 1, encoding="png"),
        source={},
    )
    return place


def opened(folder, name="set", seed=0, **options):
    return dataset.open_data(
        Data(kind="records", path=str(folder / name), **{"labels": ("finding",)} | options),
        NEEDS,
        folder,
        seed,
    )


def labels(found, positions, label="finding"):
    return found.records.rows.labels[label][positions]


def test_images_that_are_asked_nothing_are_left_out(folder):
    found = opened(folder)
    part = found.part(0)
    assert (
        set(labels(found, part.train).tolist()) == set(labels(found, part.val).tolist()) == {0, 1}
    )
    assert len(part.train) == sum(value >= 0 for value in FINDING[:90])
    kept = opened(folder, uncertain=("ones",))
    assert len(kept.part(0).train) == sum(
        value != MISSING for value in FINDING[:90]
    )  # an uncertain image teaches,
    assert len(kept.part(0).val) == sum(value >= 0 for value in FINDING[90:])  # and judges nothing
    assert len(opened(folder, labels=("other",)).part(0).train) == 90


def test_folds_hold_every_image_once_by_patient_and_class(folder):
    found = opened(folder, folds=5, held_out="both")
    assert len(found.parts) == 5
    every = np.concatenate([part.val for part in found.parts])
    assert sorted(every.tolist()) == [i for i, value in enumerate(FINDING) if value >= 0]
    for repeat, part in enumerate(found.parts):
        assert not set(part.train.tolist()) & set(part.val.tolist())
        patients = found.records.rows.patients
        assert not set(patients[part.train].tolist()) & set(patients[part.val].tolist())
        assert labels(found, part.val).mean() == pytest.approx(0.3, abs=0.1)
        assert found.part(repeat + 5) is part
    assert [len(part.val) for part in opened(folder, "whole", folds=5, held_out="both").parts] == [
        len(part.val) for part in found.parts
    ]
    assert "in fold 1 of 5" in found.described()


def test_subsets_are_fair_and_nested(folder):
    small, large = (opened(folder, subset=count).part(0).train for count in (20, 40))
    assert (len(small), len(large)) == (20, 40)
    assert set(small.tolist()) < set(large.tolist()) < set(opened(folder).part(0).train.tolist())
    assert labels(opened(folder), large).mean() == pytest.approx(0.3, abs=0.08)
    with pytest.raises(ConfigError, match="there are 76 training images"):
        opened(folder, subset=77)


@pytest.mark.parametrize(
    ("balance", "length"), [("none", 76), ("over", 106), ("under", 46), ("weights", 76)]
)
def test_balance(folder, balance, length):
    found = opened(folder, balance=balance)
    order, targets = found.training(0, 8, seed=0)
    assert order.length == length
    positions = np.concatenate([order.batch(i) for i in range(length)])  # eight epochs
    share = labels(found, positions).mean()
    weights = targets.weights[positions, 0]
    if balance == "weights":
        assert share == pytest.approx(23 / 76)
        assert (weights * labels(found, positions)).sum() == pytest.approx(weights.sum() / 2)
        assert weights.mean() == pytest.approx(1)
    else:
        assert share == pytest.approx(23 / 76 if balance == "none" else 0.5)
        assert (weights == 1).all()
    assert (found.judged.weights[found.part(0).val] == 1).all()


def test_class_weights_of_several_labels_are_each_labels_own(folder):
    found = opened(folder, task="multilabel", labels=("finding", "other"), balance="weights")
    _, targets = found.training(0, 8, seed=0)
    train = found.part(0).train
    for column in (0, 1):
        own = targets.weights[train, column]
        positive = targets.values[train, column] == 1
        assert own[positive].sum() == pytest.approx(own[~positive].sum())


def test_a_patient_in_two_splits_is_found_when_a_set_is_opened(folder, caplog):
    with pytest.raises(
        DataError, match=r"patients of .*leaky are in several splits, patient p\d+ in train and val"
    ):
        opened(folder, "leaky")
    with caplog.at_level(logging.WARNING):
        found = opened(folder, "leaky", allow_patient_overlap=True)
    assert "results measured on them are too good" in caplog.text
    assert len(found.part(0).val) > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "whole"}, "no split 'val'"),
        ({"folds": 100}, "cannot be dealt to 100 folds"),
        ({"subset": 2}, "no training image has finding = 1"),
        (
            {"task": "multiclass", "labels": ("grade",), "subset": 1},
            "no training image has grade = ",
        ),
    ],
)
def test_what_cannot_be_learned_or_measured_is_an_error(folder, options, message):
    with pytest.raises(DataError, match=message):
        opened(folder, **options)


def test_self_trained_labels_are_what_the_table_says(folder, tmp_path):
    ids = opened(folder).records.rows.ids
    prediction_table.write(
        tmp_path / "p.csv", ids.tolist(), {"finding": special.logit(np.linspace(0, 1, len(ids)))}
    )
    found = opened(folder, uncertain=("self_trained",), predictions=str(tmp_path / "p.csv"))
    uncertain = np.flatnonzero(np.array(FINDING[:90]) == UNCERTAIN)
    np.testing.assert_allclose(found.targets.values[uncertain, 0], uncertain / 119, atol=1e-5)
    assert set(uncertain.tolist()) <= set(found.part(0).train.tolist())


def test_all_modes_load_the_same_batches_and_auto_picks_one(folder):
    mesh = meshes.create(2)
    found = {
        mode: opened(folder, mode=mode, preset="juodelyte") for mode in (*modes.MODES, modes.AUTO)
    }
    loaders = {mode: Loader(one, mesh, reads=10_000) for mode, one in found.items()}
    assert loaders[modes.AUTO].mode == "resident"  # it fits
    assert Loader(found[modes.AUTO], mesh, reads=100).mode == "streamed"  # less than two epochs
    seen = {}
    for mode, loader in loaders.items():
        batches = []
        for repeat in (0, 1):
            training = loader.training(repeat, batch_size=8, seed=1)
            batches += [training.prepare(next(training.stream), step) for step in (0, 1)]
        for _ in range(2):
            batches += list(loader.validation(0, batch_size=8))
        assert {tuple(sorted(batch)) for batch in batches} == {("images", "targets", "weights")}
        seen[mode] = [np.asarray(leaf) for leaf in jax.tree.leaves(batches)]
    for mode in modes.MODES[1:]:
        for one, other in zip(seen["streamed"], seen[mode], strict=True):
            np.testing.assert_array_equal(one, other)
    first, second = seen["streamed"][0], seen["streamed"][6]
    assert not np.array_equal(first, second)  # repeats see other batches


def test_ids_and_patients_stay_on_the_host_unless_an_objective_needs_them(folder):
    found, mesh = opened(folder), meshes.create(1)
    training = Loader(found, mesh, reads=1).training(0, batch_size=8, seed=1)
    batch = next(training.stream)
    rows = [found.records.rows.ids.tolist().index(name) for name in batch["ids"]]
    np.testing.assert_array_equal(batch["images"], found.records(np.array(rows)))
    assert set(training.prepare(batch, 0)) == {"images", "targets", "weights"}
    patients = found.records.rows.patients[rows]
    same = [[a == b for a in patients] for b in patients]
    columns = ("targets", "weights", "groups")
    asked = Loader(found, mesh, reads=1, columns=columns).training(0, batch_size=8, seed=1)
    groups = np.asarray(asked.prepare(next(asked.stream), 0)["groups"])
    np.testing.assert_array_equal(groups[:, None] == groups[None], same)


def test_repeats_and_folds_share_their_programs(folder, monkeypatch):
    traced = []
    for module, name in ((augment, "augment"), (augment, "normalise"), (resident, "gather")):
        whole = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *args, whole=whole, name=name: traced.append(name) or whole(*args)
        )
    found = opened(folder, mode="resident", preset="juodelyte", folds=3, held_out="both")
    loader = Loader(found, meshes.create(1), reads=1)
    for repeat in range(3):
        training = loader.training(repeat, batch_size=8, seed=1)
        training.prepare(next(training.stream), repeat)
        next(iter(loader.validation(repeat, batch_size=8)))
    # jit traces a function as often as it compiles it; shapes of batches are the same for all.
    assert sorted(traced) == ["augment", "gather", "normalise"]


def test_folds_judge_members_by_what_they_were_not_trained_on(folder):
    found = opened(folder, folds=3, held_out="both")
    loader = Loader(found, meshes.create(1), reads=1)
    for fold, part in enumerate(found.parts):
        batches = list(loader.validation(fold, batch_size=8))
        assert sum(float(batch["weights"].sum()) for batch in batches) == len(part.val)
        images = np.concatenate([np.asarray(batch["images"]) for batch in batches])
        expected = found.images(jnp.asarray(found.records(part.val)))
        # A compiled program may round the normalisation otherwise.
        np.testing.assert_allclose(images[: len(part.val)], np.asarray(expected), atol=1e-6)


@pytest.mark.parametrize("mode", modes.MODES)
def test_test_images_are_not_decoded_for_the_training(tmp_path, mode):
    place = {}
    for name, counts in (
        ("with", {"train": 8, "val": 4, "test": 4}),
        ("out", {"train": 8, "val": 4}),
    ):
        items = list(phantom.items("chest", size=32, counts=counts, seed=0))
        writer.write(tmp_path / name, "set", items, Form(32, 1, encoding="png"), source={})
        place[name] = opened(tmp_path, name, mode=mode, labels=("effusion",))
    found = place["with"]
    assert (len(found.records), len(found.training_records)) == (16, 12)
    assert len(found.part(0).test) == 4
    assert found.training_records.decoded_bytes == place["out"].records.decoded_bytes
    batches = [
        np.asarray(batch["images"])
        for each in place.values()
        for batch in Loader(each, meshes.create(1), reads=1).validation(0, batch_size=4)
    ]
    np.testing.assert_array_equal(*(batch - batch.min() for batch in batches))
    tested = found.records(found.part(0).test)
    np.testing.assert_array_equal(found.records(np.arange(12, 16)), tested)
