"""Sums with arrays that are zero but for a part: only the part is added.

Reading one element of an array has as its transpose an array of zeros with one element. Gradients
add many of these up; adding one should cost what reading one does:

    x + scatter_add(0, i, v)            becomes  scatter_add(x, i, v)
    x + dynamic_update_slice(0, v, i)   becomes  x with v added to its slice at i
"""

from __future__ import annotations

from fxla.core.aval import Aval
from fxla.core.jaxpr import Atom, Eqn, Jaxpr, Literal, Var
from fxla.ops.dynamic import dynamic_slice_p, dynamic_update_slice_p
from fxla.ops.elementwise import add_p
from fxla.ops.index import scatter_add_p
from fxla.ops.structure import broadcast_in_dim_p

__all__ = ["add_in_parts"]


def add_in_parts(jaxpr: Jaxpr) -> Jaxpr:
    """Rewrite sums with an array that is zero but for a part, if it has no other use."""
    parts = (scatter_add_p, dynamic_update_slice_p)
    if not any(e.primitive in parts for e in jaxpr.eqns):
        return jaxpr
    made_by = {v: e for e in jaxpr.eqns for v in e.outputs}
    uses: dict[Var, int] = {}
    for a in (*(a for e in jaxpr.eqns for a in e.inputs), *jaxpr.outs):
        if isinstance(a, Var):
            uses[a] = uses.get(a, 0) + 1

    reader = {a: e for e in jaxpr.eqns for a in e.inputs if isinstance(a, Var)}

    known: dict[Atom, list[Eqn]] = {}

    def parts_of(atom: Atom) -> list[Eqn]:
        """The parts that an array, which nothing else reads, is the sum of; none if it is not."""
        if atom not in known:
            known[atom] = found_parts(atom)
        return known[atom]

    def found_parts(atom: Atom) -> list[Eqn]:
        eqn = made_by.get(atom) if isinstance(atom, Var) else None
        if eqn is None or uses.get(eqn.outputs[0], 0) != 1:
            return []
        if eqn.primitive is add_p:
            a, b = (parts_of(x) for x in eqn.inputs)
            return [*a, *b] if a and b else []
        if eqn.primitive not in parts:
            return []
        zeros = made_by.get(eqn.inputs[0]) if isinstance(eqn.inputs[0], Var) else None
        if zeros is None or zeros.primitive is not broadcast_in_dim_p:
            return []
        (value,) = zeros.inputs
        return [eqn] if isinstance(value, Literal) and value.value == 0 else []

    eqns: list[Eqn] = []
    for eqn in jaxpr.eqns:
        if eqn.primitive is add_p:
            a, b = eqn.inputs
            left, right = parts_of(a), parts_of(b)
            whole, some = (a, right) if right else (b, left)
            if left and right:  # to one part, all others
                whole, some = left[0].outputs[0], [*left[1:], *right]
            following = reader.get(eqn.outputs[0])
            inner = following is not None and following.primitive is add_p
            waits = bool(inner and parts_of(eqn.outputs[0]))  # the sum that it is in adds its parts
            if some and not waits and whole.aval.matches(eqn.outputs[0].aval):
                for part in some[:-1]:
                    between = Var(whole.aval.strong())
                    eqns += _added(eqn, whole, part, between)
                    whole = between
                eqns += _added(eqn, whole, some[-1], eqn.outputs[0])
                continue
        eqns.append(eqn)
    return Jaxpr(jaxpr.invars, tuple(eqns), jaxpr.outs)


def _added(eqn: Eqn, whole: Atom, part: Eqn, out: Var) -> list[Eqn]:
    if part.primitive is scatter_add_p:
        inputs = (whole, *part.inputs[1:])
        return [Eqn(scatter_add_p, inputs, part.params, (out,), eqn.source)]
    _, update, *starts = part.inputs
    old, new = (Var(Aval(update.aval.shape, update.aval.dtype)) for _ in range(2))
    sizes = {"sizes": update.aval.shape}
    return [
        Eqn(dynamic_slice_p, (whole, *starts), sizes, (old,), eqn.source),
        Eqn(add_p, (old, update), {}, (new,), eqn.source),
        Eqn(dynamic_update_slice_p, (whole, new, *starts), {}, (out,), eqn.source),
    ]
