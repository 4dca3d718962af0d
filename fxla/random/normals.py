"""The normal distribution and those made of it.

Normal numbers are those of JAX for the same key, up to the rounding of the inverse error function.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fxla.core.dtypes import DType, canonical_dtype, is_complex, real_dtype
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.ops.arithmetic import abs_, complex_, div, maximum, minimum, mul, nextafter_p, sign, sub
from fxla.ops.casts import convert
from fxla.ops.dot import DotDims, dot_general, matrix_transpose
from fxla.ops.elementwise import add
from fxla.ops.linalg import cholesky, qr
from fxla.ops.matrix import adjoint, diagonal
from fxla.ops.shape import slice_in_dim
from fxla.ops.spectral import eigh, svd
from fxla.ops.structure import (
    broadcast_in_dim,
    broadcast_to,
    expand_dims,
    reduce_sum,
    reshape,
)
from fxla.ops.transcendental import erf, erfinv_p, exp, sqrt, square
from fxla.random.arguments import (
    as_value,
    check_key,
    float_dtype,
    parameter,
    parameter_dtype,
    shape_of_draw,
    shape_tuple,
)
from fxla.random.basic import rademacher, uniform
from fxla.random.keys import split
from fxla.random.programs import program_if_large

__all__ = [
    "double_sided_maxwell",
    "key_pair",
    "lognormal",
    "maxwell",
    "multivariate_normal",
    "normal",
    "orthogonal",
    "truncated_normal",
]


def key_pair(key: Any, call: str) -> tuple[Value, Value]:
    """Two new keys."""
    keys = split(check_key(key, call))
    first, second = (reshape(slice_in_dim(keys, i, i + 1), (2,)) for i in (0, 1))
    return first, second


def normal(key: Any, shape: Any = (), dtype: Any = None) -> Value:
    """Standard normal numbers.

    Args:
        key: u32[2].
        shape: of the result.
        dtype: floating or complex; default: the default float. Complex numbers have variance 1.

    Example:
        >>> from fxla import random
        >>> x = random.normal(random.key(0), (100000,))
        >>> abs(round(float(x.mean()), 1)), round(float(x.std()), 1)
        (0.0, 1.0)
    """
    if dtype is not None and is_complex(canonical_dtype(dtype)):
        part = real_dtype(canonical_dtype(dtype))
        re, im = (normal(k, shape, part) for k in key_pair(key, "normal"))
        root = math.sqrt(2)
        return complex_(div(re, root), div(im, root))
    key, dtype = check_key(key, "normal"), float_dtype(dtype, "normal")
    return _normal(key, shape=shape_tuple(shape, "normal"), dtype=dtype)


@program_if_large
def _normal(key: Value, *, shape: tuple[int, ...], dtype: DType) -> Value:
    low = np.nextafter(np.asarray(-1).astype(dtype), np.asarray(0).astype(dtype))
    u = uniform(key, shape, dtype, float(low), 1.0)
    return mul(erfinv_p.bind1(u), math.sqrt(2))


def truncated_normal(
    key: Any, lower: Any, upper: Any, shape: Any = None, dtype: Any = None
) -> Value:
    """Standard normal numbers conditioned on ``lower < x < upper``.

    Args:
        key: u32[2].
        lower: bound; broadcasts to `shape`.
        upper: bound; broadcasts to `shape`.
        shape: of the result; default: the common shape of the bounds.
        dtype: floating; default: the default float.

    Example:
        >>> from fxla import random
        >>> x = random.truncated_normal(random.key(0), -1.0, 2.0, (1000,))
        >>> bool(((-1 < x) & (x < 2)).all())
        True
    """
    lower, upper = as_value(lower), as_value(upper)
    key, dtype = check_key(key, "truncated_normal"), float_dtype(dtype, "truncated_normal")
    sizes = shape_of_draw(shape, "truncated_normal", lower, upper)
    return _truncated(key, lower, upper, shape=sizes, dtype=dtype)


@program_if_large
def _truncated(
    key: Value, lower: Value, upper: Value, *, shape: tuple[int, ...], dtype: DType
) -> Value:
    low, high = parameter(lower, dtype, shape), parameter(upper, dtype, shape)
    root = math.sqrt(2)
    u = uniform(key, shape, dtype, erf(div(low, root)), erf(div(high, root)))
    out = mul(erfinv_p.bind1(u), root)
    # Rounding must not move a number onto a bound; the step function has no derivative.
    infinity = np.asarray(np.inf).astype(dtype)[()]
    above = nextafter_p.bind1(low, infinity)
    below = nextafter_p.bind1(high, -infinity)
    return minimum(maximum(out, above), below)


def lognormal(key: Any, sigma: Any = 1.0, shape: Any = None, dtype: Any = None) -> Value:
    """``exp(sigma z)`` for standard normal z.

    Example:
        >>> from fxla import random
        >>> bool((random.lognormal(random.key(0), 0.5, (10,)) > 0).all())
        True
    """
    sigma, dtype = as_value(sigma), float_dtype(dtype, "lognormal")
    sizes = shape_of_draw(shape, "lognormal", sigma)
    return exp(mul(normal(key, sizes, dtype), parameter(sigma, dtype, sizes)))


def maxwell(key: Any, shape: Any = (), dtype: Any = None) -> Value:
    r"""Maxwell numbers: lengths of standard normal vectors with three components.

    Example:
        >>> from fxla import random
        >>> bool((random.maxwell(random.key(0), (10,)) > 0).all())
        True
    """
    sizes = shape_tuple(shape, "maxwell")
    z = normal(key, (*sizes, 3), dtype)
    return sqrt(reduce_sum(square(z), (len(sizes),)))


def double_sided_maxwell(
    key: Any, loc: Any, scale: Any, shape: Any = (), dtype: Any = None
) -> Value:
    """``loc + scale x`` for x a Maxwell number with a random sign.

    Args:
        key: u32[2].
        loc: location.
        scale: scale.
        shape: leading shape of the result, before the common shape of `loc` and `scale`.
        dtype: floating; default: the default float.

    Example:
        >>> from fxla import random
        >>> random.double_sided_maxwell(random.key(0), 0.0, 1.0, (4,)).shape
        (4,)
    """
    loc, scale = as_value(loc), as_value(scale)
    dtype = float_dtype(dtype, "double_sided_maxwell")
    common = shape_of_draw(None, "double_sided_maxwell", loc, scale)
    sizes = (*(shape_tuple(shape, "double_sided_maxwell") or common), *common)
    first, second = key_pair(key, "double_sided_maxwell")
    signed = mul(rademacher(second, sizes, dtype), maxwell(first, sizes, dtype))
    return add(mul(signed, parameter(scale, dtype, sizes)), parameter(loc, dtype, sizes))


def multivariate_normal(
    key: Any, mean: Any, cov: Any, shape: Any = None, dtype: Any = None, method: str = "cholesky"
) -> Value:
    """Normal vectors of a mean and a covariance; differentiable in both.

    Args:
        key: u32[2].
        mean: [..., n].
        cov: [..., n, n], positive definite (semidefinite for ``"eigh"`` and ``"svd"``).
        shape: of the batch of vectors; default: the common leading shape of `mean` and `cov`.
        dtype: floating; default: that of the mean.
        method: how the square root of the covariance is taken: cholesky, eigh or svd.

    Returns:
        [*shape, n].

    Example:
        >>> import numpy as np
        >>> from fxla import random
        >>> random.multivariate_normal(random.key(0), np.zeros(2), np.eye(2), (5,)).shape
        (5, 2)
    """
    mean, cov = as_value(mean), as_value(cov)
    if method not in ("cholesky", "eigh", "svd"):
        raise ValueError(f"random.multivariate_normal: unknown method {method!r}{where_am_i()}")
    given, matrices = typeof(mean), typeof(cov)
    n = given.shape[-1] if given.shape else 0
    if not given.shape or matrices.shape[-2:] != (n, n):
        raise ShapeError(
            f"random.multivariate_normal: expected mean [..., n] and cov [..., n, n], got {given} "
            f"and {matrices}{where_am_i()}"
        )
    work = parameter_dtype(mean) if dtype is None else float_dtype(dtype, "multivariate_normal")
    lead = np.broadcast_shapes(given.shape[:-1], matrices.shape[:-2])
    sizes = lead if shape is None else shape_tuple(shape, "multivariate_normal")
    if np.broadcast_shapes(sizes, lead) != sizes:
        raise ShapeError(
            f"random.multivariate_normal: {given}, {matrices} do not fit {sizes}{where_am_i()}"
        )
    z = normal(key, (*sizes, n), work)
    root = _square_root(convert(cov, work), method)
    if matrices.ndim == 2:
        mixed = dot_general(z, root, DotDims((len(sizes),), (1,)))
    else:
        roots = broadcast_to(root, (*sizes, n, n))
        columns = broadcast_in_dim(z, (*sizes, n, n), (*range(len(sizes)), len(sizes) + 1))
        mixed = reduce_sum(mul(roots, columns), (len(sizes) + 1,))
    return add(parameter(mean, work, (*sizes, n)), mixed)


def _square_root(cov: Value, method: str) -> Value:
    """A matrix whose product with its transpose is the covariance."""
    if method == "cholesky":
        return cholesky(mul(add(cov, matrix_transpose(cov)), 0.5))
    if method == "eigh":
        values, vectors = eigh(cov)
    else:
        vectors, values, _ = svd(cov)
    shape = typeof(vectors).shape
    columns = (*range(len(shape) - 2), len(shape) - 1)
    return mul(vectors, broadcast_in_dim(sqrt(values), shape, columns))


def orthogonal(key: Any, n: int, shape: Any = (), dtype: Any = None, m: int | None = None) -> Value:
    """Orthogonal (unitary) matrices, uniformly distributed (Mezzadri, arXiv:math-ph/0609050).

    Args:
        key: u32[2].
        n: number of rows.
        shape: of the batch of matrices.
        dtype: floating or complex; default: the default float.
        m: number of columns; default n. The smaller of rows and columns are orthonormal.

    Returns:
        [*shape, n, m].

    Example:
        >>> import numpy as np
        >>> from fxla import random
        >>> q = random.orthogonal(random.key(0), 3)
        >>> bool(np.allclose(q @ q.T, np.eye(3)))
        True
    """
    m = n if m is None else m
    sizes = shape_tuple(shape, "orthogonal")
    q, r = qr(normal(key, (*sizes, max(n, m), min(n, m)), dtype))
    d = diagonal(r)
    if is_complex(typeof(d).dtype):
        length = abs_(d)
        d = div(d, complex_(length, sub(length, length)))
    else:
        d = sign(d)
    axis = len(sizes)
    q = mul(q, broadcast_to(expand_dims(d, (axis,)), typeof(q).shape))
    return adjoint(q) if n < m else q
