"""Ordinary differential equations by Dormand and Prince's method, with the adjoint's derivatives.

The step adapts to the error; results between steps come from the method's own quartic. In reverse
mode another equation is solved backward, with the state computed anew on the way (Chen et al.,
"Neural ordinary differential equations", 2018), so no step is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.control.api import closure_convert
from fxla.control.custom_vjp import custom_vjp
from fxla.core.pytree import tree_flatten, tree_map, tree_unflatten
from fxla.core.trace import Value, typeof, where_am_i
from fxla.transforms.autodiff import vjp

__all__ = ["odeint"]

_TIMES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
_STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
_ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
_MIDDLE = (6025192743 / 30085553152 / 2, 0.0, 51252292925 / 65400821598 / 2,
           -2691868925 / 45128329728 / 2, 187940372067 / 1594534317056 / 2,
           -1776094331 / 19743644256 / 2, 11237099 / 235043384 / 2)  # fmt: skip


def odeint(
    func: Callable[..., Any],
    y0: Any,
    t: Any,
    *args: Any,
    rtol: float = 1.4e-8,
    atol: float = 1.4e-8,
    mxstep: float = fnp.inf,
    hmax: float = fnp.inf,
) -> Any:
    """The solution of ``dy/dt = func(y, t, *args)`` at times t.

    The signature is that of ``jax.experimental.ode.odeint``; SciPy's function has its arguments in
    a tuple. Differentiable in reverse mode by y0, t and args.

    Args:
        func: ``(y, t, *args) -> dy/dt``, of pytrees like y0.
        y0: the state at ``t[0]``, a pytree of arrays.
        t: increasing times.
        args: pytrees of arrays.
        rtol: relative tolerance of a step.
        atol: absolute tolerance of a step.
        mxstep: the most steps between two times.
        hmax: the longest step.

    Returns:
        The states, stacked along a first axis.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import integrate
        >>> integrate.odeint(lambda y, t: -y, 1.0, fnp.array([0.0, 1.0])).round(6)
        array([1.      , 0.367879])
    """
    times = fnp.asarray(t)
    if typeof(times).ndim != 1:
        raise ValueError(f"integrate.odeint: t must be a vector, got {typeof(times)}{where_am_i()}")
    leaves, tree = tree_flatten(y0)
    flats = [fnp.asarray(x) for x in leaves]
    dtype = fnp.result_type(*[typeof(x).dtype for x in flats], fnp.float32)
    shapes = [typeof(x).shape for x in flats]
    state = fnp.concatenate([fnp.reshape(x, (-1,)).astype(dtype) for x in flats])

    def restored(vector: Value) -> Any:
        parts, at = [], 0
        for shape, x in zip(shapes, flats, strict=True):
            n = typeof(x).size
            parts.append(
                fnp.reshape(vector[..., at : at + n], (*typeof(vector).shape[:-1], *shape))
            )
            at += n
        return tree_unflatten(tree, parts)

    def slope(y: Value, at: Value, *given: Any) -> Any:
        out = tree_flatten(func(restored(y), at, *given))[0]
        return fnp.concatenate([fnp.reshape(x, (-1,)).astype(dtype) for x in out])

    times = times.astype(dtype)
    converted, consts = closure_convert(slope, state, times[0], *args)
    options = (float(rtol), float(atol), float(mxstep), float(hmax))
    return restored(_solve(converted, options, state, times, (*args, *consts)))


def _forward(
    func: Callable[..., Any], options: tuple[float, ...], y0: Value, times: Value, args: Any
) -> Any:
    """States ``[time, n]``."""
    rtol, atol, most, longest = options

    def slope(y: Value, t: Value) -> Any:
        return func(y, t, *args)

    first = slope(y0, times[0])
    length = fnp.minimum(_first_step(slope, times[0], y0, first, rtol, atol), longest)

    def advance(carry: Any, target: Value) -> Any:
        def going(state: Any) -> Any:
            k, _, _, t, h, _, _ = state
            return (k < most) & (t < target) & (h > 0)

        def step(state: Any) -> Any:
            k, y, f, t, h, before, quartic = state
            new_y, new_f, error, stages = _stages(slope, y, f, t, h)
            scale = atol + rtol * fnp.maximum(fnp.abs(y), fnp.abs(new_y))
            ratio = fnp.sqrt(fnp.mean(fnp.square(error / scale)))
            good = ratio <= 1
            fitted = _fit(y, new_y, y + h * _weighted(_MIDDLE, stages), h * f, h * new_f)
            following = fnp.minimum(_next_step(h, ratio, good), longest)
            y, f = fnp.where(good, new_y, y), fnp.where(good, new_f, f)
            quartic = fnp.where(good, fitted, quartic)
            before, t = fnp.where(good, t, before), fnp.where(good, t + h, t)
            return k + 1, y, f, t, following, before, quartic

        state = (0.0, *carry)
        _, *carry = lax.while_loop(going, step, state)
        _, _, t, _, before, quartic = carry
        width = fnp.where(t > before, t - before, 1.0)
        x = fnp.where(t > before, (target - before) / width, 0.0)
        return tuple(carry), _at(quartic, x)

    constant = fnp.concatenate([fnp.zeros((4, typeof(y0).shape[0]), y0.dtype), y0[None]])
    carry = (y0, first, times[0], length, times[0], constant)
    _, rest = lax.scan(advance, carry, times[1:])
    return fnp.concatenate([y0[None], rest])


def _weighted(weights: tuple[float, ...], stages: list[Any]) -> Any:
    total: Any = 0.0
    for w, k in zip(weights, stages, strict=False):
        if w:
            total = total + w * k
    return total


def _stages(slope: Callable[..., Any], y: Value, f: Value, t: Value, h: Value) -> Any:
    """New state and slope, the error, and the slopes of all stages."""
    stages = [f]
    at = y
    for c, weights in zip(_TIMES, _STAGES, strict=True):
        at = y + h * _weighted(weights, stages)
        stages.append(slope(at, t + c * h))
    return at, stages[-1], h * _weighted(_ERROR, stages), stages


def _fit(y0: Value, y1: Value, middle: Value, d0: Value, d1: Value) -> Any:
    """The quartic on [0, 1] with these values and slopes, highest power first."""
    a = -2 * d0 + 2 * d1 - 8 * y0 - 8 * y1 + 16 * middle
    b = 5 * d0 - 3 * d1 + 18 * y0 + 14 * y1 - 32 * middle
    c = -4 * d0 + d1 - 11 * y0 - 5 * y1 + 16 * middle
    return fnp.stack([a, b, c, d0, y0])


def _at(quartic: Value, x: Value) -> Any:
    out = quartic[0]
    for k in range(1, 5):
        out = out * x + quartic[k]
    return out


def _next_step(h: Value, ratio: Value, good: Value) -> Any:
    """Longer or shorter by the error, within a factor of 10 up and 5 down."""
    safe = fnp.maximum(ratio, 1e-12)
    factor = fnp.clip(0.9 * safe**-0.2, fnp.where(good, 1.0, 0.2), 10.0)
    factor = fnp.where(fnp.isnan(ratio), 0.2, factor)
    return h * factor


def _first_step(
    slope: Callable[..., Any], t: Value, y: Value, f: Value, rtol: float, atol: float
) -> Any:
    """Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, section II.4."""
    scale = atol + fnp.abs(y) * rtol
    d0, d1 = (fnp.sqrt(fnp.mean(fnp.square(v / scale))) for v in (y, f))
    tiny = (d0 < 1e-5) | (d1 < 1e-5)
    h0 = fnp.where(tiny, 1e-6, 0.01 * d0 / fnp.where(d1 > 0, d1, 1.0))
    ahead = slope(y + h0 * f, t + h0)
    d2 = fnp.sqrt(fnp.mean(fnp.square((ahead - f) / scale))) / h0
    largest = fnp.maximum(d1, d2)
    flat = largest <= 1e-15
    h1 = (0.01 / fnp.where(flat, 1.0, largest)) ** 0.2
    h1 = fnp.where(flat, fnp.maximum(1e-6, h0 * 1e-3), h1)
    return fnp.minimum(100 * h0, h1).astype(y.dtype)


_solve = custom_vjp(_forward, nondiff_argnums=(0, 1))


def _solve_forward(
    func: Callable[..., Any], options: tuple[float, ...], y0: Value, times: Value, args: Any
) -> Any:
    states = _forward(func, options, y0, times, args)
    return states, (states, times, args)


def _solve_backward(
    func: Callable[..., Any], options: tuple[float, ...], kept: Any, cotangent: Value
) -> Any:
    """From the last time to the first: state, its cotangent, and those of the arguments."""
    states, times, args = kept
    leaves, tree = tree_flatten(args)
    floating = [typeof(x).dtype.kind == "f" for x in leaves]
    moving = [x for x, f in zip(leaves, floating, strict=True) if f]
    n = typeof(states).shape[1]
    sizes = [typeof(x).size for x in moving]
    dtype = states.dtype

    def with_moving(given: list[Any]) -> Any:
        rest = iter(given)
        return tree_unflatten(
            tree, [next(rest) if f else x for x, f in zip(leaves, floating, strict=True)]
        )

    def slope(joint: Value, s: Value) -> Any:
        """The equation in reversed time s = -t."""
        y, ct = joint[:n], joint[n : 2 * n]
        out, pull = vjp(lambda y, *given: func(y, -s, *with_moving(list(given))), y, *moving)
        pulled = pull(ct)
        return fnp.concatenate([-out, *[fnp.reshape(p, (-1,)).astype(dtype) for p in pulled]])

    def interval(carry: Any, item: Any) -> Any:
        ct, totals = carry
        y, incoming, late, early = item
        rate = func(y, late, *args)
        by_time = fnp.vdot(incoming, rate)
        joint = fnp.concatenate([y, ct + incoming, totals])
        ends = fnp.stack([-late, -early])
        end = _forward(lambda j, s: slope(j, s), options, joint, ends, ())[1]
        return (end[n : 2 * n], end[2 * n :]), by_time

    start = (fnp.zeros(n, dtype), fnp.zeros(sum(sizes), dtype))
    items = (states[1:], cotangent[1:], times[1:], times[:-1])
    (ct, totals), by_times = lax.scan(interval, start, items, reverse=True)
    ct0 = ct + cotangent[0]
    first = -fnp.vdot(ct, func(states[0], times[0], *args))
    by_time = fnp.concatenate([fnp.reshape(first, (1,)), by_times])
    found, at = [], 0
    for x, size in zip(moving, sizes, strict=True):
        found.append(fnp.reshape(totals[at : at + size], typeof(x).shape).astype(typeof(x).dtype))
        at += size
    rest = iter(found)
    by_args = [
        next(rest) if f else tree_map(fnp.zeros_like, x)
        for x, f in zip(leaves, floating, strict=True)
    ]
    return ct0, by_time, tree_unflatten(tree, by_args)


_solve.defvjp(_solve_forward, _solve_backward)
