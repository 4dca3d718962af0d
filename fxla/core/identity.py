"""What a jaxpr computes, as text that is the same in every process.

Two programs of equal text are the same program: equations by name and number, types, literals to
the bit, params by content. The name of a variable, the lines of the user's code and what was
derived from a program do not matter, nor does what a call means to a transformation, as the rule of
a `custom_jvp` does. Another param that is known by identity only, as a function is, has no text.

    identity : jaxpr -> text, or None
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.jaxpr import Atom, ClosedJaxpr, Jaxpr, Literal, Var

__all__ = ["identity"]


class _NoIdentityError(Exception):
    """Something is known by identity only."""


def identity(jaxpr: Jaxpr) -> str | None:
    """The text of a program; None if it holds what has no text.

    Example:
        >>> import fxla
        >>> one, other = (fxla.make_jaxpr(lambda x: x * 2 + 1)(3.0).jaxpr for _ in range(2))
        >>> one is other, identity(one) == identity(other)
        (False, True)
        >>> identity(one) == identity(fxla.make_jaxpr(lambda x: x * 2 + 1)(3).jaxpr)
        False
    """
    try:
        return "\n".join(_Writer().program(jaxpr))
    except _NoIdentityError:
        return None


class _Writer:
    """Writes programs, and remembers how it wrote what occurs often."""

    def __init__(self) -> None:
        self.avals: dict[Aval, str] = {}
        self.programs: dict[int, str] = {}

    def program(self, jaxpr: Jaxpr) -> list[str]:
        numbers: dict[Var, int] = {}
        aval, param = self.aval, self.param

        def bind(var: Var) -> str:
            numbers[var] = len(numbers)
            return aval(var.aval)

        def atom(a: Atom) -> str:
            return self.literal(a) if isinstance(a, Literal) else str(numbers[a])

        lines = [" ".join([bind(v) for v in jaxpr.invars])]
        for e in jaxpr.eqns:
            if not e.primitive.home.startswith("fxla."):
                raise _NoIdentityError
            inputs = " ".join([atom(a) for a in e.inputs])
            called = e.primitive.inlined(e.params)
            params = e.params if called is None else {"calls": called}
            given = "".join([f" {k}={param(params[k])}" for k in sorted(params)]) if params else ""
            outputs = " ".join([bind(v) for v in e.outputs])
            lines.append(f"{outputs} = {e.primitive.name} {inputs}{given}")
        lines.append(" ".join([atom(a) for a in jaxpr.outs]))
        return lines

    def aval(self, a: Aval) -> str:
        known = self.avals.get(a)
        if known is None:
            known = f"{a.dtype.name}{a.shape}{'w' if a.weak_type else ''}"
            self.avals[a] = known
        return known

    def literal(self, a: Literal) -> str:
        return f"{self.aval(a.aval)}:{np.asarray(a.value, a.aval.dtype).tobytes().hex()}"

    def param(self, x: Any) -> str:
        write = _WRITERS.get(type(x))
        if write is not None:
            return write(self, x)
        if isinstance(x, np.dtype):
            return f"dtype {x.str} {x.name}"
        if isinstance(x, np.generic):
            return f"scalar {x.dtype.name} {x.tobytes().hex()}"
        if isinstance(x, enum.Enum):
            return f"{_name(type(x))}.{x.name}"
        if isinstance(x, type):
            return f"type {_name(x)}"
        if dataclasses.is_dataclass(x) and not callable(x):
            fields = [(f.name, getattr(x, f.name)) for f in dataclasses.fields(x)]
            return f"{_name(type(x))}({', '.join([f'{k}={self.param(v)}' for k, v in fields])})"
        if isinstance(x, tuple):  # a named tuple
            return f"{_name(type(x))}{self.items(x)}"
        raise _NoIdentityError

    def items(self, x: Any) -> str:
        return f"({', '.join([self.param(v) for v in x])},)"

    def inner(self, jaxpr: Jaxpr) -> str:
        known = self.programs.get(id(jaxpr))
        if known is None:
            known = self.programs[id(jaxpr)] = "{\n" + "\n".join(self.program(jaxpr)) + "\n}"
        return known

    def closed(self, x: ClosedJaxpr) -> str:
        return f"{self.inner(x.jaxpr)}{self.items(x.consts)}"


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _exactly(_: _Writer, x: Any) -> str:
    return repr(x)


def _array(_: _Writer, x: Any) -> str:
    if x.dtype.hasobject:
        raise _NoIdentityError
    return f"array {x.dtype.name}{x.shape} {x.tobytes().hex()}"


def _list(writer: _Writer, x: Any) -> str:
    return f"list{writer.items(x)}"


def _dict(writer: _Writer, x: Any) -> str:
    return f"dict{writer.items(x.items())}"


def _slice(writer: _Writer, x: Any) -> str:
    return f"slice{writer.items((x.start, x.stop, x.step))}"


_WRITERS: dict[type, Callable[[_Writer, Any], str]] = {
    **dict.fromkeys((bool, int, float, complex, str, bytes, type(None), type(...)), _exactly),
    range: _exactly,
    tuple: _Writer.items,
    list: _list,
    dict: _dict,
    slice: _slice,
    np.ndarray: _array,
    Aval: _Writer.aval,
    Jaxpr: _Writer.inner,
    ClosedJaxpr: _Writer.closed,
}
