"""The carry of a loop: it comes out of an iteration with the types it went in with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fxla.core.aval import Aval
from fxla.core.dtypes import result_type
from fxla.core.jaxpr import Jaxpr
from fxla.core.primitive import Primitive
from fxla.core.pytree import TreeDef, leaf_paths, structure_text, tree_unflatten
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import Value, typeof, where_am_i

__all__ = ["check_carry", "initial_types", "one_equation", "settle_types"]


def initial_types(leaves: Sequence[Value]) -> tuple[list[Aval], list[bool]]:
    """Types of a loop's first carry, and which leaves are weak (Python scalars)."""
    return [typeof(x) for x in leaves], [typeof(x).weak_type for x in leaves]


def settle_types(
    avals: list[Aval], weak: list[bool], outs: Sequence[Aval], tree: Any, init_tree: Any
) -> list[Aval] | None:
    """New carry types where a Python scalar met an array in the body; None if settled.

    A carry that starts as ``0.0`` and comes out as f32 is f32 from the start, as it would be after
    the first iteration of a Python loop.
    """
    if tree != init_tree:
        return None
    grown = [
        Aval(a.shape, *result_type((a.dtype, True), (o.dtype, o.weak_type)))
        if w and a.shape == o.shape
        else a
        for a, w, o in zip(avals, weak, outs, strict=False)
    ]
    weak[:] = [a.weak_type for a in grown]
    return grown if grown != avals else None


def check_carry(
    call: str,
    name: str,
    avals: Sequence[Aval],
    outs: Sequence[Aval],
    tree: TreeDef,
    out_tree: TreeDef,
) -> None:
    """The carry must come out as it went in.

    Raises:
        TypeError: naming the leaf, both types and the remedy.
    """
    if tree != out_tree:
        raise TypeError(
            f"{call}: the carry that {name} returns has structure "
            f"{structure_text(out_tree)}, but it was given {structure_text(tree)}"
            f"{where_am_i()}. Return a carry of the structure it received."
        )
    different = type_differences(avals, outs[: len(avals)], tree, "carry")
    if different:
        raise TypeError(
            f"{call}: the carry changes its type in {name}: {'; '.join(different)}{where_am_i()}. "
            "Start it with the dtype and shape it ends with (for example `np.zeros(n)` instead of "
            "`0`), or convert the result with `.astype`."
        )


def type_differences(
    expected: Sequence[Any], got: Sequence[Any], tree: TreeDef, root: str
) -> list[str]:
    """Lines that name the leaves whose types differ: ``carry['x']: f64[3] became f32[3]``."""
    paths = leaf_paths(tree_unflatten(tree, list(range(tree.num_leaves))), root)
    return [
        f"{path}: {a} became {b}"
        for path, a, b in zip(paths, expected, got, strict=True)
        if not a.matches(b)
    ]


def one_equation(primitive: Primitive, types: tuple[Aval, ...], params: Any) -> Jaxpr:
    """A program that is one application of a primitive."""
    closed = trace_to_jaxpr(lambda *xs: primitive.bind(*xs, **params), types, primitive.name)
    return closed.jaxpr
