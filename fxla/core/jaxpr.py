"""The typed IR: variables, equations, programs, and how they are printed.

    jaxpr ::= { lambda consts ; invars . let eqn* in (atom*) }
    eqn   ::= var* = primitive[params] atom*
    atom  ::= var | literal

A jaxpr is in single-assignment form and every variable has an aval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.primitive import Primitive
from fxla.core.records import dataclass
from fxla.core.source import Source
from fxla.core.trace import Value

__all__ = [
    "Atom",
    "ClosedJaxpr",
    "Eqn",
    "Jaxpr",
    "Literal",
    "Var",
    "format_jaxpr",
    "is_effectful",
    "sub_jaxprs",
]


class Var:
    """A variable; identity is by object."""

    __slots__ = ("aval",)

    def __init__(self, aval: Aval) -> None:
        self.aval = aval


class Literal:
    """A scalar constant written into an equation."""

    __slots__ = ("aval", "value")

    def __init__(self, value: Any, aval: Aval) -> None:
        self.value = value
        self.aval = aval


Atom = Var | Literal


class Eqn:
    """One application of a primitive."""

    __slots__ = ("inputs", "outputs", "params", "primitive", "source")

    def __init__(
        self,
        primitive: Primitive,
        inputs: tuple[Atom, ...],
        params: dict[str, Any],
        outputs: tuple[Var, ...],
        source: Source | None = None,
    ) -> None:
        self.primitive = primitive
        self.inputs = inputs
        self.params = params
        self.outputs = outputs
        self.source = source


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Jaxpr:
    """A program: inputs, equations in order, outputs. Immutable; compared by identity.

    `derived` keeps what was made from the program, such as its derivative, for as long as it lives.
    """

    invars: tuple[Var, ...]
    eqns: tuple[Eqn, ...]
    outs: tuple[Atom, ...]
    derived: dict[Any, Any] = field(default_factory=dict, init=False)

    @property
    def in_avals(self) -> tuple[Aval, ...]:
        """Avals of the inputs."""
        return tuple(v.aval for v in self.invars)

    @property
    def out_avals(self) -> tuple[Aval, ...]:
        """Avals of the outputs."""
        return tuple(v.aval for v in self.outs)

    def run(self, *args: Value) -> tuple[Value, ...]:
        """Bind each equation's primitive under the current trace."""
        env: dict[Var, Value] = dict(zip(self.invars, args, strict=True))

        def read(atom: Atom) -> Value:
            return atom.value if type(atom) is Literal else env[atom]  # type: ignore[index]

        for eqn in self.eqns:
            outs = eqn.primitive.bind(*[read(a) for a in eqn.inputs], **eqn.params)
            env.update(zip(eqn.outputs, outs, strict=True))
        return tuple([read(a) for a in self.outs])

    def __str__(self) -> str:
        return format_jaxpr(self)

    __repr__ = __str__


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class ClosedJaxpr:
    """A jaxpr and the values of its consts, which are its leading inputs.

    Attributes:
        jaxpr: the program; its first ``len(consts)`` inputs are the consts.
        consts: their values.
    """

    jaxpr: Jaxpr
    consts: tuple[Value, ...]

    @property
    def in_avals(self) -> tuple[Aval, ...]:
        """Avals of the inputs that are not consts."""
        return self.jaxpr.in_avals[len(self.consts) :]

    @property
    def out_avals(self) -> tuple[Aval, ...]:
        """Avals of the outputs."""
        return self.jaxpr.out_avals

    @property
    def eqns(self) -> tuple[Eqn, ...]:
        """Equations of the program."""
        return self.jaxpr.eqns

    def __str__(self) -> str:
        return format_jaxpr(self.jaxpr, len(self.consts))

    __repr__ = __str__


def is_effectful(eqn: Eqn) -> bool:
    """Whether an equation must run even if nobody uses its results: it, or a program in it."""
    if eqn.primitive.effectful:
        return True
    return bool(eqn.params) and any(_has_effect(j) for _, j in sub_jaxprs(eqn.params))


def _has_effect(jaxpr: Jaxpr) -> bool:
    known = jaxpr.derived.get("effect")
    if known is None:
        known = jaxpr.derived["effect"] = any(is_effectful(e) for e in jaxpr.eqns)
    return bool(known)


def sub_jaxprs(params: dict[str, Any]) -> list[tuple[str, Jaxpr]]:
    """The jaxprs held by an equation's params, with names."""
    found: list[tuple[str, Jaxpr]] = []
    for key, value in params.items():
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, ClosedJaxpr):
                item = item.jaxpr
            if isinstance(item, Jaxpr):
                found.append((key, item))
    return found


def _variable_name(n: int) -> str:
    """a, b, ..., z, ba, bb, ...: base 26 with letters, as JAX writes them."""
    name = ""
    while True:
        n, digit = divmod(n, 26)
        name = chr(ord("a") + digit) + name
        if n == 0:
            return name


class _Names:
    """Names of variables, given in order of first appearance."""

    def __init__(self) -> None:
        self.given: dict[Var, str] = {}

    def __call__(self, atom: Atom) -> str:
        if isinstance(atom, Literal):
            value = atom.value.item() if isinstance(atom.value, np.generic) else atom.value
            return f"{value}:{atom.aval}"
        return self.given.setdefault(atom, _variable_name(len(self.given)))

    def typed(self, var: Var) -> str:
        return f"{self(var)}:{var.aval}"


def _format_param(value: Any) -> str:
    if isinstance(value, np.dtype):
        return value.name
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    return str(value)


def format_eqn(eqn: Eqn, names: Callable[[Atom], str], indent: str = "") -> str:
    """One equation as text; jaxprs in its params are printed inside the brackets."""
    typed = " ".join(f"{names(v)}:{v.aval}" for v in eqn.outputs)
    inner = sub_jaxprs(eqn.params)
    held = {key for key, _ in inner}
    plain = [f"{k}={_format_param(v)}" for k, v in eqn.params.items() if k not in held]
    operands = "".join(f" {names(a)}" for a in eqn.inputs)
    left = f"{indent}{typed} = " if typed else indent
    if not inner:
        bracket = f"[{' '.join(plain)}]" if plain else ""
        return f"{left}{eqn.primitive.name}{bracket}{operands}"
    pad = indent + "    "
    lines = [f"{left}{eqn.primitive.name}["]
    lines += [f"{pad}{p}" for p in plain]
    lines += [f"{pad}{key}={format_jaxpr(j, indent=pad)}" for key, j in inner]
    return "\n".join([*lines, f"{indent}]{operands}"])


def format_jaxpr(jaxpr: Jaxpr, n_consts: int = 0, indent: str = "") -> str:
    """A jaxpr as text, every variable with its type where it is bound."""
    names = _Names()
    consts = " ".join(names.typed(v) for v in jaxpr.invars[:n_consts])
    inputs = " ".join(names.typed(v) for v in jaxpr.invars[n_consts:])
    lines = [f"{{ lambda {consts + ' ' if consts else ''}; {inputs + ' ' if inputs else ''}. let"]
    lines += [format_eqn(e, names, indent + "    ") for e in jaxpr.eqns]
    outs = ", ".join(names(a) for a in jaxpr.outs)
    comma = "," if len(jaxpr.outs) == 1 else ""
    return "\n".join([*lines, f"{indent}  in ({outs}{comma}) }}"])
