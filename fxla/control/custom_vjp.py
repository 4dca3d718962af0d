"""Functions with a derivative written by the user, reverse mode.

custom_vjp : (a -> b) -> (a -> (b, r)) -> ((r, CT b) -> CT a) -> (a -> b)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fxla.control.custom_jvp import resolve_keywords
from fxla.control.programs import vmap_of
from fxla.core.array import as_array
from fxla.core.aval import Aval
from fxla.core.dtypes import float0, is_inexact
from fxla.core.jaxpr import Jaxpr
from fxla.core.primitive import Primitive, Zero, is_linear, is_zero
from fxla.core.pytree import (
    TreeDef,
    leaf_paths,
    structure_text,
    tree_flatten,
    tree_map,
    tree_unflatten,
)
from fxla.core.staging import evaluate_jaxpr, trace_to_jaxpr
from fxla.core.stateful import hold, is_stateful, refuse_updates
from fxla.core.trace import AxisFrame, Value, is_tracing, typeof, where_am_i
from fxla.errors import InternalError, NotDifferentiableError
from fxla.ops.casts import convert
from fxla.ops.structure import batch_in_front, instantiate, reduce_sum
from fxla.transforms.api import argument, function_name, traced_call, what_is, wraps_as
from fxla.transforms.vmap import place_axis, prefix_leaves, vmap_flat

__all__ = ["custom_vjp", "custom_vjp_call_p", "linear_by_vjp_p"]

Forward = Callable[[Sequence[Value]], tuple[list[Value], list[Value]]]
Backward = Callable[[Sequence[Value], Sequence[Any]], list[Any]]


class CustomVjpCall(Primitive):
    """A call of a program whose vjp is a pair of functions.

    Params: jaxpr, the program; forward, from operands to results and residuals; backward, from
    residuals and cotangents to cotangents of the operands; n_closed, how many leading operands are
    values that the function closed over, for which the backward function gives no cotangent.
    """

    name = "custom_vjp_call"

    def abstract_eval(self, *avals: Aval, jaxpr: Jaxpr, **params: Any) -> tuple[Aval, ...]:
        return jaxpr.out_avals

    def impl(self, *args: Any, jaxpr: Jaxpr, **params: Any) -> tuple[Any, ...]:
        return evaluate_jaxpr(jaxpr, *args)

    def jvp(
        self,
        primals: Any,
        tangents: Any,
        *,
        jaxpr: Jaxpr,
        forward: Forward,
        backward: Backward,
        n_closed: int,
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        if not all(is_zero(t) for t in tangents[:n_closed]):
            raise NotDifferentiableError(
                "a custom_vjp function is differentiated by a value that it closes over"
                f"{where_am_i()}: its bwd rule gives no cotangent for that. Pass the value as an "
                "argument."
            )
        outs, residuals = forward(primals)
        out_avals = tuple(typeof(o).tangent() for o in outs)
        inexact = [is_inexact(typeof(p).dtype) for p in primals]
        given = [instantiate(t) for t, inx in zip(tangents, inexact, strict=True) if inx]

        def backward_inexact(res: Sequence[Value], cts: Sequence[Any]) -> list[Any]:
            found = backward(res, cts)
            return [ct for ct, inx in zip(found, inexact, strict=True) if inx]

        kept = [a for a in out_avals if a.dtype != float0]
        found = iter(
            linear_by_vjp_p.bind(
                *residuals, *given, n_residuals=len(residuals),
                backward=_with_zeros(backward_inexact, out_avals), out_avals=tuple(kept),
            )
        )  # fmt: skip
        return tuple(outs), tuple(Zero(a) if a.dtype == float0 else next(found) for a in out_avals)

    def transpose(self, cts: Any, *operands: Any, **params: Any) -> tuple[Any, ...]:
        raise InternalError("custom_vjp_call is differentiated before it is transposed")

    def batch(
        self,
        axis: AxisFrame,
        operands: Any,
        axes: Any,
        *,
        jaxpr: Jaxpr,
        forward: Forward,
        backward: Backward,
        n_closed: int,
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        batched = [a is not None for a in axes]
        mapped, _ = vmap_of(jaxpr, axis, batched, True)
        moved = batch_in_front(operands, axes)
        in_axes = [0 if b else None for b in batched]
        residual_axes: list[int | None] = []

        def forward_mapped(primals: Sequence[Value]) -> tuple[list[Value], list[Value]]:
            n_outs: list[int] = []

            def flat(*xs: Value) -> list[Value]:
                outs, residuals = forward(xs)
                n_outs[:] = [len(outs)]
                return [*outs, *residuals]

            values, got = vmap_flat(flat, axis, primals, in_axes)
            n = n_outs[0]
            outs = [place_axis(axis, v, a, 0) for v, a in zip(values[:n], got[:n], strict=True)]
            residual_axes[:] = got[n:]
            return outs, values[n:]

        outs = self.bind(
            *moved,
            jaxpr=mapped,
            forward=forward_mapped,
            backward=_batched_backward(backward, axis, residual_axes, batched),
            n_closed=n_closed,
        )
        return outs, (0,) * len(outs)

    def lower(self, *views: Any, **params: Any) -> Any:
        raise InternalError("custom_vjp_call is inlined before lowering")

    def inlined(self, params: dict[str, Any]) -> Jaxpr:
        jaxpr: Jaxpr = params["jaxpr"]
        return jaxpr


def _with_zeros(backward: Backward, out_avals: Sequence[Aval]) -> Backward:
    """`backward` given cotangents of the inexact results only."""

    def full(residuals: Sequence[Value], cts: Sequence[Any]) -> list[Any]:
        given = iter(cts)
        return backward(
            residuals, [Zero(a) if a.dtype == float0 else next(given) for a in out_avals]
        )

    return full


def _batched_backward(
    backward: Backward, axis: AxisFrame, residual_axes: list[int | None], batched: Sequence[bool]
) -> Backward:
    """The backward function for a batch; an operand that all examples share gets the sum."""

    def mapped(residuals: Sequence[Value], cts: Sequence[Any]) -> list[Any]:
        n = len(residuals)
        filled = [instantiate(ct) for ct in cts]

        def flat(*xs: Value) -> list[Value]:
            return [instantiate(ct) for ct in backward(xs[:n], xs[n:])]

        values, got = vmap_flat(
            flat, axis, [*residuals, *filled], [*residual_axes, *[0] * len(cts)]
        )
        outs = []
        for v, a, b in zip(values, got, batched, strict=True):
            if b:
                outs.append(place_axis(axis, v, a, 0))
            else:
                outs.append(reduce_sum(place_axis(axis, v, a, 0), (0,)))
        return outs

    return mapped


class LinearByVjp(Primitive):
    """A linear function of which only the transpose is known: a custom backward function.

    Operands (*residuals, *tangents). It can be recorded and transposed, not evaluated.
    """

    name = "linear_by_vjp"

    def abstract_eval(
        self, *avals: Aval, n_residuals: int, backward: Backward, out_avals: tuple[Aval, ...]
    ) -> tuple[Aval, ...]:
        return out_avals

    def impl(self, *args: Any, **params: Any) -> tuple[Any, ...]:
        raise NotDifferentiableError(
            f"forward-mode differentiation of a custom_vjp function{where_am_i()}: only its "
            "reverse-mode rule is known. Use grad, vjp or jacrev, or define the derivative with "
            "custom_jvp, which gives both modes."
        )

    def jvp(
        self, primals: Any, tangents: Any, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        return self.impl(), ()

    def transpose(
        self,
        cts: Any,
        *operands: Any,
        n_residuals: int,
        backward: Backward,
        out_avals: tuple[Aval, ...],
    ) -> tuple[Any, ...]:
        residuals, tangents = operands[:n_residuals], operands[n_residuals:]
        found = backward(residuals, cts)
        return (
            *(None for _ in residuals),
            *(ct if is_linear(t) else None for ct, t in zip(found, tangents, strict=True)),
        )

    def batch(
        self,
        axis: AxisFrame,
        operands: Any,
        axes: Any,
        *,
        n_residuals: int,
        backward: Backward,
        out_avals: tuple[Aval, ...],
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        moved = batch_in_front(operands, axes)
        in_axes = [None if a is None else 0 for a in axes]
        mapped = _batched_backward(
            backward, axis, list(in_axes[:n_residuals]), [a is not None for a in axes[n_residuals:]]
        )
        wide = tuple(Aval((axis.size, *a.shape), a.dtype) for a in out_avals)
        outs = self.bind(*moved, n_residuals=n_residuals, backward=mapped, out_avals=wide)
        return outs, (0,) * len(outs)

    def lower(self, *views: Any, **params: Any) -> Any:
        return self.impl()


custom_vjp_call_p = CustomVjpCall()
linear_by_vjp_p = LinearByVjp()


class custom_vjp:
    """A function whose reverse-mode derivative is given by two functions of the user's.

    Args:
        f: the function.
        nondiff_argnums: positions of arguments that are not differentiated by; ``fwd`` gets them in
            place, ``bwd`` gets them first.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> @fxla.custom_vjp
        ... def clip_gradient(x):
        ...     return x
        >>> clip_gradient.defvjp(lambda x: (x, None), lambda _, ct: (fnp.clip(ct, -1.0, 1.0),))
        >>> float(fxla.grad(lambda x: 5.0 * clip_gradient(x))(2.0))
        1.0
    """

    def __init__(self, f: Callable[..., Any], nondiff_argnums: Sequence[int] = ()) -> None:
        self._f = f
        self._nondiff = tuple(nondiff_argnums)
        self._fwd: Callable[..., Any] | None = None
        self._bwd: Callable[..., Any] | None = None
        wraps_as("Function with its own derivative", f, "custom_vjp")(self)

    def __repr__(self) -> str:
        return f"<custom_vjp of {function_name(self._f)}>"

    def defvjp(
        self,
        fwd: Callable[..., Any],
        bwd: Callable[..., Any],
        symbolic_zeros: bool = False,
        optimize_remat: bool = False,
    ) -> None:
        """Set the rule.

        Args:
            fwd: takes the function's arguments, returns ``(value, residuals)``.
            bwd: takes ``(*nondiff, residuals, cotangent)``, returns a tuple with a cotangent (or
                None for zero) for each differentiable argument.
            symbolic_zeros: accepted for compatibility with JAX.
            optimize_remat: likewise.
        """
        del symbolic_zeros, optimize_remat
        self._fwd, self._bwd = fwd, bwd

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = function_name(self._f)
        if self._fwd is None or self._bwd is None:
            raise AttributeError(
                f"custom_vjp function {name!r} has no derivative yet: call {name}.defvjp(fwd, "
                f"bwd){where_am_i()}"
            )
        args = resolve_keywords(self._f, args, kwargs)
        if not is_tracing() and not is_stateful(args):  # only the value is wanted
            return tree_map(as_array, self._f(*args))
        nondiff = [args[i] for i in self._nondiff]
        positions = [i for i in range(len(args)) if i not in self._nondiff]

        def call(f: Callable[..., Any], selected: Sequence[Any]) -> Any:
            full = list(args)
            for i, x in zip(positions, selected, strict=True):
                full[i] = x
            return traced_call(f, *full)

        diff_args = tuple(args[i] for i in positions)
        leaves, tree = tree_flatten(diff_args)
        trees: list[Any] = []

        def flat(*xs: Value) -> list[Value]:
            given = tree_unflatten(tree, [argument(x) for x in xs])
            held = hold(given) if is_stateful(given, tree) else ()
            out, out_tree = tree_flatten(call(self._f, given))
            refuse_updates(held, f"custom_vjp of {name}")
            trees[:] = [out_tree]
            return out

        closed = trace_to_jaxpr(flat, [typeof(x) for x in leaves], "custom_vjp", name)
        n = len(closed.consts)
        residual_tree: list[Any] = []
        fwd, bwd = self._fwd, self._bwd

        def forward(primals: Sequence[Value]) -> tuple[list[Value], list[Value]]:
            result = call(fwd, tree_unflatten(tree, primals[n:]))
            out, residuals = _value_and_residuals(result, trees[0], name)
            flat_residuals, r_tree = tree_flatten(residuals)
            residual_tree[:] = [r_tree]
            return out, flat_residuals

        avals = [typeof(x) for x in leaves]

        def backward(residuals: Sequence[Value], cts: Sequence[Any]) -> list[Any]:
            ct = tree_unflatten(trees[0], [instantiate(c) for c in cts])
            found = bwd(*nondiff, tree_unflatten(residual_tree[0], residuals), ct)
            flat_cts = _flat_cotangents(found, diff_args, avals, name)
            return [Zero(v.aval.tangent()) for v in closed.jaxpr.invars[:n]] + flat_cts

        outs = custom_vjp_call_p.bind(
            *closed.consts,
            *leaves,
            jaxpr=closed.jaxpr,
            forward=forward,
            backward=backward,
            n_closed=n,
        )
        return tree_unflatten(trees[0], outs)


def _value_and_residuals(result: Any, tree: TreeDef, name: str) -> tuple[list[Value], Any]:
    """What a fwd rule returned: the leaves of its value, which has that tree, and the residuals."""
    if not (isinstance(result, tuple) and len(result) == 2):
        raise TypeError(
            f"the fwd rule of {name} must return a pair (value, residuals), got "
            f"{what_is(result)}{where_am_i()}"
        )
    out, out_tree = tree_flatten(result[0])
    if out_tree != tree:
        raise TypeError(
            f"the fwd rule of {name} returns a value of structure {structure_text(out_tree)}, the "
            f"function one of {structure_text(tree)}{where_am_i()}"
        )
    return out, result[1]


def _flat_cotangents(
    found: Any, args: tuple[Any, ...], avals: Sequence[Aval], name: str
) -> list[Any]:
    """What a bwd rule returned, one entry for each leaf of the arguments; None is zero."""
    if isinstance(found, list):
        found = tuple(found)
    if not isinstance(found, tuple) or len(found) != len(args):
        raise TypeError(
            f"the bwd rule of {name} must return a tuple with {len(args)} cotangent"
            f"{'s' if len(args) != 1 else ''}, one for each differentiable argument, got "
            f"{type(found).__qualname__}"
            f"{f' of {len(found)}' if isinstance(found, tuple) else ''}{where_am_i()}"
        )
    entries = prefix_leaves(found, args, f"the bwd rule of {name}: cotangents")
    paths = leaf_paths(args, "args")
    flat: list[Any] = []
    for ct, aval, path in zip(entries, avals, paths, strict=True):
        if ct is None or not is_inexact(aval.dtype) or typeof(ct).dtype == float0:
            flat.append(Zero(aval.tangent()))
            continue
        given = typeof(ct)
        if given.shape != aval.shape:
            raise TypeError(
                f"the bwd rule of {name} returned {given} as the cotangent of {path}, which is "
                f"{aval}{where_am_i()}"
            )
        flat.append(convert(ct, aval.dtype) if given.dtype != aval.dtype else ct)
    return flat
