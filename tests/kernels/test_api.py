"""Kernels as functions: calls, batches, derivatives of derivatives, what is refused and why."""

from typing import Any

import numpy as np
import pytest

import fxla
from fxla.errors import NotDifferentiableError, ShapeError

TABLE = np.array([1.0, -2.0, 0.5])


@fxla.kernel
def products(x: Any) -> Any:
    y = np.empty_like(x)
    total = 1.0
    for i in range(x.shape[0]):
        total *= x[i]
        y[i] = total
    return y


@fxla.kernel
def repeated(x: Any, n: Any) -> Any:
    y = np.empty((n, x.size))
    for i in range(n):
        y[i] = x * i
    return y


@fxla.kernel
def with_table(x: Any) -> Any:
    total = 0.0
    for i in range(TABLE.size):
        total += TABLE[i] * x**i
    return total


@fxla.kernel
def into(x: Any, out: Any) -> None:
    for i in range(x.size):
        out[i] = 2.0 * x[i]


@fxla.kernel
def averaged(x: Any) -> Any:
    names = {"n": 2.0}
    return x / names["n"]


X = np.array([0.5, -1.5, 2.0])


def hessian_of_products(x: Any) -> Any:
    """Of x0 + x0 x1 + x0 x1 x2."""
    a, b, c = x
    return np.array([[0.0, 1 + c, b], [1 + c, 0.0, a], [b, a, 0.0]])


@pytest.mark.parametrize("transform", [
    fxla.hessian,
    lambda f: fxla.jacfwd(fxla.jacfwd(f)),
    lambda f: fxla.jacrev(fxla.jacrev(f)),
    lambda f: fxla.jit(fxla.jacrev(fxla.jacfwd(f))),
])  # fmt: skip
def test_second_derivatives(transform: Any) -> None:
    found = transform(lambda x: products(x).sum())(X)
    np.testing.assert_allclose(found, hessian_of_products(X), rtol=1e-13, atol=1e-14)


def test_batches_of_batches_and_their_gradient() -> None:
    xs = np.arange(1.0, 25.0).reshape(2, 4, 3) / 7
    found = fxla.vmap(fxla.vmap(products))(xs)
    np.testing.assert_allclose(found, np.cumprod(xs, axis=2), rtol=1e-14)
    scaled = fxla.grad(lambda s: fxla.vmap(lambda x: products(s * x).sum())(xs[0]).sum())(1.0)
    powers = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(scaled, (np.cumprod(xs[0], axis=1) * powers).sum(), rtol=1e-13)


def test_a_python_number_may_decide_a_shape() -> None:
    found = fxla.jit(lambda x: repeated(x, 4))(X)
    np.testing.assert_array_equal(found, np.arange(4.0)[:, None] * X)


def test_a_traced_number_may_not_decide_a_shape() -> None:
    with pytest.raises(TypeError, match=r"shape of 'made' depends on values that are traced"):
        fxla.jit(repeated)(X, 4)


def test_arrays_from_outside() -> None:
    want = TABLE[1] + 2 * TABLE[2] * 0.3
    np.testing.assert_allclose(fxla.jit(fxla.grad(with_table))(0.3), want, rtol=1e-14)


def test_float32_stays_float32() -> None:
    x = X.astype(np.float32)
    found = fxla.jit(products)(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.cumprod(x), rtol=1e-6)
    assert fxla.grad(lambda x: products(x).sum())(x).dtype == np.float32


def test_arguments_are_written_if_the_function_made_them() -> None:
    out = np.zeros(3)
    into(X, out)
    np.testing.assert_array_equal(out, 2 * X)

    def squares(x: Any) -> Any:
        made = fxla.numpy.zeros(3)
        into(x, made)
        return (made * made).sum()

    np.testing.assert_allclose(fxla.jit(fxla.grad(squares))(X), 8 * X, rtol=1e-15)
    with pytest.raises(TypeError, match="writes into an array that is not traced"):
        fxla.jit(lambda x: into(x, out))(X)


def test_a_function_that_cannot_be_read_runs_but_has_no_derivative() -> None:
    np.testing.assert_array_equal(averaged(X), X / 2)
    with pytest.raises(TypeError, match=r"`Dict` expressions at test_api.py:\d+"):
        fxla.jit(averaged)(X)
    like = fxla.kernel(averaged.__kernel__, out=lambda x: fxla.ShapeDtypeStruct(x.shape, x.dtype))
    np.testing.assert_array_equal(fxla.jit(like)(X), X / 2)
    np.testing.assert_array_equal(fxla.vmap(like)(np.stack([X, X])), np.stack([X, X]) / 2)
    with pytest.raises(NotDifferentiableError, match=r"`Dict` expressions at test_api.py:\d+"):
        fxla.grad(lambda x: like(x).sum())(X)


def test_a_derivative_of_the_users_own() -> None:
    like = fxla.kernel(averaged.__kernel__, out=lambda x: fxla.ShapeDtypeStruct(x.shape, x.dtype))

    @like.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        return like._traced(*primals), 7.0 * tangents[0]

    np.testing.assert_array_equal(fxla.grad(lambda x: like(x).sum())(X), np.full(3, 7.0))


def test_sizes_that_meet_must_agree() -> None:
    @fxla.kernel
    def added(x: Any, y: Any) -> Any:
        return x + y

    with pytest.raises(ShapeError, match="sizes 2 and 3"):
        fxla.jit(added)(X, X[:2])


def _softplus_sum(x: Any) -> Any:
    total = 0.0
    for i in range(x.shape[0]):
        total += np.log1p(np.exp(x[i]))
    return total


def test_a_jvp_of_the_users() -> None:
    own = fxla.kernel(_softplus_sum)
    asked = []

    @own.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (x,), (t,) = primals, tangents
        asked.append(x.shape)
        return own(x), (t / (1.0 + fxla.numpy.exp(-x))).sum()

    slope = 1.0 / (1.0 + np.exp(-X))
    np.testing.assert_allclose(fxla.jit(fxla.grad(own))(X), slope, rtol=1e-12)
    value, change = fxla.jvp(own, (X,), (np.ones(3),))
    np.testing.assert_allclose([value, change], [_softplus_sum(X), slope.sum()], rtol=1e-12)
    batch = np.stack([X, 2 * X])
    found = fxla.jit(fxla.vmap(fxla.grad(own)))(batch)
    np.testing.assert_allclose(found, 1.0 / (1.0 + np.exp(-batch)), rtol=1e-12)
    assert asked
    assert own(X) == pytest.approx(_softplus_sum(X))


def test_a_vjp_of_the_users() -> None:
    own = fxla.kernel(_softplus_sum)

    def forward(x: Any) -> Any:
        return own(x), x

    def backward(x: Any, ct: Any) -> Any:
        return (3.0 * ct / (1.0 + fxla.numpy.exp(-x)),)  # three times the slope, to know it

    own.defvjp(forward, backward)
    slope = 3.0 / (1.0 + np.exp(-X))
    np.testing.assert_allclose(fxla.jit(fxla.grad(own))(X), slope, rtol=1e-12)
    found = fxla.vmap(fxla.grad(own))(np.stack([X, X]))
    np.testing.assert_allclose(found, [slope, slope], rtol=1e-12)
    with pytest.raises(NotDifferentiableError):
        fxla.jvp(own, (X,), (np.ones(3),))


def test_a_derivative_of_the_users_makes_one_where_there_is_none() -> None:
    """A function that numba compiles and that has no program of its own."""

    @fxla.kernel(out=lambda x: fxla.ShapeDtypeStruct(x.shape, x.dtype))
    def halved(x: Any) -> Any:
        names = {"n": 2.0}
        return x / names["n"]

    halved.defvjp(lambda x: (halved(x), None), lambda _, ct: (ct / 2.0,))
    np.testing.assert_array_equal(fxla.grad(lambda x: halved(x).sum())(X), [0.5, 0.5, 0.5])
