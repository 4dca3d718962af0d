"""The equations of a stretch for a block of rows, without the columns that masks decide.

Columns that are left out (`decided`) are computed as one column for all: its value
where it is the same in each of them, and the sum of them all where only that is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fxla.compile.stretches.block_body import Body, added, with_size
from fxla.compile.stretches.cuts import Cut
from fxla.compile.stretches.decided import EACH, SUM, Decided, Part, column_places
from fxla.core.aval import Aval
from fxla.core.dtypes import DType, bool_
from fxla.core.jaxpr import Atom, Eqn, Literal, Var
from fxla.core.records import dataclass
from fxla.ops.arithmetic import maximum_p, minimum_p, mul_p, sub_p
from fxla.ops.dot import DotDims, dot_general_p
from fxla.ops.elementwise import add_p
from fxla.ops.reduce import reduce_max_p, reduce_min_p
from fxla.ops.shape import iota_p, slice_p
from fxla.ops.structure import broadcast_in_dim_p, reduce_sum_p, reshape_p, transpose_p

__all__ = ["PIECES", "PartBody", "Piece", "pieces_of", "sliced"]

PIECES = (4, 8)
"""Pieces that rows are divided into, each of which has its own columns: few, and of many blocks."""
_MANY = 64
"""Blocks from which on another piece's program is built in less time than it saves."""
_STEPS = 16
"""Columns are left out by so many parts of all: shares, for they are right for every size."""
_MIN_COLUMNS = 128
_WORTH = (17, 20)
"""The part of all columns that may be left for the others to be worth leaving out."""


@dataclass(frozen=True, eq=False, slots=True)
class Piece:
    """Blocks of rows that have the same columns.

    Attributes:
        blocks: the first, and that after the last.
        live: the columns that are computed: the first, and that after the last.
        gone: what is known of those before and after them.
        columns: the position of the columns in each value that has them.
    """

    blocks: tuple[int, int]
    live: tuple[int, int]
    gone: tuple[Decided, ...]
    columns: dict[Var, int]


def pieces_of(plan: Cut) -> list[Piece]:
    """The blocks of a cut in pieces, if masks leave out enough of the columns; none otherwise."""
    eqns, at = plan.eqns, plan.at
    counted = any(e.primitive is iota_p and at.get(e.outputs[0]) == e.params["dimension"]
                  for e in eqns)  # fmt: skip
    if not counted or not any(e.outputs[0].aval.dtype == bool_ for e in eqns):
        return []
    seed = plan.seed
    others = [a for a, n in enumerate(seed.aval.shape) if a != at[seed] and n >= _MIN_COLUMNS]
    if not others:
        return []
    axis = max(others, key=lambda a: seed.aval.shape[a])
    columns, size = column_places(eqns, seed, axis), int(seed.aval.shape[axis])
    made = {e.outputs[0] for e in eqns}
    if columns is None or any(v in at and v not in made for v in columns):
        return []
    if any(v in columns for v in plan.exits if v not in plan.sums):
        return []
    block, count = int(plan.block), int(plan.size // plan.block)  # a program of these sizes only
    n = min(PIECES[count >= _MANY], count)
    pieces = []
    for k in range(n):
        first, last = k * count // n, (k + 1) * count // n
        rows = (first * block, last * block)
        pieces.append(_piece(plan, (first, last), rows, columns, size))
    left = sum((p.live[1] - p.live[0]) * (p.blocks[1] - p.blocks[0]) for p in pieces)
    return pieces if _WORTH[1] * left <= _WORTH[0] * (size * count) else []


def _piece(
    plan: Cut, blocks: tuple[int, int], rows: tuple[int, int], columns: dict[Var, int], size: int
) -> Piece:
    """A piece with as few columns as possible, but some."""

    def known(first: int, last: int) -> Decided:
        return Decided(plan.eqns, plan.at, columns, Part(rows, (first, last)), plan.exits)

    def step(n: int) -> int:
        return n * size // _STEPS

    all_but_one = _STEPS - 1
    after = _most(all_but_one, lambda n: known(step(_STEPS - n), size).holds)
    before = _most(all_but_one - after, lambda n: known(0, step(n)).holds)
    live = (step(before), step(_STEPS - after))
    gone = [known(*c) for c in ((0, live[0]), (live[1], size)) if c[0] < c[1]]
    return Piece(blocks, live, tuple(gone), columns)


def _most(limit: int, holds: Callable[[int], bool]) -> int:
    """The largest number up to a limit of which something holds, as it does of all below."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low


class PartBody(Body):
    """The equations of a stretch, of a block of rows and the columns of a piece.

    Attributes:
        asked: parameters for sums of an operand's columns that are left out: for each the position
            in `piece.gone`, and the operand.
        counts: likewise for the number of these columns.
    """

    def __init__(
        self, old: Sequence[Eqn], plan: Cut, block: int, eqns: list[Eqn], piece: Piece
    ) -> None:
        super().__init__(old, plan, block, eqns)
        self.piece = piece
        self.asked: dict[tuple[int, Var], Var] = {}
        self.counts: dict[tuple[int, DType], Var] = {}
        self.maker = {e.outputs[0]: e for e in old}
        self.known: list[dict[Var, Atom]] = [{} for _ in piece.gone]

    def shape_of(self, v: Var) -> tuple[int, ...]:
        """The shape of a value in a block."""
        return self._columns(v, self.piece.live[1] - self.piece.live[0])

    def _columns(self, v: Var, n: int) -> tuple[int, ...]:
        shape, p = super().shape_of(v), self.piece.columns.get(v)
        return shape if p is None else with_size(shape, p, n)

    def computed(self, eqn: Eqn) -> Var:
        """Append an equation, and what the columns that are left out add to it."""
        columns, out = self.piece.columns, eqn.outputs[0]
        if eqn.primitive is iota_p and columns.get(out) == eqn.params["dimension"]:
            return self._numbered(eqn, columns[out])
        new = super().computed(eqn)
        if out in columns:
            return new
        if any(a in columns for a in eqn.inputs):
            for k in range(len(self.piece.gone)):
                new = self._with_part(eqn, new, k)
        return new

    def _numbered(self, eqn: Eqn, at: int) -> Var:
        """Column numbers from the first one on."""
        first, last = self.piece.live
        whole = self.like(eqn, (), self._columns(eqn.outputs[0], last))
        return sliced(self.eqns, eqn.source, whole, at, first, last)

    def _with_part(self, eqn: Eqn, new: Var, k: int) -> Var:
        """A result that has no columns, together with that of columns left out."""
        inputs = [self.of_part(k, a) for a in eqn.inputs]
        part = self._alone(eqn, inputs)
        if eqn.primitive is reduce_sum_p and self.piece.gone[k].of(eqn.inputs[0]) == EACH:
            part = self._times(k, part)
        if eqn.primitive is reduce_max_p:
            return self.add(maximum_p, new, part)
        return self.add(minimum_p if eqn.primitive is reduce_min_p else add_p, new, part)

    def _alone(self, eqn: Eqn, inputs: Sequence[Atom]) -> Var:
        """What one column gives: no sum, and no maximum, that fusion would have to respect."""
        shape = self.shape_of(eqn.outputs[0])
        if eqn.primitive is not dot_general_p:
            at = self.piece.columns.get(eqn.inputs[0]) if isinstance(eqn.inputs[0], Var) else None
            if eqn.params["axes"] == (at,):
                return self.add(reshape_p, inputs[0], shape=shape)
            return self.like(eqn, inputs, shape)
        dims: DotDims = eqn.params["dims"]
        left, right = inputs
        if any(left.aval.shape[a] != 1 for a in dims.lhs_contract) or left.aval.dtype != (
            eqn.outputs[0].aval.dtype
        ):
            return self.like(eqn, inputs, shape)
        n = len(dims.lhs_batch)
        kept = (dims.lhs_kept(left.aval.ndim), dims.rhs_kept(right.aval.ndim))
        middle = n + len(kept[0])
        batch = tuple(range(n))
        a = self._spread(left, (*dims.lhs_batch, *kept[0]), tuple(range(middle)), shape)
        places = (*batch, *range(middle, len(shape)))
        return self.add(mul_p, a, self._spread(right, (*dims.rhs_batch, *kept[1]), places, shape))

    def _spread(
        self, x: Atom, axes: tuple[int, ...], places: tuple[int, ...], shape: tuple[int, ...]
    ) -> Var:
        """Axes of an array in their places in a shape; the others have size 1."""
        others = tuple(a for a in range(x.aval.ndim) if a not in axes)
        perm = (*axes, *others)
        if perm != tuple(range(x.aval.ndim)):
            x = self.add(transpose_p, x, perm=perm)
        if others:
            x = self.add(reshape_p, x, shape=x.aval.shape[: len(axes)])
        return self.add(broadcast_in_dim_p, x, shape=shape, dims=places)

    def of_part(self, k: int, a: Atom) -> Atom:
        """What stands for columns left out of a value: one column."""
        if isinstance(a, Literal):
            return a
        if a not in self.piece.columns:
            return self.env[a]
        if a not in self.known[k]:
            self.known[k][a] = self._new_part(k, a)
        return self.known[k][a]

    def _new_part(self, k: int, v: Var) -> Atom:
        gone, shape = self.piece.gone[k], self._columns(v, 1)
        if v in gone.constant:
            literal = Literal(bool_.type(gone.constant[v]), Aval((), bool_))
            return self.add(broadcast_in_dim_p, literal, shape=shape, dims=())
        if v in gone.same:
            chosen = self.of_part(k, gone.same[v])
            if chosen.aval.ndim == len(shape):
                return chosen
            return self.add(broadcast_in_dim_p, chosen, shape=shape, dims=())
        eqn = self.maker.get(v)
        if eqn is None:
            self.asked[k, v] = Var(Aval(shape, v.aval.dtype))
            return self.asked[k, v]
        inputs = [self.of_part(k, a) for a in eqn.inputs]
        if eqn.primitive in (add_p, sub_p) and gone.of(v) == SUM:
            kinds = [gone.of(a) for a in eqn.inputs]
            inputs = [
                self._times(k, x) if kind == EACH else x
                for x, kind in zip(inputs, kinds, strict=True)
            ]
        return self.like(eqn, inputs, shape)

    def _times(self, k: int, x: Atom) -> Var:
        """The sum of equal columns."""
        key = (k, x.aval.dtype)
        if key not in self.counts:
            self.counts[key] = Var(Aval((), x.aval.dtype))
        return self.add(mul_p, x, self.counts[key])

    def asked_for(self, eqns: list[Eqn]) -> list[tuple[Var, Var]]:
        """Compute what the parameters stand for outside of the loop: pairs of both."""
        source = self.old[-1].source
        found: list[tuple[Var, Var]] = []
        for (k, v), var in self.asked.items():
            p, shape = self.piece.columns[v], v.aval.shape
            first, last = self.piece.gone[k].part.columns
            part = sliced(eqns, source, v, p, first, last)
            total = added(eqns, source, reduce_sum_p, part, axes=(p,))
            shape = with_size(shape, p, 1)
            found.append((added(eqns, source, reshape_p, total, shape=shape), var))
        for (k, dtype), var in self.counts.items():
            first, last = self.piece.gone[k].part.columns
            one = Literal(dtype.type(1), Aval((), dtype))  # a sum, for its length may vary
            ones = added(eqns, source, broadcast_in_dim_p, one, shape=(last - first,), dims=())
            found.append((added(eqns, source, reduce_sum_p, ones, axes=(0,)), var))
        return found


def sliced(eqns: list[Eqn], source: object, v: Var, at: int, first: int, last: int) -> Var:
    """Append the slice of an axis from the first to before the last."""
    shape = v.aval.shape
    low, high = with_size((0,) * len(shape), at, first), with_size(shape, at, last)
    return added(eqns, source, slice_p, v, start=low, limit=high, strides=(1,) * len(shape))
