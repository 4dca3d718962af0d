"""Attention with several heads, its cache of keys and values, and rotary positions."""

from __future__ import annotations

from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla import lax
from fxla.core.trace import typeof, where_am_i
from fxla.nn.attention import dot_product_attention
from fxla.nn.checks import check_features, check_rank
from fxla.nn.dropout import Dropout
from fxla.nn.linear import Linear
from fxla.nn.module import Module
from fxla.nn.seeds import keys

__all__ = ["KeyValueCache", "MultiHeadAttention", "rotary"]


class KeyValueCache(NamedTuple):
    """Keys and values of the positions that were seen.

    Attributes:
        key: [batch, length, heads, features]; zeros where nothing was seen yet.
        value: the same.
        index: how many positions were seen, i32[].
    """

    key: Any
    value: Any
    index: Any


def rotary(x: Any, positions: Any, base: float = 10000.0) -> Any:
    """Turn pairs of features by angles proportional to the position (Su et al. 2021, RoFormer).

    The pair of feature k is k + features / 2, as in LLaMA and GPT-NeoX.

    Args:
        x: [batch, steps, heads, features], an even number of features.
        positions: [steps] or [batch, steps].
        base: the k-th angle is position * base ** (-2 k / features).

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.rotary(np.ones((1, 2, 1, 2)), np.arange(2)).round(3)[0, :, 0].tolist()
        [[1.0, 1.0], [-0.301, 1.382]]
    """
    half = typeof(x).shape[-1] // 2
    dtype = fnp.promote_types(typeof(x).dtype, fnp.float32)
    speed = fnp.asarray(base ** (-fnp.arange(half) / half), dtype)
    angle = fnp.asarray(positions)[..., None].astype(dtype) * speed
    cos, sin = fnp.cos(angle)[..., None, :], fnp.sin(angle)[..., None, :]
    a, b = x[..., :half], x[..., half:]
    return fnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1).astype(typeof(x).dtype)


class MultiHeadAttention(Module):
    """Attention of several heads (Vaswani et al. 2017), with fewer heads of keys if wanted.

    Args:
        features: size of the last axis of queries and of the result.
        heads: number of heads of queries.
        kv_heads: number of heads of keys and values, which divides `heads` (grouped queries,
            Ainslie et al. 2023); default: `heads`.
        head_features: features of a head; default: features / heads.
        kv_features: size of the last axis of keys and values; default: `features`.
        bias: whether the projections have biases.
        dropout: rate of dropout of the result.
        rotary_base: turn queries and keys by their positions, see `rotary`; None does not.
        key: for the initial values; default: the next of the stream that `nn.seed` starts.
        dtype: of the parameters; default: fxla's default float.

    Attributes:
        q_proj, k_proj, v_proj: `Linear` layers to all heads.
        out_proj: `Linear` from all heads to `features`.

    A call takes ``query`` [batch, steps, features]; ``key`` and ``value`` from elsewhere (cross
    attention; default: the query, and the key); ``mask``, true where a query may see a key, of a
    shape that broadcasts to [batch, heads, queries, keys]; ``is_causal``; and a ``cache`` of
    earlier steps, with which it returns a pair of the result and the new cache.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> attention = nn.MultiHeadAttention(16, 4, kv_heads=2)
        >>> x = np.ones((2, 5, 16))
        >>> attention(x, is_causal=True).shape
        (2, 5, 16)
        >>> cache = attention.new_cache(2, 10)
        >>> y, cache = attention(x, cache=cache)
        >>> y, cache = attention(x[:, :1], cache=cache)
        >>> y.shape, int(cache.index)
        ((2, 1, 16), 6)
    """

    def __init__(
        self,
        features: int,
        heads: int,
        *,
        kv_heads: int | None = None,
        head_features: int | None = None,
        kv_features: int | None = None,
        bias: bool = True,
        dropout: float = 0.0,
        rotary_base: float | None = None,
        key: Any = None,
        dtype: Any = None,
    ) -> None:
        kv_heads = heads if kv_heads is None else kv_heads
        if heads % kv_heads:
            raise ValueError(
                f"nn.MultiHeadAttention: {heads} heads are no multiple of "
                f"kv_heads={kv_heads}{where_am_i()}"
            )
        if head_features is None and features % heads:
            raise ValueError(
                f"nn.MultiHeadAttention: {features} features are no multiple of {heads} "
                f"heads{where_am_i()}. Give head_features, or other numbers."
            )
        self.features = features
        self.heads = heads
        self.kv_heads = kv_heads
        self.head_features = each = head_features or features // heads
        self.rotary_base = rotary_base
        kv = features if kv_features is None else kv_features
        k = keys(key, 5)
        self.q_proj = Linear(features, heads * each, bias, key=k[0], dtype=dtype)
        self.k_proj = Linear(kv, kv_heads * each, bias, key=k[1], dtype=dtype)
        self.v_proj = Linear(kv, kv_heads * each, bias, key=k[2], dtype=dtype)
        self.out_proj = Linear(heads * each, features, bias, key=k[3], dtype=dtype)
        self.dropout = Dropout(dropout, key=k[4]) if dropout else None

    def new_cache(self, batch: int, length: int, dtype: Any = None) -> KeyValueCache:
        """An empty cache for so many examples and at most `length` positions."""
        shape = (batch, length, self.kv_heads, self.head_features)
        zeros = fnp.zeros(shape, typeof(self.k_proj.weight).dtype if dtype is None else dtype)
        return KeyValueCache(zeros, fnp.zeros_like(zeros), fnp.zeros((), fnp.int32))

    def __call__(
        self,
        query: Any,
        key: Any = None,
        value: Any = None,
        *,
        mask: Any = None,
        is_causal: bool = False,
        cache: KeyValueCache | None = None,
    ) -> Any:
        key = query if key is None else key
        value = key if value is None else value
        check_rank(self, query, 3, f"[batch, steps, {self.features}]")
        check_features(self, query, self.features, "query")
        q = self._split(self.q_proj(query), self.heads)
        k = self._split(self.k_proj(key), self.kv_heads)
        v = self._split(self.v_proj(value), self.kv_heads)
        t = typeof(q).shape[1]
        start: Any = 0 if cache is None else cache.index
        if self.rotary_base is not None:
            q = rotary(q, start + fnp.arange(t), self.rotary_base)
            k = rotary(k, start + fnp.arange(typeof(k).shape[1]), self.rotary_base)
        if cache is not None:
            cache = KeyValueCache(
                lax.dynamic_update_slice_in_dim(cache.key, k.astype(cache.key.dtype), start, 1),
                lax.dynamic_update_slice_in_dim(cache.value, v.astype(cache.key.dtype), start, 1),
                start + fnp.int32(t),
            )
            k, v = cache.key, cache.value
            places = fnp.arange(typeof(k).shape[1])
            seen = places[None, :] <= start + fnp.arange(t)[:, None]
            mask = seen if mask is None else fnp.logical_and(mask, seen)
            is_causal = False
        if mask is not None:
            mask = fnp.asarray(mask)
            mask = mask.reshape((1,) * (4 - mask.ndim) + mask.shape)
        heads = dot_product_attention(q, k, v, mask=mask, is_causal=is_causal)
        y = self.out_proj(heads.reshape(*typeof(heads).shape[:2], -1))
        if self.dropout is not None:
            y = self.dropout(y)
        return y if cache is None else (y, cache)

    def _split(self, x: Any, heads: int) -> Any:
        return x.reshape(*typeof(x).shape[:2], heads, self.head_features)

    def _shown(self) -> list[str]:
        grouped = [f"kv_heads={self.kv_heads}"] if self.kv_heads != self.heads else []
        return [str(self.features), str(self.heads), *grouped]
