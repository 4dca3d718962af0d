"""How PyTorch lays out the array of a layer, and how that is read as ours.

A Linear's weight is ``[out, in]`` there and ``[in, out]`` here, a convolution's
``[out, in / groups, *spatial]`` and ``[*spatial, in / groups, out]``. Others are the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fxla import nn

__all__ = ["STRAIGHT", "TRANSPOSED", "Reading", "readings", "torch_name"]

Shape = tuple[int, ...]
_Move = Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]
STRAIGHT = "as it is"
TRANSPOSED = "transposed"


@dataclass(frozen=True)
class Reading:
    """A way to read a tensor of PyTorch as an array of a layer.

    Attributes:
        name: for messages.
        shape: of the tensor.
        read: the array of a tensor.
        write: the tensor of an array.
    """

    name: str
    shape: Shape
    read: _Move
    write: _Move


def _permuted(name: str, shape: Shape, order: Shape) -> Reading:
    """The tensor has the array's axes in this order."""
    back = tuple(int(k) for k in np.argsort(order))
    moved = tuple(shape[k] for k in order)
    return Reading(name, moved, lambda x: x.transpose(back), lambda x: x.transpose(order))


def readings(layer: Any, attribute: str, shape: Shape) -> tuple[Reading, ...]:
    """The ways to read a tensor as an array of a layer, PyTorch's own first.

    Args:
        layer: the module that holds the array.
        attribute: its name there.
        shape: of the array.

    Example:
        >>> [r.shape for r in readings(nn.Linear(2, 3), "weight", (2, 3))]
        [(3, 2), (2, 3)]
    """
    straight = Reading(STRAIGHT, shape, lambda x: x, lambda x: x)
    n = len(shape)
    if attribute in ("weight_ih", "weight_hh"):
        return (_permuted("gates first", shape, (1, 0)),)
    if isinstance(layer, nn.Linear) and attribute == "weight":
        return (_permuted(TRANSPOSED, shape, (1, 0)), straight)
    if isinstance(layer, nn.ConvTranspose) and attribute == "weight":
        return (_of_groups(shape, layer.groups),)
    if isinstance(layer, nn.Conv) and attribute == "weight":
        return (_permuted("features first", shape, (n - 1, n - 2, *range(n - 2))),)
    return (straight, *_without_ones(straight))


def _of_groups(shape: Shape, groups: int) -> Reading:
    """``[in, out / groups, *spatial]``, where ours is ``[*spatial, in / groups, out]``."""
    spatial, (features, out) = shape[:-2], shape[-2:]
    n = len(spatial)

    def read(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        split = x.reshape(groups, features, out // groups, *spatial)
        return split.transpose(*range(3, 3 + n), 1, 0, 2).reshape(shape)

    def write(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        split = x.reshape(*spatial, features, groups, out // groups)
        return split.transpose(n + 1, n, n + 2, *range(n)).reshape(moved)

    moved = (features * groups, out // groups, *spatial)
    return Reading("groups", moved, read, write)


def _without_ones(straight: Reading) -> tuple[Reading, ...]:
    """The array with axes of size 1 before it, as PyTorch's tokens have."""
    shape = straight.shape
    found = []
    for ones in (1, 2):
        longer = (1,) * ones + shape
        found.append(Reading("longer", longer, lambda x: x.reshape(shape), straight.write))
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
        found.append(Reading("shorter", shape, lambda x: x.reshape(straight.shape), straight.write))
    return tuple(found)


_CELLS = re.compile(r"(|.*\.)(reverse_)?cells\.(\d+)\.((?:weight|bias)_(?:ih|hh))")
_STATISTICS = {"mean": "running_mean", "var": "running_var"}


def torch_name(path: str) -> str:
    """A path as PyTorch writes it.

    Example:
        >>> torch_name("layers[0].weight"), torch_name("parts['a'].norm.mean")
        ('layers.0.weight', 'parts.a.norm.running_mean')
    """
    dotted = re.sub(r"\[['\"]?([^\]'\"]*)['\"]?\]", r".\1", path)
    gates = _CELLS.fullmatch(dotted)
    if gates:
        prefix, reverse, layer, name = gates.groups()
        return f"{prefix}{name}_l{layer}{'_reverse' if reverse else ''}"
    head, dot, last = dotted.rpartition(".")
    return head + dot + _STATISTICS.get(last, last)
