"""Dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fxla.numpy as fnp
from fxla import random
from fxla.core.trace import typeof, where_am_i
from fxla.nn.calls import is_training
from fxla.nn.module import Buffer, Module
from fxla.nn.seeds import next_key

__all__ = ["Dropout"]


class Dropout(Module):
    """Zero elements at random and scale the others, while training (Srivastava et al. 2014).

    An element is zero with probability `rate`, otherwise it is multiplied by 1 / (1 - rate). Every
    call with ``training=True`` draws from the module's key, and leaves a new key there. The
    examples of a batch differ; under a `vmap` that does not map the module, and so has one key for
    all, they do not.

    Args:
        rate: between 0 and 1.
        axes_alike: axes along which all elements share one fate, such as the places of an image.
        key: the first key; default: the next of the stream that `nn.seed` starts.

    Attributes:
        key: buffer u32[2].

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> drop = nn.Dropout(0.5)
        >>> drop(np.ones(4)), sorted(set(drop(np.ones(100), training=True).tolist()))
        (Array([1., 1., 1., 1.]), [0.0, 2.0])
    """

    def __init__(
        self, rate: float = 0.5, axes_alike: int | Sequence[int] = (), *, key: Any = None
    ) -> None:
        if not 0.0 <= rate <= 1.0:
            raise ValueError(
                f"nn.Dropout: rate={rate} is no probability, which is from 0 to 1{where_am_i()}"
            )
        self.rate = rate
        self.axes_alike = (axes_alike,) if isinstance(axes_alike, int) else tuple(axes_alike)
        self.key = Buffer(next_key(key))

    def __call__(self, x: Any) -> Any:
        if not is_training() or self.rate == 0.0:
            return x
        if self.rate == 1.0:
            return fnp.zeros_like(x)
        keys = random.split(self.key)
        self.key, drawn = keys[0], keys[1]
        shape = list(typeof(x).shape)
        for axis in self.axes_alike:
            shape[axis] = 1
        keep = 1.0 - self.rate
        mask = random.bernoulli(drawn, keep, tuple(shape))
        kept = fnp.where(mask, x / keep, 0.0)
        return kept if typeof(x).dtype.itemsize > 2 else kept.astype(typeof(x).dtype)

    def _shown(self) -> list[str]:
        return [str(self.rate)]
