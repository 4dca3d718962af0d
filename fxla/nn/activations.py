"""Elementwise activation functions.

Their derivatives are those of the formulas, and at a kink that of the side where the function is
flat (the left one if it is flat on neither): the derivative of `relu` at 0 is 0.
"""

from __future__ import annotations

import math
from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.nn.precision import floating
from fxla.numpy.operands import as_value, normalise_axis

__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "identity",
    "leaky_relu",
    "log1mexp",
    "log_sigmoid",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_sign",
    "softplus",
    "sparse_plus",
    "sparse_sigmoid",
    "squareplus",
    "swish",
    "tanh",
]


def identity(x: Any) -> Any:
    """``x``.

    Example:
        >>> from fxla import nn
        >>> nn.identity(2.0)
        Array(2.)
    """
    return fnp.asarray(x)


def relu(x: Any) -> Any:
    """``max(x, 0)``, with derivative 0 at 0.

    Example:
        >>> import fxla
        >>> from fxla import nn
        >>> nn.relu(-1.0), nn.relu(2.0), fxla.grad(nn.relu)(0.0)
        (Array(0.), Array(2.), Array(0.))
    """
    x = as_value(x, "nn.relu")
    return fnp.where(fnp.less_equal(x, 0), 0, x)


def relu6(x: Any) -> Any:
    """``min(max(x, 0), 6)``.

    Example:
        >>> from fxla import nn
        >>> nn.relu6([-1.0, 3.0, 7.0])
        Array([0., 3., 6.])
    """
    x = as_value(x, "nn.relu6")
    return fnp.where(fnp.greater_equal(x, 6), 6, relu(x))


@floating
def sigmoid(x: Any) -> Any:
    """``1 / (1 + exp(-x))``, without overflow.

    Example:
        >>> from fxla import nn
        >>> nn.sigmoid([-1000.0, 0.0, 1000.0])
        Array([0. , 0.5, 1. ])
    """
    return lax.logistic(x)


@floating
def silu(x: Any) -> Any:
    """``x sigmoid(x)``, also called swish.

    Elfwing, Uchibe, Doya: "Sigmoid-weighted linear units" (arXiv:1702.03118).

    Example:
        >>> from fxla import nn
        >>> nn.silu(0.0)
        Array(0.)
    """
    return lax.mul(x, lax.logistic(x))


swish = silu


@floating
def softplus(x: Any) -> Any:
    """``log(1 + exp(x))``, without overflow.

    Example:
        >>> from fxla import nn
        >>> nn.softplus([-1000.0, 0.0, 1000.0])
        Array([0.00000000e+00, 6.93147181e-01, 1.00000000e+03])
    """
    positive = fnp.greater(x, 0)
    small = fnp.exp(fnp.where(positive, -x, x))
    return fnp.where(positive, x, 0) + fnp.log1p(small)


@floating
def log_sigmoid(x: Any) -> Any:
    """``log(sigmoid(x))``, accurate for large negative x.

    Example:
        >>> from fxla import nn
        >>> nn.log_sigmoid(-1000.0)
        Array(-1000.)
    """
    return -softplus(-x)


@floating
def log1mexp(x: Any) -> Any:
    """``log(1 - exp(-x))`` for x > 0, accurate for small and large x.

    Mächler: "Accurately computing log(1 - exp(-|a|))" (2012).

    Example:
        >>> from fxla import nn
        >>> nn.log1mexp([1e-20, 1.0])
        Array([-46.05170186,  -0.45867515])
    """
    near = fnp.less(x, math.log(2))
    by_expm1 = fnp.log(-fnp.expm1(-fnp.where(near, x, 1.0)))
    by_log1p = fnp.log1p(-fnp.exp(-fnp.where(near, 1.0, x)))
    return fnp.where(near, by_expm1, by_log1p)


@floating
def soft_sign(x: Any) -> Any:
    """``x / (1 + |x|)``.

    Example:
        >>> from fxla import nn
        >>> nn.soft_sign([-1.0, 3.0])
        Array([-0.5 ,  0.75])
    """
    return x / (fnp.abs(x) + 1)


def tanh(x: Any) -> Any:
    """Hyperbolic tangent.

    Example:
        >>> from fxla import nn
        >>> nn.tanh(0.0)
        Array(0.)
    """
    return fnp.tanh(x)


def hard_tanh(x: Any) -> Any:
    """x clipped to [-1, 1].

    Example:
        >>> from fxla import nn
        >>> nn.hard_tanh([-2.0, 0.5, 2.0])
        Array([-1. ,  0.5,  1. ])
    """
    x = as_value(x, "nn.hard_tanh")
    return fnp.where(fnp.greater_equal(x, 1), 1, fnp.where(fnp.less_equal(x, -1), -1, x))


@floating
def hard_sigmoid(x: Any) -> Any:
    """``relu6(x + 3) / 6``.

    Example:
        >>> from fxla import nn
        >>> nn.hard_sigmoid([-3.0, 0.0, 3.0])
        Array([0. , 0.5, 1. ])
    """
    return relu6(x + 3) / 6


@floating
def hard_silu(x: Any) -> Any:
    """``x hard_sigmoid(x)``, also called hard swish.

    Example:
        >>> from fxla import nn
        >>> nn.hard_silu([-4.0, 0.0, 4.0])
        Array([-0.,  0.,  4.])
    """
    return x * hard_sigmoid(x)


hard_swish = hard_silu


@floating
def leaky_relu(x: Any, negative_slope: Any = 0.01) -> Any:
    """x where positive, else ``negative_slope x``.

    Example:
        >>> from fxla import nn
        >>> nn.leaky_relu([-1.0, 2.0])
        Array([-0.01,  2.  ])
    """
    return fnp.where(fnp.greater(x, 0), x, fnp.multiply(negative_slope, x))


@floating
def elu(x: Any, alpha: Any = 1.0) -> Any:
    """x where positive, else ``alpha (exp(x) - 1)``.

    Clevert, Unterthiner, Hochreiter: "Exponential linear units" (arXiv:1511.07289).

    Example:
        >>> from fxla import nn
        >>> nn.elu([-1.0, 2.0])
        Array([-0.63212056,  2.        ])
    """
    positive = fnp.greater(x, 0)
    # The branch that is not taken gets 0: its exponential must not overflow in the derivative.
    return fnp.where(positive, x, alpha * fnp.expm1(fnp.where(positive, 0, x)))


@floating
def celu(x: Any, alpha: Any = 1.0) -> Any:
    """x where positive, else ``alpha (exp(x / alpha) - 1)``: `elu` with a continuous derivative.

    Barron: "Continuously differentiable exponential linear units" (arXiv:1704.07483).

    Example:
        >>> from fxla import nn
        >>> nn.celu([-2.0, 2.0], 2.0)
        Array([-1.26424112,  2.        ])
    """
    positive = fnp.greater(x, 0)
    return fnp.where(positive, x, alpha * fnp.expm1(fnp.where(positive, 0, x) / alpha))


_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


@floating
def selu(x: Any) -> Any:
    """Scaled `elu` that keeps mean 0 and variance 1 through layers.

    Klambauer et al.: "Self-normalizing neural networks" (arXiv:1706.02515).

    Example:
        >>> from fxla import nn
        >>> nn.selu([-1.0, 1.0])
        Array([-1.11133074,  1.05070099])
    """
    return _SELU_SCALE * elu(x, _SELU_ALPHA)


@floating
def gelu(x: Any, approximate: bool = True) -> Any:
    """``x P(Z <= x)`` for a standard normal Z.

    Hendrycks, Gimpel: "Gaussian error linear units" (arXiv:1606.08415).

    Args:
        x: an array.
        approximate: by ``x / 2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))``; else by erfc.

    Example:
        >>> from fxla import nn
        >>> nn.gelu(1.0), nn.gelu(1.0, approximate=False)
        (Array(0.84119199), Array(0.84134475))
    """
    if approximate:
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))
        return 0.5 * x * (1.0 + fnp.tanh(inner))
    return 0.5 * x * lax.erfc(-x * math.sqrt(0.5))


@floating
def mish(x: Any) -> Any:
    """``x tanh(softplus(x))``.

    Misra: "Mish: a self regularized non-monotonic activation function" (arXiv:1908.08681).

    Example:
        >>> from fxla import nn
        >>> nn.mish(1.0)
        Array(0.86509839)
    """
    return x * fnp.tanh(softplus(x))


@floating
def squareplus(x: Any, b: Any = 4) -> Any:
    """``(x + sqrt(x^2 + b)) / 2``.

    Barron: "Squareplus: a softplus-like algebraic rectifier" (arXiv:2112.11687).

    Example:
        >>> from fxla import nn
        >>> nn.squareplus(0.0)
        Array(1.)
    """
    return 0.5 * (x + fnp.sqrt(x * x + b))


@floating
def sparse_plus(x: Any) -> Any:
    """0 below -1, x above 1, and ``(x + 1)^2 / 4`` between.

    Example:
        >>> from fxla import nn
        >>> nn.sparse_plus([-2.0, 0.0, 2.0])
        Array([0.  , 0.25, 2.  ])
    """
    between = fnp.where(fnp.greater_equal(x, 1), x, 0.25 * fnp.square(x + 1))
    return fnp.where(fnp.less_equal(x, -1), 0, between)


@floating
def sparse_sigmoid(x: Any) -> Any:
    """The derivative of `sparse_plus`: ``(x + 1) / 2`` clipped to [0, 1].

    Example:
        >>> from fxla import nn
        >>> nn.sparse_sigmoid([-2.0, 0.0, 2.0])
        Array([0. , 0.5, 1. ])
    """
    return 0.5 * (hard_tanh(x) + 1)


@floating
def glu(x: Any, axis: int = -1) -> Any:
    """The first half of an axis times the sigmoid of the second half.

    Dauphin et al.: "Language modeling with gated convolutional networks" (arXiv:1612.08083).

    Raises:
        ValueError: if the axis has an odd size.

    Example:
        >>> from fxla import nn
        >>> nn.glu([1.0, 0.0])
        Array([0.5])
    """
    axis = normalise_axis(axis, typeof(x).ndim, "nn.glu")
    n = typeof(x).shape[axis]
    if n % 2:
        raise ShapeError(f"nn.glu: axis {axis} of {typeof(x)} has an odd size{where_am_i()}")
    value, gate = lax.split(x, (n // 2, n // 2), axis)
    return value * sigmoid(gate)
