"""Activations as modules, for lists of layers."""

from __future__ import annotations

from typing import Any, ClassVar

import fxla.numpy as fnp
from fxla.nn import activations, normalisation
from fxla.nn.module import Module

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "Identity",
    "LeakyReLU",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]


class _Activation(Module):
    """A module that applies a function of `fxla.nn`."""

    _function: ClassVar[Any]

    def __call__(self, x: Any) -> Any:
        return type(self)._function(x)


class Identity(_Activation):
    """`fxla.nn.identity` as a module.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> np.round(nn.Identity()(np.array([-1.0, 0.0, 2.0])), 3)
        Array([-1.,  0.,  2.])
    """

    _function = staticmethod(activations.identity)


class ReLU(_Activation):
    """`fxla.nn.relu` as a module.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.ReLU()(np.array([-1.0, 2.0]))
        Array([0., 2.])
    """

    _function = staticmethod(activations.relu)


class ReLU6(_Activation):
    """`fxla.nn.relu6` as a module.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> np.round(nn.ReLU6()(np.array([-1.0, 0.0, 2.0])), 3)
        Array([0., 0., 2.])
    """

    _function = staticmethod(activations.relu6)


class SiLU(_Activation):
    """`fxla.nn.silu` as a module.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> np.round(nn.SiLU()(np.array([-1.0, 0.0, 2.0])), 3)
        Array([-0.269,  0.   ,  1.762])
    """

    _function = staticmethod(activations.silu)


class SELU(_Activation):
    """`fxla.nn.selu` as a module.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> np.round(nn.SELU()(np.array([-1.0, 0.0, 2.0])), 3)
        Array([-1.111,  0.   ,  2.101])
    """

    _function = staticmethod(activations.selu)


class Mish(_Activation):
    """`fxla.nn.mish` as a module.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> np.round(nn.Mish()(np.array([-1.0, 0.0, 2.0])), 3)
        Array([-0.303,  0.   ,  1.944])
    """

    _function = staticmethod(activations.mish)


class Sigmoid(_Activation):
    """`fxla.nn.sigmoid` as a module.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> np.round(nn.Sigmoid()(np.array([-1.0, 0.0, 2.0])), 3)
        Array([0.269, 0.5  , 0.881])
    """

    _function = staticmethod(activations.sigmoid)


class Softplus(_Activation):
    """`fxla.nn.softplus` as a module.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> np.round(nn.Softplus()(np.array([-1.0, 0.0, 2.0])), 3)
        Array([0.313, 0.693, 2.127])
    """

    _function = staticmethod(activations.softplus)


class Tanh(_Activation):
    """`fxla.nn.tanh` as a module.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> np.round(nn.Tanh()(np.array([-1.0, 0.0, 2.0])), 3)
        Array([-0.762,  0.   ,  0.964])
    """

    _function = staticmethod(activations.tanh)


class GELU(Module):
    """`fxla.nn.gelu` as a module.

    Args:
        approximate: by tanh (JAX's default) or exactly (PyTorch's).

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> np.round(nn.GELU()(np.array([-1.0, 0.0, 2.0])), 3)
        Array([-0.159,  0.   ,  1.955])
    """

    def __init__(self, approximate: bool = True) -> None:
        self.approximate = approximate

    def __call__(self, x: Any) -> Any:
        return activations.gelu(x, self.approximate)


class LeakyReLU(Module):
    """`fxla.nn.leaky_relu` as a module.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> np.round(nn.LeakyReLU()(np.array([-1.0, 0.0, 2.0])), 3)
        Array([-0.01,  0.  ,  2.  ])
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def __call__(self, x: Any) -> Any:
        return activations.leaky_relu(x, self.negative_slope)


class ELU(Module):
    """`fxla.nn.elu` as a module.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> np.round(nn.ELU()(np.array([-1.0, 0.0, 2.0])), 3)
        Array([-0.632,  0.   ,  2.   ])
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def __call__(self, x: Any) -> Any:
        return activations.elu(x, self.alpha)


class Softmax(Module):
    """`fxla.nn.softmax` as a module.

    Args:
        axis: along which the results sum to 1.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> np.round(nn.Softmax()(np.array([-1.0, 0.0, 2.0])), 3)
        Array([0.042, 0.114, 0.844])
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def __call__(self, x: Any) -> Any:
        return normalisation.softmax(x, self.axis)


class LogSoftmax(Module):
    """`fxla.nn.log_softmax` as a module.

    Args:
        axis: along which the exponentials sum to 1.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> np.round(nn.LogSoftmax()(np.array([-1.0, 0.0, 2.0])), 3)
        Array([-3.17, -2.17, -0.17])
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def __call__(self, x: Any) -> Any:
        return normalisation.log_softmax(x, self.axis)


class PReLU(Module):
    """x where it is positive, otherwise a slope that is learned times x (He et al. 2015).

    Args:
        features: one slope for each feature of the last axis; default: one for all.
        initial: the first value of the slopes.
        dtype: of the slopes; default: fxla's default float.

    Attributes:
        slope: [] or [features].

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.PReLU()(np.array([-1.0, 2.0]))
        Array([-0.25,  2.  ])
    """

    def __init__(
        self, features: int | None = None, initial: float = 0.25, *, dtype: Any = None
    ) -> None:
        self.slope = fnp.full(() if features is None else (features,), initial, dtype)

    def __call__(self, x: Any) -> Any:
        return fnp.where(x > 0, x, self.slope * x)
