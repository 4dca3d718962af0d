from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fxla.numpy as fnp
import fxla.ops.dot as dot
from fxla import jit, make_jaxpr
from fxla.core.primitive import Primitive
from fxla.errors import NotDifferentiableError
from fxla.ops.arithmetic import mul, real
from fxla.ops.casts import convert
from fxla.ops.matrix import adjoint
from fxla.ops.spectral import eig, eig_p, eigh, eigh_p, svd, svd_p
from fxla.ops.structure import broadcast_in_dim, reduce_sum
from fxla.ops.transcendental import exp
from fxla.transforms.autodiff import grad
from fxla.transforms.dce import dce_jaxpr
from fxla.transforms.jvp import jvp
from tests.ops.rules import check_batch, check_jvp, check_shapes, normal

DTYPES = ["float64", "complex128"]


def general(shape: tuple[int, ...], dtype: str) -> Any:
    return normal(np.random.default_rng(5), shape, dtype)


def hermitian(shape: tuple[int, ...], dtype: str) -> Any:
    x = general(shape, dtype)
    return x + np.conj(np.swapaxes(x, -1, -2))


def along_columns(w: Any, v: Any) -> Any:
    shape = v.shape
    n = len(shape)
    return broadcast_in_dim(convert(w, v.dtype), shape, (*range(n - 2), n - 1))


def check_derivative(f: Callable[[Any], Any], x: Any, t: Any, **tolerance: float) -> None:
    """For functions that do not depend on the phase of vectors, as LAPACK's choice may jump."""
    h = 1e-6
    _, got = jvp(f, (x,), (t,))
    np.testing.assert_allclose(got, (f(x + h * t) - f(x - h * t)) / (2 * h), **tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 3), (1, 1)])
@pytest.mark.parametrize("lower_half", [False, True])
def test_eigh(shape: tuple[int, ...], lower_half: bool, dtype: str) -> None:
    a = general(shape, dtype)  # only one triangle is read
    w, v = eigh(a, lower_half)
    want_w, want_v = np.linalg.eigh(a, "L" if lower_half else "U")
    np.testing.assert_array_equal(w, want_w)
    np.testing.assert_array_equal(v, want_v)
    check_shapes(eigh_p, a, lower_half=lower_half, compute_v=True)
    check_batch(eigh_p, a, lower_half=lower_half, compute_v=True)
    if dtype == "float64":
        check_jvp(eigh_p, a, lower_half=lower_half, compute_v=True, rtol=1e-5, atol=1e-6)

    def matrix_exponential(x: Any) -> Any:
        w, v = eigh(x, lower_half)
        return dot.matmul(mul(v, along_columns(exp(w), v)), adjoint(v))

    check_derivative(
        matrix_exponential, a, general(shape, dtype)[..., ::-1, :], rtol=1e-6, atol=1e-6
    )
    check_derivative(lambda x: eigh(x, lower_half)[0], a, a[..., ::-1], rtol=1e-6, atol=1e-6)


def test_at_equal_eigenvalues_the_values_have_derivatives_and_the_vectors_do_not() -> None:
    def trace_of_exponential(x: Any) -> Any:
        return reduce_sum(exp(eigh(x)[0]), (0,))

    np.testing.assert_allclose(grad(trace_of_exponential)(2 * np.eye(3)), np.e**2 * np.eye(3))
    t = hermitian((3, 3), "float64")
    _, (_, t_v) = jvp(eigh, (np.eye(3),), (t,))
    assert not np.isfinite(t_v).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4, 4), (2, 5, 3), (2, 3, 5), (4, 1), (1, 4)])
def test_svd(shape: tuple[int, ...], dtype: str) -> None:
    a = general(shape, dtype)
    u, s, vh = svd(a)
    np.testing.assert_allclose((u * s[..., None, :]) @ vh, a, rtol=1e-12, atol=1e-12)
    square = shape[-1] == shape[-2]
    for full in (False, True):
        params = {"full_matrices": full, "compute_uv": True}
        check_shapes(svd_p, a, **params)
        check_batch(svd_p, a, rtol=1e-9, **params)
        if full and not square:
            with pytest.raises(NotDifferentiableError, match="full_matrices=False"):
                svd_p.jvp((a,), (a,), **params)
        elif dtype == "float64":
            check_jvp(svd_p, a, rtol=1e-5, atol=1e-6, **params)
    values_only = {"full_matrices": False, "compute_uv": False}
    check_shapes(svd_p, a, **values_only)
    check_jvp(svd_p, a, **values_only)
    check_batch(svd_p, a, **values_only)

    def polar(x: Any) -> Any:
        u, s, vh = svd(x)
        return dot.matmul(mul(u, along_columns(exp(s), u)), vh)

    check_derivative(polar, a, a[..., ::-1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 3), (1, 1)])
def test_eig(shape: tuple[int, ...], dtype: str) -> None:
    a = general(shape, dtype)
    w, v = eig(a)
    np.testing.assert_allclose(a @ v, v * w[..., None, :], rtol=1e-11, atol=1e-11)
    for compute_v in (False, True):
        check_shapes(eig_p, a, compute_v=compute_v)
        check_batch(eig_p, a, compute_v=compute_v, rtol=1e-9)
        check_real_jvp(eig_p, a, compute_v)


def check_real_jvp(primitive: Primitive, a: Any, compute_v: bool) -> None:
    """`check_jvp`, but results are complex for a real operand."""
    check_jvp(primitive, a, compute_v=compute_v, rtol=1e-5, atol=1e-6)


def test_trace_of_a_function_of_a_matrix_from_its_eigenvalues() -> None:
    a, t = general((4, 4), "float64"), general((4, 4), "float64").T
    check_derivative(lambda x: reduce_sum(real(exp(eig(x)[0])), (0,)), a, t, rtol=1e-7)


@pytest.mark.parametrize("p, params", [
    (eigh_p, {"lower_half": True, "compute_v": True}), (eig_p, {"compute_v": True}),
    (svd_p, {"full_matrices": True, "compute_uv": True}),
])  # fmt: skip
def test_empty_stacks_and_single_precision(p: Primitive, params: dict[str, Any]) -> None:
    for shape in [(0, 3, 3), (2, 0, 0)]:
        check_shapes(p, np.zeros(shape), **params)
    check_shapes(p, np.eye(3, dtype=np.float32), **params)
    check_shapes(p, np.eye(3, dtype=np.complex64), **params)


@pytest.mark.parametrize("values", [
    lambda x: fnp.linalg.eigh(x)[0], lambda x: fnp.linalg.svd(x)[1],
    lambda x: fnp.linalg.eig(x)[0],
])  # fmt: skip
def test_vectors_that_nobody_reads_are_not_computed(values: Callable[[Any], Any]) -> None:
    a = general((4, 4), "float64")
    a = a + a.T
    jaxpr, _ = dce_jaxpr(make_jaxpr(values)(a).jaxpr, [True])
    (eqn,) = [e for e in jaxpr.eqns if e.primitive in (eigh_p, svd_p, eig_p)]
    assert len(eqn.outputs) == 1
    np.testing.assert_allclose(jit(values)(a), values(a), rtol=1e-12)
