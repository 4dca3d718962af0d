"""Batch normalisation."""

from __future__ import annotations

from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.core.dtypes import float32
from fxla.core.trace import typeof
from fxla.nn.calls import is_training
from fxla.nn.checks import refuse
from fxla.nn.deferred import Deferred
from fxla.nn.module import Buffer

__all__ = ["BatchNorm"]


class BatchNorm(Deferred):
    """Normalise each feature over the batch (Ioffe and Szegedy 2015).

    With ``training=True``: by mean and (biased) variance of the batch and of all axes but that of
    the features; the running statistics take a step toward them,

        running = (1 - momentum) * running + momentum * batch

    with the unbiased variance, as in PyTorch. (Keras's and Flax's ``momentum`` is one minus this
    one.) Otherwise: by the running statistics.

    Args:
        features: number of features; None to take it from the first input.
        momentum: weight of the batch in the running statistics.
        eps: added to the variance.
        affine: whether there are a scale and an offset.
        channels: where the axis of features is: ``"last"`` or ``"first"`` (after the batch axis).
        dtype: of the arrays; default: fxla's default float.

    Attributes:
        weight: [features], ones at first; None if not `affine`.
        bias: [features], zeros at first; None if not `affine`.
        mean: buffer [features], the running mean, zeros at first.
        var: buffer [features], the running variance, ones at first.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> norm = nn.BatchNorm(1)
        >>> np.round(norm(np.array([[1.0], [3.0]]), training=True).ravel(), 3)
        Array([-1.,  1.])
        >>> norm.mean, norm.var
        (Array([0.2]), Array([1.1]))
    """

    def __init__(
        self,
        features: int | None = None,
        momentum: float = 0.1,
        eps: float = 1e-5,
        *,
        affine: bool = True,
        channels: str = "last",
        dtype: Any = None,
    ) -> None:
        self.features = features
        self.momentum = momentum
        self.eps = eps
        self.channels = channels
        self.weight: Any = None
        self.bias: Any = None
        self.mean: Any = None
        self.var: Any = None
        self._make_or_defer(features, affine=affine, dtype=dtype)

    def _make(self, features: int, *, affine: bool = True, dtype: Any = None, **_: Any) -> None:
        self.features = features
        if affine:
            self.weight = fnp.ones(features, dtype)
            self.bias = fnp.zeros(features, dtype)
        self.mean = Buffer(fnp.zeros(features, dtype))
        self.var = Buffer(fnp.ones(features, dtype))

    def __call__(self, x: Any) -> Any:
        aval = typeof(x)
        if aval.ndim < 2:
            refuse(self, f"[batch, ..., {self.features}]", x)
        axis = 1 if self.channels == "first" else aval.ndim - 1
        if self.mean is None:
            self._ensure(aval.shape[axis])
        if aval.shape[axis] != self.features:
            last = f"[batch, ..., {self.features}]"
            refuse(self, f"[batch, {self.features}, ...]" if self.channels == "first" else last, x)
        shape = [1] * aval.ndim
        shape[axis] = aval.shape[axis]
        if is_training():
            mean, var = self._statistics(x, tuple(k for k in range(aval.ndim) if k != axis))
        else:
            mean, var = self.mean, self.var
        scale = 1.0 / fnp.sqrt(var + self.eps)
        if self.weight is not None:
            scale = scale * self.weight
        shift = -mean * scale if self.bias is None else self.bias - mean * scale
        y = x * scale.reshape(shape) + shift.reshape(shape)
        return y if typeof(y).dtype == aval.dtype else y.astype(aval.dtype)

    def _statistics(self, x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
        """Mean and variance of the batch, of which the running ones take note."""
        dtype = fnp.promote_types(typeof(x).dtype, float32)
        mean = fnp.mean(x, axis=axes, dtype=dtype)
        centred = x - fnp.expand_dims(mean, axes)
        var = fnp.mean(centred * centred, axis=axes, dtype=dtype)
        n = typeof(x).size // max(1, typeof(mean).size)
        unbiased = var * (n / max(1, n - 1))
        m = self.momentum
        before = typeof(self.mean).dtype
        self.mean = _blend(self.mean, lax.stop_gradient(mean), m).astype(before)
        self.var = _blend(self.var, lax.stop_gradient(unbiased), m).astype(before)
        return mean, var

    def _shown(self) -> list[str]:
        return [str(self.features)]


def _blend(old: Any, new: Any, weight: float) -> Any:
    return (1.0 - weight) * old + weight * new
