"""What a study's data settings do."""

import logging

import jax
import numpy as np
import pytest
from scipy import special

from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.data import augment, modes, phantom, predictions, resident, writer
from transfer_jax.data.items import MISSING, UNCERTAIN, Item
from transfer_jax.data.shards import Form
from transfer_jax.settings import Data
from transfer_jax.studies import datasets
from transfer_jax.studies.feed import Feed

NEEDS = datasets.Needs("cbr_tiny", 3)
# A third positive; some uncertain, some missing; two images a patient.
FINDING = [1, 0, 0, 1, 0, 0, UNCERTAIN, 0, 0, MISSING, 1, 0] * 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("data")
    drawn = list(phantom.items("chest", size=32, counts={"train": 120}, seed=0))
    items = [
        Item(old.id, f"p{i // 2}", {"finding": FINDING[i], "other": i % 2, "grade": i % 3}, old.image, "train" if i < 90 else "val")
        for i, old in enumerate(drawn)
    ]
    writer.write(place / "set", "set", items, Form(32, 1, encoding="png"), source={})
    leaky = [Item(i.id, i.patient, i.labels, i.image, "val" if n % 5 == 1 else "train") for n, i in enumerate(items)]
    writer.write(place / "leaky", "leaky", leaky, Form(32, 1, encoding="png"), source={}, allow_overlap=True)
    writer.write(place / "whole", "whole", [Item(i.id, i.patient, i.labels, i.image, "train") for i in items], Form(32, 1, encoding="png"), source={})
    return place


def opened(folder, name="set", seed=0, **options):
    return datasets.open_data(Data(kind="records", path=str(folder / name), **{"labels": ("finding",)} | options), NEEDS, folder, seed)


def labels(found, positions, label="finding"):
    return found.records.rows.labels[label][positions]


def test_images_that_are_asked_nothing_are_left_out(folder):
    found = opened(folder)
    part = found.part(0)
    assert set(labels(found, part.train).tolist()) == set(labels(found, part.val).tolist()) == {0, 1}
    assert len(part.train) == sum(value >= 0 for value in FINDING[:90])
    kept = opened(folder, uncertain=("ones",))
    assert len(kept.part(0).train) == sum(value != MISSING for value in FINDING[:90])  # an uncertain image teaches,
    assert len(kept.part(0).val) == sum(value >= 0 for value in FINDING[90:])  # and judges nothing
    assert len(opened(folder, labels=("other",)).part(0).train) == 90


def test_folds_hold_every_image_once_by_patient_and_class(folder):
    found = opened(folder, folds=5)
    assert len(found.parts) == 5
    every = np.concatenate([part.val for part in found.parts])
    assert sorted(every.tolist()) == [i for i, value in enumerate(FINDING) if value >= 0]
    for repeat, part in enumerate(found.parts):
        assert not set(part.train.tolist()) & set(part.val.tolist())
        patients = found.records.rows.patients
        assert not set(patients[part.train].tolist()) & set(patients[part.val].tolist())
        assert labels(found, part.val).mean() == pytest.approx(0.3, abs=0.1)
        assert found.part(repeat + 5) is part
    assert [len(part.val) for part in opened(folder, "whole", folds=5).parts] == [len(part.val) for part in found.parts]
    assert "in fold 1 of 5" in found.described()


def test_subsets_are_fair_and_nested(folder):
    small, large = (opened(folder, subset=count).part(0).train for count in (20, 40))
    assert (len(small), len(large)) == (20, 40)
    assert set(small.tolist()) < set(large.tolist()) < set(opened(folder).part(0).train.tolist())
    assert labels(opened(folder), large).mean() == pytest.approx(0.3, abs=0.08)
    with pytest.raises(ConfigError, match="there are 76 training images"):
        opened(folder, subset=77)


@pytest.mark.parametrize(("balance", "length"), [("none", 76), ("over", 106), ("under", 46), ("weights", 76)])
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
    with pytest.raises(DataError, match=r"patients of .*leaky are in several splits, patient p\d+ in train and val"):
        opened(folder, "leaky")
    with caplog.at_level(logging.WARNING):
        found = opened(folder, "leaky", allow_patient_overlap=True)
    assert "what is measured on them is too good" in caplog.text
    assert len(found.part(0).val) > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "whole"}, "no split 'val'"),
        ({"folds": 100}, "cannot be dealt to 100 folds"),
        ({"subset": 2}, "no training image has finding = 1"),
        ({"task": "multiclass", "labels": ("grade",), "subset": 1}, "no training image has grade = "),
    ],
)
def test_what_cannot_be_learned_or_measured_is_an_error(folder, options, message):
    with pytest.raises(DataError, match=message):
        opened(folder, **options)


def test_self_trained_labels_are_what_the_table_says(folder, tmp_path):
    ids = opened(folder).records.rows.ids
    predictions.write(tmp_path / "p.csv", ids.tolist(), {"finding": special.logit(np.linspace(0, 1, len(ids)))})
    found = opened(folder, uncertain=("self_trained",), predictions=str(tmp_path / "p.csv"))
    uncertain = np.flatnonzero(np.array(FINDING[:90]) == UNCERTAIN)
    np.testing.assert_allclose(found.targets.values[uncertain, 0], uncertain / 119, atol=1e-5)
    assert set(uncertain.tolist()) <= set(found.part(0).train.tolist())


def test_all_modes_feed_the_same_batches_and_auto_picks_one(folder):
    mesh = meshes.create(2)
    found = {mode: opened(folder, mode=mode, preset="juodelyte") for mode in (*modes.MODES, modes.AUTO)}
    feeds = {mode: Feed(one, mesh, wanted=10_000) for mode, one in found.items()}
    assert feeds[modes.AUTO].mode == "resident"  # it fits
    assert Feed(found[modes.AUTO], mesh, wanted=100).mode == "streamed"  # less than two epochs
    members = {0: ("a-0",), 1: ("a-1", "b-1")}
    seen = {}
    for mode, feed in feeds.items():
        groups = feed.groups(members, batch_size=8, seed=1)
        assert [group.members for group in groups] == [("a-0",), ("a-1", "b-1")]
        train = [[np.asarray(value) for value in group.prepare(next(group.stream), step)] for group in groups for step in (0, 1)]
        ((names, validation),) = feed.validations(members, batch_size=8)
        assert names == ("a-0", "a-1", "b-1")
        judged = [np.asarray(value) for _ in range(2) for batch in validation for value in batch]
        seen[mode] = [*jax.tree.leaves(train), *judged]
    for mode in modes.MODES[1:]:
        for one, other in zip(seen["streamed"], seen[mode], strict=True):
            np.testing.assert_array_equal(one, other)
    assert not np.array_equal(seen["streamed"][0], seen["streamed"][6])  # repeats see other batches


def test_repeats_and_folds_share_their_programs(folder, monkeypatch):
    traced = []
    for module, name in ((augment, "augment"), (augment, "normalise"), (resident, "gather")):
        whole = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, whole=whole, name=name: traced.append(name) or whole(*args))
    feed = Feed(opened(folder, mode="resident", preset="juodelyte", folds=3), meshes.create(1), wanted=1)
    members = {repeat: (f"a-{repeat}",) for repeat in range(3)}
    for step, group in enumerate(feed.groups(members, batch_size=8, seed=1)):
        group.prepare(next(group.stream), step)
    for _, validation in feed.validations(members, batch_size=8):
        next(iter(validation))
    # jit traces a function as often as it compiles it; shapes of batches are the same for all.
    assert sorted(traced) == ["augment", "gather", "normalise"]


def test_folds_judge_members_by_what_they_were_not_trained_on(folder):
    found = opened(folder, folds=3)
    feed = Feed(found, meshes.create(1), wanted=1)
    members = {0: ("a-0", "b-0"), 1: ("a-1", "b-1"), 2: ("a-2", "b-2")}
    judged = feed.validations(members, batch_size=8)
    assert [names for names, _ in judged] == list(members.values())
    counts = [sum(float(weights.sum()) for _, _, weights in validation) for _, validation in judged]
    assert counts == [len(part.val) for part in found.parts]
