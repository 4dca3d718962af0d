"""Special functions beside SciPy's over wide ranges, and their derivatives beside differences."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest
import scipy.special as ss

import fxla
import fxla.numpy as fnp
from fxla.errors import NotDifferentiableError
from fxla.scipy import special
from tests.scipy.checks import close, compare, slopes_agree

INF, NAN = np.inf, np.nan
REAL = np.array([-INF, -1e300, -40.5, -3.0, -2.5, -1.0, -0.3, -1e-8, -0.0, 0.0, 1e-300, 1e-8,
                 0.3, 0.5, 1.0, 1.5, 2.0, 7.3, 40.0, 170.5, 1e3, 1e10, INF, NAN])  # fmt: skip
SMALL = REAL[(np.abs(REAL) < 1e3) | ~np.isfinite(REAL)]
POSITIVE = SMALL[~(SMALL < 0)]
UNIT = np.array([-0.1, 0.0, 1e-20, 1e-3, 0.3, 0.5, 0.72, 1 - 1e-9, 1.0, 1.1, NAN])
SMOOTH = np.array([0.35, 0.8, 1.7, 3.2])

ONE = {
    "gamma": REAL, "gammaln": REAL, "gammasgn": REAL, "rgamma": REAL, "loggamma": REAL,
    "psi": SMALL, "erf": REAL, "erfc": REAL, "erfinv": UNIT, "erfcinv": UNIT, "erfcx": SMALL,
    "dawsn": REAL, "ndtr": REAL, "log_ndtr": REAL, "ndtri": UNIT, "exp1": REAL, "expi": SMALL,
    "spence": REAL, "j0": SMALL, "j1": SMALL, "y0": POSITIVE, "y1": POSITIVE, "i0": SMALL,
    "i0e": REAL, "i1": SMALL, "i1e": REAL, "k0": POSITIVE, "k0e": POSITIVE, "k1": POSITIVE,
    "k1e": POSITIVE, "entr": REAL, "expit": REAL, "log_expit": REAL, "logit": UNIT,
    "exprel": SMALL, "cosm1": SMALL, "exp10": SMALL, "exp2": SMALL, "expm1": SMALL,
    "log1p": REAL, "cbrt": REAL, "sici": SMALL, "fresnel": SMALL,
}  # fmt: skip

_PAIRS = np.array([0.0, 0.2, 1.0, 2.5, 30.0, 400.0])
A, X = (v.ravel() for v in np.meshgrid(_PAIRS, _PAIRS))
A3, B3, X3 = (v.ravel() for v in np.meshgrid(_PAIRS[1:], _PAIRS[1:], UNIT[1:-2]))

TWO = {
    "gammainc": (A, X), "gammaincc": (A, X), "gammaincinv": (A, X / 500),
    "gammainccinv": (A, X / 500), "beta": (A, X), "betaln": (A, X), "binom": (A, X),
    "poch": (A, X / 10), "xlogy": (A, X), "xlog1py": (A, X), "rel_entr": (A, X),
    "kl_div": (A - 0.2, X), "owens_t": (A - 2, X), "boxcox": (A, X / 100 - 1),
    "boxcox1p": (A, X / 100 - 1), "inv_boxcox": (A / 10, X / 100),
    "inv_boxcox1p": (A / 10, X / 100), "huber": (A - 1, X - 3), "pseudo_huber": (A + 0.1, X - 3),
    "jv": (A, X), "iv": (A, X), "ive": (A, X), "kv": (A / 10, X + 0.1), "kve": (A / 10, X + 0.1),
    "yv": (A / 10, X + 0.1), "hyp0f1": (A + 0.5, X - 3), "expn": (np.round(A / 20), X + 0.1),
}  # fmt: skip

THREE = {
    "betainc": (A3, B3, X3), "betaincc": (A3, B3, X3), "betaincinv": (A3, B3, X3),
    "hyp1f1": (np.minimum(A3, 3), np.minimum(B3, 3), X3 * 9 - 4),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE)
def test_functions_of_one_operand(name):
    f, oracle = getattr(special, name), getattr(ss, name)
    compare(f, oracle, ONE[name], rtol=3e-13)
    with np.errstate(all="ignore"):
        single = ONE[name].astype(np.float32)
        want = oracle(single)
    # SciPy's float32 loops round intermediate values; both are within some ulps of the truth
    got = fxla.jit(f)(single)
    assert np.asarray(got).dtype == np.asarray(want).dtype
    close(got, want, 2e-5, 1e-37, "float32")


@pytest.mark.parametrize("name", TWO | THREE)
def test_functions_of_several_operands(name):
    args = (TWO | THREE)[name]
    # SciPy's difference of close numbers loses digits that ours keeps
    atol = 1e-12 if name == "kl_div" else 1e-300
    compare(getattr(special, name), getattr(ss, name), *args, rtol=3e-13, atol=atol)


AT = {
    **{n: (SMOOTH,) for n in ONE if n not in ("gammasgn",)},
    **dict.fromkeys(("erfinv", "erfcinv", "ndtri", "logit"), (SMOOTH[:2],)),
    **dict.fromkeys(TWO, (SMOOTH, SMOOTH[::-1] + 0.2)),
    **{n: (SMOOTH, np.array([0.2, 0.4, 0.7, 0.9])) for n in ("gammaincinv", "gammainccinv")},
    **{n: (SMOOTH, SMOOTH[::-1], np.array([0.2, 0.4, 0.7, 0.9])) for n in THREE},
}
ORDERED = ("jv", "iv", "ive", "kv", "kve", "yv", "hyp0f1", "expn")


@pytest.mark.parametrize("name", [n for n in AT if n not in ("sici", "fresnel")])
def test_derivatives_are_differences(name):
    args = AT[name]
    if name == "expn":
        args = (np.array([2.0, 3.0, 4.0, 5.0]), args[1])
    by = (len(args) - 1,) if name in ORDERED or name == "hyp1f1" else None
    slopes_agree(getattr(special, name), *args, by=by)


@pytest.mark.parametrize("name", ["sici", "fresnel"])
def test_derivatives_of_pairs_are_differences(name):
    for part in (0, 1):
        slopes_agree(lambda x, part=part: getattr(special, name)(x)[part], SMOOTH)


@pytest.mark.parametrize("name", ORDERED)
def test_a_derivative_by_an_order_is_refused(name):
    with pytest.raises(NotDifferentiableError, match=name):
        fxla.grad(lambda v: getattr(special, name)(v, 1.5))(2.0)


def test_derivatives_in_the_tails_are_finite():
    x = np.array([-1e3, -30.0, 30.0, 1e3])
    for f in (special.log_ndtr, special.expit, special.log_expit, special.erfcx, special.i0e):
        slope = fxla.vmap(fxla.grad(f))(np.maximum(x, -20.0) if f is special.erfcx else x)
        assert np.isfinite(slope).all(), f.__name__
    np.testing.assert_allclose(fxla.grad(special.log_ndtr)(-1e3), 1000.000999998)
    for f in (special.xlogy, special.xlog1py):
        assert fxla.grad(f, 1)(0.0, 0.0) == 0.0
    assert fxla.grad(special.i1)(0.0) == 0.5 and fxla.grad(special.j1)(0.0) == 0.5
    for k in range(3):
        at = (2.0, 3.0, 0.0) if k < 2 else (1.0, 3.0, 0.0)
        assert np.isfinite(fxla.grad(special.betainc, k)(*at))
    assert fxla.grad(special.gammainc)(2.0, 0.0) == 0.0


def test_polygamma_and_zeta():
    x = np.array([-2.5, -0.3, 0.4, 1.0, 3.0, 50.0])
    for n in range(5):
        compare(lambda x, n=n: special.polygamma(n, x), lambda x, n=n: ss.polygamma(n, x), x,
                rtol=1e-11)  # fmt: skip
    n = np.array([0, 1, 2, 3, 4, 5])
    compare(special.polygamma, ss.polygamma, n, np.abs(x))
    s = np.array([-3.5, -2.0, -0.5, 0.0, 0.5, 1.0, 1.2, 7.0])
    compare(special.zeta, ss.zeta, s)
    compare(special.zeta, ss.zeta, np.array([1.1, 2.0, 7.0]), np.array([0.3, 2.5, 40.0]))
    slopes_agree(special.zeta, np.array([1.5, 2.0, 7.0]), np.array([0.3, 2.5, 40.0]))
    slopes_agree(special.zeta, np.array([-0.5, 0.5, 1.7]))
    slopes_agree(lambda x: special.polygamma(0, x), SMOOTH)
    slopes_agree(lambda x: special.polygamma(2, x), SMOOTH)


def test_combinatorics():
    n, k = np.array([0, 3, 10, 10, -1, 4]), np.array([0, 2, 3, 11, 1, -1])
    compare(special.comb, ss.comb, n, k)
    again = np.array([0, 3, 10, 10, 1, 4])
    compare(
        lambda n, k: special.comb(n, k, repetition=True),
        lambda n, k: ss.comb(n, k, repetition=True), again, np.abs(k),
    )  # fmt: skip
    compare(special.factorial, ss.factorial, np.array([-2.0, 0.0, 0.5, 4.0, 20.0]))
    assert special.comb(40, 20, exact=True) == ss.comb(40, 20, exact=True)
    np.testing.assert_allclose(special.bernoulli(12), ss.bernoulli(12))
    for d in (1, 2, 5):
        compare(
            lambda a, d=d: special.multigammaln(a, d), lambda a, d=d: ss.multigammaln(a, d),
            np.array([2.5, 3.0, 40.0]), dtypes=False,
        )  # fmt: skip


def test_bessel_functions_of_all_orders_to_one():
    z = np.array([0.0, 0.5, 3.0, 20.0])
    expected = np.stack([ss.jv(k, z) for k in range(5)])
    np.testing.assert_allclose(special.bessel_jn(z, v=4), expected, atol=1e-15)
    np.testing.assert_allclose(fxla.jit(special.bessel_jn, static_argnames="v")(z, v=4), expected,
                               atol=1e-15)  # fmt: skip


def test_complex_functions():
    z = np.array([0.3 + 1j, -2.0 + 0.1j, 4.0 - 3j])
    compare(special.wofz, ss.wofz, z)
    compare(special.loggamma, ss.loggamma, z)
    h = 1e-6
    _, slope = fxla.jvp(special.wofz, (z,), (np.ones_like(z),))
    np.testing.assert_allclose(slope, (ss.wofz(z + h) - ss.wofz(z - h)) / (2 * h), rtol=1e-7)
    _, slope = fxla.jvp(special.loggamma, (z,), (np.ones_like(z),))
    np.testing.assert_allclose(slope, ss.digamma(z), rtol=1e-12)


@pytest.mark.skipif(not hasattr(ss, "sph_harm_y"), reason="SciPy before 1.15")
def test_spherical_harmonics():
    n, m = np.array([0, 1, 2, 3, 3]), np.array([0, -1, 2, 0, -3])
    theta, phi = np.array([0.3, 1.0, 2.0, 0.7, 3.0]), np.array([0.1, 2.0, -1.0, 5.0, 0.4])
    compare(special.sph_harm_y, ss.sph_harm_y, n, m, theta, phi)
    for k in (2, 3):
        slopes_agree(
            lambda *xs: fnp.real(special.sph_harm_y(*xs)) + 2 * fnp.imag(special.sph_harm_y(*xs)),
            n, m, theta, phi, by=(k,),
        )  # fmt: skip


def test_sums_of_exponentials():
    x = np.array([[1.0, -np.inf, 1000.0], [-2.0, 3.0, 0.5]])
    b = np.array([[1.0, 2.0, -0.5], [0.0, 1.0, 2.0]])
    for axis in (None, 0, 1, (0, 1)):
        compare(lambda x, axis=axis: special.logsumexp(x, axis),
                lambda x, axis=axis: ss.logsumexp(x, axis), x)  # fmt: skip
        for keep in (False, True):
            compare(
                lambda x, b, a=axis, k=keep: special.logsumexp(x, a, b, k, True),
                lambda x, b, a=axis, k=keep: tuple(ss.logsumexp(x, a, b, k, True)), x, b,
            )  # fmt: skip
    y = x[1:]
    for axis in (None, 0, 1):
        compare(lambda y, a=axis: special.softmax(y, axis=a), lambda y, a=axis: ss.softmax(y, a), y)
        compare(lambda y, a=axis: special.log_softmax(y, axis=a),
                lambda y, a=axis: ss.log_softmax(y, a), y, atol=1e-14)  # fmt: skip


def test_dtypes_and_errors_are_scipys():
    n = np.arange(1, 4)
    assert fxla.jit(special.gammaln)(n).dtype == np.float64
    half = n.astype(np.float16)
    assert fxla.jit(special.gamma)(half).dtype == ss.gamma(half).dtype
    mixed = fxla.jit(special.gammainc)(n.astype(np.float32), 2.0)
    assert mixed.dtype == ss.gammainc(n.astype(np.float32), 2.0).dtype
    with pytest.raises(TypeError):
        fxla.jit(special.gammaln)(n * 1j)
    with pytest.raises(ValueError):
        fxla.jit(special.gammainc)(np.ones(2), np.ones(3))
    assert special.gammainc(a=2.0, x=1.0) == ss.gammainc(2.0, 1.0)
    with pytest.raises(TypeError):
        special.gammainc(2.0)


def test_scipys_own_functions_trace():
    x = np.array([0.5, 2.0])
    np.testing.assert_allclose(fxla.jit(lambda x: ss.gammaln(x) + ss.expit(x))(x),
                               ss.gammaln(x) + ss.expit(x))  # fmt: skip
    np.testing.assert_allclose(fxla.grad(lambda x: ss.i0e(x))(0.5), ss.i1e(0.5) - ss.i0e(0.5))


def test_every_name_is_documented():
    assert len(set(special.__all__)) == len(special.__all__)
    for name in special.__all__:
        thing = getattr(special, name)
        assert thing.__doc__ and ">>> " in thing.__doc__, name
        assert inspect.signature(thing).parameters, name


def test_importing_fxla_does_not_import_it():
    code = (
        "import sys, fxla; found = [m for m in sys.modules if m.startswith(('scipy.special', "
        "'scipy.stats', 'fxla.scipy.special', 'fxla.scipy.stats'))]; assert not found, found"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
