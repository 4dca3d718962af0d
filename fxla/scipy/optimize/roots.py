"""Roots of functions of numbers and of vectors, with implicit derivatives.

Derivatives of a root go to the arguments of the function and to what it closes over, by
`fxla.lax.custom_root`; none goes to the start or to the bracket.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla import lax
from fxla.core.trace import Value, typeof, where_am_i
from fxla.numpy.operands import as_value, promote_inexact
from fxla.transforms.autodiff import grad
from fxla.transforms.jacobians import jacfwd
from fxla.transforms.vmap import vmap

__all__ = ["RootResults", "bisect", "brentq", "newton", "root", "root_scalar"]


class RootResults(NamedTuple):
    """What a search for a root found.

    Attributes:
        x: the root.
        success: whether it was found.
        fun: the value at x.
        nit: steps.

    Example:
        >>> from fxla.scipy import optimize
        >>> bool(optimize.root_scalar(lambda x: x - 1.0, x0=3.0).converged)
        True
    """

    x: Any
    success: Any
    fun: Any
    nit: Any

    @property
    def root(self) -> Any:
        """The root."""
        return self.x

    @property
    def converged(self) -> Any:
        """Whether it was found."""
        return self.success


def _scalar_tangent(g: Callable[[Any], Any], y: Value) -> Any:
    return y / g(fnp.ones_like(y))


def _by(
    search: Callable[[Any, Any], Any], f: Callable[..., Any], start: Any, args: tuple[Any, ...]
) -> RootResults:
    """The root that `search` finds, with implicit derivatives."""

    def function(x: Value) -> Any:
        return f(x, *args)

    x, rest = lax.custom_root(function, start, search, _scalar_tangent, has_aux=True)
    success, value, steps = rest
    return RootResults(x, success, value, steps)


def _bracketed(
    call: str,
    f: Callable[..., Any],
    a: Any,
    b: Any,
    args: tuple[Any, ...],
    xtol: float,
    rtol: float | None,
    maxiter: int,
    interpolate: bool,
) -> RootResults:
    low, high = promote_inexact(call, as_value(a, call), as_value(b, call))
    low, high = lax.stop_gradient(low), lax.stop_gradient(high)
    relative = 4 * float(fnp.finfo(typeof(low).dtype).eps) if rtol is None else rtol

    def search(function: Callable[[Any], Any], start: Value) -> Any:
        """Chandrupatla's method: inverse quadratic interpolation where it can be trusted."""
        fa, fb = function(low), function(high)

        def going(state: Any) -> Any:
            k, done = state[0], state[1]
            return (k < maxiter) & ~done

        def step(state: Any) -> Any:
            k, _, x1, f1, x2, f2, _, _, t = state
            x = x1 + t * (x2 - x1)
            f0 = function(x)
            same = fnp.equal(fnp.sign(f0), fnp.sign(f1))
            # x3: the point that leaves the bracket
            x3, f3 = fnp.where(same, x1, x2), fnp.where(same, f1, f2)
            x2, f2 = fnp.where(same, x2, x1), fnp.where(same, f2, f1)
            x1, f1 = x, f0
            closer = fnp.abs(f1) < fnp.abs(f2)
            best = fnp.where(closer, x1, x2)
            tolerance = xtol + relative * fnp.abs(best)
            width = fnp.abs(x2 - x1)
            limit = 0.5 * tolerance / fnp.where(width > 0, width, 1)
            done = (limit > 0.5) | (f1 == 0) | (f2 == 0)
            t = fnp.asarray(0.5, t.dtype)
            if interpolate:
                t = fnp.clip(_quadratic(x1, f1, x2, f2, x3, f3), limit, 1 - limit)
            return k + 1, done, x1, f1, x2, f2, x3, f3, t

        opposite = fnp.sign(fa) * fnp.sign(fb) <= 0
        exact = (fa == 0) | (fb == 0)
        begin = (0, exact | ~opposite, high, fb, low, fa, low, fa, fnp.asarray(0.5, low.dtype))
        k, done, x1, f1, x2, f2, *_ = lax.while_loop(going, step, begin)
        first = fnp.abs(f1) < fnp.abs(f2)
        x = fnp.where(first, x1, x2)
        value = fnp.where(first, f1, f2)
        x = fnp.where(opposite, x, fnp.nan)
        return x, (done & opposite, value, k)

    return _by(search, f, 0.5 * (low + high), args)


def _quadratic(x1: Any, f1: Any, x2: Any, f2: Any, x3: Any, f3: Any) -> Any:
    """Where between x1 and x2 the inverse parabola is 0, if it is sure to be; else the middle."""
    xi = (x1 - x2) / fnp.where(x3 == x2, 1, x3 - x2)
    phi = (f1 - f2) / fnp.where(f3 == f2, 1, f3 - f2)
    trusted = (phi * phi < xi) & ((1 - phi) ** 2 < 1 - xi) & (x3 != x2) & (f3 != f2)
    trusted = trusted & (f2 != f1) & (f3 != f1)
    one = fnp.where(trusted, f2 - f1, 1.0)
    two, three = fnp.where(trusted, f3 - f1, 1.0), fnp.where(trusted, f3 - f2, 1.0)
    alpha = (x3 - x1) / fnp.where(x2 == x1, 1, x2 - x1)
    t = alpha * (f1 / two) * (f2 / three) - (f1 / one) * (f3 / three)
    return fnp.where(trusted, t, 0.5)


def brentq(
    f: Callable[..., Any],
    a: Any,
    b: Any,
    args: tuple[Any, ...] = (),
    xtol: float = 2e-12,
    rtol: float | None = None,
    maxiter: int = 100,
    full_output: bool = False,
) -> Any:
    """A root between a and b, where f has opposite signs. See `scipy.optimize.brentq`.

    By Chandrupatla's method, which like Brent's interpolates inside a bracket. NaN if the signs
    are equal, which SciPy calls an error.

    Args:
        f: ``(x, *args) -> number``.
        a: one end of the bracket.
        b: the other end.
        args: passed to `f`.
        xtol: absolute tolerance of x.
        rtol: relative tolerance of x.
        maxiter: the most steps.
        full_output: whether to return the `RootResults` too.

    Example:
        >>> from fxla.scipy import optimize
        >>> optimize.brentq(lambda x: x * x - 2.0, 0.0, 2.0).round(8)
        np.float64(1.41421356)
    """
    found = _bracketed("optimize.brentq", f, a, b, args, xtol, rtol, maxiter, True)
    return (found.x, found) if full_output else found.x


def bisect(
    f: Callable[..., Any],
    a: Any,
    b: Any,
    args: tuple[Any, ...] = (),
    xtol: float = 2e-12,
    rtol: float | None = None,
    maxiter: int = 100,
    full_output: bool = False,
) -> Any:
    """A root between a and b by halving. See `scipy.optimize.bisect` and `brentq`.

    Args:
        f: ``(x, *args) -> number``.
        a: one end of the bracket.
        b: the other end.
        args: passed to `f`.
        xtol: absolute tolerance of x.
        rtol: relative tolerance of x.
        maxiter: the most steps.
        full_output: whether to return the `RootResults` too.

    Example:
        >>> from fxla.scipy import optimize
        >>> optimize.bisect(lambda x: x * x - 2.0, 0.0, 2.0).round(8)
        np.float64(1.41421356)
    """
    found = _bracketed("optimize.bisect", f, a, b, args, xtol, rtol, maxiter, False)
    return (found.x, found) if full_output else found.x


def newton(
    func: Callable[..., Any],
    x0: Any,
    args: tuple[Any, ...] = (),
    tol: float = 1.48e-8,
    maxiter: int = 50,
    full_output: bool = False,
) -> Any:
    """A root by Newton's method, with fxla's derivative. See `scipy.optimize.newton`.

    Args:
        func: ``(x, *args) -> number``.
        x0: where to start.
        args: passed to `func`.
        tol: size of the last step.
        maxiter: the most steps.
        full_output: whether to return the `RootResults` too.

    Example:
        >>> from fxla.scipy import optimize
        >>> optimize.newton(lambda x: x * x - 2.0, 1.0).round(8)
        np.float64(1.41421356)
    """
    (start,) = promote_inexact("optimize.newton", as_value(x0, "optimize.newton"))

    def search(function: Callable[[Any], Any], guess: Value) -> Any:
        def going(state: Any) -> Any:
            _, change, k = state
            return (k < maxiter) & ~(fnp.abs(change) <= tol)

        def step(state: Any) -> Any:
            x, _, k = state
            change = function(x) / grad(function)(x)
            return x - change, change, k + 1

        x, change, k = lax.while_loop(going, step, (guess, guess * 0 + fnp.inf, 0))
        return x, (fnp.abs(change) <= tol, function(x), k)

    found = _by(search, func, start, args)
    return (found.x, found) if full_output else found.x


def root_scalar(
    f: Callable[..., Any],
    args: tuple[Any, ...] = (),
    method: str | None = None,
    bracket: Any = None,
    x0: Any = None,
    xtol: float | None = None,
    rtol: float | None = None,
    maxiter: int | None = None,
) -> RootResults:
    """A root of a function of one number. See `scipy.optimize.root_scalar`.

    Args:
        f: ``(x, *args) -> number``.
        args: passed to `f`.
        method: ``"brentq"``, ``"bisect"`` or ``"newton"``; chosen by what is given otherwise.
        bracket: two numbers at which f has opposite signs.
        x0: where to start.
        xtol: absolute tolerance of x.
        rtol: relative tolerance of x.
        maxiter: the most steps.

    Example:
        >>> from fxla.scipy import optimize
        >>> optimize.root_scalar(lambda x: x * x - 2.0, bracket=(0.0, 2.0)).root.round(8)
        np.float64(1.41421356)
    """
    kind = method or ("brentq" if bracket is not None else "newton")
    if kind in ("brentq", "bisect", "brenth", "ridder", "toms748") and bracket is not None:
        low, high = bracket
        found: RootResults = _bracketed(
            "optimize.root_scalar", f, low, high, args, 2e-12 if xtol is None else xtol, rtol,
            maxiter or 100, kind != "bisect",
        )  # fmt: skip
        return found
    if kind in ("newton", "secant") and x0 is not None:
        tolerance = 1.48e-8 if xtol is None else xtol
        result: RootResults = newton(f, x0, args, tolerance, maxiter or 50, True)[1]
        return result
    raise ValueError(
        f"optimize.root_scalar: method {kind!r} with bracket={bracket!r}, x0={x0!r}{where_am_i()}"
    )


def root(
    fun: Callable[..., Any],
    x0: Any,
    args: tuple[Any, ...] = (),
    method: str = "hybr",
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> RootResults:
    """A root of a function of vectors. See `scipy.optimize.root`.

    Newton's method with fxla's Jacobian, whose steps are halved until the residual falls.

    Args:
        fun: ``(x, *args) -> vector`` as long as x.
        x0: where to start, a vector.
        args: passed to `fun`.
        method: ``"hybr"`` and SciPy's other names are taken; all mean this method.
        tol: norm of the residual, relative to that at the start, or absolute below 1.
        options: ``maxiter``.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import optimize
        >>> optimize.root(lambda x: fnp.cos(x) - x, fnp.zeros(1)).x.round(6)
        array([0.739085])
    """
    call = "optimize.root"
    if method not in ("hybr", "lm", "broyden1", "broyden2", "krylov", "newton"):
        raise ValueError(f"{call}: unknown method {method!r}{where_am_i()}")
    (start,) = promote_inexact(call, as_value(x0, call))
    if typeof(start).ndim != 1:
        raise ValueError(f"{call}: x0 must be a vector, got {typeof(start)}{where_am_i()}")
    steps = int((options or {}).get("maxiter", 100))
    eps = float(fnp.finfo(typeof(start).dtype).eps)
    bound = eps**0.75 if tol is None else tol

    def function(x: Value) -> Any:
        return fun(x, *args)

    def search(f: Callable[[Any], Any], guess: Value) -> Any:
        def norm(r: Value) -> Any:
            return fnp.sqrt(fnp.sum(fnp.square(r)))

        first = f(guess)
        target = bound * fnp.maximum(1.0, norm(first))

        def going(state: Any) -> Any:
            _, r, k, stuck = state
            return (k < steps) & ~(norm(r) <= target) & ~stuck

        def step(state: Any) -> Any:
            x, r, k, _ = state
            change = fnp.linalg.solve(jacfwd(f)(x), r)

            def worse(trial: Any) -> Any:
                t, new = trial
                return (t > 1e-10) & ~(norm(new) < (1 - 1e-4 * t) * norm(r))

            def halve(trial: Any) -> Any:
                t, _ = trial
                return 0.5 * t, f(x - 0.5 * t * change)

            one = fnp.ones((), typeof(x).dtype)
            t, new = lax.while_loop(worse, halve, (one, f(x - change)))
            return x - t * change, new, k + 1, t <= 1e-10

        x, r, k, _ = lax.while_loop(going, step, (guess, first, 0, fnp.asarray(False)))
        return x, (norm(r) <= target, r, k)

    def tangent(g: Callable[[Any], Any], y: Value) -> Any:
        columns = vmap(g)(fnp.eye(typeof(y).shape[0], dtype=typeof(y).dtype))
        return fnp.linalg.solve(columns.T, y)

    x, rest = lax.custom_root(function, start, search, tangent, has_aux=True)
    success, residual, count = rest
    return RootResults(x, success, residual, count)
