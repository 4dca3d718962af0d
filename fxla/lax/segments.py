"""Sums, products and extremes of segments: elements with one number belong together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.dtypes import is_integer
from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.errors import ConcretizationError, DtypeError
from fxla.numpy.at import Updater
from fxla.numpy.operands import as_value
from fxla.ops.cumulative import greatest, least
from fxla.ops.structure import full

__all__ = ["segment_max", "segment_min", "segment_prod", "segment_sum"]


def _count(call: str, ids: Value, num_segments: int | None) -> int:
    if num_segments is not None:
        return int(num_segments)
    known = ids.concrete() if isinstance(ids, Tracer) else np.asarray(ids)
    if known is None or isinstance(known, Tracer):
        raise ConcretizationError(
            f"{call}: the number of segments depends on the values of a traced {typeof(ids)}"
            f"{where_am_i()}. Give it with `num_segments=`."
        )
    return int(np.max(known, initial=-1)) + 1


def _segments(
    name: str, update: str, identity: Callable[[Any], Any], what: str, shown: str
) -> Callable[..., Any]:
    call = f"lax.{name}"

    def segment(
        data: Any,
        segment_ids: Any,
        num_segments: int | None = None,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        bucket_size: int | None = None,
        mode: Any = None,
    ) -> Any:
        x, ids = as_value(data, call), as_value(segment_ids, call)
        if not is_integer(typeof(ids).dtype):
            raise DtypeError(
                f"{call}: segment_ids must be integers, got {typeof(ids)}{where_am_i()}"
            )
        rest, dtype = typeof(x).shape[typeof(ids).ndim :], typeof(x).dtype
        start = full((_count(call, ids, num_segments), *rest), identity(dtype), dtype)
        place: Any = Updater(start)[ids]
        return getattr(place, update)(x, unique_indices=unique_indices)

    segment.__name__ = segment.__qualname__ = name
    segment.__doc__ = f"""{what} of each segment of an array.

    Args:
        data: array.
        segment_ids: for each element (of the leading axes) the number of its segment; elements
            with a number past the last segment are left out.
        num_segments: how many there are; by default one more than the largest number, which must
            be known while tracing.
        indices_are_sorted: accepted for JAX's sake.
        unique_indices: says that no segment has two elements.
        bucket_size: accepted for JAX's sake.
        mode: accepted for JAX's sake.

    Example:
        >>> from fxla import lax
        >>> import fxla.numpy as np
        >>> lax.{name}(np.array([1.0, 2.0, 3.0]), np.array([0, 1, 1]))
        {shown}
    """
    return segment


segment_sum = _segments("segment_sum", "add", lambda d: 0, "Sum", "Array([1., 5.])")
segment_prod = _segments("segment_prod", "multiply", lambda d: 1, "Product", "Array([1., 6.])")
segment_max = _segments("segment_max", "max", least, "Maximum", "Array([1., 3.])")
segment_min = _segments("segment_min", "min", greatest, "Minimum", "Array([1., 2.])")
