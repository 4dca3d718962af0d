"""Sparse matrices, and solvers in `linalg`: the module ``fxla.scipy.sparse``."""

from fxla.core.deferred import public_names as _public_names
from fxla.scipy.sparse import linalg
from fxla.scipy.sparse.arrays import COO, CSC, CSR, coo_array, csc_array, csr_array, issparse

__all__ = ["COO", "CSC", "CSR", "coo_array", "csc_array", "csr_array", "issparse", "linalg"]


def __dir__() -> list[str]:
    return _public_names(globals())
