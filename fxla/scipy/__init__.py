"""SciPy's functions, differentiated, vectorised and compiled.

A submodule is loaded when it is first used: ``fxla.scipy.special``, ``stats``, ``linalg``,
``optimize``, ``sparse``, ``signal``, ``integrate``, ``ndimage``, ``interpolate``, ``fft``,
and ``cluster``. Eager calls of functions that SciPy has are SciPy's own.
"""

import importlib
from typing import Any

from fxla.core.deferred import public_names as _public_names

__all__ = [
    "cluster",
    "fft",
    "integrate",
    "interpolate",
    "linalg",
    "ndimage",
    "optimize",
    "signal",
    "sparse",
    "special",
    "stats",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"fxla.scipy.{name}")
    raise AttributeError(f"module 'fxla.scipy' has no attribute {name!r}")


def __dir__() -> list[str]:
    return _public_names(globals())
