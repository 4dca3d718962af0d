"""Attention without the matrix of scores: stretches of a program, computed a block at a time.

A stretch (`fxla.compile.wide`) leads through large arrays from small ones to small ones. If all its
equations compute slice by slice along an axis (`fxla.compile.axes`), it becomes a loop over blocks
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

from collections.abc import Sequence
from typing import Any

from fxla.compile.cuts import Cut, largest, plan_cuts
from fxla.compile.equations import after_transforms
from fxla.compile.regions import BlocksRegion
from fxla.compile.wide import Wide, is_wide_product, product_depth, variables
from fxla.core.aval import Aval
from fxla.core.check import checked
from fxla.core.dtypes import int64
from fxla.core.jaxpr import Atom, Eqn, Jaxpr, Literal, Var
from fxla.core.primitive import Primitive
from fxla.ops.elementwise import add_p, convert_p
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
        loop = self._loop(notes)
        done = self.count * plan.block
        parts = self._rest(done, plan.size - done) if plan.size - done else []
        for k, v in enumerate((*self.sums, *self.ys)):
            self._result(v, [loop[k], *parts[k : k + 1]])

    def _add(self, primitive: Primitive, *inputs: Atom, **params: Any) -> Var:
        return _added(self.eqns, self.source, primitive, *inputs, **params)

    def _loop(self, notes: list[str]) -> list[Var]:
        """The loop over whole blocks; returns its results."""
        plan = self.plan
        body = _Body(self.old, plan, plan.block, [])
        consts = [body.given(v, v.aval.shape) for v in self.consts]
        read = [self._in_step(v, body) for v in self.xs]
        if body.counted:
            n = self.count * plan.block
            counter = Var(Aval((plan.block,), int64))
            read.append((self._add(iota_p, dtype=int64, shape=(n,), dimension=0), counter))
            body.counter = counter
        body.run()
        zeros = [self._zeros(v) for v in self.sums]
        before = [Var(v.aval.strong()) for v in self.sums]
        totals = [
            body.add(add_p, t, body.env[v]) for t, v in zip(before, self.sums, strict=True)
        ]  # fmt: skip
        written = [self._written(v, body) for v in self.ys]
        inputs = (*consts, *before, *(x for _, x in read))
        outs = (*totals, *(y for _, y in written))
        notes.append(self._note())
        inner = in_blocks(Jaxpr(inputs, tuple(body.eqns), outs), notes)
        operands = (*self.consts, *zeros, *(x for x, _ in read))
        avals = (*(v.aval.strong() for v in before), *(a for a, _ in written))
        results = [Var(a) for a in avals]
        params = {
            "body": inner, "n_consts": len(consts), "n_sums": len(zeros), "length": self.count,
            "shapes": tuple(a.shape for a, _ in written),
        }  # fmt: skip
        self.eqns.append(Eqn(blocks_p, operands, params, tuple(results), self.source))
        return results

    def _in_step(self, v: Var, body: _Body) -> tuple[Var, Var]:
        """An operand whose blocks lie in one piece each, and the parameter for one of them."""
        p = self.plan.at[v]
        shape = _with(v.aval.shape, p, self.plan.block)
        if _leads(shape, p):
            return v, body.given(v, shape)
        perm, back = _to_front(p, v.aval.ndim)
        front = Var(Aval(tuple(shape[a] for a in perm), v.aval.dtype))
        body.env[v] = body.add(transpose_p, front, perm=back)
        return self._add(transpose_p, v, perm=perm), front

    def _written(self, v: Var, body: _Body) -> tuple[Aval, Var]:
        """The type of a result of all blocks in one piece each, and what one of them gives."""
        p, new = self.plan.at[v], body.env[v]
        whole = _with(v.aval.shape, p, self.count * self.plan.block)
        if not _leads(whole, p):
            perm, _ = _to_front(p, len(whole))
            new = body.add(transpose_p, new, perm=perm)
            whole = tuple(whole[a] for a in perm)
        return Aval(whole, v.aval.dtype), new

    def _zeros(self, v: Var) -> Var:
        zero = Literal(v.aval.dtype.type(0), Aval((), v.aval.dtype))
        return self._add(broadcast_in_dim_p, zero, shape=v.aval.shape, dims=())

    def _rest(self, start: int, size: int) -> list[Var]:
        """What is left after the last whole block."""
        plan = self.plan
        body = _Body(self.old, plan, size, self.eqns)
        body.env |= {v: v for v in self.consts}
        for v in self.xs:
            p, shape = plan.at[v], v.aval.shape
            low, high = _with((0,) * len(shape), p, start), shape
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
        return text + (f", for {work} multiplications more for each element" if work else "")


class _Body:
    """The equations of a stretch, of so much of its axis."""

    def __init__(self, old: Sequence[Eqn], plan: Cut, block: int, eqns: list[Eqn]) -> None:
        self.old = old
        self.plan = plan
        self.block = block
        self.eqns = eqns
        self.env: dict[Var, Var] = {}
        self.counter: Var | None = None
        self.counted = any(self._counts(e) for e in old)

    def _counts(self, eqn: Eqn) -> bool:
        out = eqn.outputs[0]
        return eqn.primitive is iota_p and self.plan.at.get(out) == eqn.params["dimension"]

    def given(self, v: Var, shape: tuple[int, ...]) -> Var:
        """A parameter that stands for a value."""
        self.env[v] = Var(Aval(shape, v.aval.dtype, v.aval.weak_type))
        return self.env[v]

    def add(self, primitive: Primitive, *inputs: Atom, **params: Any) -> Var:
        """Append an equation; returns its result."""
        return _added(self.eqns, self.old[-1].source, primitive, *inputs, **params)

    def run(self) -> None:
        """Append all equations."""
        for eqn in self.old:
            (out,) = eqn.outputs
            inputs = [a if isinstance(a, Literal) else self.env[a] for a in eqn.inputs]
            params = dict(eqn.params)
            p = self.plan.at.get(out)
            if p is not None and "shape" in params:
                params["shape"] = _with(params["shape"], p, self.block)
            if self._counts(eqn):
                assert self.counter is not None and p is not None
                counter = self.counter
                if out.aval.dtype != int64:
                    counter = self.add(convert_p, counter, dtype=out.aval.dtype)
                new = self.add(broadcast_in_dim_p, counter, shape=params["shape"], dims=(p,))
            else:
                new = _added(self.eqns, eqn.source, eqn.primitive, *inputs, **params)
            self.env[out] = new


def _added(eqns: list[Eqn], source: Any, primitive: Primitive, *inputs: Atom, **params: Any) -> Var:
    """Append an equation with one result, which is returned."""
    (aval,) = primitive.abstract_eval(*[a.aval for a in inputs], **params)
    var = Var(aval)
    eqns.append(Eqn(primitive, inputs, params, (var,), source))
    return var


def _with(shape: tuple[int, ...], at: int, n: int) -> tuple[int, ...]:
    """A shape with another size of an axis."""
    return (*shape[:at], n, *shape[at + 1 :])


def _leads(shape: tuple[int, ...], at: int) -> bool:
    """Whether blocks along an axis lie in one piece each."""
    return all(n == 1 for n in shape[:at])


def _to_front(at: int, ndim: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The permutation that puts an axis first, and its inverse."""
    perm = (at, *(a for a in range(ndim) if a != at))
    return perm, tuple(perm.index(a) for a in range(ndim))
