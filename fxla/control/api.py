"""Functions on traced programs: types without values, jaxprs, stopped gradients, closures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.control.custom_vjp import custom_vjp
from fxla.core.aval import Aval
from fxla.core.dtypes import is_inexact
from fxla.core.jaxpr import ClosedJaxpr
from fxla.core.primitive import Primitive, Zero
from fxla.core.pytree import register_dataclass, tree_flatten, tree_map, tree_unflatten
from fxla.core.records import dataclass
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr
from fxla.core.stateful import is_stateful
from fxla.core.trace import AxisFrame, Tracer, Value, typeof, where_am_i
from fxla.errors import InternalError
from fxla.loops.view import View
from fxla.transforms.api import FlatFunction, check_leaf, function_name, wraps_as
from fxla.transforms.autodiff import abstract

__all__ = [
    "ShapeDtypeStruct",
    "closure_convert",
    "custom_gradient",
    "eval_shape",
    "make_jaxpr",
    "stop_gradient",
]


class ShapeDtypeStruct:
    """A shape and a dtype: an argument for `eval_shape`, `make_jaxpr` and ``jit(f).lower``.

    Example:
        >>> import numpy as np
        >>> ShapeDtypeStruct((2, 3), np.float32)
        ShapeDtypeStruct(f32[2,3])
    """

    __slots__ = ("dtype", "shape", "weak_type")

    def __init__(self, shape: Sequence[int], dtype: Any, weak_type: bool = False) -> None:
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)
        self.weak_type = weak_type

    @property
    def aval(self) -> Aval:
        """The same as an aval."""
        return Aval(self.shape, self.dtype, self.weak_type)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.aval.size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ShapeDtypeStruct) and self.aval.matches(other.aval)

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))

    def __repr__(self) -> str:
        return f"ShapeDtypeStruct({self.aval})"


def _trace(
    f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], label: str
) -> tuple[ClosedJaxpr, Any]:
    leaves, tree = tree_flatten((args, kwargs))
    flat_f = FlatFunction(f, tree, stateful=is_stateful((args, kwargs), tree))
    closed = trace_to_jaxpr(flat_f, [abstract(x) for x in leaves], label, function_name(f))
    return closed, flat_f.out_tree


def eval_shape(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Shapes and dtypes of what `f` returns, without computing it.

    Args:
        f: a function of arrays and pytrees.
        *args: arrays, or anything with ``shape`` and ``dtype``.
        **kwargs: likewise.

    Returns:
        A `ShapeDtypeStruct` for each result, in the result's tree.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> fxla.eval_shape(fnp.matmul, fnp.zeros((2, 3)), fxla.ShapeDtypeStruct((3, 4), float))
        ShapeDtypeStruct(f64[2,4])
    """
    closed, out_tree = _trace(f, args, kwargs, "eval_shape")
    return tree_unflatten(
        out_tree, [ShapeDtypeStruct(a.shape, a.dtype, a.weak_type) for a in closed.out_avals]
    )


def make_jaxpr(
    f: Callable[..., Any],
    static_argnums: int | Sequence[int] = (),
    return_shape: bool = False,
    axis_env: Sequence[tuple[Any, int]] | None = None,
) -> Callable[..., Any]:
    """A function that returns the jaxpr of `f` instead of its value.

    Args:
        f: a function of arrays and pytrees.
        static_argnums: positions of arguments that are not traced.
        return_shape: also return the types of the results.
        axis_env: names and sizes of mapped axes to assume in scope.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> print(fxla.make_jaxpr(lambda x: fnp.sin(x) * 2.0)(1.0))
        { lambda ; a:f64[] . let
            b:f64[] = convert_element_type[dtype=float64] a
            c:f64[] = sin b
            d:f64[] = mul c 2.0:f64[]
          in (d,) }
    """
    nums = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    frames = [AxisFrame(name, size) for name, size in axis_env or ()]

    @wraps_as("Jaxpr", f, "make_jaxpr")
    def jaxpr_of(*args: Any, **kwargs: Any) -> Any:
        static = {i % len(args) for i in nums if -len(args) <= i < len(args)}
        dynamic = tuple(x for i, x in enumerate(args) if i not in static)

        def with_static(*given: Any, **given_kwargs: Any) -> Any:
            rest = iter(given)
            full = [x if i in static else next(rest) for i, x in enumerate(args)]
            return f(*full, **given_kwargs)

        with_static.__name__ = function_name(f)
        with_static.__wrapped__ = f  # type: ignore[attr-defined]
        leaves, tree = tree_flatten((dynamic, kwargs))
        for x in leaves:
            if not isinstance(x, Aval):
                check_leaf(x, "an argument", f"make_jaxpr of {function_name(f)}")
        flat_f = FlatFunction(with_static, tree, stateful=is_stateful((dynamic, kwargs), tree))
        avals = [abstract(x) for x in leaves]
        closed = trace_to_jaxpr(flat_f, avals, "make_jaxpr", function_name(f), frames)
        if return_shape:
            shapes = [ShapeDtypeStruct(a.shape, a.dtype, a.weak_type) for a in closed.out_avals]
            return closed, flat_f.result(shapes)
        return closed

    return jaxpr_of


class StopGradient(Primitive):
    """The operand, with derivative zero."""

    name = "stop_gradient"

    def abstract_eval(self, x: Aval) -> tuple[Aval, ...]:
        return (x,)

    def impl(self, x: Any) -> tuple[Any, ...]:
        return (x,)

    def jvp(self, primals: Any, tangents: Any) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        outs = self.bind(*primals)
        return outs, (Zero(typeof(outs[0]).tangent()),)

    def transpose(self, cts: Any, *operands: Any) -> tuple[Any, ...]:
        raise InternalError("stop_gradient has derivative zero, so it is never transposed")

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        return self.bind(*operands), tuple(axes)

    def lower(self, *views: View) -> tuple[View, ...]:
        return views


stop_gradient_p = StopGradient()


def stop_gradient(x: Any) -> Any:
    """The value of `x`, as a constant to every derivative.

    Args:
        x: a pytree of arrays.

    Example:
        >>> import fxla
        >>> from fxla import lax
        >>> float(fxla.grad(lambda x: x * lax.stop_gradient(x))(3.0))
        3.0
    """

    def stop(leaf: Any) -> Any:
        if isinstance(leaf, Tracer) and is_inexact(leaf.dtype):
            return stop_gradient_p.bind1(leaf)
        return leaf

    return tree_map(stop, x)


def closure_convert(
    f: Callable[..., Any], *example_args: Any
) -> tuple[Callable[..., Any], list[Any]]:
    """Make the arrays that `f` closes over explicit arguments.

    Args:
        f: a function, perhaps closing over values that are being differentiated.
        *example_args: arguments it will be called with.

    Returns:
        ``(g, consts)`` such that ``g(*args, *consts) == f(*args)`` and `g` closes over no tracer.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> a = fnp.arange(3.0)
        >>> g, consts = fxla.closure_convert(lambda x: x * a, fnp.ones(3))
        >>> g(fnp.ones(3), *consts)
        Array([0., 1., 2.])
    """
    closed, out_tree = _trace(f, example_args, {}, "closure_convert")
    n = len(closed.consts)
    n_args = len(example_args)

    def converted(*args_and_consts: Any) -> Any:
        args, consts = args_and_consts[:n_args], args_and_consts[n_args:]
        leaves, _ = tree_flatten((args, {}))
        if len(consts) != n:
            raise TypeError(
                f"closure_convert: expected {n} consts after the arguments{where_am_i()}"
            )
        return tree_unflatten(out_tree, eval_jaxpr(closed.jaxpr, *consts, *leaves))

    return converted, list(closed.consts)


@dataclass(frozen=True)
class _Pullback:
    """A vjp with what it closed over: each call of a `custom_gradient` function has its own."""

    converted: Callable[..., Any]
    consts: list[Any]


register_dataclass(_Pullback, ["consts"], ["converted"])


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function that returns its value and its vjp together, as a differentiable function.

    Args:
        f: ``(*args) -> (value, vjp)``, where ``vjp(ct)`` gives a cotangent for each argument (a
            single one if there is one argument).

    Example:
        >>> import fxla
        >>> @fxla.custom_gradient
        ... def doubled_slope(x):
        ...     return x * x, lambda ct: 4.0 * x * ct
        >>> float(fxla.grad(doubled_slope)(3.0))
        12.0
    """

    @wraps_as("Function with its own gradient", f, "custom_gradient")
    def value(*args: Any) -> Any:
        return f(*args)[0]

    def fwd(*args: Any) -> Any:
        out, pullback = f(*args)
        return out, _Pullback(*closure_convert(pullback, out))

    def bwd(pullback: _Pullback, ct: Any) -> Any:
        found = pullback.converted(ct, *pullback.consts)
        return found if isinstance(found, tuple) else (found,)

    wrapped = custom_vjp(value)
    wrapped.defvjp(fwd, bwd)
    return wrapped
