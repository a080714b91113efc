"""The program as a user meets it: a process, its output, its exit code."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from transfer_jax import models, settings
from transfer_jax.studies import members

ROOT = Path(__file__).resolve().parent.parent
SMOKE = [
    "--config.repeats=1",
    "--config.recipe.steps=1",
    "--config.recipe.batch_size=8",
    "--config.recipe.eval_every=1",
    "--config.source.recipe.steps=1",
    "--config.source.recipe.batch_size=8",
    "--config.similarity.images=40",
]
# The phases of an arm add up to the recipe's steps.
ARMS = {
    "juodelyte.py": [
        "--config.recipe.steps=2",
        *(f"--config.arms[2].phases[{i}].steps=1" for i in range(2)),
    ]
}
SMALL = [
    "--config.data.train=40",
    "--config.data.val=24",
    "--config.data.test=24",
    "--config.source.data.train=40",
    "--config.source.data.val=24",
]


def main(*args, cwd=ROOT):
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    call = [sys.executable, "-m", "transfer_jax.main", *map(str, args)]
    return subprocess.run(
        call, capture_output=True, text=True, check=False, cwd=cwd, env=environment
    )


def test_the_readmes_first_command_at_smoke_size(tmp_path):
    command = first_block()[0]
    assert (
        command == "python -m pip install -e . && python -m transfer_jax.main"
        " --config=configs/transfusion.py"
    )
    args = shlex.split(command.split(" -m transfer_jax.main ")[1])
    done = main(*args, *SMOKE, *SMALL, f"--workdir={tmp_path}/w")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.strip().splitlines()
    assert lines[-2] == f"report:      {tmp_path}/w/report.html"
    assert lines[-1] == f"TensorBoard: python -m tensorboard.main --logdir={tmp_path}/w"
    assert (tmp_path / "w" / "report.html").stat().st_size > 10_000
    assert "Traceback" not in done.stderr


def first_block():
    readme = (ROOT / "README.md").read_text()
    return re.findall(r"```(?:bash|sh)\n(.*?)```", readme, re.S)[0].strip().splitlines()


def test_the_readmes_second_command_is_what_ci_runs():
    command = first_block()[1]
    assert command == "python -m pip install -e '.[test,peers]' && python -m pytest"
    assert command in (ROOT / ".ci" / "run").read_text()


def test_tensorboard_can_be_opened_as_told():
    done = subprocess.run(
        [sys.executable, "-m", "tensorboard.main", "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def prepared(shared, tmp_path_factory):
    """The three real sets where the configs look for them, small."""
    folder = tmp_path_factory.mktemp("project")
    grey = ["--grey"]
    for name, labels, options in (
        ("fundus_dr", "grade", []),
        ("cxr_kermany", "pneumonia", grey),
        ("cxr_nih14", "Pneumonia,Infiltration,view,sex", [*grey, "--keep=age,sex,view"]),
    ):
        call = [
            sys.executable,
            "-m",
            "transfer_jax.tools.prepare",
            str(shared / name),
            f"--out={folder}/data/{name}",
        ]
        dealt = "--deal=train:0.6,val:0.2,test:0.2"
        subprocess.run(
            [*call, f"--labels={labels}", "--size=32", dealt, *options],
            check=True,
            capture_output=True,
        )
    return folder


@pytest.mark.shared_data
@pytest.mark.parametrize(
    "study",
    ["transfusion.py:retina", "transfusion.py:chest", "fig6_mean_var.py", "fig7_transfusion.py",
     "fig8_hybrids.py:largew", "fig8_hybrids.py:slim",
     "appendix_resample.py", "similarity.py", "juodelyte.py:natural", "juodelyte.py:medical",
     "view_and_sex.py:view", "view_and_sex.py:sex"],
)  # fmt: skip
def test_real_images_make_a_study(prepared, tmp_path, study):
    arms = ARMS.get(study.partition(":")[0], [])
    done = main(
        f"--config={ROOT}/configs/{study}", *SMOKE, *arms, f"--workdir={tmp_path}/w", cwd=prepared
    )
    assert done.returncode == 0, done.stderr
    config, variant = _config(study)
    for arm in config.get_config(*variant).arms:
        assert (arm if isinstance(arm, str) else arm.name).replace(":", "_").replace(
            "+", "_"
        ) in done.stdout
    assert "differences from random" in (tmp_path / "w" / "report.html").read_text()


@pytest.mark.shared_data
def test_random_networks_are_compared(prepared, tmp_path):
    small = [
        "--config.network=cbr_tiny",
        "--config.network_options.layout=torchvision",
        "--config.data.path=data/cxr_kermany",
    ]
    smoke = ["--config.repeats=2", "--config.recipe.batch_size=8", "--config.similarity.images=40"]
    done = main(
        f"--config={ROOT}/configs/random_networks.py",
        *small,
        *smoke,
        f"--workdir={tmp_path}/w",
        cwd=prepared,
    )
    assert done.returncode == 0, done.stderr
    rows = (tmp_path / "w" / "similarity.csv").read_text()
    assert rows.count("\nbefore,random,0,random,1,") == 4


@pytest.mark.parametrize("variant", ["imagenet", "radimagenet"])
def test_the_papers_own_sources_fit_their_network(variant):
    config, _ = _config("juodelyte.py")
    study = settings.load(config.get_config(variant))
    source = models.without(models.shapes(settings.network(study, 1), 32, 3), models.HEADS)
    members.check(study.in_steps(images=4000, source_images=None), source)
    with pytest.raises(ValueError, match="unknown variant"):
        config.get_config("textures")


def _config(study):
    name, _, variant = study.partition(":")
    spec = importlib.util.spec_from_file_location("config", ROOT / "configs" / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, [variant] if variant else []


def test_every_config_file_is_run_by_a_test():
    text = Path(__file__).read_text()
    assert all(path.name in text for path in (ROOT / "configs").glob("*.py"))


@pytest.mark.parametrize("variant", ["largew", "resnet", "slim"])
def test_hybrids_of_every_network_can_be_made(variant):
    config, _ = _config("fig8_hybrids.py")
    members.check(
        settings.load(config.get_config(variant)), None
    )  # its source is trained: its shapes are known
    with pytest.raises(ValueError, match="unknown variant"):
        config.get_config("resnet18")


CONFIG = "--config=configs/transfusion.py"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "no study given: add --config=configs/transfusion.py"),
        (["--config=configs/none.py"], "configs/none.py"),
        ([CONFIG + ":moon"], "unknown variant 'moon'"),
        ([CONFIG, "--config.recipe.step=5"], 'did you mean "steps"'),
        ([CONFIG, "--config.recipe.steps=many"], "many"),
        ([CONFIG, "--confg.seed=1"], "confg"),
        ([CONFIG, "stray"], "unexpected argument 'stray'"),
        (
            [CONFIG, "--config.recipe.momentum=0.5"],
            "config.recipe.momentum is read by optimizer='sgd' only",
        ),
        (
            [CONFIG, "--config.source.kind=none"],
            "begins from pretrained weights, but config.source.kind is 'none'",
        ),
        (
            [CONFIG + ":chest"],
            (
                "data folder data/cxr_kermany does not exist: make it with python -m"
                " transfer_jax.tools.prepare"
            ),
        ),
        (
            [
                CONFIG,
                "--config.arms=('random',)",
                "--config.source.kind=none",
                "--config.source.recipe.steps=3",
            ],
            "nothing reads it",
        ),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(tmp_path, args, message):
    done = main(*args, f"--workdir={tmp_path}/w")
    assert done.returncode == 2, done.stderr
    assert message.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("transfer_jax: ")
    assert not (tmp_path / "w").exists()
