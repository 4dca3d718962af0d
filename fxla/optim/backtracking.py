"""Step sizes made smaller until the objective decreases enough (Armijo)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla import lax
from fxla.optim.linesearch import own_arguments, positive_part, real_dtype, slope_of
from fxla.optim.transformation import GradientTransformationExtraArgs, required
from fxla.optim.tree_math import (
    tree_add_scale,
    tree_cast_like,
    tree_scale,
    tree_zeros_like,
)
from fxla.transforms.autodiff import value_and_grad

__all__ = [
    "BacktrackingLinesearchInfo",
    "ScaleByBacktrackingLinesearchState",
    "scale_by_backtracking_linesearch",
]


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


class _Armijo(NamedTuple):
    """How much decrease is enough, and how step sizes become smaller until there is that much."""

    most_steps: int
    slope_rtol: float
    decrease_factor: float
    atol: float
    rtol: float

    def search(self, first: _Try, value: Any, slope: Any, value_at: Callable[[Any], Any]) -> _Try:
        """The first of ever smaller step sizes where the value is low enough, or the last one."""

        def again(tried: _Try) -> Any:
            short = fnp.logical_not(tried.error <= self.atol)
            return fnp.logical_and(short, tried.count <= self.most_steps)

        def smaller(tried: _Try) -> Any:
            rate = tried.learning_rate * fnp.where(tried.count > 0, self.decrease_factor, 1.0)
            new = value_at(rate)
            error = positive_part(new - (1 + self.rtol) * value - rate * self.slope_rtol * slope)
            return tree_cast_like(_Try(rate, new, error, tried.count + 1), tried)

        return lax.while_loop(again, smaller, first)  # type: ignore[no-any-return]


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
    armijo = _Armijo(max_backtracking_steps, slope_rtol, decrease_factor, atol, rtol)

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

        def value_at(rate: Any) -> Any:
            return value_fn(tree_add_scale(params, rate, updates), **arguments)

        like_state = state.learning_rate
        first = _Try(
            fnp.minimum(increase_factor * like_state, max_learning_rate).astype(like_state.dtype),
            fnp.asarray(value).astype(like_state.dtype),
            fnp.asarray(fnp.inf, like_state.dtype),
            fnp.zeros((), fnp.int32),
        )
        last = armijo.search(first, value, slope, value_at)
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
