"""Which modules named ``jax`` there are, and what is in each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import fxla
from fxla import custom_batching, debug, flatten_util, image, lax, nn, random
from fxla.compat.jax import (
    arrays,
    checkify,
    checking,
    internals,
    places,
    precision,
    transformations,
    trees,
)
from fxla.compat.jax.arrays import members
from fxla.scipy import cluster, fft, integrate, linalg, ndimage, optimize, signal, special, stats
from fxla.scipy.sparse import linalg as sparse_linalg

__all__ = ["MODULES", "VERSION", "names_of"]

VERSION = "0.10.2"
"""The version of JAX whose names these are."""

_INFO = tuple(int(n) for n in VERSION.split("."))


def _jax() -> dict[str, Any]:
    return (
        transformations.transformation_names()
        | places.device_names()
        | {
            "Array": arrays.Array,
            "ArrayRef": arrays.Array,
            "__version__": VERSION,
            "__version_info__": _INFO,
            "config": precision.config,
            "enable_x64": precision.scope,
            "typeof": internals.get_aval,
        }
    )


def _lax() -> dict[str, Any]:
    functions = [n for n in lax.__all__ if n != "linalg"]
    return (
        members(lax, functions)
        | transformations.control_names()
        | {
            "stop_gradient_p": internals.Primitive("stop_gradient"),
            "with_sharding_constraint": places.with_sharding_constraint,
        }
    )


def _random() -> dict[str, Any]:
    key = arrays.adapted(random.key)

    def wrapped(seed: Any, *, impl: Any = None) -> Any:
        """A key, of a seed or of a key."""
        return seed if getattr(seed, "ndim", 0) == 1 else key(seed)

    return members(random) | {
        "PRNGKey": wrapped,
        "PRNGKeyArray": arrays.Array,
        "key": wrapped,
        "key_data": lambda keys: keys,
        "key_impl": lambda keys: "threefry2x32",
        "wrap_key_data": lambda data, impl=None: data,
    }


def _nn() -> dict[str, Any]:
    functions = [n for n in nn.__all__ if n.islower() and callable(getattr(nn, n))]
    return members(nn, functions)


def _experimental() -> dict[str, Any]:
    return {
        "enable_x64": precision.scope,
        "io_callback": transformations.io_callback,
    }


def _checkify() -> dict[str, Any]:
    return {
        **checkify.KINDS,
        "Error": checkify.Error,
        "ErrorCategory": frozenset,
        "JaxRuntimeError": checkify.CheckError,
        "check": checkify.check,
        "check_error": checkify.check_error,
        "checkify": checkify.checkify,
        "debug_check": checkify.debug_check,
    }


def _ops() -> dict[str, Any]:
    names = [n for n in lax.__all__ if n.startswith("segment_")]
    return members(lax, names)


_SCIPY = {
    "cluster": cluster, "fft": fft, "integrate": integrate, "linalg": linalg,
    "ndimage": ndimage, "optimize": optimize, "signal": signal, "special": special,
    "stats": stats,
}  # fmt: skip

MODULES: dict[str, Callable[[], dict[str, Any]]] = {
    "jax": _jax,
    "jax._src": dict,
    "jax.core": internals.core_names,
    "jax.custom_derivatives": internals.derivative_names,
    "jax.custom_batching": lambda: members(custom_batching),
    "jax.debug": lambda: {name: getattr(debug, name) for name in debug.__all__},
    "jax.dtypes": internals.dtype_names,
    "jax.errors": internals.error_names,
    "jax.experimental": _experimental,
    "jax.experimental.checkify": _checkify,
    "jax.extend": dict,
    "jax.extend.core": internals.core_names,
    "jax.extend.core.primitives": dict,
    "jax.flatten_util": lambda: members(flatten_util),
    "jax.image": lambda: members(image),
    "jax.interpreters": dict,
    "jax.lax": _lax,
    "jax.lax.linalg": lambda: members(lax.linalg),
    "jax.nn": _nn,
    "jax.nn.initializers": lambda: members(nn.initializers),
    "jax.numpy": arrays.numpy_names,
    "jax.numpy.fft": lambda: members(fxla.numpy.fft),
    "jax.numpy.linalg": lambda: members(fxla.numpy.linalg),
    "jax.ops": _ops,
    "jax.random": _random,
    "jax.scipy": dict,
    "jax.scipy.sparse": dict,
    "jax.scipy.sparse.linalg": lambda: members(sparse_linalg),
    "jax.sharding": places.sharding_names,
    "jax.stages": lambda: {"Compiled": internals.Compiled, "Lowered": internals.Lowered},
    "jax.test_util": lambda: {"check_grads": checking.check_grads},
    "jax.tree": trees.tree_names,
    "jax.tree_util": trees.tree_util_names,
    "jax.typing": internals.typing_names,
    "jax.version": lambda: {"__version__": VERSION, "__version_info__": _INFO},
    "jaxlib": lambda: {"__version__": VERSION},
    "jaxlib.version": lambda: {"__version__": VERSION},
}
for _name in ("ad", "batching", "mlir", "partial_eval", "pxla", "xla"):
    MODULES[f"jax.interpreters.{_name}"] = partial(internals.interpreter_names, _name)
for _name in "compiler core dispatch dtypes literals mesh traceback_util xla_bridge".split():
    MODULES[f"jax._src.{_name}"] = partial(internals.private_names, _name)


def _scipy(module: Any) -> dict[str, Any]:
    return {
        name: arrays.adapted(x) if callable(x) and not isinstance(x, type) else x
        for name in module.__all__
        if callable(x := getattr(module, name))
    }


def _ndimage() -> dict[str, Any]:
    return _scipy(ndimage) | {"map_coordinates": arrays.adapted(_map_coordinates)}


def _map_coordinates(
    input: Any, coordinates: Any, order: int, mode: str = "constant", cval: Any = 0.0
) -> Any:
    """JAX's takes the order third, where SciPy's takes the output."""
    return ndimage.map_coordinates(input, coordinates, order=order, mode=mode, cval=cval)


def _distribution(name: str) -> dict[str, Any]:
    family = getattr(stats, name)
    public = [n for n in dir(family) if not n.startswith("_") and callable(getattr(family, n))]
    return {n: arrays.adapted(getattr(family, n)) for n in public}


for _name, _module in _SCIPY.items():
    MODULES[f"jax.scipy.{_name}"] = partial(_scipy, _module)
MODULES["jax.scipy.ndimage"] = _ndimage
for _name in stats.__all__:
    if not callable(getattr(stats, _name)):
        MODULES[f"jax.scipy.stats.{_name}"] = partial(_distribution, _name)


def names_of(module: str) -> dict[str, Any]:
    """The names of a module, and their list."""
    found = MODULES[module]()
    return found | {"__all__": sorted(n for n in found if not n.startswith("_"))}
