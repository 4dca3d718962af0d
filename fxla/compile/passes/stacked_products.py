"""Products of a counted loop that need nothing of its carries, or that nothing of it needs.

A step of a recurrent network multiplies its input by a matrix that is the same in every step:

    x[t] @ W, for every t   is   X @ W,   one product of many rows, before the loop

and so are, after it, products that are only results of the steps, such as the gradients of the
inputs, ``da[t] @ W.T``. A product of many rows runs at the processor's full speed and on all cores,
where those of one step are too small for either; and the loop has less to do between steps that
wait for each other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from fxla.compile.regions import ScanRegion
from fxla.core.aval import Aval
from fxla.core.jaxpr import Atom, Eqn, Jaxpr, Literal, Var
from fxla.core.records import dataclass
from fxla.ops.dot import DotDims, dot_general_p

__all__ = ["Around", "products_around"]

MIN_LENGTH = 4
"""Iterations, at least."""
MIN_WORK = 1024
"""Multiplications of a product in one step, at least."""
MAX_BYTES = 1 << 22
"""Bytes of all products before a loop, at most, unless what the loop reads and writes has more."""


@dataclass(frozen=True, slots=True)
class Around:
    """A loop, and the products that are taken before and after it.

    Attributes:
        before: (*consts, *xs) -> stacked products, further xs of the loop; None if there are none.
        loop: the rest. Some of its ys are stacked operands of products instead.
        after: (*consts, *those ys) -> stacked products; None if there are none.
        late: for each result of `after`, which of the ys it is.
    """

    before: Jaxpr | None
    loop: ScanRegion
    after: Jaxpr | None
    late: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Product:
    """A contraction in a loop's body.

    Attributes:
        eqn: the equation.
        factor: what is multiplied by something that is the same in every iteration.
    """

    eqn: Eqn
    factor: Var

    @property
    def out(self) -> Var:
        """Its result."""
        return self.eqn.outputs[0]


def products_around(form: ScanRegion) -> Around | None:
    """Take products out of a loop whose body is simplified; None if it has none to take."""
    body, k, c = form.body, form.n_consts, form.n_carry
    if form.length < MIN_LENGTH or all(e.primitive is not dot_general_p for e in body.eqns):
        return None
    consts, xs = body.invars[:k], body.invars[k + c :]
    products = [p for e in body.eqns if (p := _product(e, set(consts))) is not None]
    early = _early(form, products, xs)
    late = _late(form, [p for p in products if p not in early])
    if not (early or late):
        return None
    gone = {p.out for p in (*early, *late.values())}
    outs = list(body.outs)
    for j, p in late.items():
        outs[c + j] = p.factor
    rest = Jaxpr(
        (*body.invars, *[p.out for p in early]),
        tuple([e for e in body.eqns if gone.isdisjoint(e.outputs)]),
        tuple(outs),
    )
    before = _stacked(early, consts, xs, form.length) if early else None
    last = list(late.values())
    after = _stacked(last, consts, [p.factor for p in last], form.length) if late else None
    return Around(before, replace(form, body=rest), after, tuple(late))


def _early(form: ScanRegion, products: list[_Product], xs: Sequence[Var]) -> list[_Product]:
    """Products of what an iteration reads and what is the same in all."""
    found = [p for p in products if p.factor in xs]
    ys = form.body.outs[form.n_carry :]
    passed = form.length * sum([_nbytes(a) for a in (*xs, *ys)])
    made = form.length * sum([_nbytes(p.out) for p in found])
    return found if made <= max(MAX_BYTES, passed) else []


def _late(form: ScanRegion, products: list[_Product]) -> dict[int, _Product]:
    """Products that are results of an iteration and nothing else, by their position among these."""
    body, c = form.body, form.n_carry
    uses = Counter([*(a for e in body.eqns for a in e.inputs if isinstance(a, Var)), *body.outs])
    found: dict[int, _Product] = {}
    for p in products:
        position = next((j for j, a in enumerate(body.outs[c:]) if a is p.out), None)
        if position is None or uses[p.out] != 1:
            continue
        if _nbytes(p.factor) <= max(_nbytes(p.out), MAX_BYTES // form.length):
            found[position] = p
    return found


def _product(eqn: Eqn, fixed: set[Var]) -> _Product | None:
    """A product with something fixed, if a stack of its other factor can be multiplied at once."""
    if eqn.primitive is not dot_general_p:
        return None
    dims: DotDims = eqn.params["dims"]
    left, right = eqn.inputs
    if dims.lhs_batch or isinstance(left, Literal) or isinstance(right, Literal):
        return None
    depth = math.prod([left.aval.shape[a] for a in dims.lhs_contract])
    if depth * eqn.outputs[0].aval.size < MIN_WORK:
        return None
    if right in fixed and left not in fixed:
        return _Product(eqn, left)
    alone = not (dims.lhs_kept(left.aval.ndim) and dims.rhs_kept(right.aval.ndim))
    return _Product(eqn, right) if alone and left in fixed and right not in fixed else None


def _stacked(
    products: Sequence[_Product], consts: Sequence[Var], factors: Sequence[Var], length: int
) -> Jaxpr:
    """(*consts, *stacked factors) -> products of the stacks."""
    stacks = [Var(_stack(v.aval, length)) for v in factors]
    found: list[Eqn] = []
    for p in products:
        eqn = p.eqn
        (left, right), dims = eqn.inputs, eqn.params["dims"]
        if p.factor is right:
            right, dims = left, dims.swapped()
        later = DotDims(tuple([a + 1 for a in dims.lhs_contract]), dims.rhs_contract)
        stack = stacks[next(i for i, v in enumerate(factors) if v is p.factor)]
        out = Var(_stack(p.out.aval, length))
        found.append(
            Eqn(dot_general_p, (stack, right), {**eqn.params, "dims": later}, (out,), eqn.source)
        )
    return Jaxpr((*consts, *stacks), tuple(found), tuple([e.outputs[0] for e in found]))


def _stack(aval: Aval, length: int) -> Aval:
    return Aval((length, *aval.shape), aval.dtype)


def _nbytes(atom: Atom) -> int:
    return atom.aval.size * atom.aval.dtype.itemsize
