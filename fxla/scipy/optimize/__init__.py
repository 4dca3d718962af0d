"""Minima and roots: the module ``fxla.scipy.optimize``.

Searches are compiled loops; derivatives of what they find are implicit, in both modes.
"""

from fxla.core.deferred import public_names as _public_names
from fxla.scipy.optimize.minimize import OptimizeResults, minimize
from fxla.scipy.optimize.roots import RootResults, bisect, brentq, newton, root, root_scalar

__all__ = [
    "OptimizeResults",
    "RootResults",
    "bisect",
    "brentq",
    "minimize",
    "newton",
    "root",
    "root_scalar",
]


def __dir__() -> list[str]:
    return _public_names(globals())
