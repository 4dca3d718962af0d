"""Interpolation on regular grids."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import fxla.numpy as fnp
from fxla.core.trace import Tracer, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.indexing import getitem
from fxla.numpy.operands import as_value, promote_inexact

__all__ = ["RegularGridInterpolator"]


class RegularGridInterpolator:
    """Values on a grid, interpolated. See `scipy.interpolate.RegularGridInterpolator`.

    Args:
        points: increasing or decreasing coordinates, a vector for each axis.
        values: on the grid; further axes are interpolated alike.
        method: ``"linear"`` or ``"nearest"``.
        bounds_error: raise outside the grid; only where values are known.
        fill_value: the result outside the grid; None extrapolates.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy.interpolate import RegularGridInterpolator
        >>> f = RegularGridInterpolator((fnp.array([0.0, 1.0]), fnp.array([0.0, 2.0])),
        ...                             fnp.array([[0.0, 2.0], [1.0, 3.0]]))
        >>> f(fnp.array([[0.5, 1.0]]))
        Array([1.5])
    """

    def __init__(
        self,
        points: Any,
        values: Any,
        method: str = "linear",
        bounds_error: bool = False,
        fill_value: Any = fnp.nan,
    ) -> None:
        call = "interpolate.RegularGridInterpolator"
        if method not in ("linear", "nearest"):
            raise ValueError(f"{call}: method {method!r} is not defined{where_am_i()}")
        (self.values,) = promote_inexact(call, as_value(values, call))
        grid = [as_value(p, call) for p in points]
        shape = typeof(self.values).shape
        if len(grid) > len(shape):
            raise ShapeError(
                f"{call}: {len(grid)} axes, values {typeof(self.values)}{where_am_i()}"
            )
        flipped = list(range(len(grid)))
        for k, p in enumerate(grid):
            if typeof(p).shape != shape[k : k + 1]:
                raise ShapeError(
                    f"{call}: axis {k} has {typeof(p)} points, values {shape[k]}{where_am_i()}"
                )
        self.grid = promote_inexact(call, *grid)
        # decreasing coordinates are turned round
        for k in flipped:
            down = self.grid[k][0] > self.grid[k][-1]
            self.grid[k] = fnp.where(down, fnp.flip(self.grid[k]), self.grid[k])
            self.values = fnp.where(down, fnp.flip(self.values, axis=k), self.values)
        self.method = method
        self.bounds_error = bounds_error
        self.fill_value = fill_value

    def __call__(self, xi: Any, method: str | None = None) -> Any:
        """The values at ``xi[..., axes]``."""
        call = "interpolate.RegularGridInterpolator"
        kind = self.method if method is None else method
        if kind not in ("linear", "nearest"):
            raise ValueError(f"{call}: method {kind!r} is not defined{where_am_i()}")
        if isinstance(xi, tuple):
            xi = fnp.stack(fnp.broadcast_arrays(*xi), axis=-1)
        (at,) = promote_inexact(call, as_value(xi, call))
        count = len(self.grid)
        if typeof(at).ndim == 1 and typeof(at).shape[0] != count and count == 1:
            at = at[:, None]
        elif typeof(at).ndim == 1:
            at = at[None, :]
        if typeof(at).shape[-1] != count:
            raise ValueError(
                f"{call}: xi has {typeof(at).shape[-1]} coordinates, the grid {count} axes"
                f"{where_am_i()}"
            )
        outside: Any = False
        choices = []
        for k, p in enumerate(self.grid):
            x, n = at[..., k], typeof(p).shape[0]
            outside = outside | (x < p[0]) | (x > p[-1])
            low = fnp.clip(fnp.searchsorted(p, x, side="right") - 1, 0, max(n - 2, 0))
            high = fnp.minimum(low + 1, n - 1)
            left = getitem(p, low)
            width = getitem(p, high) - left
            share = (x - left) / fnp.where(width > 0, width, 1)
            if kind == "nearest":
                choices.append([(fnp.where(share <= 0.5, low, high), 1.0)])
            else:
                choices.append([(low, 1 - share), (high, share)])
        if self.bounds_error and not isinstance(outside, Tracer) and np.any(outside):
            raise ValueError(f"{call}: one of the requested points is out of bounds{where_am_i()}")
        more = typeof(self.values).ndim - count
        total: Any = 0.0
        for corner in itertools.product(*choices):
            weight: Any = 1.0
            for _, w in corner:
                weight = weight * w
            if not isinstance(weight, float):
                weight = fnp.reshape(weight, (*typeof(weight).shape, *[1] * more))
            total = total + weight * getitem(self.values, tuple(i for i, _ in corner))
        unknown = fnp.any(fnp.isnan(at), axis=-1)
        spread = (*typeof(outside).shape, *[1] * more)
        if self.fill_value is not None:
            total = fnp.where(fnp.reshape(outside, spread), self.fill_value, total)
        return fnp.where(fnp.reshape(unknown, spread), fnp.nan, total)
