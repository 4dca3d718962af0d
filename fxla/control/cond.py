"""Branches, compiled to native branches.

cond : bool -> (a -> b) -> (a -> b) -> a -> b
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from fxla.compile.regions import BranchRegion
from fxla.control.lanes import batch_as_lanes, holds_loops
from fxla.control.programs import jvp_of, remembered, scope_key, split_of, vmap_of
from fxla.control.reuse import reused
from fxla.core.aval import Aval
from fxla.core.dtypes import int32, is_bool, is_integer
from fxla.core.jaxpr import ClosedJaxpr, Jaxpr, Var
from fxla.core.primitive import Primitive, Zero, is_linear, is_zero
from fxla.core.pytree import TreeDef, structure_text, tree_flatten, tree_unflatten
from fxla.core.records import dataclass
from fxla.core.staging import eval_jaxpr, evaluate_jaxpr, trace_to_jaxpr
from fxla.core.stateful import assign, hold, is_stateful, updates
from fxla.core.trace import AxisFrame, Tracer, Value, typeof, where_am_i
from fxla.errors import DtypeError, ShapeError
from fxla.ops.arithmetic import maximum, minimum
from fxla.ops.casts import convert
from fxla.ops.logic import eq, ne, select
from fxla.ops.structure import batch_in_front, broadcast_in_dim, move_axis, zeros_of
from fxla.transforms.api import aval_of, check_leaf, function_name, kind_of, traced_call, what_is
from fxla.transforms.partial_eval import PartialTrace
from fxla.transforms.transpose import transpose_jaxpr

__all__ = ["cond", "cond_p", "over_common_consts", "switch"]


class Cond(Primitive):
    """One of several programs on the same operands.

    Operands (index, *operands): index an int32 scalar in range. All branches have the same types.
    """

    name = "cond"

    def abstract_eval(self, *avals: Aval, branches: tuple[Jaxpr, ...]) -> tuple[Aval, ...]:
        return tuple(a.strong() for a in branches[0].out_avals)

    def impl(self, *args: Any, branches: tuple[Jaxpr, ...]) -> tuple[Any, ...]:
        index = min(max(int(args[0]), 0), len(branches) - 1)
        return evaluate_jaxpr(branches[index], *args[1:])

    def jvp(
        self, primals: Any, tangents: Any, *, branches: tuple[Jaxpr, ...]
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        nonzero = [not is_zero(t) for t in tangents[1:]]
        wanted = [False] * len(branches[0].outs)
        for b in branches:  # a tangent that is zero in one branch only is filled there
            wanted = [w or nz for w, nz in zip(wanted, jvp_of(b, nonzero)[1], strict=True)]
        both = tuple(jvp_of(b, nonzero, wanted)[0] for b in branches)
        given = [t for t in tangents[1:] if not is_zero(t)]
        found = self.bind(*primals, *given, branches=both)
        n = len(wanted)
        rest = iter(found[n:])
        return found[:n], tuple(
            next(rest) if w else Zero(typeof(o).tangent())
            for w, o in zip(wanted, found[:n], strict=True)
        )

    def partial_eval(self, trace: PartialTrace, args: Sequence[Value], params: Any) -> Any:
        """Take the known part of the branch now, and record a branch over what is left."""
        branches: tuple[Jaxpr, ...] = params["branches"]
        unknown = [trace.unknown(x) for x in args]
        if unknown[0]:
            return trace.record(self, args, params)
        force = [False] * len(branches[0].outs)
        for b in branches:
            force = [
                f or u for f, u in zip(force, split_of(b, unknown[1:]).out_unknown, strict=True)
            ]
        splits = [split_of(b, unknown[1:], force) for b in branches]
        n_out = len(force) - sum(force)
        pool = [a for s in splits for a in s.known.out_avals[n_out:]]
        known, rest = [], []
        start = 0
        for s in splits:
            mine = range(start, start + s.n_residuals)
            known.append(_with_filled_residuals(s.known, n_out, pool, mine))
            rest.append(_with_all_residuals(s.unknown, pool, mine))
            start += s.n_residuals
        known_args = [x for x, u in zip(args, unknown, strict=True) if not u]
        found = trace.process_known(self, known_args, {"branches": tuple(known)})
        others = [x for x, u in zip(args, unknown, strict=True) if u]
        recorded = iter(
            trace.record(self, [args[0], *found[n_out:], *others], {"branches": tuple(rest)})
        )
        known_outs = iter(found[:n_out])
        return tuple(next(recorded) if f else next(known_outs) for f in force)

    def transpose(self, cts: Any, *operands: Any, branches: tuple[Jaxpr, ...]) -> tuple[Any, ...]:
        index, *rest = operands
        linear = [is_linear(x) for x in rest]
        nonzero = [not is_zero(ct) for ct in cts]
        key = ("transpose", tuple(linear), tuple(nonzero), scope_key())
        turned = tuple(_transposed(b, key, linear, nonzero) for b in branches)
        known = [x for x in rest if not is_linear(x)]
        given = [ct for ct in cts if not is_zero(ct)]
        found = iter(self.bind(index, *known, *given, branches=turned))
        return (None, *(next(found) if lin else None for lin in linear))

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, branches: tuple[Jaxpr, ...]
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        index, *rest = operands
        at, *rest_axes = axes
        if at is not None and holds_loops({"branches": branches}):
            found = batch_as_lanes(self, axis, operands, axes, {"branches": branches})
            if found is not None:
                return found
        moved = batch_in_front(rest, rest_axes)
        batched = [a is not None for a in rest_axes]
        forced = [at is not None] * len(branches[0].outs)
        for b in branches:
            out = vmap_of(b, axis, batched)[1]
            forced = [f or o for f, o in zip(forced, out, strict=True)]
        mapped = tuple(vmap_of(b, axis, batched, forced)[0] for b in branches)
        if at is None:
            outs = self.bind(index, *moved, branches=mapped)
        else:
            outs = select_branch(move_axis(index, at, 0), mapped, moved)
        return outs, tuple(0 if f else None for f in forced)

    def lower(self, *views: Any, branches: tuple[Jaxpr, ...]) -> BranchRegion:
        return BranchRegion(branches)


def _transposed(
    branch: Jaxpr, key: Hashable, linear: Sequence[bool], nonzero: Sequence[bool]
) -> Jaxpr:
    return remembered(branch, key, lambda: transpose_jaxpr(branch, linear, nonzero))


def select_branch(
    index: Value, branches: Sequence[Jaxpr], operands: Sequence[Value]
) -> tuple[Value, ...]:
    """Compute every branch for all examples, and take of each example the one it chose."""
    last = len(branches) - 1
    index = minimum(maximum(index, 0), last)
    outs = eval_jaxpr(branches[last], *operands)
    for k in range(last - 1, -1, -1):
        chosen = eq(index, k)
        mine = eval_jaxpr(branches[k], *operands)
        outs = tuple(
            select(broadcast_in_dim(chosen, typeof(a).shape, (0,)), a, b)
            for a, b in zip(mine, outs, strict=True)
        )
    return outs


def _with_filled_residuals(known: Jaxpr, n_out: int, pool: Sequence[Aval], mine: range) -> Jaxpr:
    """A known branch that returns the residuals of all branches; zeros for those of others."""
    key = ("filled", n_out, tuple(pool), mine)

    def f(*args: Value) -> list[Value]:
        outs = eval_jaxpr(known, *args)
        own = iter(outs[n_out:])
        return [
            *outs[:n_out],
            *(next(own) if i in mine else zeros_of(a) for i, a in enumerate(pool)),
        ]

    return remembered(known, key, lambda: trace_to_jaxpr(f, known.in_avals, "cond").jaxpr)


def _with_all_residuals(rest: Jaxpr, pool: Sequence[Aval], mine: range) -> Jaxpr:
    """An unknown branch that takes the residuals of all branches and ignores those of others."""

    def make() -> Jaxpr:
        own = iter(rest.invars[: len(mine)])
        residuals = [next(own) if i in mine else Var(a) for i, a in enumerate(pool)]
        return Jaxpr((*residuals, *rest.invars[len(mine) :]), rest.eqns, rest.outs)

    return remembered(rest, ("all residuals", tuple(pool), mine), make)


cond_p = Cond()


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """Call the branch whose number is `index`; only that one runs.

    Under ``vmap`` over the index all branches run, and each example takes its own result; branches
    with loops inside run for the examples that chose them.

    Args:
        index: an integer scalar; it is clamped to the range of `branches`.
        branches: functions of `operands` that return values of the same structure and types.
        *operands: arguments of the branches.

    Raises:
        TypeError: if the index is not an integer scalar, or the branches' results differ.

    Example:
        >>> from fxla import lax
        >>> lax.switch(1, [lambda x: x + 1.0, lambda x: x * 10.0], 2.0)
        Array(20.)
    """
    if not branches:
        raise ValueError(f"lax.switch: give at least one branch{where_am_i()}")
    aval = aval_of(index)
    if aval is None or aval.shape or not is_integer(aval.dtype):
        raise TypeError(
            f"lax.switch: the index must be an integer scalar, got "
            f"{aval or kind_of(index)}{where_am_i()}. Convert it with `.astype(int)`."
        )
    return _branch("lax.switch", index, list(branches), operands)


def cond(
    pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any,
    operand: Any = None,
) -> Any:  # fmt: skip
    """``true_fun(*operands) if pred else false_fun(*operands)``; only the chosen one runs.

    Under ``vmap`` over the predicate both run, and each example takes its own result.

    Args:
        pred: a boolean scalar (or a number, true if not 0).
        true_fun: called where `pred` is true.
        false_fun: called otherwise; returns values of the same structure and types.
        *operands: arguments of both.
        operand: a single argument, as older JAX code passes it.

    Raises:
        TypeError: if the predicate is not a scalar, or the results differ in structure or types.

    Example:
        >>> from fxla import lax
        >>> lax.cond(True, lambda x: x + 1.0, lambda x: -x, 2.0)
        Array(3.)
    """
    if operand is not None and not operands:
        operands = (operand,)
    aval = aval_of(pred)
    if aval is None or aval.shape:
        raise TypeError(
            f"lax.cond: the predicate must be a scalar, got {aval or kind_of(pred)}"
            f"{where_am_i()}. Reduce it with np.all or np.any, or use np.where to choose for each "
            "element."
        )
    if not isinstance(pred, Tracer):
        pred = bool(pred)
    elif not is_bool(aval.dtype):
        pred = ne(pred, 0)
    index = np.int32(pred) if not isinstance(pred, Tracer) else convert(pred, int32)
    return _branch("lax.cond", index, [false_fun, true_fun], operands)


def _branch(
    call: str, index: Any, functions: list[Callable[..., Any]], operands: tuple[Any, ...]
) -> Any:
    """Trace all branches and bind them as one equation."""
    for f in functions:
        if not callable(f):
            raise TypeError(
                f"{call}: a branch is a function of the operands, got {what_is(f)}{where_am_i()}. "
                "Write `lambda: x` for a value, or choose between values with `np.where`."
            )
    leaves, tree = tree_flatten(operands)
    for x in leaves:
        check_leaf(x, "an operand", call)
    types = (call, tree, tuple([typeof(x) for x in leaves]))

    def trace() -> _TracedBranches:
        return _traced_branches(call, functions, leaves, tree)

    traced = reused(functions, types, trace, lambda t: t.consts)
    number = convert(index, int32) if isinstance(index, Tracer) else np.int32(index)
    found = cond_p.bind(number, *traced.consts, *leaves, branches=traced.branches)
    n = len(found) - len(traced.updates)
    assign(operands, dict(zip(traced.updates, found[n:], strict=True)))
    return tree_unflatten(traced.out_tree, found[:n])


@dataclass(frozen=True)
class _TracedBranches:
    """Branches as programs over common consts, and the structure of their results.

    Attributes:
        updates: leaves of the operands that a branch assigned to; the last results.
    """

    branches: tuple[Jaxpr, ...]
    consts: tuple[Value, ...]
    out_tree: TreeDef
    updates: tuple[int, ...]


def _traced_branches(
    call: str, functions: list[Callable[..., Any]], leaves: list[Value], tree: TreeDef
) -> _TracedBranches:
    avals = [typeof(x) for x in leaves]
    updated: dict[int, None] = {}
    while True:
        wanted = list(updated)
        traced: list[ClosedJaxpr] = []
        trees: list[Any] = []
        for f in functions:

            def flat(*xs: Value, f: Callable[..., Any] = f) -> list[Value]:
                operands = tree_unflatten(tree, xs)
                held = hold(operands) if is_stateful(operands, tree) else ()
                out, out_tree = tree_flatten(traced_call(f, *operands))
                trees.append(out_tree)  # noqa: B023 - called now
                found = updates(held, call)
                updated.update(dict.fromkeys(found))
                return [*out, *[found.get(k, xs[k]) for k in wanted]]  # noqa: B023 - called now

            traced.append(trace_to_jaxpr(flat, avals, call, function_name(f)))
        if len(wanted) == len(updated):  # else once more, with what each branch assigns to
            break
    if any(t != trees[0] for t in trees):
        raise TypeError(
            f"{call}: the branches return different structures: "
            f"{', '.join(structure_text(t) for t in trees)}{where_am_i()}. Return one structure "
            "from all branches, with zeros for what a branch does not compute."
        )
    traced = _same_types(call, traced, functions)
    branches, consts = over_common_consts(traced)
    return _TracedBranches(branches, consts, trees[0], tuple(wanted))


def _same_types(
    call: str, traced: list[ClosedJaxpr], functions: Sequence[Callable[..., Any]]
) -> list[ClosedJaxpr]:
    """The branches with equal result types; a Python scalar takes the other branch's dtype."""
    outs = [t.out_avals for t in traced]
    wanted: list[Aval] = []
    for column in zip(*outs, strict=True):
        strong = next((a for a in column if not a.weak_type), column[0])
        wanted.append(strong.strong())
        if any(a.shape != strong.shape or not (a.weak_type or a.matches(strong)) for a in column):
            error = ShapeError if len({a.shape for a in column}) > 1 else DtypeError
            given = " and ".join(
                f"{function_name(f)} gives {a}" for f, a in zip(functions, column, strict=True)
            )
            raise error(
                f"{call}: the branches return different types: {given}{where_am_i()}. Make them "
                "equal with .astype or np.broadcast_to."
            )
    converted = []
    for t in traced:
        if all(a.matches(w) for a, w in zip(t.out_avals, wanted, strict=True)):
            converted.append(t)
            continue

        def f(*args: Value, t: ClosedJaxpr = t) -> list[Value]:
            found = eval_jaxpr(t.jaxpr, *args)
            return [convert(x, w.dtype) for x, w in zip(found, wanted, strict=True)]

        again = trace_to_jaxpr(f, t.jaxpr.in_avals, call)
        converted.append(ClosedJaxpr(again.jaxpr, t.consts))
    return converted


def over_common_consts(
    traced: Sequence[ClosedJaxpr],
) -> tuple[tuple[Jaxpr, ...], tuple[Value, ...]]:
    """The branches as programs that all take the consts of all of them first, and those consts."""
    captured: dict[int, Value] = {id(c): c for t in traced for c in t.consts}
    consts = tuple(captured.values())
    return tuple(_over_consts(t, consts) for t in traced), consts


def _over_consts(closed: ClosedJaxpr, consts: Sequence[Value]) -> Jaxpr:
    """A branch that takes the consts of all branches."""
    own = {id(c): v for c, v in zip(closed.consts, closed.jaxpr.invars, strict=False)}
    leading = tuple(own.get(id(c)) or Var(typeof(c)) for c in consts)
    rest = closed.jaxpr.invars[len(closed.consts) :]
    return Jaxpr((*leading, *rest), closed.jaxpr.eqns, closed.jaxpr.outs)
