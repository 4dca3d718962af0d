"""Arithmetic with whole trees, leaf by leaf, and numbers that summarise one."""

from __future__ import annotations

import functools
import operator
from typing import Any

import fxla.numpy as fnp
from fxla import random
from fxla.core.pytree import tree_flatten, tree_map, tree_unflatten
from fxla.core.trace import where_am_i

__all__ = [
    "abs_sq",
    "global_norm",
    "tree_add",
    "tree_add_scale",
    "tree_allclose",
    "tree_bias_correction",
    "tree_cast",
    "tree_cast_like",
    "tree_clip",
    "tree_conj",
    "tree_div",
    "tree_full_like",
    "tree_max",
    "tree_min",
    "tree_mul",
    "tree_norm",
    "tree_ones_like",
    "tree_random_like",
    "tree_real",
    "tree_scale",
    "tree_size",
    "tree_sub",
    "tree_sum",
    "tree_update_infinity_moment",
    "tree_update_moment",
    "tree_update_moment_per_elem_norm",
    "tree_vdot",
    "tree_where",
    "tree_zeros_like",
]


def _leaves(tree: Any) -> list[Any]:
    return tree_flatten(tree)[0]


def like(scalar: Any, x: Any) -> Any:
    """A number in the dtype of an array that it will be combined with.

    A Python number is weak, and stays; an array of no dimension is not: a float64 one would make
    float32 parameters float64.

    Example:
        >>> import numpy as np
        >>> like(np.float64(0.5), np.float32([1.0, 2.0])).dtype
        dtype('float32')
    """
    if type(scalar) in (bool, int, float, complex):
        return scalar
    return fnp.asarray(scalar).astype(fnp.asarray(x).dtype)


def abs_sq(x: Any) -> Any:
    """``|x|^2``, real.

    Example:
        >>> abs_sq(3 + 4j)
        Array(25.)
    """
    if fnp.iscomplexobj(x):
        return fnp.square(fnp.real(x)) + fnp.square(fnp.imag(x))
    return fnp.square(x)


def tree_add(tree_x: Any, tree_y: Any, *other_trees: Any) -> Any:
    """The sum of trees.

    Example:
        >>> tree_add([1.0], [2.0], [3.0])
        [6.0]
    """
    return tree_map(lambda *xs: functools.reduce(operator.add, xs), tree_x, tree_y, *other_trees)


def tree_sub(tree_x: Any, tree_y: Any) -> Any:
    """``x - y``.

    Example:
        >>> tree_sub([3.0], [2.0])
        [1.0]
    """
    return tree_map(operator.sub, tree_x, tree_y)


def tree_mul(tree_x: Any, tree_y: Any) -> Any:
    """``x y``.

    Example:
        >>> tree_mul([3.0], [2.0])
        [6.0]
    """
    return tree_map(operator.mul, tree_x, tree_y)


def tree_div(tree_x: Any, tree_y: Any) -> Any:
    """``x / y``.

    Example:
        >>> tree_div([3.0], [2.0])
        [1.5]
    """
    return tree_map(operator.truediv, tree_x, tree_y)


def tree_scale(scalar: Any, tree: Any) -> Any:
    """A tree times a number, in the dtypes of the tree.

    Example:
        >>> tree_scale(2.0, [3.0])
        [6.0]
    """
    return tree_map(lambda x: like(scalar, x) * x, tree)


def tree_add_scale(tree_x: Any, scalar: Any, tree_y: Any) -> Any:
    """``x + scalar y``, in the dtypes of `tree_y`.

    Example:
        >>> tree_add_scale([1.0], 2.0, [3.0])
        [7.0]
    """
    return tree_map(lambda x, y: x + like(scalar, y) * y, tree_x, tree_y)


def tree_vdot(tree_x: Any, tree_y: Any) -> Any:
    """The sum of ``conj(x) y`` over all elements of all leaves.

    Example:
        >>> tree_vdot({"a": [1.0, 2.0]}, {"a": [3.0, 4.0]})
        Array(11.)
    """
    return tree_sum(tree_map(lambda x, y: fnp.vdot(x, y), tree_x, tree_y))


def tree_sum(tree: Any) -> Any:
    """The sum of all elements of all leaves; 0 if there are none.

    Example:
        >>> tree_sum({"a": [1.0, 2.0], "b": 3.0})
        Array(6.)
    """
    sums = [fnp.sum(x) for x in _leaves(tree)]
    return fnp.asarray(functools.reduce(operator.add, sums)) if sums else 0


def tree_max(tree: Any) -> Any:
    """The largest element of all leaves; -inf if there are none.

    Example:
        >>> tree_max({"a": [1.0, 2.0], "b": 3.0})
        Array(3.)
    """
    found = [fnp.max(x) for x in _leaves(tree) if fnp.size(x)]
    return functools.reduce(fnp.maximum, found) if found else -float("inf")


def tree_min(tree: Any) -> Any:
    """The smallest element of all leaves; inf if there are none.

    Example:
        >>> tree_min({"a": [1.0, 2.0], "b": 3.0})
        Array(1.)
    """
    found = [fnp.min(x) for x in _leaves(tree) if fnp.size(x)]
    return functools.reduce(fnp.minimum, found) if found else float("inf")


def tree_size(tree: Any) -> int:
    """How many elements the leaves have.

    Example:
        >>> import numpy as np
        >>> tree_size({"w": np.ones((2, 3)), "b": np.ones(3)})
        9
    """
    return sum(int(fnp.size(x)) for x in _leaves(tree))


def tree_conj(tree: Any) -> Any:
    """Complex conjugates.

    Example:
        >>> tree_conj([1j])
        [Array(0.-1.j)]
    """
    return tree_map(fnp.conj, tree)


def tree_real(tree: Any) -> Any:
    """Real parts.

    Example:
        >>> tree_real([2 + 1j])
        [Array(2.)]
    """
    return tree_map(lambda x: fnp.asarray(fnp.real(x)), tree)


def tree_norm(tree: Any, ord: Any = None, squared: bool = False) -> Any:
    """The norm of all leaves, read as one vector.

    Args:
        tree: a tree of arrays.
        ord: 2 (as None), 1, or infinity (``np.inf``, ``"inf"``).
        squared: give its square.

    Raises:
        ValueError: for another `ord`.

    Example:
        >>> tree_norm({"a": [3.0], "b": 4.0}), tree_norm([3.0, -4.0], 1)
        (Array(5.), Array(7.))
    """
    if ord is None or ord == 2:
        total = tree_sum(tree_map(abs_sq, tree))
        return fnp.asarray(total if squared else fnp.sqrt(total))
    if ord == 1:
        norm = tree_sum(tree_map(fnp.abs, tree))
    elif ord in (float("inf"), "inf", "infinity"):
        norm = tree_max(tree_map(fnp.abs, tree))
    else:
        raise ValueError(f"optim.tree_norm: ord must be 1, 2 or inf, not {ord!r}{where_am_i()}")
    return fnp.asarray(fnp.square(norm) if squared else norm)


def global_norm(updates: Any) -> Any:
    """The 2-norm of all leaves, read as one vector.

    Example:
        >>> global_norm({"a": [3.0], "b": 4.0})
        Array(5.)
    """
    return tree_norm(updates)


def tree_zeros_like(tree: Any, dtype: Any = None) -> Any:
    """Zeros of the shapes (and dtypes) of a tree.

    Example:
        >>> tree_zeros_like([1.0])
        [Array(0.)]
    """
    return tree_map(lambda x: fnp.zeros_like(x, dtype=dtype), tree)


def tree_ones_like(tree: Any, dtype: Any = None) -> Any:
    """Ones of the shapes (and dtypes) of a tree.

    Example:
        >>> tree_ones_like([5.0])
        [Array(1.)]
    """
    return tree_map(lambda x: fnp.ones_like(x, dtype=dtype), tree)


def tree_full_like(tree: Any, fill_value: Any, dtype: Any = None) -> Any:
    """One number in the shapes (and dtypes) of a tree.

    Example:
        >>> tree_full_like([5.0], 2.0)
        [Array(2.)]
    """
    return tree_map(lambda x: fnp.full_like(x, fill_value, dtype=dtype), tree)


def tree_random_like(key: Any, tree: Any, sampler: Any = random.normal) -> Any:
    """Random numbers of the shapes and dtypes of a tree, from one key.

    Args:
        key: a key, which is split: one for each leaf.
        tree: a tree of arrays.
        sampler: takes a key, a shape and a dtype.

    Example:
        >>> import numpy as np
        >>> from fxla import random
        >>> tree_random_like(random.key(0), {"w": np.ones((2, 3))})["w"].shape
        (2, 3)
    """
    leaves, structure = tree_flatten(tree)
    keys = random.split(key, len(leaves))
    return tree_unflatten(
        structure,
        [sampler(keys[i], fnp.shape(x), fnp.asarray(x).dtype) for i, x in enumerate(leaves)],
    )


def tree_clip(tree: Any, min_value: Any = None, max_value: Any = None) -> Any:
    """Every element held within bounds.

    Example:
        >>> tree_clip([3.0, -3.0], -1.0, 1.0)
        [Array(1.), Array(-1.)]
    """
    return tree_map(lambda x: fnp.clip(x, min_value, max_value), tree)


def tree_cast(tree: Any, dtype: Any) -> Any:
    """Every leaf in a dtype; as it is if that is None.

    Example:
        >>> tree_cast([1.5], "float32")[0].dtype
        dtype('float32')
    """
    return tree if dtype is None else tree_map(lambda x: fnp.asarray(x).astype(dtype), tree)


def tree_cast_like(tree: Any, other_tree: Any) -> Any:
    """Every leaf in the dtype of another tree's leaf.

    Example:
        >>> import numpy as np
        >>> tree_cast_like([1.5], [np.float32(0)])[0].dtype
        dtype('float32')
    """
    return tree_map(lambda x, y: fnp.asarray(x).astype(fnp.asarray(y).dtype), tree, other_tree)


def tree_where(condition: Any, tree_x: Any, tree_y: Any) -> Any:
    """One tree or the other.

    Example:
        >>> tree_where(True, [1.0], [2.0])
        [Array(1.)]
    """
    return tree_map(lambda x, y: fnp.where(condition, x, y), tree_x, tree_y)


def tree_allclose(
    a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    """Whether all leaves of two trees are about equal.

    Example:
        >>> bool(tree_allclose([1.0], [1.0 + 1e-9]))
        True
    """
    close = tree_map(lambda x, y: fnp.allclose(x, y, rtol, atol, equal_nan), a, b)
    return functools.reduce(operator.and_, _leaves(close), True)


def tree_update_moment(updates: Any, moments: Any, decay: Any, order: int) -> Any:
    """``(1 - decay) g^order + decay m``: a running mean of a power of the gradient.

    Example:
        >>> tree_update_moment([2.0], [1.0], 0.75, 2)
        [1.75]
    """
    return tree_map(lambda g, m: (1 - decay) * g**order + decay * m, updates, moments)


def tree_update_moment_per_elem_norm(updates: Any, moments: Any, decay: Any, order: int) -> Any:
    """`tree_update_moment` of ``|g|``, which differs for complex leaves.

    Example:
        >>> tree_update_moment_per_elem_norm([2.0], [1.0], 0.75, 2)
        [Array(1.75)]
    """

    def power(g: Any) -> Any:
        if not fnp.iscomplexobj(g):
            return fnp.asarray(g) ** order
        return abs_sq(g) ** (order // 2 if order % 2 == 0 else order / 2)

    return tree_map(lambda g, m: (1 - decay) * power(g) + decay * m, updates, moments)


def tree_update_infinity_moment(updates: Any, moments: Any, decay: Any, eps: Any) -> Any:
    """``max(|g| + eps, decay m)``.

    Example:
        >>> tree_update_infinity_moment([-2.0], [1.0], 0.75, 0.0)
        [Array(2.)]
    """
    return tree_map(lambda g, m: fnp.maximum(fnp.abs(g) + eps, decay * m), updates, moments)


def tree_bias_correction(moment: Any, decay: Any, count: Any) -> Any:
    """A running mean that began at zero, divided by the sum of its weights, ``1 - decay^count``.

    Example:
        >>> tree_bias_correction([0.1], 0.9, 1)
        [1.0000000000000002]
    """
    weight = 1 - decay**count
    return tree_map(lambda m: m / like(weight, m), moment)
