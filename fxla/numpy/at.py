"""``x.at[index].set(v)`` and its kin: a changed copy, for traced and for concrete arrays.

Where an index array names a position twice, `add`, `multiply`, `min` and `max` apply every update
(like ``numpy.add.at``), and of two `set` the last one stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.array import Array, as_array
from fxla.core.dtypes import int64, is_inexact
from fxla.core.records import dataclass
from fxla.core.trace import Tracer, Value, eval_trace, state, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.indexing import (
    Entry,
    Layout,
    Positions,
    Span,
    getitem,
    layout_of,
    mask_of,
    read_index,
)
from fxla.numpy.operands import as_value, convert_all
from fxla.numpy.selected_items import (
    choose,
    chosen_elements,
    is_selecting,
    positions_or_outside,
)
from fxla.numpy.selection import Selection
from fxla.ops import arithmetic, elementwise, logic, transcendental
from fxla.ops.casts import convert
from fxla.ops.dynamic import dynamic_update_slice
from fxla.ops.gather_dims import GatherDims
from fxla.ops.index import scatter, scatter_add, scatter_max, scatter_min, scatter_mul
from fxla.ops.shape import stack
from fxla.ops.structure import broadcast_in_dim, broadcast_to, expand_dims, full, reshape

__all__ = ["IndexedUpdate", "Updater", "assigned"]

_MODES = {
    None: "fill",
    "drop": "fill",
    "fill": "fill",
    "clip": "clip",
    "promise_in_bounds": "promise_in_bounds",
}


def _mode(call: str, mode: Any) -> str:
    """What a gather or scatter does with a traced index out of bounds.

    Raises:
        ValueError: if there is no such mode.
    """
    if mode not in _MODES:
        raise ValueError(
            f"{call}: there is no mode {mode!r}{where_am_i()}. Give 'drop' or 'fill', 'clip' or "
            "'promise_in_bounds'."
        )
    return _MODES[mode]


class Updater:
    """What ``x.at`` is: index it to say which elements an update is of.

    Example:
        >>> import fxla.numpy as np
        >>> x = np.zeros(3)
        >>> x.at[1].set(5.0), x.at[[0, 0]].add(1.0)
        (Array([0., 5., 0.]), Array([2., 0., 0.]))
    """

    __slots__ = ("x",)

    def __init__(self, x: Value) -> None:
        self.x = x

    def __getitem__(self, index: Any) -> IndexedUpdate:
        return IndexedUpdate(self.x, index)

    def __repr__(self) -> str:
        return f"{self.x!r}.at"


class IndexedUpdate:
    """What ``x.at[index]`` is: the elements that an update is of.

    Every method takes ``mode``, for a traced index out of bounds: ``"drop"`` (the default) leaves
    the update out, ``"clip"`` moves it inside, ``"promise_in_bounds"`` says there is none.
    `unique_indices` says that no position is named twice, which lets updates run in parallel.
    """

    __slots__ = ("index", "x")

    def __init__(self, x: Value, index: Any) -> None:
        self.x = x
        self.index = index

    def __repr__(self) -> str:
        return f"{self.x!r}.at[{self.index!r}]"

    def get(self, *, mode: Any = None, fill_value: Any = None, **hints: Any) -> Value:
        """The elements: ``x[index]``, with a say about traced indices out of bounds.

        Example:
            >>> import fxla.numpy as np
            >>> np.arange(3).at[[0, 9]].get(mode="fill", fill_value=-1)
            Array([ 0, -1])
        """
        if mode is None and fill_value is None and self._eager():
            return as_array(np.asarray(self.x)[self.index])
        kind = "fill" if fill_value is not None and mode is None else (mode or "clip")
        if is_selecting(self.index):
            return choose(self.x, self.index)
        check = mode is None and fill_value is None
        return getitem(
            self.x, self.index, "x.at[...].get", _mode("x.at[...].get", kind), fill_value, check
        )

    def set(self, values: Any, **hints: Any) -> Value:
        """``x[index] = values`` on a copy.

        Example:
            >>> import fxla.numpy as np
            >>> np.arange(4).at[::2].set(9)
            Array([9, 1, 9, 3])
        """
        return self._update("set", np.copyto, scatter, values, hints)

    def add(self, values: Any, **hints: Any) -> Value:
        """``x[index] += values`` on a copy; a position named twice is increased twice."""
        return self._update("add", np.add, scatter_add, values, hints)

    def subtract(self, values: Any, **hints: Any) -> Value:
        """``x[index] -= values`` on a copy."""
        return self._update("subtract", np.subtract, _scatter_sub, values, hints)

    def multiply(self, values: Any, **hints: Any) -> Value:
        """``x[index] *= values`` on a copy."""
        return self._update("multiply", np.multiply, scatter_mul, values, hints)

    mul = multiply

    def divide(self, values: Any, **hints: Any) -> Value:
        """``x[index] /= values`` on a copy."""
        return self._update("divide", np.divide, _scatter_div, values, hints)

    def power(self, values: Any, **hints: Any) -> Value:
        """``x[index] **= values`` on a copy."""
        return self._update("power", np.power, _scatter_pow, values, hints)

    def min(self, values: Any, **hints: Any) -> Value:
        """``x[index] = minimum(x[index], values)`` on a copy."""
        return self._update("min", np.minimum, scatter_min, values, hints)

    def max(self, values: Any, **hints: Any) -> Value:
        """``x[index] = maximum(x[index], values)`` on a copy."""
        return self._update("max", np.maximum, scatter_max, values, hints)

    def apply(self, func: Callable[[Any], Any], **hints: Any) -> Value:
        """``x[index] = func(x[index])`` on a copy.

        Example:
            >>> import fxla.numpy as np
            >>> np.array([1.0, 4.0, 9.0]).at[1:].apply(np.sqrt)
            Array([1., 2., 3.])
        """
        return self.set(func(self.get()), **hints)

    def _eager(self) -> bool:
        return state.trace is eval_trace and isinstance(self.x, np.ndarray)

    def _update(
        self, name: str, ufunc: Any, rule: Callable[..., Value], values: Any, hints: dict[str, Any]
    ) -> Value:
        call = f"x.at[...].{name}"
        unknown = set(hints) - {"mode", "unique_indices", "indices_are_sorted"}
        if unknown:
            raise TypeError(
                f"{call}() got an unexpected keyword argument {unknown.pop()!r}{where_am_i()}"
            )
        if hints.get("mode") is None and self._eager():
            return _eager_update(self.x, self.index, ufunc, values)
        return _traced_update(call, self.x, self.index, rule, values, hints)


def _eager_update(x: Any, index: Any, ufunc: Any, values: Any) -> Any:
    """The update by NumPy itself."""
    out = np.array(x)
    if ufunc is np.copyto:
        out[index] = values
    elif ufunc in (np.divide, np.power) or _is_basic(index):
        out[index] = ufunc(out[index], values).astype(out.dtype, copy=False)
    else:
        ufunc.at(out, index, np.asarray(values).astype(out.dtype, copy=False))
    return out.view(Array)


def _is_basic(index: Any) -> bool:
    items = index if isinstance(index, tuple) else (index,)
    return all(i is None or i is Ellipsis or isinstance(i, (int, slice, np.integer)) for i in items)


# --- by scatter -----------------------------------------------------------------------------


def _scatter_sub(x: Value, indices: Value, updates: Value, *rest: Any) -> Value:
    return scatter_add(x, indices, arithmetic.neg(updates), *rest)


def _combined(x: Value, indices: Value, updates: Value, *rest: Any) -> Value:
    """The product of the updates of each position, 1 where there is none."""
    aval = typeof(x)
    return scatter_mul(full(aval.shape, 1, aval.dtype), indices, updates, *rest)


def _scatter_div(x: Value, indices: Value, updates: Value, *rest: Any) -> Value:
    by = _combined(x, indices, updates, *rest)
    if is_inexact(typeof(x).dtype):
        return arithmetic.div(x, by)
    wide = np.dtype(np.float64)
    return convert(arithmetic.div(convert(x, wide), convert(by, wide)), typeof(x).dtype)


def _scatter_pow(x: Value, indices: Value, updates: Value, *rest: Any) -> Value:
    return transcendental.pow_(x, _combined(x, indices, updates, *rest))


def _masked(call: str, x: Value, mask: Value, rule: Any, values: Value) -> Value:
    """The update where a traced mask is true, with values that do not depend on how many are."""
    shape, count = typeof(x).shape, typeof(mask).ndim
    if shape[:count] != typeof(mask).shape:
        raise ShapeError(
            f"{call}: a mask {typeof(mask)} does not fit the first axes of {typeof(x)}"
            f"{where_am_i()}. They must have the same sizes."
        )
    rest = shape[count:]
    if typeof(values).ndim > len(rest) and typeof(values).shape != shape:
        raise ShapeError(
            f"{call}: values {typeof(values)} for a traced mask{where_am_i()}: which element goes "
            "where is not known. Write `np.where(mask, values_of_the_shape_of_x, x)`."
        )
    values = broadcast_to(values, shape)
    which = broadcast_in_dim(mask, shape, range(count))
    changed = values if rule is scatter else _ELEMENTWISE[rule](x, values)
    return logic.select(which, changed, x)


_ELEMENTWISE: dict[Any, Callable[..., Value]] = {
    scatter_add: elementwise.add,
    _scatter_sub: arithmetic.sub,
    scatter_mul: arithmetic.mul,
    _scatter_div: arithmetic.div,
    _scatter_pow: transcendental.pow_,
    scatter_min: arithmetic.minimum,
    scatter_max: arithmetic.maximum,
}
"""What a scatter does where it meets one element."""


def _traced_update(
    call: str, x: Value, index: Any, rule: Any, values: Any, hints: dict[str, Any]
) -> Value:
    """The update by a scatter, or by something simpler where there is."""
    aval = typeof(x)
    mask = mask_of(index)
    if isinstance(values, Selection):
        values = chosen_elements(values, index if mask is None else mask, call)
        if mask is not None:
            values = reshape(values, aval.shape)
    values = convert_all([as_value(values, call)], aval.dtype)[0]
    if mask is not None:
        return _masked(call, x, mask, rule, values)
    mode = hints.get("mode")
    index = positions_or_outside(index, aval.shape)
    entries, new = read_index(index, aval.shape, call, check=mode is None)
    x = expand_dims(x, new)
    sizes = typeof(x).shape
    layout = layout_of(entries, call)
    spans = [e for e in entries if isinstance(e, Span)]
    updates = _fitted(call, values, layout.shape([e.count for e in spans]))
    plan = _plan(entries, sizes, layout)
    if typeof(updates).size == 0:
        out = x
    elif not plan.dims.start_index_map:
        out = updates if rule is scatter else _ELEMENTWISE[rule](x, updates)
    elif rule is scatter and not plan.batch and not _any_traced(entries) and mode is None:
        window = reshape(updates, plan.sizes)
        starts = [0] * len(sizes)
        for k, p in zip(plan.dims.start_index_map, np.ravel(plan.indices), strict=True):
            starts[k] = int(p)
        out = dynamic_update_slice(x, window, [np.int64(i) for i in starts])
    else:
        unique = hints.get("unique_indices", False) or _all_unique(entries)
        out = rule(x, plan.indices, updates, plan.dims, plan.sizes, _mode(call, mode), unique)
    return reshape(out, aval.shape)


def assigned(x: Value, index: Any, values: Any) -> Value:
    """``x[index] = values`` as a new value."""
    return _traced_update("x[...] = v", x, index, scatter, values, {})


def _fitted(call: str, values: Value, shape: tuple[int, ...]) -> Value:
    """The values in the shape of what they replace; leading axes of size 1 may be too many."""
    own = typeof(values).shape
    extra = len(own) - len(shape)
    if extra > 0 and all(n == 1 for n in own[:extra]):
        values, own = reshape(values, own[extra:]), own[extra:]
    fits = len(own) <= len(shape) and all(
        n in (1, m) for n, m in zip(own[::-1], shape[::-1], strict=False)
    )
    if not fits:
        raise ShapeError(
            f"{call}: could not broadcast {typeof(values)} into the shape {shape} of the indexed "
            f"elements{where_am_i()}. Reshape the values."
        )
    return broadcast_to(values, shape)


def _any_traced(entries: list[Entry]) -> bool:
    return any(isinstance(e, Positions) and isinstance(e.value, Tracer) for e in entries)


def _all_unique(entries: list[Entry]) -> bool:
    """Whether no position can be named twice."""
    positions = [e for e in entries if isinstance(e, Positions)]
    return all(e.scalar for e in positions) or (len(positions) == 1 and positions[0].unique)


@dataclass(frozen=True, slots=True)
class _Plan:
    """A scatter: its dimension numbers, window sizes, batch shape and index vectors."""

    dims: GatherDims
    sizes: tuple[int, ...]
    batch: tuple[int, ...]
    indices: Value


def _plan(entries: list[Entry], sizes: tuple[int, ...], layout: Layout) -> _Plan:
    """The scatter that writes to the elements an index names.

    A slice of step 1 is a window of its size; one that skips or reverses becomes positions, whose
    axis stands among the batch axes where NumPy has it in the result.
    """
    stepped: dict[int, int] = {}
    batch: list[int] = []
    offset: list[int] = []
    begin = 0
    axes: list[int | None] = [*layout.kept[: layout.first], None, *layout.kept[layout.first :]]
    place = 0
    for k in axes:
        if k is None:
            begin = len(batch)
            batch += layout.batch
            place += len(layout.batch)
            continue
        e = entries[k]
        assert isinstance(e, Span)
        if e.step != 1 and e.count > 1:
            stepped[k] = len(batch)
            batch.append(e.count)
        else:
            offset.append(place)
        place += 1
    columns: list[Value] = []
    mapped: list[int] = []
    window = list(sizes)
    for k, e in enumerate(entries):
        if isinstance(e, Positions):
            rank = typeof(e.value).ndim
            last = begin + len(layout.batch)
            columns.append(_spread(e.value, batch, range(last - rank, last)))
            window[k] = 1
        elif k in stepped:
            positions = e.start + e.step * np.arange(e.count)
            columns.append(_spread(positions, batch, (stepped[k],)))
            window[k] = 1
        elif e.count != sizes[k]:
            columns.append(np.full(batch, e.start))
            window[k] = e.count
        else:
            continue
        mapped.append(k)
    single = tuple(k for k in mapped if k in stepped or isinstance(entries[k], Positions))
    dims = GatherDims(tuple(offset), single, tuple(mapped))
    concrete = all(isinstance(c, np.ndarray) for c in columns)
    if not columns:
        indices: Value = np.zeros((*batch, 0), np.int64)
    elif concrete:
        indices = np.stack(columns, -1).astype(np.int64)
    else:
        indices = stack([convert(c, int64) for c in columns], len(batch))
    return _Plan(dims, tuple(window), tuple(batch), indices)


def _spread(value: Value, shape: list[int], dims: Any) -> Value:
    """Positions along some of the batch axes, repeated along the others."""
    if isinstance(value, Tracer):
        return broadcast_in_dim(value, shape, dims)
    placed = [1] * len(shape)
    for d, n in zip(dims, np.shape(value), strict=True):
        placed[d] = n
    return np.broadcast_to(np.reshape(value, placed), shape)
