"""Spectra of segments: short-time Fourier transforms, Welch's method, the analytic signal."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy  # loads scipy.signal when it is first used

import fxla.numpy as fnp
from fxla.core.array import as_array
from fxla.core.dtypes import is_complex
from fxla.core.trace import Value, typeof, where_am_i
from fxla.numpy.operands import as_value, as_values, normalise_axis, promote_inexact
from fxla.scipy.signal.filters import detrend as remove_trend

__all__ = ["csd", "get_window", "hilbert", "istft", "periodogram", "stft", "welch"]


def get_window(window: Any, Nx: int, fftbins: bool = True) -> Any:
    """A window by name. See `scipy.signal.get_window`.

    Args:
        window: ``"hann"``, ``("kaiser", 4.0)`` and SciPy's other windows.
        Nx: its length.
        fftbins: periodic rather than symmetric.

    Example:
        >>> from fxla.scipy import signal
        >>> signal.get_window("hann", 4)
        Array([0. , 0.5, 1. , 0.5])
    """
    return as_array(scipy.signal.get_window(window, Nx, fftbins))


def _window(call: str, window: Any, nperseg: int | None, n: int) -> tuple[Any, int]:
    """The window, and its length."""
    if isinstance(window, str | tuple):
        size = min(256 if nperseg is None else int(nperseg), n)
        return np.asarray(scipy.signal.get_window(window, size)), size
    values = as_value(window, call)
    if typeof(values).ndim != 1 or typeof(values).shape[0] > n:
        raise ValueError(f"{call}: window {typeof(values)} does not fit {n} samples{where_am_i()}")
    if nperseg is not None and nperseg != typeof(values).shape[0]:
        raise ValueError(f"{call}: nperseg differs from the length of window{where_am_i()}")
    return values, typeof(values).shape[0]


def _segments(
    x: Value, window: Any, size: int, step: int, nfft: int, detrend: Any, onesided: bool
) -> Any:
    """Transforms of windowed segments: [..., n] -> [..., segments, frequencies]."""
    n = typeof(x).shape[-1]
    starts = np.arange(0, n - size + 1, step)
    cut = x[..., starts[:, None] + np.arange(size)]
    if callable(detrend):
        cut = detrend(cut)
    elif detrend:
        cut = remove_trend(cut, type=detrend)
    cut = window * cut
    return fnp.fft.rfft(fnp.real(cut), nfft) if onesided else fnp.fft.fft(cut, nfft)


def _plan(
    call: str, x: Value, window: Any, nperseg: Any, noverlap: Any, nfft: Any
) -> tuple[Any, int, int, int]:
    """Window, its length, overlap, and length of the transforms."""
    values, size = _window(call, window, nperseg, typeof(x).shape[-1])
    overlap = size // 2 if noverlap is None else int(noverlap)
    length = size if nfft is None else int(nfft)
    if overlap >= size:
        raise ValueError(f"{call}: noverlap must be less than nperseg{where_am_i()}")
    if length < size:
        raise ValueError(f"{call}: nfft must be at least nperseg{where_am_i()}")
    return values, size, overlap, length


def _scale(call: str, scaling: str, window: Any, fs: Any) -> Any:
    if scaling == "density":
        return 1 / (fs * fnp.sum(fnp.square(window)))
    if scaling == "spectrum":
        return 1 / fnp.square(fnp.sum(window))
    raise ValueError(f"{call}: unknown scaling {scaling!r}{where_am_i()}")


def _frequencies(nfft: int, fs: Any, onesided: bool) -> Any:
    return as_array((np.fft.rfftfreq if onesided else np.fft.fftfreq)(nfft)) * fs


def csd(
    x: Any,
    y: Any,
    fs: Any = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Any, Any]:
    """Cross power spectral density by Welch's method. See `scipy.signal.csd`.

    Args:
        x: samples.
        y: samples, or None for those of x.
        fs: sampling frequency.
        window: a name, or an array.
        nperseg: length of segments.
        noverlap: how much they overlap; half by default.
        nfft: length of the transforms.
        detrend: ``"constant"``, ``"linear"``, a function or False.
        return_onesided: only frequencies from 0 up, for real samples.
        scaling: ``"density"`` or ``"spectrum"``.
        axis: along which.
        average: of the segments: ``"mean"`` or ``"median"``.

    Returns:
        Frequencies, and the density.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import signal
        >>> signal.csd(fnp.arange(8.0), fnp.arange(8.0), nperseg=4)[1].real.round(3)
        array([0.667, 1.667, 0.   ])
    """
    call = "signal.csd"
    same = y is None or y is x
    first, second = promote_inexact(call, *as_values(call, x, x if same else y))
    at = normalise_axis(axis, typeof(first).ndim, call)
    first, second = fnp.moveaxis(first, at, -1), fnp.moveaxis(second, at, -1)
    n = max(typeof(first).shape[-1], typeof(second).shape[-1])
    first, second = (
        fnp.pad(v, [(0, 0)] * (typeof(v).ndim - 1) + [(0, n - typeof(v).shape[-1])])
        for v in (first, second)
    )
    values, size, overlap, length = _plan(call, first, window, nperseg, noverlap, nfft)
    onesided = return_onesided and not is_complex(typeof(first).dtype)
    given = (values, size, size - overlap, length, detrend, onesided)
    left = _segments(first, *given)
    right = left if same else _segments(second, *given)
    power = fnp.conj(left) * right * _scale(call, scaling, values, fs)
    if onesided:
        middle = np.full(typeof(power).shape[-1], 2.0)
        middle[0] = 1.0
        if length % 2 == 0:
            middle[-1] = 1.0
        power = power * middle
    if average == "median":
        count = typeof(power).shape[-2]
        ii = 2 * np.arange(1.0, (count - 1) // 2 + 1)
        bias = 1 + np.sum(1.0 / (ii + 1) - 1.0 / ii)
        real, imag = fnp.median(fnp.real(power), axis=-2), fnp.median(fnp.imag(power), axis=-2)
        power = (real + 1j * imag) / bias
    elif average == "mean":
        power = fnp.mean(power, axis=-2)
    else:
        raise ValueError(
            f"{call}: average must be 'mean' or 'median', got {average!r}{where_am_i()}"
        )
    if same:
        power = fnp.real(power)
    return _frequencies(length, fs, onesided), fnp.moveaxis(power, -1, at)


def welch(
    x: Any,
    fs: Any = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Any, Any]:
    """Power spectral density by Welch's method. See `scipy.signal.welch`.

    Args:
        x: samples.
        fs: sampling frequency.
        window: a name, or an array.
        nperseg: length of segments.
        noverlap: how much they overlap; half by default.
        nfft: length of the transforms.
        detrend: ``"constant"``, ``"linear"``, a function or False.
        return_onesided: only frequencies from 0 up, for real samples.
        scaling: ``"density"`` or ``"spectrum"``.
        axis: along which.
        average: of the segments: ``"mean"`` or ``"median"``.

    Returns:
        Frequencies, and the density.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import signal
        >>> signal.welch(fnp.arange(8.0), nperseg=4)[1].round(3)
        array([0.667, 1.667, 0.   ])
    """
    return csd(x, None, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling,
               axis, average)  # fmt: skip


def periodogram(
    x: Any,
    fs: Any = 1.0,
    window: Any = "boxcar",
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
) -> tuple[Any, Any]:
    """Power spectral density from one transform. See `scipy.signal.periodogram`.

    Args:
        x: samples.
        fs: sampling frequency.
        window: a name, or an array.
        nfft: length of the transform, at least that of x.
        detrend: ``"constant"``, ``"linear"``, a function or False.
        return_onesided: only frequencies from 0 up, for real samples.
        scaling: ``"density"`` or ``"spectrum"``.
        axis: along which.

    Returns:
        Frequencies, and the density.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import signal
        >>> signal.periodogram(fnp.array([1.0, -1.0, 1.0, -1.0]))[1].round(6)
        array([0., 0., 4.])
    """
    n = typeof(as_value(x, "signal.periodogram")).shape[axis]
    return welch(x, fs, window, n, 0, nfft, detrend, return_onesided, scaling, axis)


def stft(
    x: Any,
    fs: Any = 1.0,
    window: Any = "hann",
    nperseg: int | None = 256,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = False,
    return_onesided: bool = True,
    boundary: str | None = "zeros",
    padded: bool = True,
    axis: int = -1,
    scaling: str = "spectrum",
) -> tuple[Any, Any, Any]:
    """Short-time Fourier transform. See `scipy.signal.stft`.

    Args:
        x: samples.
        fs: sampling frequency.
        window: a name, or an array.
        nperseg: length of segments.
        noverlap: how much they overlap; half by default.
        nfft: length of the transforms.
        detrend: ``"constant"``, ``"linear"``, a function or False.
        return_onesided: only frequencies from 0 up, for real samples.
        boundary: how samples go on at the ends: ``"zeros"``, ``"even"``, ``"odd"``, ``"constant"``
            or None.
        padded: add zeros to a whole number of segments.
        axis: along which.
        scaling: ``"spectrum"`` or ``"psd"``.

    Returns:
        Frequencies, times of the segments, and the transforms.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import signal
        >>> signal.stft(fnp.ones(16), nperseg=8)[2].shape
        (5, 5)
    """
    call = "signal.stft"
    (values,) = promote_inexact(call, as_value(x, call))
    at = normalise_axis(axis, typeof(values).ndim, call)
    values = fnp.moveaxis(values, at, -1)
    given, size, overlap, length = _plan(call, values, window, nperseg, noverlap, nfft)
    step, half = size - overlap, size // 2
    if boundary is not None:
        values = _extended(call, values, half, boundary)
    n = typeof(values).shape[-1]
    if padded:
        more = (-(n - size) % step) % size
        values = fnp.pad(values, [(0, 0)] * (typeof(values).ndim - 1) + [(0, more)])
        n += more
    onesided = return_onesided and not is_complex(typeof(values).dtype)
    out = _segments(values, given, size, step, length, detrend, onesided)
    kind = {"spectrum": "spectrum", "psd": "density"}.get(scaling, scaling)
    out = out * fnp.sqrt(_scale(call, kind, given, fs))
    times = as_array(np.arange(half, n - (size - half) + 1, step)) / fs
    if boundary is not None:
        times = times - half / fs
    out = fnp.moveaxis(fnp.swapaxes(out, -1, -2), -2, at)
    return _frequencies(length, fs, onesided), times, out


def _extended(call: str, x: Value, n: int, boundary: str) -> Any:
    width = [(0, 0)] * (typeof(x).ndim - 1) + [(n, n)]
    if boundary == "zeros":
        return fnp.pad(x, width)
    if boundary == "constant":
        return fnp.pad(x, width, mode="edge")
    if boundary == "even":
        return fnp.pad(x, width, mode="reflect")
    if boundary == "odd":
        return fnp.pad(x, width, mode="reflect", reflect_type="odd")
    raise ValueError(f"{call}: unknown boundary {boundary!r}{where_am_i()}")


def istft(
    Zxx: Any,
    fs: Any = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    input_onesided: bool = True,
    boundary: bool = True,
    time_axis: int = -1,
    freq_axis: int = -2,
    scaling: str = "spectrum",
) -> tuple[Any, Any]:
    """The samples from their short-time Fourier transform. See `scipy.signal.istft`.

    Args:
        Zxx: what `stft` gave.
        fs: sampling frequency.
        window: a name, or an array.
        nperseg: length of segments.
        noverlap: how much they overlap; half by default.
        nfft: length of the transforms.
        input_onesided: whether there are only frequencies from 0 up.
        boundary: whether samples went on at the ends.
        time_axis: the axis of segments.
        freq_axis: the axis of frequencies.
        scaling: ``"spectrum"`` or ``"psd"``.

    Returns:
        Times, and the samples.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import signal
        >>> signal.istft(signal.stft(fnp.arange(4.0), nperseg=4)[2], nperseg=4)[1].round(6)
        array([0., 1., 2., 3.])
    """
    call = "signal.istft"
    (values,) = promote_inexact(call, as_value(Zxx, call))
    rank = typeof(values).ndim
    if rank < 2 or time_axis % rank == freq_axis % rank:
        raise ValueError(f"{call}: needs an axis of times and another of frequencies{where_am_i()}")
    values = fnp.moveaxis(values, (time_axis % rank, freq_axis % rank), (-2, -1))
    bins = typeof(values).shape[-1]
    size = (2 * (bins - 1) if input_onesided else bins) if nperseg is None else int(nperseg)
    length = nfft
    if length is None:
        even = 2 * (bins - 1)
        length = bins if not input_onesided else size if size == even + 1 else even
    overlap = size // 2 if noverlap is None else int(noverlap)
    step = size - overlap
    if isinstance(window, str | tuple):
        given: Any = np.asarray(scipy.signal.get_window(window, size))
    else:
        given = as_value(window, call)
    back = fnp.fft.irfft(values, length) if input_onesided else fnp.fft.ifft(values, length)
    segments = back[..., :size]
    if scaling == "spectrum":
        segments = segments * fnp.sum(given)
    elif scaling == "psd":
        segments = segments * fnp.sqrt(fs * fnp.sum(fnp.square(given)))
    else:
        raise ValueError(f"{call}: unknown scaling {scaling!r}{where_am_i()}")
    count = typeof(values).shape[-2]
    n = size + (count - 1) * step
    places = np.arange(count)[:, None] * step + np.arange(size)
    lead = typeof(segments).shape[:-2]
    total = fnp.zeros((*lead, n), typeof(segments).dtype)
    total = total.at[..., places].add(segments * given)
    norm = fnp.zeros(n).at[places].add(fnp.broadcast_to(fnp.square(given), (count, size)))
    if boundary:
        half = size // 2
        total, norm = total[..., half : n - half], norm[half : n - half]
    out = total / fnp.where(norm > 1e-10, norm, 1.0)
    axis = min(time_axis % rank, freq_axis % rank)
    if time_axis % rank > freq_axis % rank:
        axis = time_axis % rank - 1
    return as_array(np.arange(typeof(out).shape[-1])) / fs, fnp.moveaxis(out, -1, axis)


def hilbert(x: Any, N: int | None = None, axis: int = -1) -> Any:
    """The analytic signal. See `scipy.signal.hilbert`.

    Args:
        x: real samples.
        N: length of the transform.
        axis: along which.

    Example:
        >>> from fxla.scipy import signal
        >>> signal.hilbert([1.0, 0.0, -1.0, 0.0]).round(6)
        Array([ 1.+0.j,  0.+1.j, -1.+0.j,  0.-1.j])
    """
    call = "signal.hilbert"
    (values,) = promote_inexact(call, as_value(x, call))
    if is_complex(typeof(values).dtype):
        raise ValueError(f"{call}: x must be real{where_am_i()}")
    at = normalise_axis(axis, typeof(values).ndim, call)
    values = fnp.moveaxis(values, at, -1)
    n = typeof(values).shape[-1] if N is None else int(N)
    if n <= 0:
        raise ValueError(f"{call}: N must be positive{where_am_i()}")
    weights = np.zeros(n)
    weights[0] = 1
    weights[1 : (n + 1) // 2] = 2
    if n % 2 == 0:
        weights[n // 2] = 1
    return fnp.moveaxis(fnp.fft.ifft(fnp.fft.fft(values, n) * weights), -1, at)
