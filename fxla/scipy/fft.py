"""Discrete cosine transforms, beside NumPy's Fourier transforms: the module ``fxla.scipy.fft``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import fxla.numpy as fnp
from fxla.core.deferred import public_names as _public_names
from fxla.core.dtypes import is_complex
from fxla.core.trace import Value, typeof, where_am_i
from fxla.numpy.fft import (
    fft,
    fft2,
    fftfreq,
    fftn,
    fftshift,
    hfft,
    ifft,
    ifft2,
    ifftn,
    ifftshift,
    ihfft,
    irfft,
    irfft2,
    irfftn,
    rfft,
    rfft2,
    rfftfreq,
    rfftn,
)
from fxla.numpy.operands import as_value, normalise_axis, promote_inexact

__all__ = [
    "dct",
    "dctn",
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "idct",
    "idctn",
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


def _second(x: Value) -> Any:
    """``2 sum x[j] cos(pi k (2 j + 1) / 2n)`` along the last axis, by one transform of size n."""
    n = typeof(x).shape[-1]
    ordered = fnp.concatenate([x[..., ::2], fnp.flip(x[..., 1::2], axis=-1)], axis=-1)
    turned = fnp.fft.fft(ordered, axis=-1) * (2 * np.exp(-0.5j * np.pi * np.arange(n) / n))
    return fnp.real(turned)


def _third(x: Value) -> Any:
    """``x[0] + 2 sum x[k] cos(pi k (2 j + 1) / 2n)``: 2n times the inverse of `_second`."""
    n = typeof(x).shape[-1]
    mirrored = fnp.concatenate([fnp.zeros_like(x[..., :1]), fnp.flip(x[..., 1:], axis=-1)], axis=-1)
    spectrum = (x - 1j * mirrored) * np.exp(0.5j * np.pi * np.arange(n) / n)
    ordered = fnp.real(fnp.fft.ifft(spectrum, axis=-1)) * n
    half = (n + 1) // 2
    out = fnp.zeros_like(ordered)
    out = out.at[..., ::2].set(ordered[..., :half])
    return out.at[..., 1::2].set(fnp.flip(ordered[..., half:], axis=-1))


def _first(x: Value) -> Any:
    """``x[0] + (-1)**k x[n - 1] + 2 sum x[j] cos(pi j k / (n - 1))``."""
    whole = fnp.concatenate([x, fnp.flip(x[..., 1:-1], axis=-1)], axis=-1)
    return fnp.real(fnp.fft.rfft(whole, axis=-1))


def _fourth(x: Value) -> Any:
    """``2 sum x[j] cos(pi (2 j + 1) (2 k + 1) / 4n)``."""
    n = typeof(x).shape[-1]
    turn = np.exp(-0.25j * np.pi * (2 * np.arange(n) + 1) / n)
    padded = fnp.concatenate([x * turn, fnp.zeros_like(x * turn)], axis=-1)
    spectrum = fnp.fft.fft(padded, axis=-1)[..., :n] * np.exp(-0.5j * np.pi * np.arange(n) / n)
    return 2 * fnp.real(spectrum)


def _scaled(x: Value, kind: int, norm: str, inverse: bool) -> Any:
    n = typeof(x).shape[-1]
    dtype = typeof(x).dtype
    if kind == 1 and n < 2:
        raise ValueError(f"fft.dct: type 1 needs at least two elements{where_am_i()}")
    actual = {1: 1, 2: 3, 3: 2, 4: 4}[kind] if inverse else kind
    size = 2 * (n - 1) if kind == 1 else 2 * n
    transform = {1: _first, 2: _second, 3: _third, 4: _fourth}[actual]
    if norm != "ortho":
        divided = norm == ("forward" if not inverse else "backward")
        return (transform(x) / size if divided else transform(x)).astype(dtype)
    weights = np.ones(n)
    if actual == 3:
        weights[0] = math.sqrt(2)
    elif actual == 1:
        weights[0] = weights[-1] = math.sqrt(2)
    out = transform(x * weights) / math.sqrt(size)
    after = np.ones(n)
    if actual == 2:
        after[0] = math.sqrt(0.5)
    elif actual == 1:
        after[0] = after[-1] = math.sqrt(0.5)
    return (out * after).astype(dtype)


def _along(
    call: str, x: Any, kind: int, n: int | None, axis: int, norm: str | None, inverse: bool
) -> Any:
    (value,) = promote_inexact(call, as_value(x, call))
    if kind not in (1, 2, 3, 4):
        raise ValueError(f"{call}: type must be 1, 2, 3 or 4, got {kind}{where_am_i()}")
    if norm not in (None, "backward", "ortho", "forward"):
        raise ValueError(f"{call}: unknown norm {norm!r}{where_am_i()}")
    if is_complex(typeof(value).dtype):
        real = _along(call, fnp.real(value), kind, n, axis, norm, inverse)
        return real + 1j * _along(call, fnp.imag(value), kind, n, axis, norm, inverse)
    at = normalise_axis(axis, typeof(value).ndim, call)
    value = fnp.moveaxis(value, at, -1)
    size = typeof(value).shape[-1]
    if n is not None and n != size:
        more = [(0, 0)] * (typeof(value).ndim - 1) + [(0, max(n - size, 0))]
        value = fnp.pad(value, more)[..., :n]
    return fnp.moveaxis(_scaled(value, kind, norm or "backward", inverse), -1, at)


def dct(x: Any, type: int = 2, n: int | None = None, axis: int = -1, norm: Any = None) -> Any:
    """The discrete cosine transform. See `scipy.fft.dct`.

    Args:
        x: an array.
        type: 1 to 4.
        n: length along the axis; x is cut or filled with zeros.
        axis: along which.
        norm: ``"backward"``, ``"ortho"`` or ``"forward"``.

    Example:
        >>> from fxla.scipy import fft
        >>> fft.dct([1.0, 2.0, 3.0]).round(4)
        array([12.    , -3.4641, -0.    ])
    """
    return _along("fft.dct", x, type, n, axis, norm, False)


def idct(x: Any, type: int = 2, n: int | None = None, axis: int = -1, norm: Any = None) -> Any:
    """The inverse discrete cosine transform. See `scipy.fft.idct`.

    Args:
        x: an array.
        type: 1 to 4.
        n: length along the axis; x is cut or filled with zeros.
        axis: along which.
        norm: ``"backward"``, ``"ortho"`` or ``"forward"``.

    Example:
        >>> from fxla.scipy import fft
        >>> fft.idct(fft.dct([1.0, 2.0, 3.0])).round(6)
        array([1., 2., 3.])
    """
    return _along("fft.idct", x, type, n, axis, norm, True)


def _over_axes(call: str, x: Any, kind: int, s: Any, axes: Any, norm: Any, inverse: bool) -> Any:
    value = as_value(x, call)
    rank = typeof(value).ndim
    if axes is None:
        along = list(range(rank - (rank if s is None else len(s)), rank))
    else:
        along = [axes] if isinstance(axes, int) else list(axes)
    sizes = [None] * len(along) if s is None else list(s)
    for a, n in zip(along, sizes, strict=True):
        value = _along(call, value, kind, n, a, norm, inverse)
    return value


def dctn(x: Any, type: int = 2, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    """The discrete cosine transform over several axes. See `scipy.fft.dctn`.

    Args:
        x: an array.
        type: 1 to 4.
        s: lengths along the axes.
        axes: all by default.
        norm: ``"backward"``, ``"ortho"`` or ``"forward"``.

    Example:
        >>> from fxla.scipy import fft
        >>> fft.dctn([[1.0, 1.0], [1.0, 1.0]]).round(6)
        array([[16.,  0.],
               [ 0.,  0.]])
    """
    return _over_axes("fft.dctn", x, type, s, axes, norm, False)


def idctn(x: Any, type: int = 2, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    """The inverse discrete cosine transform over several axes. See `scipy.fft.idctn`.

    Args:
        x: an array.
        type: 1 to 4.
        s: lengths along the axes.
        axes: all by default.
        norm: ``"backward"``, ``"ortho"`` or ``"forward"``.

    Example:
        >>> from fxla.scipy import fft
        >>> fft.idctn([[16.0, 0.0], [0.0, 0.0]]).round(6)
        array([[1., 1.],
               [1., 1.]])
    """
    return _over_axes("fft.idctn", x, type, s, axes, norm, True)


def __dir__() -> list[str]:
    return _public_names(globals())
