"""Studies that begin from weight files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import api, inits, models, settings, weights
from transfer_jax.core.errors import CheckpointError, ConfigError
from transfer_jax.core.normalisation import NAMED
from transfer_jax.runs import inputs
from transfer_jax.weights import formats


def variables_of(name, outputs=7, side=32, channels=3, **options):
    module = models.create(name, outputs, **options)
    return jax.jit(lambda key: module.init(key, jnp.zeros((1, side, side, channels)), train=False))(
        jax.random.key(5)
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    weights.export(variables_of("cbr_tiny"), "cbr_tiny", path)
    return path


def from_file(tiny_study, path, **changes):
    given = {
        "source__kind": "weights",
        "source__path": str(path),
        "arms": ("random", "transfusion:conv2", "pretrained"),
        "repeats": 1,
    }
    return tiny_study(**{**given, **changes})


def test_a_file_gives_the_stages_and_its_normalisation(tiny_study, file, tmp_path):
    study = from_file(tiny_study, file)
    done = api.run(study, tmp_path / "w")
    page = done.report.read_text()
    assert "imagenet: mean 0.485, 0.456, 0.406" in page
    assert "assumed, as torchvision does it" in page
    trained = weights.read(tmp_path / "w/weights/pretrained-0", "cbr_tiny")
    assert trained.card.normalisation == NAMED["imagenet"]
    assert trained.card.metrics["validation auc"] > 0
    assert trained.card.recipe["init"] == "pretrained"
    found = inputs.pretrained_from_file(study)
    (given,) = found.variables
    assert "head" not in given["params"]
    own = variables_of("cbr_tiny", outputs=1)
    new = inits.pretrained(jax.random.key(0), own, given)
    assert (new["params"]["conv3"]["kernel"] == given["params"]["conv3"]["kernel"]).all()
    assert (new["params"]["head"]["kernel"] == own["params"]["head"]["kernel"]).all()


def test_the_users_normalisation_comes_first(tiny_study, file, tmp_path):
    study = from_file(
        tiny_study,
        file,
        source__normalisation="caffe",
        recipe__steps=2,
        recipe__eval_every=2,
        arms=("pretrained",),
    )
    assert "caffe: mean 0.4076" in api.run(study, tmp_path / "a").report.read_text()
    study = from_file(
        tiny_study,
        file,
        data__normalisation="own",
        recipe__steps=2,
        recipe__eval_every=2,
        arms=("pretrained",),
    )
    assert "own: mean" in api.run(study, tmp_path / "b").report.read_text()
    # What a run on its own statistics leaves asks for the next data set's own, not for these.
    study = from_file(tiny_study, tmp_path / "b/weights/pretrained-0")
    assert inputs.image_spec(study, inputs.pretrained_from_file(study)).normalisation.name == "own"


def test_a_study_on_grey_images_with_one_channel(tiny_study, file, tmp_path):
    grey = {
        "data__phantom": "chest",
        "data__labels": ("effusion",),
        "data__threshold": None,
        "network_options__channels": 1,
    }
    small = {"recipe__steps": 2, "recipe__eval_every": 2, "arms": ("pretrained",)}
    study = from_file(tiny_study, file, **grey, **small)
    api.run(study, tmp_path / "w")
    left = weights.read(tmp_path / "w/weights/pretrained-0", "cbr_tiny")
    assert left.variables["params"]["conv1"]["kernel"].shape == (5, 5, 1, 32)
    assert left.card.normalisation.mean == pytest.approx((0.449,))
    with pytest.raises(
        ConfigError,
        match=r"have 3 channels: config\.network_options\.channels=1 is for grey images",
    ):
        api.run(from_file(tiny_study, file, network_options__channels=1), tmp_path / "colour")
    assert not (tmp_path / "colour").exists()


def test_dropout_widths_and_frozen_batch_norms_reach_the_training(tiny_study, tmp_path):
    small = {
        "recipe__steps": 2,
        "recipe__eval_every": 2,
        "arms": ("random",),
        "source__kind": "none",
        "repeats": 1,
    }
    study = tiny_study(
        **small,
        network_options__widths=(8, 8, 16, 16),
        network_options__dropout=0.5,
        network_options__frozen_batch_norm=True,
        network_options__epsilon=0.001,
    )
    done = api.run(study, tmp_path / "w")
    assert (
        "widths=(8, 8, 16, 16), dropout=0.5, frozen_batch_norm=True, epsilon=0.001"
        in done.report.read_text()
    )
    left = weights.load(tmp_path / "w/weights/random-0", "cbr_tiny")  # the card knows the widths
    assert left["params"]["conv4"]["kernel"].shape == (5, 5, 16, 16)
    loaded = weights.read(tmp_path / "w/weights/random-0", "cbr_tiny")
    weights.export(
        loaded.variables, "cbr_tiny", tmp_path / "hub", card=loaded.card, **loaded.card.options
    )
    again = weights.read(tmp_path / "hub", "cbr_tiny")
    assert again.card == loaded.card
    assert again.card.options == {"widths": (8, 8, 16, 16), "epsilon": 0.001}
    assert all(
        (tensors["mean"] == 0).all() and (tensors["var"] == 1).all()
        for tensors in left["batch_stats"].values()
    )


def test_the_slim_network_begins_from_the_whole_one(tiny_study, tmp_path):
    path = tmp_path / "resnet50.safetensors"
    weights.export(variables_of("resnet50", 3), "resnet50", path)
    slim = {"network": "resnet50_slim", "source__network": "resnet50"}
    with pytest.raises(
        ConfigError,
        match=(
            r"block3/unit1/\S+ has shape \(256,\) in the source and \(128,\) in the network:"
            r" upto='block2' is as far"
        ),
    ):
        api.run(from_file(tiny_study, path, **slim, arms=("pretrained",)), tmp_path / "w")
    assert not (tmp_path / "w").exists()
    small = {"recipe__steps": 1, "recipe__eval_every": 1, "recipe__learning_rate": 0.0001}
    api.run(
        from_file(tiny_study, path, **slim, **small, arms=("transfusion:block2",)), tmp_path / "w"
    )
    left, source = (
        weights.load(tmp_path / "w/weights/transfusion_block2-0", "resnet50_slim"),
        weights.load(path, "resnet50"),
    )
    near = [
        np.abs(
            left["params"][m]["unit1"]["conv2"]["kernel"]
            - source["params"][m]["unit1"]["conv2"]["kernel"]
        ).max()
        for m in ("block1", "block2")
    ]
    assert max(near) < 2e-4  # one step of Adam moves a weight by the learning rate


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"network": "cbr_small"}, CheckpointError, "does not fit cbr_small"),
        ({"source__path": "nowhere.safetensors"}, CheckpointError, "nowhere.safetensors"),
        ({"network_options__widths": (8, 8, 16, 16)}, CheckpointError, "does not fit cbr_tiny"),
    ],
)
def test_files_that_do_not_fit_leave_nothing_behind(
    tiny_study, file, tmp_path, changes, error, message
):
    with pytest.raises(error, match=message):
        api.run(from_file(tiny_study, file, **changes), tmp_path / "w")
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network_options__layout": "keras"}, "cbr_tiny has no layout 'keras'"),
        ({"network_options__channels": 2}, "channels=2 must be 1 or 3"),
        ({"network_options__dropout": 1.0}, r"dropout=1.0 must lie in \[0, 1\)"),
        ({"network_options__widths": (1,)}, "needs 4 positive numbers"),
        ({"source__normalisation": "imagenett"}, "did you mean 'imagenet'"),
        ({"data__normalisation": "image_net"}, "did you mean 'imagenet'"),
        ({"source__network": "resnet5"}, "unknown network 'resnet5'"),
    ],
)
def test_settings_of_networks_and_files_are_checked(tiny_study, file, changes, message):
    with pytest.raises(ConfigError, match=message):
        from_file(tiny_study, file, **changes)


def test_a_network_within_a_file_is_chosen_and_the_report_says_so(tiny_study, file, tmp_path):
    inside = formats.read(file).tensors
    both = {
        f"{prefix}.{name}": value
        for prefix in ("student", "teacher")
        for name, value in inside.items()
    }
    formats.write_safetensors(tmp_path / "both.safetensors", both, {})
    small = {"recipe__steps": 2, "recipe__eval_every": 2, "arms": ("pretrained",)}
    with pytest.raises(
        CheckpointError, match=r"choose one with prefix='teacher\.' \(config\.source\.prefix"
    ):
        inputs.pretrained_from_file(from_file(tiny_study, tmp_path / "both.safetensors", **small))
    study = from_file(tiny_study, tmp_path / "both.safetensors", source__prefix="teacher", **small)
    page = api.run(study, tmp_path / "w").report.read_text()
    assert "prefix teacher. removed; head teacher.fc.* ignored; " in page
    study = from_file(tiny_study, file, source__state="state_dict_ema", **small)
    with pytest.raises(
        CheckpointError, match="state='state_dict_ema' chooses among the state dicts"
    ):
        inputs.pretrained_from_file(study)


def test_options_of_files_are_not_read_by_other_sources(tiny_study):
    for option in ("state", "prefix"):
        with pytest.raises(ConfigError, match=rf"source\.{option} is read by kind='weights' only"):
            tiny_study(**{f"source__{option}": "model"})
    with pytest.raises(ConfigError, match=r"source\.normalisation is read by kind='weights' only"):
        tiny_study(source__normalisation="caffe")
    assert settings.template().network_options.layout == "torchvision"
