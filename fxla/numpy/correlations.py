"""Convolution and correlation of vectors, covariance and correlation coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.core.dtypes import bool_, default_float, int64, is_bool, is_complex
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.arguments import known_value
from fxla.numpy.dispatch import public
from fxla.numpy.moments import average
from fxla.numpy.operands import (
    as_value,
    as_values,
    broadcast_all,
    convert_all,
    promote,
    promote_inexact,
)
from fxla.ops.arithmetic import complex_, conj, div, imag, maximum, minimum, mul, real, sub
from fxla.ops.casts import convert
from fxla.ops.conv import conv_general_dilated
from fxla.ops.conv_dims import ConvDims, ConvParams
from fxla.ops.dot import matmul
from fxla.ops.matrix import diagonal
from fxla.ops.shape import concatenate, rev
from fxla.ops.structure import broadcast_in_dim, broadcast_to, reduce_sum, reshape, transpose
from fxla.ops.transcendental import sqrt

__all__ = ["convolve", "corrcoef", "correlate", "cov"]

_LAYOUT = ConvDims.of("NCW", "OIW", "NCW")


def _correlated(call: str, x: Value, y: Value, mode: str) -> Value:
    """``out[k] = sum over n of x[n + k] y[n]`` for y not longer than x, over chosen overlaps."""
    n, m = typeof(x).shape[0], typeof(y).shape[0]
    widths = {"full": (m - 1, m - 1), "same": (m // 2, m - m // 2 - 1), "valid": (0, 0)}
    if mode not in widths:
        raise ValueError(f"{call}: mode must be one of {sorted(widths)}, got {mode!r}")
    dtype = typeof(x).dtype
    if is_bool(dtype):  # the sum of booleans is `or`
        counts = _correlated(call, convert(x, int64), convert(y, int64), mode)
        return convert(counts, bool_)
    params = ConvParams((1,), (widths[mode],), (1,), (1,), _LAYOUT)
    found = conv_general_dilated(reshape(x, (1, 1, n)), reshape(y, (1, 1, m)), params)
    return reshape(found, (typeof(found).shape[-1],))


def _vectors(call: str, a: Any, v: Any) -> list[Value]:
    x, y = promote(call, *as_values(call, a, v))
    x, y = [reshape(z, (1,)) if typeof(z).ndim == 0 else z for z in (x, y)]
    for z, name in ((x, "a"), (y, "v")):
        if typeof(z).ndim > 1:
            raise ShapeError(f"{call}: object too deep for desired array: {typeof(z)}")
        if typeof(z).shape[0] == 0:
            raise ShapeError(f"{call}: {name} cannot be empty{where_am_i()}")
    return [x, y]


@public(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Value:
    """Convolution of two vectors: ``out[k] = sum over n of a[n] v[k - n]``.

    Args:
        a: a vector.
        v: a vector.
        mode: ``"full"``: wherever they overlap; ``"same"``: as many as the longer one has, from the
            middle; ``"valid"``: where they overlap completely.

    Raises:
        ValueError: if one is empty or not a vector.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.convolve([1.0, 2.0], [1.0, 1.0])
        Array([1., 3., 2.])
    """
    x, y = _vectors("np.convolve", a, v)
    if typeof(y).shape[0] > typeof(x).shape[0]:
        x, y = y, x
    return _correlated("np.convolve", x, rev(y, (0,)), mode)


@public(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Value:
    """Cross-correlation of two vectors: ``out[k] = sum over n of a[n + k] conj(v[n])``.

    Args:
        a: a vector.
        v: a vector.
        mode: ``"valid"``, ``"same"`` or ``"full"``, as in `convolve`.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.correlate([1.0, 2.0, 3.0], [1.0, 1.0])
        Array([3., 5.])
    """
    x, y = _vectors("np.correlate", a, v)
    y = conj(y) if is_complex(typeof(y).dtype) else y
    if typeof(y).shape[0] > typeof(x).shape[0]:
        return rev(_correlated("np.correlate", y, x, mode), (0,))
    return _correlated("np.correlate", x, y, mode)


def _weights(call: str, given: Any, count: int, name: str) -> Value:
    w = as_value(given, call)
    if typeof(w).ndim > 1:
        raise RuntimeError(f"{call}: cannot handle multidimensional {name}")
    if typeof(w).shape != (count,):
        raise RuntimeError(f"{call}: incompatible numbers of samples and {name}")
    known = known_value(w)
    if known is not None and np.any(known < 0):
        raise ValueError(f"{call}: {name} cannot be negative")
    if name == "fweights":
        if known is not None and np.any(known != np.around(known)):
            raise TypeError(f"{call}: fweights must be integer")
        return convert(w, default_float())
    return convert(w, default_float())


def _variables(call: str, m: Any, y: Any, rowvar: bool, dtype: Any) -> Value:
    """All variables as the rows of one matrix."""
    parts = as_values(call, m) if y is None else as_values(call, m, y)
    for part in parts:
        if typeof(part).ndim > 2:
            raise ShapeError(f"{call}: an operand has more than 2 dimensions: {typeof(part)}")
    parts = promote_inexact(call, *parts) if dtype is None else convert_all(parts, np.dtype(dtype))
    if dtype is None and typeof(parts[0]).dtype.itemsize < np.dtype(default_float()).itemsize:
        parts = convert_all(parts, np.result_type(typeof(parts[0]).dtype, default_float()))
    rows = []
    for k, part in enumerate(parts):
        shape = typeof(part).shape
        part = reshape(part, (1,) * (2 - len(shape)) + shape)
        flat = len(shape) < 2 if k == 0 else typeof(part).shape[0] == 1
        rows.append(part if rowvar or flat else transpose(part, (1, 0)))
    return concatenate(rows, 0)


@public(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Value:
    """Covariance matrix of variables.

    Args:
        m: variables in rows, observations in columns.
        y: more variables.
        rowvar: False if variables are in columns.
        bias: whether to divide by the number of observations instead of one less.
        ddof: what to subtract from the number of observations instead.
        fweights: how often each observation counts.
        aweights: how important each observation is.
        dtype: to compute in.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.cov([[0.0, 2.0], [1.0, 5.0]])
        Array([[2., 4.],
               [4., 8.]])
    """
    call = "np.cov"
    if ddof is not None and ddof != int(ddof):
        raise ValueError(f"{call}: ddof must be integer")
    x = _variables(call, m, y, rowvar, dtype)
    dtype = typeof(x).dtype
    count = typeof(x).shape[1]
    ddof = ddof if ddof is not None else (0 if bias else 1)
    w: Value | None = None
    if fweights is not None:
        w = _weights(call, fweights, count, "fweights")
    important = None if aweights is None else _weights(call, aweights, count, "aweights")
    if important is not None:
        w = important if w is None else mul(w, important)
    if w is None:
        mean = average(x, 1, keepdims=True)
        factor: Any = max(count - ddof, 0)
        weighted = centred = sub(x, broadcast_to(mean, typeof(x).shape))
    else:
        total = reduce_sum(w, (0,))
        (scale,) = convert_all([w], dtype)
        scale = broadcast_in_dim(scale, typeof(x).shape, (1,))
        mean = reduce_sum(mul(x, scale), (1,)) / total
        centred = sub(x, broadcast_in_dim(convert(mean, dtype), typeof(x).shape, (0,)))
        weighted = mul(centred, scale)
        if ddof == 0:
            factor = total
        elif important is None:
            factor = total - ddof
        else:
            factor = total - ddof * reduce_sum(mul(w, important), (0,)) / total
    other = transpose(weighted, (1, 0))
    other = conj(other) if is_complex(dtype) else other
    found = matmul(centred, other)
    found = div(*broadcast_all(call, found, convert_all([factor], dtype)[0]))
    return reshape(found, tuple(n for n in typeof(found).shape if n != 1))


@public(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Value:
    """Correlation coefficients of variables: covariances over products of standard deviations.

    Args:
        x: variables in rows, observations in columns.
        y: more variables.
        rowvar: False if variables are in columns.
        dtype: to compute in.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.corrcoef([[0.0, 2.0], [1.0, 5.0]])
        Array([[1., 1.],
               [1., 1.]])
    """
    c = cov(x, y, rowvar, dtype=dtype)
    if typeof(c).ndim == 0:
        return div(c, c)
    kind = typeof(c).dtype
    variances = diagonal(c)
    spread = sqrt(real(variances) if is_complex(kind) else variances)
    shape = typeof(c).shape
    rows, columns = broadcast_in_dim(spread, shape, (0,)), broadcast_in_dim(spread, shape, (1,))
    found = div(div(c, convert(rows, kind)), convert(columns, kind))
    if is_complex(kind):
        return complex_(_clipped(real(found)), _clipped(imag(found)))
    return _clipped(found)


def _clipped(x: Value) -> Value:
    return minimum(maximum(x, -1.0), 1.0)
