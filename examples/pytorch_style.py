"""A network as people write it in PyTorch: a class, a loader, and a loop that one can read.

    python examples/pytorch_style.py

The same digits, the same steps: loss, gradients, the optimiser's update. The function of a step is
compiled; the loop around it is Python.
"""

from __future__ import annotations

import argparse
from typing import Any

import fxla
import fxla.numpy as np
from fxla import data, nn, optim


class Net(nn.Module):
    """Two layers with a relu between them."""

    def __init__(self) -> None:
        self.fc1 = nn.Linear(64, 128)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x: Any) -> Any:
        x = x.reshape(x.shape[0], -1)
        return self.fc2(self.relu(self.fc1(x)))


def loss_fn(model: Net, images: Any, labels: Any) -> Any:
    """Mean cross-entropy between the scores and the right digits."""
    return nn.losses.softmax_cross_entropy_with_integer_labels(model(images), labels).mean()


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Train, and give the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args(arguments)

    train_set, test_set = data.digits().split(0.8, seed=0)
    loader = data.DataLoader(train_set, batch_size=32, shuffle=True, seed=0)
    nn.seed(0)
    with fxla.default_dtype("float32"):
        model = Net()
    optimizer = optim.sgd(0.1, momentum=0.9)
    state = optimizer.init(model)

    @fxla.jit
    def step(model: Net, state: Any, images: Any, labels: Any) -> tuple[Net, Any, Any]:
        loss, grads = fxla.value_and_grad(loss_fn)(model, images, labels)
        updates, state = optimizer.update(grads, state, model)
        return optim.apply_updates(model, updates), state, loss

    losses = []
    for epoch in range(options.epochs):
        running = 0.0
        for images, labels in loader:
            model, state, loss = step(model, state, images, labels)
            running += float(loss) * len(labels)
        losses.append(running / len(train_set))
        if not options.quiet:
            print(f"epoch {epoch + 1}: loss {losses[-1]:.4f}")

    images, labels = test_set.arrays()
    accuracy = float(np.mean(np.argmax(model(images), axis=-1) == labels))
    if not options.quiet:
        print(f"held out: accuracy {accuracy:.2%}")
    return {"losses": losses, "accuracy": accuracy}


if __name__ == "__main__":
    main()
