"""Looking into programs while they run; the names are those of ``jax.debug``."""

from __future__ import annotations

import builtins
import pdb
import string
import sys
from collections.abc import Callable
from typing import Any

from fxla.control.callback import debug_callback
from fxla.core.trace import where_am_i

__all__ = ["breakpoint", "callback", "print"]


def callback(
    callback: Callable[..., Any], *args: Any, ordered: bool = False, **kwargs: Any
) -> None:
    """Call a Python function with the values of arrays, each time the program gets there.

    Under `vmap` it is called once for each example; under derivatives, with the values.

    Args:
        callback: takes NumPy arrays; what it returns is ignored.
        *args: trees of arrays, traced or not.
        ordered: accepted; calls come in the order of the program.
        **kwargs: more trees of arrays, by name.

    Example:
        >>> import fxla, fxla.numpy as np
        >>> seen = []
        >>> @fxla.jit
        ... def f(x):
        ...     fxla.debug.callback(lambda total: seen.append(float(total)), x.sum())
        ...     return x * 2
        >>> _ = f(np.array([1.0, 2.0]))
        >>> seen
        [3.0]
    """
    debug_callback(callback, *args, ordered=ordered, **kwargs)


class _Checked(string.Formatter):
    """A formatter that insists on using every argument."""

    def check_unused_args(self, used: Any, args: Any, kwargs: Any) -> None:
        unused = [i for i in range(len(args)) if i not in used]
        unused += [name for name in kwargs if name not in used]
        if unused:
            raise ValueError(
                f"fxla.debug.print: the text does not use the arguments {unused}{where_am_i()}"
            )


class _Any:
    """Stands for an array while a text is checked."""

    def __format__(self, spec: str) -> str:
        return ""

    def __getitem__(self, key: Any) -> _Any:
        return self

    def __getattr__(self, name: str) -> _Any:
        return self


def print(fmt: str, *args: Any, ordered: bool = False, **kwargs: Any) -> None:  # noqa: A001
    """Print values, each time the program gets there.

    Args:
        fmt: a text for ``str.format``, as ``"loss {}"`` or ``"{x:.3f}"``.
        *args: what it shows: trees of arrays, traced or not.
        ordered: accepted; lines come in the order of the program.
        **kwargs: more, by name.

    Raises:
        ValueError: if an argument is not used.
        IndexError, KeyError: if one is missing.

    Example:
        >>> import fxla
        >>> @fxla.jit
        ... def f(x):
        ...     fxla.debug.print("x is {x}, its square {}", x**2, x=x)
        ...     return x
        >>> _ = f(3.0)
        x is 3.0, its square 9.0
    """
    _Checked().format(fmt, *[_Any() for _ in args], **{name: _Any() for name in kwargs})

    def show(*values: Any, **named: Any) -> None:
        builtins.print(fmt.format(*values, **named))

    debug_callback(show, *args, ordered=ordered, **kwargs)


def breakpoint(*args: Any, **kwargs: Any) -> None:  # noqa: A001 - JAX's name
    """Stop in the debugger, `pdb`, when the program gets there, to look at values.

    Args:
        *args: trees of arrays; in the debugger they are ``values``.
        **kwargs: more, by name: ``named["x"]``.

    Example:
        >>> import fxla
        >>> @fxla.jit
        ... def f(x):
        ...     fxla.debug.breakpoint(x=x)
        ...     return x + 1
        >>> f(1.0)  # doctest: +SKIP
        (Pdb) named["x"]
        array(1.)
    """

    def stop(*values: Any, **named: Any) -> None:
        pdb.Pdb(nosigint=True, stdin=sys.stdin, stdout=sys.stdout).set_trace(sys._getframe())

    debug_callback(stop, *args, **kwargs)
