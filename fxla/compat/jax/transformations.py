"""JAX's transformations: fxla's, of arguments in JAX's precision."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compat.jax.precision import canonical, narrow, x64_enabled
from fxla.core.array import as_array
from fxla.core.pytree import tree_map
from fxla.core.trace import is_tracing, typeof, where_am_i
from fxla.transforms.api import function_name

__all__ = ["control_names", "transformation_names"]


class Jitted:
    """A compiled function, whose arguments are narrowed before the call."""

    def __init__(self, function: Any) -> None:
        self._function = function
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if x64_enabled():
            return self._function(*args, **kwargs)
        return self._function(*narrow_all(args), **narrow_all(kwargs))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __getattr__(self, name: str) -> Any:
        if name == "_function":
            raise AttributeError(name)
        return getattr(self._function, name)


def narrow_all(tree: Any) -> Any:
    """Arrays in arguments as JAX would have them; anything else as it is."""
    return tree_map(narrow, tree)


def jit(fun: Any = None, **options: Any) -> Any:
    """``jax.jit``; options that say how XLA is to compile are left out."""
    if fun is None:
        return functools.partial(jit, **options)
    known = ("static_argnums", "static_argnames", "donate_argnums", "donate_argnames")
    return Jitted(fxla.jit(fun, **{k: v for k, v in options.items() if k in known and v != ()}))


def _of_narrow(make: Callable[..., Any]) -> Callable[..., Any]:
    """A transformation of functions, whose results narrow their arguments."""

    @functools.wraps(make)
    def transformation(*args: Any, **kwargs: Any) -> Any:
        if not args and "fun" not in kwargs:  # JAX lets `fun` be left out in a decorator
            return functools.partial(transformation, **kwargs)
        made = make(*args, **kwargs)

        @functools.wraps(made)
        def call(*xs: Any, **named: Any) -> Any:
            return made(*narrow_all(xs), **narrow_all(named))

        return call

    return transformation


def _called(make: Callable[..., Any]) -> Callable[..., Any]:
    """A transformation that is called with the point at once: jvp, vjp, linearize."""

    @functools.wraps(make)
    def call(fun: Any, *xs: Any, **options: Any) -> Any:
        return make(fun, *narrow_all(xs), **options)

    return call


def _steady(new: Any, old: Any) -> Any:
    """A carry in the dtypes that it began with: NumPy's promotion may have widened it."""

    def one(x: Any, like: Any) -> Any:
        dtype, has = typeof(like).dtype, typeof(x).dtype
        same = has == dtype or has.kind != dtype.kind or x64_enabled()
        return x if same else x.astype(dtype)

    try:
        return tree_map(one, new, old)
    except ValueError:
        return new  # of another structure: the loop says so


def while_loop(cond_fun: Any, body_fun: Any, init_val: Any) -> Any:
    """``jax.lax.while_loop``."""
    return lax.while_loop(cond_fun, lambda x: _steady(body_fun(x), x), narrow_all(init_val))


def fori_loop(lower: Any, upper: Any, body_fun: Any, init_val: Any, **_: Any) -> Any:
    """``jax.lax.fori_loop``."""
    return lax.fori_loop(
        lower, upper, lambda i, x: _steady(body_fun(i, x), x), narrow_all(init_val)
    )


def scan(f: Any, init: Any, xs: Any = None, length: Any = None, reverse: bool = False,
         unroll: Any = 1, **_: Any) -> Any:  # fmt: skip
    """``jax.lax.scan``."""

    def body(carry: Any, x: Any) -> Any:
        after, out = f(carry, x)
        return _steady(after, carry), out

    return lax.scan(body, narrow_all(init), narrow_all(xs), length=length, reverse=reverse)


def cond(pred: Any, true_fun: Any, false_fun: Any, *operands: Any, **named: Any) -> Any:
    """``jax.lax.cond``."""
    if "operand" in named:
        operands = (named["operand"],)

    def of(branch: Any) -> Any:
        return lambda *xs: narrow_all(branch(*xs))

    return lax.cond(pred, of(true_fun), of(false_fun), *narrow_all(operands))


def all_to_all(
    x: Any, axis_name: Any, split_axis: int, concat_axis: int, *, tiled: bool = False, **_: Any
) -> Any:
    """``jax.lax.all_to_all``: the i-th example gets the i-th part of each."""
    each = lax.all_gather(x, axis_name)
    size = each.shape[0]
    if tiled:
        shape = each.shape
        parts = (*shape[: split_axis + 1], size, shape[split_axis + 1] // size)
        each = each.reshape((*parts, *shape[split_axis + 2 :]))
    mine = fnp.take(each, lax.axis_index(axis_name), axis=split_axis + 1)
    if not tiled:
        return fnp.moveaxis(mine, 0, concat_axis)
    return fnp.concatenate([mine[i] for i in range(size)], axis=concat_axis)


def pswapaxes(x: Any, axis_name: Any, axis: int, **_: Any) -> Any:
    """``jax.lax.pswapaxes``: a mapped axis, exchanged with another."""
    return all_to_all(x, axis_name, axis, axis)


@contextlib.contextmanager
def _named_scope(name: str = "") -> Iterator[None]:
    yield


@contextlib.contextmanager
def _no_scope(*_: Any, **__: Any) -> Iterator[None]:
    yield


def named_call(fun: Any = None, *, name: str | None = None) -> Any:
    """``jax.named_call``: the function itself."""
    return functools.partial(named_call, name=name) if fun is None else fun


def pmap(
    fun: Any = None,
    axis_name: Any = None,
    *,
    in_axes: Any = 0,
    out_axes: Any = 0,
    static_broadcasted_argnums: Any = (),
    axis_size: int | None = None,
    donate_argnums: Any = (),
    **options: Any,
) -> Any:
    """``jax.pmap`` over the one device there is: mapped axes have size 1.

    Raises:
        ValueError: if a mapped axis has another size, as JAX does with one device.
    """
    given = {
        "axis_name": axis_name, "in_axes": in_axes, "out_axes": out_axes, "axis_size": axis_size,
        "static_broadcasted_argnums": static_broadcasted_argnums, "donate_argnums": donate_argnums,
    }  # fmt: skip
    if fun is None:
        return functools.partial(pmap, **given, **options)
    static = static_broadcasted_argnums
    numbers = (static,) if isinstance(static, int) else tuple(static)
    name = object() if axis_name is None else axis_name

    @functools.wraps(fun)
    def one(*args: Any, **kwargs: Any) -> Any:
        size = lax.axis_size(name)
        if size != 1:
            raise ValueError(
                f"jax.pmap of {function_name(fun)}: the mapped axis has size {size}, but fxla has "
                f"one device{where_am_i()}. Use jax.vmap, or map axes of size 1."
            )
        return fun(*args, **kwargs)

    def whole(*args: Any, **kwargs: Any) -> Any:
        fixed = {i % len(args): args[i % len(args)] for i in numbers}
        rest = [x for i, x in enumerate(args) if i not in fixed]
        axes = in_axes
        if isinstance(in_axes, tuple):
            axes = tuple(a for i, a in enumerate(in_axes) if i not in fixed)

        def of_rest(*xs: Any, **named: Any) -> Any:
            dynamic = iter(xs)
            full = [fixed[i] if i in fixed else next(dynamic) for i in range(len(args))]
            return one(*full, **named)

        mapped = fxla.vmap(of_rest, axes, out_axes, axis_name=name, axis_size=axis_size)
        return mapped(*rest, **kwargs)

    return jit(whole, static_argnums=numbers, donate_argnums=donate_argnums)


def pure_callback(callback: Any, result_shape_dtypes: Any, *args: Any, **kwargs: Any) -> Any:
    """``jax.pure_callback``, whose function is given JAX's arrays."""
    kwargs.pop("sharding", None)
    method = kwargs.pop("vmap_method", None)

    def narrowed(*xs: Any, **named: Any) -> Any:
        return narrow_all(callback(*tree_map(as_array, xs), **tree_map(as_array, named)))

    options = {} if method is None else {"vmap_method": method}
    return fxla.pure_callback(narrowed, _announced(result_shape_dtypes), *args, **options, **kwargs)


def io_callback(
    callback: Any, result_shape_dtypes: Any, *args: Any, ordered: bool = False, **kwargs: Any
) -> Any:
    """``jax.experimental.io_callback``: an effect, or outside of transformations a value too.

    Raises:
        NotImplementedError: in a traced function, if it has results.
    """
    kwargs.pop("sharding", None)
    if result_shape_dtypes is None:
        return fxla.debug.callback(callback, *args, ordered=ordered, **kwargs)
    if is_tracing():
        raise NotImplementedError(
            "jax.experimental.io_callback: fxla's compiled programs take no values from effects; "
            "use jax.pure_callback, or call it outside of jit"
        )
    return narrow_all(callback(*args, **kwargs))


def _announced(results: Any) -> Any:
    """The types of a callback's results, without the 64 bits that are not in use."""
    return tree_map(lambda s: fxla.ShapeDtypeStruct(s.shape, canonical(s.dtype)), results)


def transformation_names() -> dict[str, Any]:
    """The names of ``jax`` that transform functions."""
    after = "grad value_and_grad hessian jacfwd jacrev jacobian vmap"
    at_once = "jvp vjp linearize eval_shape"
    same = (
        "checkpoint checkpoint_policies closure_convert custom_gradient custom_jvp custom_vjp "
        "disable_jit linear_transpose make_jaxpr remat ShapeDtypeStruct block_until_ready "
        "device_get"
    )
    found = {name: _of_narrow(getattr(fxla, name)) for name in after.split()}
    found |= {name: _called(getattr(fxla, name)) for name in at_once.split()}
    found |= {name: getattr(fxla, name) for name in same.split()}
    return found | {
        "check_tracer_leaks": _no_scope,
        "clear_caches": lambda: None,
        "debug_nans": _no_scope,
        "ensure_compile_time_eval": _no_scope,
        "jit": jit,
        "named_call": named_call,
        "named_scope": _named_scope,
        "numpy_dtype_promotion": _no_scope,
        "numpy_rank_promotion": _no_scope,
        "pmap": pmap,
        "pure_callback": pure_callback,
    }


def control_names() -> dict[str, Any]:
    """The names of ``jax.lax`` whose bodies are functions."""
    return {
        "all_to_all": all_to_all,
        "cond": cond,
        "fori_loop": fori_loop,
        "pswapaxes": pswapaxes,
        "scan": scan,
        "while_loop": while_loop,
    }
