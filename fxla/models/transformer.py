"""What transformers are made of: attention of a sequence to itself, and a block.

Vaswani et al. (2017), "Attention is all you need" (arXiv:1706.03762).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla import lax, nn
from fxla.core.trace import typeof
from fxla.errors import ShapeError

__all__ = ["Block", "Cache", "SelfAttention"]

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "gelu": functools.partial(nn.gelu, approximate=False),
    "gelu_new": functools.partial(nn.gelu, approximate=True),
    "relu": nn.relu,
    "silu": nn.silu,
    "tanh": fnp.tanh,
}
"""Activations by the names that configurations have for them."""


class Cache(NamedTuple):
    """Keys and values of the positions so far.

    Attributes:
        key: [batch, length, heads, features].
        value: likewise.
    """

    key: Any
    value: Any


class SelfAttention(nn.Module):
    """Attention of a sequence to itself, with several heads.

    Args:
        width: features of the sequence.
        heads: how many; they divide `width`.
        causal: whether a position sees only itself and earlier ones.

    Attributes:
        qkv: one linear layer for queries, keys and values.
        out: the linear layer after the heads.

    Example:
        >>> import fxla.numpy as np
        >>> SelfAttention(8, 2)(np.ones((1, 5, 8))).shape
        (1, 5, 8)
    """

    def __init__(self, width: int, heads: int, causal: bool = False) -> None:
        if width % heads:
            raise ShapeError(f"SelfAttention: {heads} heads do not divide a width of {width}")
        self.heads = heads
        self.causal = causal
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def __call__(self, x: Any, mask: Any = None) -> Any:
        """Attend.

        Args:
            x: [batch, length, width].
            mask: boolean [batch, length]: which positions may be seen; all if None.
        """
        query, key, value = self._projected(x)
        seen = None if mask is None else mask[:, None, None, :]
        y = nn.dot_product_attention(query, key, value, mask=seen, is_causal=self.causal)
        return self._gathered(y)

    def with_cache(self, x: Any, cache: Cache, start: Any) -> tuple[Any, Cache]:
        """Attend from new positions to them and to those in a cache.

        Args:
            x: [batch, new positions, width].
            cache: of a fixed length; positions from `start` on are not there yet.
            start: the place of the first new position, which may be traced.

        Returns:
            The result for the new positions, and the cache with them in it.
        """
        query, key, value = self._projected(x)
        at = (0, start, 0, 0)
        keys = lax.dynamic_update_slice(cache.key, key, at)
        values = lax.dynamic_update_slice(cache.value, value, at)
        new, length = typeof(x).shape[1], typeof(keys).shape[1]
        seen = fnp.arange(length)[None, :] <= start + fnp.arange(new)[:, None]
        y = nn.dot_product_attention(query, keys, values, mask=seen[None, None])
        return self._gathered(y), Cache(keys, values)

    def _projected(self, x: Any) -> tuple[Any, Any, Any]:
        batch, length, width = typeof(x).shape
        split = self.qkv(x).reshape(batch, length, 3, self.heads, width // self.heads)
        return split[:, :, 0], split[:, :, 1], split[:, :, 2]

    def _gathered(self, y: Any) -> Any:
        batch, length, heads, features = typeof(y).shape
        return self.out(y.reshape(batch, length, heads * features))


class Block(nn.Module):
    """Attention and a two-layer perceptron, each beside a shortcut.

    Args:
        width: features of the sequence.
        heads: of the attention.
        hidden: features between the two linear layers.
        activation: between them; a name in `ACTIVATIONS`.
        eps: of the normalisations.
        dropout: the share of features that training leaves out.
        causal: whether a position sees only itself and earlier ones.
        norm_first: whether what a shortcut goes around is normalised, as in GPT-2 and ViT, or the
            sum after it, as in BERT.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        activation: str,
        eps: float,
        dropout: float = 0.0,
        *,
        causal: bool = False,
        norm_first: bool = True,
    ) -> None:
        self.ln_1 = nn.LayerNorm(width, eps=eps)
        self.attn = SelfAttention(width, heads, causal)
        self.ln_2 = nn.LayerNorm(width, eps=eps)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout) if dropout else None
        self.activation = activation
        self.norm_first = norm_first

    def __call__(self, x: Any, mask: Any = None) -> Any:
        """Args: x [batch, length, width]; mask [batch, length], see `SelfAttention`."""
        if self.norm_first:
            return self._after(x, self.attn(self.ln_1(x), mask))
        x = self.ln_1(x + self._dropped(self.attn(x, mask)))
        return self.ln_2(x + self._dropped(self._perceptron(x)))

    def with_cache(self, x: Any, cache: Cache, start: Any) -> tuple[Any, Cache]:
        """New positions only; see `SelfAttention.with_cache`."""
        y, cache = self.attn.with_cache(self.ln_1(x), cache, start)
        return self._after(x, y), cache

    def _after(self, x: Any, attended: Any) -> Any:
        x = x + self._dropped(attended)
        return x + self._dropped(self._perceptron(self.ln_2(x)))

    def _perceptron(self, x: Any) -> Any:
        return self.fc2(ACTIVATIONS[self.activation](self.fc1(x)))

    def _dropped(self, x: Any) -> Any:
        return x if self.dropout is None else self.dropout(x)
