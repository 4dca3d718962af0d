"""Functions of trees with modules in them: parameters, updates, replacements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from fxla.core.dtypes import is_inexact
from fxla.core.pytree import tree_flatten, tree_map, tree_unflatten
from fxla.core.stateful import differentiable
from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.nn.layout import parsed_path
from fxla.nn.module import Module
from fxla.nn.places import put, say_kind

__all__ = [
    "apply_updates",
    "freeze",
    "functional_call",
    "parameter_count",
    "parameters",
    "replace",
    "unfreeze",
]

M = TypeVar("M")


def parameters(tree: M) -> M:
    """The same tree with None in place of every array of a module that is no parameter.

    Args:
        tree: any tree; without modules in it, it is returned as it is.

    Example:
        >>> from fxla import nn
        >>> nn.parameters(nn.BatchNorm(3)).mean is None
        True
    """
    leaves, structure = tree_flatten(tree)
    wanted = differentiable(tree)
    if all(wanted):
        return tree
    kept = [x if w else None for x, w in zip(leaves, wanted, strict=True)]
    return tree_unflatten(structure, kept)  # type: ignore[no-any-return]


def parameter_count(tree: Any) -> int:
    """How many numbers the parameters of a tree have.

    Example:
        >>> from fxla import nn
        >>> nn.parameter_count(nn.Linear(2, 3))
        9
    """
    return sum(typeof(x).size for x in tree_flatten(parameters(tree))[0])


def apply_updates(tree: M, updates: Any) -> M:
    """A tree with updates added to its leaves.

    Args:
        tree: a module, or any tree of arrays.
        updates: of the same structure, with None for leaves that stay as they are.

    Returns:
        The new tree; dtypes are those of `tree`.

    Raises:
        ValueError: if the structures differ, or an update would change the shape of a leaf.

    Example:
        >>> import fxla
        >>> from fxla import nn
        >>> layer = nn.Linear(2, 3)
        >>> moved = nn.apply_updates(layer, fxla.tree.map(lambda w: 0 * w - 1, layer))
        >>> moved.bias
        Array([-1., -1., -1.])
    """

    def updated(x: Any, u: Any) -> Any:
        if u is None:
            return x
        total = x + u
        dtype = typeof(x).dtype
        if np.shape(total) != np.shape(x):
            raise ShapeError(
                f"apply_updates: an update {typeof(u)} does not fit a leaf {typeof(x)}"
                f"{where_am_i()}. Updates have the shapes of what they are added to; gradients "
                "that were summed or broadcast on the way have others."
            )
        return total if typeof(total).dtype == dtype else total.astype(dtype)

    return tree_map(updated, tree, updates)  # type: ignore[no-any-return]


def replace(model: M, values: Mapping[str, Any] | None = None, /, **named: Any) -> M:
    """A copy of a model with other values at some paths; `model` stays as it is.

    Args:
        model: a module.
        values: new arrays, modules or settings by path, such as ``{"layers[0].weight": w}``, or
            functions of what stands there.
        **named: the same for paths that are names.

    Raises:
        KeyError: if there is nothing at a path.
        ValueError: if an array takes the place of one of another shape.

    Example:
        >>> from fxla import nn
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> nn.replace(model, {"layers[0].bias": lambda b: b + 1}).layers[0].bias
        Array([1., 1., 1.])
    """
    if not isinstance(model, Module):
        raise TypeError(f"nn.replace: expected a module, got {type(model).__name__}{where_am_i()}")
    copied = model.copy()
    for path, value in {**(values or {}), **named}.items():
        before = copied.at(path)
        if callable(value) and not isinstance(value, Module):
            value = value(before)
        if hasattr(before, "shape") and hasattr(value, "shape") and before.shape != value.shape:
            raise ShapeError(
                f"nn.replace: {path} is {typeof(before)}, and {typeof(value)} was given for "
                f"it{where_am_i()}. Replace the module that holds it to change sizes."
            )
        put(copied, parsed_path(path), value)
    return copied  # type: ignore[no-any-return]


def freeze(model: M, where: str | Callable[[str, Any], bool] = "") -> M:
    """A copy of a model some of whose parameters are buffers: no gradient, no update.

    Args:
        model: a module.
        where: the path of a module or array, or a function of path and array that tells which;
            default: all.

    Raises:
        KeyError: if there is nothing at the path.

    Example:
        >>> from fxla import nn
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
        >>> [path for path, _ in nn.freeze(model, "layers[0]").named_parameters()]
        ['layers[1].weight', 'layers[1].bias']
    """
    frozen: M = _with_kind(model, where, "freeze", "buffer")
    return frozen


def unfreeze(model: M, where: str | Callable[[str, Any], bool] = "") -> M:
    """The inverse of `freeze`: floating arrays of a copy become parameters.

    Args:
        model: a module.
        where: the path of a module or array, or a function of path and array; what it selects
            becomes a parameter, running statistics included if it is so wide.

    Example:
        >>> from fxla import nn
        >>> model = nn.unfreeze(nn.freeze(nn.Linear(2, 3)), "weight")
        >>> [path for path, _ in model.named_parameters()]
        ['weight']
    """
    free: M = _with_kind(model, where, "unfreeze", "parameter")
    return free


def _with_kind(model: Any, where: Any, call: str, kind: str) -> Any:
    if not isinstance(model, Module):
        raise TypeError(f"nn.{call}: expected a module, got {type(model).__name__}{where_am_i()}")
    if isinstance(where, str) and where:
        model.at(where)
    copied = model.copy()
    children, layout = copied.take_apart()
    for path, steps, x in zip(layout.paths, layout.steps, children, strict=True):
        inside = path.startswith((f"{where}.", f"{where}[")) or path == where or not where
        if (inside if isinstance(where, str) else where(path, x)) and is_inexact(typeof(x).dtype):
            say_kind(copied, steps, kind)
    return copied


def functional_call(model: M, *args: Any, **kwargs: Any) -> tuple[Any, M]:
    """Call a model and leave it as it is: what the call updates is in a copy.

    Returns:
        The result, and the updated model.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> norm = nn.BatchNorm(2)
        >>> _, updated = nn.functional_call(norm, np.ones((4, 2)), training=True)
        >>> norm.mean, updated.mean
        (Array([0., 0.]), Array([0.1, 0.1]))
    """
    copied: Any = model.copy() if isinstance(model, Module) else model
    return copied(*args, **kwargs), copied
