"""Files and numbers against the real torch, torchvision and timm."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torchvision_here
from golden import reference
from safetensors.torch import load_file

from transfer_jax import models, weights

NETWORKS = (
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "densenet121",
    "inception_v3",
)
SALT = 7


def theirs(name, outputs=1000):
    """torchvision's network with reference weights of another salt."""
    options = {"init_weights": False} if name == "inception_v3" else {}
    network = getattr(torchvision_here.networks(), name)(num_classes=outputs, **options)
    state = {
        k: torch.from_numpy(np.array(reference.tensor(k, tuple(v.shape), SALT))).to(v.dtype)
        for k, v in network.state_dict().items()
    }
    network.load_state_dict(state)
    return network.eval()


def images(name, batch=2):
    return reference.images(batch, 107 if name == "inception_v3" else 64, seed=SALT)


def in_torch(network, x):
    with torch.no_grad():
        return network(torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))).numpy()


def ours(name, variables, x, outputs=1000, **options):
    module = models.create(name, outputs, **options)
    return np.asarray(
        jax.jit(lambda v, x: module.apply(v, x, train=False)[0])(variables, jnp.asarray(x))
    )


def close(got, want, tolerance=1e-4):
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * float(np.std(want)))


@pytest.mark.parametrize("name", NETWORKS)
def test_torchvisions_file_in_and_out(name, tmp_path):
    network = theirs(name)
    torch.save(network.state_dict(), tmp_path / "there.pth")
    variables = weights.load(tmp_path / "there.pth", name)
    x = images(name)
    close(ours(name, variables, x), in_torch(network, x))
    weights.export(variables, name, tmp_path / "here.safetensors")
    state = load_file(tmp_path / "here.safetensors")
    back = theirs(name)
    for parameter in back.parameters():
        parameter.data.zero_()
    assert back.load_state_dict(state, strict=True)
    assert state.keys() == network.state_dict().keys()
    assert all(
        torch.equal(value, state[key]) and value.dtype == state[key].dtype
        for key, value in network.state_dict().items()
    )
    np.testing.assert_array_equal(in_torch(back, x), in_torch(network, x))
    again = weights.load(tmp_path / "here.safetensors", name)
    assert jax.tree.structure(again) == jax.tree.structure(variables)
    assert all(
        (a == b).all()
        for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(variables), strict=True)
    )


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "inception_v3"])
def test_timm_opens_an_exported_folder(name, tmp_path):
    network = theirs(name, 5)
    import timm  # only after torchvision_here has made torchvision importable

    torch.save(network.state_dict(), tmp_path / "there.pth")
    variables = weights.load(tmp_path / "there.pth", name)
    weights.export(variables, name, tmp_path / "folder", "timm")
    opened = timm.create_model(f"local-dir:{tmp_path / 'folder'}", pretrained=True).eval()
    x = images(name)
    close(in_torch(opened, x), in_torch(network, x), 1e-6)
    assert tuple(opened.pretrained_cfg["mean"]) == (0.485, 0.456, 0.406)
    back = weights.read(tmp_path / "folder", name, "timm")
    assert "aux_head" not in back.variables["params"]
    close(ours(name, back.variables, x, 5), in_torch(network, x))


@pytest.mark.parametrize(
    "name", ["resnet18", "resnet101", "resnet152", "densenet121", "inception_v3"]
)
def test_training_mode_in_float64(name, tmp_path):
    """Outputs, the auxiliary head's and every running statistic, where rounding does not hide a
    difference.
    """
    network = theirs(name, 11)
    torch.save(network.state_dict(), tmp_path / "there.pth")
    variables = weights.load(tmp_path / "there.pth", name)
    size = 299 if name == "inception_v3" else 64  # torchvision's auxiliary head takes no less
    x = reference.images(2, size, seed=SALT).astype(np.float64)
    network = network.double().train()
    for layer in network.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    out = network(torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2))))
    wanted = [out.logits, out.aux_logits] if name == "inception_v3" else [out]
    with jax.enable_x64(True):
        module = models.create(name, 11)
        precise = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf), jnp.float64), variables)
        trained = jax.jit(
            lambda v, x: module.apply(v, x, train=True, mutable=["batch_stats", "auxiliary"])
        )
        (logits, _), changed = trained(precise, jnp.asarray(x))
        got = [logits, *jax.tree.leaves(changed.get("auxiliary", {}))]
        statistics = jax.tree.map(np.asarray, changed["batch_stats"])
    for a, b in zip(got, wanted, strict=True):
        close(np.asarray(a), b.detach().numpy(), 1e-8)
    torch.save(network.state_dict(), tmp_path / "after.pth")
    after = weights.load(tmp_path / "after.pth", name, cast=True)["batch_stats"]
    for a, b in zip(jax.tree.leaves(statistics), jax.tree.leaves(after), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_cbr_network_in_torch(tmp_path):
    class Tiny(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for i, (a, b) in enumerate(((3, 32), (32, 64), (64, 128), (128, 256)), start=1):
                setattr(self, f"conv{i}", torch.nn.Conv2d(a, b, 5, padding=2, bias=False))
                setattr(self, f"bn{i}", torch.nn.BatchNorm2d(b))
            self.fc = torch.nn.Linear(256, 3)

        def forward(self, x):
            for i in range(1, 5):
                x = torch.relu(getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(x)))
                x = torch.nn.functional.max_pool2d(x, 3, 2, 1)
            return self.fc(x.mean((2, 3)))

    module = models.create("cbr_tiny", 3)
    x = reference.images(2, 48)
    variables = jax.jit(lambda key: module.init(key, jnp.asarray(x), train=False))(
        jax.random.key(0)
    )
    weights.export(variables, "cbr_tiny", tmp_path / "tiny.safetensors")
    network = Tiny().eval()
    network.load_state_dict(load_file(tmp_path / "tiny.safetensors"), strict=True)
    close(in_torch(network, x), ours("cbr_tiny", variables, x, 3))


@pytest.mark.parametrize(
    ("name", "wrap"),
    [
        ("resnet18", lambda network: torch.nn.DataParallel(network)),
        (
            "resnet18",
            lambda network: torch.nn.ModuleDict(
                {"model": torch.nn.ModuleDict({"backbone": network})}
            ),
        ),
        (
            "resnet50",
            lambda network: torch.nn.ModuleDict(
                {"backbone": torch.nn.Sequential(*list(network.children())[:-1])}
            ),
        ),
        ("densenet121", lambda network: torch.nn.Sequential(*network.features.children())),
        ("inception_v3", lambda network: torch.nn.Sequential(*list(network.children())[:-3])),
    ],
)
def test_networks_as_training_programs_wrap_them(name, wrap, tmp_path):
    network = theirs(name)
    optimizer = torch.optim.Adam(
        network.fc.parameters() if name == "resnet18" else network.parameters()
    )
    optimizer.step()
    checkpoint = {
        "epoch": 3,
        "state_dict": wrap(network).state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    torch.save(network.state_dict(), tmp_path / "plain.pth")
    plain = weights.load(tmp_path / "plain.pth", name)
    for old in (False, True):
        path = tmp_path / f"wrapped-{old}.pth"
        torch.save(checkpoint, path, _use_new_zipfile_serialization=not old)
        loaded = weights.read(path, name)
        if "head" not in loaded.variables["params"]:
            plain["params"].pop("head", None)
        assert jax.tree.structure(loaded.variables) == jax.tree.structure(plain)
        assert all(
            (a == b).all()
            for a, b in zip(jax.tree.leaves(loaded.variables), jax.tree.leaves(plain), strict=True)
        )
        assert (
            loaded.card.recognised[0]
            == "state dict state_dict read; ignored beside it: epoch, optimizer"
        )
        assert len(loaded.card.recognised) > 1
