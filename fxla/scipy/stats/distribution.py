"""What the distributions share: location and scale, supports, and functions from one another.

A distribution is given in its standard form: the logarithm of its density, and where they have a
form of their own its distribution function, tails and quantiles. Outside the support densities
are 0; parameters that make no sense give NaN. What is not selected is computed at a point inside
the support, so that derivatives are finite.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

import fxla.numpy as fnp
from fxla.core.trace import Value, typeof, where_am_i
from fxla.numpy.operands import as_value, common_shape, promote_inexact
from fxla.numpy.typed import ANY_NUMBER, typed

__all__ = ["Continuous", "Discrete", "everywhere", "positive"]

Form = Callable[..., Any]
Bounds = tuple[Any, Any]


def everywhere(*shapes: Value) -> Bounds:
    """The support of all real numbers."""
    return -fnp.inf, fnp.inf


def positive(*shapes: Value) -> Bounds:
    """The support from 0 up."""
    return 0.0, fnp.inf


def _all_positive(*shapes: Value) -> Any:
    valid: Any = True
    for s in shapes:
        valid = valid & fnp.greater(s, 0)
    return valid


def _within(low: Any, high: Any) -> Any:
    """A point inside the support."""
    unbounded = (isinstance(low, float) and low == -fnp.inf, high is fnp.inf)
    if unbounded == (True, True):
        return 0.0
    if unbounded[1]:
        return low + 1.0
    return (low + high) * 0.5


class _Distribution:
    """Functions of ``(x, *shapes, loc[, scale])``, which are promoted to one floating dtype."""

    def __init__(self, name: str, shapes: str, trailing: dict[str, Any]) -> None:
        self.name = name
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        made = [inspect.Parameter(n, kind) for n in shapes.split()]
        made += [inspect.Parameter(n, kind, default=d) for n, d in trailing.items()]
        self._signature = inspect.Signature(made)
        self._calls: dict[str, Callable[..., Any]] = {}

    def __repr__(self) -> str:
        return f"<distribution {self.name}{self._signature}>"

    def _call(self, method: Callable[..., Any], x: Any, args: Any, kwargs: Any) -> Any:
        name = method.__name__
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(
                f"stats.{self.name}.{name.strip('_')}: {error}{where_am_i()}. Its parameters are "
                f"{', '.join(self._signature.parameters)}."
            ) from None
        bound.apply_defaults()
        if name not in self._calls:
            self._calls[name] = typed(functools.partial(self._promoted, name, method), ANY_NUMBER)
        with np.errstate(all="ignore"):  # of what is not selected
            return self._calls[name](x, *bound.args)

    def _promoted(self, name: str, method: Callable[..., Any], *xs: Any) -> Any:
        call = f"stats.{self.name}.{name.strip('_')}"
        values = promote_inexact(call, *[as_value(x, call) for x in xs])
        common_shape(call, *[typeof(x) for x in values])
        return method(*values)


class Continuous(_Distribution):
    """A distribution with a density.

    Args:
        name: SciPy's.
        shapes: names of the parameters beside location and scale.
        logpdf: of the standard form, ``(y, *shapes)``, inside the support.
        support: bounds of the standard form, from the shapes.
        valid: whether the shapes make sense; by default positive ones do.
        cdf, sf, logcdf, logsf: of the standard form, inside the support.
        ppf, isf: quantiles of the standard form, for probabilities inside (0, 1).

    Example:
        >>> from fxla.scipy import stats
        >>> stats.norm.cdf([-1.0, 0.0, 4.0], loc=2.0, scale=2.0).round(4)
        array([0.0668, 0.1587, 0.8413])
    """

    def __init__(
        self,
        name: str,
        shapes: str = "",
        *,
        logpdf: Form,
        support: Callable[..., Bounds] = everywhere,
        valid: Callable[..., Any] = _all_positive,
        cdf: Form | None = None,
        sf: Form | None = None,
        logcdf: Form | None = None,
        logsf: Form | None = None,
        ppf: Form | None = None,
        isf: Form | None = None,
    ) -> None:
        super().__init__(name, shapes, {"loc": 0, "scale": 1})
        self._forms = {"logpdf": logpdf, "cdf": cdf, "sf": sf, "logcdf": logcdf, "logsf": logsf,
                       "ppf": ppf, "isf": isf}  # fmt: skip
        self._support = support
        self._valid = valid

    # Public: x first, then shapes, location and scale by position or name.

    def logpdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Logarithm of the density at x."""
        return self._call(self._logpdf, x, args, kwargs)

    def pdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Density at x."""
        return self._call(self._pdf, x, args, kwargs)

    def cdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Probability of at most x."""
        return self._call(self._cdf, x, args, kwargs)

    def sf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Probability of more than x."""
        return self._call(self._sf, x, args, kwargs)

    def logcdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Logarithm of `cdf`."""
        return self._call(self._logcdf, x, args, kwargs)

    def logsf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Logarithm of `sf`."""
        return self._call(self._logsf, x, args, kwargs)

    def ppf(self, q: Any, *args: Any, **kwargs: Any) -> Any:
        """The x with `cdf` q."""
        return self._call(self._ppf, q, args, kwargs)

    def isf(self, q: Any, *args: Any, **kwargs: Any) -> Any:
        """The x with `sf` q."""
        return self._call(self._isf, q, args, kwargs)

    def _standard(
        self, form: Form, x: Value, args: Any, below: float, above: float, closed: bool = False
    ) -> Any:
        """``form`` inside the support; `below` and `above` outside, NaN where nothing is valid.

        The bounds belong to the inside if `closed`.
        """
        *shapes, loc, scale = args
        low, high = self._support(*shapes)
        valid = fnp.greater(scale, 0) & self._valid(*shapes) & ~fnp.isnan(x)
        scale = fnp.where(fnp.greater(scale, 0), scale, 1)
        y = (x - loc) / scale
        outside_low: Any = False
        outside_high: Any = False
        if not (isinstance(low, float) and low == -fnp.inf):
            outside_low = fnp.less(y, low) if closed else fnp.less_equal(y, low)
        elif not closed:
            outside_low = fnp.equal(y, -fnp.inf)
        if high is not fnp.inf:
            outside_high = fnp.greater(y, high) if closed else fnp.greater_equal(y, high)
        else:
            outside_high = fnp.equal(y, fnp.inf)
        if closed:
            outside_low = outside_low | fnp.equal(y, -fnp.inf)
        inside = ~(outside_low | outside_high)
        inner = fnp.where(inside & ~fnp.isnan(y), y, _within(low, high))
        value = form(inner, *shapes)
        value = fnp.where(outside_low, below, fnp.where(outside_high, above, value))
        return fnp.where(valid, value, fnp.nan).astype(y.dtype)

    def _logpdf(self, x: Value, *args: Value) -> Any:
        out = self._standard(self._forms["logpdf"] or _missing, x, args, -fnp.inf, -fnp.inf, True)
        return out - fnp.log(args[-1])

    def _pdf(self, x: Value, *args: Value) -> Any:
        return fnp.exp(self._logpdf(x, *args))

    def _form(self, name: str) -> Form:
        found = self._forms[name]
        if found is None:
            raise NotImplementedError(f"stats.{self.name} has no {name}{where_am_i()}")
        return found

    def _cdf(self, x: Value, *args: Value) -> Any:
        if self._forms["cdf"] is None and self._forms["sf"] is not None:
            return 1 - self._sf(x, *args)
        return self._standard(self._form("cdf"), x, args, 0.0, 1.0)

    def _sf(self, x: Value, *args: Value) -> Any:
        if self._forms["sf"] is None:
            return 1 - self._cdf(x, *args)
        return self._standard(self._form("sf"), x, args, 1.0, 0.0)

    def _logcdf(self, x: Value, *args: Value) -> Any:
        if self._forms["logcdf"] is None:
            return _log(self._cdf(x, *args), self._sf(x, *args))
        return self._standard(self._form("logcdf"), x, args, -fnp.inf, 0.0)

    def _logsf(self, x: Value, *args: Value) -> Any:
        if self._forms["logsf"] is None:
            return _log(self._sf(x, *args), self._cdf(x, *args))
        return self._standard(self._form("logsf"), x, args, 0.0, -fnp.inf)

    def _quantile(self, form: Form, q: Value, args: Any, upper: bool) -> Any:
        *shapes, loc, scale = args
        low, high = self._support(*shapes)
        inside = fnp.greater(q, 0) & fnp.less(q, 1)
        y = form(fnp.where(inside, q, 0.5), *shapes)
        first, last = (high, low) if upper else (low, high)
        y = fnp.where(fnp.equal(q, 0), first, fnp.where(fnp.equal(q, 1), last, y))
        known = fnp.greater_equal(q, 0) & fnp.less_equal(q, 1) & fnp.greater(scale, 0)
        out = y * scale + loc
        return fnp.where(known & self._valid(*shapes), out, fnp.nan).astype(q.dtype)

    def _ppf(self, q: Value, *args: Value) -> Any:
        return self._quantile(self._form("ppf"), q, args, False)

    def _isf(self, q: Value, *args: Value) -> Any:
        if self._forms["isf"] is None:
            return self._ppf(1 - q, *args)
        return self._quantile(self._form("isf"), q, args, True)


class Discrete(_Distribution):
    """A distribution on whole numbers.

    Args:
        name: SciPy's.
        shapes: names of the parameters beside the location.
        logpmf: ``(k, *shapes)``, inside the support.
        support: smallest and largest number, from the shapes.
        valid: whether the shapes make sense.
        cdf, sf: of whole numbers inside the support.
        ppf: the quantile.

    Example:
        >>> from fxla.scipy import stats
        >>> stats.poisson.pmf([0, 1, 2], 1.0).round(4)
        array([0.3679, 0.3679, 0.1839])
    """

    def __init__(
        self,
        name: str,
        shapes: str,
        *,
        logpmf: Form,
        support: Callable[..., Bounds],
        valid: Callable[..., Any],
        cdf: Form | None = None,
        sf: Form | None = None,
        ppf: Form | None = None,
    ) -> None:
        super().__init__(name, shapes, {"loc": 0})
        self._standard_logpmf = logpmf
        self._support = support
        self._valid = valid
        self._standard_cdf = cdf
        self._standard_sf = sf
        self._standard_ppf = ppf

    def logpmf(self, k: Any, *args: Any, **kwargs: Any) -> Any:
        """Logarithm of the probability of k."""
        return self._call(self._logpmf, k, args, kwargs)

    def pmf(self, k: Any, *args: Any, **kwargs: Any) -> Any:
        """Probability of k."""
        return self._call(self._pmf, k, args, kwargs)

    def cdf(self, k: Any, *args: Any, **kwargs: Any) -> Any:
        """Probability of at most k."""
        return self._call(self._cdf, k, args, kwargs)

    def sf(self, k: Any, *args: Any, **kwargs: Any) -> Any:
        """Probability of more than k."""
        return self._call(self._sf, k, args, kwargs)

    def logcdf(self, k: Any, *args: Any, **kwargs: Any) -> Any:
        """Logarithm of `cdf`."""
        return self._call(self._logcdf, k, args, kwargs)

    def logsf(self, k: Any, *args: Any, **kwargs: Any) -> Any:
        """Logarithm of `sf`."""
        return self._call(self._logsf, k, args, kwargs)

    def ppf(self, q: Any, *args: Any, **kwargs: Any) -> Any:
        """The smallest k with `cdf` of at least q."""
        return self._call(self._ppf, q, args, kwargs)

    def _logpmf(self, k: Value, *args: Value) -> Any:
        *shapes, loc = args
        k = k - loc
        low, high = self._support(*shapes)
        inside = fnp.greater_equal(k, low) & fnp.less_equal(k, high) & fnp.equal(fnp.floor(k), k)
        inside = inside & fnp.isfinite(k)
        valid = self._valid(*shapes) & ~fnp.isnan(k)
        value = self._standard_logpmf(fnp.where(inside, k, low), *shapes)
        return fnp.where(valid, fnp.where(inside, value, -fnp.inf), fnp.nan).astype(k.dtype)

    def _pmf(self, k: Value, *args: Value) -> Any:
        return fnp.exp(self._logpmf(k, *args))

    def _cumulative(self, form: Form, k: Value, args: Any, below: float, above: float) -> Any:
        *shapes, loc = args
        k = fnp.floor(k - loc)
        low, high = self._support(*shapes)
        under, over = fnp.less(k, low), fnp.greater_equal(k, high)
        value = form(fnp.where(under | over | fnp.isnan(k), low, k), *shapes)
        value = fnp.where(under, below, fnp.where(over, above, value))
        return fnp.where(self._valid(*shapes) & ~fnp.isnan(k), value, fnp.nan).astype(k.dtype)

    def _cdf(self, k: Value, *args: Value) -> Any:
        return self._cumulative(self._standard_cdf or _missing, k, args, 0.0, 1.0)

    def _sf(self, k: Value, *args: Value) -> Any:
        return self._cumulative(self._standard_sf or _missing, k, args, 1.0, 0.0)

    def _logcdf(self, k: Value, *args: Value) -> Any:
        return _log(self._cdf(k, *args), self._sf(k, *args))

    def _logsf(self, k: Value, *args: Value) -> Any:
        return _log(self._sf(k, *args), self._cdf(k, *args))

    def _ppf(self, q: Value, *args: Value) -> Any:
        *shapes, loc = args
        known = fnp.greater_equal(q, 0) & fnp.less_equal(q, 1) & self._valid(*shapes)
        value = (self._standard_ppf or _missing)(q, *shapes) + loc
        low = self._support(*shapes)[0] - 1 + loc
        value = fnp.where(fnp.equal(q, 0), low, value)
        return fnp.where(known, value, fnp.nan).astype(q.dtype)


def _missing(*xs: Value) -> Any:
    raise NotImplementedError(
        f"this distribution has no closed form of this function{where_am_i()}"
    )


def _log(p: Value, rest: Value) -> Any:
    """Logarithm of ``p = 1 - rest``: of the smaller; -inf at 0, with derivative 0 there."""
    near = fnp.greater(p, 0.5)
    known = fnp.greater(p, 0) & ~near
    by_rest = fnp.log1p(-fnp.where(near, rest, 0.0))
    by_itself = fnp.log(fnp.where(known, p, 1.0))
    none = fnp.where(fnp.isnan(p), fnp.nan, -fnp.inf)
    return fnp.where(near, by_rest, fnp.where(known, by_itself, none)).astype(p.dtype)
