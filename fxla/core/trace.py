"""Traces and tracers: how a transformation sees the operations of a Python function.

A *trace* is one interpretation of primitives. One trace is current on each thread; ``bind`` hands
every operation to it. A trace holds its parent, the trace that was current when it was entered, and
interprets an operation by operations of its parent. A *tracer* is a value as one trace sees it; it
belongs to a trace if ``x.owner is self``, so two nested derivatives can never be confused.
"""

from __future__ import annotations

import functools
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from fxla.core.array import as_array
from fxla.core.aval import Aval
from fxla.core.dtypes import scalar_dtype
from fxla.core.scopes import special
from fxla.core.source import Source, at_user_line, is_storing, user_source
from fxla.errors import (
    ConcretizationError,
    LeakedTracerError,
    TracerArrayConversionError,
    TracerBoolConversionError,
    TracerIntegerConversionError,
)

if TYPE_CHECKING:
    from fxla.core.jaxpr import Jaxpr
    from fxla.core.primitive import Primitive

__all__ = [
    "AxisFrame",
    "EvalTrace",
    "Trace",
    "Tracer",
    "Value",
    "advice_on_flow",
    "array_methods",
    "axis_frame",
    "current_trace",
    "device_evaluation",
    "eval_trace",
    "is_on_device",
    "is_same",
    "is_tracing",
    "leaked",
    "named_axis",
    "program_evaluation",
    "raise_leaked",
    "running",
    "scope_key",
    "state",
    "typeof",
    "where_am_i",
]

Value = Any
"""A concrete array, a NumPy or Python scalar, or a tracer."""


class Trace(ABC):
    """One interpretation of primitives.

    Attributes:
        parent: the trace that interprets this trace's own operations.
        label: what the user called, e.g. ``grad``; for messages.
        function: name of the user's function being traced; for messages.
        alive: False once the transformation has returned.
        evaluates: whether it keeps concrete arrays, and values of one type have one aval.
    """

    parent: Trace | None = None
    label: str = ""
    function: str = ""
    alive: bool = True
    evaluates: bool = False

    @abstractmethod
    def process(
        self, primitive: Primitive, args: Sequence[Value], params: dict[str, Any]
    ) -> tuple[Value, ...]:
        """Interpret one application of `primitive`."""

    def same(self, x: Any, y: Any) -> bool:
        """Whether two tracers of this trace are known to have one value."""
        return x is y

    def run(self, program: Jaxpr, args: Sequence[Value]) -> tuple[Value, ...]:
        """Interpret a whole program, as if each of its equations were bound under this trace."""
        with running(self):
            return program.run(*args)

    def adopt(self, x: Tracer) -> bool:
        """Take over an array of an enclosing trace that is about to be written to, if it may be."""
        return False

    def lift(self, x: Value) -> Value:
        """A value of an outer trace, or a concrete one, as a tracer of this trace.

        It is constant to this trace until a value that is not is written into it.
        """
        return x


class EvalTrace(Trace):
    """Evaluates: every operation runs on concrete arrays at once."""

    label = "eval"

    def process(
        self, primitive: Primitive, args: Sequence[Value], params: dict[str, Any]
    ) -> tuple[Value, ...]:
        on_device = False
        for x in args:
            if isinstance(x, Tracer):
                return self.process(primitive, [leaked(y) for y in args], params)
            on_device = on_device or is_on_device(x)
        if on_device:
            found: tuple[Value, ...] = device_evaluation[0](primitive, args, params)
            return found
        return tuple([as_array(out) for out in primitive.impl(*args, **params)])

    def run(self, program: Jaxpr, args: Sequence[Value]) -> tuple[Value, ...]:
        """The results as NumPy gives them, not yet as `Array`."""
        evaluate = program.derived.get("numpy")
        if evaluate is None:
            evaluate = program.derived["numpy"] = program_evaluation[0](program)
        found: tuple[Value, ...] = evaluate(args)
        return found


eval_trace = EvalTrace()

_HOST = (np.ndarray, np.generic, int, float, complex)

device_evaluation: list[Callable[[Primitive, Sequence[Value], dict[str, Any]], Any]] = []
"""What a primitive means on arrays of a device; `fxla.control.programs` puts it here."""


program_evaluation: list[Callable[[Jaxpr], Callable[[Sequence[Value]], Any]]] = []
"""How a program is evaluated by NumPy; `fxla.transforms.tape` puts it here."""


def is_on_device(x: Any) -> bool:
    """Whether `x` is an array in the memory of a CUDA device: CuPy's, or any library's."""
    return not isinstance(x, _HOST) and hasattr(x, "__cuda_array_interface__")


class AxisFrame:
    """A mapped axis in scope inside ``vmap``: its name (None if it has none) and size."""

    __slots__ = ("name", "size")

    def __init__(self, name: object, size: int) -> None:
        self.name = name
        self.size = size


class _ThreadState(threading.local):
    def __init__(self) -> None:
        self.trace: Trace = eval_trace
        self.axes: tuple[AxisFrame, ...] = ()
        self.ambient: tuple[Hashable, ...] = ()
        """What else the functions called now depend on, and so the programs traced of them."""


state = _ThreadState()


def current_trace() -> Trace:
    """The trace that interprets operations on this thread now."""
    return state.trace


def is_tracing() -> bool:
    """Whether any transformation is tracing on this thread."""
    return state.trace is not eval_trace


class running:
    """Make `trace` current for a ``with`` block; the previous one returns even on an exception."""

    __slots__ = ("before", "ends", "trace")

    def __init__(self, trace: Trace, ends: bool = False) -> None:
        self.trace = trace
        self.ends = ends

    def __enter__(self) -> Trace:
        self.before = state.trace
        if self.trace is not eval_trace:
            special.append(None)
        state.trace = self.trace
        return self.trace

    def __exit__(self, *exc: object) -> None:
        state.trace = self.before
        if self.trace is not eval_trace:
            special.pop()
        if self.ends:
            self.trace.alive = False


class named_axis:
    """Bring a mapped axis into scope for a ``with`` block."""

    __slots__ = ("before", "frame")

    def __init__(self, frame: AxisFrame) -> None:
        self.frame = frame

    def __enter__(self) -> AxisFrame:
        self.before = state.axes
        special.append(None)
        state.axes = (*state.axes, self.frame)
        return self.frame

    def __exit__(self, *exc: object) -> None:
        state.axes = self.before
        special.pop()


def scope_key() -> Hashable:
    """What a trace of a program depends on besides the program, such as the named axes in scope."""
    return (*[(f.name, f.size) for f in state.axes], *state.ambient)


def axis_frame(name: object) -> AxisFrame:
    """The innermost mapped axis of that name.

    Raises:
        NameError: if no enclosing ``vmap`` names such an axis.
    """
    for frame in reversed(state.axes):
        if frame.name == name:
            return frame
    known = ", ".join(repr(f.name) for f in state.axes if f.name is not None) or "none"
    raise NameError(
        f"axis name {name!r} is not bound{where_am_i()}. Names in scope: {known}. "
        f"Write vmap(f, axis_name={name!r}) around the function that uses it."
    )


advice_on_flow: list[Callable[[Source, bool], str]] = []
"""The end of a message about a condition on a traced value: the user's statement as it can be
written, given its place, and whether it is a condition or a number that Python asks for. The
package puts it here, and imports it when it is used."""


def _with_advice(error: ConcretizationError, is_condition: bool) -> ConcretizationError:
    source = user_source()
    if source is not None and advice_on_flow:
        error.advice = functools.partial(advice_on_flow[0], source, is_condition)
    return error


array_methods: dict[str, Callable[..., Any]] = {}
"""What operators and methods of tracers mean; the NumPy floor fills it in when it is imported."""


def _method(name: str) -> Callable[..., Any]:
    def call(self: Tracer, *args: Any, **kwargs: Any) -> Any:
        return array_methods[name](self, *args, **kwargs)

    call.__name__ = name
    return call


_OPERATORS = "add sub mul truediv floordiv mod divmod pow matmul and or xor lshift rshift".split()
_UNARY = "neg pos abs invert round".split()
_COMPARISONS = "eq ne lt le gt ge".split()
_IN_PLACE = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split()
_METHODS = (
    "all any argmax argmin argpartition argsort astype choose clip compress conj conjugate copy "
    "cumprod cumsum diagonal dot flatten item max mean min nonzero prod ptp ravel repeat reshape "
    "round searchsorted sort squeeze std sum swapaxes take to_device tolist trace transpose var "
    "view block_until_ready fill partition put resize"
).split()


class Tracer:
    """A value inside a transformation. It has an array's attributes, methods and operators.

    Attributes:
        owner: the trace it belongs to (`trace` is the matrix trace, as for arrays).
        alias: what it shares memory with in the user's eyes; not set if with nothing. See
            `fxla.core.aliasing`.
        aval: its shape and dtype.
    """

    __slots__ = ("__weakref__", "alias", "owner")
    __array_priority__ = 1000
    owner: Trace
    alias: Any

    @property
    def aval(self) -> Aval:
        """Shape, dtype and weakness."""
        raise NotImplementedError

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes, as Python integers."""
        return self.aval.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type."""
        return self.aval.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.aval.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.aval.size

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.aval.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.itemsize

    @property
    def weak_type(self) -> bool:
        """Whether the dtype came from a Python scalar and yields to the dtype it meets."""
        return self.aval.weak_type

    def concrete(self) -> Value | None:
        """The concrete array behind this tracer, if there is one (as under ``grad``)."""
        return None

    def known(self) -> Value | None:
        """The concrete array behind this tracer, if it depends on no argument of any trace."""
        return None

    def assume(self, other: Any) -> None:
        """Become another tracer of the same trace: what was written into this one."""
        raise NotImplementedError

    def clone(self) -> Any:
        """Another tracer of the same value, which is not written to when this one is."""
        raise NotImplementedError

    @property
    def T(self) -> Any:  # noqa: N802 - NumPy's name
        """Axes reversed."""
        return array_methods["transpose"](self)

    @property
    def mT(self) -> Any:  # noqa: N802 - NumPy's name
        """Last two axes swapped."""
        return array_methods["matrix_transpose"](self)

    @property
    def real(self) -> Any:
        """Real part; assigning to it writes into the array."""
        return array_methods["real"](self)

    @real.setter
    def real(self, value: Any) -> None:
        array_methods["set_real"](self, value)

    @property
    def imag(self) -> Any:
        """Imaginary part; assigning to it writes into the array."""
        return array_methods["imag"](self)

    @imag.setter
    def imag(self, value: Any) -> None:
        array_methods["set_imag"](self, value)

    @property
    def flat(self) -> Any:
        """The elements in C order, as a 1-d array that writes through."""
        return array_methods["flat"](self)

    @flat.setter
    def flat(self, value: Any) -> None:
        array_methods["set_flat"](self, value)

    @property
    def at(self) -> Any:
        """Indexed updates: ``x.at[i].set(v)``, ``add``, ``multiply``, ``min``, ``max``, ..."""
        return array_methods["at"](self)

    @property
    def device(self) -> Any:
        """Where the value will be computed."""
        return "cpu"

    def __len__(self) -> int:
        if not self.aval.shape:
            raise TypeError(f"len() of unsized object: a traced {self.aval}{where_am_i()}")
        return self.aval.shape[0]

    def __iter__(self) -> Any:
        if not self.aval.shape:
            raise TypeError(f"iteration over a 0-d array: a traced {self.aval}{where_am_i()}")
        return (self[i] for i in range(self.aval.shape[0]))

    def __getitem__(self, index: Any) -> Any:
        return array_methods["getitem"](self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        array_methods["setitem"](self, index, value)

    def __hash__(self) -> int:
        return id(self)

    def __bool__(self) -> bool:
        known = self.concrete()
        if known is not None:
            return bool(known)
        error = TracerBoolConversionError(
            f"bool() of a traced {self.aval}: its value is not known while tracing"
            f"{where_am_i()}. A Python `if`, `while`, `and`, `or` or `not` needs a concrete value. "
            "Write `lax.cond(x, true_fun, false_fun, *operands)` or `np.where(x, a, b)` for a "
            "branch, `lax.while_loop` for a loop, `&`, `|`, `~` for logic; or make the argument "
            "that decides static with `jit(f, static_argnums=...)`."
        )
        raise _with_advice(error, True)

    def _to_number(self, kind: type) -> Any:
        known = self.concrete()
        if known is not None:
            if is_storing(sys._getframe(2)) and self.known() is None:
                self.__array__()
            return kind(np.asarray(known).item()) if np.size(known) == 1 else kind(known)
        remedy = (
            "If it is a size or a Python index, pass it as a static argument "
            "(`jit(f, static_argnums=...)`) or take it from `.shape`; to index with a traced "
            "integer use `x[i]` of an array or `lax.dynamic_slice`; to convert use `.astype`."
            if kind is int
            else "A function of Python's `math`, or `.item()`, asks for a number: use the function "
            "of that name in `fxla.numpy`, and `.astype` to convert; or pass the argument as a "
            "static one (`jit(f, static_argnums=...)`)."
        )
        error = TracerIntegerConversionError(
            f"{kind.__name__}() of a traced {self.aval}: its value is not known while tracing"
            f"{where_am_i()}. {remedy}"
        )
        raise _with_advice(error, False)

    def __int__(self) -> int:
        return int(self._to_number(int))

    def __float__(self) -> float:
        return float(self._to_number(float))

    def __complex__(self) -> complex:
        return complex(self._to_number(complex))

    def __index__(self) -> int:
        known = self.concrete()
        if known is not None:
            return np.asarray(known).__index__()
        return int(self._to_number(int))

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        constant = self.known()
        if constant is not None:
            return np.array(constant, dtype)
        known = self.concrete()
        hint = (
            "its value must stay traced for the derivative to see it"
            if known is not None
            else "its value is not known while tracing"
        )
        raise TracerArrayConversionError(
            f"numpy.asarray of a traced {self.aval}: {hint}{where_am_i()}. A function that is not "
            "NumPy's, or an assignment into a NumPy array such as `a[i] = x`, asked for a concrete "
            "array. Use the function of that name in `fxla.numpy`; write into an array that was "
            "made in the traced function, such as `a = np.array(a)`; for a value outside the "
            "derivative use `lax.stop_gradient`."
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return array_methods["array_ufunc"](self, ufunc, method, *inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return array_methods["array_function"](self, func, types, args, kwargs)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return array_methods["array_namespace"](self, api_version=api_version)

    def __format__(self, spec: str) -> str:
        known = self.known()
        if known is not None and not np.ndim(known):
            return format(np.asarray(known)[()], spec)
        return format(str(self), spec if not spec or spec[-1] in "s<>^" else "")

    def __repr__(self) -> str:
        known = self.known()
        return f"Tracer<{self.aval}>" if known is None else repr(as_array(known))

    def __str__(self) -> str:
        known = self.known()
        return repr(self) if known is None else str(known)


for _name in _OPERATORS:
    setattr(Tracer, f"__{_name}__", _method(_name))
    setattr(Tracer, f"__r{_name}__", _method("r" + _name))
for _name in _IN_PLACE:
    setattr(Tracer, f"__i{_name}__", _method("i" + _name))
for _name in (*_UNARY, *_COMPARISONS):
    setattr(Tracer, f"__{_name}__", _method(_name))
for _name in _METHODS:
    setattr(Tracer, _name, _method(_name))


_array_avals: dict[tuple[tuple[int, ...], np.dtype[Any]], Aval] = {}
"""Of arrays that were asked for: looking one up is cheaper than making it, and it stays one."""

_CAPACITY = 4096


def _array_aval(key: tuple[tuple[int, ...], np.dtype[Any]]) -> Aval:
    shape, dtype = key
    if len(_array_avals) >= _CAPACITY:
        _array_avals.clear()
    made = Aval(shape, dtype if dtype.isnative else dtype.newbyteorder("="))
    return _array_avals.setdefault(key, made)


def typeof(x: Value) -> Aval:
    """The aval of a tracer, an array, a scalar, or anything that has an ``aval``.

    Example:
        >>> str(typeof(3.0)), typeof(3.0).weak_type
        ('f64[]', True)
    """
    if isinstance(x, np.ndarray):  # first, because there are most of them
        key = x.shape, x.dtype
        return _array_avals.get(key) or _array_aval(key)
    if isinstance(x, Tracer):
        return x.aval
    if isinstance(x, (bool, int, float, complex)) and not isinstance(x, np.generic):
        return Aval((), scalar_dtype(x), not isinstance(x, bool))
    if isinstance(x, np.generic):
        return Aval((), x.dtype)
    aval = getattr(x, "aval", None)
    if aval is None and is_on_device(x):
        dtype = x.dtype if isinstance(x.dtype, np.dtype) else x.__cuda_array_interface__["typestr"]
        return Aval(tuple(x.shape), np.dtype(dtype))
    if aval is None:
        raise TypeError(
            f"expected an array or a number, got {type(x).__qualname__}{where_am_i()}. Convert it "
            "with `fxla.numpy.asarray`, or register its class with `fxla.tree.register_dataclass` "
            "if it is a container of arrays."
        )
    return aval  # type: ignore[no-any-return]


def is_same(x: Value, y: Value) -> bool:
    """Whether two values are known to be equal: one value, or made by equal operations of one.

    Example:
        >>> is_same(np.arange(3), np.arange(3)), is_same(1.0, 2.0)
        (True, False)
    """
    if x is y:
        return True
    if isinstance(x, Tracer) or isinstance(y, Tracer):
        return type(x) is type(y) and x.owner is y.owner and x.owner.same(x, y)
    return bool(np.array_equal(x, y))


def where_am_i() -> str:
    """``, at model.py:12, in "loss" traced by grad`` for the end of a message's first sentence."""
    return at_user_line() + traced_by()


def traced_by() -> str:
    """``, in "loss" traced by grad``, or nothing outside of transformations."""
    trace: Trace | None = state.trace
    while trace is not None and not trace.function:
        trace = trace.parent
    return "" if trace is None else f', in "{trace.function}" traced by {trace.label}'


def leaked(x: Value) -> Value:
    """The value of a tracer whose transformation has ended, if it depended on no argument.

    Raises:
        LeakedTracerError: if it did.
    """
    if not isinstance(x, Tracer):
        return x
    known = x.known()
    if known is None:
        raise_leaked(x)
    return known


def raise_leaked(x: Tracer) -> NoReturn:
    """Raise the error for a tracer whose transformation has ended."""
    made_by = f'{x.owner.label} of "{x.owner.function}"' if x.owner.function else "a transformation"
    raise LeakedTracerError(
        f"a traced {x.aval} of {made_by} was used after that transformation had finished"
        f"{where_am_i()}. It was probably stored in a global, an attribute or a list by the traced "
        "function, or a rule of custom_jvp or custom_vjp closes over it. Return the value from the "
        "function instead, or pass it to the custom function as an argument."
    )
