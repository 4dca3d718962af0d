"""Products of vectors, matrices and tensors: as NumPy's, eager and traced."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fxla
from fxla.core.array import as_array
from fxla.numpy import contraction as C
from tests.numpy.agreement import agree, check_gradient, same_error

RNG = np.random.default_rng(0)


def made(*shape: int, dtype: str = "float64") -> Any:
    x = RNG.standard_normal(shape) * 3
    if dtype.startswith("complex"):
        return (x + 1j * RNG.standard_normal(shape)).astype(dtype)
    return np.asarray(x).astype(dtype)


def both(name: str, *args: Any, **options: Any) -> None:
    agree(
        lambda *a: getattr(C, name)(*a, **options),
        lambda *a: getattr(np, name)(*a, **options),
        *args,
    )


MATMUL = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (6, 3, 4)),
    ((2, 3), (5, 3, 4)),
    ((3,), (5, 3, 4)),
    ((5, 2, 3), (3,)),
    ((1, 2, 3), (5, 3, 4)),
    ((2, 0), (0, 4)),
    ((5, 1, 1), (5, 1, 2)),
]


@pytest.mark.parametrize(("a", "b"), MATMUL)
def test_matmul(a: Any, b: Any) -> None:
    for dtype in ("float64", "float32", "int32", "bool", "complex128", "float16"):
        both("matmul", made(*a, dtype=dtype), made(*b, dtype=dtype))
    if 0 not in a:
        check_gradient(C.matmul, made(*a), made(*b))


def test_matmul_errors() -> None:
    for a, b in (((3,), (2,)), ((2, 3), (2, 3)), ((5, 2, 3), (4, 3, 2)), ((), (3,))):
        same_error(C.matmul, np.matmul, made(*a), made(*b))


def test_matmul_promotes() -> None:
    both("matmul", made(2, 3, dtype="float32"), made(3, 2, dtype="int32"))


@pytest.mark.parametrize(
    ("a", "b"),
    [((), (3,)), ((3,), (3,)), ((2, 3), (3,)), ((4, 2, 3), (5, 3, 2)), ((3,), (4, 3, 2))],
)
def test_dot(a: Any, b: Any) -> None:
    both("dot", made(*a), made(*b))
    check_gradient(C.dot, made(*a), made(*b))


def test_other_products() -> None:
    for dtype in ("float64", "complex128", "int64"):
        x, y = made(2, 4, dtype=dtype), made(3, 4, dtype=dtype)
        both("inner", x, y)
        both("outer", x, y)
        both("vdot", x[:, :3], y[:3, :2])
        both("vecdot", x[:, None], y)
        both("vecdot", x.T[:, :, None], y.T[:, None, :2], axis=0)
        both("matvec", y, x[0])
        both("matvec", made(5, 3, 4, dtype=dtype), x[0])
        both("vecmat", x[:, :3][:, None], y)
        both("kron", x, y)
        both("kron", x[0], y)
    both("inner", 2.0, made(3))
    same_error(C.inner, np.inner, made(3), made(4))
    same_error(C.dot, np.dot, made(2, 3), made(2, 3))
    same_error(C.vdot, np.vdot, made(3), made(4))
    same_error(C.vecdot, np.vecdot, made(3), made(4))


def test_tensordot() -> None:
    x, y = made(2, 3, 4), made(4, 3, 5)
    both("tensordot", x, y, axes=1)
    both("tensordot", x, y, axes=([1, 2], [1, 0]))
    both("tensordot", x, y, axes=(2, 0))
    both("tensordot", x, made(3, 4, 5))
    both("tensordot", x, y, axes=0)
    same_error(C.tensordot, np.tensordot, x, y)
    same_error(lambda a, b: C.tensordot(a, b, 4), lambda a, b: np.tensordot(a, b, 4), x, y)
    check_gradient(lambda a, b: C.tensordot(a, b, ([1, 2], [1, 0])), x, y)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_cross() -> None:
    both("cross", made(4, 3), made(4, 3))
    both("cross", made(3, 4), made(3, 4), axis=0)
    both("cross", made(3, 4), made(5, 4, 3), axisa=0, axisc=0)
    both("cross", made(5, 1, 3), made(4, 3))
    both("cross", made(4, 2), made(4, 3))
    both("cross", made(4, 3), made(4, 2))
    both("cross", made(4, 2), made(4, 2))
    same_error(C.cross, np.cross, made(4), made(4))
    check_gradient(C.cross, made(4, 3), made(4, 3))
    check_gradient(C.cross, made(3), made(2))


def test_diagonals() -> None:
    x = made(3, 4, 5)
    for offset in range(-6, 7):
        both("diagonal", x, offset=offset)
        both("diagonal", x, offset=offset, axis1=2, axis2=0)
        both("trace", x, offset=offset)
        both("trace", x.astype("int32"), offset=offset)
    both("trace", x.astype("int8"), dtype="float32")
    same_error(C.diagonal, np.diagonal, made(3))
    same_error(lambda a: C.diagonal(a, 0, 1, 1), lambda a: np.diagonal(a, 0, 1, 1), x)
    check_gradient(lambda a: C.diagonal(a, 1, 2, 0), x)
    check_gradient(C.trace, x)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("matmul", ((3, 40), (40, 2))),
        ("matmul", ((40,), (40,))),
        ("vecdot", ((3, 40), (40,))),
        ("matvec", ((3, 40), (40,))),
        ("vecmat", ((40,), (40, 2))),
    ],
)
def test_products_of_bfloat16_are_summed_in_float32_and_rounded(name: str, shapes: Any) -> None:
    bfloat16 = np.dtype(ml_dtypes.bfloat16)
    x, y = (as_array(made(*s).astype(bfloat16)) for s in shapes)
    expected = getattr(np, name)(x.astype(np.float64), y.astype(np.float64))
    function = getattr(C, name)
    results = [function(x, y), fxla.jit(function)(x, y)]
    if name == "matmul":
        results += [x @ y, np.asarray(x) @ y, x @ np.asarray(y)]
    for out in results:
        assert out.dtype == bfloat16
        np.testing.assert_allclose(out.astype(np.float64), expected, rtol=2**-8, atol=1e-5)
    assert function(x, y.astype(np.float32)).dtype == np.float32
    assert function(x.astype(np.float32), y).dtype == np.float32


def test_a_product_that_numpy_refuses_is_refused() -> None:
    x = as_array(np.ones(3, ml_dtypes.bfloat16))
    with pytest.raises(TypeError, match="unsupported operand"):
        x @ object.__new__(type("Thing", (), {"__array_ufunc__": None}))
