"""What a primitive is: one class holding all of its rules.

The rules, in the order every primitive writes them: ``abstract_eval`` (shape and dtype), ``impl``
(the value, by NumPy), ``jvp``, ``transpose``, ``batch``, ``lower``. All take and return tuples.
Leaving a rule out fails when the module is imported; a rule that cannot exist is *stated* by one of
the functions at the end of this file, e.g. ``transpose = not_linear``.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NoReturn

from fxla.core.aval import Aval
from fxla.core.located import locate
from fxla.core.records import dataclass
from fxla.core.trace import AxisFrame, Trace, Value, state
from fxla.errors import FxlaError, InternalError

__all__ = [
    "Linear",
    "Primitive",
    "Zero",
    "is_linear",
    "is_zero",
    "not_linear",
    "registered",
]

registered: dict[str, Primitive] = {}
"""Every primitive that exists, by name. The law tests run over it."""


@dataclass(frozen=True, slots=True)
class Zero:
    """A tangent or cotangent that is zero by structure: nothing is computed for it."""

    aval: Aval


@dataclass(frozen=True, slots=True)
class Linear:
    """Stands, in a transpose rule, for an operand that a cotangent is wanted for."""

    aval: Aval

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the operand."""
        return self.aval.shape

    @property
    def dtype(self) -> Any:
        """Dtype of the operand."""
        return self.aval.dtype

    @property
    def ndim(self) -> int:
        """Number of axes of the operand."""
        return len(self.aval.shape)


def is_zero(x: object) -> bool:
    """Whether a tangent or cotangent is structurally zero."""
    return type(x) is Zero


def is_linear(x: object) -> bool:
    """Whether an operand of a transpose rule is one to produce a cotangent for."""
    return type(x) is Linear


class Primitive(ABC):
    """An operation that every transformation knows.

    Attributes:
        name: how it is printed in a jaxpr; unique.
        effectful: whether it must run even if nobody uses its results.
        collective: whether it speaks to other examples of a mapped axis; such a primitive has a
            param ``axis_name``, a tuple of the names of the axes.
        home: the name of the module that made it.
        broadcasts: whether NumPy broadcasts the operands of its `on_numpy` function against each
            other, so that the program need not.
        fails: whether it raises for some values of its operands; it must not run needlessly.
        updates: whether the result is the first operand with parts of it changed; such a primitive
            has `lower_in_place`.
        uses_blas: whether `impl` calls BLAS or LAPACK, which may have threads of their own.
    """

    name: str
    effectful: bool = False
    collective: bool = False
    home: str = ""
    broadcasts: bool = False
    fails: bool = False
    updates: bool = False
    uses_blas: bool = False

    def __init__(self) -> None:
        self.home = _calling_module()
        register(self)

    @abstractmethod
    def abstract_eval(self, *avals: Any, **params: Any) -> tuple[Aval, ...]:
        """Shapes and dtypes of the results, from those of the operands; checks them."""

    @abstractmethod
    def impl(self, *args: Any, **params: Any) -> tuple[Any, ...]:
        """The results for concrete arrays, by NumPy."""

    @abstractmethod
    def jvp(
        self, primals: Any, tangents: Any, *args: Any, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        """Results and their tangents. A tangent may be `Zero`, but not all of them are."""

    @abstractmethod
    def transpose(self, cts: Any, *operands: Any, **params: Any) -> tuple[Any, ...]:
        """Cotangents of the `Linear` operands from those of the results; None for the others.

        A cotangent of a primitive with several results may be `Zero`, but not all are.
        """

    @abstractmethod
    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, /, *args: Any, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        """Results for operands that carry a batch axis at ``axes[i]`` (None: not batched)."""

    @abstractmethod
    def lower(self, *views: Any, **params: Any) -> Any:
        """The results as pull arrays or loop nests, see `fxla.loops.view`."""

    def lower_in_place(self, *views: Any, **params: Any) -> Any:
        """The statements that change the first operand, whose memory the result takes over."""
        raise InternalError(f"{self.name} does not update its operand")

    def partial_eval(self, trace: Any, args: Sequence[Value], params: dict[str, Any]) -> Any:
        """Split into what can be computed now and what must be recorded; default: record all."""
        return trace.record(self, args, params)

    def on_numpy(
        self, avals: tuple[Aval, ...], params: dict[str, Any]
    ) -> Callable[..., Any] | None:
        """What `impl` does for operands of known types, as a function that gives the one result.

        It need not silence floating-point warnings; default: None, which means `impl`.
        """
        return None

    def inlined(self, params: dict[str, Any]) -> Any:
        """The jaxpr that an application of this primitive means, if it is no more than a call."""
        return None

    def dce(self, eqn: Any, used: Sequence[bool]) -> Any:
        """A cheaper equation that still gives the `used` results; default: the same."""
        return eqn

    def bind(self, *args: Value, **params: Any) -> tuple[Value, ...]:
        """Apply the primitive under the current trace."""
        trace: Trace = state.trace
        try:
            return trace.process(self, args, params)
        except FxlaError as error:
            locate(error)
            raise

    def bind1(self, *args: Value, **params: Any) -> Value:
        """Apply a primitive that has one result."""
        return self.bind(*args, **params)[0]

    def __repr__(self) -> str:
        return self.name


def _calling_module() -> str:
    """The name of the module whose code makes an object, seen from its constructor."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name == "__init__":
        frame = frame.f_back
    return "" if frame is None else str(frame.f_globals.get("__name__", ""))


def register(primitive: Primitive) -> None:
    """Add a primitive to `registered`; names are unique."""
    if registered.setdefault(primitive.name, primitive) is not primitive:
        raise InternalError(f"two primitives are named {primitive.name!r}")


def not_linear(self: Primitive, cts: Any, *operands: Any, **params: Any) -> NoReturn:
    """The transpose rule of a primitive that is not linear in any operand."""
    raise InternalError(f"{self.name} is not linear, so it has no transpose")
