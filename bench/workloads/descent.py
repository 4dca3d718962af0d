"""Gradients and steps of gradient descent, as each package's users write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.workloads.workload import Function

__all__ = ["RATE", "torch_gradient", "torch_leaves", "torch_sgd", "xla_sgd"]

RATE = 0.1


def xla_sgd(xla: Any, loss: Function) -> Function:
    """One jitted step: the loss and the new parameters."""

    def step(params: Any, *data: Any) -> Any:
        value, slopes = xla.value_and_grad(loss)(params, *data)
        return value, xla.tree.map(lambda p, g: p - RATE * g, params, slopes)

    jitted: Function = xla.jit(step)
    return jitted


def torch_leaves(tree: Any) -> list[Any]:
    """The tensors of nested lists and tuples, in order."""
    if isinstance(tree, (list, tuple)):
        return [leaf for part in tree for leaf in torch_leaves(part)]
    return [tree]


def torch_gradient(
    torch: Any, loss: Function, compiled: Callable[[Function], Function]
) -> Function:
    """Gradients by the first argument's tensors."""
    forward = compiled(loss)

    def gradient(params: Any, *data: Any) -> Any:
        leaves = torch_leaves(params)
        for leaf in leaves:
            leaf.requires_grad_(True)
        return torch.autograd.grad(forward(params, *data), leaves)

    return gradient


def torch_sgd(torch: Any, loss: Function, compiled: Callable[[Function], Function]) -> Function:
    """A step that updates the parameters in place, as PyTorch's optimisers do."""
    forward = compiled(loss)

    def step(params: Any, *data: Any) -> Any:
        leaves = torch_leaves(params)
        for leaf in leaves:
            leaf.requires_grad_(True)
        value = forward(params, *data)
        slopes = torch.autograd.grad(value, leaves)
        with torch.no_grad():
            torch._foreach_add_(leaves, slopes, alpha=-RATE)
        return value.detach(), params

    return step
