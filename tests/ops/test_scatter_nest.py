"""How large scatters are shared out: by where windows are written, and copies apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.ops.scatter_nest import BLOCK, MAX_BYTES, MIN_SIZE, SHARES

RNG = np.random.default_rng(0)


def numbers(*shape: int, dtype: Any = "f4") -> Any:
    return RNG.normal(size=shape).astype(dtype)


def added(x: Any, i: Any, v: Any) -> Any:
    return x.at[i].add(v)


def by_numpy(x: Any, i: Any, v: Any) -> Any:
    out = x.copy()
    for k in range(len(i)):  # one after the other
        out[i[k]] += v[k]
    return out


def chunks(f: Any, *args: Any) -> list[str]:
    lines = fxla.jit(f).inspect(*args).threads.splitlines()
    return [line for line in lines if line.startswith("scatter")]


@pytest.mark.parametrize(("rows", "width", "shares"), [(61, 40, 2), (100, 128, SHARES)])
@pytest.mark.parametrize("target", ["native", "numba"])
def test_rows_that_meet_are_added_in_order_by_shares(
    rows: int, width: int, shares: int, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FXLA_TARGET", target)
    n = MIN_SIZE // width + 7
    x, v = numbers(rows, width), numbers(n, width)
    i = RNG.integers(-rows, rows, n)
    i[::50] = 3 * rows  # dropped
    inside = i < rows
    expected = by_numpy(x, i[inside], v[inside])
    (line,) = chunks(added, x, i, v)
    assert f"({shares} iterations" in line
    for threads in (1, 2):
        with fxla.threads(threads):
            np.testing.assert_array_equal(fxla.jit(added)(x, i, v), expected)


def test_the_last_of_several_writes_stays() -> None:
    n = MIN_SIZE // 64
    x, v, i = numbers(50, 64), numbers(n, 64), RNG.integers(0, 50, n)
    expected = x.copy()
    for k in range(n):
        expected[i[k]] = v[k]
    f = fxla.jit(lambda x, i, v: x.at[i].set(v))
    np.testing.assert_array_equal(f(x, i, v), expected)


def test_windows_of_images_at_pairs_of_positions() -> None:
    n = MIN_SIZE // 64 + 1
    x, v = numbers(9, 8, 8, 11), numbers(n, 8, 8)
    i, j = RNG.integers(0, 9, n), RNG.integers(0, 11, n)
    expected = x.copy()
    for k in range(n):
        expected[i[k], :, :, j[k]] += v[k]
    f = fxla.jit(lambda x, i, j, v: x.at[i, :, :, j].add(v))
    np.testing.assert_array_equal(f(x, i, j, v), expected)


def test_carries_are_written_in_place_by_shares() -> None:
    n = MIN_SIZE // 64
    x, v, i = numbers(50, 64), numbers(n, 64), RNG.integers(0, 50, (3, n))

    def steps(x: Any, i: Any, v: Any) -> Any:
        return fxla.lax.scan(lambda x, i: (x.at[i].add(v), None), x, i)[0]

    expected = x
    for k in range(3):
        expected = by_numpy(expected, i[k], v)
    np.testing.assert_array_equal(fxla.jit(steps)(x, i, v), expected)


def test_other_sizes_of_one_function() -> None:
    f = fxla.jit(added)
    for rows, width, n in [(100, 64, 1100), (77, 64, 2000), (5, 64, 3000), (100, 20, 9000)]:
        x, v, i = numbers(rows, width), numbers(n, width), RNG.integers(0, rows, n)
        np.testing.assert_array_equal(f(x, i, v), by_numpy(x, i, v))


def test_updates_that_fill_no_cache_are_one_stream() -> None:
    n = MAX_BYTES // 4 // 512 + 1
    x, v, i = numbers(200, 512), numbers(n, 512), RNG.integers(0, 200, n)
    copied, written = chunks(added, x, i, v)
    assert "one thread" not in copied and "one thread" in written
    np.testing.assert_array_equal(fxla.jit(added)(x, i, v), by_numpy(x, i, v))


@pytest.mark.parametrize("shape", [(MIN_SIZE,), (9 * BLOCK + 5,), (MIN_SIZE // 3 + 1, 3)])
def test_a_large_operand_is_copied_on_all_cores(shape: tuple[int, ...]) -> None:
    x, i = numbers(*shape), np.array([3, 9, -1, 3])
    v = numbers(4, *shape[1:])
    copied, _ = chunks(added, x, i, v)
    assert "one thread" not in copied
    np.testing.assert_array_equal(fxla.jit(added)(x, i, v), by_numpy(x, i, v))


@pytest.mark.parametrize("shape", [(4 * MIN_SIZE,), (8000, 64)])
def test_windows_that_do_not_meet_are_written_on_all_cores(shape: tuple[int, ...]) -> None:
    def put(x: Any, i: Any, v: Any) -> Any:
        return x.at[i].set(v, unique_indices=True)

    i = RNG.permutation(shape[0])[: shape[0] - 9]
    x, v = numbers(*shape), numbers(len(i), *shape[1:])
    expected = x.copy()
    expected[i] = v
    assert not any("one thread" in line for line in chunks(put, x, i, v))
    np.testing.assert_array_equal(fxla.jit(put)(x, i, v), expected)


def test_the_gradient_of_rows_read() -> None:
    table, i = numbers(60, 96, dtype="f8"), RNG.integers(0, 60, 900)
    weight = numbers(900, 96, dtype="f8")
    gradient = fxla.jit(fxla.grad(lambda table: fnp.sum(table[i] * weight)))(table)
    np.testing.assert_array_equal(gradient, by_numpy(np.zeros_like(table), i, weight))
