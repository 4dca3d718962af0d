"""Indexing with and of arrays whose size depends on values: ``x[mask]``, ``x[positions]``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import int64, is_bool, is_integer
from fxla.core.trace import Tracer, Value, is_same, typeof, where_am_i
from fxla.numpy.indexing import getitem, layout_of, read_index
from fxla.numpy.operands import as_value, convert_all, describe
from fxla.numpy.selection import Selection, common_selection, indexing, no_fixed_size
from fxla.numpy.writing import fresh
from fxla.ops.casts import convert
from fxla.ops.elementwise import add
from fxla.ops.index import take
from fxla.ops.logic import and_, eq, lt, not_, select
from fxla.ops.shape import rev
from fxla.ops.structure import broadcast_to, full, reshape

__all__ = [
    "changed",
    "choose",
    "chosen_elements",
    "is_selecting",
    "item",
    "positions_or_outside",
    "select_by_mask",
]


def _entries(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


def _unknown_mask(i: Any) -> bool:
    return isinstance(i, Tracer) and is_bool(i.aval.dtype) and i.ndim > 0 and i.concrete() is None


def is_selecting(index: Any) -> bool:
    """Whether an index of an array makes a selection: it has a traced mask, or a selection."""
    return any(isinstance(i, Selection) or _unknown_mask(i) for i in _entries(index))


def _consumed(i: Any) -> int:
    """How many axes an entry of an index stands for."""
    if i is None:
        return 0
    return int(i.ndim) if _unknown_mask(i) else 1


def _spelled_out(entries: tuple[Any, ...], ndim: int) -> list[Any]:
    """The entries, with slices in the place of an ellipsis and of what is left out at the end."""
    dots = [k for k, i in enumerate(entries) if i is Ellipsis]
    rest = [slice(None)] * (ndim - sum(_consumed(i) for i in entries if i is not Ellipsis))
    at = dots[0] if dots else len(entries)
    return [*entries[:at], *rest, *entries[at + 1 :]]


def _basic(i: Any) -> bool:
    return i is None or isinstance(i, (slice, int, np.integer))


def _axes_before(entries: Sequence[Any], end: int) -> int:
    """How many axes of the result stand before the entry `end`."""
    return sum(not isinstance(i, (int, np.integer)) for i in entries[:end])


def select_by_mask(x: Value, index: Any) -> Selection:
    """``x[mask]``, or ``x[..., mask, ...]`` with slices, integers and new axes beside the mask.

    Raises:
        IndexError: if the mask does not fit, or stands beside other arrays.
    """
    entries = _spelled_out(_entries(index), typeof(x).ndim)
    (at, *more) = [k for k, i in enumerate(entries) if _unknown_mask(i)]
    if more or not all(_basic(i) for k, i in enumerate(entries) if k != at):
        raise no_fixed_size("x[mask, other]", "x[mask, other] with several index arrays")
    mask = entries[at]
    around = (*entries[:at], *[slice(None)] * mask.ndim, *entries[at + 1 :])
    beside = any(isinstance(i, (int, np.integer)) for i in entries)
    x = getitem(x, around) if any(i != slice(None) for i in around) else x
    axis = _axes_before(entries, at)
    shape = typeof(x).shape
    if shape[axis : axis + mask.ndim] != mask.shape:
        raise IndexError(
            f"x[mask]: boolean index {describe(mask)} did not match the indexed array "
            f"{describe(x)} along axis {axis}{where_am_i()}"
        )
    if beside and axis and not isinstance(entries[at - 1], (int, np.integer)):
        raise no_fixed_size("x[i, :, mask]", "x[mask] beside an integer and a slice")
    n = mask.size
    raw = reshape(x, (*shape[:axis], n, *shape[axis + mask.ndim :]))
    # neither changes when the array or the mask is written to
    return Selection(fresh(raw, [x]), fresh(reshape(mask, (n,)), [mask]), axis)


def chosen_elements(s: Selection, index: Any, call: str) -> Value:
    """The elements of `s` as values for ``x[index] = s``, where the index is of the same size."""
    positions = [i for i in _entries(index) if isinstance(i, Selection)]
    if positions:
        common_selection(call, [s, *positions])
        return s.filled()
    mask = reshape(index, (typeof(index).size,))
    if s.axis or not is_same(s.mask, mask):
        raise no_fixed_size(call, "values selected by another mask than that of the index")
    return s.filled()


def choose(x: Value, index: Any) -> Selection:
    """``x[positions]`` where positions are a selection, as `np.nonzero` gives."""
    if any(_unknown_mask(i) for i in _entries(index)):
        return select_by_mask(x, index)
    chosen = [i for i in _entries(index) if isinstance(i, Selection)]
    first = common_selection("x[positions]", chosen)
    if any(s.ndim != 1 or not is_integer(s.dtype) for s in chosen):
        raise no_fixed_size("x[positions]", "an index")
    entries = _spelled_out(_entries(index), typeof(x).ndim)
    filled = tuple([i.filled() if isinstance(i, Selection) else i for i in entries])
    if not all(_basic(i) for i in entries if not isinstance(i, Selection)):
        raise no_fixed_size("x[positions, other]", "x[positions, other] with several index arrays")
    read, _ = read_index(filled, typeof(x).shape, "x[...]")
    return Selection(getitem(x, filled), first.mask, layout_of(read, "x[...]").first, safe=True)


def positions_or_outside(index: Any, shape: Sequence[int]) -> Any:
    """An index whose positions, where they are not chosen, are outside: an update drops those."""
    if not any(isinstance(i, Selection) for i in _entries(index)):
        return index
    entries = _spelled_out(_entries(index), len(shape))
    common_selection("x[positions] = v", [i for i in entries if isinstance(i, Selection)])
    outside = max(shape, default=0)
    return tuple([i.masked(outside) if isinstance(i, Selection) else i for i in entries])


# --- a selection's own elements -----------------------------------------------------------------


def item(s: Selection, index: Any) -> Any:
    """``x[mask][index]``."""
    entries = _spelled_out(_entries(index), s.ndim)
    consumed = np.cumsum([_consumed(i) for i in entries])
    at = int(np.searchsorted(consumed, s.axis + 1))
    others = [i for k, i in enumerate(entries) if k != at]
    if not all(_basic(i) for i in others):
        raise no_fixed_size("x[mask][i, j]", "an array indexed by several arrays")
    own = entries[at]
    if any(i != slice(None) for i in others):
        around = (*entries[:at], slice(None), *entries[at + 1 :])
        s = Selection(getitem(s.raw, around), s.mask, _axes_before(entries, at), s._safe)
    if isinstance(own, slice):
        return _part(s, own)
    if isinstance(own, Selection):
        if is_bool(own.dtype):
            chosen = and_(common_selection("x[mask][other]", [s, own]).mask, own.filled())
            return Selection(s.raw, chosen, s.axis)
        read = take(s.together().raw, own.filled(), s.axis)
        return Selection(read, own.mask, s.axis, safe=True)
    if _unknown_mask(own):
        raise no_fixed_size("x[mask][other]", "x[mask], which a mask of fixed size cannot fit,")
    return take(s.together().raw, _from_front(s, own), s.axis)


def _from_front(s: Selection, positions: Any) -> Value:
    """Positions among the chosen elements; negative ones count from the last."""
    if isinstance(positions, (int, np.integer)):
        where: Value = np.int64(positions)
        return where if positions >= 0 else add(s.count(), where)
    where = convert(positions if isinstance(positions, Tracer) else np.asarray(positions), int64)
    behind = add(where, broadcast_to(s.count(), typeof(where).shape))
    return select(lt(where, full(typeof(where).shape, 0, int64)), behind, where)


def _part(s: Selection, part: slice) -> Selection:
    """A slice along the axis whose size is not known."""
    if part == slice(None):
        return s
    n = typeof(s.mask).shape[0]
    if part.step == -1 and part.start is None and part.stop is None:
        return Selection(rev(s.raw, (s.axis,)), rev(s.mask, (0,)), s.axis, s._safe)
    bounds = (part.start, part.stop)
    if part.step not in (None, 1) or not all(b is None or isinstance(b, int) for b in bounds):
        raise no_fixed_size("x[mask][start:stop:step]", "a stepped slice of x[mask]")
    rank = s.ranks()
    keep = s.mask
    for bound, is_start in ((part.start, True), (part.stop, False)):
        if bound is None:
            continue
        limit = np.int64(bound) if bound >= 0 else add(s.count(), np.int64(bound))
        before = lt(rank, broadcast_to(limit, (n,)))
        keep = and_(keep, not_(before) if is_start else before)
    return Selection(s.raw, keep, s.axis)


def changed(s: Selection, index: Any, value: Any) -> Selection:
    """``x[mask]`` after ``x[mask][index] = value``."""
    if isinstance(index, slice) and index == slice(None):
        chosen: Value = s.mask
    elif isinstance(index, Selection) and is_bool(index.dtype) and index.ndim == 1:
        common_selection("x[mask][other] = v", [s, index])
        chosen = index.filled()
    elif isinstance(index, (int, np.integer)):
        at = broadcast_to(_from_front(s, index), typeof(s.mask).shape)
        chosen = eq(s.ranks(), at)
    else:
        raise no_fixed_size("x[mask][i] = v")
    if isinstance(value, Selection):
        common_selection("x[mask][i] = v", [s, value])
        value = value.filled()
    (other,) = convert_all([as_value(value, "x[mask][i] = v")], s.dtype)
    shape = typeof(s.raw).shape
    return Selection(select(s.spread(chosen), broadcast_to(other, shape), s.raw), s.mask, s.axis)


indexing |= {"getitem": item, "changed": changed}
