"""Attention without the matrix of scores: stretches of a program, computed a block at a time.

A stretch (`wide`) leads through large arrays from small ones to small ones. If all its
equations compute slice by slice along an axis (`axes`), it becomes a loop over blocks
of that axis: what it reads is read in blocks, results that have the axis are written in blocks, and
results that are sums over it are summed up. A block's large arrays stay in the second cache.

    scores f32[8,4096,4096] = dot_general q k          for a block of heads:
    ...                                         =>         for a block of queries:
    out f32[8,4096,64] = dot_general weights v                 scores f32[1,128,4096] = ...

Axes are cut from the left, one loop inside the other, until a block is `BLOCK_BYTES`; what does not
depend on the inner one is computed outside of it. References: Rabe and Staats, "Self-attention does
not need O(n^2) memory" (2021); Dao et al., "FlashAttention" (2022), whose running maximum is not
needed, as a block has whole rows.
"""

from __future__ import annotations

from typing import Any

from fxla.compile.passes.equations import after_transforms
from fxla.compile.regions import BlocksRegion
from fxla.compile.stretches.block_body import Body, added, with_size
from fxla.compile.stretches.cuts import Cut, largest, plan_cuts
from fxla.compile.stretches.part_body import PartBody, Piece, pieces_of, sliced
from fxla.compile.stretches.wide import Wide, is_wide_product, product_depth, variables
from fxla.core.aval import Aval
from fxla.core.check import checked
from fxla.core.dtypes import int64
from fxla.core.jaxpr import Atom, Eqn, Jaxpr, Literal, Var
from fxla.core.primitive import Primitive
from fxla.ops.elementwise import add_p
from fxla.ops.shape import concatenate_p, iota_p, slice_p
from fxla.ops.structure import broadcast_in_dim_p, transpose_p
from fxla.transforms.dce import dce_jaxpr

__all__ = ["blocks_p", "in_blocks"]


class Blocks(Primitive):
    """A loop over blocks of an axis.

    Operands (*consts, *sums, *xs), results (*sums, *ys). Only axes of size 1 stand before that of
    an x or a y, so that a block of it lies in one piece.

    Params:
        body: (*consts, *sums, *blocks of xs) -> (*sums, *blocks of ys).
        n_consts, n_sums: how many operands are consts and sums.
        length: number of blocks.
        shapes: of the ys.
    """

    name = "blocks"

    def __init__(self) -> None:
        """Not registered: no jaxpr that a user sees has this primitive."""

    def abstract_eval(
        self, *avals: Aval, body: Jaxpr, n_consts: int, n_sums: int, length: int, shapes: Any
    ) -> tuple[Aval, ...]:
        outs = body.out_avals
        ys = [Aval(s, a.dtype) for s, a in zip(shapes, outs[n_sums:], strict=True)]
        return (*(a.strong() for a in outs[:n_sums]), *ys)

    impl = jvp = transpose = batch = after_transforms

    def lower(
        self, *views: Any, body: Jaxpr, n_consts: int, n_sums: int, length: int, shapes: Any
    ) -> BlocksRegion:
        return BlocksRegion(body, n_consts, n_sums, length, False)


blocks_p = Blocks()


def in_blocks(jaxpr: Jaxpr, notes: list[str] | None = None) -> Jaxpr:
    """A program whose stretches are loops over blocks, where that pays.

    Args:
        jaxpr: simplified.
        notes: gets a line for each stretch, which says what becomes of it and why.
    """
    lines: list[str] = notes if notes is not None else []
    if not any(is_wide_product(e) for e in jaxpr.eqns):
        return jaxpr
    plans = plan_cuts(jaxpr, Wide(jaxpr), lines)
    if not plans:
        return jaxpr
    made: dict[int, list[Eqn]] = {}
    gone: set[int] = set()
    for plan in plans:
        made[max(plan.stretch.own)] = _Rewriting(jaxpr, plan, lines).eqns
        gone |= plan.stretch.own
    pieces = [
        made.get(k, [] if k in gone else [eqn]) for k, eqn in enumerate(jaxpr.eqns)
    ]  # fmt: skip
    eqns = _in_order(jaxpr, [p for p in pieces if p])
    if eqns is None:
        return jaxpr
    small, _ = dce_jaxpr(Jaxpr(jaxpr.invars, eqns, jaxpr.outs), [True] * len(jaxpr.outs), True)
    return checked(small, "cutting into blocks")


def _in_order(jaxpr: Jaxpr, pieces: list[list[Eqn]]) -> tuple[Eqn, ...] | None:
    """Pieces in an order in which all is computed before it is read; None if there is none."""
    known = set(jaxpr.invars)
    eqns: list[Eqn] = []
    while pieces:
        waiting: list[list[Eqn]] = []
        for piece in pieces:
            inside = {v for e in piece for v in e.outputs}
            if all(v in known or v in inside for e in piece for v in variables(e.inputs)):
                eqns += piece
                known |= inside
            else:
                waiting.append(piece)
        if len(waiting) == len(pieces):
            return None
        pieces = waiting
    return tuple(eqns)


class _Rewriting:
    """The equations that take the place of a stretch."""

    def __init__(self, jaxpr: Jaxpr, plan: Cut, notes: list[str]) -> None:
        self.plan = plan
        self.jaxpr = jaxpr
        self.old = plan.eqns
        self.source = self.old[-1].source
        self.eqns: list[Eqn] = []
        made = {v for e in self.old for v in e.outputs}
        outside = dict.fromkeys(v for e in self.old for v in variables(e.inputs) if v not in made)
        self.consts = [v for v in outside if v not in plan.at]
        self.xs = [v for v in outside if v in plan.at]
        self.sums = [v for v in plan.exits if v in plan.sums]
        self.ys = [v for v in plan.exits if v not in plan.sums]
        self.count = plan.size // plan.block
        self.pieces = pieces_of(plan)
        notes.append(self._note())
        loop = self._in_pieces(notes) if self.pieces else self._loop(notes)
        done = self.count * plan.block
        parts = self._rest(done, plan.size - done) if plan.size - done else []
        for k, v in enumerate((*self.sums, *self.ys)):
            self._result(v, [loop[k], *parts[k : k + 1]])

    def _add(self, primitive: Primitive, *inputs: Atom, **params: Any) -> Var:
        return added(self.eqns, self.source, primitive, *inputs, **params)

    def _in_pieces(self, notes: list[str]) -> list[Var]:
        """The loops over blocks of each piece; returns their results, put together."""
        # Programs of the pieces differ in sizes: the plan has the lines of one.
        found = [self._loop(notes if k == 0 else [], p) for k, p in enumerate(self.pieces)]
        results: list[Var] = []
        for k, parts in enumerate(zip(*found, strict=True)):
            whole, rest = parts[0], parts[1:]
            if k < len(self.sums):
                for part in rest:
                    whole = self._add(add_p, whole, part)
            elif rest:
                p = self.plan.at[self.ys[k - len(self.sums)]]
                at = p if all(n == 1 for n in whole.aval.shape[:p]) else 0
                whole = self._add(concatenate_p, *parts, dimension=at)
            results.append(whole)
        return results

    def _loop(self, notes: list[str], piece: Piece | None = None) -> list[Var]:
        """The loop over whole blocks, of all or of a piece; returns its results."""
        plan = self.plan
        first, last = (0, self.count) if piece is None else piece.blocks
        rows = (first * plan.block, last * plan.block)
        body = (
            Body(self.old, plan, plan.block, []) if piece is None
            else PartBody(self.old, plan, plan.block, [], piece)
        )  # fmt: skip
        consts = [body.given(v) for v in self.consts]
        given = [self._of_piece(v, piece) for v in self.consts]
        read = [self._in_step(v, body, rows) for v in self.xs]
        if body.counted:
            counter = Var(Aval((plan.block,), int64))
            read.append((self._numbers(*rows), counter))
            body.counter = counter
        body.run()
        made = [x for v in self.sums for x in _summed(body, v)]
        if isinstance(body, PartBody):
            for outer, parameter in body.asked_for(self.eqns):
                given.append(outer)
                consts.append(parameter)
        zeros = [self._zeros(x.aval) for x in made]
        before = [Var(x.aval.strong()) for x in made]
        totals = [body.add(add_p, t, x) for t, x in zip(before, made, strict=True)]
        written = [self._written(v, body, rows) for v in self.ys]
        inputs = (*consts, *before, *(x for _, x in read))
        outs = (*totals, *(y for _, y in written))
        inner = in_blocks(Jaxpr(inputs, tuple(body.eqns), outs), notes)
        operands = (*given, *zeros, *(x for x, _ in read))
        avals = (*(v.aval.strong() for v in before), *(a for a, _ in written))
        results = [Var(a) for a in avals]
        params = {
            "body": inner, "n_consts": len(consts), "n_sums": len(zeros), "length": last - first,
            "shapes": tuple(a.shape for a, _ in written),
        }  # fmt: skip
        self.eqns.append(Eqn(blocks_p, operands, params, tuple(results), self.source))
        return self._whole_sums(results, piece)

    def _of_piece(self, v: Var, piece: Piece | None) -> Var:
        """An operand that every block reads, or the columns of it that a piece has."""
        if piece is None or v not in piece.columns:
            return v
        return sliced(self.eqns, self.source, v, piece.columns[v], *piece.live)

    def _numbers(self, first: int, last: int) -> Var:
        """Row numbers; sliced, so that no number is a constant that would differ between sizes."""
        count = self._add(iota_p, dtype=int64, shape=(last,), dimension=0)
        return sliced(self.eqns, self.source, count, 0, first, last) if first else count

    def _whole_sums(self, results: list[Var], piece: Piece | None) -> list[Var]:
        """Results of a loop with sums that have all columns, also those that are left out."""
        if piece is None:
            return results
        waiting = iter(results)
        sums: list[Var] = []
        for v in self.sums:
            total = next(waiting)
            if v in piece.columns:
                p = piece.columns[v]
                parts = {piece.live: total}
                for gone in piece.gone:
                    low, high = gone.part.columns
                    shape = with_size(v.aval.shape, p, high - low)
                    same = next(waiting)
                    dims = tuple(range(len(shape)))
                    wide = self._add(broadcast_in_dim_p, same, shape=shape, dims=dims)
                    parts[low, high] = wide
                ordered = [parts[c] for c in sorted(parts)]
                total = self._add(concatenate_p, *ordered, dimension=p)
            sums.append(total)
        return [*sums, *waiting]

    def _in_step(self, v: Var, body: Body, rows: tuple[int, int]) -> tuple[Var, Var]:
        """An operand whose blocks lie in one piece each, and the parameter for one of them."""
        p, given = self.plan.at[v], v
        shape = with_size(v.aval.shape, p, self.plan.block)
        if self.pieces:
            v = sliced(self.eqns, self.source, v, p, *rows)
        if _leads(shape, p):
            return v, body.given(given)
        perm, back = _to_front(p, v.aval.ndim)
        front = Var(Aval(tuple(shape[a] for a in perm), v.aval.dtype))
        body.env[given] = body.add(transpose_p, front, perm=back)
        return self._add(transpose_p, v, perm=perm), front

    def _written(self, v: Var, body: Body, rows: tuple[int, int]) -> tuple[Aval, Var]:
        """The type of a result of all blocks in one piece each, and what one of them gives."""
        p, new = self.plan.at[v], body.env[v]
        whole = with_size(v.aval.shape, p, rows[1] - rows[0])
        if not _leads(whole, p):
            perm, _ = _to_front(p, len(whole))
            new = body.add(transpose_p, new, perm=perm)
            whole = tuple(whole[a] for a in perm)
        return Aval(whole, v.aval.dtype), new

    def _zeros(self, aval: Aval) -> Var:
        zero = Literal(aval.dtype.type(0), Aval((), aval.dtype))
        return self._add(broadcast_in_dim_p, zero, shape=aval.shape, dims=())

    def _rest(self, start: int, size: int) -> list[Var]:
        """What is left after the last whole block."""
        plan = self.plan
        body = Body(self.old, plan, size, self.eqns)
        body.env |= {v: v for v in self.consts}
        for v in self.xs:
            p, shape = plan.at[v], v.aval.shape
            low, high = with_size((0,) * len(shape), p, start), shape
            ones = (1,) * len(shape)
            body.env[v] = self._add(slice_p, v, start=low, limit=high, strides=ones)
        if body.counted:
            count = self._add(iota_p, dtype=int64, shape=(size,), dimension=0)
            body.counter = self._add(add_p, count, Literal(int64.type(start), Aval((), int64)))
        body.run()
        return [body.env[v] for v in (*self.sums, *self.ys)]

    def _result(self, v: Var, parts: list[Var]) -> None:
        """Name a result as the program does, put together from its parts."""
        plan = self.plan
        if v in plan.sums:
            whole = parts[0] if len(parts) == 1 else self._add(add_p, *parts)
        else:
            p = plan.at[v]
            first = parts[0]
            if not _leads(v.aval.shape, p):
                _, back = _to_front(p, v.aval.ndim)
                first = self._add(transpose_p, first, perm=back)
            whole = first
            if len(parts) > 1:
                whole = self._add(concatenate_p, first, parts[1], dimension=p)
        for k, eqn in enumerate(self.eqns):  # the last equation that gives it takes the old name
            if whole in eqn.outputs:
                outputs = tuple(v if w is whole else w for w in eqn.outputs)
                self.eqns[k] = Eqn(eqn.primitive, eqn.inputs, eqn.params, outputs, eqn.source)

    def _note(self) -> str:
        plan = self.plan
        aval = largest(plan.stretch).aval
        whole = aval.size * aval.dtype.itemsize
        text = (
            f"dot_general {aval}: computed in {self.count} blocks of {plan.block},"
            f" {whole * plan.block // plan.size} bytes instead of {whole}"
        )
        again = [self.jaxpr.eqns[k] for k in sorted(plan.stretch.again)]
        work = sum(product_depth(e) for e in again if is_wide_product(e))
        if self.pieces:
            left = sum((p.live[1] - p.live[0]) * (p.blocks[1] - p.blocks[0]) for p in self.pieces)
            size = max(n for a, n in enumerate(plan.seed.aval.shape) if a != plan.at[plan.seed])
            text += f", {100 * left // (self.count * size)}% of it: masks decide the rest"
        return text + (f", for {work} multiplications more for each element" if work else "")


def _summed(body: Body, v: Var) -> list[Var]:
    """What a block adds to a sum: that of the columns it computes, and of each that it does not."""
    if not isinstance(body, PartBody) or v not in body.piece.columns:
        return [body.env[v]]
    gone = [body.of_part(k, v) for k in range(len(body.piece.gone))]
    return [body.env[v], *(x for x in gone if isinstance(x, Var))]


def _leads(shape: tuple[int, ...], at: int) -> bool:
    """Whether blocks along an axis lie in one piece each."""
    return all(n == 1 for n in shape[:at])


def _to_front(at: int, ndim: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The permutation that puts an axis first, and its inverse."""
    perm = (at, *(a for a in range(ndim) if a != at))
    return perm, tuple(perm.index(a) for a in range(ndim))
