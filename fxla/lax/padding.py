"""Padding of sliding windows by name: "SAME", "SAME_LOWER" and "VALID"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fxla.core.trace import where_am_i
from fxla.errors import ShapeError

__all__ = ["padtype_to_pads"]


def padtype_to_pads(
    in_shape: Sequence[int],
    window_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: Any,
) -> list[tuple[int, int]]:
    """The padding before and after each axis that a name stands for.

    Args:
        in_shape: sizes of the axes the window slides over.
        window_shape: sizes of the window, holes included.
        window_strides: strides.
        padding: "VALID" for none; "SAME" for as many windows as strides fit in the axis, the odd
            element of padding at its end; "SAME_LOWER" with the odd one at its beginning.

    Raises:
        ValueError: for another name.

    Example:
        >>> from fxla import lax
        >>> lax.padtype_to_pads((5,), (2,), (1,), "SAME")
        [(0, 1)]
    """
    name = str(padding).upper()
    if name == "VALID":
        return [(0, 0)] * len(in_shape)
    if name not in ("SAME", "SAME_LOWER"):
        raise ValueError(
            f"padding {padding!r}: expected 'SAME', 'SAME_LOWER' or 'VALID'{where_am_i()}"
        )
    pads = []
    for n, k, s in zip(in_shape, window_shape, window_strides, strict=True):
        total = max((-(-n // s) - 1) * s + k - n, 0)
        less, more = total // 2, total - total // 2
        pads.append((less, more) if name == "SAME" else (more, less))
    return pads


def resolve_padding(
    call: str,
    padding: Any,
    sizes: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
) -> tuple[tuple[int, int], ...]:
    """Padding as pairs of integers, from pairs or a name."""
    if isinstance(padding, str):
        if any(d != 1 for d in dilation):
            raise ValueError(
                f"{call}: padding={padding!r} does not go with holes between the operand's "
                f"elements; give pairs of integers{where_am_i()}"
            )
        return tuple(padtype_to_pads(sizes, window, strides, padding))
    pairs = tuple((int(low), int(high)) for low, high in padding)
    if len(pairs) != len(sizes):
        raise ShapeError(
            f"{call}: expected {len(sizes)} pairs of padding, got {padding}{where_am_i()}"
        )
    return pairs
