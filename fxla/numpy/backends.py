"""Libraries that choose a backend by the class of an array, told what to do with tracers.

einops and opt_einsum look an array's class up in a table of their own. An `fxla.Array` is an
ndarray, which they know; a tracer is not. When a function is traced and one of them has been
imported, it gets one entry: tracers answer NumPy's functions, so einops' backend is its NumPy one,
and opt_einsum's is the module `fxla.numpy`. Nothing is imported here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from fxla.core.trace import Tracer

__all__ = ["register_backends"]

_kept: list[Any] = []
"""einops finds backends among the subclasses that are alive."""


def _is_traced(self: Any, tensor: Any) -> bool:
    return isinstance(tensor, Tracer)


def _tell_einops(module: Any) -> None:
    names = {"framework_name": "fxla", "is_appropriate_type": _is_traced}
    _kept.append(type("TracerBackend", (module.NumpyBackend,), names))


def _tell_opt_einsum(module: Any) -> None:
    module._aliases.setdefault("fxla", "fxla.numpy")


_waiting: dict[str, Callable[[Any], None]] = {
    "einops._backends": _tell_einops,
    "opt_einsum.backends.dispatch": _tell_opt_einsum,
}


def register_backends() -> None:
    """Tell each of the libraries that has been imported, once.

    A library whose table is not where it was is left as it is: it says itself that it does not know
    the class of a tracer.
    """
    for name in [name for name in _waiting if name in sys.modules]:
        tell = _waiting.pop(name, None)
        if tell is not None:
            try:
                tell(sys.modules[name])
            except AttributeError:
                continue
