"""Symbols: values of a functional graph, before there are arrays."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

__all__ = ["Symbol"]


class Symbol:
    """A value of a functional graph: an input, or what a layer or a function gives of others.

    Attributes:
        function: the module or function that computes it; None for an input.
        args: its arguments, symbols among them.
        kwargs: its keyword arguments.
        shape: of an input, without the batch axis.
        dtype: of an input.
        name: of an input, or None.
    """

    __slots__ = ("args", "dtype", "function", "kwargs", "name", "shape")

    def __init__(
        self,
        function: Callable[..., Any] | None,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        shape: tuple[int, ...] = (),
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs or {}
        self.shape = shape
        self.dtype = dtype
        self.name = name

    def __repr__(self) -> str:
        if self.function is None:
            return f"Input{self.shape}"
        return f"Symbol({type(self.function).__name__})"

    def __getitem__(self, index: Any) -> Symbol:
        return Symbol(operator.getitem, (self, index))

    def __add__(self, other: Any) -> Symbol:
        return Symbol(operator.add, (self, other))

    def __radd__(self, other: Any) -> Symbol:
        return Symbol(operator.add, (other, self))

    def __sub__(self, other: Any) -> Symbol:
        return Symbol(operator.sub, (self, other))

    def __rsub__(self, other: Any) -> Symbol:
        return Symbol(operator.sub, (other, self))

    def __mul__(self, other: Any) -> Symbol:
        return Symbol(operator.mul, (self, other))

    def __rmul__(self, other: Any) -> Symbol:
        return Symbol(operator.mul, (other, self))

    def __truediv__(self, other: Any) -> Symbol:
        return Symbol(operator.truediv, (self, other))

    def __matmul__(self, other: Any) -> Symbol:
        return Symbol(operator.matmul, (self, other))

    def __neg__(self) -> Symbol:
        return Symbol(operator.neg, (self,))
