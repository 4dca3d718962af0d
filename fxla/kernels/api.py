"""Functions written as numba's are, as primitives.

kernel : (numba-style a -> b) -> (a -> b), with grad, jvp, vmap and jit
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.control.custom_jvp import custom_jvp
from fxla.control.custom_vjp import custom_vjp
from fxla.core.array import as_array
from fxla.core.aval import Aval
from fxla.core.pytree import tree_flatten, tree_unflatten
from fxla.core.records import dataclass
from fxla.core.trace import Tracer, Value, is_tracing, typeof, where_am_i
from fxla.errors import NotDifferentiableError
from fxla.kernels.adjoint import adjoint
from fxla.kernels.expressions import numpys
from fxla.kernels.host import host_kernel_p
from fxla.kernels.primitive import kernel_p
from fxla.kernels.printed import module_text
from fxla.kernels.shapes import result_shapes
from fxla.kernels.syntax import plain_function
from fxla.kernels.tangent import tangent
from fxla.kernels.translate import Translation, translate
from fxla.kernels.values import UntranslatableError
from fxla.ops.casts import convert
from fxla.transforms.api import wraps_as

__all__ = ["Kernel", "KernelText", "kernel", "why_not"]


@dataclass(frozen=True)
class KernelText:
    """A kernel as Python, and what was derived from it.

    Attributes:
        value: the function for the given types.
        jvp: from inputs and tangents to tangents; empty if there is none.
        vjp: from inputs and cotangents to cotangents; empty if there is none.
    """

    value: str
    jvp: str
    vjp: str

    def __str__(self) -> str:
        parts = [f"# --- {n} ---\n{t}" for n, t in vars(self).items() if t]
        return "\n\n".join(parts)

    __repr__ = __str__


class Kernel:
    """A numba-style function as a primitive; made by `kernel`."""

    __name__: str

    def __init__(self, f: Callable[..., Any], out: Any = None) -> None:
        self.__kernel__ = plain_function(f)
        self._given = f
        self._out = out
        self._known: dict[Any, Translation | UntranslatableError] = {}
        self._rule: Any = None
        wraps_as("Kernel", self.__kernel__, "kernel")(self)

    @functools.cached_property
    def numba(self) -> Any:
        """The function compiled by numba alone, as calls outside of transformations run it."""
        if hasattr(self._given, "py_func"):
            return self._given
        jit = importlib.import_module("numba").njit
        return jit(_with_compiled_calls(self.__kernel__), error_model="numpy")

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's results, by whatever is tracing."""
        if kwargs:
            bound = inspect.signature(self.__kernel__).bind(*args, **kwargs)
            args = bound.args
        signature = inspect.signature(self.__kernel__)
        if len(args) < len(signature.parameters):
            bound = signature.bind(*args)
            bound.apply_defaults()
            args = bound.args
        if not is_tracing() and not any(isinstance(x, Tracer) for x in args):
            return self._eager(args)
        if self._rule is not None:
            return self._rule(*args)
        return self._traced(*args)

    # --- derivatives of the user's ---

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Set the derivative: ``rule(primals, tangents) -> (value, tangent)``; a decorator."""
        own = custom_jvp(self._traced)
        own.defjvp(rule)
        self._rule = own
        return rule

    def defvjp(self, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        """Set the reverse derivative, as `fxla.custom_vjp` does."""
        own = custom_vjp(self._traced)
        own.defvjp(forward, backward)
        self._rule = own

    # --- calls ---

    def _eager(self, args: Sequence[Any]) -> Any:
        """The function compiled by numba, on the arrays themselves."""
        leaves = [np.asarray(x) if isinstance(x, np.ndarray) else x for x in args]
        found = self.numba(*leaves)
        if isinstance(found, tuple):
            return tuple([_result(x) for x in found])
        return _result(found)

    def _traced(self, *args: Any) -> Any:
        leaves, tree = tree_flatten(args)
        avals = [typeof(x) for x in leaves]
        found = self.translation(tuple([(a.dtype, a.ndim) for a in avals]), tree)
        if isinstance(found, UntranslatableError):
            return self._on_host(found, leaves, avals, tree)
        given = [*leaves, *found.constants]
        kinds = [typeof(x) for x in given]
        outs = self.out_avals(found, kinds, given, args)
        operands = [convert(x, a.dtype) if a.weak_type else x for x, a in zip(given, kinds)]
        results = kernel_p.bind(
            *operands, program=found.program, outs=outs, batch=(), batched=(False,) * len(given)
        )
        n = len(results) - len(found.written)
        for k, value in zip(found.written, results[n:], strict=True):
            _write_back(leaves[k], value, self.__name__)
        if found.returns is None:
            return results[0]
        return tuple(results[:n]) if n else None

    def translation(
        self, types: tuple[tuple[Any, int], ...], tree: Any
    ) -> Translation | UntranslatableError:
        """The program for arguments of some types, or why there is none."""
        key = (types, tree, _captured_arrays(self.__kernel__))
        if key not in self._known:
            try:
                self._known[key] = translate(self.__kernel__, types)
            except UntranslatableError as error:
                self._known[key] = error
        return self._known[key]

    def out_avals(
        self, found: Translation, avals: Sequence[Aval], values: Sequence[Value], args: Any
    ) -> tuple[Aval, ...]:
        """Types of the results."""
        known = [_number(x) if a.ndim == 0 else None for x, a in zip(values, avals, strict=True)]
        shapes = result_shapes(found.program, [a.shape for a in avals], known, found.assumed)
        outs = []
        declared = None if self._out is None else _declared(self._out, args)
        for k, (o, shape) in enumerate(zip(found.program.outputs, shapes, strict=True)):
            if shape is None and declared is not None and k < len(declared):
                shape = declared[k].shape
            if shape is None:
                raise TypeError(
                    f"kernel {self.__name__}: the shape of {o.name!r} depends on values that are "
                    f"traced{where_am_i()}. Make the argument that decides it a Python number "
                    "(`static_argnums` of jit), or say it: `fxla.kernel(out=lambda *args: "
                    "fxla.ShapeDtypeStruct(shape, dtype))`."
                )
            outs.append(Aval(shape, o.dtype))
        return tuple(outs)

    def _on_host(
        self, error: UntranslatableError, leaves: Any, avals: Sequence[Aval], tree: Any
    ) -> Any:
        """A function that numba compiles and fxla cannot read: forward only."""
        why = why_not(self, error)
        if self._out is None:
            raise TypeError(
                f"kernel {self.__name__} cannot be traced: it has {why}{where_am_i()}. "
                "Outside of transformations numba runs it; to run it in a compiled program, say "
                "what it returns: `fxla.kernel(out=lambda *args: fxla.ShapeDtypeStruct(...))`."
            )
        args = tree_unflatten(tree, leaves)
        declared = _declared(self._out, args)
        outs = tuple([Aval(s.shape, s.dtype) for s in declared])
        found = host_kernel_p.bind(*leaves, function=_HostFunction(self, tree), outs=outs, why=why)
        _, out_tree = tree_flatten(self._out(*args) if callable(self._out) else self._out)
        return tree_unflatten(out_tree, found)

    # --- what a person sees ---

    def inspect(self, *args: Any) -> KernelText:
        """The function for the types of some arguments, and its derivatives, as Python.

        Args:
            *args: arrays, or anything with ``shape`` and ``dtype``.

        Raises:
            NotDifferentiableError: naming the line, if there is no program to derive from.
        """
        leaves, tree = tree_flatten(args)
        types = tuple([(a.dtype, a.ndim) for a in map(typeof, leaves)])
        found = self.translation(types, tree)
        if isinstance(found, UntranslatableError):
            raise NotDifferentiableError(
                f"kernel {self.__name__} has no program of its own: it has {why_not(self, found)}"
            )
        program = found.program
        active = tuple([x.dtype.kind == "f" for x in program.inputs])
        derived = tangent(program, active)
        texts = ["", ""]
        if any(derived.reached):
            texts = [
                module_text(derived.program),
                module_text(adjoint(program, active, derived.reached)),
            ]
        return KernelText(module_text(program), *texts)

    def __repr__(self) -> str:
        return f"<fxla kernel {self.__name__}>"


@dataclass(frozen=True)
class _HostFunction:
    """A kernel's function as numba compiles it, on flat arguments."""

    kernel: Kernel
    tree: Any

    def __call__(self, *leaves: Any) -> Any:
        args = tree_unflatten(self.tree, [x if np.ndim(x) else x[()] for x in leaves])
        return tree_flatten(self.kernel._eager(args))[0]


def _result(x: Any) -> Any:
    if isinstance(x, tuple):
        return tuple([_result(v) for v in x])
    return as_array(x) if isinstance(x, np.ndarray) else x


def _number(x: Value) -> Any:
    """A number whose value is known while tracing."""
    if isinstance(x, (bool, int, float, np.generic)):
        return x.item() if isinstance(x, np.generic) else x
    if isinstance(x, np.ndarray) and x.ndim == 0:
        return x.item()
    return None


def _declared(out: Any, args: Any) -> list[Any]:
    found = out(*args) if callable(out) else out
    return list(tree_flatten(found)[0])


def _write_back(target: Any, value: Value, name: str) -> None:
    """Assign what a kernel wrote into an argument."""
    if isinstance(target, Tracer):
        target[...] = value
        return
    raise TypeError(
        f"kernel {name} writes into an array that is not traced{where_am_i()}: a transformed "
        "function cannot change arrays outside of it. Make the array inside of the function, "
        "with `fxla.numpy.zeros`, or let the kernel make and return it."
    )


def _captured_arrays(f: Any) -> tuple[int, ...]:
    """Which arrays a function closes over now."""
    found = []
    for cell in f.__closure__ or ():
        try:
            found.append(id(cell.cell_contents))
        except ValueError:
            found.append(0)
    return tuple(found)


def why_not(k: Kernel, error: UntranslatableError) -> str:
    """What of a kernel cannot be read, and where it is."""
    return f"{error.reason} at {_place(k.__kernel__, error.line)}"


def _place(f: Any, line: int | None) -> str:
    """``model.py:12`` and the text of the line."""
    code = f.__code__
    number = line if line is not None else code.co_firstlineno
    return f"{os.path.basename(code.co_filename)}:{number}"


def _with_compiled_calls(f: Any) -> Any:
    """The function with fxla's kernels and plain functions that it calls as numba's."""
    njit = importlib.import_module("numba").njit
    names = set(f.__code__.co_names)
    changed = {}
    for name in names & set(f.__globals__):
        value = f.__globals__[name]
        if numpys(value) is not value:
            changed[name] = numpys(value)
        elif isinstance(value, Kernel):
            changed[name] = value.numba
        elif inspect.isfunction(value):
            changed[name] = njit(_with_compiled_calls(value), error_model="numpy")
    cells = []
    for cell in f.__closure__ or ():
        value = cell.cell_contents
        if isinstance(value, Kernel):
            cells.append(type(cell)(value.numba))
        elif inspect.isfunction(value):
            cells.append(type(cell)(njit(_with_compiled_calls(value), error_model="numpy")))
        else:
            cells.append(cell)
    if not changed and all(a is b for a, b in zip(cells, f.__closure__ or (), strict=True)):
        return f
    scope = {**f.__globals__, **changed}
    new = type(f)(f.__code__, scope, f.__name__, f.__defaults__, tuple(cells))
    new.__module__ = f.__module__
    return new


def kernel(f: Callable[..., Any] | None = None, *, out: Any = None) -> Any:
    """Make a numba-style function a primitive: compiled, differentiated and mapped.

    The function is ordinary Python that numba compiles: loops, branches, arrays that it makes and
    writes. Called on arrays it is numba's function. In a function that fxla transforms it runs in
    the compiled program, and `grad`, `jvp` and `vmap` derive programs of the same kind from it.

    Args:
        f: the function; or None, to use the decorator with options.
        out: what it returns, as `ShapeDtypeStruct` or a function of the arguments that gives it,
            where that does not follow from sizes and Python numbers.

    Example:
        >>> import numpy as np, fxla
        >>> @fxla.kernel
        ... def prefix_product(x):
        ...     y = np.empty_like(x)
        ...     total = 1.0
        ...     for i in range(x.shape[0]):
        ...         total *= x[i]
        ...         y[i] = total
        ...     return y
        >>> x = np.array([1.0, 2.0, 3.0])
        >>> prefix_product(x)
        Array([1., 2., 6.])
        >>> fxla.grad(lambda x: prefix_product(x).sum())(x)
        Array([9., 4., 2.])
    """
    if f is None:
        return lambda g: Kernel(g, out)
    return Kernel(f, out)
