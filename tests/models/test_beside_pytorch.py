"""The papers' models beside PyTorch's, with torchvision's and Hugging Face's names."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import fxla
from fxla import models
from fxla.weights import load_torch_state

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
T = torch.nn


class Block(T.Module):
    """torchvision.models.resnet.Bottleneck, with its names."""

    def __init__(self, features, width, stride):
        super().__init__()
        out = 4 * width
        self.conv1 = T.Conv2d(features, width, 1, bias=False)
        self.bn1 = T.BatchNorm2d(width)
        self.conv2 = T.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = T.BatchNorm2d(width)
        self.conv3 = T.Conv2d(width, out, 1, bias=False)
        self.bn3 = T.BatchNorm2d(out)
        self.downsample = None
        if stride != 1 or features != out:
            shortcut = T.Conv2d(features, out, 1, stride, bias=False)
            self.downsample = T.Sequential(shortcut, T.BatchNorm2d(out))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(T.Module):
    def __init__(self, depths, classes):
        super().__init__()
        self.conv1 = T.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = T.BatchNorm2d(64)
        self.maxpool = T.MaxPool2d(3, 2, 1)
        features = 64
        for k, depth in enumerate(depths):
            blocks = []
            for i in range(depth):
                blocks.append(Block(features, 64 * 2**k, 2 if k and not i else 1))
                features = 4 * 64 * 2**k
            setattr(self, f"layer{k + 1}", T.Sequential(*blocks))
        self.fc = T.Linear(features, classes)

    def forward(self, x):
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return self.fc(x.mean((2, 3)))


class EncoderBlock(T.Module):
    """torchvision's block of a ViT, with its names."""

    def __init__(self, width, heads, hidden):
        super().__init__()
        self.ln_1 = T.LayerNorm(width, eps=1e-6)
        self.self_attention = T.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = T.LayerNorm(width, eps=1e-6)
        gelu = T.GELU()
        self.mlp = T.Sequential(
            T.Linear(width, hidden), gelu, T.Dropout(0.0), T.Linear(hidden, width), T.Dropout(0.0)
        )

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.self_attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Encoder(T.Module):
    def __init__(self, c):
        super().__init__()
        positions = (c.image // c.patch) ** 2 + 1
        self.pos_embedding = T.Parameter(torch.randn(1, positions, c.width))
        self.layers = T.Sequential()
        for k in range(c.layers):
            self.layers.add_module(f"encoder_layer_{k}", EncoderBlock(c.width, c.heads, c.hidden))
        self.ln = T.LayerNorm(c.width, eps=1e-6)


class ViT(T.Module):
    def __init__(self, c):
        super().__init__()
        self.class_token = T.Parameter(torch.randn(1, 1, c.width))
        self.conv_proj = T.Conv2d(3, c.width, c.patch, c.patch)
        self.encoder = Encoder(c)
        self.heads = T.Sequential()
        self.heads.add_module("head", T.Linear(c.width, c.classes))

    def forward(self, x):
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], 1) + self.encoder.pos_embedding
        return self.heads(self.encoder.ln(self.encoder.layers(x))[:, 0])


class Conv1D(T.Module):
    """Hugging Face's linear layer of GPT-2, whose weight is [in, out]."""

    def __init__(self, out, features):
        super().__init__()
        self.weight = T.Parameter(torch.randn(features, out) * 0.2)
        self.bias = T.Parameter(torch.randn(out) * 0.1)

    def forward(self, x):
        return x @ self.weight + self.bias


class Attention(T.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.c_attn = Conv1D(3 * width, width)
        self.c_proj = Conv1D(width, width)
        self.register_buffer("bias", torch.tril(torch.ones(1, 1, 64, 64)))

    def forward(self, x):
        b, t, w = x.shape
        q, k, v = (y.view(b, t, self.heads, -1).transpose(1, 2) for y in self.c_attn(x).split(w, 2))
        y = T.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).reshape(b, t, w))


class GPTBlock(T.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.ln_1 = T.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.ln_2 = T.LayerNorm(width)
        self.mlp = T.Module()
        self.mlp.c_fc = Conv1D(4 * width, width)
        self.mlp.c_proj = Conv1D(width, 4 * width)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        y = T.functional.gelu(self.mlp.c_fc(self.ln_2(x)), approximate="tanh")
        return x + self.mlp.c_proj(y)


class GPT2(T.Module):
    """transformers.GPT2LMHeadModel, with its names."""

    def __init__(self, c):
        super().__init__()
        self.transformer = T.Module()
        self.transformer.wte = T.Embedding(c.vocabulary, c.width)
        self.transformer.wpe = T.Embedding(c.context, c.width)
        self.transformer.h = T.ModuleList([GPTBlock(c.width, c.heads) for _ in range(c.layers)])
        self.transformer.ln_f = T.LayerNorm(c.width)
        self.lm_head = T.Linear(c.width, c.vocabulary, bias=False)
        self.lm_head.weight = self.transformer.wte.weight

    def forward(self, tokens):
        t = self.transformer
        x = t.wte(tokens) + t.wpe(torch.arange(tokens.shape[1]))
        for block in t.h:
            x = block(x)
        return self.lm_head(t.ln_f(x))


def shaken(module):
    """No parameter keeps ones or zeros, which would hide that two were exchanged."""
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for x in [*module.parameters(), *module.buffers()]:
            if x.ndim == 1 and x.dtype == torch.float32:
                x.add_(torch.as_tensor(rng.uniform(0.0, 0.3, x.shape).astype("f4")))
    return module


VIT = models.ViTConfig(image=16, patch=4, classes=5, width=24, layers=3, heads=3, hidden=40)
GPT = models.GPT2Config(vocabulary=17, context=12, width=16, layers=11, heads=2, dropout=0.0)
IMAGES = np.random.default_rng(1).normal(size=(2, 16, 16, 3)).astype("f4")
PHOTOS = np.random.default_rng(2).normal(size=(2, 40, 40, 3)).astype("f4")
TOKENS = np.random.default_rng(3).integers(0, 17, (2, 9))
CASES = {
    "resnet": (
        functools.partial(ResNet, [1, 2, 1, 1], 7),
        lambda: models.ResNet(models.resnet.Bottleneck, [1, 2, 1, 1], 7),
        PHOTOS,
    ),
    "vit": (functools.partial(ViT, VIT), functools.partial(models.ViT, VIT), IMAGES),
    "gpt2": (functools.partial(GPT2, GPT), functools.partial(models.GPT2, GPT), TOKENS),
}


@pytest.mark.parametrize("name", CASES)
def test_results_and_gradients_are_pytorch_s(name):
    make_theirs, make_ours, x = CASES[name]
    torch.manual_seed(0)
    theirs = shaken(make_theirs()).eval()
    with fxla.default_dtype("float32"):
        ours, report = load_torch_state(make_ours(), theirs.state_dict())
    assert report.complete
    given = torch.as_tensor(np.moveaxis(x, -1, 1).copy() if x.ndim == 4 else x)
    out = theirs(given)
    np.testing.assert_allclose(ours(x), out.detach().numpy(), rtol=1e-4, atol=1e-4)

    weights = np.random.default_rng(4).normal(size=out.shape).astype("f4")
    (out * torch.as_tensor(weights)).sum().backward()
    slopes = fxla.jit(fxla.grad(lambda model, x: (model(x) * weights).sum()))(ours, x)
    gradients = {path: g for path, g in slopes.named_parameters() if g is not None}
    expected = {k: p.grad.numpy() for k, p in theirs.named_parameters()}
    shown = {path: n for path, n in report.matched.items() if n in expected and path in gradients}
    assert len(shown) > 0.8 * len(expected)
    known = theirs.state_dict()
    known.pop("lm_head.weight", None)  # it is the embedding's
    ours_of_theirs = load_torch_state(ours, {**known, **expected})[0]
    scale = max(float(np.abs(g).max()) for g in expected.values())
    for path, value in ours_of_theirs.named_parameters():
        np.testing.assert_allclose(
            gradients[path], value, rtol=2e-3, atol=1e-5 * scale, err_msg=path
        )
