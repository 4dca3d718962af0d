"""The primitive of counted loops: its rules, forward and backward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fxla.compile.regions import ScanRegion
from fxla.control.carry import one_equation
from fxla.control.hoist import HoistedSum, hoist_sums
from fxla.control.programs import (
    executable_of,
    forwarded,
    jvp_of,
    rearranged,
    remembered,
    scope_key,
    split_of,
    vmap_of,
)
from fxla.core.aval import Aval
from fxla.core.jaxpr import Eqn, Jaxpr
from fxla.core.primitive import Linear, Primitive, Zero, is_linear, is_zero
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import InternalError
from fxla.ops.elementwise import add
from fxla.ops.structure import batch_move, instantiate, move_axis, zeros_of
from fxla.transforms.partial_eval import PartialTrace
from fxla.transforms.transpose import backward

__all__ = [
    "scan_p",
]


class Scan(Primitive):
    """A counted loop.

    Operands (*consts, *carry, *xs), results (*carry, *ys).

    Params:
        body: (*consts, *carry, *x) -> (*carry, *y), one iteration.
        n_consts, n_carry: how many operands are consts and carries.
        length: number of iterations.
        reverse: whether to run from the last index to the first.
    """

    name = "scan"

    def abstract_eval(
        self, *avals: Aval, body: Jaxpr, n_consts: int, n_carry: int, length: int, reverse: bool
    ) -> tuple[Aval, ...]:
        for a, v in zip(avals[: n_consts + n_carry], body.invars, strict=False):
            if not a.matches(v.aval):
                raise InternalError(f"scan: operand {a} for a body that takes {v.aval}")
        outs = body.out_avals
        return (
            *(a.strong() for a in outs[:n_carry]),
            *(Aval((length, *a.shape), a.dtype) for a in outs[n_carry:]),
        )

    def impl(self, *args: Any, **params: Any) -> tuple[Any, ...]:
        body: Jaxpr = params["body"]
        types = tuple(typeof(x).strong() for x in args)
        key = ("scan", types, params["length"], params["reverse"], params["n_consts"],
               params["n_carry"])  # fmt: skip
        whole = remembered(body, key, lambda: one_equation(self, types, params))
        return tuple(executable_of(whole)(*args))

    def jvp(
        self,
        primals: Any,
        tangents: Any,
        *,
        body: Jaxpr,
        n_consts: int,
        n_carry: int,
        length: int,
        reverse: bool,
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        k, c = n_consts, n_carry
        n_ys = len(body.outs) - c
        nonzero = [not is_zero(t) for t in tangents]
        while True:  # a carry's tangent is nonzero if its next value's is
            wanted = nonzero[k : k + c] + [False] * n_ys
            both, out_nonzero = jvp_of(body, nonzero, wanted)
            grown = [a or b for a, b in zip(nonzero[k : k + c], out_nonzero[:c], strict=True)]
            if grown == nonzero[k : k + c]:
                break
            nonzero[k : k + c] = grown
        n = len(primals)
        position = iter(range(n, n + sum(nonzero)))
        place = [next(position) if nz else None for nz in nonzero]

        def with_tangents(start: int, stop: int) -> list[int]:
            return [*range(start, stop), *(p for p in place[start:stop] if p is not None)]

        order = [*with_tangents(0, k), *with_tangents(k, k + c), *with_tangents(k + c, n)]
        n_tc, n_ty = sum(out_nonzero[:c]), sum(out_nonzero[c:])
        m = len(body.outs)
        outs_order = [
            *range(c), *range(m, m + n_tc), *range(c, m), *range(m + n_tc, m + n_tc + n_ty),
        ]  # fmt: skip
        key = ("jvp order", tuple(order), tuple(outs_order))
        both_ordered = remembered(both, key, lambda: rearranged(both, order, outs_order))
        filled = [
            *primals,
            *(instantiate(t) for t, nz in zip(tangents, nonzero, strict=True) if nz),
        ]
        found = self.bind(
            *(filled[i] for i in order),
            body=both_ordered,
            n_consts=k + sum(nonzero[:k]),
            n_carry=c + n_tc,
            length=length,
            reverse=reverse,
        )
        split_at = c + n_tc
        primal_outs = (*found[:c], *found[split_at : split_at + n_ys])
        rest = iter((*found[c:split_at], *found[split_at + n_ys :]))
        return primal_outs, tuple(
            next(rest) if nz else Zero(typeof(o).tangent())
            for nz, o in zip(out_nonzero, primal_outs, strict=True)
        )

    def partial_eval(self, trace: PartialTrace, args: Sequence[Value], params: Any) -> Any:
        """Run what does not depend on unknowns, stacking what the rest needs of it."""
        body: Jaxpr = params["body"]
        k, c = params["n_consts"], params["n_carry"]
        n_ys = len(body.outs) - c
        unknown = [trace.unknown(x) for x in args]
        while True:  # a carry is known only if its next value is
            split = split_of(body, unknown, unknown[k : k + c] + [False] * n_ys)
            grown = list(split.out_unknown[:c])
            if grown == unknown[k : k + c]:
                break
            unknown[k : k + c] = grown
        known_args = [x for x, u in zip(args, unknown, strict=True) if not u]
        n_known_consts = sum(not u for u in unknown[:k])
        n_known_carry = sum(not u for u in unknown[k : k + c])
        n_out = len(split.known.outs) - split.n_residuals
        passed = forwarded(split.known, split.known.outs[n_out:])
        first_x = n_known_consts + n_known_carry
        direct = [p is not None and not n_known_consts <= p < first_x for p in passed]
        keep = [*range(n_out), *(n_out + i for i, d in enumerate(direct) if not d)]
        known_body = remembered(
            split.known, ("keep", tuple(keep)), lambda: rearranged(split.known, outputs=keep)
        )
        sizes = {"length": params["length"], "reverse": params["reverse"]}
        found: tuple[Value, ...] = ()
        if keep:
            found = trace.process_known(
                self, known_args,
                {"body": known_body, "n_consts": n_known_consts, "n_carry": n_known_carry, **sizes},
            )  # fmt: skip
        stacked = iter(found[n_out:])
        residuals = [
            known_args[p] if d and p is not None else next(stacked)
            for p, d in zip(passed, direct, strict=True)
        ]
        is_const = [
            d and p is not None and p < n_known_consts for p, d in zip(passed, direct, strict=True)
        ]
        unknown_outs = iter(self._record_unknown(trace, args, unknown, split, residuals, is_const,
                                                 params))  # fmt: skip
        known_outs = iter(found[:n_out])
        return tuple(next(unknown_outs) if u else next(known_outs) for u in split.out_unknown)

    def _record_unknown(
        self,
        trace: PartialTrace,
        args: Sequence[Value],
        unknown: list[bool],
        split: Any,
        residuals: list[Value],
        is_const: list[bool],
        params: Any,
    ) -> tuple[Value, ...]:
        """Record the loop over the unknown part: consts, carry, then stacked values."""
        k, c = params["n_consts"], params["n_carry"]
        r = len(residuals)
        res_consts = [i for i in range(r) if is_const[i]]
        res_xs = [i for i in range(r) if not is_const[i]]
        consts = [i for i in range(k) if unknown[i]]
        carry = [i for i in range(k, k + c) if unknown[i]]
        xs = [i for i in range(k + c, len(args)) if unknown[i]]
        at = {i: r + j for j, i in enumerate(i for i, u in enumerate(unknown) if u)}
        order = [*res_consts, *(at[i] for i in (*consts, *carry)), *res_xs, *(at[i] for i in xs)]
        body = remembered(
            split.unknown, ("order", tuple(order)), lambda: rearranged(split.unknown, order)
        )
        operands = [
            *(residuals[i] for i in res_consts),
            *(args[i] for i in (*consts, *carry)),
            *(residuals[i] for i in res_xs),
            *(args[i] for i in xs),
        ]
        return trace.record(
            self, operands,
            {**params, "body": body, "n_consts": len(res_consts) + len(consts),
             "n_carry": len(carry)},
        )  # fmt: skip

    def transpose(
        self,
        cts: Any,
        *operands: Any,
        body: Jaxpr,
        n_consts: int,
        n_carry: int,
        length: int,
        reverse: bool,
    ) -> tuple[Any, ...]:
        """The loop in the other direction, carrying cotangents."""
        k, c = n_consts, n_carry
        linear = [is_linear(x) for x in operands]
        linear[k : k + c] = [True] * c  # a linear loop is linear in every carry
        nonzero_ys = [not is_zero(ct) for ct in cts[c:]]
        key = ("transpose", k, c, tuple(linear), tuple(nonzero_ys), scope_key())
        turned, hoisted = remembered(
            body, key, lambda: _backward_loop(body, k, c, linear, nonzero_ys)
        )
        consts = [x for x, lin in zip(operands[:k], linear[:k], strict=True) if not lin]
        xs = [x for x, lin in zip(operands[k + c :], linear[k + c :], strict=True) if not lin]
        const_avals = [typeof(x) for x, lin in zip(operands[:k], linear[:k], strict=True) if lin]
        later = {h.position for h in hoisted}
        sums = [zeros_of(a) for i, a in enumerate(const_avals) if i not in later]
        ct_ys = [ct for ct, nz in zip(cts[c:], nonzero_ys, strict=True) if nz]
        ct_carries = [instantiate(ct) for ct in cts[:c]]
        found = self.bind(
            *consts,
            *sums,
            *ct_carries,
            *xs,
            *ct_ys,
            body=turned,
            n_consts=len(consts),
            n_carry=len(sums) + c,
            length=length,
            reverse=not reverse,
        )
        n_xs = sum(linear[k + c :])
        stacked = found[len(sums) + c + n_xs :]
        given = [*consts, *const_avals, *ct_carries, *xs, *ct_ys]
        totals = {
            h.position: h.total(
                *(
                    given[i] if i is not None else stacked[j]
                    for i, j in zip(h.given, h.made, strict=True)
                )
            )
            for h in hoisted
        }
        summed = iter(found[: len(sums)])
        ct_consts = iter(
            [totals[i] if i in totals else next(summed) for i in range(len(const_avals))]
        )
        ct_carry = found[len(sums) : len(sums) + c]
        ct_xs = iter(found[len(sums) + c : len(sums) + c + n_xs])
        return (
            *(next(ct_consts) if lin else None for lin in linear[:k]),
            *(ct if is_linear(x) else None for ct, x in zip(ct_carry, operands[k:], strict=False)),
            *(next(ct_xs) if lin else None for lin in linear[k + c :]),
        )

    def batch(
        self,
        axis: AxisFrame,
        operands: Any,
        axes: Any,
        *,
        body: Jaxpr,
        n_consts: int,
        n_carry: int,
        length: int,
        reverse: bool,
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        k, c = n_consts, n_carry
        batched = [a is not None for a in axes]
        while True:  # a carry is batched if its next value is
            forced = batched[k : k + c] + [False] * (len(body.outs) - c)
            mapped, out_batched = vmap_of(body, axis, batched, forced)
            grown = [a or b for a, b in zip(batched[k : k + c], out_batched[:c], strict=True)]
            if grown == batched[k : k + c]:
                break
            batched[k : k + c] = grown
        moved = []
        for i, (x, a, b) in enumerate(zip(operands, axes, batched, strict=True)):
            if not b:
                moved.append(x)
            elif i < k + c:
                moved += batch_move(axis, [x], [a])
            else:
                moved.append(move_axis(x, a, 1))
        outs = self.bind(*moved, body=mapped, n_consts=k, n_carry=c, length=length, reverse=reverse)
        out_axes = [0 if b else None for b in out_batched[:c]]
        out_axes += [1 if b else None for b in out_batched[c:]]
        return outs, tuple(out_axes)

    def lower(
        self,
        *views: Any,
        body: Jaxpr,
        n_consts: int,
        n_carry: int,
        length: int,
        reverse: bool,
    ) -> ScanRegion:
        return ScanRegion(body, n_consts, n_carry, length, reverse)

    def dce(self, eqn: Eqn, used: Sequence[bool]) -> Eqn:
        """Drop the ys that nobody reads; carries stay, since the next iteration reads them."""
        body: Jaxpr = eqn.params["body"]
        c = eqn.params["n_carry"]
        if all(used[c:]):
            return eqn
        keep = [*range(c), *(i for i in range(c, len(used)) if used[i])]
        small = remembered(body, ("keep", tuple(keep)), lambda: rearranged(body, outputs=keep))
        outputs = tuple(eqn.outputs[i] for i in keep)
        return Eqn(self, eqn.inputs, {**eqn.params, "body": small}, outputs, eqn.source)


def _backward_loop(
    body: Jaxpr, k: int, c: int, linear: list[bool], nonzero_ys: list[bool]
) -> tuple[Jaxpr, list[HoistedSum]]:
    """One iteration backwards, and the sums of products that are better taken after the loop."""
    turned = _transposed_body(body, k, c, linear, nonzero_ys)
    known = sum(not lin for lin in linear[:k])
    return hoist_sums(turned, known, sum(linear[:k]), k + c)


def _transposed_body(
    body: Jaxpr, k: int, c: int, linear: list[bool], nonzero_ys: list[bool]
) -> Jaxpr:
    """One iteration backwards.

    (*known consts, *ct of linear consts, *ct carry, *known x, *ct y)
      -> (*ct of linear consts, *ct carry, *ct of linear x)
    """
    avals = body.in_avals
    known_consts = [i for i in range(k) if not linear[i]]
    linear_consts = [i for i in range(k) if linear[i]]
    known_xs = [i for i in range(k + c, len(avals)) if not linear[i]]
    linear_xs = [i for i in range(k + c, len(avals)) if linear[i]]
    ct_ys = [a for a, nz in zip(body.out_avals[c:], nonzero_ys, strict=True) if nz]

    def step(*args: Value) -> list[Value]:
        given = iter(args)
        operands: list[Any] = [Linear(a) for a in avals]
        for i in known_consts:
            operands[i] = next(given)
        sums = [next(given) for _ in linear_consts]
        ct_carry = [next(given) for _ in range(c)]
        for i in known_xs:
            operands[i] = next(given)
        cts = [
            next(given) if nz else Zero(a.tangent())
            for nz, a in zip(nonzero_ys, body.out_avals[c:], strict=True)
        ]
        found = backward(body, operands, [*ct_carry, *cts])
        totals = [
            s if is_zero(found[i]) else add(s, found[i])
            for s, i in zip(sums, linear_consts, strict=True)
        ]
        return [*totals, *(instantiate(found[i]) for i in (*range(k, k + c), *linear_xs))]

    step_avals = [
        *(avals[i] for i in known_consts),
        *(avals[i] for i in linear_consts),
        *(a.strong() for a in body.out_avals[:c]),
        *(avals[i] for i in known_xs),
        *ct_ys,
    ]
    closed = trace_to_jaxpr(step, step_avals, "transpose")
    assert not closed.consts
    return closed.jaxpr


scan_p = Scan()
