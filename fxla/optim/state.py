"""Values in a state by name, wherever in the tree of an optimiser they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fxla.core.pytree import is_named_tuple, tree_map
from fxla.core.trace import where_am_i
from fxla.optim.transformation import GradientTransformation
from fxla.tree import register_static

__all__ = ["tree_get", "tree_get_all_with_path", "tree_map_params", "tree_set"]

Filter = Callable[[tuple[str, ...], Any], bool] | None


def _children(node: Any) -> list[tuple[str, str, Any]] | None:
    """The name, the step of a path and the value of each child; None for what is not searched."""
    if is_named_tuple(type(node)):
        kind = type(node).__name__
        return [(name, f"{kind}.{name}", getattr(node, name)) for name in node._fields]
    if isinstance(node, dict):
        return [(str(key), f"[{key!r}]", value) for key, value in node.items()]
    if isinstance(node, (list, tuple)):
        return [("", f"[{i}]", value) for i, value in enumerate(node)]
    return None


def _found(node: Any, key: str, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if is_named_tuple(type(node)) and type(node).__name__ == key:
        yield path, node
    for name, step, child in _children(node) or ():
        here = (*path, step)
        if name == key:
            yield here, child
        yield from _found(child, key, here)


def tree_get_all_with_path(
    tree: Any, key: str, filtering: Filter = None
) -> list[tuple[tuple[str, ...], Any]]:
    """Every value of a name in a state, with the way to it.

    Args:
        tree: a state.
        key: a field of a named tuple, a key of a dict, or the name of a named tuple's class.
        filtering: takes a path, a tuple of strings, and a value; says whether it counts.

    Example:
        >>> from fxla import optim
        >>> [path for path, _ in tree_get_all_with_path(optim.adam(0.1).init(1.0), "count")]
        [('[0]', 'ScaleByAdamState.count')]
    """
    return [
        (path, value)
        for path, value in _found(tree, key, ())
        if filtering is None or filtering(path, value)
    ]


def tree_get(tree: Any, key: str, default: Any = None, filtering: Filter = None) -> Any:
    """The value of a name in a state; see `tree_get_all_with_path`.

    Raises:
        KeyError: if there are several.

    Example:
        >>> from fxla import optim
        >>> int(tree_get(optim.adam(0.1).init(1.0), "count"))
        0
    """
    found = tree_get_all_with_path(tree, key, filtering)
    if len(found) > 1:
        places = ", ".join(".".join(path) for path, _ in found)
        raise KeyError(
            f"optim.tree_get: {key!r} is found {len(found)} times: {places}{where_am_i()}"
        )
    return found[0][1] if found else default


def tree_set(tree: Any, filtering: Filter = None, /, **kwargs: Any) -> Any:
    """A state with other values for some names; see `tree_get_all_with_path`.

    Raises:
        KeyError: if a name is nowhere.

    Example:
        >>> from fxla import optim
        >>> state = tree_set(optim.adam(0.1).init(1.0), count=5)
        >>> tree_get(state, "count")
        5
    """
    for key in kwargs:
        if not tree_get_all_with_path(tree, key, filtering):
            raise KeyError(f"optim.tree_set: nothing in the state is named {key!r}{where_am_i()}")

    def changed(node: Any, name: str, path: tuple[str, ...]) -> Any:
        kind = type(node).__name__ if is_named_tuple(type(node)) else name
        for key in (name, kind):
            if key in kwargs and (filtering is None or filtering(path, node)):
                return kwargs[key]
        children = _children(node)
        if children is None:
            return node
        values = [changed(child, n, (*path, step)) for n, step, child in children]
        if is_named_tuple(type(node)):
            return type(node)(*values)
        if isinstance(node, dict):
            copy = node.copy()
            copy.update(zip(node, values, strict=True))
            return copy
        return type(node)(values)

    return changed(tree, "", ())


@register_static
class _Parameters:
    """Stands for the parameters, while a state tells where it has trees like them."""

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Parameters)


def tree_map_params(
    initable: GradientTransformation | Callable[[Any], Any],
    f: Callable[..., Any],
    state: Any,
    /,
    *rest: Any,
    transform_non_params: Callable[[Any], Any] | None = None,
    is_leaf: Callable[[Any], bool] | None = None,
) -> Any:
    """Apply `f` to the leaves of a state that belong to parameters: moments, traces, copies.

    Args:
        initable: the transformation, or its init.
        f: takes a leaf, and one of each of `rest`.
        state: the state.
        *rest: trees of the parameters' structure.
        transform_non_params: applied to other leaves, such as counts.
        is_leaf: true for subtrees that count as leaves.

    Example:
        >>> from fxla import optim
        >>> tx = optim.sgd(0.1, momentum=0.9)
        >>> tree_map_params(tx, lambda trace: 7.0, tx.init({"w": 1.0}))[0]
        TraceState(trace={'w': 7.0})
    """
    init: Any = getattr(initable, "init", initable)
    pattern = init(_Parameters())

    def one(place: Any, value: Any) -> Any:
        if isinstance(place, _Parameters):
            return tree_map(f, value, *rest, is_leaf=is_leaf)
        return value if transform_non_params is None else transform_non_params(value)

    return tree_map(one, pattern, state, is_leaf=lambda x: isinstance(x, _Parameters))
