"""TensorBoard's own reader reads what was logged."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from fxla import nn, train

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of protobuf and of TensorBoard's own imports
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    plugin = pytest.importorskip("tensorboard.plugins.hparams.plugin_data_pb2")

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 5)), RNG.normal(size=(40, 2))


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("events")
    nn.seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 2))
    picture = RNG.random((6, 8, 3))
    board = train.TensorBoard(
        folder, every=2, images=lambda t: {"one": picture, "grey": picture[None, ..., :1]}
    )
    trainer = train.Trainer(model, "mse", "adam", ["mae"], [board])
    trainer.fit((X, Y), epochs=3, batch_size=10, validation=(X, Y))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = accumulator.EventAccumulator(str(folder), size_guidance={"tensors": 0})
        read.Reload()
    return trainer, read, picture


def test_curves(logged: Any) -> None:
    trainer, read, _ = logged
    for name in ("loss", "mae", "val_loss", "val_mae"):
        events = read.Scalars(f"epoch/{name}")
        assert [e.step for e in events] == [1, 2, 3]
        np.testing.assert_allclose([e.value for e in events], trainer.history[name], rtol=1e-6)
    assert [e.step for e in read.Scalars("step/loss")] == [2, 4, 6, 8, 10, 12]


def test_histograms(logged: Any) -> None:
    trainer, read, _ = logged
    [*_, last] = read.Histograms("model/layers/0/weight")
    weight = np.asarray(trainer.model.layers[0].weight)
    assert last.step == 3
    value = last.histogram_value
    assert (value.num, value.min, value.max) == (35, weight.min(), weight.max())
    assert value.sum == pytest.approx(weight.sum())


def test_images(logged: Any) -> None:
    import io

    from PIL import Image

    _, read, picture = logged
    [*_, last] = read.Images("one")
    shown = np.asarray(Image.open(io.BytesIO(last.encoded_image_string)))
    assert abs(shown / 255 - picture).max() < 1 / 200
    assert read.Images("grey")


def test_graph(logged: Any) -> None:
    _, read, _ = logged
    nodes = {n.name: n for n in read.Graph().node}
    assert {"x", "model/layers/0/weight", "model/layers/2/bias", "output_0"} <= set(nodes)
    operations = [n.op for n in nodes.values()]
    assert operations.count("dot_general") == 2
    assert all(i in nodes for n in nodes.values() for i in n.input)
    [first] = [n for n in nodes.values() if "model/layers/0/weight" in n.input]
    assert first.op == "dot_general"
