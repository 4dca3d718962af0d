"""Convolutions, filters and spectra beside SciPy's, and their derivatives beside differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal as ss

import fxla
import fxla.numpy as fnp
from fxla.scipy import signal
from tests.lax.checks import gradients_agree
from tests.scipy.checks import close

RNG = np.random.default_rng(5)
X, K = RNG.standard_normal(40), RNG.standard_normal(7)
IMAGE, KERNEL = RNG.standard_normal((9, 8)), RNG.standard_normal((4, 3))
MODES = ["full", "same", "valid"]


def both(f, oracle, *args, rtol=1e-9):
    """Eagerly and compiled, `f` is `oracle`."""
    expected = oracle(*args)
    for label, g in (("eager", f), ("jit", fxla.jit(f))):
        got = g(*args)
        size = max(float(np.max(np.abs(e), initial=0.0)) for e in
                   (expected if isinstance(expected, tuple) else (expected,)))  # fmt: skip
        close(got, expected, rtol, rtol * size, label)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["convolve", "correlate", "fftconvolve", "oaconvolve"])
def test_convolutions(name, mode):
    f, oracle = getattr(signal, name), getattr(ss, name)
    for x, y in ((X, K), (K, X), (IMAGE, KERNEL), (KERNEL, IMAGE), (X + 1j, K - 2j),
                 (np.arange(6), np.array([1, 2])), (IMAGE[None], KERNEL[None])):  # fmt: skip
        both(lambda x, y: f(x, y, mode), lambda x, y: oracle(x, y, mode), x, y)
    for method in ("direct", "fft"):
        if name == "correlate":
            both(lambda x, y, m=method: f(x, y, mode, m),
                 lambda x, y, m=method: oracle(x, y, mode, m), IMAGE, KERNEL)  # fmt: skip
    gradients_agree(lambda x, y: f(x, y, mode), X[:9], K)
    with pytest.raises(ValueError, match="mode"):
        f(X, K, "most")
    with pytest.raises(ValueError, match="rank"):
        f(X, KERNEL)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("boundary", ["fill", "wrap", "symm"])
def test_convolutions_of_matrices(mode, boundary):
    for name in ("convolve2d", "correlate2d"):
        f, oracle = getattr(signal, name), getattr(ss, name)
        for k in (KERNEL, KERNEL[:3], KERNEL[:1]):
            both(lambda x, y, f=f: f(x, y, mode, boundary),
                 lambda x, y, o=oracle: o(x, y, mode, boundary), IMAGE, k)  # fmt: skip
        gradients_agree(lambda x, y, f=f: f(x, y, mode, boundary), IMAGE[:5, :4], KERNEL[:2])
    both(lambda x, y: signal.convolve2d(x, y, mode, "fill", 2.5),
         lambda x, y: ss.convolve2d(x, y, mode, "fill", 2.5), IMAGE, KERNEL)  # fmt: skip


def test_filters():
    b, a = ss.butter(3, 0.3)
    for axis in (0, 1):
        both(lambda x, k=axis: signal.lfilter(b, a, x, k),
             lambda x, k=axis: ss.lfilter(b, a, x, k), IMAGE)  # fmt: skip
    zi = ss.lfilter_zi(b, a)
    np.testing.assert_allclose(signal.lfilter_zi(b, a), zi)
    both(lambda x: signal.lfilter(b, a, x, zi=zi * x[0]),
         lambda x: ss.lfilter(b, a, x, zi=zi * x[0]), X)  # fmt: skip
    both(lambda x: signal.lfilter([2.0], [4.0], x), lambda x: ss.lfilter([2.0], [4.0], x), X)
    for kind in ("odd", "even", "constant", None):
        both(lambda x, k=kind: signal.filtfilt(b, a, x, padtype=k),
             lambda x, k=kind: ss.filtfilt(b, a, x, padtype=k), np.stack([X, X[::-1]]))  # fmt: skip
    sos = ss.butter(5, 0.2, output="sos")
    both(lambda x: signal.sosfilt(sos, x, 0), lambda x: ss.sosfilt(sos, x, 0), IMAGE)
    state = ss.sosfilt_zi(sos)
    both(lambda x: signal.sosfilt(sos, x, zi=state), lambda x: ss.sosfilt(sos, x, zi=state), X)
    gradients_agree(lambda b, a, x: signal.lfilter(b, a, x), b, a, X[:8], rtol=1e-5)


def test_trends():
    for kind in ("linear", "constant"):
        for axis in (0, 1):
            both(lambda x, k=kind, a=axis: signal.detrend(x, a, k),
                 lambda x, k=kind, a=axis: ss.detrend(x, a, k), IMAGE)  # fmt: skip
    both(lambda x: signal.detrend(x, bp=[10, 25]), lambda x: ss.detrend(x, bp=[10, 25]), X)


@pytest.mark.parametrize("options", [
    {}, {"nperseg": 16}, {"nperseg": 15, "noverlap": 5, "nfft": 32, "fs": 3.0},
    {"nperseg": 16, "detrend": "linear", "scaling": "spectrum", "window": ("kaiser", 3.0)},
    {"nperseg": 8, "average": "median", "detrend": False, "return_onesided": False},
])  # fmt: skip
def test_densities(options):
    y = RNG.standard_normal(300)
    x = RNG.standard_normal(300)
    both(lambda x, y: signal.csd(x, y, **options), lambda x, y: ss.csd(x, y, **options), x, y)
    both(lambda x: signal.welch(x, **options), lambda x: ss.welch(x, **options), x)
    both(lambda x: signal.welch(x, axis=0, **options),
         lambda x: ss.welch(x, axis=0, **options), np.stack([x, y], 1))  # fmt: skip


def test_periodograms_and_analytic_signals():
    both(lambda x: signal.periodogram(x, 2.0), lambda x: ss.periodogram(x, 2.0), X)
    for n in (None, 30, 45):
        both(lambda x, n=n: signal.hilbert(x, n), lambda x, n=n: ss.hilbert(x, n), X)
    np.testing.assert_allclose(
        signal.get_window(("tukey", 0.3), 9), ss.get_window(("tukey", 0.3), 9)
    )
    gradients_agree(lambda x: signal.welch(x, nperseg=8)[1], X[:20], rtol=1e-5)


@pytest.mark.parametrize("options", [
    {"nperseg": 16}, {"nperseg": 16, "noverlap": 12, "fs": 2.0}, {"nperseg": 15},
    {"nperseg": 16, "scaling": "psd"}, {"nperseg": 16, "nfft": 32, "return_onesided": False},
])  # fmt: skip
def test_short_time_transforms(options):
    x = RNG.standard_normal((2, 70))
    both(lambda x: signal.stft(x, **options), lambda x: ss.stft(x, **options), x)
    spectrum = ss.stft(x, **options)[2]
    back = {"input_onesided" if k == "return_onesided" else k: v for k, v in options.items()}
    both(lambda z: signal.istft(z, **back), lambda z: ss.istft(z, **back), spectrum[0])
    # SciPy's times have the wrong length for a stack
    both(lambda z: signal.istft(z, **back)[1], lambda z: ss.istft(z, **back)[1], spectrum)
    for boundary in ("even", "odd", "constant", None):
        both(lambda x, b=boundary: signal.stft(x, nperseg=16, boundary=b),
             lambda x, b=boundary: ss.stft(x, nperseg=16, boundary=b), x)  # fmt: skip
    loss = lambda x: fnp.abs(signal.stft(x, **options)[2])  # noqa: E731
    gradients_agree(loss, x[0, :20], rtol=1e-5)
