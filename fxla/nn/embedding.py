"""Embeddings of integers."""

from __future__ import annotations

from typing import Any

import fxla.numpy as fnp
from fxla.core.dtypes import is_integer
from fxla.core.trace import typeof, where_am_i
from fxla.errors import DtypeError
from fxla.nn import initializers
from fxla.nn.calls import path_of
from fxla.nn.checks import check_features
from fxla.nn.initializers import Initializer
from fxla.nn.module import Module
from fxla.nn.precision import product
from fxla.nn.seeds import next_key

__all__ = ["Embedding"]


class Embedding(Module):
    """A row of a table for each integer.

    Args:
        num_embeddings: number of rows.
        features: size of a row.
        key: for the initial values; default: the next of the stream that `nn.seed` starts.
        dtype: of the table; default: fxla's default float.
        weight_init: initial table; default: normal of variance 1 / features.

    Attributes:
        weight: [num_embeddings, features].

    Raises:
        TypeError: in a call, if the input is not of integers.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> table = nn.Embedding(100, 8)
        >>> table(np.array([[1, 2, 3]])).shape, table.attend(np.ones((1, 3, 8))).shape
        ((1, 3, 8), (1, 3, 100))
    """

    def __init__(
        self,
        num_embeddings: int,
        features: int,
        *,
        key: Any = None,
        dtype: Any = None,
        weight_init: Initializer | None = None,
    ) -> None:
        self.num_embeddings = num_embeddings
        self.features = features
        draw = weight_init or initializers.normal(features**-0.5)
        self.weight = draw(next_key(key), (num_embeddings, features), dtype)

    def __call__(self, x: Any) -> Any:
        x = fnp.asarray(x)
        if not is_integer(typeof(x).dtype):
            raise DtypeError(
                f"{path_of(self)}: expected integers, got {typeof(x)}{where_am_i()}. Convert them "
                "with .astype(int)."
            )
        return fnp.take(self.weight, x, axis=0)

    def attend(self, x: Any) -> Any:
        """Products with all rows, the logits of a language model with tied embeddings.

        Args:
            x: [..., features].

        Returns:
            [..., num_embeddings].
        """
        check_features(self, x, self.features)
        return product(x, self.weight.T)

    def _shown(self) -> list[str]:
        return [str(self.num_embeddings), str(self.features)]
