"""Polynomials as vectors of coefficients, the highest power first."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from fxla.core.dtypes import default_float, finfo_of, is_inexact
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.arguments import known_value
from fxla.numpy.correlations import convolve
from fxla.numpy.dispatch import public
from fxla.numpy.factorisations import eigvals
from fxla.numpy.joining import concatenate
from fxla.numpy.matrices import vander
from fxla.numpy.operands import as_value, as_values, convert_all, promote
from fxla.numpy.reductions import sum as sum_of
from fxla.numpy.systems import inv, lstsq
from fxla.ops.arithmetic import sub
from fxla.ops.casts import convert
from fxla.ops.elementwise import add
from fxla.ops.shape import pad, slice_in_dim
from fxla.ops.structure import broadcast_to, full, reshape
from fxla.ops.transcendental import sqrt

__all__ = [
    "poly",
    "polyadd",
    "polyder",
    "polydiv",
    "polyfit",
    "polyint",
    "polymul",
    "polysub",
    "polyval",
    "roots",
]


def _coefficients(call: str, *ps: Any) -> list[Value]:
    """Vectors of coefficients in one dtype."""
    values = promote(call, *as_values(call, *ps))
    values = [reshape(v, (1,)) if typeof(v).ndim == 0 else v for v in values]
    for v in values:
        if typeof(v).ndim != 1:
            raise ShapeError(
                f"{call}: coefficients must be a vector, got {typeof(v)}{where_am_i()}"
            )
    return values


@public(np.polyval)
def polyval(p: Any, x: Any) -> Value:
    """The value of a polynomial, by Horner's rule.

    Args:
        p: coefficients, the highest power first.
        x: where to evaluate it, of any shape.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.polyval([1.0, 0.0, 2.0], 3.0))
        11.0
    """
    (c,) = _coefficients("np.polyval", p)
    at = as_value(x, "np.polyval")
    c, at = promote("np.polyval", c, at)
    found = full(typeof(at).shape, 0, typeof(at).dtype)
    for k in range(typeof(c).shape[0]):
        term = reshape(slice_in_dim(c, k, k + 1), ())
        found = add(found * at, broadcast_to(term, typeof(at).shape))
    return found


def _aligned(call: str, a1: Any, a2: Any) -> list[Value]:
    x, y = _coefficients(call, a1, a2)
    n = max(typeof(x).shape[0], typeof(y).shape[0])
    return [pad(v, 0, (n - typeof(v).shape[0],), (0,)) for v in (x, y)]


@public(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Value:
    """The sum of two polynomials.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.polyadd([1.0, 2.0], [3.0])
        Array([1., 5.])
    """
    return add(*_aligned("np.polyadd", a1, a2))


@public(np.polysub)
def polysub(a1: Any, a2: Any) -> Value:
    """The difference of two polynomials.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.polysub([1.0, 2.0], [3.0])
        Array([ 1., -1.])
    """
    return sub(*_aligned("np.polysub", a1, a2))


@public(np.polymul)
def polymul(a1: Any, a2: Any) -> Value:
    """The product of two polynomials.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.polymul([1.0, 1.0], [1.0, -1.0])
        Array([ 1.,  0., -1.])
    """
    return convolve(*_coefficients("np.polymul", a1, a2))


@public(np.polydiv)
def polydiv(u: Any, v: Any) -> tuple[Value, Value]:
    """Quotient and remainder of two polynomials.

    NumPy cuts leading zeros off the remainder. A traced one keeps its full length, one less than
    the divisor's.

    Args:
        u: the dividend.
        v: the divisor, whose first coefficient is not zero.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.polydiv([1.0, 0.0, -1.0], [1.0, 1.0])[0]
        Array([ 1., -1.])
    """
    x, y = _coefficients("np.polydiv", u, v)
    if not is_inexact(typeof(x).dtype):
        x, y = convert_all([x, y], default_float())
    m, n = typeof(x).shape[0] - 1, typeof(y).shape[0] - 1
    steps = max(m - n + 1, 1)
    quotient = []
    for k in range(steps):
        if m < n:
            return full((1,), 0, typeof(x).dtype), x
        factor = reshape(slice_in_dim(x, k, k + 1), ()) / reshape(slice_in_dim(y, 0, 1), ())
        quotient.append(reshape(factor, (1,)))
        x = sub(x, pad(y * factor, 0, (k,), (m - n - k,)))
    return concatenate(quotient), slice_in_dim(x, min(steps, m), m + 1)


@public(np.polyder)
def polyder(p: Any, m: int = 1) -> Value:
    """The mth derivative of a polynomial.

    Raises:
        ValueError: if m is negative.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.polyder([1.0, 1.0, 1.0])
        Array([2., 1.])
    """
    times = operator.index(m)
    if times < 0:
        raise ValueError("np.polyder: Order of derivative must be positive (see polyint)")
    (c,) = _coefficients("np.polyder", p)
    for _ in range(times):
        n = typeof(c).shape[0] - 1
        if n < 0:
            return c
        c = slice_in_dim(c, 0, n) * np.arange(n, 0, -1)
    return c


@public(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Value:
    """An mth antiderivative of a polynomial.

    Args:
        p: coefficients.
        m: how often to integrate.
        k: constants of integration, one for all or one for each; default 0.

    Raises:
        ValueError: if m is negative, or there are not m constants.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.polyint([2.0, 1.0])
        Array([1., 1., 0.])
    """
    call = "np.polyint"
    times = operator.index(m)
    if times < 0:
        raise ValueError(f"{call}: Order of integral must be positive (see polyder)")
    (c,) = _coefficients(call, p)
    given = as_value(0.0 if k is None else k, call)
    constants = [given] * times if typeof(given).ndim == 0 else list(given)
    if len(constants) == 1 and times > 1:
        constants *= times
    if len(constants) < times:
        raise ValueError(f"{call}: k must be a scalar or a rank-1 array of length 1 or >m.")
    for constant in constants[:times]:
        n = typeof(c).shape[0]
        raised = c / np.arange(n, 0, -1)
        c = concatenate(
            [raised, reshape(convert(as_value(constant, call), typeof(raised).dtype), (1,))]
        )
    return c


@public(np.poly)
def poly(seq_of_zeros: Any) -> Value:
    """The coefficients of the polynomial with given roots, or of a matrix's characteristic one.

    Args:
        seq_of_zeros: the roots, or a square matrix, whose traced result is complex.

    Raises:
        ValueError: if it is neither.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.poly([1.0, -1.0])
        Array([ 1.,  0., -1.])
    """
    call = "np.poly"
    x = as_value(seq_of_zeros, call)
    shape = typeof(x).shape
    if len(shape) == 2 and shape[0] == shape[1] and shape[0] != 0:
        x = eigvals(x)
    elif len(shape) > 1:
        raise ShapeError(f"{call}: input must be 1d or non-empty square 2d array.")
    else:
        x = reshape(x, (typeof(x).size,))
    dtype = typeof(x).dtype
    if not is_inexact(dtype) or dtype.itemsize < 4:
        dtype = default_float()
    (x,) = convert_all([x], dtype)
    found = full((1,), 1, dtype)
    for k in range(typeof(x).shape[0]):
        factor = concatenate([full((1,), 1, dtype), -slice_in_dim(x, k, k + 1)])
        found = convolve(found, factor)
    return found


@public(np.roots)
def roots(p: Any) -> Value:
    """The roots of a polynomial: eigenvalues of its companion matrix.

    Leading zeros are cut off where the values are known; a traced polynomial has none, and its
    roots are complex.

    Args:
        p: coefficients.

    Raises:
        ValueError: if `p` is not a vector.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.sort(fnp.roots([1.0, 0.0, -1.0]))
        Array([-1.,  1.])
    """
    (c,) = _coefficients("np.roots", p)
    known = known_value(c)
    if known is not None:
        present = np.flatnonzero(known)
        if len(present):
            zeros = len(known) - 1 - int(present[-1])
            inner = _companion_roots(slice_in_dim(c, int(present[0]), int(present[-1]) + 1))
            return pad(inner, 0, (0,), (zeros,))
        return full((0,), 0, default_float())
    return _companion_roots(c)


def _companion_roots(c: Value) -> Value:
    (c,) = convert_all([c], typeof(c).dtype if is_inexact(typeof(c).dtype) else default_float())
    n = typeof(c).shape[0] - 1
    if n < 1:
        return full((0,), 0, typeof(c).dtype)
    top = -slice_in_dim(c, 1, n + 1) / broadcast_to(slice_in_dim(c, 0, 1), (n,))
    below = np.eye(n - 1, n, dtype=typeof(c).dtype)
    return eigvals(concatenate([reshape(top, (1, n)), below]))


@public(np.polyfit)
def polyfit(
    x: Any,
    y: Any,
    deg: int,
    rcond: Any = None,
    full: bool = False,
    w: Any = None,
    cov: Any = False,
) -> Any:
    """The polynomial that fits points best, in the sense of least squares.

    Args:
        x: positions.
        y: values at them, or several columns of values.
        deg: degree of the polynomial.
        rcond: relative bound below which singular values count as zero; default ``len(x) * eps``.
        full: whether to return what `linalg.lstsq` returns besides.
        w: weights of the points, not squared.
        cov: whether to return the covariance matrix of the coefficients; ``"unscaled"`` for one
            that is not scaled by the residuals.

    Returns:
        The coefficients; or ``(p, residuals, rank, singular_values, rcond)``; or ``(p, V)``.

    Raises:
        ValueError: if the degree is negative.
        TypeError: if the shapes do not fit.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.round(fnp.polyfit([0.0, 1.0, 2.0], [1.0, 3.0, 5.0], 1), 6)
        Array([2., 1.])
    """
    call = "np.polyfit"
    order = operator.index(deg) + 1
    at, values = [
        v if is_inexact(typeof(v).dtype) else convert(v, default_float())
        for v in as_values(call, x, y)
    ]
    if deg < 0:
        raise ValueError(f"{call}: expected deg >= 0")
    _check_points(call, at, values)
    if rcond is None:
        rcond = typeof(at).shape[0] * float(finfo_of(typeof(at).dtype).eps)
    left, right = vander(at, order), values
    if w is not None:
        weights = as_value(w, call) + 0.0
        if typeof(weights).ndim != 1:
            raise TypeError(f"{call}: expected a 1-d array for weights")
        if typeof(weights).shape != typeof(values).shape[:1]:
            raise TypeError(f"{call}: expected w and y to have the same length")
        left = left * weights[:, None]
        right = right * (weights[:, None] if typeof(right).ndim == 2 else weights)
    scale = sqrt(sum_of(left * left, axis=0))
    c, residuals, rank, s = lstsq(left / scale, right, rcond)
    c = (c.T / scale).T
    if full:
        return c, residuals, rank, s, rcond
    if not cov:
        return c
    inverse = inv((left / scale).T @ (left / scale)) / (scale[:, None] * scale[None, :])
    factor: Any = 1
    if cov != "unscaled":
        freedom = typeof(at).shape[0] - order
        if freedom <= 0:
            raise ValueError(f"{call}: the number of data points must exceed order to scale the "
                             "covariance matrix")  # fmt: skip
        factor = residuals / freedom
    if typeof(values).ndim == 1:
        return c, inverse * factor
    return c, inverse[:, :, None] * factor


def _check_points(call: str, at: Value, values: Value) -> None:
    if typeof(at).ndim != 1:
        raise TypeError(f"{call}: expected 1D vector for x")
    if typeof(at).size == 0:
        raise TypeError(f"{call}: expected non-empty vector for x")
    if typeof(values).ndim not in (1, 2):
        raise TypeError(f"{call}: expected 1D or 2D array for y")
    if typeof(at).shape[0] != typeof(values).shape[0]:
        raise TypeError(f"{call}: expected x and y to have same length")
