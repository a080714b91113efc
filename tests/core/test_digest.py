import json

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from transfer_jax.core import digest


def test_a_checksum_is_of_the_bytes_in_c_order():
    assert digest.checksum(np.zeros(0, np.uint8)) == 0x2D06800538D394C2  # XXH3's own test vector
    rows = np.arange(12, dtype=np.int32).reshape(3, 4)
    assert digest.checksum(rows.T) == digest.checksum(rows.T.copy())
    assert digest.checksum(rows.T) != digest.checksum(rows)
    assert digest.checksum(np.zeros((), np.float32)) == digest.checksum(np.zeros(1, np.int32))


def test_a_checksum_sees_every_bit():
    data = np.arange(300, dtype=np.uint8)
    sums = {digest.checksum(data)}
    for bit in range(8 * len(data)):
        flipped = data.copy()
        flipped[bit // 8] ^= 1 << bit % 8
        sums.add(digest.checksum(flipped))
    assert len(sums) == 1 + 8 * len(data)


def test_a_table_tells_paths_types_shapes_and_values_apart():
    table = digest.of_tensors({"a": jnp.zeros((2, 3)), "b": [np.ones(1, ml_dtypes.bfloat16)]})
    assert list(table) == ["a", "b/0"]
    assert table["a"].startswith("float32 [2, 3] ")
    assert table["b/0"].startswith("bfloat16 [1] ")
    changed = {
        "a/b": {"a": {"b": jnp.zeros((2, 3))}},
        "a": {"a": jnp.zeros((3, 2))},
        "a-type": {"a": jnp.zeros((2, 3), jnp.int32)},
        "a-sign": {"a": -jnp.zeros((2, 3))},
    }
    tables = [digest.of_tensors(tree) for tree in ({"a": jnp.zeros((2, 3))}, *changed.values())]
    assert len({json.dumps(one) for one in tables}) == 5


def test_random_keys_count_by_their_data():
    one, two = (digest.of_tensors({"key": jax.random.key(seed)}) for seed in (1, 2))
    assert one["key"].startswith("key<fry> [2] ")
    assert one != two


def test_differences_name_every_tensor():
    lines = digest.differences({"a": "x", "b": "y", "c": "z"}, {"b": "y", "c": "w", "d": "x"})
    assert lines == ["a is missing", "c is w, not z", "d does not belong there"]


def test_json_has_one_digest_whatever_the_order_of_its_keys():
    assert digest.of_json({"b": 1, "a": [0.1]}) == digest.of_json({"a": (0.1,), "b": 1})
    values = ({"a": 1}, {"a": 1.0}, {"a": True}, {"a": "1"}, {"b": 1}, [1], {"a": float("nan")})
    assert len({digest.of_json(value) for value in values}) == len(values)


def test_a_seal_is_for_what_json_gives_back():
    sealed = digest.seal({"a": (1, 2), "b": {3: 0.1}})
    assert digest.unseal(json.loads(json.dumps(sealed))) == {"a": [1, 2], "b": {"3": 0.1}}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "not a JSON object"),
        ({"a": 1}, "has no digest"),
        ({**digest.seal({"a": 1}), "a": 2}, "does not match its own digest"),
        ({**digest.seal({"a": 1}), "b": 2}, "does not match its own digest"),
        ({**digest.seal({"a": 1}), "digest": None}, "does not match its own digest"),
    ],
)
def test_what_is_not_sealed_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        digest.unseal(value)


def test_a_file_has_the_digest_of_its_bytes(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert digest.of_file(tmp_path / "x").startswith("ba7816bf8f01cfea")  # FIPS 180-2, B.1
