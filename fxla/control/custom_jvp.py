"""Functions with a derivative written by the user, forward mode.

custom_jvp : (a -> b) -> ((a, T a) -> (b, T b)) -> (a -> b)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from fxla.control.programs import vmap_of
from fxla.core.array import as_array
from fxla.core.aval import Aval
from fxla.core.dtypes import float0, is_inexact
from fxla.core.jaxpr import Jaxpr
from fxla.core.primitive import Primitive, Zero, is_zero
from fxla.core.pytree import structure_text, tree_flatten, tree_map, tree_unflatten
from fxla.core.staging import evaluate_jaxpr, trace_to_jaxpr
from fxla.core.stateful import hold, is_stateful, refuse_updates
from fxla.core.trace import AxisFrame, Value, is_tracing, typeof, where_am_i
from fxla.errors import InternalError
from fxla.ops.casts import convert
from fxla.ops.structure import batch_in_front
from fxla.transforms.api import argument, function_name, traced_call, what_is, wraps_as
from fxla.transforms.jvp import instantiate_tangent
from fxla.transforms.vmap import place_axis, vmap_flat

__all__ = ["custom_jvp", "custom_jvp_call_p"]

FlatRule = Callable[[Sequence[Value], Sequence[Any]], tuple[list[Value], list[Any]]]


class CustomJvpCall(Primitive):
    """A call of a program whose jvp is `rule`.

    Params: jaxpr, the program; rule, from flat primals and tangents to flat values and tangents.
    """

    name = "custom_jvp_call"

    def abstract_eval(self, *avals: Aval, jaxpr: Jaxpr, rule: FlatRule) -> tuple[Aval, ...]:
        return jaxpr.out_avals

    def impl(self, *args: Any, jaxpr: Jaxpr, rule: FlatRule) -> tuple[Any, ...]:
        return evaluate_jaxpr(jaxpr, *args)

    def jvp(
        self, primals: Any, tangents: Any, *, jaxpr: Jaxpr, rule: FlatRule
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        outs, out_tangents = rule(primals, tangents)
        return tuple(outs), tuple(out_tangents)

    def transpose(self, cts: Any, *operands: Any, jaxpr: Jaxpr, rule: FlatRule) -> tuple[Any, ...]:
        raise InternalError("custom_jvp_call is differentiated before it is transposed")

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, jaxpr: Jaxpr, rule: FlatRule
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        batched = [a is not None for a in axes]
        mapped, out_batched = vmap_of(jaxpr, axis, batched)
        moved = batch_in_front(operands, axes)
        outs = self.bind(*moved, jaxpr=mapped, rule=_batched_rule(rule, axis, batched, out_batched))
        return outs, tuple(0 if b else None for b in out_batched)

    def lower(self, *views: Any, jaxpr: Jaxpr, rule: FlatRule) -> Any:
        raise InternalError("custom_jvp_call is inlined before lowering")

    def inlined(self, params: dict[str, Any]) -> Jaxpr:
        jaxpr: Jaxpr = params["jaxpr"]
        return jaxpr


custom_jvp_call_p = CustomJvpCall()


def _batched_rule(
    rule: FlatRule, axis: AxisFrame, batched: Sequence[bool], out_batched: Sequence[bool]
) -> FlatRule:
    """The rule for a batch of examples."""

    def mapped(primals: Sequence[Value], tangents: Sequence[Any]) -> Any:
        n = len(primals)
        nonzero = [not is_zero(t) for t in tangents]

        def flat(*args: Value) -> list[Value]:
            given = iter(args[n:])
            ts = [
                next(given) if nz else Zero(typeof(p).tangent())
                for p, nz in zip(args, nonzero, strict=False)
            ]
            outs, out_tangents = rule(args[:n], ts)
            return [*outs, *(instantiate_tangent(t) for t in out_tangents)]

        given = [t for t in tangents if not is_zero(t)]
        axes = [0 if b else None for b in batched]
        axes += [0 if b else None for b, nz in zip(batched, nonzero, strict=True) if nz]
        values, got = vmap_flat(flat, axis, [*primals, *given], axes)
        m = len(values) // 2
        wanted = [*out_batched, *out_batched]
        placed = [_place(axis, v, a, w) for v, a, w in zip(values, got, wanted, strict=True)]
        return placed[:m], placed[m:]

    return mapped


def _place(axis: AxisFrame, x: Value, at: int | None, wanted: bool) -> Value:
    """`x` with its batch axis in front, if it shall have one."""
    if not wanted:
        return x
    return place_axis(axis, x, at, 0)


class custom_jvp:
    """A function whose derivative is given by a rule of the user's.

    Args:
        f: the function.
        nondiff_argnums: positions of arguments that are not arrays to differentiate by (functions,
            options); the rule gets them first.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> @fxla.custom_jvp
        ... def log1pexp(x):
        ...     return fnp.log(1.0 + fnp.exp(x))
        >>> @log1pexp.defjvp
        ... def log1pexp_jvp(primals, tangents):
        ...     (x,), (t,) = primals, tangents
        ...     return log1pexp(x), (1.0 - 1.0 / (1.0 + fnp.exp(x))) * t
        >>> float(fxla.grad(log1pexp)(100.0))
        1.0
    """

    def __init__(self, f: Callable[..., Any], nondiff_argnums: Sequence[int] = ()) -> None:
        self._f = f
        self._nondiff = tuple(nondiff_argnums)
        self._rule: Callable[..., Any] | None = None
        wraps_as("Function with its own derivative", f, "custom_jvp")(self)

    def __repr__(self) -> str:
        return f"<custom_jvp of {function_name(self._f)}>"

    def defjvp(self, rule: Callable[..., Any], symbolic_zeros: bool = False) -> Callable[..., Any]:
        """Set the rule ``(*nondiff, primals, tangents) -> (value, tangent)``; a decorator."""
        del symbolic_zeros
        self._rule = rule
        return rule

    def defjvps(self, *rules: Callable[..., Any] | None) -> None:
        """Set the rule by one function ``(t, value, *primals) -> tangent`` for each argument.

        None stands for a zero derivative.
        """

        def rule(primals: Any, tangents: Any) -> Any:
            value = self(*primals)
            terms = [
                r(t, value, *primals) for r, t in zip(rules, tangents, strict=True) if r is not None
            ]
            leaves, tree = tree_flatten(value)
            if not terms:
                return value, tree_unflatten(tree, [x * 0 for x in leaves])
            total = terms[0]
            for term in terms[1:]:
                total = total + term
            return value, total

        self._rule = rule

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = function_name(self._f)
        if self._rule is None:
            raise AttributeError(
                f"custom_jvp function {name!r} has no derivative yet: decorate its rule with "
                f"@{name}.defjvp{where_am_i()}"
            )
        args = resolve_keywords(self._f, args, kwargs)
        if not is_tracing():  # there is nothing to differentiate: only the value is wanted
            return tree_map(as_array, self._f(*args))
        nondiff = [args[i] for i in self._nondiff]
        positions = [i for i in range(len(args)) if i not in self._nondiff]

        def of_arrays(*selected: Any) -> Any:
            full = list(args)
            for i, x in zip(positions, selected, strict=True):
                full[i] = x
            return traced_call(self._f, *full)

        leaves, tree = tree_flatten(tuple(args[i] for i in positions))
        trees: list[Any] = []

        def flat(*xs: Value) -> list[Value]:
            given = tree_unflatten(tree, [argument(x) for x in xs])
            held = hold(given) if is_stateful(given, tree) else ()
            out, out_tree = tree_flatten(of_arrays(*given))
            refuse_updates(held, f"custom_jvp of {name}")
            trees[:] = [out_tree]
            return out

        closed = trace_to_jaxpr(flat, [typeof(x) for x in leaves], "custom_jvp", name)
        n = len(closed.consts)
        rule = _flat_rule(self._rule, nondiff, tree, trees[0], n, name)
        outs = custom_jvp_call_p.bind(*closed.consts, *leaves, jaxpr=closed.jaxpr, rule=rule)
        return tree_unflatten(trees[0], outs)


def _flat_rule(
    rule: Callable[..., Any], nondiff: list[Any], tree: Any, out_tree: Any, n_consts: int, name: str
) -> FlatRule:
    """The user's rule on flat values; the first operands are what the function closed over."""

    def flat(primals: Sequence[Value], tangents: Sequence[Any]) -> Any:
        ps, ts = primals[n_consts:], [instantiate_tangent(t) for t in tangents[n_consts:]]
        result = rule(*nondiff, tree_unflatten(tree, ps), tree_unflatten(tree, ts))
        if not (isinstance(result, tuple) and len(result) == 2):
            raise TypeError(
                f"the jvp rule of {name} must return a pair (value, tangent), got "
                f"{what_is(result)}{where_am_i()}"
            )
        value, value_tree = tree_flatten(result[0])
        tangent, tangent_tree = tree_flatten(result[1])
        if value_tree != out_tree or tangent_tree != out_tree:
            raise TypeError(
                f"the jvp rule of {name} must return a value and a tangent of the function's "
                f"structure {structure_text(out_tree)}, got {structure_text(value_tree)} and "
                f"{structure_text(tangent_tree)}{where_am_i()}"
            )
        return value, [match_tangent(v, t) for v, t in zip(value, tangent, strict=True)]

    return flat


def match_tangent(value: Value, tangent: Any) -> Any:
    """A tangent of the value's tangent type; a Python number or an array of zeros is converted."""
    aval = typeof(value)
    if not is_inexact(aval.dtype) or typeof(tangent).dtype == float0:
        return Zero(aval.tangent())
    given = typeof(tangent)
    if given.shape != aval.shape:
        raise TypeError(
            f"a custom derivative rule gave a tangent {given} for a value {aval}{where_am_i()}"
        )
    return convert(tangent, aval.dtype) if given.dtype != aval.dtype else tangent


def resolve_keywords(
    f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, ...]:
    """All arguments by position; keyword-only ones that are not given keep their defaults."""
    try:
        bound = inspect.signature(f).bind(*args, **kwargs)
    except (TypeError, ValueError):
        if kwargs:
            raise
        return args
    named = [
        p.name
        for p in bound.signature.parameters.values()
        if p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD) and p.name in bound.arguments
    ]
    if named:
        raise TypeError(
            f"{function_name(f)}: keyword-only arguments {sorted(named)} cannot be passed to a "
            f"function with a custom derivative; make them positional{where_am_i()}"
        )
    bound.apply_defaults()
    return bound.args
