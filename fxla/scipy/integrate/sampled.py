"""Integrals of sampled functions, and of functions of one variable."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import fxla.numpy as fnp
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.operands import as_value, normalise_axis, promote_inexact
from fxla.transforms.vmap import vmap

__all__ = ["cumulative_trapezoid", "fixed_quad", "quad", "simpson", "trapezoid"]


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral of samples by the trapezoidal rule. See `scipy.integrate.trapezoid`.

    Args:
        y: samples.
        x: where they are.
        dx: their distance, without x.
        axis: along which to integrate.

    Example:
        >>> from fxla.scipy import integrate
        >>> integrate.trapezoid([0.0, 1.0, 4.0], dx=0.5)
        Array(1.5)
    """
    return fnp.trapezoid(y, x, dx, axis)


def _widths(call: str, x: Any, dx: Any, n: int, like: Value) -> Any:
    """Distances along the last axis, or their one value."""
    if x is None:
        return as_value(dx, call)
    (at,) = promote_inexact(call, as_value(x, call))
    if typeof(at).ndim == 1 and typeof(at).shape[0] != n:
        raise ShapeError(f"{call}: x has {typeof(at).shape[0]} points, y {n}{where_am_i()}")
    return fnp.diff(at, axis=-1)


def cumulative_trapezoid(
    y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1, initial: Any = None
) -> Any:
    """Running integrals by the trapezoidal rule. See `scipy.integrate.cumulative_trapezoid`.

    Args:
        y: samples.
        x: where they are.
        dx: their distance, without x.
        axis: along which to integrate.
        initial: the first value of the result, which is else one shorter.

    Example:
        >>> from fxla.scipy import integrate
        >>> integrate.cumulative_trapezoid([0.0, 1.0, 4.0], initial=0)
        Array([0. , 0.5, 3. ])
    """
    call = "integrate.cumulative_trapezoid"
    (values,) = promote_inexact(call, as_value(y, call))
    at = normalise_axis(axis, typeof(values).ndim, call)
    if x is not None and typeof(as_value(x, call)).ndim > 1:
        x = fnp.moveaxis(as_value(x, call), at, -1)
    values = fnp.moveaxis(values, at, -1)
    width = _widths(call, x, dx, typeof(values).shape[-1], values)
    out = fnp.cumsum(width * (values[..., 1:] + values[..., :-1]) / 2.0, axis=-1)
    if initial is not None:
        first = fnp.full((*typeof(out).shape[:-1], 1), initial, typeof(out).dtype)
        out = fnp.concatenate([first, out], axis=-1)
    return fnp.moveaxis(out, -1, at)


def simpson(y: Any, x: Any = None, *, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral of samples by Simpson's rule. See `scipy.integrate.simpson`.

    With an even number of samples the last interval is integrated by the parabola through the last
    three (Cartwright 2017).

    Args:
        y: samples.
        x: where they are.
        dx: their distance, without x.
        axis: along which to integrate.

    Example:
        >>> from fxla.scipy import integrate
        >>> integrate.simpson([0.0, 1.0, 4.0])
        Array(2.66666667)
    """
    call = "integrate.simpson"
    (values,) = promote_inexact(call, as_value(y, call))
    at = normalise_axis(axis, typeof(values).ndim, call)
    if x is not None and typeof(as_value(x, call)).ndim > 1:
        x = fnp.moveaxis(as_value(x, call), at, -1)
    values = fnp.moveaxis(values, at, -1)
    n = typeof(values).shape[-1]
    width = _widths(call, x, dx, n, values)
    if x is None:
        width = fnp.broadcast_to(width, (max(n - 1, 0),))
    if n < 3:
        return fnp.sum(width * (values[..., 1:] + values[..., :-1]) / 2.0, axis=-1)
    odd = n if n % 2 else n - 1
    h0, h1 = width[..., 0 : odd - 1 : 2], width[..., 1:odd:2][..., : odd // 2]
    y0, y1, y2 = values[..., 0 : odd - 2 : 2], values[..., 1 : odd - 1 : 2], values[..., 2:odd:2]
    ratio = h0 / h1
    whole = h0 + h1
    part = y0 * (2.0 - 1.0 / ratio) + y1 * (whole * whole / (h0 * h1)) + y2 * (2.0 - ratio)
    out = fnp.sum(whole / 6.0 * part, axis=-1)
    if n % 2:
        return out
    a, b = width[..., -1], width[..., -2]
    alpha = (2 * a * a + 3 * a * b) / (6 * (b + a))
    beta = (a * a + 3 * a * b) / (6 * b)
    eta = a**3 / (6 * b * (b + a))
    return out + alpha * values[..., -1] + beta * values[..., -2] - eta * values[..., -3]


# --- functions ------------------------------------------------------------------------------

# Kronrod's 21 nodes on [0, 1] side, their weights, and those of Gauss's 10 among them (QUADPACK).
_NODES = np.array([0.995657163025808080735527280689003, 0.973906528517171720077964012084452,
                   0.930157491355708226001207180059508, 0.865063366688984510732096688423493,
                   0.780817726586416897063717578345042, 0.679409568299024406234327365114874,
                   0.562757134668604683339000099272694, 0.433395394129247190799265943165784,
                   0.294392862701460198131126603103866, 0.14887433898163121088482600112972,
                   0.0])  # fmt: skip
_KRONROD = np.array([0.011694638867371874278064396062192, 0.03255816230796472747881897245938986,
                     0.05475589657435199603138130024458, 0.07503967481091995276704314091619,
                     0.093125454583697605535065465083366, 0.109387158802297641899210590325805,
                     0.123491976262065851077958109585166, 0.134709217311473325928054001771707,
                     0.142775938577060080797094273138717, 0.147739104901338491374841515972068,
                     0.149445554002916905664936468389821])  # fmt: skip
_GAUSS = np.array([0.066671344308688137593568809893332, 0.149451349150580593145863397657697,
                   0.219086362515982043995534934228163, 0.269266719309996355091226921569469,
                   0.295524224714752870173815619188769])  # fmt: skip


def _rule() -> tuple[Any, Any, Any]:
    """Nodes and both weights on [-1, 1]."""
    gauss = np.zeros(11)
    gauss[1::2] = _GAUSS
    nodes = np.concatenate([-_NODES, _NODES[-2::-1]])
    kronrod, gauss = (np.concatenate([w, w[-2::-1]]) for w in (_KRONROD, gauss))
    return nodes, kronrod, gauss


def quad(
    func: Callable[..., Any],
    a: Any,
    b: Any,
    args: tuple[Any, ...] = (),
    *,
    intervals: int = 16,
) -> tuple[Any, Any]:
    """The integral of a function, and an estimate of its error. See `scipy.integrate.quad`.

    Gauss and Kronrod's rule of 21 points on each of a fixed number of equal intervals. It does not
    adapt, so it compiles to one loop and is differentiable by both limits and all arguments.
    Infinite limits are brought to finite ones by ``x = t / (1 - t**2)`` or ``x = a + t / (1 - t)``.

    Args:
        func: ``(x, *args) -> number``, traced for a number.
        a: lower limit.
        b: upper limit; whether limits are infinite must be known.
        args: passed to `func`.
        intervals: how many.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import integrate
        >>> integrate.quad(lambda x: fnp.exp(-x), 0.0, fnp.inf)[0].round(10)
        np.float64(1.0)
    """
    call = "integrate.quad"
    endless = [isinstance(v, float | int) and math.isinf(v) for v in (a, b)]
    low, high = promote_inexact(call, *[as_value(0.0 if e else v, call)
                                        for v, e in zip((a, b), endless, strict=True)])  # fmt: skip
    sign, end, direction = 1.0, low, 1.0
    if all(endless):
        sign = 0.0 if a == b else 1.0 if b > a else -1.0
        low, high = low - 1.0, high + 1.0
    elif any(endless):
        end = low if endless[1] else high
        direction = 1.0 if (b if endless[1] else a) > 0 else -1.0
        sign = direction if endless[1] else -direction
        low, high = fnp.zeros_like(end), fnp.ones_like(end)

    def function(t: Value) -> Any:
        if all(endless):
            return func(t / (1 - t * t), *args) * (1 + t * t) / (1 - t * t) ** 2
        if any(endless):
            return func(end + direction * t / (1 - t), *args) / (1 - t) ** 2
        return func(t, *args)

    nodes, kronrod, gauss = _rule()
    width = (high - low) / intervals
    starts = low + width * fnp.arange(intervals)
    points = starts[:, None] + width * (nodes + 1) / 2
    values = vmap(vmap(function))(points)
    fine = fnp.sum(values * kronrod, axis=-1) * width / 2
    coarse = fnp.sum(values * gauss, axis=-1) * width / 2
    return sign * fnp.sum(fine), fnp.sum(fnp.abs(fine - coarse))


def fixed_quad(
    func: Callable[..., Any], a: Any, b: Any, args: tuple[Any, ...] = (), n: int = 5
) -> tuple[Any, None]:
    """The integral by Gauss's rule of n points. See `scipy.integrate.fixed_quad`.

    Args:
        func: ``(x, *args) -> y``, of arrays of points.
        a: lower limit.
        b: upper limit.
        args: passed to `func`.
        n: points.

    Example:
        >>> from fxla.scipy import integrate
        >>> integrate.fixed_quad(lambda x: x**8, 0.0, 1.0)[0].round(10)
        np.float64(0.1111111111)
    """
    nodes, weights = np.polynomial.legendre.leggauss(n)
    call = "integrate.fixed_quad"
    low, high = promote_inexact(call, as_value(a, call), as_value(b, call))
    half = (high - low) / 2
    return half * fnp.sum(weights * func(half * (nodes + 1) + low, *args), axis=-1), None
