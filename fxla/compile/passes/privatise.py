"""Large sums by index on all cores: parts of the updates are added up by themselves.

Updates that may meet are added one after the other. Many are cut into parts, two to eight, each of
which adds to zeros of its own, and the sums of the parts are added up:

    scatter_add(0, i, v)   becomes   sum over p of scatter_add(0, i[p], v[p]), and the rest

How many parts there are depends on sizes, not on the number of threads, and so no bit of the result
does. Wide windows whose updates stay in a cache are shared out by where they are written instead
(`fxla.ops.scatter_nest`), which takes no memory.
"""

from __future__ import annotations

from fxla.compile.passes.equations import Equations
from fxla.core.jaxpr import Atom, Eqn, Jaxpr, Literal, Var
from fxla.ops.gather_dims import GatherDims
from fxla.ops.index import scatter_add_p
from fxla.ops.scatter_nest import windows_are_shared
from fxla.ops.shape import slice_p
from fxla.ops.structure import broadcast_in_dim_p, reduce_sum_p, reshape_p

__all__ = ["MIN_UPDATES", "PARTS", "sums_in_parts"]

PARTS = (8, 4, 2)
"""Sums that are made by themselves: as many as the updates are worth."""
MIN_UPDATES = 1 << 15
"""Elements of updates from which on it pays."""
SHARE = 4
"""How many times as many updates as elements of all the sums there are at least."""
CACHED = 1 << 20
"""Bytes of all the sums, at most, if there are more than two of them."""


def sums_in_parts(jaxpr: Jaxpr) -> Jaxpr:
    """Rewrite large sums by index into zeros."""
    if not any(e.primitive is scatter_add_p for e in jaxpr.eqns):
        return jaxpr
    made_by = {v: e for e in jaxpr.eqns for v in e.outputs}
    eqns: list[Eqn] = []
    for eqn in jaxpr.eqns:
        parts = _parts(eqn, made_by)
        eqns += _in_parts(eqn, parts) if parts > 1 else [eqn]
    return Jaxpr(jaxpr.invars, tuple(eqns), jaxpr.outs)


def _parts(eqn: Eqn, made_by: dict[Var, Eqn]) -> int:
    """How many parts of a sum are made by themselves; 1 if that does not pay."""
    if eqn.primitive is not scatter_add_p or eqn.params["unique_indices"]:
        return 1
    target, indices, updates = (a.aval for a in eqn.inputs)
    dims: GatherDims = eqn.params["dims"]
    if dims.operand_batching_dims or 0 in dims.offset_dims or indices.ndim < 2:
        return 1
    if updates.size < MIN_UPDATES or not _is_zeros(eqn.inputs[0], made_by):
        return 1
    if windows_are_shared(target, updates, dims, eqn.params["sizes"]):
        return 1
    most = min(updates.size // max(SHARE * target.size, 1), indices.shape[0])
    cached = max(CACHED // max(target.size * target.dtype.itemsize, 1), 2)
    return next((n for n in PARTS if n <= min(most, cached)), 1)


def _is_zeros(atom: Atom, made_by: dict[Var, Eqn]) -> bool:
    eqn = made_by.get(atom) if isinstance(atom, Var) else None
    if eqn is None or eqn.primitive is not broadcast_in_dim_p:
        return False
    (value,) = eqn.inputs
    return isinstance(value, Literal) and bool(value.value == 0)


def _in_parts(eqn: Eqn, count: int) -> list[Eqn]:
    zeros, indices, updates = eqn.inputs
    new = Equations(eqn)
    shape = zeros.aval.shape
    size = indices.aval.shape[0] // count
    dims: GatherDims = eqn.params["dims"]
    given = {k: eqn.params[k] for k in ("mode", "unique_indices")}

    def part(x: Atom, start: int, limit: int) -> Atom:
        first = (start, *[0] * (x.aval.ndim - 1))
        last = (limit, *x.aval.shape[1:])
        return new.add(slice_p, x, start=first, limit=last, strides=(1,) * x.aval.ndim)

    def parts(x: Atom) -> Atom:
        return new.add(reshape_p, part(x, 0, count * size), shape=(count, size, *x.aval.shape[1:]))

    axes = tuple(range(1, 1 + len(shape)))
    many = new.add(broadcast_in_dim_p, zeros, shape=(count, *shape), dims=axes)
    sums = new.add(
        scatter_add_p, many, parts(indices), parts(updates),
        dims=dims.batch_both(), sizes=(1, *eqn.params["sizes"]), **given,
    )  # fmt: skip
    total = new.add(reduce_sum_p, sums, axes=(0,))
    n = indices.aval.shape[0]
    if n % count:
        rest = [part(x, count * size, n) for x in (indices, updates)]
        new.add(scatter_add_p, total, *rest, dims=dims, sizes=eqn.params["sizes"], **given)
    return new.finish()
