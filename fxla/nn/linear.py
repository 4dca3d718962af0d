"""Linear layers."""

from __future__ import annotations

from typing import Any

import fxla.numpy as fnp
from fxla.core.trace import typeof, where_am_i
from fxla.nn import initializers
from fxla.nn.checks import check_features, check_size, refuse
from fxla.nn.deferred import Affine
from fxla.nn.initializers import Initializer
from fxla.nn.module import Module
from fxla.nn.precision import product
from fxla.nn.seeds import keys

__all__ = ["Bilinear", "Dense", "Linear"]


class Linear(Affine):
    """``x @ weight + bias`` over the last axis.

    Args:
        in_features: size of the last axis of the input; None to take it from the first input.
        out_features: size of the last axis of the result.
        bias: whether there is one.
        key: for the initial values; default: the next of the stream that `nn.seed` starts.
        dtype: of the parameters; default: fxla's default float.
        weight_init: initial weight; default: normal of variance 1 / in_features (LeCun et al.
            1998, Efficient BackProp).
        bias_init: initial bias; default: zeros.

    Attributes:
        weight: [in_features, out_features].
        bias: [out_features], or None.

    Raises:
        ValueError: in a call, if the last axis is not of `in_features` elements.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.Linear(3, 2)(np.ones((5, 3))).shape
        (5, 2)
    """

    def __init__(
        self,
        in_features: int | None,
        out_features: int,
        bias: bool = True,
        *,
        key: Any = None,
        dtype: Any = None,
        weight_init: Initializer | None = None,
        bias_init: Initializer | None = None,
    ) -> None:
        if in_features is not None:
            check_size(self, "in_features", in_features)
        check_size(self, "out_features", out_features)
        self.in_features = in_features
        self.out_features = out_features
        self.weight = self.bias = None
        self._make_or_defer(
            in_features,
            bias=bias, key=key, dtype=dtype, weight_init=weight_init, bias_init=bias_init,
        )  # fmt: skip

    def _weight_shape(self, features: int) -> tuple[int, ...]:
        return (features, self.out_features)

    def __call__(self, x: Any) -> Any:
        shape = x.shape if hasattr(x, "shape") else typeof(x).shape
        if self.weight is None and shape:
            self._ensure(shape[-1])
        if not shape or shape[-1] != self.in_features:
            check_features(self, x, self.in_features or 1)
        y = product(x, self.weight)
        return y if self.bias is None else y + self.bias

    def _shown(self) -> list[str]:
        return [str(self.in_features), str(self.out_features)]


class Dense(Linear):
    """`Linear` by the size of its result alone, with an activation, as in Keras.

    Args:
        units: size of the last axis of the result.
        activation: a function of the result, or None.
        **options: those of `Linear`.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> layer = nn.Dense(2, activation=nn.relu)
        >>> layer(np.ones((5, 3))).shape, layer.weight.shape
        ((5, 2), (3, 2))
    """

    def __init__(self, units: int, activation: Any = None, **options: Any) -> None:
        if activation is not None and not callable(activation):
            raise TypeError(
                f"nn.Dense: the activation must be a function, got {activation!r}{where_am_i()}. "
                "Dense takes its number of inputs from the first one; `nn.Linear` is given both."
            )
        check_size(self, "units", units)
        super().__init__(None, units, **options)
        self.activation = activation

    def __call__(self, x: Any) -> Any:
        y = super().__call__(x)
        return y if self.activation is None else self.activation(y)

    def _shown(self) -> list[str]:
        name = getattr(self.activation, "__name__", None)
        return [*super()._shown(), *([f"activation={name}"] if name else [])]


class Bilinear(Module):
    """``x1^T weight[k] x2 + bias[k]`` for each k.

    Args:
        in1_features: size of the last axis of the first input.
        in2_features: size of the last axis of the second input.
        out_features: size of the last axis of the result.
        bias: whether there is one.
        key: for the initial values; default: the next of the stream that `nn.seed` starts.
        dtype: of the parameters; default: fxla's default float.

    Attributes:
        weight: [out_features, in1_features, in2_features], as in PyTorch.
        bias: [out_features], or None.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.Bilinear(3, 4, 2)(np.ones((5, 3)), np.ones((5, 4))).shape
        (5, 2)
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        *,
        key: Any = None,
        dtype: Any = None,
    ) -> None:
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        of_weight, of_bias = keys(key, 2)
        draw = initializers.variance_scaling(1.0 / 3.0, "fan_in", "uniform", 1, 0, (2,))
        self.weight = draw(of_weight, (out_features, in1_features, in2_features), dtype)
        self.bias = initializers.zeros(of_bias, (out_features,), dtype) if bias else None

    def __call__(self, x1: Any, x2: Any) -> Any:
        if typeof(x1).shape[-1:] != (self.in1_features,):
            refuse(self, f"[..., {self.in1_features}]", x1, "x1")
        if typeof(x2).shape[-1:] != (self.in2_features,):
            refuse(self, f"[..., {self.in2_features}]", x2, "x2")
        y = fnp.einsum("...i,kij,...j->...k", x1, self.weight, x2)
        return y if self.bias is None else y + self.bias

    def _shown(self) -> list[str]:
        return [str(self.in1_features), str(self.in2_features), str(self.out_features)]
