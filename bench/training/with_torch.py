"""The tasks in PyTorch."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from bench.training.tasks import Task

__all__ = ["stepper"]


def stepper(name: str, task: Task) -> Callable[[Any, Any], Callable[[], float]]:
    """A function that trains on a batch; what it returns gives the loss, when it is there."""
    torch: Any = importlib.import_module("torch")
    model = _model(torch, name, task)
    state = {key: torch.as_tensor(x) for key, x in _fused(task.state()).items()}
    model.load_state_dict(state, strict=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=task.rate)

    def train(x: Any, y: Any) -> Callable[[], float]:
        inputs, labels = torch.as_tensor(x), torch.as_tensor(y).long()
        if name == "cnn":
            inputs = inputs.permute(0, 3, 1, 2)
        elif name == "transformer":
            inputs = inputs.long()
        optimizer.zero_grad()
        logits = model(inputs)
        loss = torch.nn.functional.cross_entropy(
            logits.reshape(-1, logits.shape[-1]), labels.reshape(-1)
        )
        loss.backward()
        optimizer.step()
        return lambda: float(loss.detach())

    return train


def _fused(state: dict[str, Any]) -> dict[str, Any]:
    """Queries, keys and values as one tensor, as `MultiheadAttention` has them."""
    numpy = importlib.import_module("numpy")
    found = dict(state)
    for name in state:
        if ".q_proj." in name:
            parts = [found.pop(name.replace(".q_proj.", f".{p}_proj.")) for p in "qkv"]
            found[name.replace(".q_proj.", ".in_proj_")] = numpy.concatenate(parts)
    return found


def _model(torch: Any, name: str, task: Task) -> Any:
    nn: Any = torch.nn
    if name == "mlp":

        class MLP(nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.layers = nn.ModuleList([nn.Linear(784, 128), nn.Linear(128, 10)])

            def forward(self, x: Any) -> Any:
                return self.layers[1](torch.relu(self.layers[0](x)))

        return MLP()
    if name == "cnn":

        class CNN(nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
                self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
                self.pool = nn.MaxPool2d(2)
                self.fc1 = nn.Linear(7 * 7 * 64, 128)
                self.fc2 = nn.Linear(128, 10)

            def forward(self, x: Any) -> Any:
                x = self.pool(torch.relu(self.conv1(x)))
                x = self.pool(torch.relu(self.conv2(x)))
                # The other packages flatten with the features last, and so share the weights.
                return self.fc2(torch.relu(self.fc1(x.permute(0, 2, 3, 1).flatten(1))))

        return CNN()
    return _transformer(torch, task)


def _transformer(torch: Any, task: Task) -> Any:
    nn: Any = torch.nn
    c = task.cut
    gelu = nn.GELU(approximate="tanh")

    class Transformer(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.wte = nn.Embedding(c.vocabulary, c.width)
            self.wpe = nn.Embedding(c.context, c.width)
            self.h = nn.ModuleList(
                [
                    nn.TransformerEncoderLayer(
                        c.width,
                        c.heads,
                        4 * c.width,
                        0.0,
                        gelu,
                        batch_first=True,
                        norm_first=True,
                    )
                    for _ in range(c.layers)
                ]
            )
            self.ln_f = nn.LayerNorm(c.width)
            mask = nn.Transformer.generate_square_subsequent_mask(c.context)
            self.register_buffer("mask", mask, persistent=False)

        def forward(self, tokens: Any) -> Any:
            x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
            for block in self.h:
                x = block(x, src_mask=self.mask, is_causal=True)
            return self.ln_f(x) @ self.wte.weight.T

    return Transformer()
