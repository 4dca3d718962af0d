"""Reading: mapped arrays, files of others, shards, and files that are damaged."""

from __future__ import annotations

import json

import numpy as np
import pytest
import safetensors.numpy

import fxla
from fxla import weights


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "x.safetensors"
    fxla.save(path, {"params": {"w": np.arange(6.0).reshape(2, 3), "b": np.ones(3)}, "step": 3})
    return path


def test_arrays_are_mapped_and_writing_stays_in_memory(saved):
    tree = fxla.load(saved)
    w = tree["params"]["w"]
    assert w.flags.writeable and not w.flags.owndata and w.flags.aligned
    before = saved.read_bytes()
    w[:] = 7.0
    assert saved.read_bytes() == before
    np.testing.assert_array_equal(fxla.load(saved)["params"]["w"], np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(fxla.jit(lambda x: x * 2)(w), np.full((2, 3), 14.0))


def test_who_has_opened_a_file_keeps_it_when_it_is_replaced(saved):
    before = fxla.load(saved)
    opened = weights.open(saved)
    opened["params/w"]
    fxla.save(saved, {"params": {"w": np.zeros((9, 9))}})
    np.testing.assert_array_equal(before["params"]["w"], np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(opened["params/b"], np.ones(3))


def test_a_handle_reads_by_name(saved):
    file = weights.open(saved)
    assert sorted(file) == ["params/b", "params/w"] and len(file) == 2
    assert file.described("params/w") == "f64[2,3]" and file.shape("params/b") == (3,)
    np.testing.assert_array_equal(file["params/b"], np.ones(3))
    with pytest.raises(KeyError):
        file["params/c"]


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ("params/*", {"params": {"w": (2, 3), "b": (3,)}}),
        (["*/b", "step"], {"params": {"b": (3,)}, "step": 3}),
        (lambda name: name.endswith("w"), {"params": {"w": (2, 3)}}),
        ("nothing", None),
    ],
    ids=["pattern", "patterns", "function", "none"],
)
def test_part_of_a_tree(saved, only, expected):
    got = fxla.load(saved, only=only)
    assert fxla.tree.map(lambda x: x if isinstance(x, int) else x.shape, got) == expected


def test_what_was_not_asked_for_is_none_in_lists(tmp_path):
    fxla.save(tmp_path / "x", [np.ones(1), {"a": np.ones(2), "b": np.ones(3)}, (np.ones(4),)])
    got = fxla.load(tmp_path / "x", only="1/a")
    assert got[0] is None and list(got[1]) == ["a"] and got[2] is None


def test_files_of_others_are_flat(tmp_path):
    tensors = {
        "encoder.0.weight": np.ones((2, 2), np.float32),
        "encoder.0.bias": np.zeros(2, np.int8),
    }
    safetensors.numpy.save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    for path in (tmp_path / "model.safetensors", tmp_path):
        got = fxla.load(path)
        assert set(got) == set(tensors)
        for name, x in tensors.items():
            assert got[name].dtype == x.dtype
            np.testing.assert_array_equal(got[name], x)
    assert list(fxla.load(tmp_path, only="*.bias")) == ["encoder.0.bias"]
    assert weights.open(tmp_path).metadata == {"format": "pt"}


def shards(folder):
    for k, name in enumerate("ab", 1):
        file = {name: np.full(k, float(k))}
        safetensors.numpy.save_file(file, folder / f"model-0000{k}-of-00002.safetensors")
    index = {
        "metadata": {"total_size": 24},
        "weight_map": {n: f"model-0000{k}-of-00002.safetensors" for k, n in enumerate("ab", 1)},
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return index


def test_shards(tmp_path):
    index = shards(tmp_path)
    got = fxla.load(tmp_path)
    assert sorted(got) == ["a", "b"] and got["b"].tolist() == [2.0, 2.0]
    assert weights.open(tmp_path).metadata == {"total_size": "24"}
    path = tmp_path / "model.safetensors.index.json"
    index["weight_map"]["c"] = "model-00001-of-00002.safetensors"
    path.write_text(json.dumps(index))
    with pytest.raises(weights.DamagedFileError, match=r"tensors that its files lack: \['c'\]"):
        fxla.load(path)
    index["weight_map"]["c"] = "../secret.safetensors"
    path.write_text(json.dumps(index))
    with pytest.raises(weights.DamagedFileError, match="in another folder"):
        fxla.load(path)
    index["weight_map"]["c"] = "absent.safetensors"
    path.write_text(json.dumps(index))
    with pytest.raises(FileNotFoundError, match=r"absent\.safetensors"):
        fxla.load(path)
    path.write_text("[]")
    with pytest.raises(weights.DamagedFileError, match="no index"):
        fxla.load(path)


def test_every_truncation_is_refused(saved):
    whole = saved.read_bytes()
    for length in [*range(0, len(whole), 7), len(whole) - 1]:
        saved.write_bytes(whole[:length])
        with pytest.raises(weights.DamagedFileError, match=r"truncated|not a safetensors"):
            fxla.load(saved)
    saved.write_bytes(whole)
    assert fxla.load(saved)["step"] == 3


def test_any_changed_byte_of_a_tensor_is_found(saved):
    whole = bytearray(saved.read_bytes())
    for place in range(len(whole) - 72, len(whole), 5):
        whole[place] ^= 1
        saved.write_bytes(whole)
        with pytest.raises(weights.DamagedFileError, match="are not those that were saved"):
            fxla.load(saved)
        fxla.load(saved, verify=False)
        whole[place] ^= 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: b + b"x", "damaged"),
        (lambda b: b"PK\x03\x04" * 3 + b[12:], "not a safetensors file"),
        (lambda b: b.replace(b'"F64"', b'"F99"'), "damaged"),
        (lambda b: b.replace(b'{"', b'["', 1), "header cannot be read"),
        (lambda b: b.replace(b'\\"dict\\"', b'\\"dic!\\"', 1), "'dic!' is no kind"),
        (lambda b: b.replace(b"[2,3]", b"[2,9]"), "damaged"),
    ],
    ids=["longer", "other", "dtype", "json", "structure", "shape"],
)
def test_other_damages_are_refused(saved, damage, message):
    whole = saved.read_bytes()
    assert damage(whole) != whole
    saved.write_bytes(damage(whole))
    with pytest.raises(ValueError, match=message):
        fxla.load(saved)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        fxla.load(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match=r"holds no model\.safetensors"):
        fxla.load(tmp_path)
