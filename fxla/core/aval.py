"""Abstract values: what is known of an array before its elements are."""

from __future__ import annotations

import math

from fxla.core.dtypes import DType, short_name, tangent_dtype
from fxla.core.records import dataclass

__all__ = ["Aval", "Shape"]

Shape = tuple[int, ...]


@dataclass(slots=True, unsafe_hash=True)
class Aval:
    """The shape and dtype of an array, and whether its dtype is weak (from a Python scalar).

    Nothing changes one. It is not declared frozen because one is made for every value that is
    traced, and a frozen dataclass takes three times as long to make.

    Example:
        >>> import numpy as np
        >>> str(Aval((2, 3), np.dtype("float32")))
        'f32[2,3]'
    """

    shape: Shape
    dtype: DType
    weak_type: bool = False

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def strong(self) -> Aval:
        """The same aval, not weak."""
        return Aval(self.shape, self.dtype) if self.weak_type else self

    def tangent(self) -> Aval:
        """The aval of a tangent at a value of this aval."""
        return Aval(self.shape, tangent_dtype(self.dtype))

    def matches(self, other: Aval) -> bool:
        """Whether shape and dtype agree, weakness aside."""
        return self.shape == other.shape and self.dtype == other.dtype

    def __str__(self) -> str:
        return f"{short_name(self.dtype)}[{','.join(map(str, self.shape))}]"
