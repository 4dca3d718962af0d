"""Interpolation in one variable: lines, steps and cubic splines."""

from __future__ import annotations

from typing import Any

import numpy as np

import fxla.numpy as fnp
from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.indexing import getitem
from fxla.numpy.operands import as_value, normalise_axis, promote_inexact

__all__ = ["CubicSpline", "interp1d"]


def _table(call: str, x: Any, y: Any, axis: int, least: int) -> tuple[Value, Value, int]:
    """Positions, values with their axis in front, and that axis."""
    at, values = promote_inexact(call, as_value(x, call), as_value(y, call))
    along = normalise_axis(axis, typeof(values).ndim, call)
    values = fnp.moveaxis(values, along, 0)
    if typeof(at).ndim != 1 or typeof(at).shape[0] != typeof(values).shape[0]:
        raise ShapeError(f"{call}: x {typeof(at)} and y {typeof(values)} differ{where_am_i()}")
    if typeof(at).shape[0] < least:
        raise ValueError(f"{call}: needs at least {least} points, got {typeof(at)}{where_am_i()}")
    return at, values, along


class CubicSpline:
    """A twice differentiable piecewise cubic. See `scipy.interpolate.CubicSpline`.

    Differentiable by positions, values and where it is evaluated.

    Args:
        x: increasing positions.
        y: values.
        axis: of y, along which it goes with x.
        bc_type: ``"not-a-knot"``, ``"natural"``, ``"clamped"``, ``"periodic"``, or a pair of
            ``(order, value)``: the first or second derivative at each end.
        extrapolate: whether to go on outside; else NaN.

    Attributes:
        x: the positions.
        c: coefficients ``[4, intervals, ...]``, highest power first.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy.interpolate import CubicSpline
        >>> f = CubicSpline(fnp.arange(5.0), fnp.arange(5.0) ** 3)
        >>> f(1.5).round(6), f(1.5, 1).round(6)
        (np.float64(3.375), np.float64(6.75))
    """

    def __init__(
        self, x: Any, y: Any, axis: int = 0, bc_type: Any = "not-a-knot", extrapolate: bool = True
    ) -> None:
        call = "interpolate.CubicSpline"
        self.x, values, self.axis = _table(call, x, y, axis, 2)
        self.extrapolate = extrapolate
        slopes = _slopes(call, self.x, values, bc_type)
        spread = (-1, *[1] * (typeof(values).ndim - 1))
        width = fnp.reshape(fnp.diff(self.x), spread)
        rise = fnp.diff(values, axis=0) / width
        left, right = slopes[:-1], slopes[1:]
        bend = (left + right - 2 * rise) / width
        self.c = fnp.stack([bend / width, (rise - left) / width - bend, left, values[:-1]])

    def __call__(self, x: Any, nu: int = 0) -> Any:
        """The value, or the nu-th derivative, at x."""
        call = "interpolate.CubicSpline"
        (at,) = promote_inexact(call, as_value(x, call))
        n = typeof(self.x).shape[0]
        k = fnp.clip(fnp.searchsorted(self.x, at, side="right") - 1, 0, n - 2)
        more = typeof(self.c).ndim - 2
        d = fnp.reshape(at - getitem(self.x, k), (*typeof(at).shape, *[1] * more))
        coefficients = [getitem(self.c[j], k) for j in range(4)]
        for _ in range(nu):
            degree = len(coefficients) - 1
            coefficients = [c * (degree - j) for j, c in enumerate(coefficients[:-1])]
        out = fnp.zeros_like(getitem(self.c[0], k)) + 0 * d
        for c in coefficients:
            out = out * d + c
        if not self.extrapolate:
            outside = (at < self.x[0]) | (at > self.x[-1])
            out = fnp.where(fnp.reshape(outside, typeof(d).shape), fnp.nan, out)
        rank = typeof(at).ndim
        return (
            fnp.moveaxis(out, range(rank), range(self.axis, self.axis + rank)) if self.axis else out
        )

    def derivative(self, x: Any, nu: int = 1) -> Any:
        """The nu-th derivative at x."""
        return self(x, nu)


def _slopes(call: str, x: Value, y: Value, bc_type: Any) -> Any:
    """The derivative at each position, from a tridiagonal system (made dense)."""
    n = typeof(x).shape[0]
    dx = fnp.diff(x)
    spread = (-1, *[1] * (typeof(y).ndim - 1))
    wide = fnp.reshape(dx, spread)
    rise = fnp.diff(y, axis=0) / wide
    if bc_type == "periodic":
        return _periodic_slopes(dx, wide, rise, n)
    kinds = {"not-a-knot": "not-a-knot", "natural": (2, 0.0), "clamped": (1, 0.0)}
    ends = bc_type if isinstance(bc_type, tuple | list) else (bc_type, bc_type)
    ends = [kinds.get(e, e) if isinstance(e, str) else e for e in ends]
    for e in ends:
        if e != "not-a-knot" and not (isinstance(e, tuple | list) and e[0] in (1, 2)):
            raise ValueError(f"{call}: unknown bc_type {e!r}{where_am_i()}")
    if n == 2:
        ends = [(1, rise[0]) if e == "not-a-knot" else e for e in ends]
    if n == 3 and ends[0] == ends[1] == "not-a-knot":
        # one parabola through all three
        bend = (rise[1] - rise[0]) / (dx[0] + dx[1])
        return fnp.stack([rise[0] - bend * dx[0], rise[0] + bend * dx[0], rise[1] + bend * dx[1]])
    matrix = fnp.zeros((n, n), typeof(x).dtype)
    right = fnp.zeros_like(y)
    if n > 2:
        inner = fnp.arange(1, n - 1)
        matrix = matrix.at[inner, inner].set(2 * (dx[:-1] + dx[1:]))
        matrix = matrix.at[inner, inner - 1].set(dx[1:]).at[inner, inner + 1].set(dx[:-1])
        right = right.at[1:-1].set(3 * (wide[1:] * rise[:-1] + wide[:-1] * rise[1:]))
    for row, near, h, s, end in ((0, 1, dx, rise, ends[0]), (n - 1, n - 2, dx[::-1], rise[::-1],
                                                             ends[1])):  # fmt: skip
        if end == "not-a-knot":
            total = h[0] + h[1]
            matrix = matrix.at[row, row].set(h[1]).at[row, near].set(total)
            value = ((h[0] + 2 * total) * h[1] * s[0] + h[0] ** 2 * s[1]) / total
        elif end[0] == 1:
            matrix = matrix.at[row, row].set(1.0)
            value = end[1] + 0 * s[0]
        else:
            matrix = matrix.at[row, row].set(2.0).at[row, near].set(1.0)
            value = 3 * s[0] + (-0.5 if row == 0 else 0.5) * h[0] * end[1]
        right = right.at[row].set(value)
    flat = fnp.reshape(right, (n, -1))
    return fnp.reshape(fnp.linalg.solve(matrix, flat), typeof(y).shape)


def _periodic_slopes(dx: Value, wide: Value, rise: Value, n: int) -> Any:
    m = n - 1
    before = fnp.arange(m) - 1
    matrix = fnp.zeros((m, m), typeof(dx).dtype)
    i = fnp.arange(m)
    matrix = matrix.at[i, i].add(2 * (dx + dx[before]))
    matrix = matrix.at[i, before].add(dx).at[i, (i + 1) % m].add(dx[before])
    right = 3 * (wide * rise[before] + wide[before] * rise)
    flat = fnp.linalg.solve(matrix, fnp.reshape(right, (m, -1)))
    slopes = fnp.reshape(flat, typeof(right).shape)
    return fnp.concatenate([slopes, slopes[:1]])


class interp1d:
    """Interpolation in a table. See `scipy.interpolate.interp1d`.

    Args:
        x: increasing positions.
        y: values.
        kind: ``"linear"``, ``"nearest"``, ``"previous"``, ``"next"`` or ``"cubic"``.
        axis: of y, along which it goes with x.
        bounds_error: raise outside; by default unless `fill_value` is given. Only where values are
            known; in compiled code the result there is `fill_value`.
        fill_value: the result outside, a pair for both sides, or ``"extrapolate"``.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy.interpolate import interp1d
        >>> interp1d(fnp.array([0.0, 1.0]), fnp.array([0.0, 10.0]))(0.25)
        Array(2.5)
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        kind: str = "linear",
        axis: int = -1,
        bounds_error: bool | None = None,
        fill_value: Any = None,
    ) -> None:
        call = "interpolate.interp1d"
        if kind not in ("linear", "nearest", "previous", "next", "cubic"):
            raise NotImplementedError(f"{call}: kind {kind!r}{where_am_i()}")
        self.x, self.y, self.axis = _table(call, x, y, axis, 4 if kind == "cubic" else 1)
        self.kind = kind
        self.bounds_error = fill_value is None if bounds_error is None else bounds_error
        self.fill_value = fnp.nan if fill_value is None else fill_value
        self._spline = CubicSpline(self.x, self.y) if kind == "cubic" else None

    def __call__(self, x: Any) -> Any:
        """The values at x."""
        call = "interpolate.interp1d"
        (at,) = promote_inexact(call, as_value(x, call))
        below, above = at < self.x[0], at > self.x[-1]
        more = typeof(self.y).ndim - 1
        spread = (*typeof(at).shape, *[1] * more)
        out = self._inside(at, spread)
        if not (isinstance(self.fill_value, str) and self.fill_value == "extrapolate"):
            outside = below | above
            if self.bounds_error and not isinstance(outside, Tracer) and np.any(outside):
                raise ValueError(f"{call}: a value in x is outside the range{where_am_i()}")
            pair = self.fill_value
            low, high = pair if isinstance(pair, tuple) else (pair, pair)
            out = fnp.where(fnp.reshape(below, spread), low, out)
            out = fnp.where(fnp.reshape(above, spread), high, out)
        rank = typeof(at).ndim
        return (
            fnp.moveaxis(out, range(rank), range(self.axis, self.axis + rank)) if self.axis else out
        )

    def _inside(self, at: Value, spread: tuple[int, ...]) -> Any:
        if self._spline is not None:
            return self._spline(at)
        n = typeof(self.x).shape[0]
        last = n - 1
        if self.kind == "previous":
            k = fnp.searchsorted(self.x, at, side="right") - 1
            out = getitem(self.y, fnp.clip(k, 0, last))
            return fnp.where(fnp.reshape(k < 0, spread), fnp.nan, out)
        if self.kind == "next":
            k = fnp.searchsorted(self.x, at, side="left")
            out = getitem(self.y, fnp.clip(k, 0, last))
            return fnp.where(fnp.reshape(k > last, spread), fnp.nan, out)
        if self.kind == "nearest":
            middles = (self.x[1:] + self.x[:-1]) / 2
            k = fnp.searchsorted(middles, at, side="left")
            return getitem(self.y, fnp.clip(k, 0, last))
        k = fnp.clip(fnp.searchsorted(self.x, at, side="left") - 1, 0, max(n - 2, 0))
        high = fnp.minimum(k + 1, last)
        left, low = getitem(self.x, k), getitem(self.y, k)
        width = getitem(self.x, high) - left
        share = (at - left) / fnp.where(width > 0, width, 1)
        return low + fnp.reshape(share, spread) * (getitem(self.y, high) - low)
