"""Models in files: state, ties, frozen parts, and what a training step returned."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import fxla
from fxla import nn, weights


@dataclasses.dataclass(frozen=True)
class Sizes:
    width: int = 3


class Net(nn.Module):
    scale: nn.Param

    def __init__(self):
        self.sizes = Sizes()
        self.scale = np.ones(())
        self.body = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm(3), nn.relu, nn.Dropout(0.5))
        self.heads = {"a": nn.Linear(3, 2), "b": (nn.Linear(3, 2), None)}
        self.calls = nn.Buffer(np.zeros((), int))

    def __call__(self, x):
        self.calls = self.calls + 1
        y = self.body(x) * self.scale
        return self.heads["a"](y) + self.heads["b"][0](y)


class Tied(nn.Module):
    def __init__(self):
        self.embedding = nn.Embedding(5, 4)
        self.layer = nn.Linear(4, 4)
        self.again = self.layer
        self.out = self.embedding.weight

    def __call__(self, x):
        return self.again(self.layer(self.embedding(x))) @ self.out.T


@pytest.fixture
def there_and_back(tmp_path):
    def go(tree, **options):
        fxla.save(tmp_path / "model.safetensors", tree)
        return fxla.load(tmp_path / "model.safetensors", **options)

    return go


X = np.random.default_rng(0).normal(size=(6, 4))


def same(a, b):
    assert fxla.tree.structure(a) == fxla.tree.structure(b)
    for x, y in zip(fxla.tree.leaves(a), fxla.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)


def test_a_model_comes_back_with_its_state_and_goes_on_as_it_would(there_and_back):
    model = Net()
    model(X, training=True)
    again = there_and_back(model)
    same(again, model)
    assert again.sizes == Sizes() and int(again.calls) == 1
    first, second = (fxla.jit(lambda m, x: m(x, training=True))(m, X) for m in (model, again))
    np.testing.assert_array_equal(first, second)
    same(again, model)  # running statistics, key and counter have taken the same step


def test_what_a_compiled_step_returned_is_saved_as_it_is(there_and_back):
    @fxla.jit
    def step(model, x):
        slopes = fxla.grad(lambda m: (m(x, training=True) ** 2).mean())(model)
        return nn.apply_updates(model, fxla.tree.map(lambda g: -0.1 * g, slopes)), slopes

    model, slopes = step(Net(), X)
    again, slopes_again = there_and_back((model, slopes))
    same(again, model)
    same(slopes_again, slopes)
    assert slopes_again.calls is None


def test_what_is_tied_or_shared_stays_so(there_and_back, tmp_path):
    model = Tied()
    again = there_and_back(model)
    same(again, model)
    assert again.layer is again.again and again.out is again.embedding.weight
    slopes = fxla.grad(lambda m: m(np.array([[1, 2]])).sum())(again)
    assert len(fxla.tree.leaves(slopes)) == 3 == len(weights.open(tmp_path / "model.safetensors"))
    same(there_and_back(model, like=Tied()), model)


def test_frozen_parts_stay_frozen(there_and_back):
    model = nn.freeze(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)), "layers[0]")
    again = there_and_back(model)
    assert [p for p, _ in again.named_parameters()] == ["layers[1].weight", "layers[1].bias"]


def test_a_template_and_a_part(there_and_back, tmp_path):
    model = Net()
    same(there_and_back(model, like=fxla.eval_shape(Net)), model)
    part = fxla.load(tmp_path / "model.safetensors", only="body/layers/0/*")
    np.testing.assert_array_equal(part.body.layers[0].weight, model.body.layers[0].weight)
    assert part.body.layers[1].weight is None and part.heads["a"].weight is None
    other = nn.replace(model, {"heads['a']": nn.Linear(3, 5)})
    with pytest.raises(ValueError, match=r"heads/a/weight: f64\[3,2\] in the file, f64\[3,5\] exp"):
        fxla.load(tmp_path / "model.safetensors", like=other)


def test_a_model_that_holds_a_lambda_says_where(there_and_back):
    model = nn.Sequential(nn.Linear(2, 2), nn.Lambda(lambda x: x))
    with pytest.raises(TypeError, match=r"'layers/1/function': a lambda has no name"):
        there_and_back(model)
