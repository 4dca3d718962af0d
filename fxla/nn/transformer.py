"""Blocks of transformers (Vaswani et al. 2017: Attention is all you need)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fxla.nn import activations
from fxla.nn.dropout import Dropout
from fxla.nn.linear import Linear
from fxla.nn.module import Module
from fxla.nn.multi_head import KeyValueCache, MultiHeadAttention
from fxla.nn.norms import LayerNorm
from fxla.nn.seeds import keys

__all__ = ["TransformerDecoderLayer", "TransformerEncoderLayer"]


class TransformerEncoderLayer(Module):
    """Self-attention and two linear layers, each beside a shortcut and normalised.

    Args:
        features: size of the last axis.
        heads: number of heads.
        hidden: features between the linear layers; default: 4 * features.
        dropout: rate of dropout, of attention's result and in the linear layers.
        activation: between the linear layers.
        norm_first: normalise what goes into attention and the linear layers (pre-norm, as in
            GPT-2) rather than the sums (post-norm, as in the paper and BERT).
        eps: of the normalisations.
        key: for the initial values; default: the next of the stream that `nn.seed` starts.
        dtype: of the parameters; default: fxla's default float.
        **attention: further arguments of `MultiHeadAttention`.

    Attributes:
        self_attn, linear1, linear2, norm1, norm2: layers, with PyTorch's names.

    A call takes [batch, steps, features], and ``mask``, ``is_causal`` and ``cache`` of
    `MultiHeadAttention`.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.TransformerEncoderLayer(16, 4)(np.ones((2, 5, 16))).shape
        (2, 5, 16)
    """

    def __init__(
        self,
        features: int,
        heads: int,
        hidden: int | None = None,
        dropout: float = 0.1,
        activation: Callable[[Any], Any] = activations.relu,
        *,
        norm_first: bool = False,
        eps: float = 1e-5,
        key: Any = None,
        dtype: Any = None,
        **attention: Any,
    ) -> None:
        hidden = 4 * features if hidden is None else hidden
        k = keys(key, 6)
        self.norm_first = norm_first
        self.activation = activation
        self.self_attn = MultiHeadAttention(features, heads, key=k[0], dtype=dtype, **attention)
        self.linear1 = Linear(features, hidden, key=k[1], dtype=dtype)
        self.linear2 = Linear(hidden, features, key=k[2], dtype=dtype)
        self.norm1 = LayerNorm(features, eps, dtype=dtype)
        self.norm2 = LayerNorm(features, eps, dtype=dtype)
        self.dropout = Dropout(dropout, key=k[3])
        self.dropout1 = Dropout(dropout, key=k[4])
        self.dropout2 = Dropout(dropout, key=k[5])

    def __call__(
        self,
        x: Any,
        mask: Any = None,
        *,
        is_causal: bool = False,
        cache: KeyValueCache | None = None,
    ) -> Any:
        options: dict[str, Any] = {"mask": mask, "is_causal": is_causal, "cache": cache}
        y = self.self_attn(self.norm1(x) if self.norm_first else x, **options)
        if cache is not None:
            y, cache = y
        x = x + self.dropout1(y)
        if self.norm_first:
            x = x + self._feed_forward(self.norm2(x))
        else:
            x = self.norm1(x)
            x = self.norm2(x + self._feed_forward(x))
        return x if cache is None else (x, cache)

    def _feed_forward(self, x: Any) -> Any:
        inner = self.dropout(self.activation(self.linear1(x)))
        return self.dropout2(self.linear2(inner))


class TransformerDecoderLayer(Module):
    """Self-attention, attention to an encoder's result, and two linear layers.

    Args:
        features: size of the last axis.
        heads: number of heads.
        hidden: features between the linear layers; default: 4 * features.
        dropout: rate of dropout, of attention's results and in the linear layers.
        activation: between the linear layers.
        norm_first: normalise what goes in rather than the sums.
        eps: of the normalisations.
        key: for the initial values; default: the next of the stream that `nn.seed` starts.
        dtype: of the parameters; default: fxla's default float.

    Attributes:
        self_attn, multihead_attn, linear1, linear2, norm1, norm2, norm3: with PyTorch's names.

    A call takes [batch, steps, features] and the encoder's result ``memory`` [batch, other steps,
    features]; ``mask``, ``is_causal`` (true by default) and ``cache`` concern self-attention,
    ``memory_mask`` the other.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> layer = nn.TransformerDecoderLayer(16, 4)
        >>> layer(np.ones((2, 5, 16)), np.ones((2, 7, 16))).shape
        (2, 5, 16)
    """

    def __init__(
        self,
        features: int,
        heads: int,
        hidden: int | None = None,
        dropout: float = 0.1,
        activation: Callable[[Any], Any] = activations.relu,
        *,
        norm_first: bool = False,
        eps: float = 1e-5,
        key: Any = None,
        dtype: Any = None,
    ) -> None:
        hidden = 4 * features if hidden is None else hidden
        k = keys(key, 8)
        self.norm_first = norm_first
        self.activation = activation
        self.self_attn = MultiHeadAttention(features, heads, key=k[0], dtype=dtype)
        self.multihead_attn = MultiHeadAttention(features, heads, key=k[1], dtype=dtype)
        self.linear1 = Linear(features, hidden, key=k[2], dtype=dtype)
        self.linear2 = Linear(hidden, features, key=k[3], dtype=dtype)
        self.norm1 = LayerNorm(features, eps, dtype=dtype)
        self.norm2 = LayerNorm(features, eps, dtype=dtype)
        self.norm3 = LayerNorm(features, eps, dtype=dtype)
        self.dropout = Dropout(dropout, key=k[4])
        self.dropout1 = Dropout(dropout, key=k[5])
        self.dropout2 = Dropout(dropout, key=k[6])
        self.dropout3 = Dropout(dropout, key=k[7])

    def __call__(
        self,
        x: Any,
        memory: Any,
        mask: Any = None,
        memory_mask: Any = None,
        *,
        is_causal: bool = True,
        cache: KeyValueCache | None = None,
    ) -> Any:
        first = self.norm_first
        options: dict[str, Any] = {"mask": mask, "is_causal": is_causal, "cache": cache}
        y = self.self_attn(self.norm1(x) if first else x, **options)
        if cache is not None:
            y, cache = y
        x = x + self.dropout1(y)
        x = x if first else self.norm1(x)
        y = self.multihead_attn(self.norm2(x) if first else x, memory, mask=memory_mask)
        x = x + self.dropout2(y)
        x = x if first else self.norm2(x)
        inner = self.dropout(self.activation(self.linear1(self.norm3(x) if first else x)))
        x = x + self.dropout3(self.linear2(inner))
        x = x if first else self.norm3(x)
        return x if cache is None else (x, cache)
