"""What a loop computes anew in every iteration although it is always the same.

`invariant_part` takes it out of the body. `weights_by_column` turns products with matrices that do
not change so that lanes can run along their rows: the transpose is then taken once.
"""

from __future__ import annotations

from fxla.core.aval import Aval
from fxla.core.jaxpr import Eqn, Jaxpr, Literal, Var, is_effectful, sub_jaxprs
from fxla.ops.dot import DotDims, dot_general_p
from fxla.ops.structure import transpose_p

__all__ = ["invariant_part", "weights_by_column"]

MIN_WIDTH = 8
"""Rows from which on lanes along the rows of a matrix pay."""


def invariant_part(body: Jaxpr, n_consts: int, certain: bool = True) -> tuple[Jaxpr | None, Jaxpr]:
    """Split a loop's body into what depends on its consts alone and the rest.

    A value that is larger than all it is made of, such as a broadcast scalar, stays in the body.

    Args:
        body: of the loop.
        n_consts: how many of its inputs are the same in every iteration.
        certain: whether there is an iteration; if not, what may raise stays too.

    Returns:
        (*consts) -> values, None if there are none; and the body, which takes the values after its
        consts.
    """
    fixed: set[Var] = set(body.invars[:n_consts])
    first: list[Eqn] = []
    rest: list[Eqn] = []
    for eqn in body.eqns:
        if _is_fixed(eqn, fixed) and (certain or _cannot_fail(eqn)):
            first.append(eqn)
            fixed.update(eqn.outputs)
        else:
            rest.append(eqn)
    made = {v for e in first for v in e.outputs}
    read = {a for e in rest for a in e.inputs if isinstance(a, Var)}
    read.update(a for a in body.outs if isinstance(a, Var))
    wanted = tuple(v for e in first for v in e.outputs if v in read)
    if not wanted:
        return None, body
    assert made.issuperset(wanted)
    consts = body.invars[:n_consts]
    return (
        Jaxpr(consts, tuple(first), wanted),
        Jaxpr((*consts, *wanted, *body.invars[n_consts:]), tuple(rest), body.outs),
    )


def _is_fixed(eqn: Eqn, fixed: set[Var]) -> bool:
    variables = [a for a in eqn.inputs if isinstance(a, Var)]
    if not variables or eqn.primitive.collective or is_effectful(eqn):
        return False
    if any(v not in fixed for v in variables):
        return False
    largest = max(v.aval.size for v in variables)
    return all(v.aval.size <= largest for v in eqn.outputs)


def _cannot_fail(eqn: Eqn) -> bool:
    """Whether an equation neither raises nor may run for ever."""
    return not eqn.primitive.fails and not sub_jaxprs(eqn.params)


def weights_by_column(body: Jaxpr, n_consts: int) -> Jaxpr:
    """Turn products that contract the last axis of a constant matrix.

    ``sum over k of w[i, k] h[k]``, for all i, becomes one over the first axis of the transpose:
    lanes for i then read elements that lie side by side.
    """
    weights = set(body.invars[:n_consts])
    turned: dict[Var, Var] = {}
    eqns: list[Eqn] = []
    for eqn in body.eqns:
        if eqn.primitive is dot_general_p:
            for side in (0, 1):
                w = eqn.inputs[side]
                if not isinstance(w, Literal) and w in weights and _reads_rows(eqn, side):
                    if w not in turned:
                        turned[w] = Var(Aval(w.aval.shape[::-1], w.aval.dtype))
                        perm = {"perm": (1, 0)}
                        eqns.append(Eqn(transpose_p, (w,), perm, (turned[w],), eqn.source))
                    eqn = _with_columns(eqn, side, turned[w])
        eqns.append(eqn)
    return body if not turned else Jaxpr(body.invars, tuple(eqns), body.outs)


def _reads_rows(eqn: Eqn, side: int) -> bool:
    dims: DotDims = eqn.params["dims"]
    dims = dims if side == 0 else dims.swapped()
    shape, other = eqn.inputs[side].aval.shape, eqn.inputs[1 - side].aval
    return (
        len(shape) == 2
        and dims.lhs_contract == (1,)
        and not dims.lhs_batch
        and shape[0] >= MIN_WIDTH
        and other.ndim == 1
    )


def _with_columns(eqn: Eqn, side: int, turned: Var) -> Eqn:
    dims: DotDims = eqn.params["dims"]
    mine = dims if side == 0 else dims.swapped()
    moved = DotDims((0,), mine.rhs_contract, (), mine.rhs_batch)
    inputs = (turned, eqn.inputs[1]) if side == 0 else (eqn.inputs[0], turned)
    params = {**eqn.params, "dims": moved if side == 0 else moved.swapped()}
    return Eqn(dot_general_p, inputs, params, eqn.outputs, eqn.source)
