"""Contractions: sums of products over chosen axes, with chosen axes in step (batch axes).

Every matrix product of the library is this one primitive. Its result has the batch axes first, then
the axes of the left operand that are kept, then those of the right operand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval, Shape
from fxla.core.dtypes import DType, float16, float32, is_bool, is_floating
from fxla.core.primitive import Primitive, is_linear, is_zero
from fxla.core.records import dataclass
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import DtypeError, ShapeError
from fxla.loops import view as scalar
from fxla.loops.ir import Expr
from fxla.loops.view import IndexTuple, Reduce, View
from fxla.ops.casts import convert
from fxla.ops.elementwise import add
from fxla.ops.structure import transpose

__all__ = ["DotDims", "accumulator", "dot_general", "dot_general_p", "matmul", "matrix_transpose"]


@dataclass(frozen=True, slots=True)
class DotDims:
    """Which axes of the two operands of a contraction belong together, pairwise.

    Attributes:
        lhs_contract: axes of the left operand that are summed over.
        rhs_contract: their partners in the right operand.
        lhs_batch: axes of the left operand that stay and are matched.
        rhs_batch: their partners.

    Example:
        >>> str(DotDims((1,), (0,)))
        '[1]x[0]'
    """

    lhs_contract: Shape
    rhs_contract: Shape
    lhs_batch: Shape = ()
    rhs_batch: Shape = ()

    def lhs_kept(self, ndim: int) -> Shape:
        """Axes of the left operand that appear in the result by themselves."""
        return _others(ndim, (*self.lhs_contract, *self.lhs_batch))

    def rhs_kept(self, ndim: int) -> Shape:
        """Axes of the right operand that appear in the result by themselves."""
        return _others(ndim, (*self.rhs_contract, *self.rhs_batch))

    def swapped(self) -> DotDims:
        """The same for exchanged operands."""
        return DotDims(self.rhs_contract, self.lhs_contract, self.rhs_batch, self.lhs_batch)

    def __str__(self) -> str:
        pair = f"{list(self.lhs_contract)}x{list(self.rhs_contract)}"
        if not self.lhs_batch:
            return pair
        return f"{pair} batch {list(self.lhs_batch)}x{list(self.rhs_batch)}"


_PLAIN = DotDims((1,), (0,))


def _others(ndim: int, axes: Sequence[int]) -> Shape:
    return tuple(i for i in range(ndim) if i not in axes)


class DotGeneral(Primitive):
    """``out[b, i, j] = sum over k of lhs[b, i, k] rhs[b, k, j]``, axes as `DotDims` says.

    Both operands have one dtype. The result has it too, or `preferred_element_type`, in which the
    products are then summed. On booleans the sum is `or` and the product is `and`, as in NumPy.
    """

    name = "dot_general"

    def abstract_eval(
        self, lhs: Aval, rhs: Aval, *, dims: DotDims, preferred_element_type: DType | None
    ) -> tuple[Aval, ...]:
        _check(lhs, rhs, dims)
        shape = (
            *(lhs.shape[a] for a in dims.lhs_batch),
            *(lhs.shape[a] for a in dims.lhs_kept(lhs.ndim)),
            *(rhs.shape[a] for a in dims.rhs_kept(rhs.ndim)),
        )
        return (Aval(shape, preferred_element_type or lhs.dtype),)

    def impl(
        self, lhs: Any, rhs: Any, *, dims: DotDims, preferred_element_type: DType | None
    ) -> tuple[Any, ...]:
        lhs, rhs = np.asarray(lhs), np.asarray(rhs)
        dtype = preferred_element_type or lhs.dtype
        work = accumulator(dtype)
        lhs, rhs = lhs.astype(work, copy=False), rhs.astype(work, copy=False)
        if lhs.ndim == rhs.ndim == 2 and dims == _PLAIN:
            return (_product(lhs, rhs).astype(dtype, copy=False),)
        batch = tuple(lhs.shape[a] for a in dims.lhs_batch)
        rows, columns = dims.lhs_kept(lhs.ndim), dims.rhs_kept(rhs.ndim)
        m = tuple(lhs.shape[a] for a in rows)
        n = tuple(rhs.shape[a] for a in columns)
        k = math.prod(lhs.shape[a] for a in dims.lhs_contract)
        left = lhs.transpose(*dims.lhs_batch, *rows, *dims.lhs_contract)
        right = rhs.transpose(*dims.rhs_batch, *dims.rhs_contract, *columns)
        count = (math.prod(batch),) if batch else ()
        product = _product(
            left.reshape(*count, math.prod(m), k), right.reshape(*count, k, math.prod(n))
        )
        return (product.reshape((*batch, *m, *n)).astype(dtype, copy=False),)

    def on_numpy(
        self, avals: tuple[Aval, ...], params: dict[str, Any]
    ) -> Callable[..., Any] | None:
        """``np.matmul`` between the transpositions and reshapes that the operands need."""
        (lhs, rhs), dims = avals, params["dims"]
        dtype = params["preferred_element_type"] or lhs.dtype
        if dtype != lhs.dtype or accumulator(dtype) != dtype:
            return None
        rows, columns = dims.lhs_kept(lhs.ndim), dims.rhs_kept(rhs.ndim)
        batch = tuple([lhs.shape[a] for a in dims.lhs_batch])
        m, n = [lhs.shape[a] for a in rows], [rhs.shape[a] for a in columns]
        k = math.prod([lhs.shape[a] for a in dims.lhs_contract])
        count = (math.prod(batch),) if batch else ()
        left = _prepared(
            lhs, (*dims.lhs_batch, *rows, *dims.lhs_contract), (*count, math.prod(m), k)
        )
        right = _prepared(
            rhs, (*dims.rhs_batch, *dims.rhs_contract, *columns), (*count, k, math.prod(n))
        )
        shape, product = (*batch, *m, *n), np.matmul
        same = len(shape) == len(count) + 2
        if lhs.ndim == rhs.ndim == 2 and same and not batch:
            return _PRODUCTS[left is None, right is None]
        if left is right is None:
            return product if same else lambda x, y: product(x, y).reshape(shape)
        if same and left is None and right is not None:
            return lambda x, y: product(x, right(y))
        if same and right is None and left is not None:
            return lambda x, y: product(left(x), y)
        first, second = left or _same, right or _same
        return lambda x, y: product(first(x), second(y)).reshape(shape)

    def jvp(
        self,
        primals: Any,
        tangents: Any,
        *,
        dims: DotDims,
        preferred_element_type: DType | None,
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        (lhs, rhs), (t_lhs, t_rhs) = primals, tangents

        def dot(x: Value, y: Value) -> Value:
            return dot_general(x, y, dims, preferred_element_type)

        terms = []
        if not is_zero(t_lhs):
            terms.append(dot(t_lhs, rhs))
        if not is_zero(t_rhs):
            terms.append(dot(lhs, t_rhs))
        return (dot(lhs, rhs),), (terms[0] if len(terms) == 1 else add(*terms),)

    def transpose(
        self, cts: Any, *operands: Any, dims: DotDims, preferred_element_type: DType | None
    ) -> tuple[Any, ...]:
        (ct,), (lhs, rhs) = cts, operands
        if is_linear(lhs):
            return _transpose_lhs(ct, lhs, rhs, dims), None
        # The cotangent has the kept axes of lhs before those of rhs; exchange them, so that the
        # rule for the left operand serves the right one too.
        batch = len(dims.lhs_batch)
        rows, columns = len(dims.lhs_kept(typeof(lhs).ndim)), len(dims.rhs_kept(rhs.ndim))
        middle = batch + rows
        order = (*range(batch), *range(middle, middle + columns), *range(batch, middle))
        return None, _transpose_lhs(transpose(ct, order), rhs, lhs, dims.swapped())

    def batch(
        self,
        axis: AxisFrame,
        operands: Any,
        axes: Any,
        *,
        dims: DotDims,
        preferred_element_type: DType | None,
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        lhs, rhs = operands
        a, b = axes
        up = DotDims(
            _skipping(dims.lhs_contract, a),
            _skipping(dims.rhs_contract, b),
            _skipping(dims.lhs_batch, a),
            _skipping(dims.rhs_batch, b),
        )
        count = len(dims.lhs_batch)
        if a is not None and b is not None:
            up = DotDims(up.lhs_contract, up.rhs_contract, (a, *up.lhs_batch), (b, *up.rhs_batch))
            at = 0
        elif a is not None:
            at = count + up.lhs_kept(typeof(lhs).ndim).index(a)
        else:
            rows = len(up.lhs_kept(typeof(lhs).ndim))
            at = count + rows + up.rhs_kept(typeof(rhs).ndim).index(b)
        return (dot_general(lhs, rhs, up, preferred_element_type),), (at,)

    def lower(
        self, *views: View, dims: DotDims, preferred_element_type: DType | None
    ) -> tuple[View | Reduce, ...]:
        lhs, rhs = views
        dtype = preferred_element_type or lhs.dtype
        rows, columns = dims.lhs_kept(lhs.ndim), dims.rhs_kept(rhs.ndim)
        count = len(dims.lhs_batch)
        shape = (
            *(lhs.shape[a] for a in (*dims.lhs_batch, *rows)),
            *(rhs.shape[a] for a in columns),
        )

        def element(out: IndexTuple, red: IndexTuple) -> Expr:
            left = dict(zip((*dims.lhs_batch, *rows, *dims.lhs_contract), (
                *out[: count + len(rows)], *red), strict=True))  # fmt: skip
            right = dict(zip((*dims.rhs_batch, *columns, *dims.rhs_contract), (
                *out[:count], *out[count + len(rows):], *red), strict=True))  # fmt: skip
            return scalar.op(
                "mul",
                dtype,
                scalar.cast(lhs[tuple(left[i] for i in range(lhs.ndim))], dtype),
                scalar.cast(rhs[tuple(right[i] for i in range(rhs.ndim))], dtype),
            )

        if not dims.lhs_contract:
            return (View(shape, dtype, lambda i: element(i, ())),)
        extents = tuple(lhs.shape[a] for a in dims.lhs_contract)
        op, init = ("or", False) if is_bool(dtype) else ("add", 0)
        return (Reduce(shape, dtype, extents, op, init, element),)


def _check(lhs: Aval, rhs: Aval, dims: DotDims) -> None:
    if lhs.dtype != rhs.dtype:
        raise DtypeError(f"dot_general: dtypes differ: {lhs} and {rhs}")
    left, right = (*dims.lhs_batch, *dims.lhs_contract), (*dims.rhs_batch, *dims.rhs_contract)
    for axes, x in ((left, lhs), (right, rhs)):
        if len(set(axes)) != len(axes) or not all(0 <= a < x.ndim for a in axes):
            raise ShapeError(f"dot_general: axes {axes} do not name distinct axes of {x}")
    if len(dims.lhs_batch) != len(dims.rhs_batch) or len(left) != len(right):
        raise ShapeError(f"dot_general: axes of {lhs} and {rhs} are not in pairs: {dims}")
    for a, b in zip(left, right, strict=True):
        if lhs.shape[a] != rhs.shape[b]:
            raise ShapeError(
                f"dot_general: sizes differ: {lhs} along axis {a} has {lhs.shape[a]}, "
                f"{rhs} along axis {b} has {rhs.shape[b]}"
            )


def accumulator(dtype: DType) -> DType:
    """What to multiply in: BLAS has no 16-bit floats, and NumPy's own loops for them are slow."""
    return float32 if is_floating(dtype) and dtype.itemsize <= float16.itemsize else dtype


def _product(lhs: Any, rhs: Any) -> Any:
    """NumPy's product, without floating-point warnings: compiled code gives none."""
    with np.errstate(all="ignore"):
        return np.matmul(lhs, rhs)


_PRODUCTS: dict[tuple[bool, bool], Callable[..., Any]] = {
    (True, True): np.matmul,
    (False, True): lambda x, y: np.matmul(x.T, y),
    (True, False): lambda x, y: np.matmul(x, y.T),
    (False, False): lambda x, y: np.matmul(x.T, y.T),
}
"""Products of matrices, by whether the left one and the right one are taken as they are."""


def _same(x: Any) -> Any:
    return x


def _prepared(x: Aval, axes: Shape, shape: Shape) -> Callable[[Any], Any] | None:
    """A transposition to `axes` and then a reshape, None if neither changes anything."""
    moves, shapes = axes != tuple(range(x.ndim)), tuple([x.shape[a] for a in axes]) != shape
    if moves and shapes:
        return lambda x: x.transpose(axes).reshape(shape)
    if moves:
        return lambda x: x.transpose(axes)
    return (lambda x: x.reshape(shape)) if shapes else None


def _skipping(axes: Shape, at: int | None) -> Shape:
    """Numbers of `axes` once a new axis stands at `at`."""
    return axes if at is None else tuple(a + (a >= at) for a in axes)


def _transpose_lhs(ct: Value, lhs: Any, rhs: Value, dims: DotDims) -> Value:
    """Cotangent of the left operand: the cotangent contracted with what rhs alone contributed."""
    dtype = typeof(ct).dtype
    batch, kept = len(dims.lhs_batch), dims.lhs_kept(lhs.ndim)
    columns = dims.rhs_kept(typeof(rhs).ndim)
    first = batch + len(kept)
    back = DotDims(
        tuple(range(first, first + len(columns))), columns, tuple(range(batch)), dims.rhs_batch
    )
    out = dot_general(ct, convert(rhs, dtype), back)
    # The contracted axes come out in the order they have in rhs.
    order = np.argsort(dims.rhs_contract)
    axes = (*dims.lhs_batch, *kept, *(dims.lhs_contract[i] for i in order))
    return convert(transpose(out, tuple(int(i) for i in np.argsort(axes))), lhs.dtype)


dot_general_p = DotGeneral()


def dot_general(
    lhs: Value, rhs: Value, dims: DotDims, preferred_element_type: DType | None = None
) -> Value:
    """Contract two arrays of one dtype over pairs of axes.

    Args:
        lhs: the left operand.
        rhs: the right operand.
        dims: which axes are contracted, and which are matched.
        preferred_element_type: dtype to sum in and to return; default: that of the operands.

    Returns:
        An array with the batch axes, the kept axes of `lhs`, the kept axes of `rhs`.

    Raises:
        ShapeError: if paired axes differ in size.
        DtypeError: if the dtypes differ.

    Example:
        >>> x = np.arange(6.0).reshape(2, 3)
        >>> dot_general(x, x, DotDims((1,), (1,))).tolist()
        [[5.0, 14.0], [14.0, 50.0]]
    """
    if preferred_element_type == typeof(lhs).dtype:
        preferred_element_type = None
    return dot_general_p.bind1(lhs, rhs, dims=dims, preferred_element_type=preferred_element_type)


def matmul(lhs: Value, rhs: Value) -> Value:
    """Product of matrices, or of stacks of matrices with equal leading axes."""
    batch = tuple(range(typeof(lhs).ndim - 2))
    n = len(batch)
    return dot_general(lhs, rhs, DotDims((n + 1,), (n,), batch, batch))


def matrix_transpose(x: Value) -> Value:
    """Exchange the last two axes."""
    n = typeof(x).ndim
    return transpose(x, (*range(n - 2), n - 1, n - 2))
