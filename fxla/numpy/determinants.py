"""Determinants and their logarithms, differentiable at singular matrices as well."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.linalg import _linalg as numpy_linalg

from fxla.control.api import stop_gradient
from fxla.control.cond import cond as branch
from fxla.control.custom_jvp import custom_jvp
from fxla.core.dtypes import (
    DType,
    int64,
    is_complex,
)
from fxla.core.trace import Value, typeof
from fxla.numpy.dispatch import public
from fxla.numpy.matrix_operands import (
    identity_like,
    matrices,
    rows_of,
)
from fxla.numpy.operands import convert_all
from fxla.ops import linalg as ops
from fxla.ops import spectral
from fxla.ops.arithmetic import abs_, conj, div, mod, mul, sign
from fxla.ops.casts import convert
from fxla.ops.dot import matmul as product
from fxla.ops.logic import eq, ne, select
from fxla.ops.matrix import diagonal as main_diagonal
from fxla.ops.matrix import on_diagonal
from fxla.ops.reduce import reduce_or, reduce_prod
from fxla.ops.shape import iota
from fxla.ops.structure import (
    broadcast_in_dim,
    full,
    reduce_sum,
    transpose,
)
from fxla.ops.transcendental import log

__all__ = [
    "det",
    "slogdet",
]


def _parity(pivots: Value, dtype: DType) -> Value:
    """-1 for every row exchange: the determinant of the permutation."""
    shape = typeof(pivots).shape
    place = iota(typeof(pivots).dtype, shape, len(shape) - 1)
    moved = reduce_sum(convert(ne(pivots, place), int64), (len(shape) - 1,))
    odd = eq(mod(moved, 2), 1)
    out = typeof(odd).shape
    return select(odd, full(out, -1, dtype), full(out, 1, dtype))


def _lu_determinant(a: Value) -> Value:
    factors, pivots, _ = ops.lu(a)
    line = main_diagonal(factors)
    return mul(reduce_prod(line, (typeof(line).ndim - 1,)), _parity(pivots, typeof(a).dtype))


@custom_jvp
def _determinant(a: Value) -> Value:
    return _lu_determinant(a)


@_determinant.defjvp
def _determinant_jvp(primals: Any, tangents: Any) -> tuple[Value, Value]:
    """Jacobi's formula: d det a = sum of the cofactors times da."""
    (a,), (t,) = primals, tangents
    value = _determinant(a)
    rank = typeof(a).ndim
    return value, reduce_sum(mul(_cofactors(a, value), t), (rank - 2, rank - 1))


def _cofactors(a: Value, value: Value) -> Value:
    """The matrix of cofactors.

    Where a is regular it is ``det(a) inv(a)^T``. Where it is singular, which has to be paid for
    only then, it follows from the singular values: with a = u diag(s) v^H it is
    ``det(u) det(v^H) conj(u diag(products of the other s) v^H)``.
    """
    shape = typeof(a).shape
    rank = len(shape)
    singular = eq(value, convert_all([0], typeof(value).dtype)[0])
    spread = broadcast_in_dim(singular, shape, range(rank - 2))
    regular = select(spread, identity_like(a), a)
    inverse = ops.linear_solve(regular, identity_like(a))
    scale = broadcast_in_dim(value, shape, range(rank - 2))
    by_inverse = mul(scale, transpose(inverse, (*range(rank - 2), rank - 1, rank - 2)))
    # Derivatives of singular vectors do not exist in general, so none are taken.
    by_values = branch(
        reduce_or(singular, tuple(range(rank - 2))),
        _singular_cofactors,
        lambda x: full(shape, 0, typeof(a).dtype),
        stop_gradient(a),
    )
    return select(spread, by_values, by_inverse)


def _singular_cofactors(a: Value) -> Value:
    u, s, vh = spectral.svd(a)
    shape = typeof(s).shape
    last = len(shape) - 1
    n = shape[last]
    pairs = (*shape, n)
    others = broadcast_in_dim(s, pairs, (*range(last), last + 1))
    others = select(on_diagonal(pairs), full(pairs, 1, typeof(s).dtype), others)
    rest = convert(reduce_prod(others, (last + 1,)), typeof(a).dtype)
    factor = mul(_lu_determinant(u), _lu_determinant(vh))
    scaled = mul(rows_of(rest, typeof(vh).shape), vh)
    found = product(u, scaled)
    if is_complex(typeof(a).dtype):
        found = conj(found)
    return mul(broadcast_in_dim(factor, typeof(a).shape, range(last)), found)


@public(np.linalg.det)
def det(a: Any) -> Value:
    """Determinants of square matrices. The derivative is right for singular matrices too.

    Raises:
        LinAlgError: if `a` is not square.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> round(float(fnp.linalg.det([[2.0, 0.0], [0.0, 4.0]])), 12)
        8.0
        >>> fxla.grad(fnp.linalg.det)(fnp.array([[1.0, 0.0], [0.0, 0.0]]))
        Array([[0., 0.],
               [0., 1.]])
    """
    x = matrices("np.linalg.det", a)
    if typeof(x).shape[-1] == 0:
        return full(typeof(x).shape[:-2], 1, typeof(x).dtype)
    return _determinant(x)


@public(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """Sign (phase) of determinants and the logarithm of their modulus.

    Returns:
        A named tuple ``(sign, logabsdet)``; of a singular matrix ``(0, -inf)``.

    Raises:
        LinAlgError: if `a` is not square.

    Example:
        >>> import fxla.numpy as fnp
        >>> [float(x) for x in fnp.linalg.slogdet([[-1.0, 0.0], [0.0, 1.0]])]
        [-1.0, 0.0]
    """
    x = matrices("np.linalg.slogdet", a)
    dtype = typeof(x).dtype
    factors, pivots, _ = ops.lu(x)
    line = main_diagonal(factors)
    last = (typeof(line).ndim - 1,)
    size = abs_(line)
    if is_complex(dtype):
        nothing = eq(size, convert_all([0], typeof(size).dtype)[0])
        shape = typeof(size).shape
        safe = select(nothing, full(shape, 1, typeof(size).dtype), size)
        phases = div(line, convert(safe, dtype))
    else:
        phases = sign(line)
    phase = mul(reduce_prod(phases, last), _parity(pivots, dtype))
    return numpy_linalg.SlogdetResult(phase, reduce_sum(log(size), last))
