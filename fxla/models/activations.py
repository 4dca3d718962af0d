"""Activations by the names that configurations have for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fxla.numpy as fnp
from fxla import nn

__all__ = ["ACTIVATIONS", "exact_gelu", "tanh_gelu"]


def exact_gelu(x: Any) -> Any:
    """``x Phi(x)``, as in BERT and ViT.

    Example:
        >>> round(float(exact_gelu(1.0)), 5)
        0.84134
    """
    return nn.gelu(x, approximate=False)


def tanh_gelu(x: Any) -> Any:
    """The approximation of `exact_gelu` with a tanh, as in GPT-2.

    Example:
        >>> round(float(tanh_gelu(1.0)), 5)
        0.84119
    """
    return nn.gelu(x, approximate=True)


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "gelu": exact_gelu,
    "gelu_new": tanh_gelu,
    "gelu_pytorch_tanh": tanh_gelu,
    "relu": nn.relu,
    "silu": nn.silu,
    "tanh": fnp.tanh,
}
