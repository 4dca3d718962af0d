"""SciPy's and scikit-learn's functions on fxla's arrays, through the array API.

SciPy reads ``SCIPY_ARRAY_API`` when it is imported, and scikit-learn wants it set, so
`test_libraries.py` runs ``SCIPY_ARRAY_API=1 python -m tests.conformance.dispatching`` in another
process. Every program runs on an `fxla.Array`, inside ``jit``, ``vmap`` and ``grad``, and must give
what it gives of a NumPy array; derivatives are checked by differences.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.cluster.vq as vq
import scipy.fft
import scipy.integrate
import scipy.signal
import scipy.special as special
import scipy.stats as stats

import fxla

X = np.random.default_rng(0).normal(size=(6, 4))

Program = Callable[[Any], Any]


def _positive(f: Program) -> Program:
    return lambda x: f(abs(x) / 5 + 0.05)


def _first(f: Program) -> Program:
    return lambda x: f(x)[0]


ELEMENTWISE = (
    "expit logit gammaln erf erfc i0 i1 log_ndtr ndtr ndtri digamma entr psi exp1 gamma j0 xlogy"
).split()
STATISTICS = "zscore skew kurtosis gmean variation sem moment circmean kstat iqr hmean".split()
TESTS = "ttest_1samp jarque_bera skewtest normaltest".split()
EAGER_ONLY = {"iqr", "hmean", "vq", "lfilter", "dct", "gaussian_filter"}
"""Programs of C code, or with an ``if`` on values."""


def _special(name: str) -> Program:
    f = getattr(special, name)
    return _positive((lambda x: f(x, x + 1)) if name == "xlogy" else f)


def programs() -> dict[str, Program]:
    """By name, functions of a matrix."""
    found: dict[str, Program] = {f"special.{n}": _special(n) for n in ELEMENTWISE}
    found |= {f"stats.{n}": _positive(getattr(stats, n)) for n in STATISTICS}
    found |= {
        "special.logsumexp": lambda x: special.logsumexp(x, axis=1),
        "special.softmax": lambda x: special.softmax(x, axis=0),
        "special.log_softmax": lambda x: special.log_softmax(x, axis=1),
        "special.betaln": _positive(lambda x: special.betaln(x, x + 1)),
        "special.rel_entr": _positive(lambda x: special.rel_entr(x, x + 1)),
        "stats.entropy": _positive(stats.entropy),
        "stats.ttest_1samp": lambda x: stats.ttest_1samp(x, 0.1).pvalue,
        "stats.ttest_ind": lambda x: stats.ttest_ind(x[:, 0], x[:, 1]).pvalue,
        "stats.pearsonr": lambda x: stats.pearsonr(x[:, 0], x[:, 1])[0],
        "stats.jarque_bera": _first(stats.jarque_bera),
        "stats.tmean": stats.tmean,
        "signal.fftconvolve": lambda x: scipy.signal.fftconvolve(x[:, 0], x[:, 1]),
        "signal.oaconvolve": lambda x: scipy.signal.oaconvolve(x[:, 0], x[:, 1]),
        "signal.hilbert": lambda x: abs(scipy.signal.hilbert(x[:, 0])),
        "signal.resample": lambda x: scipy.signal.resample(x[:, 0], 12),
        "integrate.trapezoid": lambda x: scipy.integrate.trapezoid(x, axis=0),
        "integrate.cumulative_trapezoid": lambda x: scipy.integrate.cumulative_trapezoid(x, axis=0),
        "fft.fft": lambda x: abs(scipy.fft.fft(x)),
        "fft.rfft": lambda x: abs(scipy.fft.rfft(x)),
        "cluster.whiten": lambda x: vq.whiten(x),
        "cluster.vq": lambda x: vq.vq(x, x[:2])[1],
        "fft.dct": lambda x: scipy.fft.dct(x),
    }
    return found


def learners() -> dict[str, Program]:
    """scikit-learn's estimators, fitted on what they are given."""
    from sklearn import discriminant_analysis, linear_model, metrics, preprocessing
    from sklearn.decomposition import PCA

    labels = (X[:, 0] > 0).astype(int)

    def lda(x: Any) -> Any:
        xp = x.__array_namespace__()
        y = xp.asarray(labels)
        return discriminant_analysis.LinearDiscriminantAnalysis().fit(x, y).decision_function(x)

    return {
        "LinearDiscriminantAnalysis": lda,
        "PCA": lambda x: abs(PCA(2, svd_solver="covariance_eigh").fit_transform(x)),
        "PCA full": lambda x: abs(PCA(2, svd_solver="full").fit_transform(x)),
        "Ridge": lambda x: linear_model.Ridge(solver="svd").fit(x, x[:, 0]).predict(x),
        "StandardScaler": lambda x: preprocessing.StandardScaler().fit_transform(x),
        "MinMaxScaler": lambda x: preprocessing.MinMaxScaler().fit_transform(x),
        "Normalizer": lambda x: preprocessing.Normalizer().fit_transform(x),
        "rbf_kernel": lambda x: metrics.pairwise.rbf_kernel(x),
        "cosine_similarity": lambda x: metrics.pairwise.cosine_similarity(x),
        "mean_squared_error": lambda x: metrics.mean_squared_error(x[:, 0], x[:, 1]),
        "r2_score": lambda x: metrics.r2_score(x[:, 0], x[:, 1]),
    }


LEARNERS_EAGER_ONLY = {
    "LinearDiscriminantAnalysis", "MinMaxScaler", "StandardScaler",
    "mean_squared_error", "r2_score",
}  # fmt: skip
"""Those with an ``if`` or a size by a value, or that make a number of one by ``float``."""


def wrong(name: str, f: Program, *, traced: bool) -> list[str]:
    """What a program does otherwise than on NumPy's array."""
    want = np.asarray(f(X))
    weights = np.cos(np.arange(want.size)).reshape(want.shape)

    def loss(x: Any) -> Any:
        return (f(x) * weights).sum()

    def slope(x: Any) -> Any:
        step = np.zeros(X.shape)
        step[2, 1] = 1e-5
        near = (np.sum(f(X + step) * weights) - np.sum(f(X - step) * weights)) / 2e-5
        got = fxla.grad(loss)(x)[2, 1]
        return np.where(np.isclose(got, near, rtol=1e-5, atol=1e-7), want, np.nan)

    runs: dict[str, Program] = {"eager": f}
    if traced:
        runs |= {
            "jit": fxla.jit(f),
            "vmap": lambda x: fxla.vmap(f)(np.stack([x, x]))[1],
            "grad": slope,
        }
    found = []
    for kind, run in runs.items():
        try:
            np.testing.assert_allclose(run(fxla.numpy.asarray(X)), want, rtol=1e-9, atol=1e-12)
        except Exception as error:
            found.append(f"{name}, {kind}: {type(error).__name__}: {str(error).strip()[:200]}")
    return found


def main() -> None:
    warnings.simplefilter("ignore")
    failed, count = [], 0
    for name, f in programs().items():
        count += 1
        failed += wrong(name, f, traced=name.rpartition(".")[2] not in EAGER_ONLY)
    try:
        import sklearn
    except ImportError:
        print("scikit-learn is not installed")
    else:
        with sklearn.config_context(array_api_dispatch=True, assume_finite=True):
            for name, f in learners().items():
                count += 1
                failed += wrong(name, f, traced=name not in LEARNERS_EAGER_ONLY)
    print(f"{count} programs")
    sys.exit("\n".join(failed) if failed else 0)


if __name__ == "__main__":
    main()
