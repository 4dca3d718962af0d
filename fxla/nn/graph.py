"""Models as graphs of layers, Keras's functional style.

A layer called with a *symbol* gives a symbol; `Model` remembers what was called with what.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import fxla.numpy as fnp
from fxla.core.pytree import tree_flatten, tree_map, tree_unflatten
from fxla.core.trace import where_am_i
from fxla.nn.module import Module
from fxla.nn.symbol import Symbol
from fxla.transforms.api import kind_of

__all__ = ["Add", "Concatenate", "Input", "Model"]


def Input(shape: int | Sequence[int | None], dtype: Any = None, name: str | None = None) -> Symbol:  # noqa: N802 - Keras's name
    """An input of a functional graph.

    Args:
        shape: of one example, without the batch axis; None for a size that varies.
        dtype: of the input; default: fxla's default float.
        name: for messages.

    Example:
        >>> from fxla import nn
        >>> nn.Dense(3)(nn.Input(4))
        Symbol(Dense)
    """
    sizes: Any = (shape,) if isinstance(shape, int) else tuple(shape)
    return Symbol(None, shape=sizes, dtype=dtype, name=name)


@dataclass(frozen=True)
class _Value:
    """The value of an input or of a step, by number."""

    number: int


@dataclass(frozen=True)
class _Step:
    """One call.

    Attributes:
        layer: number of the module that is called, or None.
        function: the function that is called if it is no module.
        arguments: leaves of ``(args, kwargs)``, values of earlier steps among them.
        tree: their structure.
    """

    layer: int | None
    function: Callable[..., Any] | None
    arguments: tuple[Any, ...]
    tree: Any


class Model(Module):
    """The function from some symbols to others (Keras's functional graph).

    Layers whose sizes were left out are made at once if the inputs' sizes are known.

    Args:
        inputs: a symbol that `Input` made, or a list of them.
        outputs: a tree of symbols.

    Attributes:
        layers: the modules of the graph, each once, in the order of their first calls.

    Raises:
        ValueError: if an output depends on an input that is not listed.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> x = nn.Input(4)
        >>> h = nn.Dense(8, activation=nn.relu)(x)
        >>> model = nn.Model(x, nn.Dense(2)(h) + nn.Dense(2)(x))
        >>> model(np.ones((5, 4))).shape, nn.parameter_count(model)
        ((5, 2), 68)
    """

    def __init__(self, inputs: Any, outputs: Any) -> None:
        given = tuple(inputs) if isinstance(inputs, list | tuple) else (inputs,)
        if any(type(x) is not Symbol or x.function is not None for x in given):
            raise TypeError(f"nn.Model: inputs must be symbols that nn.Input made{where_am_i()}")
        numbers = {id(x): k for k, x in enumerate(given)}
        layers: list[Module] = []
        steps: list[_Step] = []
        wanted, tree = tree_flatten(outputs)
        for symbol in _in_order(wanted, set(numbers)):
            leaves, of_arguments = tree_flatten((symbol.args, symbol.kwargs))
            arguments = tuple([_Value(numbers[id(x)]) if type(x) is Symbol else x for x in leaves])
            f: Any = symbol.function
            number = None
            if isinstance(f, Module):
                number = next((k for k, layer in enumerate(layers) if layer is f), len(layers))
                if number == len(layers):
                    layers.append(f)
            steps.append(_Step(number, f if number is None else None, arguments, of_arguments))
            numbers[id(symbol)] = len(given) + len(steps) - 1
        self.layers = layers
        self._steps = tuple(steps)
        self._outputs = tree_unflatten(tree, [_Value(numbers[id(x)]) for x in wanted])
        self._inputs = len(given)
        shapes = [(1, *x.shape) for x in given]
        if all(None not in shape for shape in shapes):
            empty = [fnp.zeros(s, x.dtype) for s, x in zip(shapes, given, strict=True)]
            self.build(*empty)

    def __call__(self, *inputs: Any) -> Any:
        if len(inputs) == 1 and isinstance(inputs[0], list | tuple):
            inputs = tuple(inputs[0])
        if len(inputs) != self._inputs:
            raise TypeError(
                f"nn.Model: expected {self._inputs} inputs, got {len(inputs)}{where_am_i()}"
            )
        values = list(inputs)
        for step in self._steps:
            given = [values[x.number] if type(x) is _Value else x for x in step.arguments]
            args, kwargs = tree_unflatten(step.tree, given)
            f = step.function if step.layer is None else self.layers[step.layer]
            values.append(f(*args, **kwargs))  # type: ignore[misc]
        return tree_map(lambda x: values[x.number], self._outputs)


def _in_order(outputs: Sequence[Any], known: set[int]) -> list[Symbol]:
    """The symbols that outputs depend on, each after what it depends on itself."""
    found: list[Symbol] = []
    done = set(known)
    waiting = [(x, False) for x in reversed(outputs)]
    while waiting:
        x, ready = waiting.pop()
        if type(x) is not Symbol:
            raise TypeError(f"nn.Model: an output is {kind_of(x)}, not a symbol{where_am_i()}")
        if id(x) in done:
            continue
        if ready:
            done.add(id(x))
            found.append(x)
            continue
        if x.function is None:
            raise ValueError(
                f"nn.Model: the outputs depend on {x!r}, which is not among the "
                f"inputs{where_am_i()}"
            )
        waiting.append((x, True))
        leaves = tree_flatten((x.args, x.kwargs))[0]
        waiting += [(y, False) for y in reversed(leaves) if type(y) is Symbol]
    return found


class Concatenate(Module):
    """Arrays one after the other along an axis, as a layer of a graph.

    Args:
        axis: along which they are joined.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.Concatenate()([np.ones((5, 2)), np.ones((5, 3))]).shape
        (5, 5)
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def __call__(self, *arrays: Any) -> Any:
        first = arrays[0]
        return fnp.concatenate(first if isinstance(first, list | tuple) else arrays, axis=self.axis)


class Add(Module):
    """The sum of arrays, as a layer of a graph.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.Add()([np.ones(2), np.ones(2)])
        Array([2., 2.])
    """

    def __call__(self, *arrays: Any) -> Any:
        first = arrays[0]
        total, *others = first if isinstance(first, list | tuple) else arrays
        for x in others:
            total = total + x
        return total
