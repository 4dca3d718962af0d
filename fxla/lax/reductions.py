"""Reductions, cumulative operations, contractions, sorting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import canonical_dtype
from fxla.core.pytree import tree_flatten, tree_unflatten
from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.ops import cumulative
from fxla.ops import dot as _dot
from fxla.ops import reduce as ops
from fxla.ops import sort as _sort
from fxla.ops.arithmetic import neg
from fxla.ops.casts import convert
from fxla.ops.shape import concatenate
from fxla.ops.structure import broadcast_in_dim, move_axis, reshape
from fxla.ops.structure import reduce_sum as _reduce_sum

__all__ = [
    "approx_max_k",
    "approx_min_k",
    "argmax",
    "argmin",
    "batch_matmul",
    "cumlogsumexp",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "dot",
    "dot_general",
    "reduce",
    "reduce_and",
    "reduce_max",
    "reduce_min",
    "reduce_or",
    "reduce_prod",
    "reduce_sum",
    "reduce_xor",
    "sort",
    "sort_key_val",
    "top_k",
]


def _reduction(name: str, function: Callable[..., Any], what: str, call: str, shown: str) -> Any:
    def apply(operand: Any, axes: Sequence[int]) -> Any:
        ndim = typeof(operand).ndim
        return function(operand, sorted({a % ndim for a in axes}))

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = (
        f"The {what} over axes; the dtype stays.\n\n"
        "Args:\n    operand: an array.\n    axes: a tuple of axes.\n\n"
        "Example:\n    >>> import fxla.numpy as fnp\n    >>> from fxla import lax\n"
        f"    >>> lax.{name}(fnp.array({call}), (0,))\n    Array({shown})\n"
    )
    return apply


reduce_sum = _reduction("reduce_sum", _reduce_sum, "sum", "[1.0, 3.0]", "4.")
reduce_max = _reduction("reduce_max", ops.reduce_max, "maximum", "[1.0, 3.0]", "3.")
reduce_min = _reduction("reduce_min", ops.reduce_min, "minimum", "[1.0, 3.0]", "1.")
reduce_prod = _reduction("reduce_prod", ops.reduce_prod, "product", "[2.0, 3.0]", "6.")
reduce_and = _reduction("reduce_and", ops.reduce_and, "bitwise and", "[True, False]", "False")
reduce_or = _reduction("reduce_or", ops.reduce_or, "bitwise or", "[True, False]", "True")
reduce_xor = _reduction("reduce_xor", ops.reduce_xor, "bitwise exclusive or", "[6, 3]", "5")


def argmax(operand: Any, axis: int, index_dtype: Any) -> Any:
    """Position of the largest along an axis, the first of equals; NaN is the largest.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.argmax(fnp.array([1.0, 3.0, 2.0]), 0, "int32")
        Array(1, dtype=int32)
    """
    return ops.argmax(operand, axis % typeof(operand).ndim, canonical_dtype(index_dtype))


def argmin(operand: Any, axis: int, index_dtype: Any) -> Any:
    """Position of the smallest along an axis, the first of equals; NaN is the smallest.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.argmin(fnp.array([1.0, 3.0, 2.0]), 0, "int32")
        Array(0, dtype=int32)
    """
    return ops.argmin(operand, axis % typeof(operand).ndim, canonical_dtype(index_dtype))


def _cumulative(name: str, function: Callable[..., Any], what: str, shown: str) -> Any:
    def apply(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
        return function(operand, axis % typeof(operand).ndim, reverse)

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = (
        f"The {what} of all elements so far along an axis.\n\n"
        "Args:\n    operand: an array.\n    axis: the axis.\n"
        "    reverse: start from the end.\n\n"
        "Example:\n    >>> import fxla.numpy as fnp\n    >>> from fxla import lax\n"
        f"    >>> lax.{name}(fnp.array([1.0, 3.0, 2.0]))\n    Array({shown})\n"
    )
    return apply


cumsum = _cumulative("cumsum", cumulative.cumsum, "sum", "[1., 4., 6.]")
cumprod = _cumulative("cumprod", cumulative.cumprod, "product", "[1., 3., 6.]")
cummax = _cumulative("cummax", cumulative.cummax, "maximum", "[1., 3., 3.]")
cummin = _cumulative("cummin", cumulative.cummin, "minimum", "[1., 1., 1.]")
cumlogsumexp = _cumulative(
    "cumlogsumexp", cumulative.cumlogsumexp, "log-sum-exp", "[1.        , 3.12692801, 3.40760596]"
)


def dot(lhs: Any, rhs: Any, precision: Any = None, preferred_element_type: Any = None) -> Any:
    """Product of vectors and matrices: the last axis of one with the first of the other.

    Args:
        lhs: an array of one or two axes.
        rhs: an array of one or two axes, of its dtype.
        precision: accepted for compatibility with JAX.
        preferred_element_type: dtype to sum in and to return.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.dot(fnp.ones((2, 3)), fnp.ones(3))
        Array([3., 3.])
    """
    del precision
    a, b = typeof(lhs), typeof(rhs)
    if not (1 <= a.ndim <= 2 and 1 <= b.ndim <= 2) or a.shape[-1] != b.shape[0]:
        raise ShapeError(f"lax.dot: cannot contract {a} with {b}{where_am_i()}")
    dims = _dot.DotDims((a.ndim - 1,), (0,))
    return _dot.dot_general(lhs, rhs, dims, _element_type(preferred_element_type))


def _element_type(dtype: Any) -> Any:
    return None if dtype is None else canonical_dtype(dtype)


def dot_general(
    lhs: Any,
    rhs: Any,
    dimension_numbers: Any,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Contraction over any axes, in step over batch axes.

    Args:
        lhs: an array.
        rhs: an array of its dtype.
        dimension_numbers: ``((lhs_contract, rhs_contract), (lhs_batch, rhs_batch))``.
        precision: accepted for compatibility with JAX.
        preferred_element_type: dtype to sum in and to return.
        out_sharding: accepted for compatibility with JAX.

    Returns:
        Batch axes first, then the axes of lhs that are left, then those of rhs.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.dot_general(fnp.ones((2, 3)), fnp.ones((4, 3)), (((1,), (1,)), ((), ()))).shape
        (2, 4)
    """
    del precision, out_sharding
    (lc, rc), (lb, rb) = dimension_numbers
    n, m = typeof(lhs).ndim, typeof(rhs).ndim
    dims = _dot.DotDims(
        tuple(a % n for a in lc), tuple(a % m for a in rc),
        tuple(a % n for a in lb), tuple(a % m for a in rb),
    )  # fmt: skip
    return _dot.dot_general(lhs, rhs, dims, _element_type(preferred_element_type))


def batch_matmul(lhs: Any, rhs: Any, precision: Any = None) -> Any:
    """Product of stacks of matrices of equal leading axes.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.batch_matmul(fnp.ones((5, 2, 3)), fnp.ones((5, 3, 4))).shape
        (5, 2, 4)
    """
    n = typeof(lhs).ndim
    batch = tuple(range(n - 2))
    return dot_general(lhs, rhs, (((n - 1,), (n - 2,)), (batch, batch)), precision)


def reduce(
    operands: Any, init_values: Any, computation: Callable[..., Any], dimensions: Sequence[int]
) -> Any:
    """Reduce by any associative operation with identity `init_values`.

    Args:
        operands: a pytree of arrays of one shape.
        init_values: the identity, a pytree of scalars.
        computation: ``(a, b) -> c`` on such pytrees of arrays.
        dimensions: axes to reduce.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.reduce(fnp.arange(5.0), -fnp.inf, lax.max, (0,))
        Array(4.)
    """
    leaves, tree = tree_flatten(operands)
    inits, _ = tree_flatten(init_values)
    shape = typeof(leaves[0]).shape
    axes = sorted(d % len(shape) for d in dimensions)
    flat = []
    for x in leaves:
        for k, a in enumerate(axes):
            x = move_axis(x, a, k)
        rest = typeof(x).shape[len(axes) :]
        flat.append(reshape(x, (int(np.prod([shape[a] for a in axes], dtype=int)), *rest)))
    n, rest = typeof(flat[0]).shape[0], typeof(flat[0]).shape[1:]

    def combine(a: list[Any], b: list[Any]) -> list[Any]:
        return tree_flatten(computation(tree_unflatten(tree, a), tree_unflatten(tree, b)))[0]

    total = [
        broadcast_in_dim(convert(i, typeof(x).dtype), rest, ())
        for i, x in zip(inits, leaves, strict=True)
    ]
    while n > 1:  # halves combined pairwise: log(n) vectorised steps
        half = n // 2
        pairs = combine([x[:half] for x in flat], [x[half : 2 * half] for x in flat])
        if n % 2:
            pairs = [concatenate([p, x[2 * half :]], 0) for p, x in zip(pairs, flat, strict=True)]
        flat, n = pairs, half + n % 2
    if n:
        total = combine(total, [reshape(x, rest) for x in flat])
    return tree_unflatten(tree, total)


def sort(operand: Any, dimension: int = -1, is_stable: bool = True, num_keys: int = 1) -> Any:
    """Sort along an axis, NaN last; a tuple of arrays together, by the first `num_keys` of them.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.sort(fnp.array([3, 1, 2]))
        Array([1, 2, 3])
    """
    several = isinstance(operand, (tuple, list))
    operands = list(operand) if several else [operand]
    found = _sort.sort(operands, dimension % typeof(operands[0]).ndim, num_keys, is_stable)
    return found if several else found[0]


def sort_key_val(keys: Any, values: Any, dimension: int = -1, is_stable: bool = True) -> Any:
    """Sort keys, and values along with them.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.sort_key_val(fnp.array([3, 1]), fnp.array([10, 20]))
        (Array([1, 3]), Array([20, 10]))
    """
    return sort((keys, values), dimension, is_stable, 1)


def top_k(operand: Any, k: int, *, axis: int = -1) -> tuple[Any, Any]:
    """The k largest along an axis, largest first, and their positions (int32).

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.top_k(fnp.array([1.0, 5.0, 3.0]), 2)
        (Array([5., 3.]), Array([1, 2], dtype=int32))
    """
    ndim = typeof(operand).ndim
    moved = move_axis(operand, axis % ndim, ndim - 1)
    values, places = _sort.top_k(moved, k, np.dtype(np.int32))
    return tuple(move_axis(x, ndim - 1, axis % ndim) for x in (values, places))


def approx_max_k(
    operand: Any,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
) -> tuple[Any, Any]:
    """The k largest along an axis, and their positions: exactly, whatever recall is asked for.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.approx_max_k(fnp.array([1.0, 5.0, 3.0]), 2)[0]
        Array([5., 3.])
    """
    return top_k(operand, k, axis=reduction_dimension)


def approx_min_k(
    operand: Any,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
) -> tuple[Any, Any]:
    """The k smallest along an axis, and their positions: exactly, whatever recall is asked for.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.approx_min_k(fnp.array([1.0, 5.0, 3.0]), 2)[0]
        Array([1., 3.])
    """
    values, places = top_k(neg(operand), k, axis=reduction_dimension)
    return neg(values), places
