"""Layers whose sizes may be left to their first input."""

from __future__ import annotations

from typing import Any

from fxla.nn import initializers
from fxla.nn.calls import may_build
from fxla.nn.initializers import Initializer
from fxla.nn.module import Module
from fxla.nn.seeds import keys

__all__ = ["Affine", "Deferred"]


class Deferred(Module):
    """Base of layers that make their arrays when a size is known, at the latest in a first call."""

    def _make(self, features: int, **options: Any) -> None:
        """Make the arrays for inputs of so many features."""
        raise NotImplementedError

    def _make_or_defer(self, features: int | None, **options: Any) -> None:
        """Make the arrays now if the number of features is known."""
        if features is None:
            self._deferred = options
        else:
            self._make(features, **options)

    def _ensure(self, features: int) -> None:
        """Make the arrays if that was left to the first call."""
        options = vars(self).get("_deferred")
        if options is not None:
            with may_build(self, "parameters"):
                del vars(self)["_deferred"]
                self._make(features, **options)


class Affine(Deferred):
    """Base of layers with a weight for each pair of an input and an output feature, and a bias."""

    in_features: int | None
    out_features: int

    def _weight_shape(self, features: int) -> tuple[int, ...]:
        """The shape of the weight for inputs of so many features."""
        raise NotImplementedError

    def _make(
        self,
        features: int,
        *,
        bias: bool = True,
        key: Any = None,
        dtype: Any = None,
        weight_init: Initializer | None = None,
        bias_init: Initializer | None = None,
        **_: Any,
    ) -> None:
        shape = self._weight_shape(features)
        of_weight, of_bias = keys(key, 2)
        self.in_features = features
        self.weight: Any = (weight_init or initializers.lecun_normal())(of_weight, shape, dtype)
        if bias:
            draw = bias_init or initializers.zeros
            self.bias: Any = draw(of_bias, (self.out_features,), dtype)
