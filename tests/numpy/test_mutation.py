"""Programs that write: values are NumPy's, derivatives those of the NumPy program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fxla
from fxla import lax
from fxla.errors import DtypeError, ReadOnlyError, ShapeError
from tests.numpy.mutating import PROGRAMS

X = np.array([0.6, -0.4, 1.3, 0.2, -0.9, 0.75])
Y = np.array([0.3, 0.8, -0.7, 1.1, 0.45, -0.25])
WEIGHTS = np.cos(np.arange(16.0))

laws = pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
Program = Callable[[Any], Any]


def close(got: Any, want: Any, **tolerance: float) -> None:
    assert np.shape(got) == np.shape(want)
    np.testing.assert_allclose(got, want, **{"rtol": 1e-6, "atol": 1e-9, **tolerance})


def scalar(f: Program) -> Program:
    def loss(x: Any) -> Any:
        out = f(x)
        return (out * WEIGHTS[: np.size(out)].reshape(np.shape(out))).sum()

    return loss


def differences(f: Program, x: Any) -> Any:
    """The gradient of a NumPy function, by central differences."""
    h = 1e-6
    return np.array([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))])


@laws
def test_compiled(f: Program) -> None:
    compiled = fxla.jit(f)
    close(compiled(X), f(X))
    close(compiled(Y), f(Y))


@laws
def test_batched(f: Program) -> None:
    both = np.stack([X, Y])
    close(fxla.vmap(f)(both), np.stack([f(X), f(Y)]))
    close(fxla.jit(fxla.vmap(f))(both), np.stack([f(X), f(Y)]))


def is_narrow(f: Program) -> bool:
    return f.__name__ == "narrow_dtypes"  # whose values jump from one float32 to the next


@laws
def test_derivatives(f: Program) -> None:
    loss = scalar(f)
    if is_narrow(f):
        want = np.where(np.arange(6) == 0, 0.0, WEIGHTS[:6])
        want[1] += WEIGHTS[0]
    else:
        want = differences(loss, X)
    for gradient in (fxla.grad(loss), fxla.jit(fxla.grad(loss)), fxla.grad(fxla.jit(loss))):
        close(gradient(X), want, rtol=1e-5, atol=1e-7)
    value, tangent = fxla.jvp(f, (X,), (Y,))
    close(value, f(X))
    along = np.array([1e-6 * d for d in (Y, -Y)])
    if not is_narrow(f):
        moved = (f(X + along[0]) - f(X + along[1])) / 2e-6
        close(tangent, moved, rtol=1e-5, atol=1e-7)


@laws
def test_in_the_body_of_a_loop(f: Program) -> None:
    def body(total: Any, x: Any) -> Any:
        out = f(x)
        total += out.sum()
        return total, out

    def run(xs: Any) -> Any:
        return lax.scan(body, 0.0, xs)

    total, outs = run(np.stack([X, Y]))
    close(outs, np.stack([f(X), f(Y)]))
    close(total, f(X).sum() + f(Y).sum())


# --- what may not be written to -------------------------------------------------------------


def write_first(x: Any) -> Any:
    x[0] = 1.0
    return x.sum()


@pytest.mark.parametrize("transform", [fxla.jit, fxla.grad, fxla.make_jaxpr])
def test_arguments_are_read_only(transform: Any) -> None:
    with pytest.raises(ReadOnlyError, match=r"f64\[6\], is an argument .*`x = x.copy\(\)`"):
        transform(write_first)(X)


def test_other_arguments_are_read_only_too() -> None:
    kept = X.copy()
    with pytest.raises(ValueError, match="is an argument"):
        fxla.grad(lambda w, x: w * write_first(x))(1.0, kept)
    with pytest.raises(ValueError, match="is an argument"):
        fxla.vmap(lambda w, x: w * write_first(x), in_axes=(0, None))(X, kept)
    with pytest.raises(ValueError, match="is an argument"):
        fxla.jvp(write_first, (kept,), (kept,))
    np.testing.assert_array_equal(kept, X)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[1:],
        lambda x: x.reshape(2, 3),
        lambda x: x.T,
        np.ravel,
        lambda x: np.split(x, 2)[0],
    ],
)
def test_views_of_arguments_are_read_only(view: Any) -> None:
    with pytest.raises(ValueError, match="is an argument"):
        fxla.jit(lambda x: write_first(view(x)))(X)


def test_arrays_of_an_outer_trace_are_read_only() -> None:
    def outer(x: Any) -> Any:
        held = x * 2.0

        def inner(y: Any) -> Any:
            held[0] = y
            return held.sum()

        return fxla.grad(inner)(1.0)

    with pytest.raises(ValueError, match="was made outside"):
        fxla.jit(outer)(X)


def test_an_array_from_outside_that_asarray_returns_is_read_only() -> None:
    table = X.copy()

    def f(x: Any) -> Any:
        a = np.asarray(table)
        a[0] = x
        return a.sum()

    with pytest.raises(ValueError, match="was made outside"):
        fxla.grad(f)(1.0)
    np.testing.assert_array_equal(table, X)


@pytest.mark.parametrize("view", [np.diagonal, lambda m: np.broadcast_to(m, (2, 3, 3))])
def test_views_that_numpy_does_not_write_through(view: Any) -> None:
    def f(x: Any) -> Any:
        m = np.zeros((3, 3))
        view(m)[0] = x
        return m

    for run in (f, fxla.jit(f)):
        with pytest.raises(ValueError, match="assignment destination is read-only"):
            run(1.0)


def test_read_only_views_follow_their_base() -> None:
    def f(x: Any) -> Any:
        m = np.zeros((3, 3))
        d, b = np.diagonal(m), np.broadcast_to(m[0], (2, 3))
        m += x
        return d, b

    for got, want in zip(fxla.jit(f)(2.0), f(2.0), strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_write_keeps_shape_and_dtype() -> None:
    def wide(x: Any) -> Any:
        a = np.zeros(3)
        a += x
        return a

    with pytest.raises(ShapeError, match=r"non-broadcastable output .*\(3,\) .*\(2, 3\)"):
        fxla.jit(wide)(np.ones((2, 3)))

    def real(x: Any) -> Any:
        n = np.zeros(6, int)
        n /= x
        return n

    with pytest.raises(DtypeError, match="same_kind"):
        fxla.jit(real)(X)
    with pytest.raises(ValueError, match="could not broadcast"):
        fxla.jit(lambda x: np.zeros(3).__setitem__(slice(2), x))(X)


def test_an_array_of_numpys_takes_no_traced_value() -> None:
    held = np.zeros(6)

    def add(x: Any) -> Any:
        np.add(held, x, out=held)

    with pytest.raises(ReadOnlyError, match=r"not part of the trace.*np.array\(x\)"):
        fxla.jit(add)(X)
    assert not held.any()


# --- the rest -------------------------------------------------------------------------------


def test_a_local_of_a_compiled_function_inside_a_derivative() -> None:
    @fxla.jit
    def inner(x: Any) -> Any:
        a = np.zeros(3)
        a[1] = x
        a *= a
        return a

    def outer(x: Any) -> Any:
        b = inner(x)
        b[0] = x
        return b.sum()

    assert float(fxla.grad(outer)(3.0)) == 7.0
    assert float(fxla.grad(fxla.grad(outer))(3.0)) == 2.0


def test_a_pullback_is_of_the_values_when_it_was_made() -> None:
    """What is written later into an array that the function read changes no derivative."""

    def f(x: Any) -> Any:
        a = x * 1.0
        _, pull = fxla.vjp(lambda y: (y * a * y).sum(), a)
        a[:] = 100.0
        return pull(1.0)[0]

    np.testing.assert_allclose(fxla.jit(f)(X), 2 * X * X)


def test_an_array_of_numpys_is_read_when_it_is_used() -> None:
    def f(x: Any) -> Any:
        held = X * 1.0  # nothing traced: NumPy's own array
        a = x * held
        held += 1
        b = x + held
        held[:] = 0
        return a + b

    np.testing.assert_allclose(fxla.jit(f)(Y), Y * X + Y + X + 1)


def test_at_is_functional() -> None:
    def f(x: Any) -> Any:
        a = x * 1.0
        b = a.at[0].set(9.0)
        a[1] = 5.0
        return a, b

    a, b = fxla.jit(f)(X)
    assert (a[0], a[1], b[0], b[1]) == (X[0], 5.0, 9.0, X[1])


def test_loops_carry_what_they_write_to() -> None:
    def primes(i: Any, sieve: Any) -> Any:
        row = sieve[i]
        row += i
        sieve[0, 1] = row.sum()
        return sieve

    found = fxla.jit(lambda m: lax.fori_loop(1, 3, primes, m))(np.zeros((3, 2)))
    np.testing.assert_array_equal(found, [[0, 4], [1, 1], [2, 2]])

    def doubled(c: Any) -> Any:
        c[0] *= 2
        return c

    start = np.ones(2)
    assert lax.while_loop(lambda c: c[0] < 10, doubled, start).tolist() == [16.0, 1.0]
    assert start.tolist() == [1.0, 1.0]
    branch = lambda v: lambda y: (y.fill(v), y)[1]  # noqa: E731
    assert (
        fxla.jit(lambda x: lax.cond(x[0] > 0, branch(1.0), branch(2.0), x))(X).tolist() == [1] * 6
    )


def test_a_known_array_may_be_used_after_its_trace() -> None:
    seen = []

    def f(x: Any) -> Any:
        n = np.arange(3)
        n[0] = 7
        seen.append(n)
        return x

    for run in (fxla.jit(f), fxla.grad(f)):
        run(1.0)
        assert np.asarray(seen[-1]).tolist() == [7, 1, 2] and str(seen[-1]) == "[7 1 2]"
        assert np.sum(seen[-1]) == 10


def test_versions_are_stores_in_place() -> None:
    """Of ten updates of a large array only the first goes over all of it."""

    def f(x: Any) -> Any:
        a = np.zeros(100_000)
        for k in range(10):
            a[1000 * k : 1000 * k + 10] = x[k]
        return a

    x = np.arange(10.0)
    loops = str(fxla.jit(f).inspect(x).loops)
    assert loops.count("[parallel]") == 1
    np.testing.assert_array_equal(fxla.jit(f)(x), f(x))
