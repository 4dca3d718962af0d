"""Attention against a loop over batch, heads and positions."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import nn
from tests.lax.checks import agree, forms_agree, gradients_agree

RNG = np.random.default_rng(3)
B, T, S, N, H = 2, 4, 5, 4, 3


def draw(kv_heads=N, s=S):
    shapes = [(B, T, N, H), (B, s, kv_heads, H), (B, s, kv_heads, H)]
    return [RNG.standard_normal(shape) for shape in shapes]


def reference(q, k, v, bias=None, mask=None, scale=None):
    out = np.zeros_like(q)
    each = N // k.shape[2]
    scale = 1 / np.sqrt(H) if scale is None else scale
    s = k.shape[1]
    bias = np.broadcast_to(0.0 if bias is None else bias, (B, N, T, s))
    mask = np.broadcast_to(True if mask is None else mask, (B, N, T, s))
    for b in range(B):
        for n in range(N):
            for t in range(T):
                logits = k[b, :, n // each] @ q[b, t, n] * scale + bias[b, n, t]
                logits = np.where(mask[b, n, t], logits, -1e300)
                weights = np.exp(logits - logits.max())
                out[b, t, n] = weights / weights.sum() @ v[b, :, n // each]
    return out


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_value_and_derivatives(kv_heads):
    q, k, v = draw(kv_heads)
    agree(nn.dot_product_attention, reference, q, k, v)
    gradients_agree(nn.dot_product_attention, q, k, v, rtol=1e-7)


@pytest.mark.parametrize("shape", [(B, N, T, S), (1, N, T, S), (B, 1, 1, S), (1, 1, T, S), (T, S)])
def test_bias_and_mask_broadcast(shape):
    q, k, v = draw(2)
    bias = RNG.standard_normal(shape)
    mask = RNG.random(shape) < 0.7
    mask[..., 0] = True
    agree(
        lambda *xs: nn.dot_product_attention(*xs, bias=bias, mask=mask, scale=0.3),
        lambda *xs: reference(*xs, bias, mask, 0.3), q, k, v,
    )  # fmt: skip
    gradients_agree(
        lambda q, b: nn.dot_product_attention(q, k, v, bias=b, mask=mask), q, bias, rtol=1e-7
    )


def test_positions():
    q, k, v = draw()
    ahead = np.arange(S)[None] - np.arange(T)[:, None]
    cases = [
        ({"is_causal": True}, ahead <= 0),
        ({"local_window_size": 1}, abs(ahead) <= 1),
        ({"local_window_size": (2, 0)}, (ahead <= 0) & (ahead >= -2)),
    ]
    for options, mask in cases:
        agree(
            lambda *xs, o=options: nn.dot_product_attention(*xs, **o),
            lambda *xs, m=mask: reference(*xs, mask=m), q, k, v,
        )  # fmt: skip


def test_lengths():
    q, k, v = draw()
    lengths = np.array([2, 4])
    out = nn.dot_product_attention(
        q, k, v, query_seq_lengths=np.array([1, 3]), key_value_seq_lengths=lengths
    )
    mask = (np.arange(S) < lengths[:, None])[:, None, None]
    expected = reference(q, k, v, mask=mask)
    expected[0, 1:], expected[1, 3:] = 0, 0
    np.testing.assert_allclose(out, expected, rtol=1e-12)


def test_a_query_that_sees_nothing_has_finite_derivatives():
    q, k, v = draw()
    mask = np.zeros((T, S), bool)
    f = lambda q, k, v: nn.dot_product_attention(q, k, v, mask=mask)  # noqa: E731
    np.testing.assert_allclose(f(q, k, v), np.broadcast_to(v.mean(1)[:, None], q.shape))
    for g in fxla.jit(fxla.grad(lambda *xs: f(*xs).sum(), (0, 1, 2)))(q, k, v):
        assert np.isfinite(g).all()


def test_one_example_without_a_batch_axis():
    q, k, v = draw()
    out = nn.dot_product_attention(q[0], k[0], v[0])
    np.testing.assert_allclose(out, reference(q, k, v)[0], rtol=1e-12)
    forms_agree(nn.dot_product_attention, q[0], k[0], v[0])


def test_low_precision_keeps_its_dtype():
    q, k, v = (fnp.asarray(x).astype("bfloat16") for x in draw())
    out = nn.dot_product_attention(q, k, v)
    assert out.dtype == q.dtype
    exact = reference(*(np.asarray(x, np.float64) for x in (q, k, v)))
    np.testing.assert_allclose(np.asarray(out, np.float64), exact, atol=2e-2)


def test_shapes_that_do_not_fit():
    q, k, v = draw(3)
    with pytest.raises(ValueError, match="do not fit"):
        nn.dot_product_attention(q, k, v)
