"""Vector quantisation: the module ``fxla.scipy.cluster.vq``."""

from __future__ import annotations

from typing import Any

import fxla.numpy as fnp
from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.operands import as_values, promote_inexact

__all__ = ["vq", "whiten"]


def vq(obs: Any, code_book: Any, check_finite: bool = True) -> tuple[Any, Any]:
    """For each observation the nearest code, and its distance. See `scipy.cluster.vq.vq`.

    Args:
        obs: ``[m, d]``, or ``[m]`` in one dimension.
        code_book: ``[k, d]``, or ``[k]``.
        check_finite: has no effect.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy.cluster.vq import vq
        >>> vq(fnp.array([[0.0], [2.5]]), fnp.array([[0.0], [2.0]]))
        (Array([0, 1], dtype=int32), Array([0. , 0.5]))
    """
    del check_finite
    call = "cluster.vq.vq"
    points, codes = promote_inexact(call, *as_values(call, obs, code_book))
    if typeof(points).ndim != typeof(codes).ndim:
        raise ValueError(f"{call}: obs and code_book differ in rank{where_am_i()}")
    if typeof(points).ndim == 1:
        points, codes = points[:, None], codes[:, None]
    if typeof(points).ndim != 2:
        raise ValueError(f"{call}: rank must be 1 or 2, got {typeof(points)}{where_am_i()}")
    if typeof(points).shape[1] != typeof(codes).shape[1]:
        raise ShapeError(f"{call}: {typeof(points)} and {typeof(codes)} differ{where_am_i()}")
    squares = fnp.sum(fnp.square(points[:, None, :] - codes[None, :, :]), axis=-1)
    code = fnp.argmin(squares, axis=1)
    nearest = fnp.take_along_axis(squares, code[:, None], axis=1)[:, 0]
    return code.astype("int32"), fnp.sqrt(nearest)


def whiten(obs: Any, check_finite: bool = True) -> Any:
    """Observations divided by the deviation of each feature. See `scipy.cluster.vq.whiten`.

    Args:
        obs: ``[m, d]``.
        check_finite: has no effect.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy.cluster.vq import whiten
        >>> whiten(fnp.array([[0.0], [4.0]]))
        Array([[0.],
               [2.]])
    """
    del check_finite
    (points,) = promote_inexact("cluster.vq.whiten", *as_values("cluster.vq.whiten", obs))
    deviation = fnp.std(points, axis=0)
    return points / fnp.where(fnp.equal(deviation, 0), 1, deviation)
