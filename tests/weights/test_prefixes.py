"""Networks within files: their prefixes, what may lie beside them, and which of several is read."""

import json
import time

import numpy as np
import pytest
from containers import first_kernel, linear, tensors, under, without_head, written

from transfer_jax import weights
from transfer_jax.core.errors import CheckpointError
from transfer_jax.weights import Card

WIDTH = 256  # channels of cbr_tiny's last layer


@pytest.fixture
def read(tmp_path):
    """Writes tensors to a file and reads cbr_tiny from it."""

    def read(made, network="cbr_tiny", **options):
        return weights.read(written(tmp_path / "w.safetensors", made), network, **options)

    return read


def equal(loaded, made):
    return np.array_equal(loaded.variables["params"]["conv1"]["kernel"], first_kernel(made))


@pytest.mark.parametrize(
    "prefix",
    [
        "module.",
        "_orig_mod.",
        "model.",
        "backbone.",
        "net.",
        "encoder.",
        "module.encoder_q.",
        "module.model.backbone.",
        "0.",
        "a.b.c.d.e.",
    ],
)
def test_any_prefix_of_a_whole_network_is_removed_and_said(read, prefix):
    made = tensors()
    loaded = read(under(prefix, made))
    assert equal(loaded, made)
    assert loaded.variables["params"]["head"]["kernel"].shape == (WIDTH, 5)
    assert loaded.card.recognised == (f"prefix {prefix} removed",)
    assert read(made).card.recognised == ()


@pytest.mark.parametrize("prefix", ["", "module.", "module.model."])
def test_a_network_of_which_a_tensor_is_missing_or_unwrapped_is_not_read(read, prefix):
    made = under(prefix, tensors())
    part = {k: v for k, v in made.items() if k != f"{prefix}conv3.weight"}
    with pytest.raises(CheckpointError, match=r"1 missing: conv3\.weight$") as caught:
        read(part)
    assert (f"prefix '{prefix}'" in str(caught.value)) == bool(prefix)
    with pytest.raises(
        CheckpointError, match=r"1 missing: conv3\.weight; 1 extra: other\.conv3\.weight"
    ):
        read({**part, "other.conv3.weight": made[f"{prefix}conv3.weight"]})
    with pytest.raises(
        CheckpointError, match=r"1 misshapen: conv3\.weight \(1, 1\), not \(128, 64, 5, 5\)"
    ):
        read({**made, f"{prefix}conv3.weight": np.ones((1, 1), np.float32)})


def test_a_tensor_outside_the_prefix_does_not_take_the_place_of_one_inside(read):
    made = tensors()
    stray = {**under("module.", made), "conv1.weight": np.zeros_like(made["conv1.weight"])}
    with pytest.raises(CheckpointError, match=r"1 extra: conv1\.weight beside the network's own"):
        read(stray)
    loaded = read(stray, prefix="module.")
    assert equal(loaded, made)
    assert loaded.card.recognised == (
        "prefix module. removed",
        "1 tensor outside the prefix ignored: conv1.*",
    )


@pytest.mark.parametrize(
    ("head", "named"),
    [
        (linear("fc.0", WIDTH, 8) | linear("fc.2", 8, 3), "fc.0.*, fc.2.*"),
        (linear("head.fc", WIDTH, 3), "head.fc.*"),
        (linear("classifier.1", WIDTH, 3), "classifier.1.*"),
        (linear("cls_head2", WIDTH, 3), "cls_head2.*"),
        (
            linear("projector.0", WIDTH, 3)
            | under("projector.1.", {"running_mean": np.ones(3, np.float32)}),
            "projector.0.*, projector.1.running_mean",
        ),
    ],
)
@pytest.mark.parametrize("prefix", ["", "backbone."])
def test_other_heads_are_ignored_without_a_head_and_an_error_with_one(read, prefix, head, named):
    made = without_head(tensors())
    for place in ("", prefix):
        file = {**under(prefix, made), **under(place, head)}
        loaded = read(file, head=False)
        assert equal(loaded, made)
        assert "head" not in loaded.variables["params"]
        said = ", ".join(place + name for name in named.split(", "))
        assert loaded.card.recognised[-1] == f"head {said} ignored"
        with pytest.raises(
            CheckpointError,
            match=r"is not the network's one linear layer, but .*: read it with head=False",
        ):
            read(file)


def test_the_networks_own_head_is_said_where_it_is_left_out(read):
    assert read(tensors(), head=False).card.recognised == ("head fc.* ignored",)


def test_numbered_heads_after_a_numbered_network(read):
    made = without_head(tensors())
    file = {**under("0.", made), **linear("3", WIDTH, 4)}
    assert read(file, head=False).card.recognised == ("prefix 0. removed", "head 3.* ignored")
    with pytest.raises(CheckpointError, match=r"1 extra: 1\.weight"):  # before the network
        read({**under("2.", made), "1.weight": np.ones((3, 3), np.float32)}, head=False)


def test_queues_losses_and_momentum_copies_are_ignored_by_name(read):
    made = tensors()
    beside = {
        "module.queue": np.zeros((8, 32), np.float32),
        "module.queue_ptr": np.zeros(1, np.int64),
        "criterion.pos_weight": np.ones(3, np.float32),
        **under("module.encoder_k.", tensors(seed=1)),
    }
    loaded = read({**under("module.encoder_q.", made), **beside})
    assert equal(loaded, made)
    assert loaded.card.recognised[:1] == ("prefix module.encoder_q. removed",)
    assert loaded.card.recognised[1:] == (
        "momentum copy module.encoder_k.* ignored",
        "queue module.* ignored",
        "loss criterion.* ignored",
    )


@pytest.mark.parametrize(
    ("network", "copy"),
    [
        ("base_encoder.", "momentum_encoder."),
        ("online_net.", "target_net."),
        ("backbone.", "momentum_backbone."),
        ("net.", "net_momentum."),
    ],
)
def test_momentum_copies_of_several_spellings(read, network, copy):
    made = tensors()
    assert equal(read({**under(network, made), **under(copy, tensors(seed=1))}), made)


@pytest.mark.parametrize(
    "unknown", ["normalize.mean", "decoder.conv1.weight", "attention.weight", "mean"]
)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_what_is_of_no_known_kind_is_an_error(read, prefix, unknown):
    file = {**under(prefix, tensors()), unknown: np.ones((1, 3, 1, 1), np.float32)}
    with pytest.raises(CheckpointError, match=f"1 extra: {unknown}") as caught:
        read(file)
    assert (
        "prefix='module.' (config.source.prefix, convert_weights --prefix)" in str(caught.value)
    ) == bool(prefix)


def test_a_convolution_is_no_head_whatever_it_is_called(read):
    with pytest.raises(CheckpointError, match=r"1 extra: head\.conv\.weight"):
        read({**tensors(), "head.conv.weight": np.ones((3, WIDTH, 3, 3), np.float32)}, head=False)


@pytest.mark.parametrize(
    ("one", "two"), [("student.", "teacher."), ("", "ema."), ("model.", "model.ema.")]
)
def test_of_two_networks_that_fit_one_must_be_chosen(read, one, two):
    first, second = tensors(), tensors(seed=1)
    file = {**under(one, first), **under(two, second)}
    with pytest.raises(
        CheckpointError, match="holds 2 networks that fit cbr_tiny, under the prefixes"
    ) as caught:
        read(file)
    for text in (repr(one), repr(two), "choose one with prefix="):
        assert text in str(caught.value)
    for prefix, made in ((one, first), (two, second), (two.rstrip("."), second)):
        loaded = read(file, prefix=prefix)
        assert equal(loaded, made)
        assert "22 tensors outside the prefix ignored" in loaded.card.recognised[-1]


def test_a_second_network_of_another_kind_beside_the_one_is_an_error_until_chosen(read):
    made = tensors()
    file = {**under("student.", made), **under("teacher.", tensors("cbr_small"))}
    with pytest.raises(CheckpointError, match=r"22 extra|27 extra|26 extra"):
        read(file)
    assert equal(read(file, prefix="student"), made)
    with pytest.raises(CheckpointError, match=r"prefix 'teacher\.'.*misshapen"):
        read(file, prefix="teacher")


def test_a_prefix_that_nothing_has(read):
    with pytest.raises(
        CheckpointError,
        match=r"no tensor in .* has the prefix 'modul\.': its names begin with module$",
    ):
        read(under("module.", tensors()), prefix="modul")
    with pytest.raises(CheckpointError, match="does not fit cbr_tiny"):
        read(under("module.", tensors()), prefix="")


def test_old_and_new_names_of_one_tensor_are_not_both_read(read):
    made = tensors("densenet121")
    twice = {**made, "features.denseblock1.denselayer1.norm.1.weight": np.zeros(64, np.float32)}
    with pytest.raises(
        CheckpointError,
        match=r"1 extra: features\.denseblock1\.denselayer1\.norm\S+ beside the network's own",
    ):
        read(twice, "densenet121")


def test_densenets_of_chexnet_and_without_the_name_features(read):
    made = tensors("densenet121")
    chexnet = under("module.densenet121.", without_head(made) | linear("classifier.0", 1024, 14))
    old = {
        k.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."): v
        for k, v in chexnet.items()
    }
    loaded = read(old, "densenet121", head=False)
    assert loaded.card.recognised == (
        "prefix module.densenet121. removed",
        "head module.densenet121.classifier.0.* ignored",
    )
    bare = {f"backbone.{k.removeprefix('features.')}": v for k, v in without_head(made).items()}
    bare = read(bare, "densenet121")
    assert np.array_equal(bare.variables["params"]["norm5"]["bias"], made["features.norm5.bias"])
    assert "features.* without its name" in bare.card.recognised


def test_recognised_facts_travel_in_cards_and_older_cards_have_none(read, tmp_path):
    loaded = read(under("module.", tensors()))
    weights.save(tmp_path / "orbax", loaded.variables, loaded.card)
    assert weights.read(tmp_path / "orbax", "cbr_tiny").card.recognised == (
        "prefix module. removed",
    )
    weights.export(loaded.variables, "cbr_tiny", tmp_path / "hub", card=loaded.card)
    assert weights.read(tmp_path / "hub", "cbr_tiny").card == loaded.card
    assert "prefix module. removed" in (tmp_path / "hub/README.md").read_text()
    card = json.loads((tmp_path / "orbax/card.json").read_text())
    del card["recognised"]
    assert Card.from_json(card, "a card").recognised == ()
    with pytest.raises(CheckpointError, match="is not a card of this program"):
        Card.from_json({**card, "recognised": "a text"}, "a card")


def test_places_are_not_chosen_in_folders_of_our_own(read, tmp_path):
    weights.save(tmp_path / "orbax", read(tensors()).variables)
    for option in ("state", "prefix"):
        with pytest.raises(
            CheckpointError, match="with one network in it: leave state and prefix out"
        ):
            weights.read(tmp_path / "orbax", "cbr_tiny", **{option: "module"})


def test_files_of_very_many_names_are_refused_soon(read):
    many = {
        f"{i % 97}.{'a.' * 9}{i}.weight": np.zeros((1, 1, 1, 1), np.float32) for i in range(20_000)
    }
    start = time.process_time()
    with pytest.raises(CheckpointError, match=r"20,000 extra: .* and 19,99\d more"):
        read(many)
    assert time.process_time() - start < 10  # two seconds on a quiet machine
