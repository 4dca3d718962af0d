"""Short rows side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile.build import build_program
from fxla.compile.program import Launch

RNG = np.random.default_rng(0)


def softmax(x: Any) -> Any:
    e = fnp.exp(x - fnp.max(x, axis=-1, keepdims=True))
    return e / fnp.sum(e, axis=-1, keepdims=True)


def standardised(x: Any) -> Any:
    """With scratch memory: exponentials are read twice, and no result stands in their place."""
    e = fnp.exp(x)
    shares = e / fnp.sum(e, axis=-1, keepdims=True)
    return fnp.max(shares, axis=-1) + fnp.min(e - fnp.mean(e, axis=-1, keepdims=True), axis=-1)


def softmax_by_numpy(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def standardised_by_numpy(x: Any) -> Any:
    e = np.exp(x)
    return (e / e.sum(-1, keepdims=True)).max(-1) + (e - e.mean(-1, keepdims=True)).min(-1)


def loops_of(f: Any, *shape: int, dtype: str = "f4") -> str:
    x = fxla.ShapeDtypeStruct(shape, np.dtype(dtype))
    return "\n".join(
        str(step.kernel)
        for step in build_program(fxla.make_jaxpr(f)(x).jaxpr, tiles=True).body
        if isinstance(step, Launch)
    )


@pytest.mark.parametrize("rows", [4, 5, 100, 1001])
@pytest.mark.parametrize(("columns", "dtype"), [(9, "f4"), (100, "f4"), (128, "f8"), (67, "f8")])
def test_values(rows: int, columns: int, dtype: str) -> None:
    x = RNG.standard_normal((rows, columns)).astype(dtype)
    for f, oracle in ((softmax, softmax_by_numpy), (standardised, standardised_by_numpy)):
        assert "[t" in loops_of(f, rows, columns, dtype=dtype)
        expected = oracle(x.astype("f8"))
        bound = 1e-14 if dtype == "f8" else 2e-6
        np.testing.assert_allclose(fxla.jit(f)(x), expected, bound, bound)


@pytest.mark.parametrize("rows", [7, 8, 9, 10, 11, 1001])
@pytest.mark.parametrize("columns", [1, 15, 64, 1025])
def test_rows_that_are_read_beside_one_vector(rows: int, columns: int) -> None:
    """Sums of whole numbers are exact, in any order."""
    x = RNG.integers(-9, 9, (rows, columns)).astype("f4")
    w, v = (RNG.integers(-9, 9, columns).astype("f4") for _ in range(2))

    def both(x: Any, w: Any, v: Any) -> Any:
        return x @ w, x @ v + 1.0

    found = fxla.jit(both)(x, w, v)
    for got, expected in zip(found, both(x, w, v), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("blocks", [8, 9])
def test_rows_of_an_inner_loop_have_their_own_scratch_memory(blocks: int) -> None:
    x, y = RNG.standard_normal((blocks, 5, 20)), RNG.standard_normal((blocks, 20))
    for f, oracle in ((softmax, softmax_by_numpy), (standardised, standardised_by_numpy)):

        def of_sums(x: Any, y: Any, f: Any = f) -> Any:
            return f(x + y[:, None, :])

        expected = oracle(x + y[:, None, :])
        np.testing.assert_allclose(fxla.jit(of_sums)(x, y), expected, 1e-13)


@pytest.mark.parametrize("rows", [6, 7])
def test_the_last_row_is_read_before_it_is_written(rows: int) -> None:
    x = RNG.standard_normal((rows, 400000 // rows // 4000))
    x = np.repeat(x, 8000, 0)[: rows * 8000 - (rows % 2)]  # its memory is given to the result
    expected = softmax_by_numpy(x)
    given = np.array(x)
    np.testing.assert_allclose(fxla.jit(softmax, donate_argnums=0)(given), expected, 1e-14)


def test_the_other_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FXLA_TARGET", "numba")
    x = RNG.standard_normal((11, 30))
    np.testing.assert_allclose(fxla.jit(standardised)(x), standardised_by_numpy(x), 1e-14)


def test_which_kernels() -> None:
    assert "minimum(((i0 * 2) + 1), (n0 - 1))" in _renamed(loops_of(softmax, 1000, 100))
    assert "minimum" not in loops_of(softmax, 1000, 300)  # of long rows one is enough
    assert "minimum" not in loops_of(softmax, 3, 100)
    assert "minimum" not in loops_of(lambda x: fnp.max(x, axis=-1), 1000, 100)  # one pass
    assert "minimum" not in loops_of(lambda x: (x * x).sum(-1), 1000, 100)
    assert "(i0 * 4) + 3" in _renamed(loops_of(lambda x: x @ x[0], 1000, 100))
    assert "(i0 * 4) + 3" in _renamed(loops_of(lambda x: fnp.max(x - x[1], -1), 1000, 3000))


def _renamed(loops: str) -> str:
    index = loops.partition("for ")[2].partition(" <")[0]
    return loops.replace(index, "i0")
