"""The multilayer perceptron."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from fxla import nn
from fxla.core.trace import where_am_i

__all__ = ["MLP"]


class MLP(nn.Module):
    """Linear layers with an activation between them.

    Rumelhart, Hinton and Williams (1986), "Learning representations by back-propagating errors".

    Args:
        sizes: of the input, of each hidden layer, and of the result.
        activation: between layers.
        dropout: the share of hidden units that training leaves out.

    Attributes:
        layers: the linear ones.

    Example:
        >>> import fxla.numpy as np
        >>> MLP([784, 128, 10])(np.ones((5, 784))).shape
        (5, 10)
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Callable[[Any], Any] = nn.relu,
        dropout: float = 0.0,
    ) -> None:
        if len(sizes) < 2:
            raise ValueError(
                f"MLP: give the sizes of the input and of the result, got {sizes}{where_am_i()}"
            )
        self.layers = [nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
        self.dropout = nn.Dropout(dropout) if dropout else None
        self.activation = activation

    def __call__(self, x: Any) -> Any:
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
            if self.dropout is not None:
                x = self.dropout(x)
        return self.layers[-1](x)
