"""PyTorch's names and layouts: written out by hand, and PyTorch itself where it is installed."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.numpy

import fxla
from fxla import nn
from fxla.weights import load_torch_state, to_torch_state


def state(**shapes):
    """A state dict with different numbers everywhere; ``__`` stands for a dot."""
    rng = np.random.default_rng(0)
    return {name.replace("__", "."): rng.normal(size=shape) for name, shape in shapes.items()}


def test_linear_layers_of_other_names():
    given = state(
        fc1__weight=(5, 3), fc1__bias=(5,), fc2__weight=(5, 5), fc2__bias=(5,), out__weight=(2, 5)
    )
    model = nn.Sequential(nn.Linear(3, 5), nn.relu, nn.Linear(5, 5), nn.Linear(5, 2, bias=False))
    loaded, report = load_torch_state(model, given)
    np.testing.assert_array_equal(loaded.layers[0].weight, given["fc1.weight"].T)
    np.testing.assert_array_equal(loaded.layers[2].weight, given["fc2.weight"].T)
    np.testing.assert_array_equal(loaded.layers[2].bias, given["fc2.bias"])
    np.testing.assert_array_equal(loaded.layers[3].weight, given["out.weight"].T)
    assert report.complete and report.matched["layers[0].bias"] == "fc1.bias"
    assert not np.array_equal(model.layers[0].weight, loaded.layers[0].weight)


def test_convolutions_and_norms():
    given = state(
        conv__weight=(6, 2, 3, 5), conv__bias=(6,), up__weight=(6, 2, 3, 3), up__bias=(4,),
        bn__weight=(4,), bn__bias=(4,), bn__running_mean=(4,), bn__running_var=(4,),
        bn__num_batches_tracked=(), ln__gamma=(7,), ln__beta=(7,),
    )  # fmt: skip

    class Net(nn.Module):
        def __init__(self):
            self.conv = nn.Conv(4, 6, (3, 5), groups=2)
            self.up = nn.ConvTranspose(6, 4, 3, groups=2)
            self.norm = nn.BatchNorm(4)
            self.last = nn.LayerNorm(7)

    loaded, report = load_torch_state(Net(), given)
    weight, up = given["conv.weight"], given["up.weight"]
    for place in np.ndindex(3, 5, 2, 6):
        y, x, i, o = place
        assert loaded.conv.weight[place] == weight[o, i, y, x]
    for y, x, i, o in np.ndindex(3, 3, 3, 4):
        group = o // 2
        assert loaded.up.weight[y, x, i, o] == up[group * 3 + i, o % 2, y, x]
    np.testing.assert_array_equal(loaded.norm.var, given["bn.running_var"])
    np.testing.assert_array_equal(loaded.norm.mean, given["bn.running_mean"])
    np.testing.assert_array_equal(loaded.last.weight, given["ln.gamma"])
    assert report.ignored == ("bn.num_batches_tracked",)


@pytest.mark.parametrize("straight", [False, True], ids=["Linear", "Conv1D"])
def test_matrices_of_either_direction_are_known_by_their_biases_and_by_their_like(straight):
    shapes = {"h.0.c_attn": (4, 12), "h.0.c_proj": (4, 4), "h.0.c_fc": (4, 16), "h.0.back": (16, 4)}
    given = {}
    rng = np.random.default_rng(1)
    for name, (i, o) in shapes.items():
        given[f"{name}.weight"] = rng.normal(size=(i, o) if straight else (o, i))
        given[f"{name}.bias"] = rng.normal(size=o)

    class Block(nn.Module):
        def __init__(self):
            self.attn = nn.Linear(4, 12)
            self.proj = nn.Linear(4, 4)
            self.fc = nn.Linear(4, 16)
            self.back = nn.Linear(16, 4)

    loaded, _ = load_torch_state(nn.Sequential(Block()), given)
    for ours, theirs in (("attn", "c_attn"), ("proj", "c_proj"), ("fc", "c_fc"), ("back", "back")):
        expected = given[f"h.0.{theirs}.weight"]
        weight = getattr(loaded.layers[0], ours).weight
        np.testing.assert_array_equal(weight, expected if straight else expected.T)


@pytest.mark.parametrize("fused", [True, False])
def test_queries_keys_and_values_in_one_tensor_or_in_three(fused):
    rng = np.random.default_rng(2)
    parts = {n: (rng.normal(size=(6, 6)), rng.normal(size=6)) for n in ("query", "key", "value")}
    separate = {}
    for name, (w, b) in parts.items():
        separate |= {f"attn.{name}.weight": w, f"attn.{name}.bias": b}
    joined = {
        "attn.in_proj_weight": np.concatenate([w for w, _ in parts.values()]),
        "attn.in_proj_bias": np.concatenate([b for _, b in parts.values()]),
    }
    out = {
        "attn.out_proj.weight": rng.normal(size=(6, 6)),
        "attn.out_proj.bias": rng.normal(size=6),
    }

    class Fused(nn.Module):
        def __init__(self):
            self.qkv = nn.Linear(6, 18)
            self.out_proj = nn.Linear(6, 6)

    for given in (joined, separate):
        model = Fused() if fused else nn.MultiHeadAttention(6, 2)
        loaded, report = load_torch_state(model, {**given, **out})
        if fused:
            np.testing.assert_array_equal(loaded.qkv.weight, joined["attn.in_proj_weight"].T)
            np.testing.assert_array_equal(loaded.qkv.bias, joined["attn.in_proj_bias"])
        else:
            for ours, (w, b) in zip((loaded.q_proj, loaded.k_proj, loaded.v_proj), parts.values()):
                np.testing.assert_array_equal(ours.weight, w.T)
                np.testing.assert_array_equal(ours.bias, b)
        np.testing.assert_array_equal(loaded.out_proj.weight, out["attn.out_proj.weight"].T)
        assert report.complete


class Everything(nn.Module):
    def __init__(self):
        self.conv = nn.Conv(3, 4, 3)
        self.up = nn.ConvTranspose(4, 6, 3, groups=2)
        self.norm = nn.BatchNorm(4)
        self.embedding = nn.Embedding(7, 4)
        self.rnn = nn.LSTM(4, 4, 2, bidirectional=True)
        self.gru = nn.GRU(4, 5)
        self.attention = nn.MultiHeadAttention(4, 2)
        self.stack = [nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1))]
        self.token = fxla.numpy.ones((1, 1, 4))


def test_what_is_written_is_read(tmp_path):
    model = Everything()
    written = to_torch_state(model)
    assert {"rnn.weight_ih_l1_reverse", "attention.in_proj_weight", "norm.running_var"} <= set(
        written
    )
    assert written["rnn.weight_ih_l1"].shape == (16, 8) and "stack.1.layers.1.key" not in written
    safetensors.numpy.save_file(written, tmp_path / "x.safetensors")
    nn.seed(5)
    for source in (written, tmp_path / "x.safetensors"):
        loaded, report = load_torch_state(Everything(), source)
        for (path, ours), (_, theirs) in zip(
            loaded.named_parameters(), model.named_parameters(), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs, err_msg=path)
        assert report.complete


def test_a_model_without_values_is_enough():
    empty = fxla.eval_shape(lambda: nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5)))
    loaded, _ = load_torch_state(empty, state(fc__weight=(3, 2), fc__bias=(3,)))
    assert loaded(np.ones((1, 2)), training=True).shape == (1, 3)


def test_dtypes_are_those_of_the_model():
    model = nn.Linear(2, 3).astype("bfloat16")
    loaded, _ = load_torch_state(model, state(weight=(3, 2), bias=(3,)))
    assert loaded.weight.dtype == model.weight.dtype


def test_missing_and_extra_are_listed():
    given = state(a__weight=(3, 2), a__bias=(3,), b__weight=(9, 9), c__scale=(5,))
    model = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(8))
    with pytest.raises(ValueError, match="do not match") as caught:
        load_torch_state(model, given)
    assert str(caught.value).splitlines()[1:] == [
        "matched 2, ignored 0",
        "missing from the state dict:",
        "  layers[1].weight",
        "  layers[1].bias",
        "extra in the state dict:",
        "  b.weight",
        "  c.scale",
    ]
    loaded, report = load_torch_state(model, given, strict=False)
    assert report.missing == ("layers[1].weight", "layers[1].bias") and not report.complete
    np.testing.assert_array_equal(loaded.layers[1].weight, np.ones(8))
    np.testing.assert_array_equal(loaded.layers[0].weight, given["a.weight"].T)


@pytest.mark.parametrize("strict", [True, False])
def test_other_shapes_are_refused_with_both_names(strict):
    class Net(nn.Module):
        def __init__(self):
            self.body = nn.Linear(2, 3)
            self.fc = nn.Linear(3, 10)

    given = state(body__weight=(3, 2), body__bias=(3,), fc__weight=(7, 3), fc__bias=(7,))
    with pytest.raises(ValueError, match="shapes differ") as caught:
        load_torch_state(Net(), given, strict=strict)
    assert "fc.weight wants [10,3], fc.weight is [7,3]" in str(caught.value)
    assert "fc.bias wants [10], fc.bias is [7]" in str(caught.value)


class Twins(nn.Module):
    def __init__(self):
        self.left = nn.Linear(3, 3)
        self.right = nn.Linear(3, 3)


def test_what_could_be_either_is_not_guessed():
    given = state(foo__weight=(3, 3), foo__bias=(3,), bar__weight=(3, 3), bar__bias=(3,))
    with pytest.raises(ValueError, match=r"left.weight: (bar|foo).weight or (bar|foo).weight"):
        load_torch_state(Twins(), given)
    model = Twins()
    loaded, report = load_torch_state(model, given, strict=False)
    assert set(report.ambiguous) == {"left.weight", "left.bias", "right.weight", "right.bias"}
    assert loaded.left.weight is model.left.weight
    for rename in ({"foo": "right", "bar": "left"}, lambda n: n.replace("foo", "right")):
        loaded, _ = load_torch_state(model, given, rename=rename)
        np.testing.assert_array_equal(loaded.right.weight, given["foo.weight"].T)
        np.testing.assert_array_equal(loaded.left.bias, given["bar.bias"])


def test_names_that_differ_in_numbers_are_taken_in_order():
    given = state(lin_10__weight=(3, 3), lin_10__bias=(3,), lin_9__weight=(3, 3), lin_9__bias=(3,))
    loaded, _ = load_torch_state(Twins(), given)
    np.testing.assert_array_equal(loaded.left.weight, given["lin_9.weight"].T)
    np.testing.assert_array_equal(loaded.right.weight, given["lin_10.weight"].T)


def test_copies_of_a_tied_weight_are_no_extras():
    given = state(wte__weight=(5, 4))
    given["lm_head.weight"] = given["wte.weight"].copy()
    loaded, report = load_torch_state(nn.Sequential(nn.Embedding(5, 4)), given)
    np.testing.assert_array_equal(loaded.layers[0].weight, given["wte.weight"])
    assert report.complete and len(report.ignored) == 1


def test_what_is_no_state_dict_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"pickled objects.*torch\.load"):
        load_torch_state(nn.Linear(2, 3), tmp_path / "pytorch_model.bin")
    with pytest.raises(TypeError, match="expected a dict of tensors or a path, got int"):
        load_torch_state(nn.Linear(2, 3), 3)
    with pytest.raises(TypeError, match="'w' is no tensor but object"):
        load_torch_state(nn.Linear(2, 3), {"w": object()})


def test_state_of_pytorch_itself_and_back():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    T = torch.nn

    class Theirs(T.Module):
        def __init__(self):
            super().__init__()
            self.embedding = T.Embedding(7, 4)
            self.rnn = T.LSTM(4, 4, 2, batch_first=True, bidirectional=True)
            self.gru = T.GRU(8, 5, batch_first=True)
            self.block = T.TransformerEncoderLayer(5, 1, 6, batch_first=True)
            self.fc = T.Linear(5, 5).to(torch.bfloat16)

        def forward(self, x):
            x = self.block(self.gru(self.rnn(self.embedding(x))[0])[0])
            return self.fc.weight.float() @ x.mean(1)[0] + self.fc.bias.float()

    class Ours(nn.Module):
        def __init__(self):
            self.embedding = nn.Embedding(7, 4)
            self.rnn = nn.LSTM(4, 4, 2, bidirectional=True)
            self.gru = nn.GRU(8, 5)
            self.block = nn.TransformerEncoderLayer(5, 1, 6)
            self.fc = nn.Linear(5, 5)

        def __call__(self, x):
            x = self.block(self.gru(self.rnn(self.embedding(x))[0])[0])
            return self.fc(x.mean(1)[0])

    theirs = Theirs().eval()
    tokens = np.array([[1, 2, 3, 6]])
    with fxla.default_dtype("float32"):
        ours, report = load_torch_state(Ours(), theirs.state_dict())
    assert report.complete
    with torch.no_grad():
        expected = theirs(torch.from_numpy(tokens)).numpy()
    np.testing.assert_allclose(ours(tokens), expected, atol=1e-5)

    other = Theirs().eval()
    written = {k: torch.as_tensor(v) for k, v in to_torch_state(ours).items()}
    other.load_state_dict(written, strict=True)
    with torch.no_grad():
        np.testing.assert_allclose(other(torch.from_numpy(tokens)).numpy(), expected, atol=1e-6)
