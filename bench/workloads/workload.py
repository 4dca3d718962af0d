"""What a workload is: one program, written once for fxla and JAX and again for the other peers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Self

import numpy

__all__ = ["Arguments", "Function", "Traffic", "Workload", "f32", "labels", "normal"]

Function = Callable[..., Any]
Arguments = tuple[Any, ...]


class Traffic(NamedTuple):
    """Bytes that must be moved between memory and processor."""

    read: float
    written: float


@dataclass(frozen=True)
class Workload:
    """One program to time. A subclass's fields are its sizes.

    `xla` is written against the names that fxla and JAX share. `torch`, `numpy`, `autograd` and
    `numba` are each written as a competent user of that package would; one that returns None, as
    all do here, says that the package is not asked.

    Attributes:
        family: the file it stands in.
        dtype: of the arrays.
        comparable: whether different packages should agree; random numbers and chaos do not.
        tolerance: largest difference between packages, as a share of a result's largest element.
        torch_compiles: whether `torch.compile` is asked; it unrolls a loop, step by step.
        eager: whether nothing is jitted, in any package.
        small: sizes at which a test runs it.
        scales: the field that `python -m bench scaling` multiplies, if any.
        serial: one line of explanation where a second thread gains less than 1.8.
        why: one line of explanation where a peer is faster.
    """

    family: ClassVar[str]
    dtype: ClassVar[str] = "float32"
    comparable: ClassVar[bool] = True
    tolerance: ClassVar[float] = 1e-3
    torch_compiles: ClassVar[bool] = True
    eager: ClassVar[bool] = False
    small: ClassVar[dict[str, int]] = {}
    scales: ClassVar[str] = ""
    serial: ClassVar[str] = ""

    why: str = field(default="", kw_only=True)

    @property
    def name(self) -> str:
        """As it stands in the table and on the command line."""
        raise NotImplementedError

    def arguments(self) -> Arguments:
        """Trees of NumPy arrays. The worker puts them where the package wants them."""
        raise NotImplementedError

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        """The function, transformed and jitted, by fxla or by JAX."""
        raise NotImplementedError

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function | None:
        """The function by PyTorch. `compiled` is the identity, or `torch.compile`."""
        return None

    def numpy(self) -> Function | None:
        """The function by NumPy and SciPy."""
        return None

    def autograd(self, autograd: Any, np: Any) -> Function | None:
        """The function by HIPS autograd, `np` being its `autograd.numpy`."""
        return None

    def numba(self, numba: Any) -> Function | None:
        """The function by loops that numba compiles."""
        return None

    def flops(self) -> float | None:
        """Additions and multiplications that cannot be avoided, where they set the time."""
        return None

    def traffic(self) -> Traffic | None:
        """Bytes that must be moved, where they set the time."""
        return None

    def tiny(self) -> Self:
        """The same program at the sizes `small`."""
        return self.resized(self.small)

    def resized(self, sizes: dict[str, Any]) -> Self:
        """The same program at other sizes."""
        return dataclasses.replace(self, **sizes)

    def has(self, peer: str) -> bool:
        """Whether the program is written for that peer."""
        if peer == "torch-compile":
            return self.torch_compiles and self.has("torch")
        method = "xla" if peer in ("fxla", "jax") else peer
        return getattr(type(self), method, None) is not getattr(Workload, method, None) or (
            method == "xla"
        )


def normal(*shape: int, scale: float = 1.0, seed: int = 0, dtype: str = "float32") -> Any:
    """Reproducible normal numbers."""
    return (scale * numpy.random.default_rng(seed).normal(size=shape)).astype(dtype)


def labels(n: int, classes: int = 10) -> Any:
    """Reproducible labels below `classes`."""
    return numpy.random.default_rng(1).integers(0, classes, n).astype(numpy.int32)


def f32(*values: float) -> Any:
    """A float32 vector."""
    return numpy.array(values, numpy.float32)
