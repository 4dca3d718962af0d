"""Updates held to a size: by element, by leaf, all together, for each example."""

from __future__ import annotations

from typing import Any

import fxla.numpy as fnp
from fxla.core.pytree import tree_flatten, tree_map, tree_structure
from fxla.core.trace import where_am_i
from fxla.errors import ShapeError
from fxla.optim.transformation import (
    GradientTransformation,
    required,
    stateless,
    stateless_with_tree_map,
)
from fxla.optim.tree_math import abs_sq, global_norm, like, tree_clip
from fxla.transforms.vmap import vmap
from fxla.tree import transpose

__all__ = [
    "adaptive_grad_clip",
    "clip",
    "clip_by_block_rms",
    "clip_by_global_norm",
    "per_example_global_norm_clip",
    "per_example_layer_norm_clip",
    "unitwise_norm",
]


def clip(max_delta: Any) -> GradientTransformation:
    """Every element held between ``-max_delta`` and `max_delta`.

    Example:
        >>> clip(1.0).update([3.0, -0.5], ())[0]
        [Array(1.), Array(-0.5)]
    """
    return stateless(lambda updates, params: tree_clip(updates, -max_delta, max_delta))


def clip_by_block_rms(threshold: Any) -> GradientTransformation:
    """Each leaf divided by ``max(1, rms / threshold)``, its root mean square.

    Example:
        >>> clip_by_block_rms(1.0).update([4.0], ())[0]
        [Array(1.)]
    """

    def update(g: Any, p: Any) -> Any:
        rms = fnp.sqrt(fnp.mean(abs_sq(g)))
        return fnp.asarray(g / like(fnp.maximum(1.0, rms / threshold), g))

    return stateless_with_tree_map(update)


def clip_by_global_norm(max_norm: Any) -> GradientTransformation:
    """All leaves times one number, so that their norm, as one vector, is at most `max_norm`.

    Pascanu, Mikolov, Bengio: "On the difficulty of training recurrent neural networks"
    (arXiv:1211.5063).

    Example:
        >>> clip_by_global_norm(1.0).update([3.0, 4.0], ())[0]
        [Array(0.6), Array(0.8)]
    """

    def update(updates: Any, params: Any) -> Any:
        norm = global_norm(updates)
        within = norm < max_norm
        return tree_map(
            lambda g: fnp.where(within, g, g / like(norm, g) * like(max_norm, g)), updates
        )

    return stateless(update)


def unitwise_norm(x: Any, axis: Any = None) -> Any:
    """The norm of the weights that lead to each output, in the shape of `x`.

    Of a vector or a number the whole norm; of a matrix that of each column; of a kernel of a
    convolution that over all axes but the last.

    Args:
        x: an array.
        axis: the axes to reduce, if these are others.

    Raises:
        ValueError: for more than five axes.

    Example:
        >>> import numpy as np
        >>> unitwise_norm(np.array([[3.0, 1.0], [4.0, 0.0]]))
        Array([[5., 1.],
               [5., 1.]])
    """
    x = fnp.asarray(x)
    if axis is None and fnp.squeeze(x).ndim > 1:
        if x.ndim > 5:
            raise ShapeError(
                f"optim.unitwise_norm: a parameter of {x.ndim} axes, {x.shape}; give axis="
                f"{where_am_i()}"
            )
        axis = 0 if x.ndim <= 3 else tuple(range(x.ndim - 1))
    squared = fnp.sum(abs_sq(x), axis=axis, keepdims=True)
    return fnp.broadcast_to(fnp.sqrt(squared), x.shape)


def adaptive_grad_clip(clipping: Any, eps: Any = 1e-3, axis: Any = None) -> GradientTransformation:
    """The gradient of each unit held to `clipping` times the norm of its weights.

    Brock et al.: "High-performance large-scale image recognition without normalization"
    (arXiv:2102.06171), equation 3.

    Args:
        clipping: the largest ratio of the norms.
        eps: the smallest norm that weights count with.
        axis: the axes of a unit; see `unitwise_norm`.

    Example:
        >>> tx = adaptive_grad_clip(0.5)
        >>> tx.update([3.0], tx.init([2.0]), [2.0])[0]
        [Array(1.)]
    """

    def update(g: Any, p: Any) -> Any:
        norm = unitwise_norm(g, axis)
        largest = clipping * fnp.maximum(unitwise_norm(p, axis), eps)
        return fnp.where(norm < largest, g, g * (largest / fnp.maximum(norm, 1e-6)))

    return stateless(
        lambda updates, params: tree_map(
            update, updates, required(params, "optim.adaptive_grad_clip")
        )
    )


def _batched(grads: Any, name: str) -> None:
    shapes = [fnp.shape(g) for g in tree_flatten(grads)[0]]
    if any(not s or s[0] != shapes[0][0] for s in shapes):
        raise ShapeError(
            f"optim.{name}: gradients need one leading axis of examples, got shapes {shapes}; "
            f"fxla.vmap(fxla.grad(loss), ...) makes them{where_am_i()}"
        )


def per_example_global_norm_clip(grads: Any, l2_norm_clip: Any) -> tuple[Any, Any]:
    """The sum over examples of gradients, each example's held to a norm.

    Abadi et al.: "Deep learning with differential privacy" (arXiv:1607.00133).

    Args:
        grads: a tree of arrays with a leading axis of examples.
        l2_norm_clip: the largest norm of all leaves of an example.

    Returns:
        The tree of sums, and how many examples were clipped.

    Raises:
        ValueError: if the leading axes differ.

    Example:
        >>> import numpy as np
        >>> per_example_global_norm_clip([np.array([3.0, 0.5])], 1.0)
        ([Array(1.5)], Array(1))
    """
    _batched(grads, "per_example_global_norm_clip")
    norms = vmap(global_norm)(grads)
    factors = fnp.where(norms > l2_norm_clip, l2_norm_clip / fnp.where(norms > 0, norms, 1), 1)
    clipped = fnp.sum(norms > l2_norm_clip)
    return tree_map(lambda g: fnp.tensordot(like(factors, g), g, axes=1), grads), clipped


def per_example_layer_norm_clip(
    grads: Any, global_l2_norm_clip: Any, uniform: bool = True
) -> tuple[Any, Any]:
    """`per_example_global_norm_clip` of each leaf by itself, with a share of the norm.

    McMahan et al.: "Learning differentially private recurrent language models"
    (arXiv:1710.06963).

    Args:
        grads: a tree of arrays with a leading axis of examples.
        global_l2_norm_clip: the norm that all leaves share.
        uniform: equal shares; else in proportion to the root of the leaf's size.

    Returns:
        The tree of sums, and a tree of how many examples were clipped.

    Raises:
        ValueError: if the leading axes differ.

    Example:
        >>> import numpy as np
        >>> per_example_layer_norm_clip([np.array([3.0, 0.5])], 1.0)
        ([Array(1.5)], [Array(1)])
    """
    _batched(grads, "per_example_layer_norm_clip")
    leaves, structure = tree_flatten(grads)
    sizes = [fnp.size(g) / fnp.shape(g)[0] for g in leaves]
    shares = [1 / len(leaves) if uniform else size / sum(sizes) for size in sizes]
    pairs = [
        per_example_global_norm_clip(g, global_l2_norm_clip * share**0.5)
        for g, share in zip(leaves, shares, strict=True)
    ]
    sums, counts = transpose(structure, tree_structure((0, 0)), structure.unflatten(pairs))
    return sums, counts
