"""Each layer beside PyTorch's: results and gradients to 1e-5 in float32."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import nn

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
T = torch.nn

F32 = {"dtype": np.float32}
RNG = np.random.default_rng(0)


def given(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def last(x):
    """Channels first to channels last."""
    return np.moveaxis(x, 1, -1)


def kernel(w):
    """PyTorch's [out, in, *spatial] to [*spatial, in, out]."""
    return np.moveaxis(w, (0, 1), (-1, -2))


def transposed_kernel(groups):
    def convert(w):
        parts = [np.moveaxis(p, (0, 1), (-2, -1)) for p in np.split(w, groups)]
        return np.concatenate(parts, axis=-1)

    return convert


def transposed(w):
    return w.T


def same(w):
    return w


AFFINE = {"weight": ("weight", same), "bias": ("bias", same)}
LINEAR = {"weight": ("weight", transposed), "bias": ("bias", same)}
KERNEL = {"weight": ("weight", kernel), "bias": ("bias", same)}
NO_NAMES = {}


def recurrent(layers, directions):
    """Names of PyTorch's parameters of recurrent layers, and where they are here."""
    found = {}
    for k in range(layers):
        for d in range(directions):
            mine = f"{'reverse_cells' if d else 'cells'}[{k}]"
            theirs = f"l{k}{'_reverse' if d else ''}"
            for part in ("ih", "hh"):
                found[f"{mine}.weight_{part}"] = (f"weight_{part}_{theirs}", transposed)
                found[f"{mine}.bias_{part}"] = (f"bias_{part}_{theirs}", same)
    return found


def attention(prefix=""):
    """PyTorch's stacked projections of attention."""
    found = {
        f"{prefix}out_proj.weight": (f"{prefix}out_proj.weight", transposed),
        f"{prefix}out_proj.bias": (f"{prefix}out_proj.bias", same),
    }
    for k, name in enumerate("qkv"):
        found[f"{prefix}{name}_proj.weight"] = (
            f"{prefix}in_proj_weight",
            lambda w, k=k: np.split(w, 3)[k].T,
        )
        found[f"{prefix}{name}_proj.bias"] = (
            f"{prefix}in_proj_bias",
            lambda w, k=k: np.split(w, 3)[k],
        )
    return found


def transformer(norms, *attentions):
    found = {}
    for name in attentions:
        found |= attention(f"{name}.")
    for k in range(1, norms + 1):
        found |= {f"norm{k}.weight": (f"norm{k}.weight", same)}
        found |= {f"norm{k}.bias": (f"norm{k}.bias", same)}
    for k in (1, 2):
        found[f"linear{k}.weight"] = (f"linear{k}.weight", transposed)
        found[f"linear{k}.bias"] = (f"linear{k}.bias", same)
    return found


def case(name, mine, theirs, names, *shapes, channels=False, training=False, call=None):
    return pytest.param(mine, theirs, names, shapes, channels, training, call, id=name)


def first(result):
    return result[0]


CASES = [
    case("linear", lambda: nn.Linear(5, 3, **F32), lambda: T.Linear(5, 3), LINEAR, (4, 5)),
    case("linear-3d", lambda: nn.Linear(5, 3, **F32), lambda: T.Linear(5, 3), LINEAR, (2, 4, 5)),
    case(
        "linear-no-bias",
        lambda: nn.Linear(5, 3, bias=False, **F32),
        lambda: T.Linear(5, 3, bias=False),
        {"weight": LINEAR["weight"]},
        (4, 5),
    ),
    case(
        "bilinear",
        lambda: nn.Bilinear(5, 3, 2, **F32),
        lambda: T.Bilinear(5, 3, 2),
        AFFINE,
        (4, 5),
        (4, 3),
    ),
    *[
        case(
            f"conv{rank}d-s{stride}-p{padding}-d{dilation}-g{groups}",
            lambda r=rank, s=stride, p=padding, d=dilation, g=groups: nn.Conv(
                4, 6, (3,) * r, s, p, d, g, **F32
            ),
            lambda r=rank, s=stride, p=padding, d=dilation, g=groups: getattr(T, f"Conv{r}d")(
                4, 6, 3, s, p, d, g
            ),
            KERNEL,
            (2, 4, *(9, 8, 7)[:rank]),
            channels=True,
        )
        for rank, stride, padding, dilation, groups in [
            (1, 1, 0, 1, 1),
            (1, 2, 1, 2, 2),
            (2, 1, 0, 1, 1),
            (2, 2, 1, 1, 1),
            (2, 1, 2, 2, 1),
            (2, 1, 1, 1, 2),
            (3, 1, 0, 1, 1),
            (3, 2, 1, 1, 2),
        ]
    ],
    case(
        "conv2d-depthwise",
        lambda: nn.Conv2d(4, 8, 3, groups=4, **F32),
        lambda: T.Conv2d(4, 8, 3, groups=4),
        KERNEL,
        (2, 4, 6, 6),
        channels=True,
    ),
    case(
        "conv2d-channels-first",
        lambda: nn.Conv(4, 6, 3, channels="first", **F32),
        lambda: T.Conv2d(4, 6, 3),
        KERNEL,
        (2, 4, 6, 5),
    ),
    *[
        case(
            f"conv_transpose{rank}d-s{stride}-p{padding}-o{more}-g{groups}-d{dilation}",
            lambda r=rank, s=stride, p=padding, o=more, g=groups, d=dilation: nn.ConvTranspose(
                4, 6, (3,) * r, s, p, d, g, output_padding=o, **F32
            ),
            lambda r=rank, s=stride, p=padding, o=more, g=groups, d=dilation: getattr(
                T, f"ConvTranspose{r}d"
            )(4, 6, 3, s, p, o, g, dilation=d),
            {"weight": ("weight", transposed_kernel(groups)), "bias": ("bias", same)},
            (2, 4, *(5, 4, 3)[:rank]),
            channels=True,
        )
        for rank, stride, padding, more, groups, dilation in [
            (1, 1, 0, 0, 1, 1),
            (2, 2, 1, 1, 1, 1),
            (2, 1, 1, 0, 2, 2),
            (3, 2, 0, 0, 1, 1),
        ]
    ],
    case("layer_norm", lambda: nn.LayerNorm(5, **F32), lambda: T.LayerNorm(5), AFFINE, (3, 4, 5)),
    case(
        "layer_norm-2d",
        lambda: nn.LayerNorm((4, 5), **F32),
        lambda: T.LayerNorm((4, 5)),
        AFFINE,
        (3, 4, 5),
    ),
    case(
        "rms_norm",
        lambda: nn.RMSNorm(5, eps=1e-6, **F32),
        lambda: T.RMSNorm(5, eps=1e-6),
        {"weight": ("weight", same)},
        (3, 4, 5),
    ),
    case(
        "group_norm",
        lambda: nn.GroupNorm(2, 6, **F32),
        lambda: T.GroupNorm(2, 6),
        AFFINE,
        (3, 6, 4, 5),
        channels=True,
    ),
    case(
        "instance_norm",
        lambda: nn.InstanceNorm(6, affine=True, **F32),
        lambda: T.InstanceNorm2d(6, affine=True),
        AFFINE,
        (3, 6, 4, 5),
        channels=True,
    ),
    *[
        case(
            f"batch_norm-{'train' if training else 'eval'}-{axes}",
            lambda: nn.BatchNorm(6, **F32),
            {0: lambda: T.BatchNorm1d(6), 2: lambda: T.BatchNorm2d(6)}[axes],
            AFFINE,
            (3, 6, *(4, 5)[:axes]),
            channels=True,
            training=training,
        )
        for training in (True, False)
        for axes in (0, 2)
    ],
    case(
        "batch_norm-channels-first",
        lambda: nn.BatchNorm(6, channels="first", **F32),
        lambda: T.BatchNorm2d(6),
        AFFINE,
        (3, 6, 4, 5),
        training=True,
    ),
    *[
        case(
            f"{mine}-{window}-{stride}-{padding}",
            lambda m=mine, w=window, s=stride, p=padding: getattr(nn, m)(w, s, p),
            lambda t=theirs, w=window, s=stride, p=padding: getattr(T, t)(w, s, p),
            NO_NAMES,
            (2, 3, 8, 7),
            channels=True,
        )
        for mine, theirs in (("MaxPool", "MaxPool2d"), ("AvgPool", "AvgPool2d"))
        for window, stride, padding in [(2, None, 0), (3, 2, 1), ((3, 2), (1, 2), (1, 0))]
    ],
    case(
        "avg_pool-without-padding",
        lambda: nn.AvgPool(3, 2, 1, count_include_pad=False),
        lambda: T.AvgPool2d(3, 2, 1, count_include_pad=False),
        NO_NAMES,
        (2, 3, 8, 7),
        channels=True,
    ),
    *[
        case(
            f"{mine}-{size}",
            lambda m=mine, z=size: getattr(nn, m)(z),
            lambda t=theirs, z=size: getattr(T, t)(z),
            NO_NAMES,
            (2, 3, 8, 7),
            channels=True,
        )
        for mine, theirs in (
            ("AdaptiveAvgPool", "AdaptiveAvgPool2d"),
            ("AdaptiveMaxPool", "AdaptiveMaxPool2d"),
        )
        for size in (1, 3, (5, 2))
    ],
    *[
        case(name, mine, theirs, NO_NAMES, (3, 5))
        for name, mine, theirs in [
            ("relu", nn.ReLU, T.ReLU),
            ("relu6", nn.ReLU6, T.ReLU6),
            ("gelu", lambda: nn.GELU(approximate=False), T.GELU),
            ("gelu-tanh", nn.GELU, lambda: T.GELU("tanh")),
            ("silu", nn.SiLU, T.SiLU),
            ("elu", nn.ELU, T.ELU),
            ("selu", nn.SELU, T.SELU),
            ("mish", nn.Mish, T.Mish),
            ("tanh", nn.Tanh, T.Tanh),
            ("sigmoid", nn.Sigmoid, T.Sigmoid),
            ("softplus", nn.Softplus, T.Softplus),
            ("leaky_relu", nn.LeakyReLU, T.LeakyReLU),
            ("softmax", nn.Softmax, lambda: T.Softmax(-1)),
            ("log_softmax", nn.LogSoftmax, lambda: T.LogSoftmax(-1)),
            ("flatten", nn.Flatten, T.Flatten),
        ]
    ],
    case(
        "prelu",
        lambda: nn.PReLU(5, **F32),
        lambda: T.PReLU(5),
        {"slope": ("weight", same)},
        (4, 5),
    ),
    *[
        case(
            f"{kind.lower()}-{layers}-{'bi' if both else 'uni'}",
            lambda k=kind, n=layers, b=both: getattr(nn, k)(5, 4, n, bidirectional=b, **F32),
            lambda k=kind, n=layers, b=both: getattr(T, k)(
                5, 4, n, bidirectional=b, batch_first=True
            ),
            recurrent(layers, 1 + both),
            (3, 6, 5),
            call=first,
        )
        for kind in ("RNN", "GRU", "LSTM")
        for layers, both in ((1, False), (2, True))
    ],
    case(
        "attention",
        lambda: nn.MultiHeadAttention(8, 2, **F32),
        lambda: T.MultiheadAttention(8, 2, batch_first=True),
        attention(),
        (3, 4, 8),
        (3, 5, 8),
        (3, 5, 8),
        call=lambda r: r[0] if isinstance(r, tuple) else r,
    ),
    *[
        case(
            f"encoder-{'pre' if pre else 'post'}",
            lambda p=pre: nn.TransformerEncoderLayer(8, 2, 16, 0.0, norm_first=p, **F32),
            lambda p=pre: T.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True, norm_first=p),
            transformer(2, "self_attn"),
            (3, 4, 8),
        )
        for pre in (False, True)
    ],
    *[
        case(
            f"decoder-{'pre' if pre else 'post'}",
            lambda p=pre: nn.TransformerDecoderLayer(8, 2, 16, 0.0, norm_first=p, **F32),
            lambda p=pre: T.TransformerDecoderLayer(8, 2, 16, 0.0, batch_first=True, norm_first=p),
            transformer(3, "self_attn", "multihead_attn"),
            (3, 4, 8),
            (3, 5, 8),
            call="causal",
        )
        for pre in (False, True)
    ],
]


COMPILED = (nn.Linear, nn.BatchNorm, nn.LayerNorm, nn.GRU, nn.MultiHeadAttention, nn.MaxPool)
"""The others are compiled in the tests of what they are made of."""


def close(mine, theirs, what):
    mine, theirs = np.asarray(mine), np.asarray(theirs)
    assert mine.shape == theirs.shape, what
    assert np.abs(mine - theirs).max() <= 1e-5 * max(1.0, np.abs(theirs).max()), what


@pytest.mark.parametrize("mine, theirs, names, shapes, channels, training, call", CASES)
def test_result_and_gradients(mine, theirs, names, shapes, channels, training, call):
    torch.manual_seed(0)
    layer, peer = mine(), theirs()
    peer.train(training)
    values = dict(peer.named_parameters())
    with torch.no_grad():  # norms start with ones and zeros, which would show little
        for p in values.values():
            p.copy_(torch.from_numpy(given(*p.shape)) * 0.5)
    layer = nn.replace(
        layer,
        {path: fnp.asarray(f(values[n].detach().numpy())) for path, (n, f) in names.items()},
    )
    assert {path for path, _ in layer.named_parameters()} == set(names)
    xs = [given(*shape) for shape in shapes]
    arrange = last if channels else same
    options = (
        {"tgt_mask": T.Transformer.generate_square_subsequent_mask(4)} if call == "causal" else {}
    )
    pick = call if callable(call) else same

    theirs_in = [torch.from_numpy(x).requires_grad_() for x in xs]
    theirs_out = pick(peer(*theirs_in, **options))
    weights = given(*theirs_out.shape)
    (theirs_out * torch.from_numpy(weights)).sum().backward()

    def loss(layer, *inputs):
        y = pick(layer(*inputs, training=training))
        return (y * arrange(weights)).sum(), y

    step = fxla.value_and_grad(loss, tuple(range(1 + len(xs))), has_aux=True)
    if type(layer) in COMPILED:
        step = fxla.jit(step)
    (_, y), gradients = step(layer, *[np.ascontiguousarray(arrange(x)) for x in xs])
    assert y.dtype == np.float32
    close(y, arrange(theirs_out.detach().numpy()), "result")
    for k, x in enumerate(theirs_in):
        close(gradients[1 + k], arrange(x.grad.numpy()), f"gradient of input {k}")
    for path, (n, f) in names.items():
        close(gradients[0].at(path), f(values[n].grad.numpy()), f"gradient of {path}")
    if hasattr(peer, "running_mean") and peer.running_mean is not None:
        close(layer.mean, peer.running_mean.numpy(), "running mean")
        close(layer.var, peer.running_var.numpy(), "running variance")


def test_embedding():
    layer, peer = nn.Embedding(10, 4, **F32), T.Embedding(10, 4)
    layer = nn.replace(layer, weight=fnp.asarray(peer.weight.detach().numpy()))
    at = np.array([[1, 2, 2], [9, 0, 1]])
    out = peer(torch.from_numpy(at))
    weights = given(*out.shape)
    (out * torch.from_numpy(weights)).sum().backward()
    gradient = fxla.grad(lambda layer: (layer(at) * weights).sum())(layer)
    close(layer(at), out.detach().numpy(), "result")
    close(gradient.weight, peer.weight.grad.numpy(), "gradient")


@pytest.mark.parametrize("kind", ["RNNCell", "GRUCell", "LSTMCell"])
def test_cells(kind):
    layer, peer = getattr(nn, kind)(5, 4, **F32), getattr(T, kind)(5, 4)
    values = dict(peer.named_parameters())
    layer = nn.replace(layer, {n: fnp.asarray(v.detach().numpy().T) for n, v in values.items()})
    x, h, c = given(3, 5), given(3, 4), given(3, 4)
    state = (h, c) if kind == "LSTMCell" else h
    mine = layer(x, state)
    theirs = peer(torch.from_numpy(x), fxla.tree.map(torch.from_numpy, state))
    for a, b in zip(fxla.tree.leaves(mine), theirs if kind == "LSTMCell" else [theirs]):
        close(a, b.detach().numpy(), kind)


def test_last_states_and_given_states():
    layer = nn.LSTM(5, 4, 2, bidirectional=True, **F32)
    peer = T.LSTM(5, 4, 2, bidirectional=True, batch_first=True)
    values = dict(peer.named_parameters())
    names = recurrent(2, 2)
    layer = nn.replace(
        layer, {p: fnp.asarray(f(values[n].detach().numpy())) for p, (n, f) in names.items()}
    )
    x, state = given(3, 6, 5), (given(4, 3, 4), given(4, 3, 4))
    y, (h, c) = layer(x, state)
    theirs, ends = peer(torch.from_numpy(x), tuple(torch.from_numpy(s) for s in state))
    close(y, theirs.detach().numpy(), "outputs")
    close(h, ends[0].detach().numpy(), "h")
    close(c, ends[1].detach().numpy(), "c")


def test_masks_of_attention():
    layer, peer = nn.MultiHeadAttention(8, 2, **F32), T.MultiheadAttention(8, 2, batch_first=True)
    values = dict(peer.named_parameters())
    layer = nn.replace(
        layer, {p: fnp.asarray(f(values[n].detach().numpy())) for p, (n, f) in attention().items()}
    )
    x = given(3, 4, 8)
    seen = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]], bool)
    t = torch.from_numpy(x)
    causal = torch.triu(torch.ones(4, 4, dtype=torch.bool), 1)
    theirs, _ = peer(t, t, t, key_padding_mask=torch.from_numpy(~seen), attn_mask=causal)
    close(layer(x, mask=seen[:, None, None], is_causal=True), theirs.detach().numpy(), "masked")
