"""Sums with arrays that are zero but for a part."""

from __future__ import annotations

from typing import Any

import numpy as np

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.passes.simplify import simplify

X = np.arange(6.0)


def names(f: Any, *args: Any) -> list[str]:
    jaxpr = fxla.make_jaxpr(f)(*args).jaxpr
    shown = ("add", "scatter_add", "dynamic_update_slice")
    vectors = [e for e in simplify(jaxpr).eqns if e.outputs[0].aval.shape == (6,)]
    return [e.primitive.name for e in vectors if e.primitive.name in shown]


def slices(x: Any, i: Any) -> Any:
    return x + lax.dynamic_update_slice(fnp.zeros(6), fnp.array([1.0, 2.0]) * x[0], (i,))


def test_a_scatter_into_zeros_is_one_into_the_other_operand() -> None:
    f = lambda x, i: fnp.zeros(6).at[i].add(x[:3]) + x  # noqa: E731
    i = np.array([0, 3, 3])
    assert names(f, X, i) == ["scatter_add"]  # into x
    expected = X.copy()
    np.add.at(expected, i, X[:3])
    np.testing.assert_array_equal(fxla.jit(f)(X, i), expected)


def test_a_scatter_is_added_to_what_has_no_operand() -> None:
    f = lambda x, i: fnp.zeros(3, int).at[i].add(x) + lax.iota(np.dtype(np.int64), 3)  # noqa: E731
    np.testing.assert_array_equal(fxla.jit(f)(2, np.array([1])), [0, 3, 2])


def test_a_slice_of_zeros_is_added_to_the_slice() -> None:
    assert names(slices, X, 2) == ["dynamic_update_slice"]
    for i, at in ((-4, 2), (2, 2), (4, 4), (9, 4)):
        expected = (X + 1).copy()
        expected[at : at + 2] += [1, 2]
        np.testing.assert_array_equal(fxla.jit(slices)(X + 1, i), expected)


def test_zeros_with_another_reader_stay() -> None:
    def f(x: Any, i: Any) -> Any:
        part = fnp.zeros(6).at[i].add(1.0)
        return x + part, part

    assert names(f, X, 2) == ["scatter_add", "add"]


def test_a_sum_of_parts_is_added_part_by_part() -> None:
    def f(x: Any, i: Any) -> Any:
        one, other = fnp.zeros(6).at[i].add(1.0), fnp.zeros(6).at[i + 1].add(x[0] + 2.0)
        return x + (one + other)

    assert names(f, X, 2) == ["scatter_add", "scatter_add"]
    np.testing.assert_array_equal(fxla.jit(f)(X, 2), X + [0, 0, 1, 2, 0, 0])


def test_a_sum_of_two_parts_alone() -> None:
    def f(i: Any) -> Any:
        return fnp.zeros(6).at[i].add(1.0) + fnp.zeros(6).at[3].add(2.0)

    np.testing.assert_array_equal(fxla.jit(f)(2), [0, 0, 1, 2, 0, 0])


def test_a_sum_of_many_parts_is_one_array_that_they_are_added_to() -> None:
    def f(x: Any, i: Any) -> Any:
        ones = [fnp.zeros(6).at[i + k].add(x[k]) for k in range(5)]
        return ones[0] + ones[1] + (ones[2] + ones[3]) + ones[4]

    assert names(f, X, 0) == ["scatter_add"] * 5
    np.testing.assert_array_equal(fxla.jit(f)(X, 1), [0, 0, 1, 2, 3, 4])


def test_a_chain_of_thousands_of_parts() -> None:
    def f(x: Any, i: Any) -> Any:
        total = 0.0
        for k in range(1500):
            total = total + x[i + k % 5] * k
        return total

    assert "add" not in names(fxla.grad(f), X, 0)
