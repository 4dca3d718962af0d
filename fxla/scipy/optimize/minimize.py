"""Minima by BFGS and L-BFGS, compiled as loops, with implicit derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla import lax
from fxla.control.api import closure_convert
from fxla.control.custom_jvp import custom_jvp
from fxla.core.pytree import tree_map
from fxla.core.trace import Value, typeof, where_am_i
from fxla.lax.implicit import zero_tangent
from fxla.numpy.operands import as_value, promote_inexact
from fxla.scipy.optimize.line_search import Point, line_search
from fxla.scipy.sparse.linalg import cg
from fxla.transforms.autodiff import grad, linearize, value_and_grad
from fxla.transforms.jvp import jvp
from fxla.transforms.vmap import vmap

__all__ = ["OptimizeResults", "minimize"]

_DENSE = 256
"""Up to so many unknowns the system for derivatives is solved with a dense matrix."""


class OptimizeResults(NamedTuple):
    """What an optimisation found.

    Attributes:
        x: the minimum.
        success: whether the gradient is as small as was asked.
        status: 0 if so, 1 if it took too many steps, 3 if no step went down any more.
        fun: the value at x.
        jac: the gradient at x.
        hess_inv: an estimate of the inverse of the Hessian, None with L-BFGS.
        nfev, njev: evaluations of the function and of its gradient.
        nit: steps.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import optimize
        >>> bool(optimize.minimize(lambda x: fnp.sum(x**2), fnp.ones(1)).success)
        True
    """

    x: Any
    success: Any
    status: Any
    fun: Any
    jac: Any
    hess_inv: Any
    nfev: Any
    njev: Any
    nit: Any


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    args: tuple[Any, ...] = (),
    *,
    method: str = "BFGS",
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> OptimizeResults:
    """A local minimum of a smooth function of a vector. See `scipy.optimize.minimize`.

    Gradients are fxla's. Derivatives of the result, by `args` and by what `fun` closes over, are
    those of the implicit function: the gradient stays zero. They do not go through the steps.

    Args:
        fun: ``(x, *args) -> number``.
        x0: where to start, a vector.
        args: passed to `fun`.
        method: ``"BFGS"`` or ``"L-BFGS"`` (``"L-BFGS-B"`` without bounds is the same).
        tol: norm of the gradient to reach.
        options: ``gtol``, ``norm`` (inf or 2), ``maxiter``, and with L-BFGS ``maxcor``.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import optimize
        >>> found = optimize.minimize(lambda x: fnp.sum((x - 3.0) ** 2), fnp.zeros(2))
        >>> found.x.round(6).tolist(), bool(found.success)
        ([3.0, 3.0], True)
    """
    call = "optimize.minimize"
    kinds = {"bfgs": False, "l-bfgs": True, "l-bfgs-b": True,
             "l-bfgs-experimental-do-not-rely-on-this": True}  # fmt: skip
    if method.lower() not in kinds:
        raise ValueError(f"{call}: unknown method {method!r}; BFGS or L-BFGS{where_am_i()}")
    (start,) = promote_inexact(call, as_value(x0, call))
    if typeof(start).ndim != 1:
        raise ValueError(f"{call}: x0 must be a vector, got {typeof(start)}{where_am_i()}")
    if not isinstance(args, tuple):
        raise TypeError(f"{call}: args must be a tuple, got {args!r}{where_am_i()}")
    given = dict(options or {})
    limited = kinds[method.lower()]
    settings = _Settings(
        gtol=given.pop("gtol", 1e-5 if tol is None else tol),
        order=given.pop("norm", fnp.inf),
        steps=given.pop("maxiter", None) or 200 * typeof(start).size,
        memory=min(given.pop("maxcor", 10), typeof(start).size * 2) if limited else 0,
    )
    if given:
        raise TypeError(f"{call}: unknown options {sorted(given)}{where_am_i()}")

    def objective(x: Value) -> Any:
        return fun(x, *args)

    x, rest = _minimum(objective, start, settings)
    success, status, jac, inverse, evaluations, steps = rest
    return OptimizeResults(
        x, success, status, objective(x), jac, inverse, evaluations, evaluations, steps
    )


def _minimum(objective: Callable[[Any], Any], start: Value, settings: _Settings) -> Any:
    """The minimum and what is known of it, the minimum with its implicit derivatives."""
    converted, consts = closure_convert(objective, start)

    @custom_jvp
    def found(guess: Value, *params: Value) -> Any:
        return _descend(lambda x: converted(x, *params), guess, settings)

    @found.defjvp
    def found_jvp(primals: Any, tangents: Any) -> Any:
        """The gradient stays 0: the Hessian times dx is minus its change by the parameters."""
        guess, *params = primals
        x, rest = found(guess, *params)
        none = tree_map(zero_tangent, rest)
        if not params:
            return (x, rest), (fnp.zeros_like(x), none)
        slope = grad(converted)
        _, moved = jvp(lambda *ps: slope(x, *ps), tuple(params), tuple(tangents[1:]))
        _, product = linearize(lambda v: slope(v, *params), x)
        return (x, rest), (-_solve_hessian(product, moved), none)

    return found(start, *consts)


class _Settings(NamedTuple):
    gtol: Any
    order: Any
    steps: int
    memory: int


def _solve_hessian(product: Callable[[Any], Any], y: Value) -> Any:
    """Solve with the Hessian, given as its product with vectors."""
    n = typeof(y).shape[0]
    if n > _DENSE:
        return cg(product, y, tol=1e-10)[0]
    hessian = vmap(product)(fnp.eye(n, dtype=typeof(y).dtype))
    return fnp.linalg.solve(hessian, y)


def _descend(objective: Callable[[Any], Any], guess: Value, settings: _Settings) -> Any:
    """Quasi-Newton steps until the gradient is small."""
    function = value_and_grad(objective)
    n, dtype = typeof(guess).shape[0], typeof(guess).dtype
    memory = settings.memory
    f, g = function(guess)
    # the inverse of the Hessian: a matrix, or differences of the last points and gradients
    known = fnp.eye(n, dtype=dtype) if not memory else _Differences.empty(memory, n, dtype)

    def small(g: Value) -> Any:
        return fnp.linalg.norm(g, ord=settings.order) <= settings.gtol

    def going(state: Any) -> Any:
        point, _, _, steps, stuck = state
        return (steps < settings.steps) & ~small(point.g) & ~stuck

    def step(state: Any) -> Any:
        point, known, evaluations, steps, _ = state
        direction = -known.times(point.g) if memory else -(known @ point.g)
        downhill = fnp.vdot(direction, point.g) < 0
        direction = fnp.where(downhill, direction, -point.g)
        # the first step has no scale but that of the gradient
        length = 1 / fnp.maximum(1.0, fnp.linalg.norm(point.g))
        first = fnp.where((steps == 0) | ~downhill, length, 1.0)
        found, count, better = line_search(function, point, direction, first)
        s, y = found.x - point.x, found.g - point.g
        curved = fnp.vdot(s, y) > 1e-14 * fnp.vdot(y, y)
        if memory:
            known = known.adding(s, y, curved)
        else:
            known = _updated(known, s, y, curved, steps == 0)
        return found, known, evaluations + count, steps + 1, ~better

    state = (Point(guess, f, g), known, 1, 0, fnp.asarray(False))
    point, known, evaluations, steps, _ = lax.while_loop(going, step, state)
    success = small(point.g)
    status = fnp.where(success, 0, fnp.where(steps < settings.steps, 3, 1))
    inverse = None if memory else known
    return point.x, (success, status, point.g, inverse, evaluations, steps)


def _updated(inverse: Value, s: Value, y: Value, curved: Value, first: Value) -> Any:
    """The BFGS update; before the first the identity takes the scale of the curvature."""
    sy, yy = fnp.vdot(s, y), fnp.vdot(y, y)
    safe = fnp.where(curved, sy, 1.0)
    inverse = inverse * fnp.where(first & curved, sy / fnp.where(yy > 0, yy, 1.0), 1.0)
    rho = 1 / safe
    hy = inverse @ y
    outer = fnp.outer(hy, s)
    change = (1 + rho * fnp.vdot(y, hy)) * rho * fnp.outer(s, s) - rho * (outer + outer.T)
    return fnp.where(curved, inverse + change, inverse)


class _Differences(NamedTuple):
    """The last differences of points and gradients, the newest last; rho is 0 where none is."""

    s: Any
    y: Any
    rho: Any
    scale: Any

    @classmethod
    def empty(cls, memory: int, n: int, dtype: Any) -> _Differences:
        zeros = fnp.zeros((memory, n), dtype)
        return cls(zeros, zeros, fnp.zeros(memory, dtype), fnp.ones((), dtype))

    def adding(self, s: Value, y: Value, curved: Value) -> _Differences:
        sy, yy = fnp.vdot(s, y), fnp.vdot(y, y)
        rho = 1 / fnp.where(curved, sy, 1.0)

        def pushed(old: Value, x: Any) -> Any:
            moved = fnp.concatenate([old[1:], fnp.asarray(x)[None]])
            return fnp.where(curved, moved, old)

        scale = fnp.where(curved, sy / fnp.where(yy > 0, yy, 1.0), self.scale)
        return _Differences(pushed(self.s, s), pushed(self.y, y), pushed(self.rho, rho), scale)

    def times(self, g: Value) -> Any:
        """The product with the estimated inverse: two loops (Nocedal 1980)."""

        def back(q: Value, item: Any) -> Any:
            s, y, rho = item
            alpha = rho * fnp.vdot(s, q)
            return q - alpha * y, alpha

        def forth(r: Value, item: Any) -> Any:
            s, y, rho, alpha = item
            return r + (alpha - rho * fnp.vdot(y, r)) * s, None

        q, alpha = lax.scan(back, g, (self.s, self.y, self.rho), reverse=True)
        r, _ = lax.scan(forth, q * self.scale, (self.s, self.y, self.rho, alpha))
        return r
