"""Take the sums of products out of a loop.

The gradient of a recurrent network adds an outer product to the gradient of its weights in every
step. Summed afterwards over the stacked factors it is one matrix product:

    sum over t of a[t] b[t]^T  =  A^T B
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fxla.core.jaxpr import Atom, Eqn, Jaxpr, Literal, Var
from fxla.core.records import dataclass
from fxla.core.trace import Value
from fxla.ops.dot import DotDims, dot_general, dot_general_p
from fxla.ops.elementwise import add_p
from fxla.ops.structure import transpose, transpose_p

__all__ = ["HoistedSum", "hoist_sums"]


@dataclass(frozen=True)
class HoistedSum:
    """A sum over iterations of a contraction, to be taken after the loop.

    Attributes:
        position: which of the sums it was.
        factors: the two factors in one iteration.
        given: for each factor the input of the iteration that it is, if it is one...
        made: ... else which of the further outputs it is.
        dims: of the contraction in one iteration.
        perm: a permutation of the result, if the loop had one.
    """

    position: int
    factors: tuple[Var, Var]
    given: tuple[int | None, int | None]
    made: tuple[int, int]
    dims: DotDims
    perm: tuple[int, ...] | None

    def total(self, lhs: Value, rhs: Value) -> Value:
        """The sum, from the factors stacked along axis 0."""

        def later(axes: Sequence[int]) -> tuple[int, ...]:
            return tuple(a + 1 for a in axes)

        d = self.dims
        dims = DotDims(
            (0, *later(d.lhs_contract)),
            (0, *later(d.rhs_contract)),
            later(d.lhs_batch),
            later(d.rhs_batch),
        )
        out = dot_general(lhs, rhs, dims)
        return out if self.perm is None else transpose(out, self.perm)


def hoist_sums(body: Jaxpr, first: int, count: int, stacked: int) -> tuple[Jaxpr, list[HoistedSum]]:
    """Find carries that only add up contractions.

    Args:
        body: one iteration; outputs 0 to `count` are the carries that inputs `first` to
            ``first + count`` become.
        first: position of the first such input.
        count: how many there are.
        stacked: position of the first input that is a slice of a stacked operand; those before
            are consts, these carries, and other carries.

    Returns:
        The program without those carries, in and out, and with the factors that are not inputs as
        further outputs; and what to do with the factors.
    """
    made_by = {v: e for e in body.eqns for v in e.outputs}
    uses: dict[Var, int] = {}
    for atom in (*(a for e in body.eqns for a in e.inputs), *body.outs):
        if not isinstance(atom, Literal):
            uses[atom] = uses.get(atom, 0) + 1
    fixed = set(body.invars[:first])
    slices = {v: i for i, v in enumerate(body.invars) if i >= stacked}
    found: list[HoistedSum] = []
    for k in range(count):
        product = _added(body.outs[k], body.invars[first + k], made_by, uses)
        hoisted = None if product is None else _as_sum(k, product, made_by, uses)
        if hoisted is not None and not fixed.isdisjoint(hoisted.factors):
            continue
        if hoisted is not None:
            a, b = (slices.get(f) for f in hoisted.factors)
            found.append(replace(hoisted, given=(a, b)))
    if not found:
        return body, []
    factors: dict[Var, int] = {}
    for k, h in enumerate(found):
        a, b = (
            factors.setdefault(f, len(factors)) if at is None else 0
            for f, at in zip(h.factors, h.given, strict=True)
        )
        found[k] = replace(h, made=(a, b))
    gone = {h.position for h in found}
    dead = {e for h in found for e in (made_by[_var(body.outs[h.position])],)}
    eqns = tuple(e for e in body.eqns if e not in dead)
    invars = tuple(v for i, v in enumerate(body.invars) if i - first not in gone)
    outs = tuple(a for i, a in enumerate(body.outs) if i not in gone)
    return Jaxpr(invars, eqns, (*outs, *factors)), found


def _var(atom: Atom) -> Var:
    assert isinstance(atom, Var)
    return atom


def _added(out: Atom, carry: Var, made_by: dict[Var, Eqn], uses: dict[Var, int]) -> Var | None:
    """What is added to a carry to give its next value, if nothing else reads the carry."""
    eqn = made_by.get(out) if isinstance(out, Var) else None
    if eqn is None or eqn.primitive is not add_p or uses[carry] != 1 or uses[_var(out)] != 1:
        return None
    a, b = eqn.inputs
    other = b if a is carry else a if b is carry else None
    return other if isinstance(other, Var) and other.aval.shape == carry.aval.shape else None


def _as_sum(
    position: int, product: Var, made_by: dict[Var, Eqn], uses: dict[Var, int]
) -> HoistedSum | None:
    """The contraction that gives `product`, if it is one."""
    eqn = made_by.get(product)
    perm = None
    if eqn is not None and eqn.primitive is transpose_p and uses[product] == 1:
        perm = eqn.params["perm"]
        product = _var(eqn.inputs[0]) if isinstance(eqn.inputs[0], Var) else product
        eqn = made_by.get(product)
    if eqn is None or eqn.primitive is not dot_general_p or uses[product] != 1:
        return None
    if eqn.params["preferred_element_type"] is not None:
        return None
    a, b = eqn.inputs
    if not (isinstance(a, Var) and isinstance(b, Var)):
        return None
    dims: DotDims = eqn.params["dims"]
    a, dims = _untransposed(a, dims, made_by)
    b, swapped = _untransposed(b, dims.swapped(), made_by)
    return HoistedSum(position, (a, b), (None, None), (0, 0), swapped.swapped(), perm)


def _untransposed(factor: Var, dims: DotDims, made_by: dict[Var, Eqn]) -> tuple[Var, DotDims]:
    """A left factor, or what it is the transpose of: that is stacked, and read in place later."""
    eqn = made_by.get(factor)
    if eqn is None or eqn.primitive is not transpose_p or not isinstance(eqn.inputs[0], Var):
        return factor, dims
    perm = eqn.params["perm"]
    kept = [perm[a] for a in dims.lhs_kept(len(perm))]
    if kept != sorted(kept):
        return factor, dims
    moved = DotDims(
        tuple(perm[a] for a in dims.lhs_contract),
        dims.rhs_contract,
        tuple(perm[a] for a in dims.lhs_batch),
        dims.rhs_batch,
    )
    return eqn.inputs[0], moved
