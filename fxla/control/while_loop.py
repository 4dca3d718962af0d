"""Conditional loops, compiled to native loops.

while_loop : (c -> bool) -> (c -> c) -> c -> c
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fxla.compile.regions import WhileRegion
from fxla.control.carry import check_carry, initial_types, one_equation, settle_types
from fxla.control.lanes import batch_as_lanes
from fxla.control.programs import (
    executable_of,
    jvp_of,
    rearranged,
    remembered,
    split_of,
    vmap_of,
    with_unused_inputs,
)
from fxla.control.reuse import reused
from fxla.core.aval import Aval
from fxla.core.dtypes import bool_
from fxla.core.jaxpr import ClosedJaxpr, Jaxpr
from fxla.core.primitive import Primitive, Zero, is_zero
from fxla.core.pytree import TreeDef, tree_flatten, tree_unflatten
from fxla.core.records import dataclass
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr
from fxla.core.trace import AxisFrame, Value, typeof, where_am_i
from fxla.errors import NotDifferentiableError
from fxla.ops.casts import convert
from fxla.ops.logic import select
from fxla.ops.reduce import reduce_or
from fxla.ops.structure import batch_move, broadcast_in_dim, instantiate
from fxla.transforms.api import check_leaf, function_name, traced_call
from fxla.transforms.partial_eval import PartialTrace

__all__ = ["while_loop", "while_p"]


class While(Primitive):
    """A conditional loop.

    Operands (*condition consts, *body consts, *carry), results: the final carry.

    Params:
        condition: (*condition consts, *carry) -> boolean scalar.
        body: (*body consts, *carry) -> carry.
        n_condition_consts, n_body_consts: how many operands are consts.
    """

    name = "while"

    def abstract_eval(self, *avals: Aval, **params: Any) -> tuple[Aval, ...]:
        body: Jaxpr = params["body"]
        return tuple(a.strong() for a in body.out_avals)

    def impl(self, *args: Any, **params: Any) -> tuple[Any, ...]:
        types = tuple(typeof(x).strong() for x in args)
        key = ("while", types, id(params["condition"]))
        whole = remembered(params["body"], key, lambda: one_equation(self, types, params))
        return tuple(executable_of(whole)(*args))

    def jvp(
        self,
        primals: Any,
        tangents: Any,
        *,
        condition: Jaxpr,
        body: Jaxpr,
        n_condition_consts: int,
        n_body_consts: int,
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        kc, kb = n_condition_consts, n_body_consts
        n = len(primals) - kc - kb
        nonzero = [not is_zero(t) for t in tangents[kc:]]
        while True:  # a carry's tangent is nonzero if its next value's is
            both, out_nonzero = jvp_of(body, nonzero, nonzero[kb:])
            grown = [a or b for a, b in zip(nonzero[kb:], out_nonzero, strict=True)]
            if grown == nonzero[kb:]:
                break
            nonzero[kb:] = grown
        tb, tc = sum(nonzero[:kb]), sum(nonzero[kb:])
        m = kb + n
        order = [*range(kb), *range(m, m + tb), *range(kb, m), *range(m + tb, m + tb + tc)]
        both_ordered = remembered(both, ("order", tuple(order)), lambda: rearranged(both, order))
        carry_avals = [*body.in_avals[kb:]]
        carry_avals += [
            a.tangent() for a, nz in zip(body.in_avals[kb:], nonzero[kb:], strict=True) if nz
        ]
        condition_both = remembered(
            condition,
            ("wider", kc, tuple(carry_avals)),
            lambda: with_unused_inputs(
                condition,
                [*range(kc + n), *([None] * tc)],
                [*condition.in_avals[:kc], *carry_avals],
            ),
        )
        given = [instantiate(t) for t, nz in zip(tangents[kc:], nonzero, strict=True) if nz]
        found = self.bind(
            *primals[: kc + kb],
            *given[:tb],
            *primals[kc + kb :],
            *given[tb:],
            condition=condition_both,
            body=both_ordered,
            n_condition_consts=kc,
            n_body_consts=kb + tb,
        )
        rest = iter(found[n:])
        return found[:n], tuple(
            next(rest) if nz else Zero(typeof(o).tangent())
            for nz, o in zip(nonzero[kb:], found[:n], strict=True)
        )

    def partial_eval(self, trace: PartialTrace, args: Sequence[Value], params: Any) -> Any:
        """Run the loop over the known carries now; record the whole loop for the others.

        The recorded loop computes the known carries again: how many iterations there will be is
        not known before, so there is nowhere to keep their values.
        """
        condition, body = params["condition"], params["body"]
        kc, kb = params["n_condition_consts"], params["n_body_consts"]
        unknown = [trace.unknown(x) for x in args]
        while True:  # a carry is known only if its next value is
            split = split_of(body, unknown[kc:], unknown[kc + kb :])
            grown = list(split.out_unknown)
            if grown == unknown[kc + kb :]:
                break
            unknown[kc + kb :] = grown
        recorded = trace.record(self, args, params)
        carry_unknown = unknown[kc + kb :]
        known_carry = [i for i, u in enumerate(carry_unknown) if not u]
        reads = {v for e in condition.eqns for v in e.inputs} | set(condition.outs)
        depends = any(
            condition.invars[kc + i] in reads for i, u in enumerate(carry_unknown) if u
        ) or any(unknown[:kc])
        if not known_carry or depends:
            return recorded
        n_out = len(split.known.outs) - split.n_residuals
        known_body = remembered(
            split.known, "carry only", lambda: rearranged(split.known, outputs=range(n_out))
        )
        keep = [*range(kc), *(kc + i for i in known_carry)]
        key = ("known", tuple(keep))
        known_condition = remembered(condition, key, lambda: rearranged(condition, inputs=keep))
        n_known_consts = sum(not u for u in unknown[kc : kc + kb])
        found = iter(
            trace.process_known(
                self,
                [x for x, u in zip(args, unknown, strict=True) if not u],
                {
                    "condition": known_condition,
                    "body": known_body,
                    "n_condition_consts": kc,
                    "n_body_consts": n_known_consts,
                },
            )
        )
        return tuple(r if u else next(found) for r, u in zip(recorded, carry_unknown, strict=True))

    def transpose(self, cts: Any, *operands: Any, **params: Any) -> tuple[Any, ...]:
        raise NotDifferentiableError(
            "reverse-mode differentiation of lax.while_loop (or of lax.fori_loop with traced "
            f"bounds, or a captured `while`){where_am_i()}: the number of iterations is not known, "
            "so their values cannot be kept for the way back. Give the loop a bound: in a captured "
            "function `for _ in range(n)` with `break`, otherwise lax.scan or lax.fori_loop with "
            "Python integers as bounds, masking the steps that are too many with np.where. Or use "
            "forward mode (fxla.jvp, fxla.jacfwd)."
        )

    def batch(
        self,
        axis: AxisFrame,
        operands: Any,
        axes: Any,
        *,
        condition: Jaxpr,
        body: Jaxpr,
        n_condition_consts: int,
        n_body_consts: int,
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        kc, kb = n_condition_consts, n_body_consts
        batched = [a is not None for a in axes]
        while (
            True
        ):  # a carry is batched if its next value is, or if examples stop at different times
            carry_batched = batched[kc + kb :]
            _, (predicate_batched,) = vmap_of(condition, axis, batched[:kc] + carry_batched)
            forced = [True] * len(carry_batched) if predicate_batched else carry_batched
            mapped, out_batched = vmap_of(body, axis, batched[kc : kc + kb] + forced, forced)
            grown = [a or b for a, b in zip(forced, out_batched, strict=True)]
            if grown == carry_batched:
                break
            batched[kc + kb :] = grown
        mapped_condition, _ = vmap_of(condition, axis, batched[:kc] + batched[kc + kb :])
        moved = [
            batch_move(axis, [x], [a])[0] if b else x
            for x, a, b in zip(operands, axes, batched, strict=True)
        ]
        if predicate_batched:
            params = {
                "condition": condition, "body": body,
                "n_condition_consts": kc, "n_body_consts": kb,
            }  # fmt: skip
            found = batch_as_lanes(self, axis, operands, axes, params)
            if found is not None:
                return found
        if not predicate_batched:
            outs = self.bind(
                *moved, condition=mapped_condition, body=mapped,
                n_condition_consts=kc, n_body_consts=kb,
            )  # fmt: skip
        else:
            outs = self._batch_divergent(moved, mapped_condition, mapped, kc, kb)
        return outs, tuple(0 if b else None for b in batched[kc + kb :])

    def _batch_divergent(
        self, operands: list[Value], condition: Jaxpr, body: Jaxpr, kc: int, kb: int
    ) -> tuple[Value, ...]:
        """Run until all examples are done; those that are done keep their carry."""
        avals = [typeof(x).strong() for x in operands]
        carry_avals = avals[kc + kb :]

        def any_left(*args: Value) -> list[Value]:
            (going,) = eval_jaxpr(condition, *args)
            return [reduce_or(going, (0,))]

        def step(*args: Value) -> list[Value]:
            condition_consts, body_consts = args[:kc], args[kc : kc + kb]
            carry = args[kc + kb :]
            (going,) = eval_jaxpr(condition, *condition_consts, *carry)
            following = eval_jaxpr(body, *body_consts, *carry)
            return [
                select(broadcast_in_dim(going, typeof(now).shape, (0,)), after, now)
                for now, after in zip(carry, following, strict=True)
            ]

        key = ("divergent", tuple(avals), id(condition))
        whole_condition, whole_body = remembered(
            body,
            key,
            lambda: (
                trace_to_jaxpr(any_left, [*avals[:kc], *carry_avals], "vmap").jaxpr,
                trace_to_jaxpr(step, avals, "vmap").jaxpr,
            ),
        )
        return self.bind(
            *operands[:kc],
            *operands,
            condition=whole_condition,
            body=whole_body,
            n_condition_consts=kc,
            n_body_consts=kc + kb,
        )

    def lower(
        self,
        *views: Any,
        condition: Jaxpr,
        body: Jaxpr,
        n_condition_consts: int,
        n_body_consts: int,
    ) -> WhileRegion:
        return WhileRegion(condition, n_condition_consts, body, n_body_consts)


while_p = While()


def while_loop(
    cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], init_val: Any
) -> Any:
    """``while cond_fun(val): val = body_fun(val)`` as a native loop.

    Args:
        cond_fun: gives a boolean scalar.
        body_fun: gives a value of the structure, shapes and dtypes it takes.
        init_val: the first value, a pytree.

    Returns:
        The value for which `cond_fun` is false.

    Raises:
        TypeError: if the value changes its types, or the condition is not a boolean scalar.

    Example:
        >>> from fxla import lax
        >>> lax.while_loop(lambda x: x < 100, lambda x: x * 2, 3)
        Array(192)
    """
    name = function_name(body_fun)
    leaves, tree = tree_flatten(init_val)
    for x in leaves:
        check_leaf(x, "init_val", f"lax.while_loop of {name}")
    types = (tree, tuple([typeof(x) for x in leaves]))

    def trace() -> _TracedLoop:
        return _traced_loop(cond_fun, body_fun, name, leaves, tree)

    traced = reused(
        [cond_fun, body_fun],
        ("while", *types),
        trace,
        lambda t: (*t.condition.consts, *t.body.consts),
    )
    found = while_p.bind(
        *traced.condition.consts,
        *traced.body.consts,
        *[convert(x, a.dtype) for x, a in zip(leaves, traced.avals, strict=True)],
        condition=traced.condition.jaxpr,
        body=traced.body.jaxpr,
        n_condition_consts=len(traced.condition.consts),
        n_body_consts=len(traced.body.consts),
    )
    return tree_unflatten(tree, found)


@dataclass(frozen=True)
class _TracedLoop:
    """Condition and body as programs, and the types of what they take."""

    condition: ClosedJaxpr
    body: ClosedJaxpr
    avals: tuple[Aval, ...]


def _traced_loop(
    cond_fun: Callable[[Any], Any],
    body_fun: Callable[[Any], Any],
    name: str,
    leaves: list[Value],
    tree: TreeDef,
) -> _TracedLoop:
    trees: list[Any] = []

    def body(*flat: Value) -> list[Value]:
        out, out_tree = tree_flatten(traced_call(body_fun, tree_unflatten(tree, flat)))
        trees[:] = [out_tree]
        return out

    avals, weak = initial_types(leaves)
    while True:
        closed = trace_to_jaxpr(body, avals, "while_loop", name)
        grown = settle_types(avals, weak, closed.out_avals, trees[0], tree)
        if grown is None:
            break
        avals = grown
    check_carry("lax.while_loop", name, avals, closed.out_avals, tree, trees[0])

    def condition(*flat: Value) -> list[Value]:
        return tree_flatten(traced_call(cond_fun, tree_unflatten(tree, flat)))[0]

    tested = trace_to_jaxpr(condition, avals, "while_loop", function_name(cond_fun))
    if (
        len(tested.out_avals) != 1
        or tested.out_avals[0].shape
        or (tested.out_avals[0].dtype != bool_)
    ):
        raise TypeError(
            f"lax.while_loop: {function_name(cond_fun)} must return a boolean scalar, got "
            f"{', '.join(map(str, tested.out_avals))}{where_am_i()}. Reduce with np.all or np.any, "
            "or compare to get a boolean."
        )
    return _TracedLoop(tested, closed, tuple(avals))
