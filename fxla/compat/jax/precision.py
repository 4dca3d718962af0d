"""JAX's precision: 32 bits, unless 64 are asked for.

fxla's default floating dtype is a scope of a thread; `install` enters one. While it is float32,
results of 64 bits of functions of the ``jax`` modules are rounded to 32, as JAX has none.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fxla.core import dtypes
from fxla.core.array import as_array
from fxla.core.dtypes import default_dtype, default_float, float32, float64
from fxla.core.pytree import tree_map
from fxla.core.trace import Tracer

__all__ = ["Config", "config", "enter", "leave", "narrow", "narrowing", "scope", "x64_enabled"]

_NARROW: dict[Any, Any] = {
    np.dtype(np.float64): np.dtype(np.float32),
    np.dtype(np.int64): np.dtype(np.int32),
    np.dtype(np.uint64): np.dtype(np.uint32),
    np.dtype(np.complex128): np.dtype(np.complex64),
}
_stack = contextlib.ExitStack()
_at_start: list[Any] = []


def x64_enabled() -> bool:
    """Whether dtypes of 64 bits are in use on this thread."""
    return default_float() == float64


def enter(x64: bool) -> None:
    """Make a precision the default of the process."""
    leave()
    wanted = float64 if x64 else float32
    _at_start.append(dtypes.FLOAT_AT_START)
    dtypes.FLOAT_AT_START = wanted  # of threads that begin from now on
    _stack.enter_context(default_dtype(wanted))


def leave() -> None:
    """Undo `enter`."""
    _stack.close()
    if _at_start:
        dtypes.FLOAT_AT_START = _at_start.pop()


@contextlib.contextmanager
def scope(new_val: bool = True) -> Iterator[None]:
    """A precision for a scope: ``jax.enable_x64``."""
    with default_dtype(float64 if new_val else float32):
        yield


def canonical(dtype: Any) -> Any:
    """A dtype as it is in use: of 32 bits unless 64 are enabled."""
    if isinstance(dtype, type) and dtype in (float, int, complex, bool):
        dtype = {float: np.float64, int: np.int64, complex: np.complex128, bool: np.bool_}[dtype]
    dtype = np.dtype(dtype)
    return dtype if x64_enabled() else _NARROW.get(dtype, dtype)


_ARRAYS = (np.ndarray, np.generic, Tracer)


def _narrowed(x: Any) -> Any:
    if not isinstance(x, _ARRAYS):
        return x
    array: Any = x
    wanted = _NARROW.get(array.dtype)
    if wanted is not None:
        array = array.astype(wanted)
    return array if isinstance(x, Tracer) else as_array(array)


def narrow(tree: Any) -> Any:
    """A tree whose arrays have no dtype of 64 bits, unless these are enabled."""
    if x64_enabled():
        return tree
    if isinstance(tree, _ARRAYS):
        return _narrowed(tree)
    if isinstance(tree, (list, tuple, dict)):
        return tree_map(_narrowed, tree)
    return tree


def narrowing(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose results are of 32 bits while 64 are not enabled."""

    @functools.wraps(f)
    def narrowed(*args: Any, **kwargs: Any) -> Any:
        return narrow(f(*args, **kwargs))

    return narrowed


class Config:
    """``jax.config``: the settings that libraries read, and the one that means something here."""

    _fixed: dict[str, Any] = {  # noqa: RUF012 - one object
        "jax_numpy_dtype_promotion": "standard",
        "jax_numpy_rank_promotion": "allow",
        "jax_default_matmul_precision": None,
        "jax_disable_jit": False,
        "jax_debug_nans": False,
        "jax_debug_infs": False,
        "jax_check_tracer_leaks": False,
        "jax_platform_name": "cpu",
        "jax_platforms": "cpu",
        "jax_threefry_partitionable": True,
        "jax_default_prng_impl": "threefry2x32",
        "jax_traceback_filtering": "auto",
        "jax_log_compiles": False,
        "jax_compilation_cache_dir": None,
    }

    @property
    def jax_enable_x64(self) -> bool:
        """Whether dtypes of 64 bits are in use."""
        return x64_enabled()

    x64_enabled = jax_enable_x64

    def update(self, name: str, value: Any) -> None:
        """Change a setting; only ``jax_enable_x64`` changes what is computed.

        Raises:
            AttributeError: for an unknown name.
        """
        if name == "jax_enable_x64":
            enter(bool(value))
        elif name in self._fixed:
            self._fixed[name] = value
        else:
            raise AttributeError(f"jax.config.update: fxla.compat.jax knows no setting {name!r}")

    def read(self, name: str) -> Any:
        """The value of a setting."""
        return getattr(self, name)

    def __getattr__(self, name: str) -> Any:
        if name in self._fixed:
            return self._fixed[name]
        raise AttributeError(f"jax.config: fxla.compat.jax knows no setting {name!r}")


config = Config()
