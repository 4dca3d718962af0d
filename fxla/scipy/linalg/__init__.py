"""Linear algebra with SciPy's names and conventions: the module ``fxla.scipy.linalg``.

Functions take stacks of matrices in the last two axes. Keywords that only say what LAPACK may
overwrite or check are taken and have no effect.
"""

from numpy.linalg import LinAlgError

from fxla.core.deferred import public_names as _public_names
from fxla.scipy.linalg.decompositions import (
    eig,
    eigh,
    eigh_tridiagonal,
    eigvals,
    eigvalsh,
    qr,
    qr_multiply,
    svd,
    svdvals,
)
from fxla.scipy.linalg.functions import (
    expm,
    expm_frechet,
    funm,
    hessenberg,
    polar,
    rsf2csf,
    schur,
    solve_sylvester,
    sqrtm,
)
from fxla.scipy.linalg.matrices import (
    block_diag,
    circulant,
    companion,
    convolution_matrix,
    dft,
    fiedler,
    fiedler_companion,
    hadamard,
    hankel,
    helmert,
    hilbert,
    invhilbert,
    invpascal,
    leslie,
    pascal,
    toeplitz,
)
from fxla.scipy.linalg.systems import (
    cho_factor,
    cho_solve,
    cholesky,
    det,
    inv,
    lstsq,
    lu,
    lu_factor,
    lu_solve,
    pinv,
    solve,
    solve_triangular,
)

__all__ = [
    "LinAlgError",
    "block_diag",
    "cho_factor",
    "cho_solve",
    "cholesky",
    "circulant",
    "companion",
    "convolution_matrix",
    "det",
    "dft",
    "eig",
    "eigh",
    "eigh_tridiagonal",
    "eigvals",
    "eigvalsh",
    "expm",
    "expm_frechet",
    "fiedler",
    "fiedler_companion",
    "funm",
    "hadamard",
    "hankel",
    "helmert",
    "hessenberg",
    "hilbert",
    "inv",
    "invhilbert",
    "invpascal",
    "leslie",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_solve",
    "pascal",
    "pinv",
    "polar",
    "qr",
    "qr_multiply",
    "rsf2csf",
    "schur",
    "solve",
    "solve_sylvester",
    "solve_triangular",
    "sqrtm",
    "svd",
    "svdvals",
    "toeplitz",
]


def __dir__() -> list[str]:
    return _public_names(globals())
