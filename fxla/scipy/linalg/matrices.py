"""Matrices of a given structure."""

from __future__ import annotations

import operator
from typing import Any, Literal

import numpy as np
import scipy  # loads scipy.linalg when it is first used

import fxla.numpy as fnp
from fxla.core.array import as_array
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.operands import as_value, as_values, promote

__all__ = [
    "block_diag",
    "circulant",
    "companion",
    "convolution_matrix",
    "dft",
    "fiedler",
    "fiedler_companion",
    "hadamard",
    "hankel",
    "helmert",
    "hilbert",
    "invhilbert",
    "invpascal",
    "leslie",
    "pascal",
    "toeplitz",
]


def _vector(call: str, x: Any) -> Value:
    return fnp.reshape(as_value(x, call), (-1,))


def _square(call: str, x: Any) -> tuple[Value, int]:
    value = as_value(x, call)
    if typeof(value).ndim != 1:
        raise ShapeError(f"{call}: takes a vector, got {typeof(value)}{where_am_i()}")
    return value, typeof(value).shape[0]


def block_diag(*arrs: Any) -> Any:
    """A matrix with these along its diagonal. See `scipy.linalg.block_diag`.

    Args:
        arrs: matrices; vectors count as rows.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.block_diag([[1.0]], [[2.0, 3.0]])
        Array([[1., 0., 0.],
               [0., 2., 3.]])
    """
    call = "linalg.block_diag"
    blocks = [fnp.atleast_2d(x) for x in promote(call, *as_values(call, *(arrs or ([],))))]
    if any(typeof(b).ndim > 2 for b in blocks):
        raise ValueError(f"{call}: arguments must have at most 2 axes{where_am_i()}")
    columns = sum(typeof(b).shape[1] for b in blocks)
    rows, before = [], 0
    for b in blocks:
        n = typeof(b).shape[1]
        rows.append(fnp.pad(b, ((0, 0), (before, columns - before - n))))
        before += n
    return fnp.concatenate(rows, axis=0)


def toeplitz(c: Any, r: Any = None) -> Any:
    """The matrix with first column c and first row r. See `scipy.linalg.toeplitz`.

    Args:
        c: first column.
        r: first row, of which the first element is not read; by default the conjugate of c.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.toeplitz([1, 2, 3], [1, 4])
        Array([[1, 4],
               [2, 1],
               [3, 2]])
    """
    call = "linalg.toeplitz"
    column = as_value(c, call)
    row = fnp.conj(column) if r is None else as_value(r, call)
    column, row = promote(call, fnp.atleast_1d(column), fnp.atleast_1d(row))
    lead = fnp.broadcast_shapes(typeof(column).shape[:-1], typeof(row).shape[:-1])
    column, row = (fnp.broadcast_to(v, (*lead, typeof(v).shape[-1])) for v in (column, row))
    values = fnp.concatenate([fnp.flip(row[..., 1:], axis=-1), column], axis=-1)
    m, n = typeof(column).shape[-1], typeof(row).shape[-1]
    return values[..., np.arange(m)[:, None] - np.arange(n)[None, :] + n - 1]


def circulant(c: Any) -> Any:
    """The matrix whose columns are c, shifted round. See `scipy.linalg.circulant`.

    Args:
        c: first column.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.circulant([1, 2, 3])
        Array([[1, 3, 2],
               [2, 1, 3],
               [3, 2, 1]])
    """
    column = fnp.atleast_1d(as_value(c, "linalg.circulant"))
    n = typeof(column).shape[-1]
    return column[..., (np.arange(n)[:, None] - np.arange(n)[None, :]) % max(n, 1)]


def hankel(c: Any, r: Any = None) -> Any:
    """The matrix with first column c and last row r, constant across. See `scipy.linalg.hankel`.

    Args:
        c: first column.
        r: last row, of which the first element is not read; zeros by default.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.hankel([1, 2], [2, 5])
        Array([[1, 2],
               [2, 5]])
    """
    call = "linalg.hankel"
    column = _vector(call, c)
    row = fnp.zeros_like(column) if r is None else _vector(call, r)
    column, row = promote(call, column, row)
    values = fnp.concatenate([column, row[1:]])
    m, n = typeof(column).shape[0], typeof(row).shape[0]
    return values[np.arange(m)[:, None] + np.arange(n)[None, :]]


def companion(a: Any) -> Any:
    """The companion matrix of a polynomial. See `scipy.linalg.companion`.

    Args:
        a: coefficients, highest power first.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.companion([1.0, -3.0, 2.0])
        Array([[ 3., -2.],
               [ 1.,  0.]])
    """
    value, n = _square("linalg.companion", a)
    if n < 2:
        raise ValueError(f"linalg.companion: needs at least two coefficients{where_am_i()}")
    top = -value[1:] / value[0]
    return fnp.concatenate([top[None, :], fnp.eye(n - 2, n - 1, dtype=typeof(top).dtype)])


def fiedler(a: Any) -> Any:
    """The matrix of ``abs(a[i] - a[j])``. See `scipy.linalg.fiedler`.

    Args:
        a: a vector.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.fiedler([1, 4])
        Array([[0, 3],
               [3, 0]])
    """
    value, _ = _square("linalg.fiedler", a)
    return fnp.abs(value[:, None] - value[None, :])


def fiedler_companion(a: Any) -> Any:
    """Fiedler's companion matrix of a polynomial. See `scipy.linalg.fiedler_companion`.

    Args:
        a: coefficients, highest power first.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.fiedler_companion([1.0, -3.0, 2.0])
        Array([[ 3., -2.],
               [ 1.,  0.]])
    """
    value, n = _square("linalg.fiedler_companion", a)
    if n <= 2:
        return -value[1:, None] / value[0] if n == 2 else fnp.zeros((0, 0))
    value = value / value[0]
    k = n - 1
    out = fnp.zeros((k, k), typeof(value).dtype)
    out = out.at[np.arange(3, k, 2), np.arange(1, k - 2, 2)].set(1.0)
    out = out.at[np.arange(2, k, 2), np.arange(1, k - 1, 2)].set(-value[3::2])
    out = out.at[np.arange(0, k - 2, 2), np.arange(2, k, 2)].set(1.0)
    out = out.at[np.arange(0, k - 1, 2), np.arange(1, k, 2)].set(-value[2::2])
    return out.at[0, 0].set(-value[1]).at[1, 0].set(1.0)


def leslie(f: Any, s: Any) -> Any:
    """The matrix of a population: births f in the first row, survival s below the diagonal.

    See `scipy.linalg.leslie`.

    Args:
        f: n numbers.
        s: n - 1 numbers.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.leslie([0.1, 2.0], [0.5])
        Array([[0.1, 2. ],
               [0.5, 0. ]])
    """
    call = "linalg.leslie"
    births, n = _square(call, f)
    survival, m = _square(call, s)
    if m != n - 1:
        raise ShapeError(f"{call}: f has {n} elements, s must have {n - 1}{where_am_i()}")
    births, survival = promote(call, births, survival)
    below = fnp.pad(fnp.diag(survival), ((0, 0), (0, 1)))
    return fnp.concatenate([births[None, :], below])


def convolution_matrix(a: Any, n: int, mode: str = "full") -> Any:
    """The matrix that convolves vectors of length n with a. See `scipy.linalg.convolution_matrix`.

    Args:
        a: a vector.
        n: columns.
        mode: ``"full"``, ``"valid"`` or ``"same"``.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.convolution_matrix([1, 2], 2)
        Array([[1, 0],
               [2, 1],
               [0, 2]])
    """
    call = "linalg.convolution_matrix"
    n = operator.index(n)
    value, m = _square(call, a)
    if n <= 0 or m == 0:
        raise ValueError(f"{call}: needs a positive n and elements, got {n}, {m}{where_am_i()}")
    if mode not in ("full", "valid", "same"):
        raise ValueError(f"{call}: unknown mode {mode!r}{where_am_i()}")
    column = fnp.pad(value, (0, n - 1))
    row = fnp.pad(value[:1], (0, n - 1))
    whole = toeplitz(column, row)
    trim = {"full": 0, "same": min(n, m) - 1, "valid": 2 * (min(n, m) - 1)}[mode]
    first = trim // 2
    return whole[first : n + m - 1 - (trim - first)]


def dft(n: int, scale: Literal["sqrtn", "n"] | None = None) -> Any:
    """The matrix of the discrete Fourier transform. See `scipy.linalg.dft`.

    Args:
        n: its size.
        scale: None, ``"sqrtn"`` or ``"n"``: what it is divided by.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.dft(2).real
        Array([[ 1.,  1.],
               [ 1., -1.]])
    """
    return as_array(scipy.linalg.dft(n, scale))


def hadamard(n: int, dtype: Any = int) -> Any:
    """Sylvester's Hadamard matrix. See `scipy.linalg.hadamard`.

    Args:
        n: its size, a power of two.
        dtype: of the result.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.hadamard(2)
        Array([[ 1,  1],
               [ 1, -1]])
    """
    return as_array(scipy.linalg.hadamard(n, dtype))


def helmert(n: int, full: bool = False) -> Any:
    """Helmert's matrix. See `scipy.linalg.helmert`.

    Args:
        n: its size.
        full: whether it has its first row.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.helmert(2)
        Array([[ 0.70710678, -0.70710678]])
    """
    return as_array(scipy.linalg.helmert(n, full))


def hilbert(n: int) -> Any:
    """The matrix of ``1 / (i + j + 1)``. See `scipy.linalg.hilbert`.

    Args:
        n: its size.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.hilbert(2)
        Array([[1.        , 0.5       ],
               [0.5       , 0.33333333]])
    """
    return as_array(scipy.linalg.hilbert(n))


def invhilbert(n: int) -> Any:
    """The inverse of Hilbert's matrix. See `scipy.linalg.invhilbert`.

    Args:
        n: its size.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.invhilbert(2)
        Array([[ 4., -6.],
               [-6., 12.]])
    """
    return as_array(scipy.linalg.invhilbert(n))


def pascal(n: int, kind: Literal["symmetric", "lower", "upper"] = "symmetric") -> Any:
    """Pascal's matrix of binomial coefficients. See `scipy.linalg.pascal`.

    Args:
        n: its size.
        kind: ``"symmetric"``, ``"lower"`` or ``"upper"``.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.pascal(3, "lower")
        Array([[1., 0., 0.],
               [1., 1., 0.],
               [1., 2., 1.]])
    """
    return as_array(scipy.linalg.pascal(n, kind, exact=False))


def invpascal(n: int, kind: Literal["symmetric", "lower", "upper"] = "symmetric") -> Any:
    """The inverse of Pascal's matrix. See `scipy.linalg.invpascal`.

    Args:
        n: its size.
        kind: ``"symmetric"``, ``"lower"`` or ``"upper"``.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.invpascal(2, "lower")
        Array([[ 1., -0.],
               [-1.,  1.]])
    """
    return as_array(scipy.linalg.invpascal(n, kind, exact=False))
