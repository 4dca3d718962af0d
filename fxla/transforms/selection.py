"""Which leaves of a call's arguments a derivative is taken with respect to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.pytree import leaf_paths, structure_text, tree_flatten, tree_structure
from fxla.core.records import dataclass
from fxla.core.stateful import assign, differentiable, is_stateful
from fxla.core.trace import Value, where_am_i
from fxla.transforms.api import (
    FlatFunction,
    argument,
    flatten_function,
    function_name,
    strip_finished,
)

__all__ = ["Selection", "select"]


@dataclass(frozen=True, eq=False)
class Selection:
    """A function of the leaves that derivatives are wanted for, and these leaves.

    Attributes:
        flat_f: the function.
        flat: the leaves.
        args, kwargs: the arguments of the call.
        positions: of the selected arguments.
        whole: whether `flat_f` has all arguments in its tree, or the selected ones only.
    """

    flat_f: FlatFunction
    flat: list[Value]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    positions: tuple[int, ...]
    whole: bool

    def trees(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """A tree for each selected argument, of one entry for each leaf; None for the others."""
        trees = self.flat_f.arguments(leaves)[0]
        return tuple([trees[i] for i in self.positions]) if self.whole else trees

    def tangents(self, trees: Sequence[Any], call: str) -> list[Any]:
        """The leaves of tangents: a tree for each argument, with None for what has none.

        Raises:
            TypeError: if the structures differ.
        """
        fixed, wanted = self.flat_f.fixed, self.flat_f.in_tree
        found, tree = tree_flatten((tuple(trees), {}))
        full = self.flat_f.arguments([0] * len(self.flat)) if fixed else None
        if tree != (wanted if full is None else tree_structure(full)):
            raise TypeError(
                f"{call}: primals and tangents differ in structure: {structure_text(wanted)} "
                f"and {structure_text(tree)}{where_am_i()}"
            )
        return found

    def path(self, k: int) -> str:
        """Where leaf k is, e.g. ``argument 1['w']``."""
        if self.whole:
            k = [i for i in range(self.flat_f.in_tree.num_leaves) if i not in self.flat_f.fixed][k]
            paths = leaf_paths((self.args, self.kwargs), "")
            path = paths[k].lstrip("*").removeprefix("[0]")
        else:
            path = leaf_paths(tuple([self.args[i] for i in self.positions]), "")[k].lstrip("*")
        head, _, rest = path[1:].partition("]")
        position = int(head) if self.whole else self.positions[int(head)]
        return f"argument {position}{rest}"

    def commit(self) -> None:
        """Assign what the function assigned to its modules to those of the caller."""
        if self.flat_f.updates:
            found = {k: strip_finished(x) for k, x in self.flat_f.updates.items()}
            assign((self.args, self.kwargs), found)


def select(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    positions: tuple[int, ...],
    has_aux: bool,
    call: str,
) -> Selection:
    """`f` as a function of the leaves of the arguments at `positions`.

    Where arguments are modules, their parameters only; and all arguments are copied, since `f` may
    update modules among the others.
    """
    if is_stateful((args, kwargs)):
        return _of_parameters(f, args, kwargs, positions, has_aux, call)

    def of_selected(*selected: Any) -> Any:
        given = [argument(x) if isinstance(x, np.ndarray) else x for x in args]
        for i, x in zip(positions, selected, strict=True):
            given[i] = x
        return f(*given, **kwargs)

    of_selected.__name__ = function_name(f)
    of_selected.__wrapped__ = f  # type: ignore[attr-defined]
    selected = tuple([args[i] for i in positions])
    flat_f, flat = flatten_function(
        of_selected, selected, {}, has_aux, call=call, positions=positions
    )
    return Selection(flat_f, flat, args, kwargs, positions, False)


def _of_parameters(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    positions: tuple[int, ...],
    has_aux: bool,
    call: str,
) -> Selection:
    leaves, in_tree = tree_flatten((args, kwargs))
    fixed: dict[int, Any] = {}
    start = 0
    for i, x in enumerate(args):
        n = len(tree_flatten(x)[0])
        wanted = differentiable(x) if i in positions else [False] * n
        fixed.update({start + k: leaves[start + k] for k, w in enumerate(wanted) if not w})
        start += n
    fixed.update({k: leaves[k] for k in range(start, len(leaves))})
    selected = tuple([args[i] for i in positions])
    flatten_function(f, selected, {}, call=call, positions=positions)  # rejects what is no array
    flat_f = FlatFunction(f, in_tree, has_aux=has_aux, stateful=True, fixed=fixed)
    flat = [x for k, x in enumerate(leaves) if k not in fixed]
    return Selection(flat_f, flat, args, kwargs, positions, True)
