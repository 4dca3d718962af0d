"""Modules as objects and as trees."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax, nn, random

X = np.linspace(-1.0, 1.0, 12).reshape(3, 4)


class Mlp(nn.Module):
    """Two layers, a list, a dict, statistics, settings."""

    def __init__(self, key=None):
        k = nn.keys(key, 3)
        self.first = nn.Linear(4, 5, key=k[0])
        self.norm = nn.BatchNorm(5)
        self.rest = [nn.Linear(5, 5, key=k[1]), np.tanh]
        self.named = {"out": nn.Linear(5, 2, key=k[2])}
        self.scales = (fnp.ones(2), 3)
        self.rate = 0.5

    def __call__(self, x):
        x = self.norm(self.first(x))
        for layer in self.rest:
            x = layer(x)
        return self.named["out"](x) * self.scales[0] * self.rate


PATHS = [
    "first.weight", "first.bias", "norm.weight", "norm.bias", "norm.mean", "norm.var",
    "rest[0].weight", "rest[0].bias", "named['out'].weight", "named['out'].bias", "scales[0]",
]  # fmt: skip
BUFFERS = ["norm.mean", "norm.var"]


def reference(model, x):
    """The same in NumPy."""
    h = x @ np.asarray(model.first.weight) + np.asarray(model.first.bias)
    h = (h - np.asarray(model.norm.mean)) / np.sqrt(np.asarray(model.norm.var) + 1e-5)
    h = np.tanh(h @ np.asarray(model.rest[0].weight) + np.asarray(model.rest[0].bias))
    return (h @ np.asarray(model.named["out"].weight) + np.asarray(model.named["out"].bias)) * 0.5


def test_paths_and_kinds():
    model = Mlp()
    assert fxla.tree.leaf_paths(model, "model") == [f"model.{p}" for p in PATHS]
    assert [p for p, _ in model.named_buffers()] == BUFFERS
    assert [p for p, _ in model.named_parameters()] == [p for p in PATHS if p not in BUFFERS]
    assert all(model.at(p) is x for p, x in zip(PATHS, fxla.tree.leaves(model)))


def test_value_is_numpys_eager_and_compiled():
    model = Mlp()
    expected = reference(model, X)
    compiled = fxla.jit(lambda model, x: model(x))
    for found in (model(X), *(compiled(model, X) for _ in range(5))):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_gradient_is_that_of_differences():
    model = Mlp()
    direction = fxla.tree.map(
        lambda p: np.cos(np.arange(p.size)).reshape(p.shape), nn.parameters(model)
    )
    slope = sum(
        float((g * d).sum())
        for g, d in zip(
            fxla.tree.leaves(fxla.grad(lambda m: (m(X) ** 2).sum())(model)),
            fxla.tree.leaves(direction),
        )
    )

    def value(step):
        moved = nn.apply_updates(model, fxla.tree.map(lambda d: step * d, direction))
        return float((moved(X) ** 2).sum())

    assert slope == pytest.approx((value(1e-5) - value(-1e-5)) / 2e-5, rel=1e-6)


def test_trees():
    model = Mlp()
    twice = fxla.tree.map(lambda x: 2 * x, model)
    assert type(twice) is Mlp and twice.rate == 0.5 and twice.scales[1] == 3
    assert np.array_equal(twice.rest[0].weight, 2 * model.rest[0].weight)
    structure = fxla.tree.structure(model)
    assert structure == fxla.tree.structure(twice) == fxla.tree.structure(Mlp())
    for other in (True, None, "text", 1.5):  # the places of arrays stay places
        leaves = [other] * structure.num_leaves
        again = fxla.tree.unflatten(structure, leaves)
        if other is not None:
            assert fxla.tree.leaves(again) == leaves
        assert again.first.in_features == 4
    masked = fxla.tree.map(lambda x: x > 0, model)
    assert fxla.tree.structure(masked) == structure


@pytest.mark.parametrize("change", ["rate", "float", "sign", "function", "size", "kind", "class"])
def test_structures_that_differ(change):
    one, other = Mlp(), Mlp()
    one.rate = {"float": 1, "sign": 0.0}.get(change, 0.5)
    if change in ("rate", "float", "sign"):
        other.rate = {"rate": 0.25, "float": 1.0, "sign": -0.0}[change]
    elif change == "function":
        other.rest = [other.rest[0], np.sin]
    elif change == "size":
        other.rest = [*other.rest, np.tanh]
    elif change == "kind":
        other = nn.freeze(other, "first.weight")
    else:
        other.first = nn.Dense(5).build((1, 4))
    assert fxla.tree.structure(one) != fxla.tree.structure(other)


def test_a_compiled_function_sees_what_changed():
    model = Mlp()
    scaled = fxla.jit(lambda model, x: model(x))
    for _ in range(4):
        first = scaled(model, X)
    model.rate = 1.0
    np.testing.assert_allclose(scaled(model, X), 2 * first, rtol=1e-12)
    model.rest[1] = np.sin
    assert not np.allclose(scaled(model, X), 2 * first)
    model.first.weight = 0 * model.first.weight
    assert float(np.ptp(scaled(model, X), axis=0).max()) == 0.0


def test_compiled_models_come_back_whole():
    model = Mlp()
    halved = fxla.jit(lambda model: fxla.tree.map(lambda x: x / 2, model))
    gradients = fxla.jit(fxla.grad(lambda model, x: model(x).sum()))
    for _ in range(5):
        half, gradient = halved(model), gradients(model, X)
        assert type(half) is Mlp and half.rest[1] is np.tanh and half.scales[1] == 3
        assert fxla.tree.structure(half) == fxla.tree.structure(model)
        assert fxla.tree.structure(gradient) == fxla.tree.structure(nn.parameters(model))
        half.first.weight = half.first.weight + 1  # it is nobody's but the caller's
        np.testing.assert_allclose(half.first.weight, model.first.weight / 2 + 1)


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, copy.copy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_copies(copied):
    model = Mlp()
    other = copied(model)
    assert fxla.tree.structure(other) == fxla.tree.structure(model)
    np.testing.assert_array_equal(other(X), model(X))
    other.first.weight = 0 * other.first.weight
    other.rest.append(np.sin)
    assert float(np.abs(model.first.weight).sum()) > 0 and len(model.rest) == 2


def test_a_gradient_can_be_pickled():
    gradient = fxla.grad(lambda model: model(X).sum())(Mlp())
    again = pickle.loads(pickle.dumps(gradient))
    assert fxla.tree.structure(again) == fxla.tree.structure(gradient)


def test_annotated_classes():
    class Affine(nn.Module):
        scale: nn.Param
        count: nn.Buffer
        power: nn.Static[int] = 2
        activation: nn.Static = np.tanh

        def __call__(self, x):
            return self.activation(self.scale * x) ** self.power

    affine = Affine(2, 7.0)
    assert [p for p, _ in affine.named_parameters()] == ["scale"]
    assert [p for p, _ in affine.named_buffers()] == ["count"]
    assert float(affine(1.0)) == pytest.approx(np.tanh(2.0) ** 2)
    gradient = fxla.grad(lambda m: m(0.5))(Affine(2.0, 0))
    assert float(gradient.scale) == pytest.approx(2 * np.tanh(1.0) * (1 - np.tanh(1.0) ** 2) * 0.5)
    with pytest.raises(TypeError, match="scale"):
        Affine()


def test_forward_is_a_call():
    class Twice(nn.Module):
        def forward(self, x):
            return 2 * x if nn.is_training() else x

    assert Twice()(3.0, training=True) == 6.0 and Twice()(3.0) == 3.0


def test_training_is_ambient_and_ends():
    seen = []

    class Inner(nn.Module):
        def __call__(self):
            seen.append(nn.is_training())

    class Outer(nn.Module):
        def __init__(self):
            self.inner = Inner()

        def __call__(self, fail=False):
            self.inner()
            self.inner(training=False)
            self.inner()
            if fail:
                raise RuntimeError

    Outer()(training=True)
    Outer()()
    with pytest.raises(RuntimeError):
        Outer()(True, training=True)
    assert seen == [True, False, True, False, False, False, True, False, True]
    assert not nn.is_training()


def test_a_compiled_function_knows_whether_it_trains():
    inner = fxla.jit(lambda x: x * 2 if nn.is_training() else x)
    layer = nn.Lambda(inner)
    for _ in range(4):
        assert float(layer(1.0)) == 1.0
        assert float(layer(1.0, training=True)) == 2.0


def test_a_structure_is_looked_at_again_each_time():
    model = Mlp()
    first = fxla.tree.structure(model)
    model.extra = None
    second = fxla.tree.structure(model)
    del model.extra
    model.other = 3
    third = fxla.tree.structure(model)
    del model.other
    assert len({first, second, third}) == 3 and fxla.tree.structure(model) == first
    model.first.weight = np.ones((4, 5), int)  # a buffer
    assert next(p for p, _ in model.named_parameters()) == "first.bias"
    model.rest[0], model.named["out"] = model.named["out"], model.rest[0]
    assert fxla.tree.leaves(model)[-2].shape == (5,)
    model.rest[0] = model.named["out"]
    assert len(fxla.tree.leaves(model)) == 9


class TestSharing:
    def test_a_module_that_stands_twice(self):
        model = nn.Sequential(nn.Linear(3, 3), nn.relu)
        model.layers = [model.layers[0], np.tanh, model.layers[0]]
        assert len(fxla.tree.leaves(model)) == 2
        x = np.ones((2, 3))
        w, b = np.asarray(model.layers[0].weight), np.asarray(model.layers[0].bias)
        hidden = np.tanh(x @ w + b)
        np.testing.assert_allclose(model(x), hidden @ w + b)
        compiled = fxla.jit(fxla.grad(lambda m: m(x).sum()))
        for _ in range(4):
            gradient = compiled(model)
            expected = hidden.sum(0)[:, None] + x.T @ ((1 - hidden**2) * w.sum(1))
            np.testing.assert_allclose(gradient.layers[0].weight, expected)
            moved = nn.apply_updates(model, gradient)
            assert moved.layers[0] is moved.layers[2]

    def test_tied_after_compiled_calls(self):
        model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        compiled = fxla.jit(fxla.grad(lambda m, x: m(x).sum()))
        for _ in range(4):
            assert len(fxla.tree.leaves(compiled(model, np.ones((2, 3))))) == 4
        model.layers[1] = model.layers[0]  # in the list, of which the module is not told
        assert len(fxla.tree.leaves(compiled(model, np.ones((2, 3))))) == 2
        model.layers = [model.layers[0], nn.Linear(3, 3)]
        for _ in range(4):
            assert len(fxla.tree.leaves(compiled(model, np.ones((2, 3))))) == 4
        model.layers = [model.layers[0], model.layers[0]]
        assert len(fxla.tree.leaves(compiled(model, np.ones((2, 3))))) == 2

    def test_an_array_that_two_attributes_hold(self):
        class Tied(nn.Module):
            def __init__(self):
                self.table = nn.Embedding(5, 3)
                self.out = nn.Linear(3, 5, bias=False)
                self.table.weight = fnp.ones((3, 5))
                self.out.weight = self.table.weight

            def __call__(self, x):
                return (x @ self.out.weight).sum() + (self.table.weight**2).sum()

        model = Tied()
        assert [p for p, _ in model.named_parameters()] == ["table.weight"]
        gradient = fxla.grad(lambda m: m(np.ones(3)))(model)
        np.testing.assert_array_equal(gradient.table.weight, np.full((3, 5), 3.0))
        moved = nn.apply_updates(model, gradient)
        assert moved.out.weight is moved.table.weight and float(moved.out.weight[0, 0]) == 4.0
        assert fxla.tree.structure(moved) == fxla.tree.structure(model)
        moved.out.weight = fnp.zeros((3, 5))  # from now on two
        assert len(fxla.tree.leaves(moved)) == 2

    def test_state_of_a_shared_module(self):
        norm = nn.BatchNorm(2)
        model = nn.Sequential(norm, norm)
        fxla.jit(lambda m, x: m(x, training=True))(model, np.array([[1.0, 2.0], [3.0, 6.0]]))
        np.testing.assert_allclose(model.layers[0].mean, [0.18, 0.36])
        assert model.layers[1] is norm


def test_freeze_and_unfreeze():
    model = nn.freeze(Mlp(), lambda path, x: path.startswith("rest") or path == "first.bias")
    frozen = ["first.bias", "rest[0].weight", "rest[0].bias", *BUFFERS]
    assert [p for p, _ in model.named_parameters()] == [p for p in PATHS if p not in frozen]
    gradients = fxla.jit(fxla.grad(lambda m: (m(X) ** 2).sum()))
    free = Mlp()
    for _ in range(3):
        assert gradients(model).rest[0].weight is None and gradients(model).first.weight is not None
        assert gradients(free).rest[0].weight is not None
    again = nn.unfreeze(model, "rest[0]")
    assert gradients(again).rest[0].weight is not None and gradients(again).first.bias is None
    with pytest.raises(KeyError, match=r"nothing at 'rset'.*rest\[0\]"):
        nn.freeze(model, "rset")


def test_replace():
    model = Mlp()
    other = nn.replace(
        model, {"rest[0].weight": lambda w: w + 1, "rate": 0.25, "scales[0]": fnp.zeros(2)}
    )
    np.testing.assert_array_equal(other.rest[0].weight, model.rest[0].weight + 1)
    assert other.rate == 0.25 and model.rate == 0.5
    assert other.scales[0].tolist() == [0.0, 0.0] and other.scales[1] == 3
    with pytest.raises(ValueError, match=r"nn\.replace: first\.bias is f64\[5\], and f64\[4\]"):
        nn.replace(model, {"first.bias": fnp.zeros(4)})
    with pytest.raises(KeyError, match="has nothing at 'second'"):
        nn.replace(model, second=1)


def test_astype():
    model = Mlp().astype("float32")
    assert {str(x.dtype) for x in fxla.tree.leaves(model)} == {"float32"}
    assert str(nn.Dropout(0.5).astype("float32").key.dtype) == "uint32"
    half = nn.Linear(4, 2).astype("bfloat16")
    assert str(half(fnp.ones((1, 4), "bfloat16")).dtype) == "bfloat16"


def test_default_dtype_at_construction():
    with fxla.default_dtype("float32"):
        model = Mlp()
    assert {str(x.dtype) for x in fxla.tree.leaves(model)} == {"float32"}
    assert str(nn.Linear(2, 2, dtype="float32").weight.dtype) == "float32"


def test_seeds():
    nn.seed(3)
    first = Mlp()
    second = Mlp()
    nn.seed(3)
    again = Mlp()
    assert all(
        np.array_equal(a, b) for a, b in zip(fxla.tree.leaves(first), fxla.tree.leaves(again))
    )
    assert not np.array_equal(first.first.weight, second.first.weight)
    assert not np.array_equal(first.first.weight.ravel()[:10], first.rest[0].weight.ravel()[:10])


def test_ensembles():
    keys = random.split(random.key(0), 3)
    ensemble = fxla.vmap(lambda key: Mlp(key=key))(keys)
    assert ensemble.first.weight.shape == (3, 4, 5)
    found = fxla.jit(fxla.vmap(lambda m, x: m(x), (0, None)))(ensemble, X)
    for k in range(3):
        member = fxla.tree.map(lambda x, k=k: x[k], ensemble)
        np.testing.assert_allclose(found[k], reference(member, X), rtol=1e-12)


def test_scan_over_stacked_layers():
    stacked = fxla.vmap(lambda key: nn.Linear(4, 4, key=key))(random.split(random.key(0), 3))
    h, _ = lax.scan(lambda h, layer: (np.tanh(layer(h)), None), X, stacked)
    expected = X
    for k in range(3):
        expected = np.tanh(expected @ np.asarray(stacked.weight[k]))
    np.testing.assert_allclose(h, expected)
    gradient = fxla.grad(lambda s: lax.scan(lambda h, m: (m(h), None), X, s)[0].sum())(stacked)
    assert gradient.weight.shape == (3, 4, 4)


class TestErrors:
    def test_a_wrong_shape_names_the_layer(self):
        model = nn.Sequential(nn.Linear(4, 8), nn.relu, nn.Linear(16, 2))
        for call in (model, fxla.jit(lambda x: model(x)), fxla.grad(lambda x: model(x).sum())):
            with pytest.raises(ValueError) as caught:
                call(X)
            assert str(caught.value).startswith(
                "model.layers[2] (Linear): expected x of shape [..., 16], got f64[3,8], at "
            )

    def test_any_error_says_where_it_was(self):
        class Odd(nn.Module):
            def __call__(self, x):
                return x @ np.ones((7, 7))

        with pytest.raises(ValueError) as caught:
            nn.Sequential(nn.Linear(4, 8), Odd())(X)
        assert caught.value.__notes__ == ["In model.layers[1] (Odd), called with (f64[3,8])."]

    def test_sizes_left_out_are_not_made_under_a_transformation(self):
        model = nn.Sequential(nn.Dense(3))
        with pytest.raises(TypeError, match=r"layers\[0\] \(Dense\) has no parameters.*build"):
            fxla.jit(lambda m, x: m(x))(model, X)
        model.build(X)
        assert fxla.jit(lambda m, x: m(x))(model, X).shape == (3, 3)

    def test_what_is_no_layer(self):
        with pytest.raises(TypeError, match="neither a module nor a function"):
            nn.Sequential(nn.Linear(2, 2), 3)

    def test_no_call(self):
        class Nothing(nn.Module):
            pass

        with pytest.raises(NotImplementedError, match="Nothing has no __call__"):
            Nothing()(1)


def test_functional_call_leaves_the_model():
    model = Mlp()
    before = np.array(model.norm.mean)
    out, updated = nn.functional_call(model, X, training=True)
    assert out.shape == (3, 2)
    np.testing.assert_array_equal(model.norm.mean, before)
    hidden = X @ np.asarray(model.first.weight)
    np.testing.assert_allclose(updated.norm.mean, 0.1 * hidden.mean(0))


def test_donated_models():
    step = fxla.jit(lambda m: fxla.tree.map(lambda x: x + 1, m), donate_argnums=0)
    model = nn.Linear(64, 64)
    expected = np.array(model.weight)
    for _ in range(6):
        model = step(model)
        expected += 1
    np.testing.assert_allclose(model.weight, expected)


def test_a_number_of_numpy_takes_the_place_of_an_array_as_one():
    class Counter(nn.Module):
        def __init__(self):
            self.calls = nn.Buffer(np.zeros((), int))

        def __call__(self):
            self.calls = self.calls + 1  # NumPy gives an np.int64, which is no array

    counter = Counter()
    counter()
    fxla.jit(lambda counter: counter())(counter)
    assert int(counter.calls) == 2 and counter.calls.shape == ()
