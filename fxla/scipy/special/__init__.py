"""Special functions: the module ``fxla.scipy.special``.

Names, broadcasting and dtypes are SciPy's, and eager calls are SciPy's own. All are differentiable
wherever there is a derivative; where there is none in closed form, as by the order of a Bessel
function, asking for it is an error.

Functions are imported when they are used: SciPy's special functions take 0.1 s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fxla.core.deferred import deferred_name as _deferred_name
from fxla.core.deferred import public_names as _public_names

if TYPE_CHECKING:
    from fxla.numpy import sinc
    from fxla.scipy.exponential_sums import log_softmax, logsumexp, softmax
    from fxla.scipy.special.bessels import (
        bessel_jn,
        hyp0f1,
        hyp1f1,
        hyp2f1,
        i0,
        i0e,
        i1,
        i1e,
        iv,
        ive,
        j0,
        j1,
        jn,
        jv,
        k0,
        k0e,
        k1,
        k1e,
        kn,
        kv,
        kve,
        sph_harm_y,
        y0,
        y1,
        yn,
        yv,
    )
    from fxla.scipy.special.entropies import (
        boxcox,
        boxcox1p,
        cbrt,
        cosm1,
        entr,
        exp2,
        exp10,
        expit,
        expm1,
        exprel,
        huber,
        inv_boxcox,
        inv_boxcox1p,
        kl_div,
        log1p,
        log_expit,
        logit,
        pseudo_huber,
        rel_entr,
        xlog1py,
        xlogy,
    )
    from fxla.scipy.special.errors import (
        dawsn,
        erf,
        erfc,
        erfcinv,
        erfcx,
        erfinv,
        exp1,
        expi,
        expn,
        fresnel,
        log_ndtr,
        ndtr,
        ndtri,
        owens_t,
        sici,
        spence,
        wofz,
    )
    from fxla.scipy.special.gammas import (
        bernoulli,
        beta,
        betainc,
        betaincc,
        betaincinv,
        betaln,
        binom,
        comb,
        digamma,
        factorial,
        gamma,
        gammainc,
        gammaincc,
        gammainccinv,
        gammaincinv,
        gammaln,
        gammasgn,
        loggamma,
        multigammaln,
        poch,
        polygamma,
        psi,
        rgamma,
        zeta,
    )

__all__ = [
    "bernoulli",
    "bessel_jn",
    "beta",
    "betainc",
    "betaincc",
    "betaincinv",
    "betaln",
    "binom",
    "boxcox",
    "boxcox1p",
    "cbrt",
    "comb",
    "cosm1",
    "dawsn",
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcinv",
    "erfcx",
    "erfinv",
    "exp1",
    "exp2",
    "exp10",
    "expi",
    "expit",
    "expm1",
    "expn",
    "exprel",
    "factorial",
    "fresnel",
    "gamma",
    "gammainc",
    "gammaincc",
    "gammainccinv",
    "gammaincinv",
    "gammaln",
    "gammasgn",
    "huber",
    "hyp0f1",
    "hyp1f1",
    "hyp2f1",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "inv_boxcox",
    "inv_boxcox1p",
    "iv",
    "ive",
    "j0",
    "j1",
    "jn",
    "jv",
    "k0",
    "k0e",
    "k1",
    "k1e",
    "kl_div",
    "kn",
    "kv",
    "kve",
    "log1p",
    "log_expit",
    "log_ndtr",
    "log_softmax",
    "loggamma",
    "logit",
    "logsumexp",
    "multigammaln",
    "ndtr",
    "ndtri",
    "owens_t",
    "poch",
    "polygamma",
    "pseudo_huber",
    "psi",
    "rel_entr",
    "rgamma",
    "sici",
    "sinc",
    "softmax",
    "spence",
    "sph_harm_y",
    "wofz",
    "xlog1py",
    "xlogy",
    "y0",
    "y1",
    "yn",
    "yv",
    "zeta",
]

_HOMES = {
    "fxla.numpy": "sinc",
    "fxla.scipy.exponential_sums": "log_softmax logsumexp softmax",
    "fxla.scipy.special.bessels": (
        "bessel_jn hyp0f1 hyp1f1 hyp2f1 i0 i0e i1 i1e iv ive j0 j1 jn jv k0 k0e k1 k1e kn kv "
        "kve sph_harm_y y0 y1 yn yv"
    ),
    "fxla.scipy.special.entropies": (
        "boxcox boxcox1p cbrt cosm1 entr exp2 exp10 expit expm1 exprel huber inv_boxcox "
        "inv_boxcox1p kl_div log1p log_expit logit pseudo_huber rel_entr xlog1py xlogy"
    ),
    "fxla.scipy.special.errors": (
        "dawsn erf erfc erfcinv erfcx erfinv exp1 expi expn fresnel log_ndtr ndtr ndtri "
        "owens_t sici spence wofz"
    ),
    "fxla.scipy.special.gammas": (
        "bernoulli beta betainc betaincc betaincinv betaln binom comb digamma factorial gamma "
        "gammainc gammaincc gammainccinv gammaincinv gammaln gammasgn loggamma multigammaln "
        "poch polygamma psi rgamma zeta"
    ),
}
"""The files of functions, and the names that each of them defines."""
_PLACES = {name: f"{home}:{name}" for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """A function, whose file, and SciPy's special functions with it, are imported now."""
    found = globals()[name] = _deferred_name("fxla.scipy.special", _PLACES, name)
    return found


def __dir__() -> list[str]:
    return _public_names(globals())
