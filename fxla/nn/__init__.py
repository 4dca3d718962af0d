"""Neural networks: their functions, with the names of ``jax.nn``, and their modules.

Functions and modules are imported when one of their names is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fxla.core.deferred import deferred_name as _deferred_name
from fxla.core.deferred import public_names as _public_names

if TYPE_CHECKING:
    from fxla.nn import initializers
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
    from fxla.nn.convolution import (
        Conv,
        Conv1d,
        Conv2d,
        Conv3d,
        ConvTranspose,
    )
    from fxla.nn.dropout import (
        Dropout,
    )
    from fxla.nn.embedding import (
        Embedding,
    )
    from fxla.nn.encoding import one_hot
    from fxla.nn.graph import (
        Add,
        Concatenate,
        Input,
        Model,
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
    from fxla.nn.multi_head import (
        KeyValueCache,
        MultiHeadAttention,
        rotary,
    )
    from fxla.nn.normalisation import log_softmax, logmeanexp, logsumexp, softmax, standardize
    from fxla.nn.norms import (
        GroupNorm,
        InstanceNorm,
        LayerNorm,
        RMSNorm,
    )
    from fxla.nn.pooling import (
        AdaptiveAvgPool,
        AdaptiveMaxPool,
        AvgPool,
        GlobalAvgPool,
        GlobalMaxPool,
        MaxPool,
    )
    from fxla.nn.recurrent import (
        GRU,
        LSTM,
        RNN,
        GRUCell,
        LSTMCell,
        RNNCell,
    )
    from fxla.nn.seeds import (
        keys,
        next_key,
        seed,
    )
    from fxla.nn.table import (
        summary,
        tabulate,
    )
    from fxla.nn.transformer import (
        TransformerDecoderLayer,
        TransformerEncoderLayer,
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
    "GRU",
    "LSTM",
    "RNN",
    "SELU",
    "AdaptiveAvgPool",
    "AdaptiveMaxPool",
    "Add",
    "AvgPool",
    "BatchNorm",
    "Bilinear",
    "Buffer",
    "Concatenate",
    "Conv",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GRUCell",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GroupNorm",
    "Identity",
    "Input",
    "InstanceNorm",
    "KeyValueCache",
    "LSTMCell",
    "Lambda",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MaxPool",
    "Mish",
    "Model",
    "Module",
    "MultiHeadAttention",
    "PReLU",
    "Param",
    "RMSNorm",
    "RNNCell",
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
    "TransformerDecoderLayer",
    "TransformerEncoderLayer",
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
    "rotary",
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
    "summary",
    "swish",
    "tabulate",
    "tanh",
    "training_mode",
    "unfreeze",
]

_HOMES = {
    "activations": (
        "celu elu gelu glu hard_sigmoid hard_silu hard_swish hard_tanh identity "
        "leaky_relu log1mexp log_sigmoid mish relu relu6 selu sigmoid silu soft_sign "
        "softplus sparse_plus sparse_sigmoid squareplus swish tanh"
    ),
    "attention": "dot_product_attention",
    "encoding": "one_hot",
    "normalisation": "log_softmax logmeanexp logsumexp softmax standardize",
    "module": "Buffer Module Param Static",
    "calls": "is_training training_mode",
    "trees": ("apply_updates freeze functional_call parameter_count parameters replace unfreeze"),
    "seeds": "keys next_key seed",
    "linear": "Bilinear Dense Linear",
    "convolution": "Conv Conv1d Conv2d Conv3d ConvTranspose",
    "pooling": "AdaptiveAvgPool AdaptiveMaxPool AvgPool GlobalAvgPool GlobalMaxPool MaxPool",
    "norms": "GroupNorm InstanceNorm LayerNorm RMSNorm",
    "batch_norm": "BatchNorm",
    "dropout": "Dropout",
    "embedding": "Embedding",
    "multi_head": "KeyValueCache MultiHeadAttention rotary",
    "transformer": "TransformerDecoderLayer TransformerEncoderLayer",
    "recurrent": "GRU GRUCell LSTM LSTMCell RNN RNNCell",
    "containers": "Flatten Lambda Residual Sequential",
    "activation_layers": (
        "ELU GELU Identity LeakyReLU LogSoftmax Mish PReLU ReLU ReLU6 SELU SiLU Sigmoid "
        "Softmax Softplus Tanh"
    ),
    "graph": "Add Concatenate Input Model",
    "table": "summary tabulate",
}
"""The files of functions and modules, and the names that each of them defines."""
_PLACES = {"initializers": "fxla.nn.initializers", "losses": "fxla.nn.losses"} | {
    name: f"fxla.nn.{home}:{name}" for home, names in _HOMES.items() for name in names.split()
}


def __getattr__(name: str) -> Any:
    """A function, or a module's class, whose file is imported now."""
    found = globals()[name] = _deferred_name("fxla.nn", _PLACES, name)
    return found


def __dir__() -> list[str]:
    return _public_names(globals())
