"""Clean a jaxpr up before it is lowered.

The passes, in order, each a function from jaxpr to jaxpr:

* `inline_calls`: replace calls (`jit`, `checkpoint`, custom rules) by what they call, so that fusion
  sees through them;
* `eliminate_common`: equal equations on equal inputs are computed once;
* `dce_jaxpr`: drop what no output needs.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from fxla.core.check import checked
from fxla.core.jaxpr import Atom, Eqn, Jaxpr, Literal, Var
from fxla.transforms.dce import dce_jaxpr

__all__ = ["eliminate_common", "inline_calls", "simplify"]


def simplify(jaxpr: Jaxpr) -> Jaxpr:
    """Run all passes; inputs and outputs stay as they are."""
    jaxpr = checked(inline_calls(jaxpr), "inlining")
    jaxpr = checked(eliminate_common(jaxpr), "common subexpression elimination")
    small, _ = dce_jaxpr(jaxpr, [True] * len(jaxpr.outs), True)
    return checked(small, "dead code elimination")


class _Renaming:
    """What each variable of the old program is in the new one."""

    def __init__(self) -> None:
        self.env: dict[Var, Atom] = {}

    def __call__(self, atom: Atom) -> Atom:
        return atom if isinstance(atom, Literal) else self.env.get(atom, atom)


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
        inputs = tuple([rename(a) for a in eqn.inputs])
        if eqn.primitive.effectful:
            eqns.append(Eqn(eqn.primitive, inputs, eqn.params, eqn.outputs, eqn.source))
            continue
        key = (
            eqn.primitive.name,
            tuple([_atom_key(a) for a in inputs]),
            tuple([(k, _key(v)) for k, v in sorted(eqn.params.items())]),
        )
        known = seen.get(key)
        if known is not None:
            rename.env.update(zip(eqn.outputs, known, strict=True))
            continue
        seen[key] = eqn.outputs
        eqns.append(Eqn(eqn.primitive, inputs, eqn.params, eqn.outputs, eqn.source))
    return Jaxpr(jaxpr.invars, tuple(eqns), tuple(rename(a) for a in jaxpr.outs))
