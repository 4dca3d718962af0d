"""Discrete Fourier transforms: the module ``fxla.numpy.fft``.

    fft:  out[k] = sum over j of a[j] exp(-2 pi i j k / n)
    ifft: the inverse, with a factor 1 / n

The keyword `norm` moves that factor: ``"backward"`` (default) has it in the inverse, ``"forward"``
in the forward transform, ``"ortho"`` has its square root in both.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.deferred import public_names as _public_names
from fxla.core.dtypes import (
    DType,
    canonical_dtype,
    complex_dtype,
    default_float,
    float32,
    is_complex,
    is_floating,
    is_inexact,
    real_dtype,
)
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.arguments import public_with, refuse_out
from fxla.numpy.dispatch import public
from fxla.numpy.operands import as_value, canonical_axes, convert_all, normalise_axis
from fxla.numpy.rearranging import roll
from fxla.ops.arithmetic import conj, mul
from fxla.ops.casts import convert
from fxla.ops.fft import FftKind
from fxla.ops.fft import fft as transform
from fxla.ops.shape import pad, slice_in_dim
from fxla.ops.structure import transpose

__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]


def _precise(x: Value, kind: FftKind) -> Value:
    """The operand in the dtype a transform takes: float32 stays single, else double."""
    dtype = typeof(x).dtype
    if not is_inexact(dtype):
        dtype = default_float()
    elif dtype.itemsize < 4:
        dtype = float32
    dtype = real_dtype(dtype) if kind == "RFFT" else complex_dtype(dtype)
    if kind == "RFFT" and is_complex(typeof(x).dtype):
        raise TypeError(
            f"np.fft.rfft: the input must be real, got {typeof(x)}{where_am_i()}. Use `np.fft.fft`."
        )
    return convert_all([x], dtype)[0]


def _resized(x: Value, axis: int, n: int) -> Value:
    """`x` cut or filled with zeros to size n along an axis."""
    have = typeof(x).shape[axis]
    if have > n:
        return slice_in_dim(x, 0, n, axis=axis)
    if have == n:
        return x
    high = [0] * typeof(x).ndim
    high[axis] = n - have
    return pad(x, 0, [0] * typeof(x).ndim, high)


def _scale(kind: FftKind, lengths: Sequence[int], norm: str | None, call: str) -> float:
    """The factor that turns our transform, which scales backward, into the one asked for."""
    n = math.prod(lengths)
    inverse = kind in ("IFFT", "IRFFT")
    if norm is None or norm == "backward":
        return 1.0
    if norm == "ortho":
        return math.sqrt(n) if inverse else 1 / math.sqrt(n)
    if norm == "forward":
        return float(n) if inverse else 1 / n
    raise ValueError(
        f'{call}: Invalid norm value {norm}; should be "backward", "ortho" or "forward".'
    )


def _apply(
    call: str,
    kind: FftKind,
    x: Value,
    lengths: Sequence[int],
    axes: Sequence[int],
    norm: str | None,
) -> Value:
    """Transform `axes` of `x`, whose real sizes shall be `lengths`."""
    rank = typeof(x).ndim
    for n in lengths:
        if n < 1:
            raise ShapeError(f"{call}: Invalid number of FFT data points ({n}) specified.")
    for k, (axis, n) in enumerate(zip(axes, lengths, strict=True)):
        halved = kind == "IRFFT" and k == len(axes) - 1
        x = _resized(x, axis, n // 2 + 1 if halved else n)
    given = typeof(x).dtype
    x = _precise(x, kind)
    factor = _scale(kind, lengths, norm, call)
    if not axes:
        return x
    order = (*[d for d in range(rank) if d not in axes], *axes)
    found = transform(transpose(x, order), kind, tuple(lengths))
    found = transpose(found, [order.index(d) for d in range(rank)])
    found = mul(found, factor) if factor != 1 else found
    # of the 16-bit floats NumPy returns real results along one axis as they came
    return (
        convert(found, given) if kind == "IRFFT" and _is_half(given) and len(axes) == 1 else found
    )


def _is_half(dtype: DType) -> bool:
    return is_floating(dtype) and dtype.itemsize < 4


def _one(call: str, kind: FftKind, a: Any, n: Any, axis: int, norm: str | None, out: Any) -> Value:
    refuse_out(out, call)
    x = as_value(a, call)
    at = normalise_axis(axis, typeof(x).ndim, call)
    have = typeof(x).shape[at]
    if n is None:
        n = 2 * (have - 1) if kind == "IRFFT" else have
    return _apply(call, kind, x, [operator.index(n)], [at], norm)


def _many(call: str, kind: FftKind, a: Any, s: Any, axes: Any, norm: str | None, out: Any) -> Value:
    refuse_out(out, call)
    x = as_value(a, call)
    shape = typeof(x).shape
    if axes is None:
        chosen = tuple(range(len(shape))) if s is None else tuple(range(len(shape)))[-len(s) :]
    else:
        chosen = tuple(normalise_axis(k, len(shape), call) for k in axes)
    if s is not None and len(s) != len(chosen):
        raise ValueError(f"{call}: Shape and axes have different lengths.")
    lengths = [shape[k] for k in chosen]
    if kind == "IRFFT" and chosen and (s is None or s[-1] is None):
        lengths[-1] = 2 * (shape[chosen[-1]] - 1)
    for k, n in enumerate(s or ()):
        if n is not None and n != -1:
            lengths[k] = operator.index(n)
    if len(set(chosen)) == len(chosen):
        return _apply(call, kind, x, lengths, chosen, norm)
    return _repeated(call, kind, x, lengths, chosen, norm)


def _repeated(
    call: str, kind: FftKind, x: Value, lengths: list[int], axes: tuple[int, ...], norm: str | None
) -> Value:
    """An axis given twice is transformed twice: one axis after the other, the last one first."""
    whole: FftKind = "IFFT" if kind in ("IFFT", "IRFFT") else "FFT"
    pairs = list(zip(axes, lengths, strict=True))
    if kind == "IRFFT":
        for axis, n in pairs[:-1]:
            x = _apply(call, whole, x, [n], [axis], norm)
        return _apply(call, kind, x, [pairs[-1][1]], [pairs[-1][0]], norm)
    first: FftKind = kind
    for axis, n in pairs[::-1]:
        x = _apply(call, first, x, [n], [axis], norm)
        first = whole
    return x


@public(np.fft.fft)
def fft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Value:
    """Fourier transform along one axis.

    Args:
        a: an array.
        n: size of the result; the input is cut or filled with zeros.
        axis: the axis.
        norm: ``"backward"``, ``"ortho"`` or ``"forward"``.
        out: not supported for traced arrays.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fft.fft([1.0, 1.0])
        Array([2.+0.j, 0.+0.j])
    """
    return _one("np.fft.fft", "FFT", a, n, axis, norm, out)


@public(np.fft.ifft)
def ifft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Value:
    """Inverse Fourier transform along one axis; the arguments are those of `fft`.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fft.ifft([2.0, 0.0])
        Array([1.+0.j, 1.+0.j])
    """
    return _one("np.fft.ifft", "IFFT", a, n, axis, norm, out)


@public(np.fft.rfft)
def rfft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Value:
    """The first ``n // 2 + 1`` elements of the Fourier transform of real values.

    The arguments are those of `fft`.

    Raises:
        TypeError: if `a` is complex.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fft.rfft([1.0, 1.0])
        Array([2.+0.j, 0.+0.j])
    """
    return _one("np.fft.rfft", "RFFT", a, n, axis, norm, out)


@public(np.fft.irfft)
def irfft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Value:
    """The real values that `rfft` maps to `a`.

    Args:
        a: an array.
        n: size of the result; default: twice the size of `a` less 2.
        axis: the axis.
        norm: ``"backward"``, ``"ortho"`` or ``"forward"``.
        out: not supported for traced arrays.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fft.irfft([2.0, 0.0])
        Array([1., 1.])
    """
    return _one("np.fft.irfft", "IRFFT", a, n, axis, norm, out)


_SWAPPED = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}


def _swapped(norm: str | None, call: str) -> str:
    if norm not in _SWAPPED:
        _scale("FFT", (1,), norm, call)
    return _SWAPPED[norm]


@public(np.fft.hfft)
def hfft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Value:
    """Fourier transform, which is real, of values with Hermitian symmetry, half of them given.

    The arguments are those of `irfft`.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fft.hfft([1.0, 1.0])
        Array([2., 0.])
    """
    call = "np.fft.hfft"
    x = as_value(a, call)
    x = conj(x) if is_complex(typeof(x).dtype) else x
    return _one(call, "IRFFT", x, n, axis, _swapped(norm, call), out)


@public(np.fft.ihfft)
def ihfft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Value:
    """The inverse of `hfft`. The arguments are those of `rfft`.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fft.ihfft([2.0, 0.0])
        Array([1.-0.j, 1.-0.j])
    """
    return conj(_one("np.fft.ihfft", "RFFT", a, n, axis, _swapped(norm, "np.fft.ihfft"), out))


@public(np.fft.fftn)
def fftn(
    a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None
) -> Value:
    """Fourier transform along several axes.

    Args:
        a: an array.
        s: sizes of the result along `axes`; the input is cut or filled with zeros.
        axes: the axes; default: all, or the last ``len(s)``.
        norm: ``"backward"``, ``"ortho"`` or ``"forward"``.
        out: not supported for traced arrays.

    Raises:
        ValueError: if `s` and `axes` differ in length.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fft.fftn(fnp.ones((2, 2))).real
        Array([[4., 0.],
               [0., 0.]])
    """
    return _many("np.fft.fftn", "FFT", a, s, axes, norm, out)


@public(np.fft.ifftn)
def ifftn(
    a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None
) -> Value:
    """Inverse Fourier transform along several axes; the arguments are those of `fftn`.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fft.ifftn(fnp.ones((2, 2))).real
        Array([[1., 0.],
               [0., 0.]])
    """
    return _many("np.fft.ifftn", "IFFT", a, s, axes, norm, out)


@public(np.fft.rfftn)
def rfftn(
    a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None
) -> Value:
    """`fftn` of real values; of the last axis only the first half is returned.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fft.rfftn(fnp.ones((2, 4))).shape
        (2, 3)
    """
    return _many("np.fft.rfftn", "RFFT", a, s, axes, norm, out)


@public(np.fft.irfftn)
def irfftn(
    a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None
) -> Value:
    """The real values that `rfftn` maps to `a`.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fft.irfftn(fnp.ones((2, 3))).shape
        (2, 4)
    """
    return _many("np.fft.irfftn", "IRFFT", a, s, axes, norm, out)


@public(np.fft.fft2)
def fft2(
    a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None
) -> Value:
    """`fftn` along the last two axes.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fft.fft2(fnp.ones((3, 2, 2))).shape
        (3, 2, 2)
    """
    return _many("np.fft.fft2", "FFT", a, s, axes, norm, out)


@public(np.fft.ifft2)
def ifft2(
    a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None
) -> Value:
    """`ifftn` along the last two axes.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fft.ifft2(fnp.ones((3, 2, 2))).shape
        (3, 2, 2)
    """
    return _many("np.fft.ifft2", "IFFT", a, s, axes, norm, out)


@public(np.fft.rfft2)
def rfft2(
    a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None
) -> Value:
    """`rfftn` along the last two axes.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fft.rfft2(fnp.ones((3, 2, 4))).shape
        (3, 2, 3)
    """
    return _many("np.fft.rfft2", "RFFT", a, s, axes, norm, out)


@public(np.fft.irfft2)
def irfft2(
    a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None
) -> Value:
    """`irfftn` along the last two axes.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fft.irfft2(fnp.ones((3, 2, 3))).shape
        (3, 2, 4)
    """
    return _many("np.fft.irfft2", "IRFFT", a, s, axes, norm, out)


# --- frequencies ----------------------------------------------------------------------------


@public_with(np.fft.fftfreq, "dtype")
def fftfreq(n: int, d: Any = 1.0, device: Any = None, *, dtype: Any = None) -> Value:
    """Frequencies of the elements of `fft`, in cycles per unit of the spacing.

    Args:
        n: size of the transform.
        d: spacing of the samples; may be traced.
        device: accepted.
        dtype: the array API's: a floating dtype of the result.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fft.fftfreq(4)
        Array([ 0.  ,  0.25, -0.5 , -0.25])
    """
    return _frequencies(np.fft.fftfreq(operator.index(n)), d, dtype)


@public_with(np.fft.rfftfreq, "dtype")
def rfftfreq(n: int, d: Any = 1.0, device: Any = None, *, dtype: Any = None) -> Value:
    """Frequencies of the elements of `rfft`, in cycles per unit of the spacing.

    Args:
        n: size of the transform.
        d: spacing of the samples; may be traced.
        device: accepted.
        dtype: the array API's: a floating dtype of the result.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fft.rfftfreq(4)
        Array([0.  , 0.25, 0.5 ])
    """
    return _frequencies(np.fft.rfftfreq(operator.index(n)), d, dtype)


def _frequencies(cycles: Any, d: Any, dtype: Any) -> Value:
    found = convert(cycles, default_float()) / as_value(d, "np.fft.fftfreq")
    return found if dtype is None else convert(found, canonical_dtype(dtype))


def _shifted(call: str, x: Any, axes: Any, sign: int) -> Value:
    value = as_value(x, call)
    shape = typeof(value).shape
    chosen = canonical_axes(axes, len(shape), call)
    by = tuple(shape[k] // 2 if sign > 0 else -(shape[k] // 2) for k in chosen)
    return roll(value, by, chosen)


@public(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Value:
    """The elements of a transform with frequency zero in the middle.

    Args:
        x: an array.
        axes: axis or axes to shift; default: all.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fft.fftshift(fnp.fft.fftfreq(4))
        Array([-0.5 , -0.25,  0.  ,  0.25])
    """
    return _shifted("np.fft.fftshift", x, axes, 1)


@public(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Value:
    """The inverse of `fftshift`.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fft.ifftshift(fnp.fft.fftshift(fnp.arange(3.0)))
        Array([0., 1., 2.])
    """
    return _shifted("np.fft.ifftshift", x, axes, -1)


def __dir__() -> list[str]:
    return _public_names(globals())
