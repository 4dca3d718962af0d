"""Jacobians and Hessians, a column or a row at a time, from jvp and vjp."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import is_complex
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import NotDifferentiableError
from fxla.ops.shape import slice_in_dim
from fxla.ops.structure import instantiate, move_axis, reshape
from fxla.transforms.api import function_name, normalise_argnums, strip_finished, wraps_as
from fxla.transforms.autodiff import check_gradient_input, vjp_flat
from fxla.transforms.selection import Selection, select
from fxla.transforms.tape import record
from fxla.transforms.vmap import vmap

__all__ = [
    "hessian",
    "jacfwd",
    "jacobian",
    "jacrev",
]


def _basis(flat: Sequence[Value]) -> list[Any]:
    """For each leaf its block of the standard basis of all leaves: blocks[k] is (n, *shape)."""
    sizes = [typeof(x).size for x in flat]
    total = sum(sizes)
    blocks = []
    start = 0
    for x, n in zip(flat, sizes, strict=True):
        aval = typeof(x)
        block = np.zeros((total, n), aval.dtype)
        block[start : start + n] = np.eye(n, dtype=aval.dtype)
        blocks.append(block.reshape(total, *aval.shape))
        start += n
    return blocks


def _check_inputs(selected: Selection, call: str, holomorphic: bool, allow_int: bool) -> None:
    for k, x in enumerate(selected.flat):
        check_gradient_input(x, selected.path(k), call, holomorphic, allow_int)


def _in_trees(
    selected: Selection, blocks: Sequence[list[Value]], of_one: bool, has_aux: bool
) -> Any:
    """Blocks of each result leaf by each argument leaf, in the tree of the result; and ``aux``."""
    inner: list[Any] = [selected.trees(b) for b in blocks]
    if of_one:
        inner = [b[0] for b in inner]
    selected.commit()
    tree = selected.flat_f.result(inner)
    return (tree, strip_finished(selected.flat_f.aux)) if has_aux else tree


def jacfwd(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """The Jacobian of `f` by forward mode: one pass for each input element, all batched in one.

    Args:
        f: a function of arrays and pytrees.
        argnums: positional argument or arguments to differentiate by.
        has_aux: whether `f` returns ``(value, aux)``; then the result is ``(jacobian, aux)``.
        holomorphic: whether `f` is holomorphic.

    Returns:
        A function that returns, for each result leaf of shape s and each argument leaf of shape t,
        an array of shape ``s + t``, in the tree of the result with trees of the argument inside.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> fxla.jacfwd(lambda x: x ** 2)(fnp.arange(3.0)).diagonal()
        Array([0., 2., 4.])
    """
    name = function_name(f)

    @wraps_as("Jacobian", f, "jacfwd")
    def jacfwd_f(*args: Any, **kwargs: Any) -> Any:
        call = f"jacfwd of {name}"
        positions = normalise_argnums(argnums, len(args), call)
        selected = select(f, args, kwargs, positions, has_aux, call)
        _check_inputs(selected, call, holomorphic, False)
        flat_f, flat = selected.flat_f, selected.flat
        outs, tape = record(flat_f, flat, "jacfwd", name)
        nonzero = [slot is not None for slot in tape.results]

        def pushed(*tangents: Value) -> list[Value]:
            return [t for t in tape.push(tangents) if t is not None]

        found = iter(vmap(pushed)(*_basis(flat)))
        sizes = [typeof(x).size for x in flat]
        blocks = []
        for o, nz in zip(outs, nonzero, strict=True):
            aval = typeof(o)
            stacked = next(found) if nz else np.zeros((sum(sizes), *aval.shape), aval.dtype)
            blocks.append(_split_last(_front_to_back(stacked), flat, aval.shape))
        return _in_trees(selected, blocks, isinstance(argnums, int), has_aux)

    return jacfwd_f


def _front_to_back(x: Value) -> Value:
    return move_axis(x, 0, typeof(x).ndim - 1)


def _split_last(stacked: Value, flat: Sequence[Value], lead: tuple[int, ...]) -> list[Value]:
    """Cut the last axis into one piece for each leaf and give the piece the leaf's shape."""
    pieces = []
    start = 0
    for x in flat:
        aval = typeof(x)
        piece = slice_in_dim(stacked, start, start + aval.size, axis=typeof(stacked).ndim - 1)
        pieces.append(reshape(piece, (*lead, *aval.shape)))
        start += aval.size
    return pieces


def jacrev(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """The Jacobian of `f` by reverse mode: one pass for each result element, all batched in one.

    Args:
        f: a function of arrays and pytrees.
        argnums: positional argument or arguments to differentiate by.
        has_aux: whether `f` returns ``(value, aux)``; then the result is ``(jacobian, aux)``.
        holomorphic: whether `f` is holomorphic.
        allow_int: allow integer arguments.

    Returns:
        A function with the result of `jacfwd`; cheaper when results are fewer than inputs.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> fxla.jacrev(lambda x: x[:2] * 3.0)(fnp.ones(3)).tolist()
        [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0]]
    """
    name = function_name(f)

    @wraps_as("Jacobian", f, "jacrev")
    def jacrev_f(*args: Any, **kwargs: Any) -> Any:
        call = f"jacrev of {name}"
        positions = normalise_argnums(argnums, len(args), call)
        selected = select(f, args, kwargs, positions, has_aux, call)
        _check_inputs(selected, call, holomorphic, allow_int)
        flat_f, flat = selected.flat_f, selected.flat
        outs, pullback = vjp_flat(flat_f, flat, "jacrev", name)
        for o in outs:
            if is_complex(typeof(o).dtype) and not holomorphic:
                raise NotDifferentiableError(
                    f"{call}: the function returned {typeof(o)}: pass holomorphic=True if it is "
                    f"holomorphic, or return real and imaginary parts{where_am_i()}"
                )
        rows = vmap(lambda *cts: [instantiate(ct) for ct in pullback(cts)])(*_basis(outs))
        start = 0
        blocks: list[list[Value]] = []
        for o in outs:
            aval = typeof(o)
            cut = [slice_in_dim(r, start, start + aval.size) for r in rows]
            blocks.append(
                [
                    reshape(c, (*aval.shape, *typeof(x).shape))
                    for c, x in zip(cut, flat, strict=True)
                ]
            )
            start += aval.size
        return _in_trees(selected, blocks, isinstance(argnums, int), has_aux)

    return jacrev_f


jacobian = jacrev


def hessian(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """The matrix of second derivatives of `f`, forward over reverse.

    Args:
        f: a function of arrays and pytrees.
        argnums: positional argument or arguments to differentiate by.
        has_aux: whether `f` returns ``(value, aux)``.
        holomorphic: whether `f` is holomorphic.

    Returns:
        A function that returns, for a result of shape s and arguments of shapes t and u, blocks of
        shape ``s + t + u`` in the tree of the result, of the argument, and of the argument again.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> fxla.hessian(lambda x: x[0] ** 2 * x[1])(fnp.array([1.0, 2.0])).tolist()
        [[4.0, 2.0], [2.0, 0.0]]
    """
    return jacfwd(jacrev(f, argnums, has_aux, holomorphic), argnums, has_aux, holomorphic)
