"""Sparse matrices, and solvers in `linalg`: the module ``fxla.scipy.sparse``."""

from fxla.scipy.sparse import linalg
from fxla.scipy.sparse.arrays import COO, CSC, CSR, coo_array, csc_array, csr_array, issparse

__all__ = ["COO", "CSC", "CSR", "coo_array", "csc_array", "csr_array", "issparse", "linalg"]
