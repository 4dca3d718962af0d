"""Convolutions and correlations of arrays of any rank."""

from __future__ import annotations

import math
from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.core.dtypes import is_complex
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.operands import as_values, promote

__all__ = ["convolve", "convolve2d", "correlate", "correlate2d", "fftconvolve", "oaconvolve"]

_DIRECT = 1 << 22
"""Products up to which a convolution is summed directly, and taps per output for that."""


def _pair(call: str, in1: Any, in2: Any, mode: str) -> tuple[Value, Value]:
    if mode not in ("full", "same", "valid"):
        raise ValueError(
            f"{call}: mode must be 'full', 'same' or 'valid', got {mode!r}{where_am_i()}"
        )
    x, y = promote(call, *as_values(call, in1, in2))
    if typeof(x).ndim != typeof(y).ndim:
        raise ShapeError(f"{call}: {typeof(x)} and {typeof(y)} differ in rank{where_am_i()}")
    return x, y


def _swapped(call: str, x: Value, y: Value) -> bool:
    """Whether `x` is the smaller, as a valid convolution allows on all axes or none."""
    pairs = list(zip(typeof(x).shape, typeof(y).shape, strict=True))
    if all(a >= b for a, b in pairs):
        return False
    if all(a <= b for a, b in pairs):
        return True
    raise ShapeError(
        f"{call}: for mode 'valid' one input must be at least as large as the other on every axis: "
        f"{typeof(x)}, {typeof(y)}{where_am_i()}"
    )


def _cut(full: Value, like: tuple[int, ...], kernel: tuple[int, ...], mode: str, axes: Any) -> Any:
    """The part of a full convolution that the mode asks for."""
    if mode == "full":
        return full
    index: list[Any] = [slice(None)] * typeof(full).ndim
    for a in axes:
        n, k = like[a], kernel[a]
        start, size = ((k - 1) // 2, n) if mode == "same" else (k - 1, n - k + 1)
        index[a] = slice(start, start + size)
    return full[tuple(index)]


def _margins(kernel: tuple[int, ...], mode: str) -> list[tuple[int, int]]:
    """How far the kernel reaches beyond the start and the end of each axis."""
    if mode == "valid":
        return [(0, 0) for _ in kernel]
    if mode == "full":
        return [(k - 1, k - 1) for k in kernel]
    return [(k // 2, (k - 1) // 2) for k in kernel]


def _direct(x: Value, y: Value, margins: list[tuple[int, int]]) -> Any:
    """The convolution of `x` between margins of zeros, by fxla's convolutions of reals."""
    dtype = typeof(x).dtype
    if typeof(x).ndim == 1:
        ((before, after),) = margins
        n, k = typeof(x).size, typeof(y).size
        return fnp.convolve(x, y)[k - 1 - before : n + after]
    if is_complex(dtype):
        parts = [(fnp.real(v), fnp.imag(v)) for v in (x, y)]
        (a, b), (c, d) = parts
        real = _direct(a, c, margins) - _direct(b, d, margins)
        imag = _direct(a, d, margins) + _direct(b, c, margins)
        return lax.complex(real, imag)
    if dtype.kind != "f":
        found = _direct(x.astype(float), y.astype(float), margins)
        return fnp.rint(found).astype(dtype)
    kernel = fnp.flip(y)
    out = lax.conv_general_dilated(x[None, None], kernel[None, None], (1,) * len(margins), margins)
    return out[0, 0]


def convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """The convolution of two arrays. See `scipy.signal.convolve`.

    Args:
        in1: an array.
        in2: an array of the same rank.
        mode: ``"full"``, ``"same"`` (the size of in1) or ``"valid"``.
        method: ``"direct"``, ``"fft"`` or ``"auto"``.

    Example:
        >>> from fxla.scipy import signal
        >>> signal.convolve([1.0, 2.0, 3.0], [0.0, 1.0, 0.5], mode="same")
        Array([1. , 2.5, 4. ])
    """
    call = "signal.convolve"
    if method not in ("auto", "direct", "fft"):
        raise ValueError(
            f"{call}: method must be 'auto', 'direct' or 'fft', got {method!r}{where_am_i()}"
        )
    x, y = _pair(call, in1, in2, mode)
    if typeof(x).ndim == 0:
        return x * y
    if 0 in (typeof(x).size, typeof(y).size):
        return fnp.zeros(0, typeof(x).dtype)
    if mode == "valid" and _swapped(call, x, y):
        x, y = y, x
    work = typeof(x).size * typeof(y).size
    inexact = typeof(x).dtype.kind in "fc"
    if method == "fft" or (method == "auto" and inexact and work > _DIRECT):
        found = fftconvolve(x, y, mode)
        return found if inexact else fnp.rint(found).astype(typeof(x).dtype)
    return _direct(x, y, _margins(typeof(y).shape, mode))


def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """The convolution of two arrays by Fourier transforms. See `scipy.signal.fftconvolve`.

    Args:
        in1: an array.
        in2: an array of the same rank.
        mode: ``"full"``, ``"same"`` (the size of in1) or ``"valid"``.
        axes: along which to convolve; others broadcast.

    Example:
        >>> from fxla.scipy import signal
        >>> signal.fftconvolve([1.0, 2.0], [1.0, 1.0]).round(6)
        array([1., 3., 2.])
    """
    call = "signal.fftconvolve"
    x, y = _pair(call, in1, in2, mode)
    rank = typeof(x).ndim
    if rank == 0:
        return x * y
    if 0 in (typeof(x).size, typeof(y).size):
        return fnp.zeros(0, typeof(x).dtype)
    if axes is None:
        along = list(range(rank))
    else:
        along = sorted(a % rank for a in ([axes] if isinstance(axes, int) else axes))
    if typeof(x).dtype.kind not in "fc":
        x, y = x.astype(float), y.astype(float)
    if mode == "valid" and _swapped(call, x, y):
        x, y = y, x
    shape = [typeof(x).shape[a] + typeof(y).shape[a] - 1 for a in along]
    fast = [_fast_length(n) for n in shape]
    if is_complex(typeof(x).dtype):
        product = fnp.fft.fftn(x, fast, axes=along) * fnp.fft.fftn(y, fast, axes=along)
        out = fnp.fft.ifftn(product, fast, axes=along)
    else:
        product = fnp.fft.rfftn(x, fast, axes=along) * fnp.fft.rfftn(y, fast, axes=along)
        out = fnp.fft.irfftn(product, fast, axes=along)
    index: list[Any] = [slice(None)] * rank
    for a, n in zip(along, shape, strict=True):
        index[a] = slice(0, n)
    return _cut(out[tuple(index)], typeof(x).shape, typeof(y).shape, mode, along)


def _fast_length(n: int) -> int:
    """The next length with no prime factor above 5."""
    best = 1 << (n - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            two = three * (1 << max(0, math.ceil(math.log2(n / three)) if n > three else 0))
            if n <= two < best:
                best = two
            three *= 3
        five *= 5
    return best


def oaconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """The convolution of two arrays, as `fftconvolve` does it. See `scipy.signal.oaconvolve`.

    Args:
        in1: an array.
        in2: an array of the same rank.
        mode: ``"full"``, ``"same"`` (the size of in1) or ``"valid"``.
        axes: along which to convolve.

    Example:
        >>> from fxla.scipy import signal
        >>> signal.oaconvolve([1.0, 2.0], [1.0, 1.0]).round(6)
        array([1., 3., 2.])
    """
    return fftconvolve(in1, in2, mode, axes)


def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """The cross-correlation of two arrays. See `scipy.signal.correlate`.

    Args:
        in1: an array.
        in2: an array of the same rank, conjugated.
        mode: ``"full"``, ``"same"`` (the size of in1) or ``"valid"``.
        method: ``"direct"``, ``"fft"`` or ``"auto"``.

    Example:
        >>> from fxla.scipy import signal
        >>> signal.correlate([1.0, 2.0, 3.0], [0.0, 1.0, 0.5])
        Array([0.5, 2. , 3.5, 3. , 0. ])
    """
    x, y = _pair("signal.correlate", in1, in2, mode)
    return convolve(x, fnp.conj(fnp.flip(y)), mode, method)


_BOUNDARIES = {"fill": "constant", "wrap": "wrap", "symm": "symmetric"}


def convolve2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0
) -> Any:
    """The convolution of two matrices. See `scipy.signal.convolve2d`.

    Args:
        in1: a matrix.
        in2: a matrix.
        mode: ``"full"``, ``"same"`` (the size of in1) or ``"valid"``.
        boundary: of in1: ``"fill"``, ``"wrap"`` or ``"symm"``.
        fillvalue: what ``"fill"`` fills with.

    Example:
        >>> from fxla.scipy import signal
        >>> signal.convolve2d([[1.0, 2.0]], [[1.0, 1.0]], boundary="wrap")
        Array([[3., 3., 3.]])
    """
    x, y = _matrices("signal.convolve2d", in1, in2, mode, boundary)
    if mode == "valid" and _swapped("signal.convolve2d", x, y):
        x, y = y, x
    return _between(x, y, _margins(typeof(y).shape, mode), boundary, fillvalue)


def _matrices(call: str, in1: Any, in2: Any, mode: str, boundary: str) -> tuple[Value, Value]:
    x, y = _pair(call, in1, in2, mode)
    if typeof(x).ndim != 2:
        raise ValueError(f"{call}: takes matrices, got {typeof(x)}{where_am_i()}")
    if boundary not in _BOUNDARIES:
        raise ValueError(
            f"{call}: boundary must be 'fill', 'wrap' or 'symm', got {boundary!r}{where_am_i()}"
        )
    return x, y


def _between(
    x: Value, y: Value, margins: list[tuple[int, int]], boundary: str, fillvalue: Any
) -> Any:
    """The convolution of `x` between margins of what the boundary says."""
    if 0 in (typeof(x).size, typeof(y).size):
        return fnp.zeros(0, typeof(x).dtype)
    if boundary != "fill" or not (isinstance(fillvalue, int) and fillvalue == 0):
        fill = {"constant_values": fillvalue} if boundary == "fill" else {}
        x = fnp.pad(x, margins, mode=_BOUNDARIES[boundary], **fill)
        margins = _margins(typeof(y).shape, "valid")
    return _direct(x, y, margins)


def correlate2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0
) -> Any:
    """The cross-correlation of two matrices. See `scipy.signal.correlate2d`.

    Args:
        in1: a matrix.
        in2: a matrix, conjugated.
        mode: ``"full"``, ``"same"`` (the size of in1) or ``"valid"``.
        boundary: of in1: ``"fill"``, ``"wrap"`` or ``"symm"``.
        fillvalue: what ``"fill"`` fills with.

    Example:
        >>> from fxla.scipy import signal
        >>> signal.correlate2d([[1.0, 2.0]], [[1.0, 0.0]])
        Array([[0., 1., 2.]])
    """
    x, y = _matrices("signal.correlate2d", in1, in2, mode, boundary)
    kernel = fnp.conj(fnp.flip(y))
    if mode == "same":  # centred on the other side of an even kernel than a convolution is
        margins = [(after, before) for before, after in _margins(typeof(y).shape, mode)]
        return _between(x, kernel, margins, boundary, fillvalue)
    return convolve2d(x, kernel, mode, boundary, fillvalue)
