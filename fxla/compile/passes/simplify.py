"""Clean a jaxpr up before it is lowered.

The passes, in order, each a function from jaxpr to jaxpr:

* `inline_calls`: replace calls (`jit`, `checkpoint`, custom rules) by what they call, so that
  fusion sees through them;
* `fold`: equations of scalar constants are evaluated, and operations that leave their operand as
  it is, bit for bit, are dropped (``x * 1``, ``x - 0``, ``x / 1``, ``p and True``, a choice that is
  known, a transpose of its inverse);
* `eliminate_common`: equal equations on equal inputs are computed once;
* `add_in_parts`: an array that is zero but for a part is added by adding the part;
* `dce_jaxpr`: drop what no output needs.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from fxla.compile.passes.accumulate import add_in_parts
from fxla.core.check import checked
from fxla.core.dtypes import is_complex
from fxla.core.jaxpr import Atom, Eqn, Jaxpr, Literal, Var, is_effectful
from fxla.ops.casts import Convert
from fxla.ops.elementwise import Elementwise
from fxla.ops.structure import broadcast_in_dim_p, transpose_p
from fxla.transforms.dce import dce_jaxpr

__all__ = ["eliminate_common", "fold", "inline_calls", "simplify"]


def simplify(jaxpr: Jaxpr) -> Jaxpr:
    """Run all passes; inputs and outputs stay as they are."""
    jaxpr = checked(inline_calls(jaxpr), "inlining")
    jaxpr = checked(fold(jaxpr), "folding")
    jaxpr = checked(eliminate_common(jaxpr), "common subexpression elimination")
    jaxpr = checked(add_in_parts(jaxpr), "adding in parts")
    small, _ = dce_jaxpr(jaxpr, [True] * len(jaxpr.outs), True)
    return checked(small, "dead code elimination")


class _Renaming:
    """What each variable of the old program is in the new one."""

    def __init__(self) -> None:
        self.env: dict[Var, Atom] = {}

    def __call__(self, atom: Atom) -> Atom:
        return atom if isinstance(atom, Literal) else self.env.get(atom, atom)

    def eqn(self, eqn: Eqn) -> Eqn:
        """The equation with its inputs renamed; itself if they keep their names."""
        if self.env.keys().isdisjoint(eqn.inputs):
            return eqn
        inputs = tuple([self(a) for a in eqn.inputs])
        return Eqn(eqn.primitive, inputs, eqn.params, eqn.outputs, eqn.source)


def inline_calls(jaxpr: Jaxpr) -> Jaxpr:
    """Replace every call by the equations of the program it calls."""
    if all(e.primitive.inlined(e.params) is None for e in jaxpr.eqns):
        return jaxpr
    eqns: list[Eqn] = []
    rename = _Renaming()

    def emit(source: Jaxpr, names: _Renaming) -> None:
        for eqn in source.eqns:
            inputs = tuple([names(a) for a in eqn.inputs])
            inner = eqn.primitive.inlined(eqn.params)
            if inner is None:
                outputs = tuple([Var(v.aval) for v in eqn.outputs])
                eqns.append(Eqn(eqn.primitive, inputs, eqn.params, outputs, eqn.source))
                names.env.update(zip(eqn.outputs, outputs, strict=True))
                continue
            inside = _Renaming()
            inside.env.update(zip(inner.invars, inputs, strict=True))
            emit(inner, inside)
            outs = [inside(a) for a in inner.outs]
            names.env.update(zip(eqn.outputs, outs, strict=True))

    emit(jaxpr, rename)
    return Jaxpr(jaxpr.invars, tuple(eqns), tuple(rename(a) for a in jaxpr.outs))


def _is_literal(atom: Atom, value: float) -> bool:
    return isinstance(atom, Literal) and bool(atom.value == value)


def _unchanged(eqn: Eqn, made_by: dict[Var, Eqn]) -> Atom | None:
    """The operand that an equation returns as it is, if it does."""
    x, *rest = eqn.inputs
    out = eqn.outputs[0].aval
    if is_complex(out.dtype):
        return None  # (inf + 0i) * (1 + 0i) has a part inf * 0
    same: Atom | None = None
    match eqn.primitive.name:
        case "mul":
            if _is_literal(x, 1):
                same = rest[0]
            elif _is_literal(rest[0], 1):
                same = x
        case "div" if _is_literal(rest[0], 1):
            same = x
        case "sub" if _is_literal(rest[0], 0) and not np.signbit(np.real(_value(rest[0]))):
            same = x
        case "and" | "or" as name if out.dtype == np.bool_:
            for known, other in ((x, rest[0]), (rest[0], x)):
                if isinstance(known, Literal) and bool(known.value) == (name == "and"):
                    same = other
        case "select" if isinstance(x, Literal):
            same = rest[0] if x.value else rest[1]
        case "select" if _is_same(rest[0], rest[1], made_by):
            same = rest[0]
    return same if same is not None and same.aval.matches(out) else None


def _is_same(x: Atom, y: Atom, made_by: dict[Var, Eqn]) -> bool:
    """Whether two operands are one, or full of one number."""

    def number(atom: Atom) -> Hashable:
        source = made_by.get(atom) if isinstance(atom, Var) else None
        if source is not None and source.primitive is broadcast_in_dim_p:
            (atom,) = source.inputs
        return _atom_key(atom)

    return number(x) == number(y) and x.aval.matches(y.aval)


_MAY_LEAVE = frozenset({"mul", "div", "sub", "and", "or", "select"})
"""The operations of which some return an operand as it is."""


def _value(atom: Atom) -> Any:
    assert isinstance(atom, Literal)
    return atom.value


def fold(jaxpr: Jaxpr) -> Jaxpr:
    """Evaluate equations of literals, and drop those that change nothing."""
    rename = _Renaming()
    made_by: dict[Var, Eqn] = {}
    eqns: list[Eqn] = []
    for eqn in jaxpr.eqns:
        eqn, wider = _on_scalars(rename.eqn(eqn), made_by)
        inputs = eqn.inputs
        if _foldable(eqn):
            with np.errstate(all="ignore"):
                values = eqn.primitive.impl(*[_value(a) for a in inputs], **eqn.params)
            for var, value in zip(eqn.outputs, values, strict=True):
                scalar = np.asarray(value, var.aval.dtype)[()]
                rename.env[var] = Literal(scalar, var.aval)
            if wider is not None:
                eqns.append(rename.eqn(wider))
                made_by[wider.outputs[0]] = eqns[-1]
            continue
        same = _unchanged(eqn, made_by) if eqn.primitive.name in _MAY_LEAVE else None
        if same is None and eqn.primitive is transpose_p:
            eqn, same = _composed(eqn, made_by)
        if same is not None:
            rename.env[eqn.outputs[0]] = same
            if wider is not None:
                eqns.append(rename.eqn(wider))
                made_by[wider.outputs[0]] = eqns[-1]
            continue
        eqns.append(eqn)
        for v in eqn.outputs:
            made_by[v] = eqn
        if wider is not None:
            eqns.append(wider)
            made_by[wider.outputs[0]] = wider
    return Jaxpr(jaxpr.invars, tuple(eqns), tuple(rename(a) for a in jaxpr.outs))


def _on_scalars(eqn: Eqn, made_by: dict[Var, Eqn]) -> tuple[Eqn, Eqn | None]:
    """An elementwise equation with repeated scalars taken as scalars.

    Returns:
        The equation; and, if all operands were scalars, the broadcast that its result then needs.
    """
    if not isinstance(eqn.primitive, Elementwise) or not eqn.outputs[0].aval.shape:
        return eqn, None

    def scalar(atom: Atom) -> Atom:
        source = made_by.get(atom) if isinstance(atom, Var) else None
        if source is not None and source.primitive is broadcast_in_dim_p:
            (given,) = source.inputs
            return given if not given.aval.shape else atom
        return atom

    inputs = tuple([scalar(a) for a in eqn.inputs])
    if all(a is b for a, b in zip(inputs, eqn.inputs, strict=True)):
        return eqn, None
    if any(a.aval.shape for a in inputs):
        return Eqn(eqn.primitive, inputs, eqn.params, eqn.outputs, eqn.source), None
    (aval,) = eqn.primitive.abstract_eval(*[a.aval for a in inputs], **eqn.params)
    var = Var(aval)
    params = {"shape": eqn.outputs[0].aval.shape, "dims": ()}
    wider = Eqn(broadcast_in_dim_p, (var,), params, eqn.outputs, eqn.source)
    return Eqn(eqn.primitive, inputs, eqn.params, (var,), eqn.source), wider


def _foldable(eqn: Eqn) -> bool:
    """Whether an equation is an elementwise operation on literals."""
    return (
        isinstance(eqn.primitive, (Elementwise, Convert))
        and all(isinstance(a, Literal) for a in eqn.inputs)
        and not eqn.primitive.effectful
    )


def _composed(eqn: Eqn, made_by: dict[Var, Eqn]) -> tuple[Eqn, Atom | None]:
    """A transpose of a transpose as one; or the operand, if they undo each other."""
    operand = eqn.inputs[0]
    inner = made_by.get(operand) if isinstance(operand, Var) else None
    if inner is None or inner.primitive is not transpose_p:
        return eqn, None
    perm = tuple(inner.params["perm"][p] for p in eqn.params["perm"])
    if perm == tuple(range(len(perm))):
        return eqn, inner.inputs[0]
    return Eqn(eqn.primitive, inner.inputs, {"perm": perm}, eqn.outputs, eqn.source), None


def _key(value: Any) -> Hashable:
    """A hashable stand-in for a param; identity where there is none."""
    try:
        hash(value)
    except TypeError:
        return id(value)
    return (type(value), value)


def _atom_key(atom: Atom) -> Hashable:
    if isinstance(atom, Literal):
        return (np.asarray(atom.value).tobytes(), atom.aval)
    return id(atom)


def eliminate_common(jaxpr: Jaxpr) -> Jaxpr:
    """Merge equations that have the same primitive, params and inputs."""
    seen: dict[Hashable, tuple[Var, ...]] = {}
    rename = _Renaming()
    eqns: list[Eqn] = []
    for eqn in jaxpr.eqns:
        eqn = rename.eqn(eqn)
        if is_effectful(eqn):
            eqns.append(eqn)
            continue
        key = (
            eqn.primitive.name,
            tuple([_atom_key(a) for a in eqn.inputs]),
            tuple([(k, _key(v)) for k, v in sorted(eqn.params.items())]) if eqn.params else (),
        )
        known = seen.get(key)
        if known is not None:
            rename.env.update(zip(eqn.outputs, known, strict=True))
            continue
        seen[key] = eqn.outputs
        eqns.append(eqn)
    return Jaxpr(jaxpr.invars, tuple(eqns), tuple(rename(a) for a in jaxpr.outs))
