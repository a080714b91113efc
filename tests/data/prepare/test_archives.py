"""Archives: the single folder in them, what lies beside it, and errors that name the archive."""

import io
import json
import tarfile
import zipfile

import cv2
import numpy as np
import pytest

from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.data.prepare import archives
from transfer_jax.data.storage.manifest import Manifest
from transfer_jax.tools import prepare as tool


def zipped(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def content(path, out):
    with archives.unpacked(path, out) as raw:
        return sorted(
            file.relative_to(raw.folder).as_posix()
            for file in raw.folder.rglob("*")
            if file.is_file()
        )


@pytest.mark.parametrize(("pack", "name"), [(zipped, "a.zip"), (tarred, "a.tar.gz")])
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["set/labels.csv", "set/i/1.png"], ["i/1.png", "labels.csv"]),
        (["set/labels.csv", "__MACOSX/set/._labels.csv", ".DS_Store"], ["labels.csv"]),
        (["outer/inner/a/1.png", "outer/inner/b/2.png"], ["a/1.png", "b/2.png"]),
        (["labels.csv", "i/1.png"], ["i/1.png", "labels.csv"]),
        (["a/1.png", "b/2.png"], ["a/1.png", "b/2.png"]),
        (["train/a/1.png", "train/b/2.png"], ["train/a/1.png", "train/b/2.png"]),
        (["labels.csv"], ["labels.csv"]),
    ],
)
def test_a_single_folder_is_gone_into(tmp_path, pack, name, files, expected):
    path = pack(tmp_path / name, dict.fromkeys(files, b"x"))
    assert content(path, tmp_path / "set") == expected
    assert sorted(file.name for file in tmp_path.iterdir()) == [name]


def test_errors_name_the_archive_and_not_the_temporary_folder(tmp_path):
    path = zipped(tmp_path / "a.zip", {"set/labels.csv": "x"})
    for kind in (DataError, ConfigError):
        with pytest.raises(kind) as caught, archives.unpacked(path, tmp_path / "out") as raw:
            raise kind(
                f"{raw.folder}/labels.csv, line 2: wrong; {raw.folder} has it, {raw.unpacked} too"
            )
        assert (
            str(caught.value)
            == f"{path}:set/labels.csv, line 2: wrong; {path}:set has it, {path} too"
        )
    with archives.unpacked(tmp_path, tmp_path / "out") as raw:
        assert raw.named(f"{tmp_path}/x") == f"{tmp_path}/x"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"inner.zip": b"x"},
            r"a\.zip holds nothing but other archives, inner\.zip for one: unpack it",
        ),
        (
            {"set/1.tar.gz": b"x", "set/2.tar.gz": b"x"},
            r"a\.zip:set holds nothing but other archives, 1\.tar\.gz for one",
        ),
        ({}, r"a\.zip holds no files"),
        ({"__MACOSX/x": b"x"}, r"a\.zip holds no files"),
    ],
)
def test_archives_without_data_are_refused(tmp_path, files, message):
    path = zipped(tmp_path / "a.zip", files)
    with pytest.raises(DataError, match=message), archives.unpacked(path, tmp_path / "out"):
        pass


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar.xz", "a.tar.bz2"])
def test_damaged_archives_are_refused(tmp_path, name):
    data = np.random.default_rng(0).integers(0, 4, 20_000, np.uint8).tobytes()
    path = tmp_path / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x", data)
    else:
        with tarfile.open(path, f"w:{name.rpartition('.')[2]}") as archive:
            entry = tarfile.TarInfo("x")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    packed = bytearray(path.read_bytes())
    packed[200:2000] = bytes(1800)
    path.write_bytes(packed)
    with (
        pytest.raises(DataError, match=f"{name} cannot be unpacked"),
        archives.unpacked(path, tmp_path / "out"),
    ):
        pass


def test_the_command_tells_of_an_archive_as_of_a_folder(command, tmp_path):
    picture = cv2.imencode(".png", np.arange(1024, dtype=np.uint8).reshape(32, 32))[1].tobytes()
    rows = "".join(f"i/{k}.png,p{k},{k % 2}\n" for k in range(30))
    files = {f"set/i/{k}.png": picture if k else b"damaged" for k in range(30)} | {
        "set/labels.csv": f"image,patient,label\n{rows}"
    }
    path = zipped(tmp_path / "a.zip", files | {"set/notes.txt": "x", "set/more.png": picture})
    prepare = command(tool.main)
    call = (path, "--labels=label", "--split=", "--size=32")
    error = prepare(*call, f"--out={tmp_path}/set", check=2)
    assert f"{path}:set/i/0.png is not a readable" in error and ".set.raw" not in error
    out = prepare(*call, f"--out={tmp_path}/set", "--max_rejected=0.1")
    assert f"rejected: i/0.png: {path}:set/i/0.png is not a readable" in out
    assert "note: left out: images that the table does not name: 1 (more.png)" in out
    manifest = Manifest.read(tmp_path / "set")
    assert ".set.raw" not in json.dumps(manifest.source) + json.dumps(manifest.rejected)
    assert manifest.source["notes"] == [
        "left out: images that the table does not name: 1 (more.png)"
    ]
    assert "every value of label in every split where possible" in manifest.source["splits"]
    assert "table a.zip:set/label.csv" in prepare(
        *call, f"--out={tmp_path}/b", "--table=label.csv", check=2
    ).replace(f"{tmp_path}/", "")
