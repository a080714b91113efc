"""What tools.prepare refuses: harmful archives, and mistakes of its user."""

import io
import tarfile
import zipfile

import pytest


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "a/../../evil.png", "..\\evil.png"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_archives_that_lead_out_are_refused(prepare, tmp_path, name, kind):
    path = tmp_path / f"raw.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, "x")
    else:
        with tarfile.open(path, "w") as archive:
            entry = tarfile.TarInfo(name)
            entry.size = 1
            archive.addfile(entry, io.BytesIO(b"x"))
    before = set(tmp_path.parent.rglob("*evil*"))
    assert "which leads out of it" in prepare(
        path, f"--out={tmp_path}/out/set", "--labels=a", check=2
    )
    assert set(tmp_path.parent.rglob("*evil*")) == before
    assert list((tmp_path / "out").iterdir()) == []


def test_archives_that_are_none_or_hold_links_are_refused(prepare, tmp_path):
    (tmp_path / "raw.zip").write_bytes(b"PK\3\4 nothing")
    assert "cannot be unpacked" in prepare(
        tmp_path / "raw.zip", f"--out={tmp_path}/set", "--labels=a", check=2
    )
    with tarfile.open(tmp_path / "raw.tar", "w") as archive:
        entry = tarfile.TarInfo("link")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc"
        archive.addfile(entry)
    assert "neither a file nor a folder" in prepare(
        tmp_path / "raw.tar", f"--out={tmp_path}/set", "--labels=a", check=2
    )
    (tmp_path / "raw.txt").write_text("x")
    assert "neither a folder nor an archive" in prepare(
        tmp_path / "raw.txt", f"--out={tmp_path}/set", "--labels=a", check=2
    )


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (lambda raw: None, ["--labels=grad"], "has no column 'grad': did you mean 'grade'?"),
        (lambda raw: None, [], "the following arguments are required: --labels"),
        (lambda raw: (raw / "labels.csv").unlink(), ["--labels=grade"], "labels.csv is missing"),
        (
            lambda raw: (raw / "images/bild 5 ä.png").unlink(),
            ["--labels=grade"],
            "cannot be opened",
        ),
        (
            lambda raw: (raw / "images/bild 5 ä.png").write_bytes(b"no image"),
            ["--labels=grade"],
            "bild 5 ä.png is not a readable JPEG or PNG",
        ),
        (lambda raw: None, ["--labels=grade", "--size=8"], "--size=8 must lie in 32..4096"),
        (
            lambda raw: None,
            ["--labels=grade", "--name=a-b"],
            "must be letters, digits and underscores",
        ),
        (lambda raw: None, ["--labels=grade", "--fit=crop"], "invalid choice"),
        (
            lambda raw: None,
            ["--labels=grade", "--max_rejected=2"],
            "--max_rejected=2.0 must lie in 0..1",
        ),
        (
            lambda raw: None,
            ["--labels=grade", "--deal=half"],
            "must look like train:0.8,val:0.1,test:0.1",
        ),
        (lambda raw: None, ["--labels=grade", "--deal=train:0.5,dev:0.5"], "'dev' is no split"),
        (lambda raw: None, ["--labels=grade", "--deal=train:0.5,val:0.1"], "add up to 1"),
        (lambda raw: None, ["--labels=grade", "--deal=train:nan,val:0.1"], "add up to 1"),
        (
            lambda raw: None,
            ["--labels=grade", "--deal_seed=-1"],
            "--deal_seed=-1 must not be negative",
        ),
        (
            lambda raw: None,
            ["--labels=grade", "--stratify=grad"],
            "cannot stratify by 'grad': did you mean 'grade'?",
        ),
        (lambda raw: None, ["--labels=grade", "--workers=0"], "--workers=0 must be at least 1"),
        (lambda raw: None, ["--set=chexprt"], "did you mean 'chexpert'"),
        (lambda raw: None, ["--set=chexpert"], "train.csv"),
        (
            lambda raw: None,
            ["--set=chexpert", "--labels=grade"],
            "unrecognized arguments: --labels=grade",
        ),
    ],
)
def test_a_users_mistakes_are_one_line_and_leave_nothing(
    prepare, raw, tmp_path, spoil, options, message
):
    spoil(raw)
    error = prepare(raw, f"--out={tmp_path}/new/set", *options, check=2)
    error = "\n".join(
        line for line in error.splitlines() if "image/s" not in line and "%|" not in line
    )  # progress
    assert error.startswith("transfer_jax: ")
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert list((tmp_path / "new").glob("*")) == []


def test_a_missing_raw_folder_and_an_existing_out_are_errors(prepare, raw, tmp_path):
    assert "does not exist" in prepare(
        tmp_path / "none", f"--out={tmp_path}/set", "--labels=grade", check=2
    )
    assert "exists already" in prepare(raw, f"--out={raw}", "--labels=grade", "--name=x", check=2)
    assert (raw / "labels.csv").exists()
