"""Reverse mode, and all that derives from jvp and transposition: one derivative, written once.

linearize : (a -> b) -> a -> (b, T a -o T b)
vjp       : (a -> b) -> a -> (b, CT b -o CT a)
grad      : (a -> R) -> a -> CT a
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.array import Array, as_array
from fxla.core.aval import Aval
from fxla.core.dtypes import is_complex, is_inexact
from fxla.core.primitive import Linear, Zero
from fxla.core.pytree import structure_text, tree_flatten, tree_unflatten
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.errors import DtypeError, InternalError, NotDifferentiableError, ShapeError
from fxla.ops.casts import convert
from fxla.ops.structure import instantiate
from fxla.transforms.api import (
    FlatFunction,
    check_function,
    function_name,
    normalise_argnums,
    strip_finished,
    wraps_as,
)
from fxla.transforms.jvp import check_tangent, instantiate_tangent
from fxla.transforms.selection import select
from fxla.transforms.tape import record
from fxla.transforms.transpose import backward

__all__ = [
    "grad",
    "linear_transpose",
    "linearize",
    "value_and_grad",
    "vjp",
]


def vjp_flat(
    f: Callable[..., Sequence[Value]],
    primals: Sequence[Value],
    label: str = "vjp",
    function: str = "",
) -> tuple[list[Value], Callable[[Sequence[Any]], list[Any]]]:
    """Values of `f`, and the function from cotangents of them to cotangents of the primals."""
    outs, tape = record(f, primals, label, function)

    def pullback(cts: Sequence[Any]) -> list[Any]:
        return [
            Zero(typeof(p).tangent()) if ct is None else ct
            for p, ct in zip(primals, tape.pull(cts), strict=True)
        ]

    return outs, pullback


def linearize(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Value of `f` and its derivative at a point, as a linear function to be called many times.

    Args:
        f: a function of arrays and pytrees.
        *primals: the point.
        has_aux: whether `f` returns ``(value, aux)``.

    Returns:
        ``(value, f_lin)``, and aux as a third if `has_aux`; ``f_lin(*tangents)`` gives the tangent
        of the value without evaluating `f` again.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> y, lin = fxla.linearize(lambda x: x * x, 3.0)
        >>> float(y), float(lin(1.0))
        (9.0, 6.0)
    """
    name = function_name(f)
    selected = select(f, primals, {}, tuple(range(len(primals))), has_aux, f"linearize of {name}")
    flat_f, flat = selected.flat_f, selected.flat
    outs, tape = record(flat_f, flat, "linearize", name)
    selected.commit()
    value = flat_f.result([as_array(o) for o in outs])

    def f_lin(*tangents: Any) -> Any:
        flat_t = selected.tangents(tangents, f"linearize of {name}")
        checked = [
            check_tangent(p, t, f"linearize of {name}") for p, t in zip(flat, flat_t, strict=True)
        ]
        return flat_f.result(
            [
                instantiate_tangent(Zero(typeof(o).tangent())) if t is None else as_array(t)
                for o, t in zip(outs, tape.push(checked), strict=True)
            ]
        )

    return (value, f_lin, strip_finished(flat_f.aux)) if has_aux else (value, f_lin)


def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Value of `f`, and the function that pulls cotangents of it back to the primals.

    Args:
        f: a function of arrays and pytrees.
        *primals: the point.
        has_aux: whether `f` returns ``(value, aux)``.

    Returns:
        ``(value, f_vjp)``, and aux as a third if `has_aux`; ``f_vjp(ct)`` takes a cotangent of the
        value's tree, shapes and dtypes and returns a tuple with a cotangent for each primal.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> y, pullback = fxla.vjp(fnp.multiply, 3.0, 4.0)
        >>> [float(ct) for ct in pullback(1.0)]
        [4.0, 3.0]
    """
    name = function_name(f)
    selected = select(f, primals, {}, tuple(range(len(primals))), has_aux, f"vjp of {name}")
    flat_f, flat = selected.flat_f, selected.flat
    outs, pullback = vjp_flat(flat_f, flat, "vjp", name)
    selected.commit()
    value = flat_f.result([as_array(o) for o in outs])

    def f_vjp(ct: Any) -> Any:
        flat_ct, tree = tree_flatten(ct)
        if tree != flat_f.out_tree:
            raise TypeError(
                f"vjp of {name}: the cotangent's structure {structure_text(tree)} is not that of "
                f"the result, {structure_text(flat_f.out_tree)}{where_am_i()}. "
                "Give one cotangent for each result."
            )
        cts = [
            check_tangent(o, c, f"vjp of {name}", "cotangent")
            for o, c in zip(outs, flat_ct, strict=True)
        ]
        found = [as_array(instantiate_tangent(x)) for x in pullback(cts)]
        return selected.trees(found)

    return (value, f_vjp, strip_finished(flat_f.aux)) if has_aux else (value, f_vjp)


def check_gradient_input(x: Any, path: str, call: str, holomorphic: bool, allow_int: bool) -> None:
    """Raise for an argument that has no derivative of the kind asked for."""
    dtype = typeof(x).dtype
    if holomorphic and not is_complex(dtype):
        raise DtypeError(
            f"{call}: holomorphic=True needs complex inputs, but {path} is "
            f"{typeof(x)}{where_am_i()}"
        )
    if is_complex(dtype) and not holomorphic:
        return
    if not is_inexact(dtype) and not allow_int:
        raise DtypeError(
            f"{call}: {path} is {typeof(x)}, and derivatives are defined for floating point and "
            f"complex inputs only{where_am_i()}. "
            "Convert it with .astype(float) (write 2.0, not 2), leave it out "
            "of argnums, or pass allow_int=True for a float0 gradient."
        )


def value_and_grad(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """A function that returns the value of `f` and its gradient.

    Args:
        f: a function whose result is one real scalar (complex if `holomorphic`).
        argnums: positional argument or arguments to differentiate by; each may be a pytree.
        has_aux: whether `f` returns ``(value, aux)``.
        holomorphic: whether `f` is a holomorphic function of complex arguments.
        allow_int: allow integer arguments; their gradient is of dtype float0.

    Returns:
        A function with the arguments of `f` that returns ``(value, gradient)``, or
        ``((value, aux), gradient)``. The gradient has the tree of the argument (a tuple of trees
        if `argnums` is a sequence). For complex arguments of a real function it is the conjugate of
        the direction of steepest ascent, as in JAX.

    Raises:
        TypeError: if the result is not a scalar, or an argument is an integer.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> loss = lambda w: ((w - 1.0) ** 2).sum()
        >>> fxla.value_and_grad(loss)(fnp.zeros(2))
        (Array(2.), Array([-2., -2.]))
    """
    name = function_name(f)

    @wraps_as("Value and gradient", f, "value_and_grad")
    def value_and_grad_f(*args: Any, **kwargs: Any) -> Any:
        call = f"grad of {name}"
        positions = normalise_argnums(argnums, len(args), call)
        selected = select(f, args, kwargs, positions, has_aux, call)
        flat_f, flat = selected.flat_f, selected.flat
        for k, x in enumerate(flat):
            plain = type(x) is Array and x.dtype.kind == "f"  # the usual case, sooner
            if holomorphic or not (plain or is_inexact(typeof(x).dtype)):
                check_gradient_input(x, selected.path(k), call, holomorphic, allow_int)
        outs, pullback = vjp_flat(flat_f, flat, "grad", name)
        aval = _scalar_aval(flat_f, outs, call, holomorphic)
        cts = pullback([aval.dtype.type(1)])
        found = [
            ct.view(Array) if type(ct) is np.ndarray else as_array(instantiate_tangent(ct))
            for ct in cts
        ]
        gradient: Any = selected.trees(found)
        if isinstance(argnums, int):
            gradient = gradient[0]
        selected.commit()
        value = flat_f.result([as_array(o) for o in outs])
        return ((value, strip_finished(flat_f.aux)) if has_aux else value), gradient

    return value_and_grad_f


def _scalar_aval(flat_f: FlatFunction, outs: list[Value], call: str, holomorphic: bool) -> Aval:
    """The type of the one result, a scalar that has a derivative."""
    if len(outs) != 1 or flat_f.out_tree is None or flat_f.out_tree.num_nodes != 1:
        raise NotDifferentiableError(
            f"{call}: the function must return one scalar, but it returned "
            f"{structure_text(flat_f.out_tree)}{where_am_i()}. "
            "Return the scalar loss, and the rest with has_aux=True; for the "
            "derivative of several results use jacrev or jacfwd."
        )
    aval = typeof(outs[0])
    if aval.shape != ():
        raise NotDifferentiableError(
            f"{call}: the function must return a scalar, but it returned {aval}{where_am_i()}. "
            "Reduce it with "
            ".sum() or .mean(), or use jacrev, jacfwd or vjp for an array result."
        )
    if not is_inexact(aval.dtype):
        raise NotDifferentiableError(
            f"{call}: the function returned {aval}, which has no derivative{where_am_i()}: "
            "integers "
            "and booleans are step functions of their inputs. Return the floating-point number "
            "that is compared or rounded, or a smooth stand-in such as a sigmoid."
        )
    if is_complex(aval.dtype) and not holomorphic:
        raise NotDifferentiableError(
            f"{call}: the function returned {aval}{where_am_i()}. "
            "Return a real number such as abs(z) ** 2, or "
            "pass holomorphic=True if the function is holomorphic."
        )
    return aval


def grad(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """A function that returns the gradient of a scalar function.

    Args:
        f: a function whose result is one real scalar (complex if `holomorphic`).
        argnums: positional argument or arguments to differentiate by; each may be a pytree.
        has_aux: whether `f` returns ``(value, aux)``; then the result is ``(gradient, aux)``.
        holomorphic: whether `f` is a holomorphic function of complex arguments.
        allow_int: allow integer arguments; their gradient is of dtype float0.

    Returns:
        A function with the arguments of `f`; see `value_and_grad` for what it returns and raises.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> float(fxla.grad(fnp.tanh)(0.0)), float(fxla.grad(fxla.grad(fnp.sin))(0.0))
        (1.0, -0.0)
    """
    check_function(f, "grad")
    both = value_and_grad(f, argnums, has_aux, holomorphic, allow_int)

    @wraps_as("Gradient", f, "grad")
    def grad_f(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return grad_f


def linear_transpose(f: Callable[..., Any], *primals: Any) -> Callable[..., Any]:
    """The transpose of a function that is linear in all its arguments.

    Args:
        f: a linear function.
        *primals: arrays, or anything with ``shape`` and ``dtype``, that give the arguments' types.

    Returns:
        A function from a cotangent of the result to a tuple of cotangents of the arguments.

    Raises:
        TypeError: if `f` is not linear.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> fxla.linear_transpose(lambda x: 2.0 * x, 1.0)(3.0)
        (Array(6.),)
    """
    name = function_name(f)
    flat, in_tree = tree_flatten((primals, {}))
    flat_f = FlatFunction(f, in_tree)
    avals = [abstract(x) for x in flat]
    closed = trace_to_jaxpr(flat_f, avals, "linear_transpose", name)

    def transposed(ct: Any) -> Any:
        flat_ct, tree = tree_flatten(ct)
        if tree != flat_f.out_tree:
            raise TypeError(
                f"linear_transpose of {name}: the cotangent's structure {structure_text(tree)} is "
                f"not that of the result, {structure_text(flat_f.out_tree)}{where_am_i()}"
            )
        given = []
        for aval, c in zip(closed.out_avals, flat_ct, strict=True):
            if typeof(c).shape != aval.shape:
                raise ShapeError(
                    f"linear_transpose of {name}: cotangent {typeof(c)} does not match "
                    f"{aval}{where_am_i()}"
                )
            given.append(convert(c, aval.dtype) if typeof(c).dtype != aval.dtype else c)
        operands = [*closed.consts, *(Linear(a) for a in closed.in_avals)]
        try:
            found = backward(closed.jaxpr, operands, given)[len(closed.consts) :]
        except InternalError as error:
            raise NotDifferentiableError(
                f"linear_transpose of {name}: the function is not linear in its arguments "
                f"({error}){where_am_i()}. Close over what it is not linear in, or take the vjp at "
                "a point."
            ) from error
        return tree_unflatten(in_tree, [instantiate(x) for x in found])[0]

    return transposed


def abstract(x: Any) -> Any:
    """The aval of an array, or of anything that has a shape and a dtype."""
    if isinstance(x, (Tracer, np.ndarray)) or not hasattr(x, "dtype"):
        return typeof(x)
    return Aval(tuple(x.shape), np.dtype(x.dtype))
