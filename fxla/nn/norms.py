"""Normalisation of each example: layer, root mean square, group and instance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.core.dtypes import float32
from fxla.core.trace import typeof, where_am_i
from fxla.nn.checks import refuse
from fxla.nn.module import Module

__all__ = ["GroupNorm", "InstanceNorm", "LayerNorm", "RMSNorm"]


def _normalised(x: Any, axes: tuple[int, ...], eps: float) -> Any:
    """x less its mean, divided by its standard deviation along axes; at least in float32."""
    x = x.astype(fnp.promote_types(typeof(x).dtype, float32))
    centred = x - fnp.mean(x, axis=axes, keepdims=True)
    var = fnp.mean(centred * centred, axis=axes, keepdims=True)
    return centred * lax.rsqrt(var + eps)


class LayerNorm(Module):
    """Normalise each example over its last axes (Ba et al. 2016).

    Args:
        shape: of the last axes; an integer for one axis.
        eps: added to the variance.
        affine: whether there are a scale and an offset.
        bias: whether there is an offset, if `affine`.
        dtype: of the parameters; default: fxla's default float.

    Attributes:
        weight: of `shape`, ones at first; or None.
        bias: of `shape`, zeros at first; or None.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> np.round(nn.LayerNorm(2)(np.array([[1.0, 3.0]])), 3)
        Array([[-1.,  1.]])
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        eps: float = 1e-5,
        *,
        affine: bool = True,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.eps = eps
        self.weight = fnp.ones(self.shape, dtype) if affine else None
        self.bias = fnp.zeros(self.shape, dtype) if affine and bias else None

    def __call__(self, x: Any) -> Any:
        aval = typeof(x)
        rank = len(self.shape)
        if aval.shape[aval.ndim - rank :] != self.shape or aval.ndim < rank:
            refuse(self, f"[..., {', '.join(map(str, self.shape))}]", x)
        y = _normalised(x, tuple(range(aval.ndim - rank, aval.ndim)), self.eps)
        if self.weight is not None:
            y = y * self.weight
        if self.bias is not None:
            y = y + self.bias
        return y.astype(aval.dtype)

    def _shown(self) -> list[str]:
        return [", ".join(map(str, self.shape))]


class RMSNorm(Module):
    """Divide each example by its root mean square over the last axis (Zhang and Sennrich 2019).

    Args:
        features: size of the last axis.
        eps: added to the mean of squares.
        dtype: of the parameter; default: fxla's default float.

    Attributes:
        weight: [features], ones at first.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> np.round(nn.RMSNorm(2)(np.array([[3.0, 4.0]])), 3)
        Array([[0.849, 1.131]])
    """

    def __init__(self, features: int, eps: float = 1e-6, *, dtype: Any = None) -> None:
        self.features = features
        self.eps = eps
        self.weight = fnp.ones(features, dtype)

    def __call__(self, x: Any) -> Any:
        aval = typeof(x)
        if aval.shape[-1:] != (self.features,):
            refuse(self, f"[..., {self.features}]", x)
        wide = x.astype(fnp.promote_types(aval.dtype, float32))
        scale = lax.rsqrt(fnp.mean(wide * wide, axis=-1, keepdims=True) + self.eps)
        return (wide * scale * self.weight).astype(aval.dtype)

    def _shown(self) -> list[str]:
        return [str(self.features)]


class GroupNorm(Module):
    """Normalise each example over groups of features and all places (Wu and He 2018).

    Args:
        groups: number of groups, which divides `features`.
        features: number of features.
        eps: added to the variance.
        affine: whether there are a scale and an offset.
        channels: where the axis of features is: ``"last"`` or ``"first"`` (after the batch axis).
        dtype: of the parameters; default: fxla's default float.

    Attributes:
        weight: [features], ones at first; or None.
        bias: [features], zeros at first; or None.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.GroupNorm(2, 8)(np.ones((5, 4, 4, 8))).shape
        (5, 4, 4, 8)
    """

    def __init__(
        self,
        groups: int,
        features: int,
        eps: float = 1e-5,
        *,
        affine: bool = True,
        channels: str = "last",
        dtype: Any = None,
    ) -> None:
        if features % groups:
            raise ValueError(
                f"nn.GroupNorm: {features} features are no multiple of {groups} "
                f"groups{where_am_i()}"
            )
        self.groups = groups
        self.features = features
        self.eps = eps
        self.channels = channels
        self.weight = fnp.ones(features, dtype) if affine else None
        self.bias = fnp.zeros(features, dtype) if affine else None

    def __call__(self, x: Any) -> Any:
        aval = typeof(x)
        first = self.channels == "first"
        axis = 1 if first else aval.ndim - 1
        if aval.ndim < 2 or aval.shape[axis] != self.features:
            n = self.features
            refuse(self, f"[batch, {n}, ...]" if first else f"[batch, ..., {n}]", x)
        each = self.features // self.groups
        split = (*aval.shape[:axis], self.groups, each, *aval.shape[axis + 1 :])
        axes = tuple(k for k in range(1, aval.ndim + 1) if k != axis)
        y = _normalised(x.reshape(split), axes, self.eps).reshape(aval.shape)
        along = [1] * aval.ndim
        along[axis] = self.features
        if self.weight is not None and self.bias is not None:
            y = y * self.weight.reshape(along) + self.bias.reshape(along)
        return y.astype(aval.dtype)

    def _shown(self) -> list[str]:
        return [str(self.groups), str(self.features)]


class InstanceNorm(GroupNorm):
    """Normalise each feature of each example over all places (Ulyanov et al. 2016).

    Args:
        features: number of features.
        eps: added to the variance.
        affine: whether there are a scale and an offset.
        channels: where the axis of features is: ``"last"`` or ``"first"`` (after the batch axis).
        dtype: of the parameters; default: fxla's default float.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.InstanceNorm(1)(np.array([[[1.0], [3.0]]])).round(3).ravel().tolist()
        [-1.0, 1.0]
    """

    def __init__(
        self,
        features: int,
        eps: float = 1e-5,
        *,
        affine: bool = False,
        channels: str = "last",
        dtype: Any = None,
    ) -> None:
        super().__init__(features, features, eps, affine=affine, channels=channels, dtype=dtype)

    def _shown(self) -> list[str]:
        return [str(self.features)]
