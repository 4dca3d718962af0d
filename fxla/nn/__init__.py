"""Neural networks: their functions, with the names of ``jax.nn``, and their modules.

Functions are imported at once; modules when one of their names is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fxla.nn import initializers
from fxla.nn.activations import (
    celu,
    elu,
    gelu,
    glu,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    identity,
    leaky_relu,
    log1mexp,
    log_sigmoid,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_sign,
    softplus,
    sparse_plus,
    sparse_sigmoid,
    squareplus,
    swish,
    tanh,
)
from fxla.nn.attention import dot_product_attention
from fxla.nn.encoding import one_hot
from fxla.nn.normalisation import log_softmax, logmeanexp, logsumexp, softmax, standardize

if TYPE_CHECKING:
    from fxla.nn.activation_layers import (
        ELU,
        GELU,
        SELU,
        Identity,
        LeakyReLU,
        LogSoftmax,
        Mish,
        PReLU,
        ReLU,
        ReLU6,
        Sigmoid,
        SiLU,
        Softmax,
        Softplus,
        Tanh,
    )
    from fxla.nn.batch_norm import (
        BatchNorm,
    )
    from fxla.nn.calls import (
        is_training,
        training_mode,
    )
    from fxla.nn.containers import (
        Flatten,
        Lambda,
        Residual,
        Sequential,
    )
    from fxla.nn.dropout import (
        Dropout,
    )
    from fxla.nn.linear import (
        Bilinear,
        Dense,
        Linear,
    )
    from fxla.nn.module import (
        Buffer,
        Module,
        Param,
        Static,
    )
    from fxla.nn.seeds import (
        keys,
        next_key,
        seed,
    )
    from fxla.nn.trees import (
        apply_updates,
        freeze,
        functional_call,
        parameter_count,
        parameters,
        replace,
        unfreeze,
    )

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "BatchNorm",
    "Bilinear",
    "Buffer",
    "Dense",
    "Dropout",
    "Flatten",
    "Identity",
    "Lambda",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "Mish",
    "Module",
    "PReLU",
    "Param",
    "ReLU",
    "ReLU6",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Static",
    "Tanh",
    "apply_updates",
    "celu",
    "dot_product_attention",
    "elu",
    "freeze",
    "functional_call",
    "gelu",
    "glu",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "identity",
    "initializers",
    "is_training",
    "keys",
    "leaky_relu",
    "log1mexp",
    "log_sigmoid",
    "log_softmax",
    "logmeanexp",
    "logsumexp",
    "losses",
    "mish",
    "next_key",
    "one_hot",
    "parameter_count",
    "parameters",
    "relu",
    "relu6",
    "replace",
    "seed",
    "selu",
    "sigmoid",
    "silu",
    "soft_sign",
    "softmax",
    "softplus",
    "sparse_plus",
    "sparse_sigmoid",
    "squareplus",
    "standardize",
    "swish",
    "tanh",
    "training_mode",
    "unfreeze",
]

_HOMES = {
    "module": "Buffer Module Param Static",
    "calls": "is_training training_mode",
    "trees": ("apply_updates freeze functional_call parameter_count parameters replace unfreeze"),
    "seeds": "keys next_key seed",
    "linear": "Bilinear Dense Linear",
    "batch_norm": "BatchNorm",
    "dropout": "Dropout",
    "containers": "Flatten Lambda Residual Sequential",
    "activation_layers": (
        "ELU GELU Identity LeakyReLU LogSoftmax Mish PReLU ReLU ReLU6 SELU SiLU Sigmoid "
        "Softmax Softplus Tanh"
    ),
}
"""The files of modules, and the names that each of them defines."""
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """A module's class, or another function of modules, whose file is imported now."""
    home = _HOME_OF.get(name)
    if home is None:
        if name == "losses":
            return importlib.import_module("fxla.nn.losses")
        raise AttributeError(f"module 'fxla.nn' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"fxla.nn.{home}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
