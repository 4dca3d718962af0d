"""Step sizes found by trying them: backtracking, and zooming in on Wolfe's conditions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla import lax
from fxla.core.pytree import tree_flatten, tree_map
from fxla.optim.state import tree_get
from fxla.optim.transformation import GradientTransformationExtraArgs, required
from fxla.optim.tree_math import (
    tree_add_scale,
    tree_cast_like,
    tree_conj,
    tree_scale,
    tree_vdot,
    tree_where,
    tree_zeros_like,
)
from fxla.transforms.autodiff import value_and_grad

__all__ = [
    "BacktrackingLinesearchInfo",
    "ScaleByBacktrackingLinesearchState",
    "ScaleByZoomLinesearchState",
    "ZoomLinesearchInfo",
    "scale_by_backtracking_linesearch",
    "scale_by_zoom_linesearch",
    "value_and_grad_from_state",
]


def real_dtype(params: Any) -> Any:
    """The dtype of step sizes and values: the real one of the first leaf."""
    return fnp.real(fnp.asarray(tree_flatten(params)[0][0])).dtype


def slope_of(updates: Any, grad: Any) -> Any:
    """The derivative of the objective along the updates."""
    return fnp.real(tree_vdot(tree_conj(grad), updates))


def own_arguments(value_fn: Callable[..., Any], extra: dict[str, Any], name: str) -> dict[str, Any]:
    """The keyword arguments of an update, which must be arguments of the objective."""
    unknown = sorted(set(extra) - set(inspect.signature(value_fn).parameters))
    if unknown:
        raise TypeError(
            f"optim.{name}: update was given {unknown}, which value_fn does not take; "
            "it takes value=, grad=, value_fn= and the arguments of value_fn by name"
        )
    return extra


def _positive(error: Any) -> Any:
    """An error as far as it is one; infinite if it is not a number."""
    return fnp.where(fnp.isnan(error), fnp.inf, fnp.maximum(error, 0)).astype(error.dtype)


class BacktrackingLinesearchInfo(NamedTuple):
    """How many steps were tried, and by how much the last one fell short."""

    num_linesearch_steps: Any
    decrease_error: Any


class ScaleByBacktrackingLinesearchState(NamedTuple):
    """The last step size, the value and gradient there (None if not asked for), and how it went."""

    learning_rate: Any
    value: Any
    grad: Any
    info: BacktrackingLinesearchInfo


class _Try(NamedTuple):
    learning_rate: Any
    value: Any
    error: Any
    count: Any


def scale_by_backtracking_linesearch(
    max_backtracking_steps: int,
    slope_rtol: float = 1e-4,
    decrease_factor: float = 0.8,
    increase_factor: float = 1.5,
    max_learning_rate: float = 1.0,
    atol: float = 0.0,
    rtol: float = 0.0,
    store_grad: bool = False,
) -> GradientTransformationExtraArgs:
    """Updates times the first step size, of ever smaller ones, that decreases the objective enough.

    Enough is ``f(x + s u) <= (1 + rtol) f(x) + s slope_rtol <u, grad> + atol`` (Armijo). Its
    update takes ``value=``, ``grad=`` and ``value_fn=``, and the arguments of `value_fn` by name.
    Nocedal, Wright: "Numerical optimization", algorithm 3.1.

    Args:
        max_backtracking_steps: how often the step is made smaller.
        slope_rtol: which part of the decrease that the slope promises is enough.
        decrease_factor: how much smaller.
        increase_factor: how much larger than the last step size the first one tried is.
        max_learning_rate: the largest one tried.
        atol: what the decrease may fall short by.
        rtol: the same, relative to the value.
        store_grad: keep the gradient at the new place, for `value_and_grad_from_state`.

    Example:
        >>> from fxla import optim
        >>> f = lambda x: x**2
        >>> tx = optim.chain(optim.sgd(1.0), scale_by_backtracking_linesearch(20))
        >>> updates, _ = tx.update(4.0, tx.init(2.0), 2.0, value=4.0, grad=4.0, value_fn=f)
        >>> bool(f(2.0 + updates) < 4.0)
        True
    """

    def init(params: Any) -> ScaleByBacktrackingLinesearchState:
        dtype = real_dtype(params)
        infinity = fnp.asarray(fnp.inf, dtype)
        return ScaleByBacktrackingLinesearchState(
            fnp.asarray(1.0, dtype),
            infinity,
            tree_zeros_like(params) if store_grad else None,
            BacktrackingLinesearchInfo(fnp.zeros((), fnp.int32), infinity),
        )

    def update(
        updates: Any,
        state: ScaleByBacktrackingLinesearchState,
        params: Any = None,
        *,
        value: Any,
        grad: Any,
        value_fn: Callable[..., Any],
        **extra_args: Any,
    ) -> tuple[Any, ScaleByBacktrackingLinesearchState]:
        name = "scale_by_backtracking_linesearch"
        params = required(params, f"optim.{name}")
        arguments = own_arguments(value_fn, extra_args, name)
        slope = slope_of(updates, grad)

        def again(tried: _Try) -> Any:
            short = fnp.logical_not(tried.error <= atol)
            return fnp.logical_and(short, tried.count <= max_backtracking_steps)

        def smaller(tried: _Try) -> Any:
            rate = tried.learning_rate * fnp.where(tried.count > 0, decrease_factor, 1.0)
            new = value_fn(tree_add_scale(params, rate, updates), **arguments)
            error = _positive(new - (1 + rtol) * value - rate * slope_rtol * slope)
            return tree_cast_like(_Try(rate, new, error, tried.count + 1), tried)

        like_state = state.learning_rate
        first = _Try(
            fnp.minimum(increase_factor * like_state, max_learning_rate).astype(like_state.dtype),
            fnp.asarray(value).astype(like_state.dtype),
            fnp.asarray(fnp.inf, like_state.dtype),
            fnp.zeros((), fnp.int32),
        )
        last = lax.while_loop(again, smaller, first)
        rate = fnp.where(fnp.isinf(last.error), 0, last.learning_rate)
        scaled = tree_scale(rate, updates)
        gradient = None
        if store_grad:
            _, gradient = value_and_grad(value_fn)(
                tree_add_scale(params, rate, updates), **arguments
            )
        info = BacktrackingLinesearchInfo(last.count, last.error)
        after = ScaleByBacktrackingLinesearchState(rate, last.value, gradient, info)
        return scaled, tree_cast_like(after, state)

    return GradientTransformationExtraArgs(init, update)


class ZoomLinesearchInfo(NamedTuple):
    """How many steps were tried, and by how much the last one missed Wolfe's conditions."""

    num_linesearch_steps: Any
    decrease_error: Any
    curvature_error: Any


class ScaleByZoomLinesearchState(NamedTuple):
    """The last step size, the value and the gradient there, and how it went."""

    learning_rate: Any
    value: Any
    grad: Any
    info: ZoomLinesearchInfo


class Place(NamedTuple):
    """A place on the line: how far, the objective, and its slope along the line."""

    step: Any
    value: Any
    slope: Any


class Safe(NamedTuple):
    """The best place so far where the objective decreases enough; step 0 if there is none."""

    step: Any
    value: Any
    grad: Any


class Zoom(NamedTuple):
    """The search: the place tried last, the interval that holds a good one, what was found."""

    count: Any
    here: Place
    grad: Any
    low: Place
    high: Place
    third: Place
    safe: Safe
    decrease_error: Any
    curvature_error: Any
    interval_found: Any
    done: Any
    failed: Any


class Wolfe(NamedTuple):
    """What the search wants, and the line that it searches."""

    at: Callable[[Any], tuple[Any, Any, Any]]
    start: Place
    tol: float
    slope_rtol: float
    curv_rtol: float
    approx_dec_rtol: float | None

    def errors(self, place: Place) -> tuple[Any, Any]:
        """By how much a place misses a sufficient decrease, and a flatter slope.

        The decrease may be approximate where the value barely changes: Hager, Zhang: "Algorithm
        851: CG_DESCENT" (2006), equation 23.
        """
        change = place.value - self.start.value
        decrease = change - self.slope_rtol * place.step * self.start.slope
        if self.approx_dec_rtol is not None:
            slope = place.slope - (2 * self.slope_rtol - 1.0) * self.start.slope
            bound = change - self.approx_dec_rtol * fnp.abs(self.start.value)
            decrease = fnp.minimum(fnp.maximum(slope, bound), decrease)
        curvature = fnp.abs(place.slope) - self.curv_rtol * fnp.abs(self.start.slope)
        return _positive(decrease), _positive(curvature)


def _search_interval(
    zoom: Zoom, wolfe: Wolfe, guess: Any, factor: float, most: Any, limit: int
) -> Zoom:
    """Try ever larger steps until two of them hold a good one between them (algorithm 3.5)."""
    before = zoom.here
    step = fnp.where(zoom.count == 0, guess, factor * before.step).astype(before.step.dtype)
    at_most = fnp.asarray(False)
    if most is not None:
        at_most, step = step >= most, fnp.minimum(step, most).astype(step.dtype)
    value, slope, grad = wolfe.at(step)
    here = Place(step, value, slope)
    decrease, curvature = wolfe.errors(here)
    error = fnp.maximum(decrease, curvature)
    safe = tree_where(decrease <= wolfe.tol, Safe(step, value, grad), zoom.safe)
    high_here = (decrease > 0) | ((value >= before.value) & (zoom.count > 0))
    low_here = (slope >= 0) & ~high_here
    low = tree_where(low_here, here, before)
    high = tree_where(low_here, before, here)
    found = high_here | low_here | (error <= wolfe.tol)
    done = (error <= wolfe.tol) | (at_most & ~found)
    failed = (zoom.count + 1 >= limit) & ~done
    return Zoom(
        zoom.count + 1, here, grad, low, high, low, safe, decrease, curvature, found, done, failed
    )


def _cubic_minimum(a: Place, b: Place, c: Place) -> Any:
    """Where the cubic through a, with its slope, b and c is least."""
    db, dc = b.step - a.step, c.step - a.step
    over = (db * dc) ** 2 * (db - dc)
    rb, rc = b.value - a.value - a.slope * db, c.value - a.value - a.slope * dc
    cubic = (dc**2 * rb - db**2 * rc) / over
    square = (db**3 * rc - dc**3 * rb) / over
    return a.step + (-square + fnp.sqrt(square * square - 3 * cubic * a.slope)) / (3 * cubic)


def _square_minimum(a: Place, b: Place) -> Any:
    """Where the parabola through a, with its slope, and b is least."""
    db = b.step - a.step
    return a.step - a.slope / (2 * (b.value - a.value - a.slope * db) / db**2)


def _zoom_in(zoom: Zoom, wolfe: Wolfe, smallest: float, limit: int) -> Zoom:
    """Try a place within the interval, and keep the part that holds a good one (algorithm 3.6)."""
    low, high, third = zoom.low, zoom.high, zoom.third
    length = fnp.abs(high.step - low.step)
    left, right = fnp.minimum(high.step, low.step), fnp.maximum(high.step, low.step)
    cubic, square = _cubic_minimum(low, high, third), _square_minimum(low, high)

    def inside(x: Any, margin: float) -> Any:
        return (x > left + margin * length) & (x < right - margin * length)

    step = fnp.where(inside(square, 0.1), square, (low.step + high.step) / 2)
    step = fnp.where(inside(cubic, 0.2), cubic, step).astype(low.step.dtype)
    value, slope, grad = wolfe.at(step)
    here = Place(step, value, slope)
    decrease, curvature = wolfe.errors(here)
    better = (decrease <= wolfe.tol) & (value < zoom.safe.value)
    safe = tree_where(better, Safe(step, value, grad), zoom.safe)
    done = fnp.maximum(decrease, curvature) <= wolfe.tol
    high_here = (decrease > 0) | (value >= low.value)
    high_low = (slope * (high.step - low.step) >= 0) & ~high_here
    gone = tree_where(high_here | high_low, high, low)
    high = tree_where(high_low, low, tree_where(high_here, here, high))
    low = tree_where(high_here, low, here)
    stuck = (zoom.count + 1 >= limit) | ((length <= smallest) & (safe.step > 0))
    return Zoom(
        zoom.count + 1, here, grad, low, high, gone, safe,
        decrease, curvature, zoom.interval_found, done, stuck & ~done,
    )  # fmt: skip


def scale_by_zoom_linesearch(
    max_linesearch_steps: int,
    max_learning_rate: float | None = None,
    tol: float = 0.0,
    increase_factor: float = 2.0,
    slope_rtol: float = 1e-4,
    curv_rtol: float = 0.9,
    approx_dec_rtol: float | None = 1e-6,
    stepsize_precision: float = 1e-5,
    initial_guess_strategy: str = "keep",
) -> GradientTransformationExtraArgs:
    """Updates times a step size that satisfies Wolfe's strong conditions.

    Its update takes ``value=``, ``grad=`` and ``value_fn=``, and the arguments of `value_fn` by
    name. Nocedal, Wright: "Numerical optimization", algorithms 3.5 and 3.6.

    Args:
        max_linesearch_steps: how many step sizes are tried.
        max_learning_rate: the largest one, if there is one.
        tol: what the conditions may be missed by.
        increase_factor: how much larger the next step is while no interval is found.
        slope_rtol: which part of the decrease that the slope promises is enough.
        curv_rtol: which part of the slope may be left.
        approx_dec_rtol: how precise values are, for the approximate condition; None for none.
        stepsize_precision: intervals that are shorter end the search.
        initial_guess_strategy: ``"one"`` begins with 1, ``"keep"`` with the last step size.

    Raises:
        ValueError: for another strategy.

    Example:
        >>> from fxla import optim
        >>> f = lambda x: x**2
        >>> tx = optim.chain(optim.sgd(1.0), scale_by_zoom_linesearch(20))
        >>> tx.update(4.0, tx.init(2.0), 2.0, value=4.0, grad=4.0, value_fn=f)[0]
        Array(-2.)
    """
    if initial_guess_strategy not in ("one", "keep"):
        raise ValueError(
            "optim.scale_by_zoom_linesearch: initial_guess_strategy must be 'one' or 'keep', "
            f"not {initial_guess_strategy!r}"
        )

    def init(params: Any) -> ScaleByZoomLinesearchState:
        dtype = real_dtype(params)
        infinity = fnp.asarray(fnp.inf, dtype)
        return ScaleByZoomLinesearchState(
            fnp.asarray(1.0, dtype),
            infinity,
            tree_zeros_like(params),
            ZoomLinesearchInfo(fnp.zeros((), fnp.int32), infinity, infinity),
        )

    def update(
        updates: Any,
        state: ScaleByZoomLinesearchState,
        params: Any = None,
        *,
        value: Any,
        grad: Any,
        value_fn: Callable[..., Any],
        **extra_args: Any,
    ) -> tuple[Any, ScaleByZoomLinesearchState]:
        params = required(params, "optim.scale_by_zoom_linesearch")
        arguments = own_arguments(value_fn, extra_args, "scale_by_zoom_linesearch")
        dtype = state.learning_rate.dtype
        value_and_gradient = value_and_grad(value_fn)
        grad = tree_cast_like(grad, state.grad)

        def at(step: Any) -> tuple[Any, Any, Any]:
            there, gradient = value_and_gradient(tree_add_scale(params, step, updates), **arguments)
            slope = slope_of(updates, gradient)
            gradient = tree_cast_like(gradient, state.grad)
            return fnp.asarray(there).astype(dtype), slope.astype(dtype), gradient

        zero, infinity = fnp.zeros((), dtype), fnp.asarray(fnp.inf, dtype)
        slope = fnp.asarray(slope_of(updates, grad)).astype(dtype)
        start = Place(zero, fnp.asarray(value).astype(dtype), slope)
        wolfe = Wolfe(at, start, tol, slope_rtol, curv_rtol, approx_dec_rtol)
        no = fnp.asarray(False)
        guess = 1.0 if initial_guess_strategy == "one" else state.learning_rate
        first = Zoom(
            fnp.zeros((), fnp.int32), start, grad, start, start, start,
            Safe(zero, start.value, grad), infinity, infinity, no, no, no,
        )  # fmt: skip

        def step(zoom: Zoom) -> Any:
            following = lax.cond(
                zoom.interval_found,
                lambda z: tree_cast_like(
                    _zoom_in(z, wolfe, stepsize_precision, max_linesearch_steps), z
                ),
                lambda z: tree_cast_like(
                    _search_interval(
                        z, wolfe, guess, increase_factor, max_learning_rate, max_linesearch_steps
                    ),
                    z,
                ),
                zoom,
            )
            # Having failed, it goes to the best place that is safe, or stays if nothing is finite.
            safe = following.safe
            back = following.failed & ((safe.step > 0) | fnp.isinf(following.decrease_error))
            here = following.here
            return following._replace(
                here=here._replace(
                    step=fnp.where(back, safe.step, here.step),
                    value=fnp.where(back, safe.value, here.value),
                ),
                grad=tree_where(back, safe.grad, following.grad),
            )

        last = lax.while_loop(lambda z: fnp.logical_not(z.done | z.failed), step, first)
        info = ZoomLinesearchInfo(last.count, last.decrease_error, last.curvature_error)
        after = ScaleByZoomLinesearchState(last.here.step, last.here.value, last.grad, info)
        return tree_scale(last.here.step, updates), tree_cast_like(after, state)

    return GradientTransformationExtraArgs(init, update)


def value_and_grad_from_state(value_fn: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """``value_and_grad`` that takes both from the state of a line search, if it has been there.

    Args:
        value_fn: the objective.

    Returns:
        A function of the parameters, further arguments of the objective, and ``state=``.

    Raises:
        ValueError: by that function, if the state keeps no value or no gradient.

    Example:
        >>> from fxla import optim
        >>> f = lambda x: x**2
        >>> value_and_grad_from_state(f)(3.0, state=optim.lbfgs().init(3.0))
        (Array(9.), Array(6.))
    """

    def from_state(params: Any, *args: Any, state: Any, **kwargs: Any) -> Any:
        value, grad = tree_get(state, "value"), tree_get(state, "grad")
        if value is None or grad is None:
            raise ValueError(
                "optim.value_and_grad_from_state: the state keeps no value and gradient; chain a "
                "line search that does, e.g. scale_by_backtracking_linesearch(store_grad=True)"
            )

        def anew(params: Any) -> Any:
            made = value_and_grad(value_fn)(params, *args, **kwargs)
            return tree_cast_like(made, (value, grad))

        return lax.cond(
            fnp.isfinite(value), lambda _: (value, grad), anew, tree_map(fnp.asarray, params)
        )

    return from_state
