"""Sparse matrices as pytrees: coordinates, compressed rows, compressed columns.

Products are gathers and scattered sums, so they compile, batch and differentiate by the data and
by the dense operand. Elements at the same place add up.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import fxla.numpy as fnp
from fxla.core.trace import Tracer, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.indexing import getitem
from fxla.tree_util import register_pytree_node_class

__all__ = ["COO", "CSC", "CSR", "coo_array", "csc_array", "csr_array", "issparse"]

Shape = tuple[int, int]


class SparseArray:
    """What the three kinds share; each gives `data` and the row and column of every element."""

    shape: Shape
    data: Any
    ndim = 2
    __array_ufunc__ = None  # NumPy leaves products with these to `__rmatmul__`

    def coordinates(self) -> tuple[Any, Any]:
        """Rows and columns of the elements of `data`."""
        raise NotImplementedError

    def _like(self, data: Any) -> Any:
        """The same places with other data."""
        raise NotImplementedError

    @property
    def dtype(self) -> Any:
        """Of the data."""
        return typeof(self.data).dtype

    @property
    def nnz(self) -> int:
        """Stored elements, duplicates and zeros counted."""
        return int(typeof(self.data).shape[-1])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.shape} of {self.dtype}, {self.nnz} stored>"

    def todense(self) -> Any:
        """The dense matrix."""
        rows, columns = self.coordinates()
        return fnp.zeros(self.shape, self.dtype).at[rows, columns].add(self.data)

    toarray = todense

    def tocoo(self) -> COO:
        """By coordinates."""
        rows, columns = self.coordinates()
        return COO(self.data, rows, columns, self.shape)

    def tocsr(self) -> CSR:
        """By compressed rows; duplicates stay."""
        rows, columns = self.coordinates()
        order = fnp.argsort(rows, stable=True)
        return CSR(
            getitem(self.data, order),
            getitem(columns, order),
            _pointers(rows, self.shape[0]),
            self.shape,
        )

    def tocsc(self) -> CSC:
        """By compressed columns; duplicates stay."""
        rows, columns = self.coordinates()
        order = fnp.argsort(columns, stable=True)
        return CSC(
            getitem(self.data, order),
            getitem(rows, order),
            _pointers(columns, self.shape[1]),
            self.shape,
        )

    @property
    def T(self) -> Any:  # noqa: N802 - NumPy's name
        """The transpose."""
        return self.transpose()

    def transpose(self) -> Any:
        """The transpose, without moving data."""
        raise NotImplementedError

    def __matmul__(self, other: Any) -> Any:
        """The product with a vector or a matrix."""
        if isinstance(other, SparseArray):
            other = other.todense()
        dense = fnp.asarray(other)
        shape = typeof(dense).shape
        if len(shape) not in (1, 2) or shape[0] != self.shape[1]:
            raise ShapeError(f"{self!r} @ {typeof(dense)}: sizes do not fit{where_am_i()}")
        rows, columns = self.coordinates()
        data = self.data if len(shape) == 1 else self.data[:, None]
        terms = data * getitem(dense, columns)
        out = fnp.zeros((self.shape[0], *shape[1:]), typeof(terms).dtype)
        return out.at[rows].add(terms)

    def __rmatmul__(self, other: Any) -> Any:
        """The product of a vector or a matrix with this one."""
        dense = fnp.asarray(other)
        if typeof(dense).ndim == 1:
            return self.transpose() @ dense
        return (self.transpose() @ dense.T).T

    dot = __matmul__
    matvec = __matmul__
    matmat = __matmul__

    def __mul__(self, scale: Any) -> Any:
        """Times a number, or elementwise times a dense matrix."""
        if isinstance(scale, SparseArray):
            raise TypeError(f"products of two sparse arrays: make one of them dense{where_am_i()}")
        factor = fnp.asarray(scale)
        if typeof(factor).ndim == 0:
            return self._like(self.data * factor)
        rows, columns = self.coordinates()
        return self._like(
            self.data * getitem(fnp.broadcast_to(factor, self.shape), (rows, columns))
        )

    __rmul__ = __mul__

    def __truediv__(self, scale: Any) -> Any:
        return self._like(self.data / fnp.asarray(scale))

    def __neg__(self) -> Any:
        return self._like(-self.data)

    def __add__(self, other: Any) -> Any:
        """The sum with another sparse array, or the dense sum with a matrix."""
        if not isinstance(other, SparseArray):
            return self.todense() + other
        if other.shape != self.shape:
            raise ShapeError(f"{self!r} + {other!r}: shapes differ{where_am_i()}")
        rows, columns = self.coordinates()
        others = other.coordinates()
        data = fnp.concatenate([self.data, other.data])
        rows = fnp.concatenate([rows, others[0]])
        columns = fnp.concatenate([columns, others[1]])
        total = COO(data, rows, columns, self.shape)
        return total if isinstance(self, COO) else getattr(total, f"to{_KIND[type(self)]}")()

    def __sub__(self, other: Any) -> Any:
        return self + (-other)

    def __radd__(self, other: Any) -> Any:
        return self + other

    def __rsub__(self, other: Any) -> Any:
        return (-self) + other

    def astype(self, dtype: Any) -> Any:
        """With data of another dtype."""
        return self._like(self.data.astype(dtype))

    def diagonal(self) -> Any:
        """The main diagonal."""
        rows, columns = self.coordinates()
        on = fnp.where(fnp.equal(rows, columns), self.data, 0)
        n = min(self.shape)
        return fnp.zeros(n, self.dtype).at[fnp.minimum(rows, n - 1)].add(fnp.where(rows < n, on, 0))

    def sum(self, axis: int | None = None) -> Any:
        """The sum of all elements, of columns (axis 0) or of rows (axis 1)."""
        if axis is None:
            return fnp.sum(self.data)
        rows, columns = self.coordinates()
        kept = columns if axis % 2 == 0 else rows
        size = self.shape[1 - axis % 2]
        return fnp.zeros(size, self.dtype).at[kept].add(self.data)


def _pointers(sorted_or_not: Any, n: int) -> Any:
    """Where each of n rows begins, when elements are in the order of rows."""
    counts = fnp.zeros(n, int).at[sorted_or_not].add(1)
    return fnp.concatenate([fnp.zeros(1, int), fnp.cumsum(counts)])


def _expanded(pointers: Any, nnz: int) -> Any:
    """The row of each element."""
    if not isinstance(pointers, Tracer):
        starts = np.asarray(pointers)
        return np.repeat(np.arange(starts.size - 1), np.diff(starts))
    return fnp.searchsorted(pointers, fnp.arange(nnz), side="right") - 1


@register_pytree_node_class
class COO(SparseArray):
    """Elements ``data[k]`` at ``(row[k], col[k])``.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import sparse
        >>> sparse.coo_array(([1.0, 2.0, 3.0], ([0, 1, 1], [0, 1, 1])), (2, 2)).todense()
        Array([[1., 0.],
               [0., 5.]])
    """

    def __init__(self, data: Any, row: Any, col: Any, shape: Shape) -> None:
        self.data, self.row, self.col, self.shape = data, row, col, shape

    def coordinates(self) -> tuple[Any, Any]:
        """Rows and columns of the elements of `data`."""
        return self.row, self.col

    def _like(self, data: Any) -> COO:
        return COO(data, self.row, self.col, self.shape)

    def transpose(self) -> COO:
        """The transpose, without moving data."""
        return COO(self.data, self.col, self.row, self.shape[::-1])

    def tree_flatten(self) -> tuple[tuple[Any, ...], Shape]:
        """Arrays, and the shape."""
        return (self.data, self.row, self.col), self.shape

    @classmethod
    def tree_unflatten(cls, shape: Shape, children: Any) -> COO:
        """The matrix of these arrays."""
        first, second, third = children
        return cls(first, second, third, shape)


class _Compressed(SparseArray):
    def __init__(self, data: Any, indices: Any, indptr: Any, shape: Shape) -> None:
        self.data, self.indices, self.indptr, self.shape = data, indices, indptr, shape

    def _like(self, data: Any) -> Any:
        return type(self)(data, self.indices, self.indptr, self.shape)

    def tree_flatten(self) -> tuple[tuple[Any, ...], Shape]:
        """Arrays, and the shape."""
        return (self.data, self.indices, self.indptr), self.shape

    @classmethod
    def tree_unflatten(cls, shape: Shape, children: Any) -> Any:
        """The matrix of these arrays."""
        first, second, third = children
        return cls(first, second, third, shape)


@register_pytree_node_class
class CSR(_Compressed):
    """Rows one after the other: row i is ``data[indptr[i]:indptr[i + 1]]`` at these `indices`.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import sparse
        >>> a = sparse.csr_array(fnp.array([[0.0, 2.0], [3.0, 0.0]]))
        >>> a @ fnp.array([1.0, 10.0])
        Array([20.,  3.])
    """

    def coordinates(self) -> tuple[Any, Any]:
        """Rows and columns of the elements of `data`."""
        return _expanded(self.indptr, self.nnz), self.indices

    def transpose(self) -> CSC:
        """The transpose, without moving data."""
        return CSC(self.data, self.indices, self.indptr, self.shape[::-1])


@register_pytree_node_class
class CSC(_Compressed):
    """Columns one after the other, as rows are in `CSR`.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import sparse
        >>> a = sparse.csc_array(fnp.array([[0.0, 2.0], [3.0, 0.0]]))
        >>> fnp.array([1.0, 10.0]) @ a
        Array([30.,  2.])
    """

    def coordinates(self) -> tuple[Any, Any]:
        """Rows and columns of the elements of `data`."""
        return self.indices, _expanded(self.indptr, self.nnz)

    def transpose(self) -> CSR:
        """The transpose, without moving data."""
        return CSR(self.data, self.indices, self.indptr, self.shape[::-1])


_KIND: dict[type, str] = {COO: "coo", CSR: "csr", CSC: "csc"}


def issparse(x: Any) -> bool:
    """Whether `x` is a sparse array of fxla's.

    Args:
        x: anything.

    Example:
        >>> from fxla.scipy import sparse
        >>> sparse.issparse(3.0)
        False
    """
    return isinstance(x, SparseArray)


def _indices(x: Any) -> Any:
    return fnp.asarray(x).astype(np.int64)


def _shape(call: str, shape: Any, rows: Any, columns: Any) -> Shape:
    if shape is not None:
        m, n = shape
        return int(m), int(n)
    if isinstance(rows, Tracer) or isinstance(columns, Tracer):
        raise TypeError(f"{call}: give shape= where indices are traced{where_am_i()}")
    return tuple(int(np.max(v, initial=-1)) + 1 for v in (rows, columns))  # type: ignore[return-value]


def coo_array(x: Any, shape: Any = None) -> COO:
    """A matrix by coordinates. See `scipy.sparse.coo_array`.

    Args:
        x: a sparse array of fxla's or SciPy's, ``(data, (row, col))``, or a dense matrix whose
            values are known.
        shape: of the matrix, where `x` does not tell.

    Example:
        >>> from fxla.scipy import sparse
        >>> sparse.coo_array([[0.0, 2.0], [0.0, 0.0]])
        <COO (2, 2) of float64, 1 stored>
    """
    call = "sparse.coo_array"
    if isinstance(x, SparseArray):
        return x.tocoo()
    if hasattr(x, "tocoo"):
        given = x.tocoo()
        row, col = given.coords if hasattr(given, "coords") else (given.row, given.col)
        m, n = given.shape
        return COO(fnp.asarray(given.data), _indices(row), _indices(col), (int(m), int(n)))
    if isinstance(x, tuple) and len(x) == 2:
        data, (row, col) = x
        row, col = _indices(row), _indices(col)
        return COO(fnp.asarray(data), row, col, _shape(call, shape, row, col))
    if isinstance(x, Tracer):
        raise TypeError(
            f"{call}: the places of elements of a traced matrix are not known{where_am_i()}"
        )
    dense = np.asarray(x)
    if dense.ndim != 2:
        raise ShapeError(f"{call}: expected a matrix, got {dense.ndim} axes{where_am_i()}")
    row, col = np.nonzero(dense)
    m, n = dense.shape
    return COO(fnp.asarray(dense[row, col]), _indices(row), _indices(col), (m, n))


def csr_array(x: Any, shape: Any = None) -> CSR:
    """A matrix by compressed rows. See `scipy.sparse.csr_array`.

    Args:
        x: as for `coo_array`, or ``(data, indices, indptr)``.
        shape: of the matrix, where `x` does not tell.

    Example:
        >>> from fxla.scipy import sparse
        >>> sparse.csr_array(([1.0, 2.0], [0, 1], [0, 1, 2]), (2, 2)).todense()
        Array([[1., 0.],
               [0., 2.]])
    """
    if isinstance(x, tuple) and len(x) == 3:
        data, indices, pointers = x[0], _indices(x[1]), _indices(x[2])
        rows = typeof(pointers).shape[0] - 1
        full = _shape("sparse.csr_array", shape, fnp.asarray([rows - 1]), indices)
        return CSR(fnp.asarray(data), indices, pointers, full)
    return x if isinstance(x, CSR) else coo_array(x, shape).tocsr()


def csc_array(x: Any, shape: Any = None) -> CSC:
    """A matrix by compressed columns. See `scipy.sparse.csc_array`.

    Args:
        x: as for `coo_array`, or ``(data, indices, indptr)``.
        shape: of the matrix, where `x` does not tell.

    Example:
        >>> from fxla.scipy import sparse
        >>> sparse.csc_array(([1.0, 2.0], [0, 1], [0, 1, 2]), (2, 2)).todense()
        Array([[1., 0.],
               [0., 2.]])
    """
    if isinstance(x, tuple) and len(x) == 3:
        data, indices, pointers = x[0], _indices(x[1]), _indices(x[2])
        columns = typeof(pointers).shape[0] - 1
        full = _shape("sparse.csc_array", shape, indices, fnp.asarray([columns - 1]))
        return CSC(fnp.asarray(data), indices, pointers, full)
    return x if isinstance(x, CSC) else coo_array(x, shape).tocsc()
