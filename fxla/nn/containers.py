"""Modules made of modules: one after the other, beside a shortcut; functions as modules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fxla.core.trace import typeof, where_am_i
from fxla.nn.calls import path_of
from fxla.nn.module import Module

__all__ = ["Flatten", "Lambda", "Residual", "Sequential"]


class Sequential(Module):
    """Modules and functions, each called with the result of the one before.

    Args:
        *layers: modules and functions of one array; or one list of them.

    Attributes:
        layers: a list.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.relu, nn.Linear(8, 2))
        >>> model(np.ones((5, 4))).shape, len(model)
        ((5, 2), 3)
    """

    def __init__(self, *layers: Any) -> None:
        if len(layers) == 1 and isinstance(layers[0], list | tuple | Iterator):
            layers = tuple(layers[0])
        for layer in layers:
            if not callable(layer):
                raise TypeError(
                    f"nn.Sequential: {layer!r} is neither a module nor a function{where_am_i()}. "
                    "Give layers one by one or in one list."
                )
        self.layers = list(layers)

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def __getitem__(self, index: int | slice) -> Any:
        found = self.layers[index]
        return Sequential(found) if isinstance(index, slice) else found

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)

    def append(self, layer: Any) -> Sequential:
        """Add a layer at the end.

        Example:
            >>> from fxla import nn
            >>> len(nn.Sequential(nn.Linear(2, 3)).append(nn.ReLU()))
            2
        """
        self.layers = [*self.layers, layer]
        return self

    def extend(self, layers: Iterable[Any]) -> Sequential:
        """Add layers at the end."""
        self.layers = [*self.layers, *layers]
        return self


class Lambda(Module):
    """A function as a module.

    Args:
        function: of any arguments; it is configuration, so arrays that it closes over are fixed.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.Lambda(lambda x: x[:, 0])(np.ones((5, 4))).shape
        (5,)
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


class Residual(Module):
    """``x + module(x)`` (He et al. 2016, Deep residual learning).

    Args:
        module: a module whose result has the shape of its input, or of what `shortcut` gives.
        shortcut: a module in place of the identity.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.Residual(nn.Linear(4, 4))(np.ones((5, 4))).shape
        (5, 4)
    """

    def __init__(self, module: Any, shortcut: Any = None) -> None:
        self.module = module
        self.shortcut = shortcut

    def __call__(self, x: Any) -> Any:
        return (x if self.shortcut is None else self.shortcut(x)) + self.module(x)


class Flatten(Module):
    """All axes but the first ones as one.

    Args:
        start: the first axis that is merged.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.Flatten()(np.ones((5, 4, 3))).shape
        (5, 12)
    """

    def __init__(self, start: int = 1) -> None:
        self.start = start

    def __call__(self, x: Any) -> Any:
        shape = typeof(x).shape
        if len(shape) < self.start:
            raise ValueError(f"{path_of(self)}: {typeof(x)} has no axis {self.start}{where_am_i()}")
        size = 1
        for n in shape[self.start :]:
            size *= n
        return x.reshape(*shape[: self.start], size)
