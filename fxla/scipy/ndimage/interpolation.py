"""Values between the pixels of an image."""

from __future__ import annotations

import itertools
from typing import Any

import fxla.numpy as fnp
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.indexing import getitem
from fxla.numpy.operands import as_value, promote_inexact

__all__ = [
    "map_coordinates",
]


def _mirror(i: Value, n: int) -> Any:
    period = max(2 * (n - 1), 1)
    folded = fnp.mod(i, period)
    return fnp.minimum(folded, period - folded) if n > 1 else fnp.zeros_like(i)


def _reflect(i: Value, n: int) -> Any:
    folded = fnp.mod(i, 2 * n)
    return fnp.minimum(folded, 2 * n - 1 - folded)


def _placed(i: Value, n: int, mode: str) -> tuple[Any, Any]:
    """Where an index leads, and whether there is an element."""
    if mode in ("constant", "grid-constant"):
        return fnp.clip(i, 0, n - 1), fnp.greater_equal(i, 0) & fnp.less(i, n)
    if mode == "nearest":
        return fnp.clip(i, 0, n - 1), True
    if mode in ("wrap", "grid-wrap"):
        return fnp.mod(i, n), True
    return (_mirror(i, n), True) if mode == "mirror" else (_reflect(i, n), True)


def map_coordinates(
    input: Any,
    coordinates: Any,
    output: None = None,
    order: int = 3,
    mode: str = "constant",
    cval: Any = 0.0,
    prefilter: bool = True,
) -> Any:
    """The image at real coordinates. See `scipy.ndimage.map_coordinates`.

    Args:
        input: an image of rank r.
        coordinates: r arrays of coordinates, along the first axis.
        output: must be None.
        order: of the interpolation: 0 (nearest) or 1 (linear).
        mode: how the image goes on: ``"constant"``, ``"nearest"``, ``"mirror"``, ``"reflect"``,
            ``"wrap"`` or ``"grid-wrap"``; ``"wrap"`` has the period of the image's size, as
            ``"grid-wrap"`` and JAX have it.
        cval: what mode ``"constant"`` fills with.
        prefilter: has no effect on these orders.

    Example:
        >>> from fxla.scipy import ndimage
        >>> ndimage.map_coordinates([[0.0, 1.0], [2.0, 3.0]], [[0.5, 0.0], [0.5, 1.0]], order=1)
        Array([1.5, 1. ])
    """
    call = "ndimage.map_coordinates"
    del output, prefilter
    if order not in (0, 1):
        raise NotImplementedError(f"{call}: order must be 0 or 1, got {order}{where_am_i()}")
    known = ("constant", "grid-constant", "nearest", "mirror", "reflect", "grid-mirror", "wrap",
             "grid-wrap")  # fmt: skip
    if mode not in known:
        raise ValueError(f"{call}: unknown mode {mode!r}{where_am_i()}")
    x = as_value(input, call)
    places = [as_value(c, call) for c in coordinates]
    if len(places) != typeof(x).ndim:
        raise ShapeError(
            f"{call}: {len(places)} coordinates for an image of rank {typeof(x).ndim}{where_am_i()}"
        )
    places = promote_inexact(call, *places)
    dtype = typeof(x).dtype
    exact = dtype.kind in "biu"
    choices = []
    for c, n in zip(places, typeof(x).shape, strict=True):
        if order == 0:
            near = fnp.floor(c + 0.5)
            choices.append([(*_placed(near.astype(int), n, mode), fnp.ones_like(c))])
            continue
        low = fnp.floor(c)
        share = c - low
        at = low.astype(int)
        choices.append([(*_placed(at, n, mode), 1 - share), (*_placed(at + 1, n, mode), share)])
    total: Any = 0.0
    for corner in itertools.product(*choices):
        inside: Any = True
        weight: Any = 1.0
        for _, there, w in corner:
            inside, weight = inside & there, weight * w
        value = getitem(x, tuple(i for i, _, _ in corner))
        value = value if inside is True else fnp.where(inside, value, cval)
        total = total + weight * value
    return fnp.rint(total).astype(dtype) if exact else total.astype(dtype)
