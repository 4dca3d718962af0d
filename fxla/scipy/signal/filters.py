"""Recursive filters as scans, and trends taken out."""

from __future__ import annotations

import itertools
from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.operands import as_value, as_values, normalise_axis, promote_inexact

__all__ = ["detrend", "filtfilt", "lfilter", "lfilter_zi", "sosfilt"]


def _coefficients(call: str, b: Any, a: Any) -> tuple[Value, Value]:
    """Both of one length, divided by the first of a."""
    b, a = promote_inexact(call, *[fnp.atleast_1d(v) for v in as_values(call, b, a)])
    if typeof(b).ndim != 1 or typeof(a).ndim != 1:
        raise ShapeError(f"{call}: b {typeof(b)} and a {typeof(a)} must be vectors{where_am_i()}")
    n = max(typeof(b).shape[0], typeof(a).shape[0])
    b, a = (fnp.pad(v, (0, n - typeof(v).shape[0])) for v in (b, a))
    return b / a[0], a / a[0]


def lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """A rational filter along an axis. See `scipy.signal.lfilter`.

    A scan over the axis (direct form II transposed); a filter without recursion is a convolution.

    Args:
        b: numerator coefficients.
        a: denominator coefficients.
        x: what to filter.
        axis: along which.
        zi: the state before the first sample; given, the state after the last is returned too.

    Example:
        >>> from fxla.scipy import signal
        >>> signal.lfilter([1.0], [1.0, -0.5], [1.0, 0.0, 0.0])
        Array([1.  , 0.5 , 0.25])
    """
    call = "signal.lfilter"
    b, a = _coefficients(call, b, a)
    b, a, values = promote_inexact(call, b, a, as_value(x, call))
    at = normalise_axis(axis, typeof(values).ndim, call)
    values = fnp.moveaxis(values, at, 0)
    order = typeof(b).shape[0] - 1
    lead = typeof(values).shape[1:]
    if zi is None:
        state = fnp.zeros((order, *lead), typeof(values).dtype)
    else:
        (given,) = promote_inexact(call, as_value(zi, call))
        given = fnp.moveaxis(given, at if typeof(given).ndim > 1 else 0, 0)
        shaped = fnp.reshape(
            given, (*typeof(given).shape, *[1] * (len(lead) + 1 - typeof(given).ndim))
        )
        state = fnp.broadcast_to(shaped, (order, *lead)).astype(typeof(values).dtype)
    out, state = _filtered(b, a, values, state)
    out = fnp.moveaxis(out, 0, at)
    return out if zi is None else (out, fnp.moveaxis(state, 0, at))


def _filtered(b: Value, a: Value, values: Value, state: Value) -> tuple[Any, Any]:
    """Along the first axis."""
    order = typeof(b).shape[0] - 1
    if order == 0:
        return b[0] * values, state
    spread = (order, *[1] * (typeof(values).ndim - 1))
    taps, feedback = fnp.reshape(b[1:], spread), fnp.reshape(a[1:], spread)

    def step(z: Value, x: Value) -> tuple[Value, Value]:
        y = b[0] * x + z[0]
        moved = fnp.concatenate([z[1:], fnp.zeros_like(z[:1])])
        return moved + taps * x - feedback * y, y

    state, out = lax.scan(step, state, values)
    return out, state


def lfilter_zi(b: Any, a: Any) -> Any:
    """The state of `lfilter` after a long constant input of 1. See `scipy.signal.lfilter_zi`.

    Args:
        b: numerator coefficients.
        a: denominator coefficients.

    Example:
        >>> from fxla.scipy import signal
        >>> signal.lfilter_zi([1.0], [1.0, -0.5])
        Array([1.])
    """
    b, a = _coefficients("signal.lfilter_zi", b, a)
    n = typeof(b).shape[0]
    companion = fnp.concatenate([-a[1:][None], fnp.eye(n - 2, n - 1, dtype=typeof(a).dtype)])
    system = fnp.eye(n - 1, dtype=typeof(a).dtype) - companion.T
    return fnp.linalg.solve(system, b[1:] - a[1:] * b[0])


def filtfilt(
    b: Any, a: Any, x: Any, axis: int = -1, padtype: str | None = "odd", padlen: int | None = None
) -> Any:
    """A filter applied forward and backward. See `scipy.signal.filtfilt`.

    Args:
        b: numerator coefficients.
        a: denominator coefficients.
        x: what to filter.
        axis: along which.
        padtype: how x goes on at its ends: ``"odd"``, ``"even"``, ``"constant"`` or None.
        padlen: by how many samples; by default three times the number of coefficients.

    Example:
        >>> from fxla.scipy import signal
        >>> signal.filtfilt([0.5, 0.5], [1.0], [1.0, 1.0, 1.0, 1.0], padlen=2)
        Array([1., 1., 1., 1.])
    """
    call = "signal.filtfilt"
    b, a = _coefficients(call, b, a)
    (values,) = promote_inexact(call, as_value(x, call))
    at = normalise_axis(axis, typeof(values).ndim, call)
    values = fnp.moveaxis(values, at, 0)
    n = 0 if padtype is None else 3 * typeof(b).shape[0] if padlen is None else padlen
    if n >= typeof(values).shape[0]:
        raise ValueError(f"{call}: x must be longer than padlen, {n}{where_am_i()}")
    if n:
        left, right = values[n:0:-1], values[-2 : -(n + 2) : -1]
        if padtype == "odd":
            left, right = 2 * values[:1] - left, 2 * values[-1:] - right
        elif padtype == "constant":
            left, right = 0 * left + values[:1], 0 * right + values[-1:]
        elif padtype != "even":
            raise ValueError(f"{call}: unknown padtype {padtype!r}{where_am_i()}")
        values = fnp.concatenate([left, values, right])
    zi = lfilter_zi(b, a) if typeof(b).shape[0] > 1 else fnp.zeros(0)
    zi = fnp.reshape(zi, (-1, *[1] * (typeof(values).ndim - 1)))

    def once(v: Value) -> Any:
        state = fnp.broadcast_to(zi * v[0], (typeof(b).shape[0] - 1, *typeof(v).shape[1:]))
        return _filtered(b, a, v, state.astype(typeof(v).dtype))[0]

    out = fnp.flip(once(fnp.flip(once(values), axis=0)), axis=0)
    return fnp.moveaxis(out[n : typeof(out).shape[0] - n], 0, at)


def sosfilt(sos: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """A filter of second-order sections in a row. See `scipy.signal.sosfilt`.

    Args:
        sos: coefficients ``[sections, 6]``: three of the numerator, three of the denominator.
        x: what to filter.
        axis: along which.
        zi: states ``[sections, ..., 2, ...]`` before the first sample; given, those after the last
            are returned too.

    Example:
        >>> from fxla.scipy import signal
        >>> signal.sosfilt([[1.0, 0.0, 0.0, 1.0, -0.5, 0.0]], [1.0, 0.0, 0.0])
        Array([1.  , 0.5 , 0.25])
    """
    call = "signal.sosfilt"
    sections, values = promote_inexact(call, *as_values(call, sos, x))
    if typeof(sections).ndim != 2 or typeof(sections).shape[1] != 6:
        raise ShapeError(f"{call}: sos must be [sections, 6], got {typeof(sections)}{where_am_i()}")
    at = normalise_axis(axis, typeof(values).ndim, call)
    values = fnp.moveaxis(values, at, 0)
    states = []
    for k in range(typeof(sections).shape[0]):
        b, a = sections[k, :3] / sections[k, 3], sections[k, 3:] / sections[k, 3]
        state = fnp.zeros((2, *typeof(values).shape[1:]), typeof(values).dtype)
        if zi is not None:
            state = state + fnp.moveaxis(as_value(zi, call)[k], at, 0)
        values, state = _filtered(b, a, values, state)
        states.append(fnp.moveaxis(state, 0, at))
    out = fnp.moveaxis(values, 0, at)
    return out if zi is None else (out, fnp.stack(states))


def detrend(data: Any, axis: int = -1, type: str = "linear", bp: Any = 0) -> Any:
    """Data without their mean or their linear trends. See `scipy.signal.detrend`.

    Args:
        data: an array.
        axis: along which.
        type: ``"linear"`` or ``"constant"``.
        bp: where one trend ends and the next begins.

    Example:
        >>> from fxla.scipy import signal
        >>> signal.detrend([1.0, 2.0, 6.0], type="constant")
        Array([-2., -1.,  3.])
    """
    call = "signal.detrend"
    (values,) = promote_inexact(call, as_value(data, call))
    if type in ("constant", "c"):
        return values - fnp.mean(values, axis=axis, keepdims=True)
    if type not in ("linear", "l"):
        raise ValueError(f"{call}: type must be 'linear' or 'constant', got {type!r}{where_am_i()}")
    at = normalise_axis(axis, typeof(values).ndim, call)
    values = fnp.moveaxis(values, at, -1)
    n = typeof(values).shape[-1]
    inner = [bp] if isinstance(bp, int) else list(bp)
    edges = sorted({0, n, *[int(k) for k in inner]})
    if edges[-1] > n:
        raise ValueError(f"{call}: breakpoints must be less than the length of data{where_am_i()}")
    parts = []
    for low, high in itertools.pairwise(edges):
        part = values[..., low:high]
        t = fnp.arange(high - low, dtype=typeof(fnp.real(part)).dtype)
        t = t - fnp.mean(t)
        size = fnp.sum(t * t)
        tilt = fnp.sum(part * t, axis=-1, keepdims=True) / fnp.where(size > 0, size, 1)
        parts.append(part - fnp.mean(part, axis=-1, keepdims=True) - tilt * t)
    return fnp.moveaxis(fnp.concatenate(parts, axis=-1), -1, at)
