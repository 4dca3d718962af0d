"""Transformations of a part of the parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fxla.core.pytree import tree_flatten, tree_map, tree_structure
from fxla.core.trace import where_am_i
from fxla.optim.transformation import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    set_to_zero,
    with_extra_args_support,
)

__all__ = [
    "MaskedNode",
    "MaskedState",
    "PartitionState",
    "freeze",
    "masked",
    "multi_transform",
    "partition",
    "selective_transform",
]

MaskOrFn = Any | Callable[[Any], Any]
"""A tree of booleans, a prefix of the parameters', or a function that makes one of a tree."""


class MaskedNode(NamedTuple):
    """Stands, as structure without leaves, where a parameter is left out."""


class MaskedState(NamedTuple):
    """The state of the transformation of the part."""

    inner_state: Any


def _made(mask: MaskOrFn, tree: Any) -> Any:
    """The tree of a mask; a mask that is a tree of functions is a module or a dict of those."""
    leaves = tree_flatten(mask)[0]
    return mask(tree) if leaves and all(callable(leaf) for leaf in leaves) else mask


def _part(mask: Any, tree: Any) -> Any:
    return tree_map(lambda m, x: x if m else MaskedNode(), mask, tree)


def masked(
    inner: GradientTransformation, mask: MaskOrFn, *, mask_compatible_extra_args: bool = False
) -> GradientTransformationExtraArgs:
    """A transformation of the parameters where a mask is true; the other updates stay.

    Args:
        inner: the transformation.
        mask: a tree of booleans that is a prefix of the parameters', or a function that makes one
            of parameters or updates, e.g. by ``fxla.tree.map_with_path``.
        mask_compatible_extra_args: whether keyword arguments of the parameters' structure are
            masked too.

    Example:
        >>> from fxla import optim
        >>> tx = masked(optim.scale(10.0), {"w": True, "b": False})
        >>> params = {"w": 1.0, "b": 1.0}
        >>> tx.update(params, tx.init(params))[0]
        {'w': 10.0, 'b': 1.0}
    """
    tx = with_extra_args_support(inner)

    def init(params: Any) -> MaskedState:
        return MaskedState(tx.init(_part(_made(mask, params), params)))

    def update(
        updates: Any, state: MaskedState, params: Any = None, **extra_args: Any
    ) -> tuple[Any, MaskedState]:
        tree = _made(mask, updates)
        if mask_compatible_extra_args:
            structure = tree_structure(updates)
            extra_args = {
                name: _part(tree, arg) if tree_structure(arg) == structure else arg
                for name, arg in extra_args.items()
            }
        part = _part(tree, updates)
        of_params = None if params is None else _part(tree, params)
        changed, inner_state = tx.update(part, state.inner_state, of_params, **extra_args)
        merged = tree_map(lambda m, new, old: new if m else old, tree, changed, updates)
        return merged, MaskedState(inner_state)

    return GradientTransformationExtraArgs(init, update)


class PartitionState(NamedTuple):
    """The state of each label's transformation."""

    inner_states: Any


def partition(
    transforms: dict[Any, GradientTransformation],
    param_labels: Any,
    *,
    mask_compatible_extra_args: bool = False,
) -> GradientTransformationExtraArgs:
    """A transformation for each label of parameters.

    Args:
        transforms: a transformation for each label.
        param_labels: a tree of labels that is a prefix of the parameters', or a function that
            makes one of parameters or updates.
        mask_compatible_extra_args: whether keyword arguments of the parameters' structure are
            divided too.

    Raises:
        ValueError: if a label has no transformation.

    Example:
        >>> from fxla import optim
        >>> tx = partition({"fast": optim.sgd(1.0), "slow": optim.sgd(0.1)},
        ...                {"w": "fast", "b": "slow"})
        >>> params = {"w": 1.0, "b": 1.0}
        >>> tx.update(params, tx.init(params))[0]
        {'w': -1.0, 'b': -0.1}
    """

    def parts(tree: Any) -> dict[Any, GradientTransformationExtraArgs]:
        labels = param_labels(tree) if callable(param_labels) else param_labels
        unknown = sorted({str(x) for x in tree_flatten(labels)[0] if x not in transforms})
        if unknown:
            raise ValueError(
                f"optim.partition: the labels {unknown} have no transformation; there are "
                f"{sorted(map(str, transforms))}{where_am_i()}"
            )

        def of(label: Any) -> Any:
            return tree_map(lambda x: x == label, labels)

        return {
            label: masked(tx, of(label), mask_compatible_extra_args=mask_compatible_extra_args)
            for label, tx in transforms.items()
        }

    def init(params: Any) -> PartitionState:
        return PartitionState({label: tx.init(params) for label, tx in parts(params).items()})

    def update(
        updates: Any, state: PartitionState, params: Any = None, **extra_args: Any
    ) -> tuple[Any, PartitionState]:
        states = {}
        for label, tx in parts(updates).items():
            updates, states[label] = tx.update(
                updates, state.inner_states[label], params, **extra_args
            )
        return updates, PartitionState(states)

    return GradientTransformationExtraArgs(init, update)


multi_transform = partition


def freeze(mask: MaskOrFn) -> GradientTransformationExtraArgs:
    """Updates of zero where a mask is true.

    Example:
        >>> freeze([True, False]).update([1.0, 1.0], freeze([True, False]).init([1.0, 1.0]))[0]
        [Array(0.), 1.0]
    """
    return masked(set_to_zero(), mask)


def selective_transform(
    optimizer: GradientTransformation, *, freeze_mask: MaskOrFn
) -> GradientTransformationExtraArgs:
    """An optimiser of the parameters where a mask is false; the others keep their values.

    It keeps no state for the parameters that are frozen.

    Example:
        >>> from fxla import optim
        >>> tx = selective_transform(optim.sgd(1.0), freeze_mask=[True, False])
        >>> tx.update([1.0, 1.0], tx.init([1.0, 1.0]))[0]
        [Array(0.), -1.0]
    """

    def labels(tree: Any) -> Any:
        return tree_map(lambda m: "freeze" if m else "train", _made(freeze_mask, tree))

    return partition({"train": optimizer, "freeze": set_to_zero()}, labels)
