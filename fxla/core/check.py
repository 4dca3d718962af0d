"""The jaxpr type checker: runs after every transformation in tests and under ``FXLA_CHECK=1``."""

from __future__ import annotations

import os

from fxla.core.jaxpr import Atom, Eqn, Jaxpr, Literal, Var, _Names, format_eqn, sub_jaxprs
from fxla.errors import InternalError

__all__ = ["check_jaxpr", "checked", "checks_enabled"]


def checks_enabled() -> bool:
    """Whether ``FXLA_CHECK`` asks for a check after every transformation."""
    return os.environ.get("FXLA_CHECK", "0") not in ("", "0")


def checked(jaxpr: Jaxpr, after: str) -> Jaxpr:
    """Return `jaxpr`, checked if checks are on; `after` names what made it."""
    if checks_enabled():
        check_jaxpr(jaxpr, after)
    return jaxpr


def check_jaxpr(jaxpr: Jaxpr, after: str = "") -> None:
    """Check scoping, single assignment and every equation's types.

    Raises:
        InternalError: with the equation, its neighbours and the user's line.
    """
    bound: set[Var] = set()

    def fail(index: int, problem: str) -> None:
        names = _Names()
        near = jaxpr.eqns[max(0, index - 2) : index + 2]
        text = "\n".join(format_eqn(e, names, "    ") for e in near)
        source = jaxpr.eqns[index].source if index < len(jaxpr.eqns) else None
        place = f" (from {source})" if source else ""
        stage = f" after {after}" if after else ""
        raise InternalError(f"ill-typed jaxpr{stage}: {problem}{place}\n{text}")

    def bind(index: int, var: Var) -> None:
        if var in bound:
            fail(index, f"a variable of type {var.aval} is bound twice")
        bound.add(var)

    def read(index: int, atom: Atom) -> None:
        if not isinstance(atom, Literal) and atom not in bound:
            fail(index, f"a variable of type {atom.aval} is used before it is bound")

    for var in jaxpr.invars:
        bind(0, var)
    for index, eqn in enumerate(jaxpr.eqns):
        for atom in eqn.inputs:
            read(index, atom)
        for _, inner in sub_jaxprs(eqn.params):
            check_jaxpr(inner, after)
        _check_types(eqn, index, fail)
        for var in eqn.outputs:
            bind(index, var)
    for atom in jaxpr.outs:
        read(len(jaxpr.eqns), atom)


def _check_types(eqn: Eqn, index: int, fail: object) -> None:
    inferred = eqn.primitive.abstract_eval(*[a.aval for a in eqn.inputs], **eqn.params)
    stated = [v.aval for v in eqn.outputs]
    if len(inferred) != len(stated) or not all(
        a.matches(b) for a, b in zip(inferred, stated, strict=True)
    ):
        want, got = (", ".join(map(str, avals)) for avals in (inferred, stated))
        assert callable(fail)
        fail(index, f"{eqn.primitive.name} gives ({want}) but is bound to ({got})")
