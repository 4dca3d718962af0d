"""Functions with a batching rule written by the user.

custom_vmap : (a -> b) -> ((n, which of a are mapped, [n] a) -> ([n] b, which of b are)) -> (a -> b)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fxla.control.custom_jvp import resolve_keywords
from fxla.control.jit_primitive import jit_p
from fxla.control.loops import map_
from fxla.control.programs import jvp_of
from fxla.core.aval import Aval
from fxla.core.jaxpr import Jaxpr
from fxla.core.primitive import Primitive, Zero, is_zero
from fxla.core.pytree import structure_text, tree_flatten, tree_unflatten
from fxla.core.staging import evaluate_jaxpr, trace_to_jaxpr
from fxla.core.trace import AxisFrame, Value, is_tracing, typeof, where_am_i
from fxla.errors import InternalError
from fxla.ops.structure import batch_in_front
from fxla.transforms.api import argument, function_name, traced_call, wraps_as

__all__ = ["custom_vmap", "custom_vmap_call_p", "sequential_vmap"]

FlatRule = Callable[[int, Sequence[bool], Sequence[Value]], tuple[list[Value], list[bool]]]


class CustomVmapCall(Primitive):
    """A call of a program whose batching is `rule`; a derivative is that of the program.

    Params: jaxpr, the program; rule, from the size of the axis, which operands have it in front,
    and the operands, to results and which of them have it.
    """

    name = "custom_vmap_call"

    def abstract_eval(self, *avals: Aval, jaxpr: Jaxpr, rule: FlatRule) -> tuple[Aval, ...]:
        return jaxpr.out_avals

    def impl(self, *args: Any, jaxpr: Jaxpr, rule: FlatRule) -> tuple[Any, ...]:
        return evaluate_jaxpr(jaxpr, *args)

    def jvp(
        self, primals: Any, tangents: Any, *, jaxpr: Jaxpr, rule: FlatRule
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        nonzero = [not is_zero(t) for t in tangents]
        both, out_nonzero = jvp_of(jaxpr, nonzero)
        given = [t for t in tangents if not is_zero(t)]
        found = jit_p.bind(*primals, *given, jaxpr=both, name="jvp(custom_vmap)")
        n = len(jaxpr.outs)
        rest = iter(found[n:])
        return tuple(found[:n]), tuple(
            next(rest) if nz else Zero(a.aval.tangent())
            for nz, a in zip(out_nonzero, jaxpr.outs, strict=True)
        )

    def transpose(self, cts: Any, *operands: Any, jaxpr: Jaxpr, rule: FlatRule) -> tuple[Any, ...]:
        raise InternalError("custom_vmap_call is differentiated before it is transposed")

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, jaxpr: Jaxpr, rule: FlatRule
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        moved = batch_in_front(operands, axes)
        outs, batched = rule(axis.size, [a is not None for a in axes], moved)
        return tuple(outs), tuple(0 if b else None for b in batched)

    def lower(self, *views: Any, jaxpr: Jaxpr, rule: FlatRule) -> Any:
        raise InternalError("custom_vmap_call is inlined before lowering")

    def inlined(self, params: dict[str, Any]) -> Jaxpr:
        jaxpr: Jaxpr = params["jaxpr"]
        return jaxpr


custom_vmap_call_p = CustomVmapCall()


class custom_vmap:
    """A function whose `vmap` is given by a rule of the user's.

    Derivatives are those of the function itself; a `vmap` of a derivative does not see the rule.

    Args:
        fun: the function.

    Example:
        >>> import fxla, fxla.numpy as np
        >>> @fxla.custom_batching.custom_vmap
        ... def scaled(a, x):
        ...     return a * x
        >>> @scaled.def_vmap
        ... def rule(axis_size, in_batched, a, x):
        ...     print(axis_size, in_batched)
        ...     return a * x, True
        >>> fxla.vmap(scaled, in_axes=(None, 0))(2.0, np.arange(3.0))
        3 [False, True]
        Array([0., 2., 4.])
    """

    def __init__(self, fun: Callable[..., Any]) -> None:
        self._f = fun
        self._rule: Callable[..., Any] | None = None
        wraps_as("Function with its own batching", fun, "custom_vmap")(self)

    def __repr__(self) -> str:
        return f"<custom_vmap of {function_name(self._f)}>"

    def def_vmap(self, vmap_rule: Callable[..., Any]) -> Callable[..., Any]:
        """Set the rule ``(axis_size, in_batched, *args) -> (out, out_batched)``; a decorator.

        `in_batched` and `out_batched` are trees of booleans: where true, the axis is in front.
        """
        self._rule = vmap_rule
        return vmap_rule

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = function_name(self._f)
        if self._rule is None:
            raise AttributeError(
                f"custom_vmap function {name!r} has no batching rule yet: decorate its rule with "
                f"@{name}.def_vmap{where_am_i()}"
            )
        args = resolve_keywords(self._f, args, kwargs)
        if not is_tracing():
            return self._f(*args)
        leaves, tree = tree_flatten(args)
        trees: list[Any] = []

        def flat(*xs: Value) -> list[Value]:
            given = tree_unflatten(tree, [argument(x) for x in xs])
            out, out_tree = tree_flatten(traced_call(self._f, *given))
            trees[:] = [out_tree]
            return out

        closed = trace_to_jaxpr(flat, [typeof(x) for x in leaves], "custom_vmap", name)
        rule = _flat_rule(self._rule, tree, trees[0], len(closed.consts), name)
        outs = custom_vmap_call_p.bind(*closed.consts, *leaves, jaxpr=closed.jaxpr, rule=rule)
        return tree_unflatten(trees[0], outs)


def _flat_rule(
    rule: Callable[..., Any], tree: Any, out_tree: Any, n_consts: int, name: str
) -> FlatRule:
    """The user's rule on flat values; the first operands are what the function closed over."""

    def flat(size: int, batched: Sequence[bool], xs: Sequence[Value]) -> Any:
        if any(batched[:n_consts]):
            raise NotImplementedError(
                f"custom_vmap function {name!r} closes over a value that is mapped; make it an "
                f"argument{where_am_i()}"
            )
        given = tree_unflatten(tree, xs[n_consts:])
        which = list(tree_unflatten(tree, list(batched[n_consts:])))
        result = rule(size, which, *given)
        if not (isinstance(result, tuple) and len(result) == 2):
            raise TypeError(
                f"the vmap rule of {name} must return a pair (out, out_batched){where_am_i()}"
            )
        values, got = tree_flatten(result[0])
        if got != out_tree:
            raise TypeError(
                f"the vmap rule of {name} must return results of the function's structure "
                f"{structure_text(out_tree)}, got {structure_text(got)}{where_am_i()}"
            )
        flags, flag_tree = tree_flatten(result[1])
        if flag_tree != out_tree:
            raise TypeError(
                f"the vmap rule of {name}: out_batched must have the structure of the results, "
                f"{structure_text(out_tree)}, got {structure_text(flag_tree)}{where_am_i()}"
            )
        return values, [bool(f) for f in flags]

    return flat


def sequential_vmap(f: Callable[..., Any]) -> custom_vmap:
    """A function that `vmap` runs for one example after the other, by `lax.map`.

    Example:
        >>> import fxla, fxla.numpy as np
        >>> square = fxla.custom_batching.sequential_vmap(lambda x: x * x)
        >>> fxla.vmap(square)(np.arange(3.0))
        Array([0., 1., 4.])
    """
    mapped = custom_vmap(f)

    def rule(axis_size: int, in_batched: list[Any], *args: Any) -> Any:
        del axis_size
        leaves, tree = tree_flatten(args)
        flags = tree_flatten(in_batched)[0]
        own = [x for x, b in zip(leaves, flags, strict=True) if b]

        def one(examples: Any) -> Any:
            given = iter(examples)
            full = [next(given) if b else x for x, b in zip(leaves, flags, strict=True)]
            return f(*tree_unflatten(tree, full))

        out = map_(one, own)
        leaves_out, out_tree = tree_flatten(out)
        return out, tree_unflatten(out_tree, [True] * len(leaves_out))

    mapped.def_vmap(rule)
    return mapped
