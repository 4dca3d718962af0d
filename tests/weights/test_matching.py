"""A template: the file must have its leaves."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import safetensors.numpy

import fxla
from fxla.weights.matching import leaf_names


class Moments(NamedTuple):
    mu: Any
    nu: Any


def tree():
    return {"opt": Moments([np.ones(2)], np.zeros((), np.complex128)), "step": 3, "none": None}


def test_names_are_those_of_the_file(tmp_path):
    fxla.save(tmp_path / "x", tree())
    assert set(leaf_names(tree())) - set(fxla.weights.open(tmp_path / "x")) == {"step"}
    assert leaf_names(np.ones(3)) == ["value"]


def test_a_template_gives_the_classes_and_the_file_the_leaves(tmp_path):
    fxla.save(tmp_path / "x", tree())
    like = fxla.tree.map(lambda x: np.zeros_like(x) if isinstance(x, np.ndarray) else 0, tree())
    got = fxla.load(tmp_path / "x", like=like)
    assert type(got["opt"]) is Moments and got["step"] == 3 and got["none"] is None
    np.testing.assert_array_equal(got["opt"].mu[0], np.ones(2))
    assert got["opt"].nu.dtype == np.complex128
    shapes = fxla.eval_shape(lambda: {"a": np.zeros(3), "b": np.zeros((2, 2))})
    fxla.save(tmp_path / "y", {"a": np.arange(3.0), "b": np.eye(2)})
    np.testing.assert_array_equal(fxla.load(tmp_path / "y", like=shapes)["b"], np.eye(2))


def test_all_differences_are_listed(tmp_path):
    fxla.save(tmp_path / "x", {"a": np.ones(3), "b": np.ones((2, 2)), "c": np.ones(1), "d": 1})
    like = {"a": np.ones(4), "b": np.ones((2, 2), np.float32), "e": {"f": np.ones(5)}, "d": 1}
    with pytest.raises(ValueError, match="does not match") as caught:
        fxla.load(tmp_path / "x", like=like)
    assert str(caught.value).partition("\n")[2] == (
        "  missing:\n    e/f: f64[5]\n  extra:\n    c: f64[1]\n  different:\n"
        "    a: f64[3] in the file, f64[4] expected\n    b: f64[2,2] in the file, f32[2,2] expected"
    )


def test_a_template_for_a_file_of_others(tmp_path):
    safetensors.numpy.save_file({"layer.0.w": np.ones(2)}, tmp_path / "x")
    got = fxla.load(tmp_path / "x", like={"layer": [{"w": np.zeros(2)}]})
    np.testing.assert_array_equal(got["layer"][0]["w"], [1, 1])


def test_only_and_like_exclude_each_other(tmp_path):
    fxla.save(tmp_path / "x", {"a": 1})
    with pytest.raises(ValueError, match="not both"):
        fxla.load(tmp_path / "x", like={"a": 1}, only="a")
