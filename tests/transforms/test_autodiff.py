from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import fxla
from fxla.core.aval import Aval
from fxla.core.dtypes import float0
from fxla.errors import DtypeError, NotDifferentiableError, ShapeError
from fxla.ops.arithmetic import abs_, complex_, conj, div, imag, mul, real
from fxla.ops.casts import convert
from fxla.ops.elementwise import add
from fxla.ops.logic import eq, lt, select
from fxla.ops.structure import broadcast_in_dim, reduce_sum, transpose
from fxla.ops.transcendental import exp, integer_pow, log, sin, sqrt
from fxla.transforms.autodiff import grad, linear_transpose, linearize, value_and_grad, vjp
from fxla.transforms.jacobians import jacfwd, jacrev
from fxla.transforms.jvp import jvp
from fxla.transforms.vmap import vmap
from tests.laws.differences import difference, gradient
from tests.laws.sample import assert_close

RNG = np.random.default_rng(0)
X = RNG.standard_normal(4)
M = RNG.standard_normal((3, 4))


def total(x: Any) -> Any:
    return reduce_sum(x, tuple(range(len(x.shape))))


def loss(w: Any, b: Any) -> Any:
    """A number from a matrix and a vector."""
    return total(sin(add(mul(w, broadcast_in_dim(b, (3, 4), (1,))), integer_pow(w, 2))))


def loss_numpy(w: Any, b: Any) -> Any:
    return np.sum(np.sin(w * b + w**2))


def test_gradient_is_that_of_differences() -> None:
    assert_close(grad(loss)(M, X), gradient(lambda w: loss_numpy(w, X), M), 1e-10)
    assert_close(grad(loss, 1)(M, X), gradient(lambda b: loss_numpy(M, b), X), 1e-10)


@pytest.mark.parametrize("argnums", [(0, 1), (1, 0), (-1,), [0]])
def test_argnums(argnums: Any) -> None:
    both = grad(loss)(M, X), grad(loss, 1)(M, X)
    found = grad(loss, argnums)(M, X)
    assert isinstance(found, tuple)
    for k, g in zip(argnums, found, strict=True):
        np.testing.assert_array_equal(g, both[k])


def test_gradients_of_trees_have_their_tree() -> None:
    def f(p: Any) -> Any:
        return add(total(mul(p["a"][0], p["a"][0])), mul(p["b"], 3.0))

    found = grad(f)({"a": (X, None), "b": 2.0})
    assert set(found) == {"a", "b"}
    np.testing.assert_array_equal(found["a"][0], 2 * X)
    assert found["a"][1] is None
    assert found["b"] == 3.0


def test_value_and_aux() -> None:
    def f(x: Any) -> Any:
        y = sin(x)
        return total(y), {"y": y, "n": 3}

    (value, aux), g = value_and_grad(f, has_aux=True)(X)
    np.testing.assert_allclose(value, np.sin(X).sum())
    np.testing.assert_allclose(g, np.cos(X))
    np.testing.assert_array_equal(aux["y"], np.sin(X))
    assert isinstance(aux["y"], np.ndarray)
    g, aux = grad(f, has_aux=True)(X)
    assert aux["n"] == 3


def test_aux_of_an_inner_gradient_is_differentiable() -> None:
    def outer(x: Any) -> Any:
        g, aux = grad(lambda y: (mul(y, y), mul(y, x)), has_aux=True)(x)
        return add(g, aux)  # 2x + x^2

    assert grad(outer)(3.0) == 8.0


def test_keyword_arguments_are_passed_on() -> None:
    assert grad(lambda x, scale: mul(x, scale))(2.0, scale=5.0) == 5.0


def test_names_and_documentation_are_kept() -> None:
    g = grad(loss)
    assert g.__name__ == "loss"
    assert g.__doc__ is not None
    assert "A number from a matrix and a vector" in g.__doc__


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_gradients_keep_the_dtype(dtype: str) -> None:
    assert grad(lambda x: total(mul(sin(x), x)))(X.astype(dtype)).dtype == dtype


def test_unused_arguments_have_zero_gradients() -> None:
    np.testing.assert_array_equal(grad(lambda x, y: total(y))(X, X), np.zeros(4))


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_gradients_of_gradients(order: int) -> None:
    f: Any = sin
    for _ in range(order):
        f = grad(f)
    expected = [math.sin, math.cos, lambda x: -math.sin(x), lambda x: -math.cos(x)][order % 4]
    np.testing.assert_allclose(f(0.7), expected(0.7), rtol=1e-14)


def test_a_gradient_inside_a_gradient_over_a_closure() -> None:
    def outer(x: Any) -> Any:
        inner = grad(lambda y: mul(mul(x, x), mul(y, sin(y))))
        return mul(inner(x), x)

    def by_hand(x: float) -> float:
        return x**3 * (math.sin(x) + x * math.cos(x))

    assert_close(grad(outer)(0.8), gradient(lambda x: by_hand(float(x)), 0.8), 1e-10)
    twice = gradient(lambda x: float(grad(outer)(float(x))), 0.8)
    assert_close(grad(grad(outer))(0.8), twice, 1e-9)


def test_perturbations_are_not_confused() -> None:
    assert grad(lambda x: mul(x, grad(lambda y: add(x, y))(1.0)))(3.0) == 1.0
    mixed = grad(lambda x: mul(x, jvp(lambda y: mul(x, y), (1.0,), (1.0,))[1]))
    assert mixed(3.0) == 6.0
    other = jvp(lambda x: mul(x, grad(lambda y: mul(mul(x, y), y))(2.0)), (3.0,), (1.0,))[1]
    assert other == 24.0


def test_a_python_branch_takes_the_side_of_the_value() -> None:
    def f(x: Any) -> Any:
        return mul(x, x) if lt(x, 1.0) else mul(x, 3.0)

    assert (grad(f)(0.5), grad(f)(2.0)) == (1.0, 3.0)


def test_a_python_loop_with_a_concrete_condition() -> None:
    def f(x: Any) -> Any:
        while lt(x, 10.0):
            x = mul(x, 2.0)
        return x

    assert grad(f)(1.5) == 8.0


def test_masked_values_have_no_nan_in_their_gradient() -> None:
    x = np.array([0.0, 1.0, 4.0])

    def f(x: Any) -> Any:
        return total(select(eq(x, 0.0), np.zeros(3), log(x)))

    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(grad(f)(x), [0.0, 1.0, 0.25])


def test_masked_roots_have_no_nan_in_their_gradient() -> None:
    x = np.array([0.0, 1.0, 4.0])

    def f(x: Any) -> Any:
        return total(select(eq(x, 0.0), np.zeros(3), sqrt(x)))

    np.testing.assert_array_equal(grad(f)(x), [0.0, 0.5, 0.25])


def test_the_norm_has_a_gradient_at_the_origin() -> None:
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(grad(lambda x: sqrt(total(mul(x, x))))(np.zeros(3)), [0] * 3)


# --- vjp and linearize ------------------------------------------------------------------------


def test_vjp_returns_a_cotangent_for_each_argument() -> None:
    value, pullback = vjp(lambda p, y: {"out": mul(p["x"], y)}, {"x": X}, 2 * X)
    np.testing.assert_array_equal(value["out"], 2 * X * X)
    ct_p, ct_y = pullback({"out": np.ones(4)})
    np.testing.assert_array_equal(ct_p["x"], 2 * X)
    np.testing.assert_array_equal(ct_y, X)
    again = pullback({"out": 2 * np.ones(4)})
    np.testing.assert_array_equal(again[1], 2 * X)


def test_vjp_has_aux() -> None:
    value, pullback, aux = vjp(lambda x: (sin(x), mul(x, 2.0)), X, has_aux=True)
    np.testing.assert_array_equal(aux, 2 * X)
    np.testing.assert_allclose(pullback(np.ones(4))[0], np.cos(X))
    assert value.shape == (4,)


def test_pullback_under_vmap_gives_the_jacobian() -> None:
    def f(x: Any) -> Any:
        return mul(sin(x), broadcast_in_dim(total(x), (4,), ()))

    _, pullback = vjp(f, X)
    (rows,) = vmap(pullback)(np.eye(4))
    expected = np.stack(
        [difference(lambda x: (np.sin(x) * x.sum(),), (X,), (0,), (e,))[0] for e in np.eye(4)], 1
    )
    assert_close(rows, expected, 1e-10)


@pytest.mark.parametrize(
    "ct, error",
    [(np.ones(3), ShapeError), (np.ones(4, np.float32), DtypeError), ((np.ones(4),), TypeError)],
)
def test_bad_cotangents(ct: Any, error: type[Exception]) -> None:
    _, pullback = vjp(sin, X)
    with pytest.raises(error, match="vjp of sin"):
        pullback(ct)


def test_linearize_evaluates_once() -> None:
    calls = []

    def f(x: Any, y: Any) -> Any:
        calls.append(1)
        return mul(sin(x), y)

    value, lin = linearize(f, X, 2.0)
    np.testing.assert_array_equal(value, 2 * np.sin(X))
    for t in (np.ones(4), X):
        np.testing.assert_allclose(lin(t, 1.0), 2 * np.cos(X) * t + np.sin(X), rtol=1e-14)
    assert len(calls) == 1
    with pytest.raises(TypeError, match="differ in structure"):
        lin(X)


def test_linearize_has_aux_and_constant_results() -> None:
    value, lin, aux = linearize(lambda x: ((sin(x), 3.0), "note"), X, has_aux=True)
    assert aux == "note"
    assert value[1] == 3.0
    assert lin(X)[1] == 0.0


# --- complex numbers and integers -------------------------------------------------------------

Z = np.array([0.3 + 0.4j, -1.0 + 0.2j])


def test_holomorphic_gradient() -> None:
    got = grad(lambda z: exp(mul(z, z)), holomorphic=True)(Z[0])
    np.testing.assert_allclose(got, 2 * Z[0] * np.exp(Z[0] ** 2), rtol=1e-14)
    np.testing.assert_allclose(jacfwd(sin, holomorphic=True)(Z), np.diag(np.cos(Z)), rtol=1e-14)
    np.testing.assert_allclose(jacrev(sin, holomorphic=True)(Z), np.diag(np.cos(Z)), rtol=1e-14)


@pytest.mark.parametrize(
    "f, numpy",
    [
        (lambda z: total(mul(real(z), imag(z))), lambda z: np.sum(z.real * z.imag)),
        (lambda z: total(mul(abs_(z), abs_(z))), lambda z: np.sum(np.abs(z) ** 2)),
        (lambda z: total(real(mul(z, mul(z, conj(z))))), lambda z: np.sum((z * z * z.conj()).real)),
        (lambda z: total(imag(exp(z))), lambda z: np.sum(np.exp(z).imag)),
    ],
)
def test_gradient_by_complex_arguments_is_jaxs(f: Any, numpy: Any) -> None:
    """df/dx - i df/dy for z = x + i y: the conjugate of steepest ascent."""
    got = grad(f)(Z)
    along = [
        difference(lambda z: (numpy(z),), (Z,), (0,), (e * unit,))[0]
        for e in np.eye(2)
        for unit in (1, 1j)
    ]
    expected = np.array([along[0] - 1j * along[1], along[2] - 1j * along[3]])
    assert_close(got, expected, 1e-10)


def test_real_arguments_of_a_complex_program_have_real_gradients() -> None:
    def f(x: Any) -> Any:
        z = complex_(x, mul(x, 2.0))
        return total(real(mul(z, exp(z))))

    got = grad(f)(X)
    assert got.dtype == np.float64
    z_of = lambda x: x + 2j * x  # noqa: E731
    expected = gradient(lambda x: np.sum((z_of(x) * np.exp(z_of(x))).real), X)
    assert_close(got, expected, 1e-10)


def test_integer_gradients_are_float0_when_allowed() -> None:
    def f(n: Any, x: Any) -> Any:
        return total(mul(convert(n, np.dtype("float64")), x))

    g_n, g_x = grad(f, (0, 1), allow_int=True)(np.arange(4), X)
    assert g_n.dtype == float0
    assert g_n.shape == (4,)
    np.testing.assert_array_equal(g_x, np.arange(4))


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda: grad(sin)(X), NotDifferentiableError, r"must return a scalar.*f64\[4\].*jacrev"),
        (lambda: grad(lambda x: (x, x))(1.0), NotDifferentiableError, "must return one scalar"),
        (lambda: grad(sin)(2), DtypeError, r"argument 0 is i64\[\].*write 2.0, not 2"),
        (lambda: grad(lambda x, y: y, 1)(1.0, {"n": True}), DtypeError, r"argument 1\['n'\]"),
        (lambda: grad(lambda x: lt(x, 1.0))(1.0), NotDifferentiableError, "step functions"),
        (lambda: grad(lambda z: mul(z, z))(1j), NotDifferentiableError, "holomorphic=True"),
        (lambda: grad(sin, holomorphic=True)(1.0), DtypeError, "needs complex inputs"),
        (lambda: grad(sin, 1)(1.0), ValueError, "argnums=1 but the call has 1 positional"),
        (lambda: grad(sin, (0, -2))(1.0), ValueError, "argnums"),
        (lambda: jacrev(lambda x: complex_(x, x))(1.0), NotDifferentiableError, "holomorphic"),
        (lambda: jacfwd(lambda x: x)(3), DtypeError, "floating point and complex"),
        (lambda: grad(lambda x: x, has_aux=True)(1.0), TypeError, "must return a pair"),
    ],
)
def test_bad_calls(call: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()


# --- linear_transpose -------------------------------------------------------------------------


def test_linear_transpose() -> None:
    def f(x: Any, y: Any) -> Any:
        return {"s": add(mul(x, M), y), "t": transpose(x, (1, 0))}

    aval = Aval((3, 4), np.dtype("float64"))
    transposed = linear_transpose(f, aval, M)
    ct = {"s": M, "t": np.ones((4, 3))}
    ct_x, ct_y = transposed(ct)
    np.testing.assert_allclose(ct_x, M * M + 1)
    np.testing.assert_array_equal(ct_y, M)


def test_linear_transpose_takes_shapes_only() -> None:
    class Spec:
        shape = (4,)
        dtype = np.float64

    (ct,) = linear_transpose(lambda x: mul(x, 2.0), Spec())(X)
    np.testing.assert_array_equal(ct, 2 * X)


def test_linear_transpose_checks_the_cotangent() -> None:
    transposed = linear_transpose(lambda x: mul(x, 2.0), X)
    with pytest.raises(ShapeError):
        transposed(M)
    with pytest.raises(TypeError, match="structure"):
        transposed((X,))


def test_linear_transpose_refuses_what_is_not_linear() -> None:
    with pytest.raises(TypeError, match="linear"):
        linear_transpose(lambda x: mul(x, x), X)(X)
    with pytest.raises(TypeError, match="linear"):
        linear_transpose(sin, X)(X)
    with pytest.raises(TypeError, match="linear"):
        linear_transpose(lambda x: div(1.0, x), X)(X)


def test_what_is_not_an_array_is_named_by_its_place_in_the_call() -> None:
    with pytest.raises(TypeError, match=r"^grad of <lambda>: args\[1\]\['name'\] is a str"):
        fxla.grad(lambda x, p: x, argnums=1)(1.0, {"name": "text"})
    with pytest.raises(TypeError, match=r"^jit of <lambda>: rate is a str"):
        fxla.jit(lambda x, *, rate: x)(1.0, rate="fast")
