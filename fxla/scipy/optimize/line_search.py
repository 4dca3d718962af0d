"""Steps along a direction that satisfy Wolfe's strong conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.tree_util import register_pytree_node_class

__all__ = ["Point", "line_search"]

ValueAndGradient = Callable[[Any], tuple[Any, Any]]


@register_pytree_node_class
@dataclass(frozen=True)
class Point:
    """A point, and the function's value and gradient there."""

    x: Any
    f: Any
    g: Any

    def tree_flatten(self) -> tuple[tuple[Any, ...], None]:
        """Its arrays."""
        return (self.x, self.f, self.g), None

    @classmethod
    def tree_unflatten(cls, _: None, children: Any) -> Point:
        """The point of these arrays."""
        return cls(*children)


def line_search(
    function: ValueAndGradient,
    start: Point,
    direction: Any,
    first: Any,
    *,
    decrease: float = 1e-4,
    curvature: float = 0.9,
    most: int = 30,
) -> tuple[Point, Any, Any]:
    """A point along `direction` with enough less value and slope.

    The step doubles until a bracket is found, which cubic interpolation, kept away from its ends,
    then shrinks (Nocedal and Wright, Numerical Optimization, 2006, section 3.5).

    Args:
        function: gives value and gradient.
        start: where the line begins.
        direction: of descent.
        first: the first step to try.
        decrease: share of the slope that the value must fall by.
        curvature: share of the slope that may be left.
        most: evaluations.

    Returns:
        The point, evaluations, and whether it satisfies the conditions.
    """
    slope = fnp.vdot(start.g, direction)
    infinity = fnp.asarray(fnp.inf, slope.dtype)

    def going(state: Any) -> Any:
        k, done = state[0], state[1]
        return (k < most) & ~done

    def step(state: Any) -> Any:
        k, _, t, _, low, f_low, s_low, high = state
        x = start.x + t * direction
        f, g = function(x)
        s = fnp.vdot(g, direction)
        # the value's rounding error must not count as a rise
        noise = 8 * float(fnp.finfo(f.dtype).eps) * fnp.abs(start.f)
        high_value = ~(f <= start.f + decrease * t * slope + noise) | (
            (low > 0) & (f > f_low + noise)
        )
        flat = fnp.abs(s) <= -curvature * slope
        done = ~high_value & flat
        beyond = high_value | (s > 0)
        guess = _cubic(low, f_low, s_low, t, f, s)
        new_high = fnp.where(beyond, t, high)
        new_low = fnp.where(beyond, low, t)
        width = new_high - new_low
        inside = fnp.clip(guess, new_low + 0.1 * width, new_high - 0.1 * width)
        inside = fnp.where(fnp.isfinite(inside), inside, 0.5 * (new_low + new_high))
        following = fnp.where(fnp.isfinite(new_high), inside, 2 * t)
        f_low, s_low = fnp.where(beyond, f_low, f), fnp.where(beyond, s_low, s)
        return (
            k + 1,
            done,
            fnp.where(done, t, following),
            Point(x, f, g),
            new_low,
            f_low,
            s_low,
            new_high,
        )

    state = (0, fnp.asarray(False), fnp.asarray(first, slope.dtype), start,
             fnp.zeros_like(slope), start.f, slope, infinity)  # fmt: skip
    k, done, _, found, *_ = lax.while_loop(going, step, state)
    better = done | (found.f < start.f)
    old, new = (start.x, start.f, start.g), (found.x, found.f, found.g)
    kept = Point(*[fnp.where(better, b, a) for a, b in zip(old, new, strict=True)])
    return kept, k, better


def _cubic(a: Any, fa: Any, da: Any, b: Any, fb: Any, db: Any) -> Any:
    """The minimum of the cubic with these values and slopes at a and b; may be NaN."""
    d1 = da + db - 3 * (fa - fb) / (a - b)
    square = d1 * d1 - da * db
    root = fnp.sqrt(fnp.where(square > 0, square, 0)) * fnp.sign(b - a)
    out = b - (b - a) * (db + root - d1) / (db - da + 2 * root)
    return fnp.where(square > 0, out, fnp.nan)
