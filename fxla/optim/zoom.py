"""Step sizes by zooming in on an interval where Wolfe's conditions hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla import lax
from fxla.core.trace import where_am_i
from fxla.optim.linesearch import own_arguments, positive_part, real_dtype, slope_of
from fxla.optim.transformation import GradientTransformationExtraArgs, required
from fxla.optim.tree_math import (
    tree_add_scale,
    tree_cast_like,
    tree_scale,
    tree_where,
    tree_zeros_like,
)
from fxla.transforms.autodiff import value_and_grad

__all__ = [
    "ScaleByZoomLinesearchState",
    "ZoomLinesearchInfo",
    "scale_by_zoom_linesearch",
]


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
        return positive_part(decrease), positive_part(curvature)


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


class _Search(NamedTuple):
    """The two stages of the search, and what limits them."""

    wolfe: Wolfe
    guess: Any
    increase_factor: float
    most: float | None
    precision: float
    limit: int

    def step(self, zoom: Zoom) -> Zoom:
        """Try one more step size: in the interval, or to find one."""
        following = lax.cond(
            zoom.interval_found,
            lambda z: tree_cast_like(_zoom_in(z, self.wolfe, self.precision, self.limit), z),
            lambda z: tree_cast_like(
                _search_interval(
                    z, self.wolfe, self.guess, self.increase_factor, self.most, self.limit
                ),
                z,
            ),
            zoom,
        )
        # Having failed, it goes to the best place that is safe, or stays if nothing is finite.
        safe, here = following.safe, following.here
        back = following.failed & ((safe.step > 0) | fnp.isinf(following.decrease_error))
        found: Zoom = following._replace(
            here=here._replace(
                step=fnp.where(back, safe.step, here.step),
                value=fnp.where(back, safe.value, here.value),
            ),
            grad=tree_where(back, safe.grad, following.grad),
        )
        return found


def _first_zoom(start: Place, grad: Any) -> Zoom:
    """The search before its first step."""
    infinity, no = fnp.asarray(fnp.inf, start.step.dtype), fnp.asarray(False)
    return Zoom(
        fnp.zeros((), fnp.int32), start, grad, start, start, start,
        Safe(start.step, start.value, grad), infinity, infinity, no, no, no,
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
            "optim.scale_by_zoom_linesearch: initial_guess_strategy must be 'one' or 'keep', not "
            f"{initial_guess_strategy!r}{where_am_i()}"
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

        slope = fnp.asarray(slope_of(updates, grad)).astype(dtype)
        start = Place(fnp.zeros((), dtype), fnp.asarray(value).astype(dtype), slope)
        search = _Search(
            Wolfe(at, start, tol, slope_rtol, curv_rtol, approx_dec_rtol),
            1.0 if initial_guess_strategy == "one" else state.learning_rate,
            increase_factor, max_learning_rate, stepsize_precision, max_linesearch_steps,
        )  # fmt: skip
        first = _first_zoom(start, grad)
        last = lax.while_loop(lambda z: fnp.logical_not(z.done | z.failed), search.step, first)
        info = ZoomLinesearchInfo(last.count, last.decrease_error, last.curvature_error)
        after = ScaleByZoomLinesearchState(last.here.step, last.here.value, last.grad, info)
        return tree_scale(last.here.step, updates), tree_cast_like(after, state)

    return GradientTransformationExtraArgs(init, update)
