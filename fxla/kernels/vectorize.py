"""Scalar functions as elementwise functions of arrays.

vectorize : (numbers -> numbers) -> (arrays -> arrays)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.pytree import tree_flatten
from fxla.core.trace import typeof, where_am_i
from fxla.errors import NotDifferentiableError, ShapeError
from fxla.kernels.api import Kernel, why_not
from fxla.kernels.primitive import kernel_p
from fxla.kernels.values import UntranslatableError
from fxla.ops.casts import convert
from fxla.ops.structure import broadcast_in_dim
from fxla.transforms.api import wraps_as

__all__ = ["vectorize"]


def vectorize(f: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of numbers a function of arrays, element by element.

    A function without loops becomes an expression that fuses into the loops around it; one with
    loops runs as a kernel over all elements. Both have `grad`, `jvp`, `vmap` and `jit`.

    Args:
        f: a numba-style function of numbers that returns a number, or a tuple of numbers.

    Example:
        >>> import numpy as np, fxla
        >>> @fxla.vectorize
        ... def leaky(x):
        ...     return x if x > 0 else 0.1 * x
        >>> leaky(np.array([-1.0, 2.0]))
        Array([-0.1,  2. ])
        >>> fxla.grad(lambda x: leaky(x).sum())(np.array([-1.0, 2.0]))
        Array([0.1, 1. ])
    """
    scalar = Kernel(f)

    @wraps_as("Elementwise function", scalar.__kernel__, "vectorize")
    def elementwise(*args: Any) -> Any:
        avals = [typeof(x) for x in args]
        _, tree = tree_flatten(tuple(args))
        found = scalar.translation(tuple([(a.dtype, 0) for a in avals]), tree)
        if isinstance(found, UntranslatableError):
            raise NotDifferentiableError(
                f"vectorize: {scalar.__name__} has {why_not(scalar, found)}{where_am_i()}. Write "
                "it with numbers, branches and loops."
            )
        try:
            shape = np.broadcast_shapes(*[a.shape for a in avals])
        except ValueError:
            shapes = " and ".join([str(a.shape) for a in avals])
            raise ShapeError(
                f"{scalar.__name__}: shapes {shapes} do not broadcast{where_am_i()}"
            ) from None
        given = list(found.constants)
        operands = [convert(x, a.dtype) for x, a in zip(args, avals, strict=True)]
        marks = [a.ndim > 0 for a in avals]
        wide = [
            _broadcast(x, a.shape, shape) if mark else x
            for x, a, mark in zip(operands, avals, marks, strict=True)
        ]
        kinds = [typeof(x) for x in (*operands, *given)]
        examples = [k if not m else type(k)((), k.dtype) for k, m in zip(kinds, marks)]
        examples += kinds[len(marks) :]
        outs = scalar.out_avals(found, examples, [None] * len(examples), args)
        results = kernel_p.bind(
            *wide, *given, program=found.program, outs=outs, batch=shape,
            batched=(*marks, *[False] * len(given)),
        )  # fmt: skip
        return results[0] if found.returns is None else tuple(results)

    return elementwise


def _broadcast(x: Any, own: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    if own == shape:
        return x
    start = len(shape) - len(own)
    return broadcast_in_dim(x, shape, tuple(range(start, len(shape))))
