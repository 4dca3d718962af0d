"""How many parameters the papers' models have."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla import models, nn

COUNTS = {
    "resnet18": (models.resnet18, 11_689_512),
    "resnet34": (models.resnet34, 21_797_672),
    "resnet50": (models.resnet50, 25_557_032),
    "vit_b_16": (lambda: models.ViT(models.ViTConfig.base()), 86_567_656),
    "gpt2": (lambda: models.GPT2(models.GPT2Config()), 124_439_808),
    "gpt2-xl": (lambda: models.GPT2(models.GPT2Config.named("gpt2-xl")), 1_557_611_200),
    "bert-base": (lambda: models.Bert(models.BertConfig()), 109_482_240),
    "lenet": (models.LeNet, 61_706),
    "mlp": (lambda: models.MLP([784, 128, 10]), 101_770),
    "cnn": (models.CNN, 421_642),
}


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_are_as_many_as_the_papers_say(name):
    make, count = COUNTS[name]
    assert nn.parameter_count(fxla.eval_shape(make)) == count


@pytest.mark.parametrize(
    ("make", "image"),
    [(models.LeNet, (28, 28, 1)), (models.CNN, (28, 28, 1)), (lambda: models.MLP([9, 4, 2]), (9,))],
    ids=["lenet", "cnn", "mlp"],
)
def test_small_models_learn(make, image):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, *image)).astype("f4"), np.arange(8) % 2

    def loss(model, x, y):
        logits = model(x, training=True)
        return -nn.log_softmax(logits)[np.arange(8), y].mean()

    @fxla.jit
    def step(model, x, y):
        value, slope = fxla.value_and_grad(loss)(model, x, y)
        updates = fxla.tree.map(lambda g: -0.05 * g, slope)
        return value, nn.apply_updates(model, updates)

    nn.seed(0)
    with fxla.default_dtype("float32"):
        model = make()
        first, model = step(model, x, y)
        for _ in range(60):
            last, model = step(model, x, y)
    assert last < 0.7 * first


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"patches of 5 do not fill images of 32"):
        models.ViT(models.ViTConfig(patch=5))
    with pytest.raises(ValueError, match="none of gpt2, gpt2-medium"):
        models.GPT2Config.named("gpt3")
    with pytest.raises(ValueError, match="sizes of the input and of the result"):
        models.MLP([3])
    with pytest.raises(ValueError, match="positions 'relative_key'"):
        models.BertConfig.from_dict({"position_embedding_type": "relative_key"})
