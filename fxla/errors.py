"""Exception classes.

Every class also subclasses the exception NumPy (or Python) raises in the same situation, so
``except ValueError`` written for NumPy keeps working on traced code.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = [
    "AxisError",
    "CacheWarning",
    "ConcretizationError",
    "ControlFlowError",
    "DtypeError",
    "FxlaError",
    "InternalError",
    "LeakedTracerError",
    "MissingExtraError",
    "NonConcreteBooleanIndexError",
    "NotDifferentiableError",
    "ReadOnlyError",
    "ShapeError",
    "TracerArrayConversionError",
    "TracerBoolConversionError",
    "TracerIndexError",
    "TracerIntegerConversionError",
    "UndefinedVariableError",
]


class FxlaError(Exception):
    """Base class of every error that fxla raises about a user's program."""


class ShapeError(FxlaError, ValueError):
    """Shapes of the operands of a call do not fit together."""


class DtypeError(FxlaError, TypeError):
    """A dtype is not supported where it was given."""


class AxisError(FxlaError, np.exceptions.AxisError):
    """An axis is out of bounds for the operand's number of dimensions."""

    def __init__(self, message: str) -> None:
        np.exceptions.AxisError.__init__(self, message)

    def __str__(self) -> str:
        return str(self.args[0])  # NumPy's keeps the message that it was made with


class TracerIndexError(FxlaError, IndexError):
    """An index expression is not valid for the traced array it is applied to."""


class ConcretizationError(FxlaError, TypeError):
    """A traced value was used where Python needs its concrete value.

    Attributes:
        advice: gives the end of the message, which is worth making only if a person reads it.
    """

    advice: Callable[[], str] | None = None

    def __str__(self) -> str:
        return super().__str__() + (self.advice() if self.advice is not None else "")

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return type(self), (str(self),)


class TracerBoolConversionError(ConcretizationError):
    """``bool()`` of a traced value: a Python ``if``, ``while``, ``and``, ``or`` or ``not``."""


class TracerIntegerConversionError(ConcretizationError):
    """``int()`` or ``range()`` of a traced value, or its use as a Python index."""


class TracerArrayConversionError(ConcretizationError):
    """``numpy.asarray`` of a traced value."""


class NonConcreteBooleanIndexError(FxlaError, IndexError):
    """A traced boolean mask would give a result whose size is not known while tracing."""


class ControlFlowError(FxlaError, TypeError):
    """A captured branch or loop on a traced value that no program can hold."""


class UndefinedVariableError(FxlaError, UnboundLocalError):
    """A variable that has no value on every path of a captured branch or loop was read."""


class ReadOnlyError(FxlaError, ValueError):
    """A write to an argument of a traced function, or to an array from outside of it."""


class LeakedTracerError(FxlaError, RuntimeError):
    """A tracer was used after the transformation that created it had finished."""


class NotDifferentiableError(FxlaError, TypeError):
    """A derivative was asked for that does not exist or is not defined."""


class MissingExtraError(FxlaError, ImportError):
    """An optional dependency is not installed; the message names the extra to install."""


class InternalError(FxlaError, AssertionError):
    """An invariant of fxla itself does not hold. Please report it with the printed program."""


class CacheWarning(UserWarning):
    """The kernel cache on disk could not be read or written; the kernel was compiled anew."""
