"""A program without its numbers, which are listed: programs of equal outline differ in sizes only.

Numbers are the sizes of arrays and every integer in a param; scalars that kernels load, rather than
hold (`graph.is_simple`), are listed, too. Integers beside wide products are part of the text: what
masks decide (`fxla.compile.stretches.decided`) depends on them.

    outline : jaxpr -> (text, numbers, scalars), or None
    with_numbers : jaxpr, numbers -> the jaxpr with other numbers in these places
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fxla.compile.fusion.graph import is_simple
from fxla.compile.stretches.wide import is_wide_product
from fxla.core.aval import Aval
from fxla.core.dtypes import is_bool
from fxla.core.jaxpr import Atom, ClosedJaxpr, Eqn, Jaxpr, Literal, Var
from fxla.core.records import dataclass

__all__ = ["Outline", "outline", "with_numbers"]


@dataclass(frozen=True, slots=True)
class Outline:
    """A program in parts.

    Attributes:
        text: all but its numbers and scalars.
        numbers: integers, in order of appearance.
        scalars: likewise, the bytes of its scalars with their dtypes.
    """

    text: str
    numbers: tuple[int, ...]
    scalars: tuple[tuple[str, bytes], ...]


class _NoOutlineError(Exception):
    """Something is known by identity only."""


def outline(jaxpr: Jaxpr) -> Outline | None:
    """The parts of a program; None if it holds what has no text.

    Example:
        >>> import fxla, fxla.numpy as np
        >>> def of(n):
        ...     return outline(fxla.make_jaxpr(lambda x: x.reshape(2, -1) * 100)(np.ones(n)).jaxpr)
        >>> of(10).text == of(20).text, of(20).numbers
        (True, (20, 2, 10, 2, 10, 2, 10))
    """
    writer = _Writer()
    try:
        text = writer.program(jaxpr)
    except _NoOutlineError:
        return None
    return Outline(text, tuple(writer.numbers), tuple(writer.scalars))


class _Writer:
    """Writes programs, and lists numbers and scalars."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.scalars: list[tuple[str, bytes]] = []
        self.written: dict[int, str] = {}
        self.exact = False

    def program(self, jaxpr: Jaxpr) -> str:
        names: dict[Var, int] = {}
        self.exact = self.exact or any(is_wide_product(e) for e in jaxpr.eqns)

        def bind(var: Var) -> str:
            names[var] = len(names)
            return self.aval(var.aval)

        def atom(a: Atom) -> str:
            return self.literal(a) if isinstance(a, Literal) else str(names[a])

        lines = [" ".join([bind(v) for v in jaxpr.invars])]
        for e in jaxpr.eqns:
            if not e.primitive.home.startswith("fxla."):
                raise _NoOutlineError
            inputs = " ".join([atom(a) for a in e.inputs])
            params = "".join([f" {k}={self.param(e.params[k])}" for k in sorted(e.params)])
            outputs = " ".join([bind(v) for v in e.outputs])
            lines.append(f"{outputs} = {e.primitive.name} {inputs}{params}")
        lines.append(" ".join([atom(a) for a in jaxpr.outs]))
        return "\n".join(lines)

    def aval(self, a: Aval) -> str:
        self.numbers += a.shape
        return f"{a.dtype.char}{len(a.shape)}{'w' if a.weak_type else ''}"

    def literal(self, a: Literal) -> str:
        key = id(a)
        known = self.written.get(key)
        if known is None:
            number = np.asarray(a.value, a.aval.dtype)
            content = number.tobytes()
            weak = "w" if a.aval.weak_type else ""
            plain = is_bool(a.aval.dtype) or is_simple(number)
            if plain or (self.exact and a.aval.dtype.kind in "iu"):
                known = self.written[key] = f"{a.aval.dtype.char}{weak}:{content.hex()}"
            else:
                self.scalars.append((a.aval.dtype.name, content))
                return f"{a.aval.dtype.char}{weak}:#"
        return known

    def param(self, x: Any) -> str:
        kind = type(x)
        if kind is int:
            self.numbers.append(x)
            return "#"
        if kind in (tuple, list):
            return f"{kind.__name__}({','.join([self.param(v) for v in x])})"
        if x is None or kind in (bool, str, float, complex, bytes):
            return repr(x)
        if isinstance(x, np.dtype):
            return f"dtype {x.str} {x.name}"
        if isinstance(x, np.generic):
            return f"scalar {x.dtype.name} {x.tobytes().hex()}"
        if isinstance(x, enum.Enum):
            return f"{_name(kind)}.{x.name}"
        if kind is Aval:
            return self.aval(x)
        if kind is Jaxpr:
            return f"{{{self.program(x)}}}"
        if kind is ClosedJaxpr and not x.consts:
            return f"closed{{{self.program(x.jaxpr)}}}"
        if dataclasses.is_dataclass(x) and not callable(x) and kind is not ClosedJaxpr:
            return f"{_name(kind)}({','.join([self.param(getattr(x, n)) for n in _fields(kind)])})"
        if isinstance(x, tuple):
            return f"{_name(kind)}({','.join([self.param(v) for v in x])})"
        raise _NoOutlineError


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _fields(kind: Any) -> list[str]:
    return [f.name for f in dataclasses.fields(kind)]


def with_numbers(jaxpr: Jaxpr, numbers: Sequence[Any]) -> Jaxpr:
    """A program with other numbers.

    Args:
        jaxpr: one that has an outline.
        numbers: in the order of `Outline.numbers`.
    """
    return _Replacer(iter(numbers)).program(jaxpr)


class _Replacer:
    """Walks a program in the writer's order, and makes it again."""

    def __init__(self, numbers: Iterator[Any]) -> None:
        self.numbers = numbers

    def program(self, jaxpr: Jaxpr) -> Jaxpr:
        env: dict[Var, Var] = {}

        def bind(var: Var) -> Var:
            env[var] = new = Var(self.aval(var.aval))
            return new

        def atom(a: Atom) -> Atom:
            return a if isinstance(a, Literal) else env[a]

        invars = tuple([bind(v) for v in jaxpr.invars])
        eqns: list[Eqn] = []
        for e in jaxpr.eqns:
            inputs = tuple([atom(a) for a in e.inputs])
            changed = {k: self.param(e.params[k]) for k in sorted(e.params)}
            params = {k: changed[k] for k in e.params}
            outputs = tuple([bind(v) for v in e.outputs])
            eqns.append(Eqn(e.primitive, inputs, params, outputs, e.source))
        return Jaxpr(invars, tuple(eqns), tuple([atom(a) for a in jaxpr.outs]))

    def aval(self, a: Aval) -> Aval:
        shape = tuple([next(self.numbers) for _ in a.shape])
        return Aval(shape, a.dtype, a.weak_type)

    def param(self, x: Any) -> Any:
        kind = type(x)
        if kind is int:
            return next(self.numbers)
        if kind in (tuple, list):
            return kind([self.param(v) for v in x])
        if x is None or kind in (bool, str, float, complex, bytes):
            return x
        if isinstance(x, np.dtype | np.generic | enum.Enum):
            return x
        if kind is Aval:
            return self.aval(x)
        if kind is Jaxpr:
            return self.program(x)
        if kind is ClosedJaxpr:
            return ClosedJaxpr(self.program(x.jaxpr), ())
        if dataclasses.is_dataclass(x):
            change: Callable[..., Any] = dataclasses.replace
            return change(x, **{n: self.param(getattr(x, n)) for n in _fields(kind)})
        make: Callable[..., Any] = kind
        return make(*[self.param(v) for v in x])
