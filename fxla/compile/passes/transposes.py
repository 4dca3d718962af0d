"""Contractions read transposed operands in place; what they cannot read is transposed before."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fxla.compile.passes.products import made_tileable, with_few_columns, with_few_rows
from fxla.compile.routines.library import dot_layouts
from fxla.core.aval import Aval
from fxla.core.blas import BLAS_DTYPES
from fxla.core.jaxpr import Eqn, Jaxpr, Var
from fxla.ops.dot import DotDims, dot_general_p
from fxla.ops.structure import transpose_p

__all__ = ["absorb_transposes", "exchange_operands"]


def absorb_transposes(jaxpr: Jaxpr, tiles: bool = False, fixed: Collection[Var] = ()) -> Jaxpr:
    """Let contractions read permuted operands in place, and permute those BLAS cannot read.

    A contraction of a transposed array becomes one of the array itself, if that keeps the order of
    the result's axes; a transposed contraction becomes one with exchanged operands. Afterwards an
    operand whose axes cannot be read in place, by tiles or else by BLAS, is permuted, which the
    scheduler turns into one copy.

    Args:
        jaxpr: any.
        tiles: whether the target prints tiles.
        fixed: inputs whose transposes are made once for many runs.
    """
    if not any(e.primitive is dot_general_p for e in jaxpr.eqns):
        return jaxpr
    jaxpr = exchange_operands(jaxpr)
    made_by: dict[Var, Eqn] = {}
    eqns: list[Eqn] = []
    for eqn in jaxpr.eqns:
        if eqn.primitive is dot_general_p:
            eqn = _absorb(_absorb(eqn, 0, made_by), 1, made_by)
            tiled = None
            if tiles:
                still = eqn.inputs[1] in fixed
                turned = with_few_columns(eqn) or (None if still else with_few_rows(eqn))
                tiled = turned or made_tileable(eqn, still)
            eqns.extend(_made_regular(eqn) if tiled is None else tiled)
        else:
            eqns.append(eqn)
        for v in eqn.outputs:
            made_by[v] = eqn
    return Jaxpr(jaxpr.invars, tuple(eqns), jaxpr.outs)


def exchange_operands(jaxpr: Jaxpr) -> Jaxpr:
    """``transpose(a @ b)`` that puts b's axes before a's becomes ``b @ a``."""
    uses: dict[Var, int] = {}
    for atom in (*(a for e in jaxpr.eqns for a in e.inputs), *jaxpr.outs):
        if isinstance(atom, Var):
            uses[atom] = uses.get(atom, 0) + 1
    made_by = {e.outputs[0]: e for e in jaxpr.eqns if e.primitive is dot_general_p}
    replaced: set[int] = set()
    exchanged: dict[int, Eqn] = {}
    for eqn in jaxpr.eqns:
        operand = eqn.inputs[0] if eqn.primitive is transpose_p else None
        dot = made_by.get(operand) if isinstance(operand, Var) else None
        if dot is None or uses[dot.outputs[0]] != 1:
            continue
        dims: DotDims = dot.params["dims"]
        nb = len(dims.lhs_batch)
        nl = len(dims.lhs_kept(dot.inputs[0].aval.ndim))
        n = dot.outputs[0].aval.ndim
        if eqn.params["perm"] == (*range(nb), *range(nb + nl, n), *range(nb, nb + nl)):
            replaced.add(id(dot))
            params = {**dot.params, "dims": dims.swapped()}
            inputs = (dot.inputs[1], dot.inputs[0])
            exchanged[id(eqn)] = Eqn(dot_general_p, inputs, params, eqn.outputs, eqn.source)
    eqns = tuple(exchanged.get(id(e), e) for e in jaxpr.eqns if id(e) not in replaced)
    return Jaxpr(jaxpr.invars, eqns, jaxpr.outs)


def _absorb(eqn: Eqn, side: int, made_by: dict[Var, Eqn]) -> Eqn:
    """Undo a transpose of one operand in the contraction's axes."""
    operand = eqn.inputs[side]
    source = made_by.get(operand) if isinstance(operand, Var) else None
    if source is None or source.primitive is not transpose_p:
        return eqn
    perm = source.params["perm"]
    dims: DotDims = eqn.params["dims"] if side == 0 else eqn.params["dims"].swapped()
    kept = [perm[a] for a in dims.lhs_kept(len(perm))]
    if kept != sorted(kept):
        return eqn
    moved = DotDims(
        tuple(perm[a] for a in dims.lhs_contract),
        dims.rhs_contract,
        tuple(perm[a] for a in dims.lhs_batch),
        dims.rhs_batch,
    )
    inputs = list(eqn.inputs)
    inputs[side] = source.inputs[0]
    params = {**eqn.params, "dims": moved if side == 0 else moved.swapped()}
    return Eqn(eqn.primitive, tuple(inputs), params, eqn.outputs, eqn.source)


def _made_regular(eqn: Eqn) -> list[Eqn]:
    """The equation, after permutations of the operands that BLAS cannot read in place."""
    out = eqn.outputs[0].aval
    if out.dtype.name not in BLAS_DTYPES or out.dtype != eqn.inputs[0].aval.dtype:
        return [eqn]
    dims: DotDims = eqn.params["dims"]
    lhs, rhs = (a.aval for a in eqn.inputs)
    if dot_layouts(lhs, rhs, dims) is not None or 0 in (*lhs.shape, *rhs.shape):
        return [eqn]
    before: list[Eqn] = []

    def permuted(side: int, perm: tuple[int, ...]) -> Any:
        atom = eqn.inputs[side]
        if perm == tuple(range(len(perm))):
            return atom
        aval = Aval(tuple(atom.aval.shape[p] for p in perm), atom.aval.dtype)
        var = Var(aval)
        before.append(Eqn(transpose_p, (atom,), {"perm": perm}, (var,), eqn.source))
        return var

    lk, rk = dims.lhs_kept(lhs.ndim), dims.rhs_kept(rhs.ndim)
    a = permuted(0, (*dims.lhs_batch, *lk, *dims.lhs_contract))
    b = permuted(1, (*dims.rhs_batch, *dims.rhs_contract, *rk))
    nb, nk = len(dims.lhs_batch), len(dims.lhs_contract)
    regular = DotDims(
        tuple(range(nb + len(lk), nb + len(lk) + nk)),
        tuple(range(nb, nb + nk)),
        tuple(range(nb)),
        tuple(range(nb)),
    )
    params = {**eqn.params, "dims": regular}
    return [*before, Eqn(eqn.primitive, (a, b), params, eqn.outputs, eqn.source)]
