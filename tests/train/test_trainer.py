"""The loop, beside gradient descent written out in NumPy."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import data, nn, optim, train

RNG = np.random.default_rng(0)
X = RNG.normal(size=(22, 3))
Y = X @ np.array([[1.0, -2.0], [0.5, 0.0], [3.0, 1.0]]) + RNG.normal(size=(22, 2))
RATE = 0.05


class Trace(train.Callback):
    """Notes which moments it is told of."""

    def __init__(self) -> None:
        self.moments: list[str] = []
        self.losses: list[float] = []

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("on_"):
            moments = self.moments
            if name == "on_train_batch_end":
                return lambda t, b, loss: (moments.append(name), self.losses.append(loss))
            return lambda *_: moments.append(name)
        return super().__getattribute__(name)


for moment in [n for n in dir(train.Callback) if n.startswith("on_")]:
    setattr(Trace, moment, lambda *_: None)  # overridden, so told


def line(x: Any = X, y: Any = Y) -> Any:
    nn.seed(1)
    return nn.Linear(x.shape[1], y.shape[1])


def by_hand(model: Any, batches: Any) -> tuple[Any, Any, list[float]]:
    """Weight, bias and losses after steps of gradient descent on the mean squared error."""
    w, b = np.array(model.weight), np.array(model.bias)
    losses = []
    for x, y, weight in batches:
        miss = x @ w + b - y
        share = (weight / (weight.sum() * y.shape[1]))[:, None]
        losses.append(float((share * miss**2).sum()))
        slope = 2 * share * miss
        w, b = w - RATE * x.T @ slope, b - RATE * slope.sum(0)
    return w, b, losses


def in_batches(size: int, epochs: int, weight: Any = None) -> Iterator[Any]:
    weight = np.ones(len(X)) if weight is None else weight
    for _ in range(epochs):
        for k in range(0, len(X), size):
            yield X[k : k + size], Y[k : k + size], weight[k : k + size]


def close(model: Any, w: Any, b: Any) -> None:
    np.testing.assert_allclose(model.weight, w, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.bias, b, rtol=1e-9, atol=1e-12)


def test_is_gradient_descent() -> None:
    model, trace = line(), Trace()
    w, b, losses = by_hand(model, in_batches(8, 3))
    trainer = train.Trainer(model, "mse", optim.sgd(RATE), callbacks=[trace])
    history = trainer.fit((X, Y), epochs=3, batch_size=8, shuffle=False)
    close(model, w, b)
    np.testing.assert_allclose(trace.losses, losses, rtol=1e-9)
    sizes = np.array([8, 8, 6])
    expected = [(sizes * losses[k : k + 3]).sum() / 22 for k in (0, 3, 6)]
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-9)
    assert (trainer.epoch, trainer.step, trainer.batch) == (3, 9, 0)
    steps = ["on_train_batch_start", "on_train_batch_end"] * 3
    epoch = ["on_train_epoch_start", *steps, "on_train_epoch_end"]
    assert trace.moments == ["on_train_start", *epoch * 3, "on_train_end"]


def test_weights_of_examples() -> None:
    weight = RNG.random(22) * (RNG.random(22) < 0.7)
    model = line()
    w, b, _ = by_hand(model, in_batches(8, 2, weight))
    trainer = train.Trainer(model, "mse", optim.sgd(RATE), metrics=["mse"])
    trainer.fit((X, Y, weight), epochs=2, batch_size=8, shuffle=False)
    close(model, w, b)
    miss = ((X @ w + b - Y) ** 2).mean(1)
    figures = trainer.evaluate((X, Y, weight), batch_size=5)
    assert figures["loss"] == pytest.approx(np.average(miss, weights=weight))
    assert figures["mse"] == pytest.approx(figures["loss"])


def test_losses_that_are_means_already() -> None:
    one, other = line(), line()
    train.Trainer(one, "mse", optim.sgd(RATE)).fit((X, Y), epochs=2, batch_size=8)
    loss = train.Trainer(other, lambda p, t: ((p - t) ** 2).mean(), optim.sgd(RATE))
    history = loss.fit((X, Y), epochs=2, batch_size=8)
    close(other, np.asarray(one.weight), np.asarray(one.bias))
    reference = train.Trainer(one, "mse", optim.sgd(RATE)).evaluate((X, Y), batch_size=7)
    assert loss.evaluate((X, Y), batch_size=7)["loss"] == pytest.approx(reference["loss"])
    assert len(history) == 2


@pytest.mark.parametrize("weight", [None, RNG.random(22)])
def test_gathered_batches_are_one(weight: Any) -> None:
    given = (X, Y) if weight is None else (X, Y, weight)
    model = line()
    w, b, _ = by_hand(model, in_batches(12, 2, weight))
    trainer = train.Trainer(model, "mse", optim.sgd(RATE), accumulate=3)
    trainer.fit(given, epochs=2, batch_size=4, shuffle=False)
    close(model, w, b)  # 3 batches of 4; then 4, 4 and 2
    assert trainer.step == 4


def test_orders_are_those_of_a_loader_with_the_seed() -> None:
    model = line()
    loader = data.DataLoader((X, Y, np.ones(22)), 8, shuffle=True, seed=5)
    w, b, _ = by_hand(model, [batch for _ in range(2) for batch in loader])
    trainer = train.Trainer(model, "mse", optim.sgd(RATE), seed=5)
    trainer.fit((X, Y), epochs=1, batch_size=8)
    trainer.fit((X, Y), epochs=1, batch_size=8)
    close(model, w, b)


SOURCES = {
    "loader": lambda: data.DataLoader((X, Y), 8, workers=2),
    "generator": lambda: lambda: ((X[k : k + 8], Y[k : k + 8]) for k in range(0, 22, 8)),
    "list of batches": lambda: [[X[k : k + 8], Y[k : k + 8]] for k in range(0, 22, 8)],
    "dataset": lambda: data.Dataset.from_arrays((X, Y)).batch(8),
}


@pytest.mark.parametrize("name", SOURCES)
def test_whatever_gives_batches(name: str) -> None:
    model = line()
    w, b, _ = by_hand(model, in_batches(8, 2))
    train.Trainer(model, "mse", optim.sgd(RATE)).fit(SOURCES[name](), epochs=2)
    close(model, w, b)


@pytest.mark.parametrize("steps", [2, 3, 5])
def test_steps_may_cut_passes(steps: int) -> None:
    model = line()
    taken = list(in_batches(8, 6))[: 3 * steps]
    w, b, _ = by_hand(model, taken)
    loader = data.DataLoader((X, Y), 8)
    trainer = train.Trainer(model, "mse", optim.sgd(RATE))
    assert len(trainer.fit(loader, epochs=3, steps=steps)) == 3
    close(model, w, b)


def test_evaluate_and_predict() -> None:
    model = line()
    trainer = train.Trainer(model, "mse", optim.sgd(RATE), metrics=["mae", train.Mean(far)])
    miss = X @ model.weight + model.bias - Y
    figures = trainer.evaluate((X, Y), batch_size=7)
    assert figures["loss"] == pytest.approx((miss**2).mean())
    assert figures["mae"] == pytest.approx(abs(miss).mean())
    assert figures["far"] == pytest.approx((abs(miss) > 1).mean())
    expected = X @ model.weight + model.bias
    np.testing.assert_allclose(trainer.predict(X, batch_size=7), expected, rtol=1e-12)
    np.testing.assert_allclose(trainer.predict(data.DataLoader((X, Y), 9)), expected, rtol=1e-12)


def far(p: Any, t: Any) -> Any:
    return fnp.abs(p - t) > 1


def test_validation() -> None:
    trainer = train.Trainer(line(), "mse", optim.sgd(RATE))
    history = trainer.fit((X, Y), epochs=2, validation=(X[:5], Y[:5]))
    assert history["val_loss"][-1] == trainer.evaluate((X[:5], Y[:5]))["loss"]
    share = train.Trainer(line(), "mse", optim.sgd(RATE))
    assert "val_loss" in share.fit((X, Y), validation=0.25).names
    for given in (data.DataLoader((X[:5], Y[:5]), 2), data.as_dataset((X[:5], Y[:5]))):
        trainer.fit(data.as_dataset((X, Y)), batch_size=8, validation=given)
        expected = trainer.evaluate((X[:5], Y[:5]))["loss"]
        assert trainer.history["val_loss"][-1] == pytest.approx(expected)
    with pytest.raises(ValueError, match="gives batches already"):
        trainer.fit(data.DataLoader((X, Y), 8), batch_size=4)


class Net(nn.Module):
    """Everything that has state: statistics, keys."""

    def __init__(self, sizes: tuple[int, int] = (3, 2)) -> None:
        self.first = nn.Linear(sizes[0], 6)
        self.norm = nn.BatchNorm(6)
        self.drop = nn.Dropout(0.4)
        self.last = nn.Linear(6, sizes[1])

    def __call__(self, x: Any) -> Any:
        return self.last(self.drop(nn.relu(self.norm(self.first(x)))))


def test_buffers_are_those_of_calls_one_after_the_other() -> None:
    nn.seed(2)
    model = Net()
    other = model.copy()
    train.Trainer(model, "mse", optim.sgd(0.0)).fit((X, Y), batch_size=8, shuffle=False)
    for k in range(0, 22, 8):
        other(X[k : k + 8], training=True)
    np.testing.assert_allclose(model.norm.mean, other.norm.mean, rtol=1e-9)
    np.testing.assert_array_equal(*(m.first.weight for m in (model, other)))
    before = np.array(model.norm.mean)
    train.Trainer(model, "mse").evaluate((X, Y))
    np.testing.assert_array_equal(model.norm.mean, before)


def test_frozen_parameters_stay() -> None:
    nn.seed(3)
    model = nn.freeze(Net(), "first")
    first, last = np.array(model.first.weight), np.array(model.last.weight)
    train.Trainer(model, "mse", "adam").fit((X, Y), epochs=2)
    np.testing.assert_array_equal(model.first.weight, first)
    assert abs(model.last.weight - last).max() > 0


def test_bfloat16_computes_in_it_and_keeps_the_parameters() -> None:
    seen = []

    class Looking(Net):
        def __call__(self, x: Any) -> Any:
            seen.append(x.dtype)
            return super().__call__(x)

    with fxla.default_dtype("float32"):
        nn.seed(4)
        model = Looking()
        nn.seed(4)
        exact = Net()
    model.drop.rate = exact.drop.rate = 0.0
    x, y = X.astype(np.float32), Y.astype(np.float32)
    trainer = train.Trainer(model, "mse", optim.sgd(0.05), precision="bfloat16")
    history = trainer.fit((x, y), epochs=20, shuffle=False)
    assert {str(d) for d in seen} == {"bfloat16"}
    assert {v.dtype for _, v in model.named_parameters()} == {np.dtype("float32")}
    assert model.norm.mean.dtype == np.float32
    assert trainer.predict(x).dtype == np.float32
    reference = train.Trainer(exact, "mse", optim.sgd(0.05)).fit((x, y), epochs=20, shuffle=False)
    assert history["loss"][-1] == pytest.approx(reference["loss"][-1], rel=0.1)
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    np.testing.assert_allclose(model.norm.mean, exact.norm.mean, atol=0.05)


def test_inputs_take_the_dtype_of_the_model() -> None:
    with fxla.default_dtype("float32"):
        model = line()
    trainer = train.Trainer(model, "mse", "sgd")
    trainer.fit((X, Y))
    assert trainer.predict(X).dtype == np.float32
    assert model.weight.dtype == np.float32


def test_a_step_is_traced_once_for_each_size() -> None:
    traced = []

    def loss(p: Any, t: Any) -> Any:
        traced.append(p.shape)
        return (p - t) ** 2

    trainer = train.Trainer(Net(), loss, "adam", metrics=["mae"])
    trainer.fit((X, Y), epochs=3, batch_size=8)
    assert traced == [(8, 2), (6, 2)]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C raises, also where whoever started the tests has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_leaves_the_state_after_the_last_step() -> None:
    class Interrupt(train.Callback):
        def on_train_batch_end(self, trainer: Any, batch: Any, loss: float) -> None:
            if trainer.step == 4:
                signal.raise_signal(signal.SIGINT)

    model = line()
    w, b, _ = by_hand(model, list(in_batches(8, 2))[:4])
    trace = Trace()
    before = signal.getsignal(signal.SIGINT)
    trainer = train.Trainer(model, "mse", optim.sgd(RATE), callbacks=[Interrupt(), trace])
    with pytest.raises(KeyboardInterrupt):
        trainer.fit((X, Y), epochs=9, batch_size=8, shuffle=False)
    assert signal.getsignal(signal.SIGINT) is before
    close(model, w, b)
    assert trace.moments[-2:] == ["on_exception", "on_train_end"]
    trainer.callbacks.members.clear()
    trainer.fit((X, Y), epochs=1, batch_size=22, shuffle=False)  # usable
    assert trainer.epoch == 2


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_in_a_step_waits_for_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    model = line()
    w, b, _ = by_hand(model, list(in_batches(8, 2))[:2])
    trainer = train.Trainer(model, "mse", optim.sgd(RATE))
    take, count = trainer._held.take, []

    def interrupted(arrays: Any) -> None:
        count.append(1)
        if len(count) == 2:
            signal.raise_signal(signal.SIGINT)
        take(arrays)

    monkeypatch.setattr(trainer._held, "take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit((X, Y), epochs=9, batch_size=8, shuffle=False)
    close(model, w, b)
    assert trainer.step == 2


def test_a_callback_may_end_it() -> None:
    class Enough(train.Callback):
        def on_train_batch_end(self, trainer: Any, batch: Any, loss: float) -> None:
            trainer.should_stop = trainer.step == 2

    trainer = train.Trainer(line(), "mse", "sgd", callbacks=[Enough()])
    trainer.fit((X, Y), epochs=9, batch_size=8)
    assert trainer.step == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "mze"}, "there is no loss 'mze'; known are .*mse"),
        ({"loss": 3}, "loss is a name or a function, not a int"),
        ({"optimizer": "adamm"}, "there is no optimizer 'adamm'"),
        ({"optimizer": 0.1}, "`init` and `update`.*got a float"),
        ({"metrics": ["acuracy"]}, "there is no metric 'acuracy'"),
        ({"metrics": ["mse", "mse"]}, "two metrics are called 'mse'"),
        ({"metrics": [3]}, "a metric is a name, a Metric or a function, not a int"),
        ({"callbacks": [3]}, "a callback is a train.Callback, not a int"),
        ({"accumulate": 0}, "accumulate=0"),
        ({"precision": "half"}, "precision='half'"),
    ],
)
def test_arguments_that_mean_nothing(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        train.Trainer(line(), **({"loss": "mse"} | arguments))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([X[:3]], r"batches \(x, y\) or \(x, y, weight\), and it gave one f64\[3,3\]"),
        ([(X[0], Y[0, 0])], "single examples, and not batches"),
        ([(X[:3], Y[:2])], r"parts of a batch differ in their numbers: f64\[3,3\], f64\[2,2\]"),
        ([], "the data gave no batch"),
        ([(X[:3], Y[:3, :1])], r"predictions f64\[3,2\] beside targets f64\[3,1\]"),
        ([(X[:3, :2], Y[:3])], "Linear"),
    ],
)
def test_data_that_do_not_fit(given: Any, message: str) -> None:
    trainer = train.Trainer(line(), "mse", "sgd")
    with pytest.raises((ValueError, TypeError), match=message):
        trainer.fit(given)


LOGITS = RNG.normal(size=(22, 4))
KINDS = RNG.integers(0, 4, 22)


class Fixed(nn.Module):
    """Gives its input on."""

    def __init__(self) -> None:
        self.scale = fnp.ones(())

    def __call__(self, x: Any) -> Any:
        return self.scale * x


def test_keras_names_of_losses() -> None:
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    one_hot = np.eye(4)[KINDS]
    expected = -np.log(p[range(22), KINDS]).mean()
    for name, x, y in [
        ("sparse_categorical_crossentropy", p, KINDS),
        ("sparse_categorical_crossentropy", p, KINDS[:, None]),
        ("sparse_categorical_crossentropy_from_logits", LOGITS, KINDS),
        ("categorical_crossentropy", p, one_hot),
        ("categorical_crossentropy_from_logits", LOGITS, one_hot),
    ]:
        trainer = train.Trainer(Fixed(), name, "sgd", metrics=["accuracy", "top_2"])
        figures = trainer.evaluate((x, y), batch_size=9)
        assert figures["loss"] == pytest.approx(expected, rel=1e-6), name
        assert figures["accuracy"] == pytest.approx((LOGITS.argmax(1) == KINDS).mean())
    yes = (KINDS > 1).astype(int)
    q = 1 / (1 + np.exp(-LOGITS[:, 0]))
    expected = -np.where(yes, np.log(q), np.log(1 - q)).mean()
    for name, x in [
        ("binary_crossentropy", q),
        ("binary_crossentropy", q[:, None]),
        ("binary_crossentropy_from_logits", LOGITS[:, 0]),
    ]:
        trainer = train.Trainer(Fixed(), name, "sgd", metrics=["accuracy", "f1"])
        figures = trainer.evaluate((x, yes))
        assert figures["loss"] == pytest.approx(expected, rel=1e-6), name
        assert figures["accuracy"] == pytest.approx(((q > 0.5) == yes).mean())


def test_scores_where_probabilities_are_meant() -> None:
    trainer = train.Trainer(Fixed(), "sparse_categorical_crossentropy", "sgd")
    with pytest.raises(ValueError, match=r"takes probabilities, as in Keras.*_from_logits"):
        trainer.fit((LOGITS, KINDS))


def test_sizes_that_the_first_batch_tells() -> None:
    nn.seed(0)
    model = nn.Sequential(nn.Linear(None, 5), nn.ReLU(), nn.Linear(None, 2))
    trainer = train.Trainer(model, "mse", "adam")
    trainer.fit((X, Y))
    assert model.layers[0].weight.shape == (3, 5)
