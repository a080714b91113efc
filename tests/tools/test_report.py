"""tools.report: any study's page again, from its folder alone."""

import re
import shutil

import damage
import pytest
import small_studies

from transfer_jax import api
from transfer_jax.core.errors import ConfigError, Interrupted
from transfer_jax.tools import report
from transfer_jax.train.progress import Progress


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A finished study that has every table and figure of a report."""
    settings = small_studies.tiny_arms(
        arms=("random", "random:he_uniform"),
        source__kind="none",
        similarity__at_end=True,
        similarity__images=24,
    )
    return api.run(settings, tmp_path_factory.mktemp("report") / "study").folder


@pytest.fixture
def folder(study, tmp_path):
    """A copy of the finished study, without what a report must not need."""
    copy = shutil.copytree(study, tmp_path / "run")
    for name in ("data", "checkpoints", "weights", "best", "tensorboard"):
        shutil.rmtree(copy / name)
    return copy


def test_a_finished_study_is_rendered_byte_for_byte(folder, tmp_path, command):
    before = (folder / "report.html").read_bytes()
    out = command(report.main)(folder, f"--out={tmp_path}/page.html")
    assert (tmp_path / "page.html").read_bytes() == before
    first, second = out.split("Convergence on validation images\n")
    assert re.match(r"Test results, mean ± .* \[95 % interval over patients\]\n", first)
    assert re.search(r"\nrandom +last +0\.\d{3} ± 0\.\d{3} \[0\.\d{3}, [01]\.\d{3}\]", first)
    assert "final AUC" in second and "(finished)" in second
    (folder / "report.html").unlink()
    command(report.main)(folder)
    assert (folder / "report.html").read_bytes() == before


def test_nothing_is_computed_on_a_device(folder, command, monkeypatch):
    monkeypatch.setattr("jax.jit", lambda *args, **kwargs: pytest.fail("compiled"))
    monkeypatch.setattr("jax.devices", lambda *args: pytest.fail("asked for devices"))
    command(report.main)(folder)


def test_an_unfinished_study_is_rendered_as_far_as_it_is(
    tiny_study, tmp_path, command, monkeypatch
):
    update = Progress.update

    def interrupting(self, done):
        update(self, done)
        if self._label == "study" and done == 3:
            raise Interrupted(done)

    monkeypatch.setattr(Progress, "update", interrupting)
    thin = {"network_options__widths": (4, 4, 8, 8), "source__kind": "none"}
    with pytest.raises(Interrupted):
        api.run(tiny_study(arms=("random", "random:he_uniform"), **thin), tmp_path / "w")
    out = command(report.main)(tmp_path / "w")
    page = (tmp_path / "w" / "report.html").read_text()
    assert "(not finished)" in out
    assert "Not finished: evaluated up to step 2 of 6" in page
    assert "First-layer filters" not in page  # there are none after training yet
    assert page.count("<tr><td>random") == 3  # two arms, and the second against the first


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("history.csv", "history.csv is not as the study left it"),
        ("similarity.csv", "similarity.csv is not as the study left it"),
        ("agreement.csv", "agreement.csv is not as the study left it"),
        ("run.json", "run.json cannot be used"),
        ("filters.npz", "filters.npz is not as the study left it"),
        ("config.json", "config.json"),
        ("fingerprint.json", "fingerprint.json cannot be used"),
    ],
)
def test_damaged_files_are_errors_and_leave_the_old_page(folder, command, file, message):
    before = (folder / "report.html").read_bytes()
    path = folder / file
    with damage.flipped(path, path.stat().st_size // 2):
        error = command(report.main)(folder, check=2)
    assert message in error and len(error.splitlines()) == 1
    assert (folder / "report.html").read_bytes() == before


def test_predictions_of_another_member_are_told(folder, command):
    predictions = folder / "predictions"
    name = "random-0.test.last.csv.gz"
    shutil.copy(predictions / "random-1.test.last.csv.gz", predictions / name)
    with pytest.raises(ConfigError, match=rf"{re.escape(name)} is not as the study left it"):
        _ = api.open_run(folder).predictions
    # The weights of the last step are drawn: the best ones were chosen on the same images.
    assert f"{name} is not as the study left it" in command(report.main)(folder, check=2)


def test_a_missing_file_is_told(folder, command):
    (folder / "filters.npz").unlink()
    assert "filters.npz is not as the study left it" in command(report.main)(folder, check=2)


def test_an_out_that_cannot_be_written_is_one_line(folder, command):
    error = command(report.main)(folder, f"--out={folder}/config.json/page.html", check=2)
    assert "config.json" in error and len(error.splitlines()) == 1


def test_what_cannot_be_rendered_is_told(folder, tmp_path, command):
    assert "holds no study" in command(report.main)(tmp_path / "none", check=2)
    taken = command(report.main)(folder, f"--out={folder}/results.csv", check=2)
    assert "exists already" in taken
    (folder / "run.json").unlink()
    assert "has no run.json" in command(report.main)(folder, check=2)
