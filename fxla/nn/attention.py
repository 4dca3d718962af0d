"""Attention: averages of values, weighted by how queries and keys agree."""

from __future__ import annotations

import math
from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.core.dtypes import finfo_of, float32
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.nn.normalisation import softmax
from fxla.numpy.operands import as_value, promote_inexact

__all__ = ["dot_product_attention"]

_CALL = "nn.dot_product_attention"


def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    *,
    scale: float | None = None,
    is_causal: bool = False,
    query_seq_lengths: Any = None,
    key_value_seq_lengths: Any = None,
    local_window_size: int | tuple[int, int] | None = None,
    implementation: str | None = None,
) -> Any:
    """``softmax(scale query key^T + bias) value`` for each head.

    Vaswani et al.: "Attention is all you need" (arXiv:1706.03762). Queries of several heads may
    share keys and values: Ainslie et al., "Grouped-query attention" (arXiv:2305.13245).

    Args:
        query: [B, T, N, H] (batch, query positions, heads, features), or [T, N, H].
        key: [B, S, K, H], or [S, K, H]; K divides N, and head n goes with key head n // (N / K).
        value: like `key`.
        bias: added to the logits; broadcasts to [B, N, T, S].
        mask: boolean, true where a query may see a key; broadcasts to [B, N, T, S].
        scale: of the logits; default ``1 / sqrt(H)``.
        is_causal: let a query see keys at its own and earlier positions only.
        query_seq_lengths: int[B]; results beyond them are 0.
        key_value_seq_lengths: int[B]; keys beyond them are not seen.
        local_window_size: how many keys before and after its own position a query sees.
        implementation: accepted for compatibility with JAX.

    Returns:
        An array like `query`, with the features of `value`. A query that sees no key gets the mean
        of all values, as in JAX.

    Raises:
        ValueError: if the shapes do not fit.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import nn
        >>> q, kv = fnp.zeros((1, 1, 1, 2)), fnp.arange(4.0).reshape(1, 2, 1, 2)
        >>> nn.dot_product_attention(q, kv, kv)
        Array([[[[1., 2.]]]])
    """
    del implementation
    query, key, value = promote_inexact(_CALL, *[as_value(x, _CALL) for x in (query, key, value)])
    single = typeof(query).ndim == 3
    if single:
        query, key, value = (x[None] for x in (query, key, value))
    _check(query, key, value)
    batch, t, heads, features = typeof(query).shape
    s, groups = typeof(key).shape[1:3]
    each = heads // groups
    dtype = typeof(query).dtype
    work = dtype if dtype.itemsize >= 4 else float32

    split = fnp.transpose(query.reshape(batch, t, groups, each, features), (0, 2, 3, 1, 4))
    logits = lax.dot_general(  # [B, K, N / K, T, S]
        split, key, (((4,), (3,)), ((0, 1), (0, 2))), preferred_element_type=work
    )
    logits = logits * (1 / math.sqrt(features) if scale is None else scale)
    if bias is not None:
        logits = logits + _grouped(bias, groups, each)
    seen = _positions_seen(t, s, is_causal, local_window_size)
    if key_value_seq_lengths is not None:
        short = fnp.arange(s) < fnp.asarray(key_value_seq_lengths)[:, None]
        seen = [*seen, short[:, None, None, None, :]]
    if mask is not None:
        seen = [*seen, _grouped(mask, groups, each)]
    for allowed in seen:
        # A large number, not -inf: a query that sees no key would have 0/0 weights.
        logits = fnp.where(allowed, logits, -0.7 * float(finfo_of(work).max))
    weights = fnp.asarray(softmax(logits), dtype=dtype)
    out = lax.dot_general(weights, value, (((4,), (1,)), ((0, 1), (0, 2))))  # [B, K, N/K, T, H]
    out = fnp.transpose(out, (0, 3, 1, 2, 4)).reshape(batch, t, heads, -1)
    if query_seq_lengths is not None:
        inside = fnp.arange(t) < fnp.asarray(query_seq_lengths)[:, None]
        out = fnp.where(inside[:, :, None, None], out, 0)
    return out[0] if single else out


def _check(query: Value, key: Value, value: Value) -> None:
    q, k, v = (typeof(x) for x in (query, key, value))
    fits = (
        q.ndim == k.ndim == v.ndim == 4
        and q.shape[0] == k.shape[0] == v.shape[0]
        and q.shape[3] == k.shape[3]
        and k.shape[1:3] == v.shape[1:3]
        and k.shape[2] > 0
        and q.shape[2] % k.shape[2] == 0
    )
    if not fits:
        raise ShapeError(
            f"{_CALL}: query [B, T, N, H], key and value [B, S, K, H] with K dividing N do not fit "
            f"{q}, {k}, {v}{where_am_i()}"
        )


def _grouped(x: Any, groups: int, each: int) -> Value:
    """An array that broadcasts to [B, N, T, S] as one that does to [B, K, N / K, T, S]."""
    x = as_value(x, _CALL)
    shape = (1,) * (4 - typeof(x).ndim) + typeof(x).shape
    heads = (groups, each) if shape[1] != 1 else (1, 1)
    return fnp.reshape(x, (shape[0], *heads, *shape[2:]))


def _positions_seen(
    t: int, s: int, is_causal: bool, window: int | tuple[int, int] | None
) -> list[Value]:
    """Boolean [T, S] arrays: which key positions each query position may see."""
    seen: list[Any] = []
    ahead = fnp.arange(s)[None, :] - fnp.arange(t)[:, None]
    if is_causal:
        seen.append(ahead <= 0)
    if window is not None:
        before, after = (window, window) if isinstance(window, int) else window
        seen.append((ahead >= -before) & (ahead <= after))
    return seen
