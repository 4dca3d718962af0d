"""Rematerialisation: compute values again on the way back instead of keeping them.

checkpoint : (a -> b) -> (a -> b)

The function's value is the same; its derivative keeps only the inputs, and whatever else a policy
names, and runs the function again when the cotangents arrive (Griewank and Walther 2000).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fxla.control.programs import jvp_of, remembered, split_of, vmap_of
from fxla.core.aval import Aval
from fxla.core.jaxpr import Jaxpr, Var
from fxla.core.primitive import Primitive, Zero, is_linear, is_zero
from fxla.core.pytree import tree_flatten, tree_unflatten
from fxla.core.staging import eval_jaxpr, evaluate_jaxpr, trace_to_jaxpr
from fxla.core.stateful import assign, is_stateful
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import InternalError
from fxla.loops.view import View
from fxla.ops.dot import dot_general_p
from fxla.ops.structure import batch_in_front, instantiate
from fxla.transforms.api import FlatFunction, check_leaf, function_name, wraps_as
from fxla.transforms.dce import dce_jaxpr
from fxla.transforms.partial_eval import PartialTrace
from fxla.transforms.transpose import backward

__all__ = ["checkpoint", "checkpoint_name", "checkpoint_p", "checkpoint_policies"]

Policy = Callable[..., bool]


class Barrier(Primitive):
    """The operands unchanged, as new values.

    What is computed from the results is not merged with what was computed from the operands, so
    recomputation stays recomputation.
    """

    name = "optimization_barrier"

    def abstract_eval(self, *avals: Aval, token: int) -> tuple[Aval, ...]:
        return avals

    def impl(self, *args: Any, token: int) -> tuple[Any, ...]:
        return args

    def jvp(
        self, primals: Any, tangents: Any, *, token: int
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        return self.bind(*primals, token=token), tuple(tangents)

    def transpose(self, cts: Any, *operands: Any, token: int) -> tuple[Any, ...]:
        return tuple(ct if is_linear(x) else None for ct, x in zip(cts, operands, strict=True))

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, token: int
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        return self.bind(*operands, token=token), tuple(axes)

    def lower(self, *views: View, token: int) -> tuple[View, ...]:
        return views


class Name(Primitive):
    """The operand unchanged, under a name that checkpoint policies can ask for."""

    name = "name"

    def abstract_eval(self, x: Aval, *, label: str) -> tuple[Aval, ...]:
        return (x,)

    def impl(self, x: Any, *, label: str) -> tuple[Any, ...]:
        return (x,)

    def jvp(
        self, primals: Any, tangents: Any, *, label: str
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        return self.bind(*primals, label=label), tuple(tangents)

    def transpose(self, cts: Any, *operands: Any, label: str) -> tuple[Any, ...]:
        return tuple(cts)

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, label: str
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        return self.bind(*operands, label=label), tuple(axes)

    def lower(self, *views: View, label: str) -> tuple[View, ...]:
        return views


class Checkpoint(Primitive):
    """A call of a program whose intermediate values are not kept for its derivative.

    Params: jaxpr; policy, which intermediate values may be kept (None: none).
    """

    name = "checkpoint"

    def abstract_eval(self, *avals: Aval, jaxpr: Jaxpr, policy: Policy | None) -> tuple[Aval, ...]:
        return jaxpr.out_avals

    def impl(self, *args: Any, jaxpr: Jaxpr, policy: Policy | None) -> tuple[Any, ...]:
        return evaluate_jaxpr(jaxpr, *args)

    def jvp(
        self, primals: Any, tangents: Any, *, jaxpr: Jaxpr, policy: Policy | None
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        nonzero = [not is_zero(t) for t in tangents]
        both, out_nonzero = jvp_of(jaxpr, nonzero)
        given = [t for t in tangents if not is_zero(t)]
        found = self.bind(*primals, *given, jaxpr=both, policy=policy)
        n = len(jaxpr.outs)
        rest = iter(found[n:])
        return found[:n], tuple(
            next(rest) if nz else Zero(a.aval.tangent())
            for nz, a in zip(out_nonzero, jaxpr.outs, strict=True)
        )

    def partial_eval(self, trace: PartialTrace, args: Sequence[Value], params: Any) -> Any:
        """Compute the known results; record the whole program for the unknown ones."""
        jaxpr, policy = params["jaxpr"], params["policy"]
        unknown = [trace.unknown(x) for x in args]
        out_unknown = split_of(jaxpr, unknown).out_unknown
        key = ("checkpoint", tuple(unknown), id(policy))
        known, later = remembered(jaxpr, key, lambda: _cut(jaxpr, unknown, out_unknown, policy))
        known_args = [x for x, u in zip(args, unknown, strict=True) if not u]
        found = trace.process_known(self, known_args, {"jaxpr": known, "policy": policy})
        n_out = sum(not u for u in out_unknown)
        recorded = iter(
            trace.record(self, [*found[n_out:], *args], {"jaxpr": later, "policy": policy})
        )
        known_outs = iter(found[:n_out])
        return tuple(next(recorded) if u else next(known_outs) for u in out_unknown)

    def transpose(
        self, cts: Any, *operands: Any, jaxpr: Jaxpr, policy: Policy | None
    ) -> tuple[Any, ...]:
        """Run the program again from its known operands, then backwards."""
        linear = [is_linear(x) for x in operands]
        split = split_of(jaxpr, linear, [True] * len(jaxpr.outs))
        known = [x for x in operands if not is_linear(x)]
        fresh = barrier_p.bind(*known, token=next(_tokens)) if known else ()
        residuals = eval_jaxpr(split.known, *fresh)
        given = [*residuals, *[x for x in operands if is_linear(x)]]
        found = backward(split.unknown, given, [instantiate(ct) for ct in cts])
        rest = iter(found[len(residuals) :])
        return tuple(next(rest) if is_lin else None for is_lin in linear)

    def batch(
        self,
        axis: AxisFrame,
        operands: Any,
        axes: Any,
        *,
        jaxpr: Jaxpr,
        policy: Policy | None,
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        mapped, out_batched = vmap_of(jaxpr, axis, [a is not None for a in axes])
        moved = batch_in_front(operands, axes)
        outs = self.bind(*moved, jaxpr=mapped, policy=policy)
        return outs, tuple(0 if b else None for b in out_batched)

    def lower(self, *views: Any, jaxpr: Jaxpr, policy: Policy | None) -> Any:
        raise InternalError("checkpoint is inlined before lowering")

    def inlined(self, params: dict[str, Any]) -> Jaxpr:
        jaxpr: Jaxpr = params["jaxpr"]
        return jaxpr


_tokens = iter(range(1, 2**63))
barrier_p = Barrier()
name_p = Name()
checkpoint_p = Checkpoint()


def _cut(
    jaxpr: Jaxpr, unknown: Sequence[bool], out_unknown: Sequence[bool], policy: Policy | None
) -> tuple[Jaxpr, Jaxpr]:
    """The program for now and the program for later.

    Returns:
        (known inputs) -> (*known results, *saved values), and
        (*saved values, *inputs) -> unknown results, which computes again what is not saved.
    """
    known_vars = {v for v, u in zip(jaxpr.invars, unknown, strict=True) if not u}
    saved: list[Var] = []
    for eqn in jaxpr.eqns:
        if not all(a in known_vars or not isinstance(a, Var) for a in eqn.inputs):
            continue
        known_vars.update(eqn.outputs)
        avals = [a.aval for a in eqn.inputs]
        if policy is not None and policy(eqn.primitive, *avals, **eqn.params):
            saved.extend(eqn.outputs)
    results = [a for a, u in zip(jaxpr.outs, out_unknown, strict=True) if not u]
    invars = tuple(v for v, u in zip(jaxpr.invars, unknown, strict=True) if not u)
    known_eqns = tuple(
        e for e in jaxpr.eqns if all(not isinstance(a, Var) or a in known_vars for a in e.inputs)
    )
    now = Jaxpr(invars, known_eqns, (*results, *saved))
    if any(isinstance(a, Var) and a not in known_vars for a in results):
        # A loop or a call has results of both kinds, such as a value and its tangent.
        half, kept = split_of(jaxpr, unknown).known, Jaxpr(invars, known_eqns, tuple(saved))
        now = trace_to_jaxpr(
            lambda *xs: [*eval_jaxpr(half, *xs)[: len(results)], *eval_jaxpr(kept, *xs)],
            [v.aval for v in invars],
            "checkpoint",
        ).jaxpr
    known, _ = dce_jaxpr(now, [True] * len(now.outs), True)
    given = set(saved)
    rest = tuple(e for e in jaxpr.eqns if not given.issuperset(e.outputs))
    wanted = tuple(a for a, u in zip(jaxpr.outs, out_unknown, strict=True) if u)
    later, _ = dce_jaxpr(Jaxpr((*saved, *jaxpr.invars), rest, wanted), [True] * len(wanted), True)
    return known, later


class checkpoint_policies:
    """Which intermediate values a checkpointed function may keep.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> keep = fxla.checkpoint_policies.dots_saveable
        >>> layer = fxla.checkpoint(lambda w, x: fnp.sum(fnp.tanh(x @ w)), policy=keep)
        >>> fxla.grad(layer)(fnp.zeros((2, 1)), fnp.ones((3, 2)))
        Array([[3.],
               [3.]])
    """

    @staticmethod
    def everything_saveable(prim: Primitive, *avals: Aval, **params: Any) -> bool:
        """Keep all: as without `checkpoint`."""
        return True

    @staticmethod
    def nothing_saveable(prim: Primitive, *avals: Aval, **params: Any) -> bool:
        """Keep none; the default."""
        return False

    @staticmethod
    def dots_saveable(prim: Primitive, *avals: Aval, **params: Any) -> bool:
        """Keep the results of contractions, the most expensive to compute again."""
        return prim is dot_general_p

    checkpoint_dots = dots_saveable

    @staticmethod
    def dots_with_no_batch_dims_saveable(prim: Primitive, *avals: Aval, **params: Any) -> bool:
        """Keep the results of contractions without batch axes: weights times activations."""
        return prim is dot_general_p and not params["dims"].lhs_batch

    checkpoint_dots_with_no_batch_dims = dots_with_no_batch_dims_saveable

    @staticmethod
    def save_only_these_names(*names: str) -> Policy:
        """Keep values named by `checkpoint_name` with one of these names."""

        def policy(prim: Primitive, *avals: Aval, **params: Any) -> bool:
            return prim is name_p and params["label"] in names

        return policy

    @staticmethod
    def save_any_names_but_these(*names: str) -> Policy:
        """Keep values named by `checkpoint_name` with any other name."""

        def policy(prim: Primitive, *avals: Aval, **params: Any) -> bool:
            return prim is name_p and params["label"] not in names

        return policy

    @staticmethod
    def save_from_both_policies(first: Policy, second: Policy) -> Policy:
        """Keep what either policy keeps."""

        def policy(prim: Primitive, *avals: Aval, **params: Any) -> bool:
            return first(prim, *avals, **params) or second(prim, *avals, **params)

        return policy


def checkpoint_name(x: Any, name: str) -> Any:
    """Give an intermediate value a name for checkpoint policies; the value is unchanged."""
    leaves, tree = tree_flatten(x)
    return tree_unflatten(tree, [name_p.bind1(leaf, label=name) for leaf in leaves])


def checkpoint(
    f: Callable[..., Any] | None = None,
    *,
    prevent_cse: bool = True,
    policy: Policy | None = None,
    static_argnums: int | Sequence[int] = (),
) -> Any:
    """Trade time for memory: the derivative of `f` computes intermediate values again.

    Args:
        f: a function of arrays and pytrees. Without it a decorator is returned.
        prevent_cse: accepted for compatibility with JAX; recomputation is always kept apart.
        policy: ``(primitive, *avals, **params) -> bool``, true for results that may be kept; see
            `checkpoint_policies`. Default: keep nothing but the inputs.
        static_argnums: positions of arguments that are not traced.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> layer = fxla.checkpoint(lambda x: fnp.sin(fnp.sin(x)))
        >>> fxla.grad(layer)(1.0) == fxla.grad(lambda x: fnp.sin(fnp.sin(x)))(1.0)
        Array(True)
    """
    del prevent_cse
    if f is None:
        return lambda g: checkpoint(g, policy=policy, static_argnums=static_argnums)
    function = f
    name = function_name(f)
    static = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)

    @wraps_as("Checkpointed version", f, "checkpoint")
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        fixed = {i % len(args): args[i] for i in static}
        dynamic = tuple(x for i, x in enumerate(args) if i not in fixed)
        leaves, tree = tree_flatten((dynamic, kwargs))
        for x in leaves:
            check_leaf(x, "an argument", f"checkpoint of {name}")

        def with_static(*given: Any, **given_kwargs: Any) -> Any:
            rest = iter(given)
            full = [fixed[i] if i in fixed else next(rest) for i in range(len(args))]
            return function(*full, **given_kwargs)

        wraps_as("Checkpointed version", f, "checkpoint")(with_static)
        flat_f = FlatFunction(with_static, tree, stateful=is_stateful((dynamic, kwargs), tree))
        avals = [typeof(x) for x in leaves]
        closed = trace_to_jaxpr(flat_f.with_updates, avals, "checkpoint", name)
        outs = checkpoint_p.bind(*closed.consts, *leaves, jaxpr=closed.jaxpr, policy=policy)
        n = len(outs) - len(flat_f.updates)
        assign((dynamic, kwargs), dict(zip(flat_f.updates, outs[n:], strict=True)))
        return flat_f.result(outs[:n])

    return checkpointed
