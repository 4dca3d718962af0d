"""Kernels as primitives: a program of imperative statements, and its linear part.

kernel        : (*inputs) -> (*outputs), the program
kernel_linear : (*inputs, *tangents) -> (*tangents of outputs), linear in the tangents

The jvp of the first is the second, whose program is `fxla.kernels.tangent`'s; the transpose of the
second is the first again, with `fxla.kernels.adjoint`'s program. So a derivative of any order is a
kernel. Both run over a batch of examples, which is how they are mapped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.compile.backend.numba_cpu import compile_numba
from fxla.core.aval import Aval
from fxla.core.primitive import Primitive, Zero, is_linear, is_zero, not_linear
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.kernels.adjoint import adjoint
from fxla.kernels.expression import element_views, is_expression
from fxla.kernels.grid_text import grid_kernel, scratch_of
from fxla.kernels.ir import Program
from fxla.kernels.printed import grain_of, written
from fxla.kernels.tangent import tangent
from fxla.loops.view import Handed, View
from fxla.ops.elementwise import add
from fxla.ops.structure import batch_in_front, broadcast_in_dim, instantiate, reduce_sum

__all__ = ["kernel_linear_p", "kernel_p"]

Avals = tuple[Aval, ...]
Mask = tuple[bool, ...]


class _Batched(Primitive):
    """What the two have in common.

    Params: program; outs, types of all results of it for one example; batch, the shape of the
    batch; batched, which inputs of the program have the batch axes in front.
    """

    def run(
        self, program: Program, outs: Avals, batch: tuple[int, ...], batched: Mask, args: Any
    ) -> tuple[Any, ...]:
        """The results of a program on NumPy arrays."""
        count = math.prod(batch)
        arrays = [
            np.ascontiguousarray(x, p.dtype) for x, p in zip(args, program.inputs, strict=True)
        ]
        results = [np.empty((*batch, *o.shape), o.dtype) for o in outs]
        if count:
            kernel = written(program, batched)
            shapes = [
                np.shape(x)[len(batch) if b else 0 :] for x, b in zip(args, batched, strict=True)
            ]
            sizes = [n for s in (*shapes, *[o.shape for o in outs]) for n in s]
            compile_numba(kernel)([*arrays, *results], sizes, 0, count)
        return tuple(results)

    def form(
        self, program: Program, outs: Avals, batch: tuple[int, ...], batched: Mask, views: Any
    ) -> Any:
        """A program in lowered form: an expression of each element if it can be, or a kernel."""
        if is_expression(program):
            return element_views(program, outs, batch, batched, views)
        shapes = [v.shape[len(batch) if b else 0 :] for v, b in zip(views, batched, strict=True)]
        shapes += [o.shape for o in outs]
        count = math.prod(batch)
        sizes = tuple([n for s in shapes for n in s])
        grain = grain_of(program, shapes, count)
        scratch = scratch_of(program, shapes[: len(views)]) if batch else None
        grid = None if scratch is None else grid_kernel(program, batched)
        return Handed(written(program, batched), sizes, count, grain, grid, scratch or ())

    def moved(
        self, axis: AxisFrame, operands: Any, axes: Any, batch: tuple[int, ...], batched: Mask
    ) -> tuple[list[Value], Mask]:
        """Operands with a new batch axis before the others, and which have them."""
        found: list[Value] = []
        marks: list[bool] = []
        for x, at, has in zip(batch_in_front(operands, axes), axes, batched, strict=True):
            shape = typeof(x).shape
            if at is not None and not has and batch:
                own = len(batch) + 1
                dims = [0, *range(own, own + len(shape) - 1)]
                x = broadcast_in_dim(x, (axis.size, *batch, *shape[1:]), dims)
            elif at is None and has:
                x = broadcast_in_dim(x, (axis.size, *shape), range(1, len(shape) + 1))
            found.append(x)
            marks.append(has or at is not None)
        return found, tuple(marks)


class KernelCall(_Batched):
    """The results of a program."""

    name = "kernel"

    def abstract_eval(
        self, *avals: Aval, program: Program, outs: Avals, batch: tuple[int, ...], batched: Mask
    ) -> Avals:
        return tuple([Aval((*batch, *o.shape), o.dtype) for o in outs])

    def impl(self, *args: Any, program: Program, outs: Avals, **params: Any) -> tuple[Any, ...]:
        return self.run(program, outs, params["batch"], params["batched"], args)

    def jvp(
        self, primals: Any, tangents: Any, *, program: Program, outs: Avals, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        results = self.bind(*primals, program=program, outs=outs, **params)
        return results, linear_part(primals, tangents, program, outs, **params)

    transpose = not_linear

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, /, *, batch: tuple[int, ...],
        batched: Mask, **params: Any,
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:  # fmt: skip
        moved, marks = self.moved(axis, operands, axes, batch, batched)
        found = self.bind(*moved, batch=(axis.size, *batch), batched=marks, **params)
        return found, (0,) * len(found)

    def lower(self, *views: View, program: Program, outs: Avals, **params: Any) -> Any:
        return self.form(program, outs, params["batch"], params["batched"], views)


def linear_part(
    primals: Any, tangents: Any, program: Program, outs: Avals, batch: tuple[int, ...],
    batched: Mask,
) -> tuple[Any, ...]:  # fmt: skip
    """The tangents of a program's results."""
    active = tuple([not is_zero(t) for t in tangents])
    reached = tangent(program, active).reached
    zeros = [Zero(Aval((*batch, *o.shape), o.dtype).tangent()) for o in outs]
    if not any(reached):
        return tuple(zeros)
    given = [t for t in tangents if not is_zero(t)]
    found = iter(
        kernel_linear_p.bind(
            *primals, *given, program=program, active=active, outs=outs, batch=batch,
            batched=batched,
        )
    )  # fmt: skip
    return tuple([next(found) if r else z for r, z in zip(reached, zeros, strict=True)])


class KernelLinear(_Batched):
    """Tangents of a program's results that depend on tangents of the `active` inputs.

    Operands: the program's inputs, then a tangent of each active one, of its type.
    """

    name = "kernel_linear"

    def parts(
        self, program: Program, outs: Avals, batched: Mask, active: Mask
    ) -> tuple[Program, Avals, Mask]:
        """The program that computes it, types of its results, and which operands are batched."""
        found = tangent(program, active)
        marks = (*batched, *[b for b, a in zip(batched, active, strict=True) if a])
        return found.program, _only(outs, found.reached), marks

    def abstract_eval(
        self, *avals: Aval, program: Program, outs: Avals, active: Mask, batch: tuple[int, ...],
        batched: Mask,
    ) -> Avals:  # fmt: skip
        reached = tangent(program, active).reached
        return tuple([Aval((*batch, *o.shape), o.dtype) for o in _only(outs, reached)])

    def impl(
        self, *args: Any, program: Program, outs: Avals, active: Mask, batch: tuple[int, ...],
        batched: Mask,
    ) -> tuple[Any, ...]:  # fmt: skip
        whole, kinds, marks = self.parts(program, outs, batched, active)
        return self.run(whole, kinds, batch, marks, args)

    def jvp(
        self, primals: Any, tangents: Any, *, program: Program, outs: Avals, active: Mask,
        batch: tuple[int, ...], batched: Mask,
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:  # fmt: skip
        """Linear in the tangents among its operands; the rest is a derivative of its program."""
        n = len(program.inputs)
        same = {"program": program, "outs": outs, "active": active, "batch": batch,
                "batched": batched}  # fmt: skip
        results = self.bind(*primals, **same)
        parts: list[Any] = [Zero(typeof(r).tangent()) for r in results]
        if not all(is_zero(t) for t in tangents[n:]):
            parts = list(self.bind(*primals[:n], *map(instantiate, tangents[n:]), **same))
        if not all(is_zero(t) for t in tangents[:n]):
            whole, kinds, marks = self.parts(program, outs, batched, active)
            still = [Zero(typeof(t).tangent()) for t in primals[n:]]
            given = [*tangents[:n], *still]
            more = linear_part(primals, given, whole, kinds, batch, marks)
            parts = [_plus(a, b) for a, b in zip(parts, more, strict=True)]
        return results, tuple(parts)

    def transpose(
        self, cts: Any, *operands: Any, program: Program, outs: Avals, active: Mask,
        batch: tuple[int, ...], batched: Mask,
    ) -> tuple[Any, ...]:  # fmt: skip
        """The adjoint program, on the same inputs and the cotangents."""
        n = len(program.inputs)
        primals = operands[:n]
        reached = tangent(program, active).reached
        given = iter(cts)
        seeds = [next(given) if r else None for r in reached]
        seeded = tuple([s is not None and not is_zero(s) for s in seeds])
        wanted = [x for x, a in zip(range(n), active, strict=True) if a]
        avals = [_example(typeof(primals[k]), batch, batched[k]) for k in wanted]
        found = adjoint(program, active, seeded)
        results = kernel_p.bind(
            *primals,
            *[s for s, given_ct in zip(seeds, seeded, strict=True) if given_ct],
            program=found,
            outs=tuple(avals),
            batch=batch,
            batched=(*batched, *[True for given_ct in seeded if given_ct]),
        )
        summed = [
            r if batched[k] else reduce_sum(r, range(len(batch)))
            for k, r in zip(wanted, results, strict=True)
        ]
        tangents = operands[n:]
        return (
            *[None] * n,
            *[s if is_linear(t) else None for t, s in zip(tangents, summed, strict=True)],
        )

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, /, *, program: Program, active: Mask,
        batch: tuple[int, ...], batched: Mask, **params: Any,
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:  # fmt: skip
        """An input and its tangent are batched together."""
        n = len(program.inputs)
        order = [k for k, a in enumerate(active) if a]
        shared = list(axes)
        both = [axes[k] is not None for k in range(n)]
        for j, k in enumerate(order):
            both[k] = both[k] or axes[n + j] is not None
        placed = batch_in_front(operands, axes)
        for k in range(n):
            if both[k] and shared[k] is None:
                placed[k] = _repeated(placed[k], axis.size)
        for j, k in enumerate(order):
            if both[k] and shared[n + j] is None:
                placed[n + j] = _repeated(placed[n + j], axis.size)
        marks = [*batched, *[batched[k] for k in order]]
        at = [0 if b else None for b in (*both, *[both[k] for k in order])]
        moved, new = self.moved(axis, placed, at, batch, tuple(marks))
        found = self.bind(
            *moved, program=program, active=active, batch=(axis.size, *batch), batched=new[:n],
            **params,
        )  # fmt: skip
        return found, (0,) * len(found)

    def lower(
        self, *views: View, program: Program, outs: Avals, active: Mask, batch: tuple[int, ...],
        batched: Mask,
    ) -> Any:  # fmt: skip
        whole, kinds, marks = self.parts(program, outs, batched, active)
        return self.form(whole, kinds, batch, marks, views)


kernel_p = KernelCall()
kernel_linear_p = KernelLinear()


def _repeated(x: Value, n: int) -> Value:
    shape = typeof(x).shape
    return broadcast_in_dim(x, (n, *shape), range(1, len(shape) + 1))


def _example(aval: Aval, batch: tuple[int, ...], batched: bool) -> Aval:
    """The type of one example."""
    return Aval(aval.shape[len(batch) :] if batched else aval.shape, aval.dtype)


def _only(items: Sequence[Aval], marks: Sequence[bool]) -> Avals:
    return tuple([x for x, m in zip(items, marks, strict=True) if m])


def _plus(a: Any, b: Any) -> Any:
    if is_zero(a):
        return b
    return a if is_zero(b) else add(a, b)
