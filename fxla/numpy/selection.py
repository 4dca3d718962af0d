"""Arrays whose size depends on values: what ``x[mask]`` is while the mask is not known.

NumPy's ``x[mask]`` has as many elements as the mask has true ones. While tracing, that number is a
value of the program, not a part of a type. A `Selection` stands for such an array: all the elements
that could be chosen, in their places, and the mask that says which are. Elementwise functions work
on all of them, reductions leave out those that are not chosen, and nothing is moved in memory:
``x[x > 0].sum()`` is one loop. Only where the order or the number of elements matters (a slice, the
result of a compiled function) are they brought together in front.

Elements that are not chosen hold a copy of the first one that is, so whatever the program does to
them is what it does to a real element: no NaN, and no error, comes from them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from fxla.control.api import stop_gradient
from fxla.core.dtypes import DType, int64
from fxla.core.pytree import register_node
from fxla.core.trace import Tracer, Value, is_same, typeof, where_am_i
from fxla.errors import (
    NonConcreteBooleanIndexError,
    TracerArrayConversionError,
    TracerIntegerConversionError,
)
from fxla.numpy.dispatch import OpenSize, dispatched
from fxla.ops.arithmetic import sub
from fxla.ops.casts import convert
from fxla.ops.compact import compact
from fxla.ops.cumulative import cumsum
from fxla.ops.index import take
from fxla.ops.logic import lt, select
from fxla.ops.reduce import argmax, reduce_or
from fxla.ops.shape import iota
from fxla.ops.structure import broadcast_in_dim, broadcast_to, full, reduce_sum, reshape

__all__ = ["Selection", "common_selection", "indexing", "no_fixed_size", "places_of_true"]


def places_of_true(mask: Value, size: int) -> tuple[Value, Value]:
    """Positions of the first `size` true elements of a vector, and which of these exist.

    Positions that do not exist are the length of the vector.
    """
    n = typeof(mask).shape[0]
    found = compact(full((size,), n, int64), mask, iota(int64, (n,)))
    return found, lt(found, full((size,), n, int64))


def no_fixed_size(call: str, what: str = "x[mask]") -> NonConcreteBooleanIndexError:
    """The error for what needs to know how many elements were chosen."""
    return NonConcreteBooleanIndexError(
        f"{call}: the size of {what} depends on values that are not known while tracing"
        f"{where_am_i()}. Elementwise functions, reductions, sorting, and reading or writing at "
        "such positions work; for this write `x[np.nonzero(mask, size=n)]` for at most n elements, "
        "or `np.where(mask, x, 0)`, which keeps the shape."
    )


indexing: dict[str, Callable[..., Any]] = {}
"""What indexing a selection means; `fxla.numpy.selected_items` fills it in."""


class Selection(OpenSize):
    """The elements of an array at which a traced mask is true, in order.

    It is what ``x[mask]``, ``np.nonzero(x)`` and ``np.unique(x)`` give while the values that decide
    the size are not known. It has an array's operators, methods and attributes; ``shape[axis]`` and
    ``size`` are traced integers. A compiled function that returns one returns an array of the real
    size.

    Attributes:
        raw: all elements, chosen or not.
        mask: which positions along `axis` are chosen: a boolean vector.
        axis: the axis whose size is not known.

    Example:
        >>> import fxla, fxla.numpy as np
        >>> @fxla.jit
        ... def positive(x):
        ...     chosen = x[x > 0]
        ...     return chosen.mean(), np.sqrt(chosen)
        >>> positive(np.array([4.0, -1.0, 9.0]))
        (Array(6.5), Array([2., 3.]))
    """

    __slots__ = ("_safe", "axis", "mask", "raw")
    __array_priority__ = 2000
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, raw: Value, mask: Value, axis: int = 0, safe: bool = False) -> None:
        self.raw = raw
        self.mask = mask
        self.axis = axis
        self._safe = safe

    # --- what it is made of ---

    def spread(self, vector: Value) -> Value:
        """A vector along `axis`, in the shape of all elements."""
        return broadcast_in_dim(vector, typeof(self.raw).shape, (self.axis,))

    def filled(self) -> Value:
        """All elements, with the first chosen one in the place of those that are not."""
        if not self._safe:
            shape, dtype = typeof(self.raw).shape, typeof(self.raw).dtype
            if shape[self.axis]:
                first = take(self.raw, reshape(argmax(self.mask, 0), (1,)), self.axis)
                one = full(typeof(first).shape, 1, dtype)
                some = broadcast_to(reduce_or(self.mask, (0,)), typeof(first).shape)
                other = stop_gradient(select(some, first, one))
                self.raw = select(self.spread(self.mask), self.raw, broadcast_to(other, shape))
            self._safe = True
        return self.raw

    def masked(self, other: Any) -> Value:
        """All elements, with a number in the place of those that are not chosen."""
        aval = typeof(self.raw)
        return select(self.spread(self.mask), self.raw, full(aval.shape, other, aval.dtype))

    def count(self) -> Value:
        """How many positions are chosen: i64[]."""
        return reduce_sum(convert(self.mask, int64), (0,))

    def ranks(self) -> Value:
        """For each position, how many chosen ones stand before it: i64[n]."""
        return sub(cumsum(convert(self.mask, int64), 0), convert(self.mask, int64))

    def together(self) -> Selection:
        """The same elements with the chosen ones in front."""
        n = typeof(self.mask).shape[0]
        front = lt(iota(int64, (n,)), broadcast_to(self.count(), (n,)))
        if self.ndim == 1:
            return Selection(compact(full((n,), 0, self.dtype), self.mask, self.raw), front)
        places, _ = places_of_true(self.mask, n)
        return Selection(take(self.raw, places, self.axis), front, self.axis)

    # --- what an array has ---

    @property
    def dtype(self) -> DType:
        """Element type."""
        return typeof(self.raw).dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return typeof(self.raw).ndim

    @property
    def shape(self) -> tuple[Any, ...]:
        """Sizes of the axes; that of `axis` is a traced integer."""
        sizes: list[Any] = list(typeof(self.raw).shape)
        sizes[self.axis] = self.count()
        return tuple(sizes)

    @property
    def size(self) -> Any:
        """Number of elements, a traced integer."""
        sizes = typeof(self.raw).shape
        others = int(np.prod([n for k, n in enumerate(sizes) if k != self.axis], dtype=np.int64))
        return self.count() * others

    @property
    def T(self) -> Selection:  # noqa: N802 - NumPy's name
        """Axes reversed."""
        return self._method("transpose")()  # type: ignore[no-any-return]

    @property
    def aval(self) -> NoReturn:
        """None: what asks for it needs a shape."""
        raise no_fixed_size("this operation")

    def __len__(self) -> int:
        raise TracerIntegerConversionError(
            f"len(x[mask]): the number of true elements is not known while tracing{where_am_i()}. "
            "Write `x[mask].shape[0]` or `np.count_nonzero(mask)`, which are traced integers."
        )

    def __iter__(self) -> NoReturn:
        raise no_fixed_size("iteration")

    def __bool__(self) -> NoReturn:
        raise no_fixed_size("bool()")

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise TracerArrayConversionError(str(no_fixed_size("numpy.asarray")))

    def __repr__(self) -> str:
        sizes = ["?" if k == self.axis else str(n) for k, n in enumerate(typeof(self.raw).shape)]
        text = str(typeof(self.raw)).partition("[")[0]
        return f"Selection<{text}[{','.join(sizes)}]>"

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if kwargs.get("out") is not None:
            raise no_fixed_size(f"np.{ufunc.__name__}(..., out=)")
        function = dispatched.get(ufunc)
        if method != "__call__" or function is None:
            raise no_fixed_size(f"np.{ufunc.__name__}.{method}")
        return function(*inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        function = dispatched.get(func)
        if function is None:
            raise no_fixed_size(f"np.{func.__name__}")
        return function(*args, **kwargs)

    def _method(self, name: str) -> Callable[..., Any]:
        function = dispatched[getattr(np, name)]
        return lambda *args, **kwargs: function(self, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in _METHODS:
            return self._method(name)
        raise AttributeError(
            f"x[mask].{name}: the size of x[mask] is not known while tracing{where_am_i()}, and it "
            f"has no attribute {name!r}. Give the size: `x[np.nonzero(mask, size=n)]`."
        )

    def astype(self, dtype: Any, **kwargs: Any) -> Selection:
        """The elements converted."""
        return self._with(convert(self.raw, np.dtype(dtype)))

    def copy(self) -> Selection:
        """Another array of the same elements."""
        return self._with(self.raw)

    def reshape(self, *shape: Any, **kwargs: Any) -> Selection:
        """The elements in a shape in which the unknown size stays an axis of its own."""
        return self._method("reshape")(  # type: ignore[no-any-return]
            shape[0] if len(shape) == 1 else shape, **kwargs
        )

    def sort(self, axis: int = -1, **kwargs: Any) -> None:
        """Sort in place: a selection is a copy, as NumPy's ``x[mask]``."""
        self._become(self._method("sort")(axis, **kwargs))

    def _with(self, raw: Value) -> Selection:
        return Selection(raw, self.mask, self.axis, self._safe)

    def _become(self, other: Selection) -> None:
        self.raw, self.mask, self.axis, self._safe = other.raw, other.mask, other.axis, other._safe

    # --- indexing ---

    def __getitem__(self, index: Any) -> Any:
        return indexing["getitem"](self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._become(indexing["changed"](self, index, value))

    def aligned(self, other: Selection) -> bool:
        """Whether another selection is known to be of the same positions."""
        return self.mask is other.mask or is_same(self.mask, other.mask)


def common_selection(call: str, selections: Sequence[Selection]) -> Selection:
    """The first of some selections.

    Raises:
        IndexError: if they are not known to be of the same positions.
    """
    first = selections[0]
    if not all(first.aligned(s) for s in selections[1:]):
        raise no_fixed_size(call, "arrays selected by masks that are not known to be equal")
    return first


_METHODS = frozenset(
    "all any argmax argmin clip conj conjugate cumprod cumsum dot imag max mean min nonzero prod "
    "ptp ravel real repeat round searchsorted std sum swapaxes take transpose var".split()
)


def _binary(ufunc: np.ufunc, reflected: bool) -> Callable[[Any, Any], Any]:
    def operate(self: Any, other: Any) -> Any:
        if other is None or isinstance(other, (str, bytes, dict, set)):
            return NotImplemented
        function = dispatched[ufunc]
        return function(other, self) if reflected else function(self, other)

    return operate


def _unary(ufunc: np.ufunc) -> Callable[[Any], Any]:
    return lambda self: dispatched[ufunc](self)


for _name, _ufunc in {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "truediv": np.divide,
    "floordiv": np.floor_divide,
    "mod": np.remainder,
    "divmod": np.divmod,
    "pow": np.power,
    "matmul": np.matmul,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "lshift": np.left_shift,
    "rshift": np.right_shift,
}.items():
    setattr(Selection, f"__{_name}__", _binary(_ufunc, reflected=False))
    setattr(Selection, f"__r{_name}__", _binary(_ufunc, reflected=True))
for _name, _ufunc in {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}.items():
    setattr(Selection, f"__{_name}__", _binary(_ufunc, reflected=False))
for _name, _ufunc in {
    "neg": np.negative,
    "pos": np.positive,
    "abs": np.absolute,
    "invert": np.invert,
}.items():
    setattr(Selection, f"__{_name}__", _unary(_ufunc))


def _flatten(selection: Selection) -> tuple[tuple[Value, Value], int]:
    """A selection as a value of a program: the chosen elements in front, and how many they are."""
    if not isinstance(selection.mask, (Tracer, np.ndarray)):  # leaves that are not arrays
        return (selection.raw, selection.mask), selection.axis
    return (selection.together().raw, selection.count()), selection.axis


def _unflatten(axis: int, children: Any) -> Any:
    """The real array where the number of elements is known by now, else a selection again."""
    raw, count = children
    if not isinstance(count, (Tracer, np.ndarray, np.generic)):
        return Selection(raw, count, axis)  # a structure with something else for leaves
    if typeof(count).ndim:
        raise NonConcreteBooleanIndexError(
            f"vmap: each example's x[mask] has its own number of elements{where_am_i()}, so they "
            "do not make one array. Reduce it inside the mapped function, or give the size: "
            "`x[np.nonzero(mask, size=n)]`."
        )
    known = count.concrete() if isinstance(count, Tracer) else count
    if known is not None and not isinstance(known, Tracer):
        return raw[(slice(None),) * axis + (slice(int(known)),)]
    n = typeof(raw).shape[axis]
    return Selection(raw, lt(iota(int64, (n,)), broadcast_to(count, (n,))), axis)


register_node(Selection, _flatten, _unflatten)
