"""Linear solves by the user's own algorithm, with derivatives by solves of the same kind.

custom_linear_solve : (matvec : x -> b, b, solve) -> x with matvec(x) = b

The derivative does not look into the solver: if A x = b, then dx = A^-1 (db - dA x), and the
transpose of A^-1 is a solve with A^T.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fxla.control.programs import vmap_of
from fxla.core.aval import Aval
from fxla.core.jaxpr import ClosedJaxpr, Jaxpr, Var
from fxla.core.primitive import Linear, Primitive, Zero, is_linear, is_zero
from fxla.core.pytree import TreeDef, structure_text, tree_flatten, tree_unflatten
from fxla.core.staging import eval_jaxpr, evaluate_jaxpr, trace_to_jaxpr
from fxla.core.trace import AxisFrame, Value, typeof, where_am_i
from fxla.errors import InternalError, NotDifferentiableError
from fxla.ops.arithmetic import neg, sub
from fxla.ops.structure import instantiate
from fxla.transforms.jvp import jvp_flat
from fxla.transforms.transpose import backward
from fxla.transforms.vmap import place_axis

__all__ = ["custom_linear_solve", "custom_linear_solve_p"]


class CustomLinearSolve(Primitive):
    """x with ``matvec(x) = b``, as `solve` finds it. Linear in b.

    Operands (*consts, *b), results (*x, *aux); x has the types of b. Every program takes all consts
    first.

    Params:
        n_consts: how many of the operands are consts.
        matvec: (*consts, *x) -> b.
        vecmat: (*consts, *b) -> x, the transpose of `matvec`; None if there is no reverse mode.
        solve: (*consts, *b) -> (*x, *aux).
        transpose_solve: (*consts, *x) -> (*b, *aux), solves with `vecmat`; None likewise.
    """

    name = "custom_linear_solve"

    def abstract_eval(self, *avals: Aval, solve: Jaxpr, **params: Any) -> tuple[Aval, ...]:
        return solve.out_avals

    def impl(self, *args: Any, solve: Jaxpr, **params: Any) -> tuple[Any, ...]:
        return evaluate_jaxpr(solve, *args)

    def jvp(
        self, primals: Any, tangents: Any, *, n_consts: int, matvec: Jaxpr, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        """dx = A^-1 (db - dA x)."""
        params = {"n_consts": n_consts, "matvec": matvec, **params}
        consts = primals[:n_consts]
        outs = self.bind(*primals, **params)
        x = outs[: len(primals) - n_consts]
        right = list(tangents[n_consts:])
        if not all(is_zero(t) for t in tangents[:n_consts]):
            still = [Zero(typeof(v).tangent()) for v in x]
            _, changes = jvp_flat(
                lambda *args: eval_jaxpr(matvec, *args),
                [*consts, *x],
                [*tangents[:n_consts], *still],
            )
            right = [_minus(t, change) for t, change in zip(right, changes, strict=True)]
        found = self.bind(*consts, *[instantiate(t) for t in right], **params)
        aux = [Zero(typeof(v).tangent()) for v in outs[len(x) :]]
        return outs, (*found[: len(x)], *aux)

    def transpose(
        self,
        cts: Any,
        *operands: Any,
        n_consts: int,
        matvec: Jaxpr,
        vecmat: Jaxpr | None,
        solve: Jaxpr,
        transpose_solve: Jaxpr | None,
    ) -> tuple[Any, ...]:
        """A solve with the transposed matrix."""
        if transpose_solve is None:
            raise NotDifferentiableError(
                f"lax.custom_linear_solve: no reverse-mode derivative{where_am_i()}. Give "
                "`transpose_solve`, or `symmetric=True` if the matrix is symmetric."
            )
        n = len(operands) - n_consts
        found = self.bind(
            *operands[:n_consts],
            *[instantiate(ct) for ct in cts[:n]],
            n_consts=n_consts,
            matvec=vecmat,
            vecmat=matvec,
            solve=transpose_solve,
            transpose_solve=solve,
        )
        b = operands[n_consts:]
        return (
            *[None] * n_consts,
            *[ct if is_linear(x) else None for ct, x in zip(found[:n], b, strict=True)],
        )

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, n_consts: int, **programs: Any
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        """All right-hand sides and solutions get the axis; consts that do not have it do not."""
        n = len(operands) - n_consts
        batched = [*[a is not None for a in axes[:n_consts]], *[True] * n]
        moved = [
            place_axis(axis, x, a, 0) if wanted else x
            for x, a, wanted in zip(operands, axes, batched, strict=True)
        ]
        mapped = {
            name: None if program is None else vmap_of(program, axis, batched, True)[0]
            for name, program in programs.items()
        }
        outs = self.bind(*moved, n_consts=n_consts, **mapped)
        return outs, (0,) * len(outs)

    def lower(self, *views: Any, **params: Any) -> Any:
        raise InternalError("custom_linear_solve is inlined before lowering")

    def inlined(self, params: dict[str, Any]) -> Jaxpr:
        solve: Jaxpr = params["solve"]
        return solve


custom_linear_solve_p = CustomLinearSolve()


def _minus(t: Any, change: Any) -> Any:
    """``t - change``, either of which may be zero."""
    if is_zero(change):
        return t
    return neg(change) if is_zero(t) else sub(t, change)


def custom_linear_solve(
    matvec: Callable[[Any], Any],
    b: Any,
    solve: Callable[[Callable[[Any], Any], Any], Any],
    transpose_solve: Callable[[Callable[[Any], Any], Any], Any] | None = None,
    symmetric: bool = False,
    has_aux: bool = False,
) -> Any:
    """Solve ``matvec(x) = b`` by the user's algorithm, with derivatives by further solves.

    Derivatives do not go through the steps of the algorithm, so it may be an iteration
    (`while_loop`) without a derivative of its own. They go to b and to what `matvec` closes over.

    Args:
        matvec: a linear function from pytrees like `b` to pytrees like `b`.
        b: the right-hand side.
        solve: ``(matvec, b) -> x``.
        transpose_solve: ``(vecmat, b) -> x``, solves with the transposed matrix; needed for the
            reverse mode unless `symmetric`.
        symmetric: whether `matvec` is its own transpose.
        has_aux: whether solvers return ``(x, aux)``, of which aux has no derivative.

    Returns:
        What `solve` returns.

    Raises:
        TypeError: if `matvec` or `solve` do not give the types of `b`.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> from fxla import lax
        >>> def root(a, b):
        ...     matvec = lambda x: a * x
        ...     return lax.custom_linear_solve(matvec, b, lambda mv, b: b / mv(1.0), symmetric=True)
        >>> fxla.grad(root, (0, 1))(4.0, 2.0)
        (Array(-0.125), Array(0.25))
    """
    leaves, tree = tree_flatten(b)
    avals = [typeof(x).strong() for x in leaves]
    aux_trees: list[Any] = []

    def trace(what: str, f: Callable[[Any], Any], aux: bool = False) -> ClosedJaxpr:
        def flat(*xs: Value) -> list[Value]:
            out = f(tree_unflatten(tree, xs))
            out, extra = out if aux else (out, ())
            found, out_tree = tree_flatten(out)
            _check_result(what, avals, tree, found, out_tree)
            more, aux_tree = tree_flatten(extra)
            aux_trees.append(aux_tree)
            return [*found, *more]

        return trace_to_jaxpr(flat, avals, "custom_linear_solve", what)

    forward = trace("matvec", matvec)
    solver = trace("solve", lambda b: solve(matvec, b), has_aux)
    programs: dict[str, ClosedJaxpr | None] = {
        "matvec": forward, "solve": solver, "vecmat": None, "transpose_solve": None,
    }  # fmt: skip
    aux_tree = aux_trees[-1]
    if symmetric:
        programs |= {"vecmat": forward, "transpose_solve": solver}
    elif transpose_solve is not None:

        def vecmat(ct: Any) -> Any:
            found = backward(
                forward.jaxpr,
                [*forward.consts, *[Linear(a) for a in avals]],
                tree_flatten(ct)[0],
            )
            return tree_unflatten(tree, [instantiate(c) for c in found[len(forward.consts) :]])

        programs["vecmat"] = trace("vecmat", vecmat)
        programs["transpose_solve"] = trace(
            "transpose_solve", lambda b: transpose_solve(vecmat, b), has_aux
        )
    consts, shared = _sharing_consts(programs)
    outs = custom_linear_solve_p.bind(*consts, *leaves, n_consts=len(consts), **shared)
    n = len(leaves)
    x = tree_unflatten(tree, outs[:n])
    return (x, tree_unflatten(aux_tree, outs[n:])) if has_aux else x


def _check_result(
    what: str, avals: Sequence[Aval], tree: TreeDef, found: Sequence[Value], out_tree: TreeDef
) -> None:
    got = [typeof(x) for x in found]
    if out_tree != tree or not all(a.matches(b) for a, b in zip(avals, got, strict=False)):
        raise TypeError(
            f"lax.custom_linear_solve: {what} must give the structure and types of b, "
            f"{structure_text(tree)} of {', '.join(map(str, avals))}; got "
            f"{structure_text(out_tree)} of "
            f"{', '.join(map(str, got))}{where_am_i()}"
        )


def _sharing_consts(
    programs: dict[str, ClosedJaxpr | None],
) -> tuple[list[Value], dict[str, Jaxpr | None]]:
    """Programs that take the consts of all of them, each const once."""
    consts: dict[int, Value] = {}
    for closed in programs.values():
        if closed is not None:
            consts |= {id(c): c for c in closed.consts}

    def widened(closed: ClosedJaxpr) -> Jaxpr:
        own = dict(zip(map(id, closed.consts), closed.jaxpr.invars, strict=False))
        leading = tuple([own.get(key) or Var(typeof(c)) for key, c in consts.items()])
        rest = closed.jaxpr.invars[len(closed.consts) :]
        return Jaxpr((*leading, *rest), closed.jaxpr.eqns, closed.jaxpr.outs)

    shared = {
        name: None if closed is None else widened(closed) for name, closed in programs.items()
    }
    return list(consts.values()), shared
