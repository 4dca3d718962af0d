"""Counted loops, compiled to native loops.

scan : (c -> x -> (c, y)) -> c -> [x] -> (c, [y])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fxla.control.carry import check_carry, initial_types, settle_types
from fxla.control.reuse import reused
from fxla.control.scan_primitive import scan_p
from fxla.core.aval import Aval
from fxla.core.jaxpr import ClosedJaxpr
from fxla.core.pytree import TreeDef, tree_flatten, tree_unflatten
from fxla.core.records import dataclass
from fxla.core.staging import trace_to_jaxpr
from fxla.core.stateful import assign, hold, is_stateful, updates
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.ops.casts import convert
from fxla.transforms.api import check_leaf, function_name, traced_call, what_is

__all__ = [
    "scan",
]


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """Loop over leading axes while carrying state; compiled to one native loop.

    Args:
        f: ``(carry, x) -> (carry, y)``; the carry keeps its structure, shapes and dtypes.
        init: the first carry, a pytree.
        xs: a pytree of arrays whose leading axes have one length, or None.
        length: number of iterations; needed if `xs` is None.
        reverse: whether to run from the last element to the first.
        unroll: accepted for compatibility with JAX; the loop is native either way.

    Returns:
        ``(final carry, ys)``, each y stacked along a new leading axis.

    Raises:
        TypeError: if the carry changes its structure or types.
        ValueError: if lengths differ or none is known.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.scan(lambda c, x: (c + x, c * x), 0.0, fnp.arange(4.0))
        (Array(6.), Array([0., 0., 2., 9.]))
    """
    del unroll
    name = function_name(f)
    init_leaves, init_tree = tree_flatten(init)
    xs_leaves, xs_tree = tree_flatten(xs)
    for x in (*init_leaves, *xs_leaves):
        check_leaf(x, "an operand", f"lax.scan of {name}")
    n = _scan_length(xs_leaves, length, name)
    x_avals = [Aval(typeof(x).shape[1:], typeof(x).dtype) for x in xs_leaves]
    types = (init_tree, xs_tree, tuple([typeof(x) for x in init_leaves]), tuple(x_avals))

    def trace() -> _TracedBody:
        return _traced_body(f, name, init_leaves, init_tree, x_avals, xs_tree)

    traced = reused([f], ("scan", *types), trace, lambda t: t.closed.consts)
    closed = traced.closed
    init_leaves = [
        convert(x, a.dtype) for x, a in zip(init_leaves, traced.carry_avals, strict=True)
    ]
    found = scan_p.bind(
        *closed.consts,
        *init_leaves,
        *xs_leaves,
        body=closed.jaxpr,
        n_consts=len(closed.consts),
        n_carry=len(init_leaves),
        length=n,
        reverse=bool(reverse),
    )
    c, end = len(init_leaves), len(found) - len(traced.updates)
    assign(xs, dict(zip(traced.updates, found[end:], strict=True)))
    return tree_unflatten(init_tree, found[:c]), tree_unflatten(traced.y_tree, found[c:end])


@dataclass(frozen=True)
class _TracedBody:
    """One iteration as a program, with the types of its carry and the structure of its y.

    Attributes:
        updates: leaves of xs that an iteration assigned to; the last of its results.
    """

    closed: ClosedJaxpr
    carry_avals: tuple[Aval, ...]
    y_tree: TreeDef
    updates: tuple[int, ...]


def _traced_body(
    f: Callable[[Any, Any], tuple[Any, Any]],
    name: str,
    init_leaves: list[Value],
    init_tree: TreeDef,
    x_avals: list[Aval],
    xs_tree: TreeDef,
) -> _TracedBody:
    trees: list[Any] = []
    updated: dict[int, Value] = {}

    def body(*leaves: Value) -> list[Value]:
        carry = tree_unflatten(init_tree, leaves[: len(init_leaves)])
        x = tree_unflatten(xs_tree, leaves[len(init_leaves) :])
        held = hold(x) if is_stateful(x, xs_tree) else ()
        result: Any = traced_call(f, carry, x)
        updated.clear()
        updated.update(updates(held, "lax.scan"))
        if not (isinstance(result, tuple) and len(result) == 2):
            raise TypeError(
                f"lax.scan: {name} must return a pair (carry, y), got "
                f"{what_is(result)}{where_am_i()}. Return None as y if there is nothing to stack."
            )
        carry_out, carry_tree = tree_flatten(result[0])
        y, y_tree = tree_flatten(result[1])
        trees[:] = [carry_tree, y_tree]
        return [*carry_out, *y, *updated.values()]

    carry_avals, weak = initial_types(init_leaves)
    while True:
        closed = trace_to_jaxpr(body, [*carry_avals, *x_avals], "scan", name)
        grown = settle_types(carry_avals, weak, closed.out_avals, trees[0], init_tree)
        if grown is None:
            break
        carry_avals = grown
    check_carry("lax.scan", name, carry_avals, closed.out_avals, init_tree, trees[0])
    return _TracedBody(closed, tuple(carry_avals), trees[1], tuple(updated))


def _scan_length(xs: Sequence[Value], length: int | None, name: str) -> int:
    """The common length of the leading axes."""
    found = set()
    for x in xs:
        aval = typeof(x)
        if aval.ndim == 0:
            raise ShapeError(
                f"lax.scan of {name}: xs holds a scalar {aval}{where_am_i()}. Give it a leading "
                "axis, which is scanned over, or close over what is the same for all steps."
            )
        found.add(aval.shape[0])
    if length is not None:
        found.add(int(length))
    if len(found) > 1:
        shapes = ", ".join(str(typeof(x)) for x in xs)
        raise ShapeError(
            f"lax.scan of {name}: leading axes differ: {shapes}"
            + (f", length={length}" if length is not None else "")
            + f"{where_am_i()}. Give arrays whose leading axes, which are scanned over, have one "
            "length."
        )
    if not found:
        raise ValueError(
            f"lax.scan of {name}: xs holds no arrays, so length must be "
            f"given{where_am_i()}. Write `lax.scan(f, init, None, length=n)`."
        )
    return found.pop()
