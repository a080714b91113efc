import os
import struct
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from transfer_jax.core.errors import DataError
from transfer_jax.data.storage import tfrecord

PAYLOADS = [b"", b"a", bytes(range(256)) * 5, b"last"]


@pytest.fixture
def path(tmp_path):
    tfrecord.write_file(tmp_path / "x.tfrecord", PAYLOADS)
    return tmp_path / "x.tfrecord"


def test_tensorflow_reads_what_we_write(path):
    assert [r.numpy() for r in tf.data.TFRecordDataset(str(path))] == PAYLOADS


def test_we_read_what_tensorflow_writes(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "tf")) as writer:
        for payload in PAYLOADS:
            writer.write(payload)
    source = tfrecord.RecordSource([tmp_path / "tf"])
    assert [source[i] for i in range(len(source))] == PAYLOADS


def test_crc_is_castagnolis():
    # RFC 3720, B.4: 32 bytes of zeros have CRC32C 8a9136aa.
    crc = 0x8A9136AA
    assert tfrecord.masked_crc(bytes(32)) == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def test_random_access_over_several_files(path, tmp_path):
    tfrecord.write_file(tmp_path / "y.tfrecord", [b"second"])
    source = tfrecord.RecordSource([path, tmp_path / "y.tfrecord"])
    assert len(source) == 5
    assert (source[4], source[1]) == (b"second", b"a")


def test_threads_that_open_a_file_at_once_share_one_descriptor(path, monkeypatch):
    source, together, opened, whole = (
        tfrecord.RecordSource([path]),
        threading.Barrier(2),
        [],
        os.open,
    )

    def opening(*args):
        descriptor = whole(*args)
        opened.append(descriptor)
        together.wait(10)
        return descriptor

    monkeypatch.setattr(os, "open", opening)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(source.__getitem__, (1, 3))) == [PAYLOADS[1], PAYLOADS[3]]
    monkeypatch.undo()
    source.close()
    assert len(opened) == 2
    for descriptor in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


@pytest.mark.parametrize("record", range(len(PAYLOADS)))
def test_a_flipped_bit_in_a_payload_is_found_when_it_is_read(path, record):
    offset, length = tfrecord.index(path).entries[record]
    data = bytearray(path.read_bytes())
    data[offset + (length // 2 if length else 1)] ^= 4  # of an empty payload, its checksum
    path.write_bytes(bytes(data))
    source = tfrecord.RecordSource([path])
    for i in range(len(source)):
        if i == record:
            with pytest.raises(
                DataError,
                match=(
                    rf"x.tfrecord: wrong checksum in record {record} \(payload at byte {offset}\)"
                ),
            ):
                source[i]
        else:
            assert source[i] == PAYLOADS[i]


def test_a_flipped_bit_in_a_length_is_found_when_the_file_is_opened(path):
    data = bytearray(path.read_bytes())
    data[16 + 12 + 1 + 4 + 3] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="wrong checksum in the header of record"):
        tfrecord.RecordSource([path])


def test_every_truncation_is_found(path):
    data = path.read_bytes()
    ends = {int(offset + length + 4) for offset, length in tfrecord.index(path).entries} | {0}
    for size in range(len(data)):
        path.write_bytes(data[:size])
        if size in ends:
            assert len(tfrecord.index(path).entries) == sum(end <= size for end in ends) - 1
        else:
            with pytest.raises(DataError, match="cut off"):
                tfrecord.index(path)


def test_a_length_beyond_the_file_allocates_nothing(tmp_path):
    header = struct.pack("<Q", 1 << 60)
    (tmp_path / "z").write_bytes(
        header + struct.pack("<I", tfrecord.masked_crc(header)) + b"x" * 100
    )
    with pytest.raises(DataError, match="cut off inside record 0"):
        tfrecord.index(tmp_path / "z")


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(DataError, match="is missing, though the manifest names it"):
        tfrecord.RecordSource([tmp_path / "none"])


def test_a_file_that_shrinks_after_opening_is_found(path):
    source = tfrecord.RecordSource([path])
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.raises(DataError, match="wrong checksum in record 3"):
        source[3]


def test_index_dtype(path):
    assert tfrecord.index(path).entries.dtype == np.int64
