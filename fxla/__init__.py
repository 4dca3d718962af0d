"""fxla: NumPy functions, differentiated, vectorised and compiled to native code.

A step of gradient descent, compiled:

    import fxla
    import fxla.numpy as np

    @fxla.jit
    def step(w, x, y):
        loss, grad = fxla.value_and_grad(lambda w: ((x @ w - y) ** 2).mean())(w)
        return loss, w - 0.1 * grad
"""

from typing import TYPE_CHECKING, Any

from fxla.core.deferred import deferred as _deferred
from fxla.core.deferred import deferred_name as _deferred_name
from fxla.core.deferred import public_names as _public_names
from fxla.core.pause import no_collection as _no_collection

with _no_collection(lasting=True):
    from fxla import dtypes, errors, numpy, tree
    from fxla.control.api import (
        ShapeDtypeStruct,
        closure_convert,
        custom_gradient,
        eval_shape,
        make_jaxpr,
    )
    from fxla.control.checkpoint import checkpoint, checkpoint_policies
    from fxla.control.custom_jvp import custom_jvp
    from fxla.control.custom_vjp import custom_vjp
    from fxla.control.jit import capturing, jit
    from fxla.control.jit_primitive import disable_jit
    from fxla.core.array import Array
    from fxla.core.dtypes import default_dtype
    from fxla.core.trace import advice_on_flow, typeof
    from fxla.transforms.autodiff import grad, linear_transpose, linearize, value_and_grad, vjp
    from fxla.transforms.jacobians import hessian, jacfwd, jacobian, jacrev
    from fxla.transforms.jvp import jvp
    from fxla.transforms.vmap import vmap

if TYPE_CHECKING:
    from fxla import (
        custom_batching,
        data,
        debug,
        flatten_util,
        image,
        lax,
        models,
        nn,
        ops,
        optim,
        random,
        scipy,
        stages,
        train,
        tree_util,
        weights,
    )
    from fxla.capturing.api import capture
    from fxla.compile.backend.pool import threads
    from fxla.compile.calls.recycle import release_memory
    from fxla.compile.cuda.devices import Device, block_until_ready, device_get, device_put, devices
    from fxla.control.callback import pure_callback
    from fxla.kernels.api import kernel
    from fxla.kernels.vectorize import vectorize
    from fxla.weights import load, save

__all__ = [
    "Array",
    "Device",
    "ShapeDtypeStruct",
    "block_until_ready",
    "capture",
    "checkpoint",
    "checkpoint_policies",
    "closure_convert",
    "custom_batching",
    "custom_gradient",
    "custom_jvp",
    "custom_vjp",
    "data",
    "debug",
    "default_dtype",
    "device_get",
    "device_put",
    "devices",
    "disable_jit",
    "dtypes",
    "errors",
    "eval_shape",
    "flatten_util",
    "grad",
    "hessian",
    "image",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jit",
    "jvp",
    "kernel",
    "lax",
    "linear_transpose",
    "linearize",
    "load",
    "make_jaxpr",
    "models",
    "nn",
    "numpy",
    "ops",
    "optim",
    "pure_callback",
    "random",
    "release_memory",
    "remat",
    "save",
    "scipy",
    "stages",
    "threads",
    "train",
    "tree",
    "tree_util",
    "typeof",
    "value_and_grad",
    "vectorize",
    "vjp",
    "vmap",
    "weights",
]
remat = checkpoint
__version__ = "0.1.0"

# What is imported when it is first asked for. So is `fxla.compile`, by a first compiled call.
_DEFERRED = {
    "Device": "fxla.compile.cuda.devices:Device",
    "block_until_ready": "fxla.compile.cuda.devices:block_until_ready",
    "capture": "fxla.capturing.api:capture",
    "custom_batching": "fxla.custom_batching",
    "data": "fxla.data",
    "debug": "fxla.debug",
    "device_get": "fxla.compile.cuda.devices:device_get",
    "device_put": "fxla.compile.cuda.devices:device_put",
    "devices": "fxla.compile.cuda.devices:devices",
    "flatten_util": "fxla.flatten_util",
    "image": "fxla.image",
    "kernel": "fxla.kernels.api:kernel",
    "lax": "fxla.lax",
    "models": "fxla.models",
    "load": "fxla.weights:load",
    "nn": "fxla.nn",
    "ops": "fxla.ops",
    "optim": "fxla.optim",
    "pure_callback": "fxla.control.callback:pure_callback",
    "random": "fxla.random",
    "release_memory": "fxla.compile.calls.recycle:release_memory",
    "save": "fxla.weights:save",
    "scipy": "fxla.scipy",
    "train": "fxla.train",
    "stages": "fxla.stages",
    "threads": "fxla.compile.backend.pool:threads",
    "tree_util": "fxla.tree_util",
    "vectorize": "fxla.kernels.vectorize:vectorize",
    "weights": "fxla.weights",
}


_api, _advice = _deferred("fxla.capturing.api"), _deferred("fxla.capturing.advice")
capturing[:] = [lambda f: _api.capture(f)]
advice_on_flow[:] = [lambda *place: _advice.rewritten_statement(*place)]


def __getattr__(name: str) -> Any:
    value = globals()[name] = _deferred_name(__name__, _DEFERRED, name)
    return value


def __dir__() -> list[str]:
    return _public_names(globals())
