"""Chains of stencils, in strips of which each kernel keeps a few lines for the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fxla
import fxla.numpy as fnp
from fxla.compile.build import build_program
from fxla.compile.program import Launch

RNG = np.random.default_rng(3)

Stencil = Callable[[Any, Any], Any]
"""A function of a namespace like NumPy's and an image."""


def names(f: Stencil, *args: Any) -> list[str]:
    """The kernels of a program."""
    program = build_program(fxla.make_jaxpr(lambda *a: f(fnp, *a))(*args).jaxpr, tiles=True)
    return [i.kernel.name for i in program.body if isinstance(i, Launch)]


def chains(f: Stencil, *args: Any) -> int:
    return sum(name.endswith("_in_lines") for name in names(f, *args))


def image(*shape: int, dtype: Any = np.float64) -> Any:
    return (10 * RNG.standard_normal(shape)).astype(dtype)


def blur(np: Any, x: Any) -> Any:
    """Five taps each way."""
    h, w = x.shape[:2]
    x = sum(t * x[k : h - 4 + k] for k, t in enumerate((1, 4, 6, 4, 1)))
    return sum(t * x[:, k : w - 4 + k] for k, t in enumerate((1, 4, 6, 4, 1)))


def edges(np: Any, x: Any) -> Any:
    x = blur(np, x)
    down, right = x[2:, 1:-1] - x[:-2, 1:-1], x[1:-1, 2:] - x[1:-1, :-2]
    return np.sqrt(down * down + right * right)


def corners(np: Any, x: Any) -> Any:
    """Harris's detector: three products of slopes, smoothed by kernels of their own."""

    def box(x: Any) -> Any:
        x = x[:-2] + x[1:-1] + x[2:]
        return x[:, :-2] + x[:, 1:-1] + x[:, 2:]

    right, down = x[1:-1, 2:] - x[1:-1, :-2], x[2:, 1:-1] - x[:-2, 1:-1]
    a, b, c = box(right * right), box(right * down), box(down * down)
    return a * c - b * b - 0.05 * (a + c) ** 2


def heat(np: Any, u: Any) -> Any:
    for _ in range(4):
        around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
        u = u[1:-1, 1:-1] + 0.2 * (around - 4 * u[1:-1, 1:-1])
    return u


def padded(mode: str) -> Stencil:
    def steps(np: Any, u: Any) -> Any:
        for _ in range(3):
            p = np.pad(u, 1, mode=mode)
            around = p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2]
            u = u + 0.2 * (around - 4 * u)
        return u

    return steps


def largest(np: Any, u: Any) -> Any:
    """Of windows that reach beyond the edges."""
    t = np.tanh(u * 0.1)
    if np is fnp:
        window = (3, 3), (1, 1), "SAME"
        return fxla.lax.reduce_window(t, -np.inf, fxla.lax.max, *window)
    p = np.pad(t, 1, constant_values=-np.inf)
    views = np.lib.stride_tricks.sliding_window_view(p, (3, 3))
    return views.max((2, 3))


def elementwise_first(np: Any, u: Any) -> Any:
    """A stage that goes through all elements in one loop."""
    t = np.tanh(u)
    s = t[:-2] + 2 * t[1:-1] + t[2:]
    return s[:, :-1] * s[:, 1:]


def rows_first(np: Any, u: Any) -> Any:
    """Each row is centred and scaled, by several passes over it."""
    z = np.exp(u * 0.1 - np.max(u, axis=1, keepdims=True) * 0.1)
    z = np.tanh(z / np.sum(z, axis=1, keepdims=True))
    return z[2:, 1:] - z[:-2, 1:] * z[1:-1, :-1]


def of_each(np: Any, u: Any) -> Any:
    """A batch of images."""
    b = np.exp(-0.01 * (u[:, :-2] + u[:, 1:-1] + u[:, 2:]) ** 2)
    return b[:, :-2, 1:] * b[:, 1:-1, :-1] + b[:, 2:, 1:]


def colours(np: Any, u: Any) -> Any:
    """An image with its channels last."""
    b = np.exp(-0.01 * (u[:-2] + u[1:-1] + u[2:]) ** 2)
    return b[:-2, 1:] * b[1:-1, :-1] + b[2:, 1:]


def backwards(np: Any, u: Any) -> Any:
    """Reads rows before and after its own, of two stages."""
    a = np.tanh(u)
    b = np.exp(a[2:-1] - a[1:-2] * a[3:])
    return b[5:] * a[3:-5] + b[:-5] * a[8:]


PROGRAMS: dict[str, tuple[Stencil, tuple[int, ...]]] = {
    "edges": (edges, (421, 500)),
    "edges, wide": (edges, (67, 3300)),
    "corners": (corners, (307, 501)),
    "heat": (heat, (400, 410)),
    "zeros around": (padded("constant"), (333, 401)),
    "largest of windows": (largest, (300, 600)),
    "elementwise first": (elementwise_first, (299, 511)),
    "rows first": (rows_first, (299, 611)),
    "batch": (of_each, (9, 200, 120)),
    "few images": (of_each, (3, 300, 320)),
    "small images": (of_each, (120, 40, 50)),
    "colours": (colours, (300, 200, 3)),
    "backwards": (backwards, (512, 300)),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("target", ["native", "numba"])
def test_values(name: str, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FXLA_TARGET", target)
    f, shape = PROGRAMS[name]
    x = image(*shape)
    assert chains(f, x)
    np.testing.assert_allclose(fxla.jit(lambda x: f(fnp, x))(x), f(np, x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", ["f4", "f2", "i4", "u1", "c16"])
def test_dtypes(dtype: str) -> None:
    x = image(700, 900, dtype="c16") if dtype == "c16" else abs(image(1200, 1300)).astype(dtype)
    assert chains(blur, x)
    got, expected = fxla.jit(lambda x: blur(fnp, x))(x), blur(np, x)
    assert got.dtype == expected.dtype
    rtol = {"f2": 1e-2, "f4": 1e-5}.get(dtype, 1e-10)
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol)


def test_copies_of_the_edges() -> None:
    f = padded("edge")
    x = image(400, 401)
    np.testing.assert_allclose(fxla.jit(lambda x: f(fnp, x))(x), f(np, x), rtol=1e-9, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_chain(data: st.DataObject) -> None:
    """Stages that read a few rows of any stage before them."""
    rows, columns = data.draw(st.integers(200, 420)), data.draw(st.integers(330, 700))
    stages = data.draw(
        st.lists(
            st.lists(
                st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(0, 3)),
                min_size=2, max_size=4,
            ),
            min_size=2, max_size=5,
        )
    )  # fmt: skip
    height = [rows - 7 * (k + 1) for k in range(len(stages))]
    width = [columns - 4 * (k + 1) for k in range(len(stages))]

    def f(np: Any, x: Any) -> Any:
        known = [np.tanh(x)]
        for k, taps in enumerate(stages):
            total = 0.5
            for down, right, back in taps:
                of = known[max(len(known) - 1 - back, 0)]
                total = total * 0.7 + of[down : down + height[k], right : right + width[k]]
            known.append(np.tanh(total) if k % 2 else total)
        return known[-1]

    x = RNG.standard_normal((rows, columns))
    np.testing.assert_allclose(fxla.jit(lambda x: f(fnp, x))(x), f(np, x), rtol=1e-9, atol=1e-9)


def test_what_is_a_result_has_memory() -> None:
    def f(np: Any, x: Any) -> Any:
        smooth = blur(np, x)
        return smooth, np.tanh(smooth[2:] - smooth[:-2])

    x = image(400, 500)
    assert chains(f, x) == 1  # the blur's own
    for got, expected in zip(fxla.jit(lambda x: f(fnp, x))(x), f(np, x), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def test_what_is_read_later_has_memory() -> None:
    """Something that is no kernel over rows comes in between, and then another kernel."""

    def f(np: Any, x: Any) -> Any:
        smooth = np.tanh(x[2:] + 2 * x[1:-1] + x[:-2])
        steps = np.exp(smooth[2:] - smooth[:-2])
        return np.sort(steps, axis=1)[:, ::2], steps[1:] * np.tanh(smooth[:-3])

    x = image(400, 500)
    for got, expected in zip(fxla.jit(lambda x: f(fnp, x))(x), f(np, x), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def test_several_results() -> None:
    def f(np: Any, x: Any) -> Any:
        t = np.tanh(x * 0.1)
        return t[2:] - t[:-2], np.exp(t[:, 3:] * t[:, :-3])[:398]

    x = image(400, 500)
    for got, expected in zip(fxla.jit(lambda x: f(fnp, x))(x), f(np, x), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def test_gradients() -> None:
    """A gradient's stencils read rows before their own, under zeros."""

    def energy(np: Any, x: Any) -> Any:
        smooth = np.tanh(0.1 * (x[2:] + 2 * x[1:-1] + x[:-2]))
        return np.sum(np.tanh(smooth[1:] - smooth[:-1]))

    x = image(400, 500)
    s = np.tanh(0.1 * (x[2:] + 2 * x[1:-1] + x[:-2]))
    d = 1 - np.tanh(s[1:] - s[:-1]) ** 2
    g = np.zeros_like(s)
    g[1:] += d
    g[:-1] -= d
    g *= 0.1 * (1 - s**2)
    expected = np.zeros_like(x)
    expected[2:] += g
    expected[1:-1] += 2 * g
    expected[:-2] += g
    gradient = fxla.jit(fxla.grad(lambda x: energy(fnp, x)))
    np.testing.assert_allclose(gradient(x), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    "second",
    [
        lambda np, t: t[::-1] * t,  # rows from the other end
        lambda np, t: np.tanh(t[::2] - t[1::2]),  # every other row
        lambda np, t: t[:, 1:].T * t[:, :-1].T,  # columns
        lambda np, t: t - np.mean(t),  # all
        lambda np, t: t[20:] * t[:-20],  # from too far
        lambda np, t: np.roll(t, 1, 0) - t,  # from both ends
    ],
)
def test_what_reads_other_rows_comes_after_all_of_them(second: Stencil) -> None:
    def f(np: Any, x: Any) -> Any:
        return second(np, np.tanh(x[2:] - x[:-2]))

    x = image(402, 600)
    assert not chains(f, x)
    np.testing.assert_allclose(fxla.jit(lambda x: f(fnp, x))(x), f(np, x), rtol=1e-9, atol=1e-9)


def test_which_programs() -> None:
    assert not chains(edges, image(200, 200))  # in the second cache anyway
    assert not chains(edges, image(8, 60000))  # few rows, which are long
    assert not chains(edges, image(60000, 20))  # rows are short
    assert not chains(lambda np, x: np.tanh(x[2:]) - np.tanh(x[:-2]) * 2, image(400, 500)[:10])


def test_the_plan_says_so() -> None:
    plan = fxla.jit(lambda x: edges(fnp, x)).inspect(image(421, 500)).plan.splitlines()
    assert plan[0] == "add, add, sqrt: line by line, in 16 strips of rows, saves 3322656 bytes"


def test_other_sizes_by_the_same_program() -> None:
    jitted = fxla.jit(lambda x: edges(fnp, x))
    for rows, columns in ((400, 500), (401, 500), (437, 512), (2000, 300), (30, 40), (403, 777)):
        x = image(rows, columns)
        np.testing.assert_allclose(
            jitted(x), edges(np, x), rtol=1e-9, atol=1e-9, err_msg=str(x.shape)
        )


def test_bits_do_not_depend_on_threads() -> None:
    x = image(421, 500, dtype=np.float32)
    found = []
    for n in (1, 2, 3):
        with fxla.threads(n):
            found.append(np.asarray(fxla.jit(lambda x: edges(fnp, x))(x)))
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()


def test_a_donated_image_is_not_written_over_too_soon() -> None:
    f = padded("constant")
    x = image(400, 500)
    expected = f(np, x)
    got = fxla.jit(lambda x: f(fnp, x), donate_argnums=0)(fnp.array(x))
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def test_inside_of_a_loop() -> None:
    x = image(400, 410)
    got = fxla.jit(lambda x: fxla.lax.fori_loop(0, 3, lambda _, u: padded("constant")(fnp, u), x))(
        x
    )
    expected = x
    for _ in range(3):
        expected = padded("constant")(np, expected)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)
