"""What ``x[index]`` means for a traced array.

An index is first *read*: every entry becomes a record of this file, one for each axis of the
operand and each new axis. Basic entries (integers, slices of any step, None, ...) become static
slices and reversals, which cost nothing after fusion. Arrays and traced integers become one gather.
`Layout` then says where NumPy puts the axes of index arrays: in place of the indexed axes if those
stand together, else in front.

Out of bounds: a concrete index raises NumPy's IndexError at once. A traced one is clamped when
reading, and dropped when writing (`fxla.numpy.at`).
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import int64, is_bool, is_integer, is_signed
from fxla.core.records import dataclass
from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.errors import NonConcreteBooleanIndexError, TracerIndexError
from fxla.numpy.operands import describe
from fxla.ops import elementwise, logic
from fxla.ops.casts import convert
from fxla.ops.dynamic import dynamic_slice
from fxla.ops.gather_dims import GatherDims
from fxla.ops.index import gather
from fxla.ops.shape import rev, slice_, stack
from fxla.ops.structure import broadcast_in_dim, expand_dims, reshape

__all__ = [
    "Entry",
    "Layout",
    "Positions",
    "Span",
    "checked_positions",
    "getitem",
    "index_vectors",
    "layout_of",
    "mask_of",
    "read_index",
]


@dataclass(frozen=True, slots=True)
class Span:
    """A slice of an axis: `count` positions from `start`, `step` apart. `new`: of a new axis."""

    start: int
    count: int
    step: int
    new: bool = False


@dataclass(frozen=True, slots=True)
class Positions:
    """Positions along an axis: an integer, or an array of them, concrete or traced.

    `scalar` says that the user gave an integer: alone, it takes its axis away as in basic indexing.
    Positions are non-negative unless they are out of bounds.
    """

    value: Value
    scalar: bool
    unique: bool = False


Entry = Span | Positions


# --- reading --------------------------------------------------------------------------------


def _fail(message: str, remedy: str = "") -> TracerIndexError:
    return TracerIndexError(f"{message}{where_am_i()}.{' ' + remedy if remedy else ''}")


def _known(x: Any) -> Any:
    """The concrete array behind a tracer, if there is one."""
    if isinstance(x, Tracer):
        known = x.concrete()
        return x if known is None or isinstance(known, Tracer) else np.asarray(known)
    return x


def mask_of(index: Any) -> Value | None:
    """The index, if it is a single boolean array whose values are not known."""
    if isinstance(index, tuple) and len(index) == 1:
        (index,) = index
    index = _known(index)
    return index if isinstance(index, Tracer) and is_bool(index.aval.dtype) else None


def _as_entry(item: Any, call: str) -> Any:
    """An entry of an index expression: None, Ellipsis, a slice, an int, or an array."""
    if item is None or item is Ellipsis or isinstance(item, slice):
        return item
    item = _known(item)
    if isinstance(item, (bool, np.bool_)):
        return np.asarray(item)
    if isinstance(item, (int, np.integer)):
        return int(item)
    if isinstance(item, (list, tuple)) and _any_tracer(item):
        return stack([_at_least(_as_entry(i, call)) for i in item])
    if isinstance(item, (list, tuple, range)):
        made = np.asarray(item)
        item = made.astype(np.intp) if made.size == 0 else made
    if not isinstance(item, (np.ndarray, Tracer)) and hasattr(item, "__index__"):
        return operator.index(item)
    if not isinstance(item, (np.ndarray, Tracer)) and hasattr(item, "__array__"):
        item = np.asarray(item)
    if not isinstance(item, (np.ndarray, Tracer)):
        raise _fail(f"{call}: {describe(item)} is not an index", _VALID)
    if not (is_bool(item.dtype) or is_integer(item.dtype)):
        raise _fail(f"{call}: an index array must be integer or boolean, got {describe(item)}",
                    _VALID)  # fmt: skip
    if is_integer(item.dtype) and item.ndim == 0 and isinstance(item, np.ndarray):
        return int(item)
    return item


_VALID = (
    "Use integers, slices, `...`, `None`, and integer or boolean arrays; convert a float index "
    "with `.astype(int)`."
)


def _any_tracer(item: Any) -> bool:
    if isinstance(item, (list, tuple)):
        return any(_any_tracer(i) for i in item)
    return isinstance(_known(item), Tracer)


def _at_least(item: Any) -> Value:
    return convert(np.asarray(item) if isinstance(item, int) else item, int64)


def _consumes(item: Any) -> int:
    """How many axes of the operand an entry stands for."""
    if item is None:
        return 0
    if isinstance(item, (np.ndarray, Tracer)) and is_bool(item.dtype):
        return item.ndim
    return 1


def read_index(
    index: Any, shape: Sequence[int], call: str, check: bool = True
) -> tuple[list[Entry], list[int]]:
    """The entries of an index for an operand of `shape`, and the axes that are new.

    Args:
        index: the user's index.
        shape: of the operand.
        call: the user's call, for messages.
        check: whether a concrete position out of bounds is an error.

    Raises:
        IndexError: if the index does not fit, or is out of bounds.
    """
    items = [_as_entry(i, call) for i in (index if isinstance(index, tuple) else (index,))]
    dots = [k for k, i in enumerate(items) if i is Ellipsis]
    if len(dots) > 1:
        raise _fail(f"{call}: an index can only have a single ellipsis ('...')")
    used = sum(_consumes(i) for i in items if i is not Ellipsis)
    if used > len(shape):
        raise _fail(
            f"{call}: too many indices: array is {len(shape)}-dimensional, but {used} were indexed",
            "Leave some out, or add axes to the array with `x[..., None]`.",
        )
    rest: list[Any] = [slice(None)] * (len(shape) - used)
    at = dots[0] if dots else len(items)
    items[at : at + len(dots)] = rest
    entries: list[Entry] = []
    new: list[int] = []
    axis = 0
    for item in items:
        if item is None:
            new.append(len(entries))
            entries.append(Span(0, 1, 1, new=True))
        elif isinstance(item, slice):
            entries.append(_span(item, shape[axis], call))
        elif isinstance(item, int):
            entries.append(
                Positions(checked_positions(np.asarray(item), axis, shape[axis], call, check), True)
            )
        elif is_bool(item.dtype):
            found = _from_mask(item, shape[axis : axis + item.ndim], axis, call)
            if item.ndim == 0:
                new.append(len(entries))
            entries.extend(found)
        else:
            where = checked_positions(item, axis, shape[axis], call, check)
            entries.append(Positions(where, item.ndim == 0))
        axis += _consumes(item)
    return entries, new


def _span(item: slice, n: int, call: str) -> Span:
    bounds = [_known(b) for b in (item.start, item.stop, item.step)]
    if any(isinstance(b, Tracer) for b in bounds):
        raise _fail(
            f"{call}: a slice with a traced bound has no size known while tracing",
            "Write `lax.dynamic_slice_in_dim(x, start, size)` for a part of known size, or mask "
            "with `np.where`.",
        )
    start, stop, step = slice(*bounds).indices(n)
    count = len(range(start, stop, step))
    return Span(start if count else 0, count, step)


def checked_positions(value: Any, axis: int, n: int, call: str, check: bool) -> Value:
    """Positions counted from the front; concrete ones are checked."""
    if isinstance(value, Tracer):
        if is_signed(value.aval.dtype):
            wide = convert(value, int64)
            return logic.select_like(logic.lt(wide, 0), elementwise.add(wide, n), wide)
        return convert(value, int64)
    wide = np.asarray(value, np.int64)
    outside = (wide < -n) | (wide >= n)
    if check and np.any(outside):
        bad = int(wide[outside][0]) if wide.ndim else int(wide)
        raise _fail(
            f"{call}: index {bad} is out of bounds for axis {axis} with size {n}",
            f"Indices go from {-n} to {n - 1}." if n else "The axis is empty.",
        )
    return np.asarray(np.where(wide < 0, wide + n, wide))


def _from_mask(mask: Any, sizes: Sequence[int], axis: int, call: str) -> list[Entry]:
    """The positions where a concrete mask is true; a 0-d mask keeps or drops a new axis."""
    if isinstance(mask, Tracer):
        raise NonConcreteBooleanIndexError(
            f"{call}: the size of x[mask] depends on the values of a traced {mask.aval}"
            f"{where_am_i()}. Write `np.where(mask, x, 0)`, which keeps the shape, or "
            "`x[np.nonzero(mask, size=n)]` for at most n elements; `x.at[mask].set(v)` works."
        )
    if mask.ndim == 0:
        return [Positions(np.zeros(1 if mask else 0, np.int64), False)]
    for k, (m, n) in enumerate(zip(mask.shape, sizes, strict=True)):
        if m != n:
            raise _fail(
                f"{call}: boolean index did not match indexed array along axis {axis + k}: size "
                f"of axis is {n} but size of boolean axis is {m}"
            )
    return [Positions(p, False, unique=mask.ndim == 1) for p in np.nonzero(mask)]


# --- where axes go --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Layout:
    """The axes of an indexed result.

    Attributes:
        batch: shape that the index arrays broadcast to.
        first: where the axes of `batch` begin in the result.
        kept: axes of the operand that appear in the result, in order.
        indexed: axes of the operand with positions.
    """

    batch: tuple[int, ...]
    first: int
    kept: tuple[int, ...]
    indexed: tuple[int, ...]

    def offset_dims(self) -> tuple[int, ...]:
        """Axes of the result that are kept axes of the operand."""
        n = len(self.batch)
        return tuple(k if k < self.first else k + n for k in range(len(self.kept)))

    def shape(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Shape of the result, from the sizes of the kept axes."""
        return (*sizes[: self.first], *self.batch, *sizes[self.first :])


def layout_of(entries: Sequence[Entry], call: str) -> Layout:
    """Where NumPy puts the axes of an indexed result.

    Raises:
        IndexError: if the index arrays do not broadcast.
    """
    indexed = tuple(k for k, e in enumerate(entries) if isinstance(e, Positions))
    kept = tuple(k for k in range(len(entries)) if k not in indexed)
    shapes = [typeof(e.value).shape for e in entries if isinstance(e, Positions)]
    try:
        batch = np.broadcast_shapes(*shapes)
    except ValueError:
        listed = " ".join(map(str, shapes))
        raise _fail(
            f"{call}: shape mismatch: indexing arrays could not be broadcast together with shapes "
            f"{listed}"
        ) from None
    together = not indexed or indexed == tuple(range(indexed[0], indexed[-1] + 1))
    first = sum(k < indexed[0] for k in kept) if indexed and together else 0
    return Layout(tuple(batch), first, kept, indexed)


def index_vectors(entries: Sequence[Entry], layout: Layout) -> Value:
    """The positions as one array: int64[*batch, number of indexed axes]."""
    columns: list[Value] = []
    for e in entries:
        if isinstance(e, Positions):
            rank = typeof(e.value).ndim
            missing = len(layout.batch) - rank
            columns.append(
                np.broadcast_to(e.value, layout.batch)
                if isinstance(e.value, np.ndarray)
                else broadcast_in_dim(e.value, layout.batch, range(missing, missing + rank))
            )
    if all(isinstance(c, np.ndarray) for c in columns):
        return np.stack(columns, -1)
    return stack([convert(c, int64) for c in columns], len(layout.batch))


# --- x[index] -------------------------------------------------------------------------------


def getitem(
    x: Value,
    index: Any,
    call: str = "x[...]",
    mode: Any = "clip",
    fill_value: Any = None,
    check: bool = True,
) -> Value:
    """``x[index]``, by NumPy's rules for basic and advanced indices.

    Args:
        x: array.
        index: integers, slices, None, Ellipsis, integer and boolean arrays, or a tuple of them.
        call: the user's call, for messages.
        mode: for traced positions out of bounds: ``"clip"`` or ``"fill"``.
        fill_value: read out of bounds in mode ``"fill"``.
        check: whether a concrete position out of bounds is an error.

    Raises:
        IndexError: if the index is not valid for the shape of `x`.
    """
    shape = typeof(x).shape
    if type(index) is int and shape and -shape[0] <= index < shape[0]:
        at = index % shape[0]
        rest = [0] * (len(shape) - 1)
        return reshape(slice_(x, (at, *rest), (at + 1, *shape[1:])), shape[1:])
    entries, new = read_index(index, shape, call, check)
    x = expand_dims(x, new)
    x = _spanned(x, entries)
    positions = [e for e in entries if isinstance(e, Positions)]
    if not positions:
        return x
    if all(e.scalar for e in positions) and mode == "clip" and check:
        return _at_scalars(x, entries)
    layout = layout_of(entries, call)
    sizes = [1 if k in layout.indexed else n for k, n in enumerate(typeof(x).shape)]
    dims = GatherDims(layout.offset_dims(), layout.indexed, layout.indexed)
    unique = len(positions) == 1 and positions[0].unique
    return gather(x, index_vectors(entries, layout), dims, sizes, mode, unique, fill_value)


def _spanned(x: Value, entries: Sequence[Entry]) -> Value:
    """The static slices of an index; axes with positions stay whole."""
    shape = typeof(x).shape
    start, limit, strides, reverse = [0] * len(shape), list(shape), [1] * len(shape), []
    for k, e in enumerate(entries):
        if not isinstance(e, Span):
            continue
        last = e.start + (e.count - 1) * e.step
        low, high = (e.start, last) if e.step > 0 else (last, e.start)
        start[k], strides[k] = (low if e.count else 0), abs(e.step)
        limit[k] = high + 1 if e.count else 0
        if e.count <= 1:
            strides[k] = 1
        elif e.step < 0:
            reverse.append(k)
    return rev(slice_(x, start, limit, strides), reverse)


def _at_scalars(x: Value, entries: Sequence[Entry]) -> Value:
    """Take axes away at integers: static ones by a slice, traced ones by a dynamic slice."""
    shape = typeof(x).shape
    start, limit, sizes = [0] * len(shape), list(shape), list(shape)
    starts: list[Value] = [np.int64(0)] * len(shape)
    traced = False
    for k, e in enumerate(entries):
        if not isinstance(e, Positions):
            continue
        sizes[k] = 1
        if isinstance(e.value, Tracer):
            starts[k], traced = e.value, True
            if shape[k] == 0:
                raise _fail(f"x[...]: a traced index into axis {k}, which has size 0")
        else:
            start[k], limit[k] = int(e.value), int(e.value) + 1
    x = slice_(x, start, limit)
    if traced:
        x = dynamic_slice(x, starts, sizes)
    return reshape(x, [n for k, n in enumerate(sizes) if isinstance(entries[k], Span)])
