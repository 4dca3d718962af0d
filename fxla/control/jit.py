"""Compilation: a function as one native program.

jit : (a -> b) -> (a -> b)
"""

from __future__ import annotations

import functools
import inspect as python_inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fxla.control.jit_primitive import jit_p, mode
from fxla.control.programs import executable_for, executable_of, scope_key
from fxla.control.stages import Lowered, Traced, TracedCall, Updated
from fxla.core.array import Array
from fxla.core.deferred import deferred
from fxla.core.dtypes import default_float
from fxla.core.pause import no_collection
from fxla.core.pytree import TreeDef, tree_flatten, tree_structure, tree_unflatten
from fxla.core.scopes import special
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr
from fxla.core.stateful import is_stateful
from fxla.core.trace import Tracer, Value, eval_trace, is_on_device, state, typeof, where_am_i
from fxla.transforms.api import (
    FlatFunction,
    check_function,
    check_leaf,
    flatten_function,
    function_name,
    kind_of,
    wraps_as,
)

if TYPE_CHECKING:
    from fxla.compile.inspect import Inspection

__all__ = ["JitFunction", "jit"]

entries, inspection = deferred("fxla.compile.calls.entry"), deferred("fxla.compile.inspect")
executables = deferred("fxla.compile.executable")


class JitFunction:
    """A compiled function; see `jit`.

    Calls like one that was made twice do not come to `__call__`: see `fxla.compile.calls.entry`.
    """

    __slots__ = ("__dict__", "__weakref__", "_served")

    def __init__(
        self,
        f: Callable[..., Any],
        static_argnums: Sequence[int],
        static_argnames: Sequence[str],
        inline: bool,
        donate_argnums: Sequence[int] = (),
        donate_argnames: Sequence[str] = (),
    ) -> None:
        self._f = f
        self._name = function_name(f)
        self._inline = inline
        self._static_nums, self._static_names = _named_arguments(
            f, static_argnums, static_argnames, "static_argnames"
        )
        self._donated_nums, self._donated_names = _named_arguments(
            f, donate_argnums, donate_argnames, "donate_argnames"
        )
        self._traces: dict[Any, TracedCall] = {}
        self._updating: _Updating | None = None
        wraps_as("Compiled version", f, "jit")(self)

    def __repr__(self) -> str:
        return f"<jit of {self._name}>"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        return _Bound(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if mode.disabled:
            return self._f(*args, **kwargs)
        if self._updating is not None and state.trace is eval_trace:
            done: Updated = self._updating(*args, **kwargs)
            return done.finish((args, kwargs))
        entry, leaves = self._entry(args, kwargs)
        if entry.concrete and state.trace is eval_trace:
            if entry.updates:
                return self._updated(entry, args, kwargs, self._run(entry, leaves))
            if entry.executable is not None and entry.tries and not special:
                self._serve(self, entry, entry.out_tree, args, kwargs, leaves)
            found = self._run(entry, leaves)
            return found[0] if entry.single else tree_unflatten(entry.out_tree, found)
        closed = entry.closed
        if self._inline:
            outs = eval_jaxpr(closed.jaxpr, *closed.consts, *leaves)
        else:
            outs = jit_p.bind(*closed.consts, *leaves, jaxpr=closed.jaxpr, name=self._name)
        return self._updated(entry, args, kwargs, outs)

    def _updated(self, entry: TracedCall, args: Any, kwargs: Any, outs: Sequence[Value]) -> Any:
        """The result, once what the function assigned to modules is assigned to the caller's."""
        if entry.updates and (self._static_nums or self._static_names):
            _, args, kwargs, _ = self._split_static(args, kwargs)
        elif entry.updates and self._updating is None and entry.concrete:
            self._updating = _Updating(self)
        return entry.finish((args, kwargs), outs)

    def _run(self, entry: TracedCall, leaves: Sequence[Value]) -> Sequence[Value]:
        """What the program returns for these leaves; it is compiled if it was not."""
        if entry.executable is None:
            values = (*entry.closed.consts, *leaves)
            entry.executable = executable_for(entry.closed.jaxpr, values)
        found: Sequence[Value] = entry.executable(*entry.closed.consts, *leaves)
        return found

    def _entry(self, args: Any, kwargs: Any) -> tuple[TracedCall, Sequence[Value]]:
        """The traced function for these arguments, and its flat arguments."""
        static: Any = None
        f = self._f
        if self._static_nums or self._static_names:
            f, args, kwargs, static = self._split_static(args, kwargs)
        leaves: Sequence[Any]
        types: tuple[Any, ...]
        if not kwargs and all(type(x) in _ARRAYS for x in args):
            leaves, tree = args, _flat_tree(len(args))
            types = tuple([(x.shape, x.dtype) for x in args])
        else:
            leaves, tree = tree_flatten((args, kwargs))
            try:
                types = tuple([_type_key(x) for x in leaves])
            except AttributeError:
                flatten_function(f, args, kwargs, call=f"jit of {self._name}")
                types = tuple([typeof(x) for x in leaves])
        scope = (state.axes or state.ambient) and scope_key()
        key = (tree, types, static, scope, default_float())
        known = self._traces.get(key)
        if known is not None:
            return known, leaves
        for x in leaves:
            check_leaf(x, "an argument", f"jit of {self._name}")
        flat_f = FlatFunction(f, tree, stateful=is_stateful((args, kwargs), tree))
        with no_collection():
            avals = [typeof(x) for x in leaves]
            closed = trace_to_jaxpr(flat_f.with_updates, avals, "jit", self._name)
        assert flat_f.out_tree is not None
        concrete = not any(isinstance(x, Tracer) for x in leaves)
        entry = TracedCall(closed, flat_f.out_tree, concrete, tuple(flat_f.updates))
        if not any(isinstance(c, Tracer) for c in closed.consts):
            self._traces[key] = entry
        return entry, leaves

    def _serve(
        self,
        function: JitFunction | _Updating,
        entry: TracedCall,
        out_tree: TreeDef,
        args: Any,
        kwargs: Any,
        leaves: Sequence[Value],
    ) -> None:
        """Have later calls of a function like this one served natively."""
        entry.tries -= 1
        run = entry.executable
        if not isinstance(run, executables.Executable):
            entry.tries = 0
            return
        fixed, named = self._static_of(args, kwargs)
        tree = self._in_tree(args, kwargs)
        donated = self._donated(args, kwargs, fixed, named)
        call = entries.Call(
            tree, leaves, fixed, named, entry.closed.consts, run, out_tree, donated,
            default_float(),
        )  # fmt: skip
        if entries.serve(function, call):
            entry.tries = 0

    def _donated(self, args: Any, kwargs: Any, fixed: Any, named: Any) -> dict[int, int]:
        """The leaves of donated arguments, and how many references there are to one of no other.

        For an argument that is an array these are of a variable, the interpreter's stack, the tuple
        of arguments and the list of leaves; for an array in a tree, of the tree and that list.
        """
        if not (self._donated_nums or self._donated_names):
            return {}
        nums = {i if i >= 0 else i + len(args) for i in self._donated_nums}
        given = [(i in nums, x) for i, x in enumerate(args) if i not in fixed]
        keys = sorted(k for k in kwargs if k not in named)
        given += [(k in self._donated_names, kwargs[k]) for k in keys]
        found: dict[int, int] = {}
        start = 0
        for donated, x in given:
            n = len(tree_flatten(x)[0])
            if donated:
                limit = 4 if isinstance(x, np.ndarray) else 2
                found.update(dict.fromkeys(range(start, start + n), limit))
            start += n
        return found

    def _static_of(self, args: Any, kwargs: Any) -> tuple[dict[int, Any], dict[str, Any]]:
        """The static arguments of a call, by position and by keyword."""
        nums = {i if i >= 0 else i + len(args) for i in self._static_nums}
        fixed = {i: args[i] for i in sorted(nums) if i < len(args)}
        return fixed, {k: kwargs[k] for k in self._static_names if k in kwargs}

    def _split_static(self, args: Any, kwargs: Any) -> tuple[Any, Any, Any, Any]:
        """The function with its static arguments fixed, the other arguments, and a key."""
        fixed, named = self._static_of(args, kwargs)
        given: list[tuple[int | str, Any]] = [*fixed.items(), *named.items()]
        for where, value in given:
            self._check_hashable(where, value)
        n = len(args)
        f = self._f

        def with_static(*dynamic: Any, **dynamic_kwargs: Any) -> Any:
            given = iter(dynamic)
            full = [fixed[i] if i in fixed else next(given) for i in range(n)]
            return f(*full, **dynamic_kwargs, **named)

        with_static.__name__ = self._name
        with_static.__wrapped__ = f  # type: ignore[attr-defined]
        rest = tuple(x for i, x in enumerate(args) if i not in fixed)
        rest_kwargs = {k: v for k, v in kwargs.items() if k not in named}
        key = (
            tuple((i, _static_key(v)) for i, v in fixed.items()),
            tuple((k, _static_key(v)) for k, v in sorted(named.items())),
        )
        return with_static, rest, rest_kwargs, key

    def _check_hashable(self, where: int | str, value: Any) -> None:
        if isinstance(value, Tracer):
            raise TypeError(
                f"jit of {self._name}: static argument {where!r} is a traced "
                f"{value.aval}{where_am_i()}. A static argument must be a concrete value: remove "
                "it from static_argnums."
            )
        try:
            hash(value)
        except TypeError:
            raise TypeError(
                f"jit of {self._name}: static argument {where!r} is {kind_of(value)}, which is "
                f"not hashable, so compiled versions cannot be told apart by it{where_am_i()}. "
                "Pass a tuple instead of a list, a frozen dataclass instead of a dict, or do not "
                "declare it static if it holds arrays."
            ) from None

    def trace(self, *args: Any, **kwargs: Any) -> Traced:
        """Trace for these arguments (arrays, or anything with a shape and a dtype)."""
        entry, _ = self._entry(_concrete(args), _concrete(kwargs))
        return Traced(entry, self._in_tree(args, kwargs), self._name)

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """Trace for these arguments and stop before compiling."""
        return self.trace(*args, **kwargs).lower()

    def eval_shape(self, *args: Any, **kwargs: Any) -> Any:
        """Types of the results, without computing them."""
        return self.trace(*args, **kwargs).out_info

    def inspect(self, *args: Any, **kwargs: Any) -> Inspection:
        """Every stage from jaxpr to generated source, for these arguments.

        Returns:
            An object with ``.jaxpr``, ``.loops``, ``.source`` and ``.plan``; it prints well in a
            terminal and in Jupyter.
        """
        entry, _ = self._entry(_concrete(args), _concrete(kwargs))
        executable = executable_of(entry.closed.jaxpr)
        found: Inspection = inspection.inspect_executable(entry.closed, executable)
        return found

    def clear_cache(self) -> None:
        """Forget all traced and compiled versions."""
        self._traces.clear()
        self._updating = None
        if hasattr(self, "_served"):
            del self._served

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_traces": {}, "_updating": None}

    def _in_tree(self, args: Any, kwargs: Any) -> TreeDef:
        if self._static_nums or self._static_names:
            _, args, kwargs, _ = self._split_static(args, kwargs)
        return tree_flatten((args, kwargs))[1]


class _Updating:
    """A jitted function that returns what it assigns to modules, for its caller to assign.

    Native code serves its calls, which it could not if they had to assign.
    """

    __slots__ = ("__dict__", "__weakref__", "_served")

    def __init__(self, function: JitFunction) -> None:
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Updated:
        function = self._function
        entry, leaves = function._entry(args, kwargs)
        again = entry.executable is not None
        found = function._run(entry, leaves)
        n = len(found) - len(entry.updates)
        done = Updated(entry, tree_unflatten(entry.out_tree, found[:n]), tuple(found[n:]))
        if again and entry.tries and not special:
            function._serve(self, entry, tree_structure(done), args, kwargs, leaves)
        return done


class _Bound:
    """A jitted method of an instance."""

    def __init__(self, function: JitFunction, instance: Any) -> None:
        self._function = function
        self._instance = instance

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(self._instance, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._function, name)
        return lambda *args, **kwargs: method(self._instance, *args, **kwargs)


_ARRAYS = (np.ndarray, Array)


@functools.cache
def _flat_tree(n: int) -> TreeDef:
    """The tree of a call with `n` arrays by position."""
    return tree_flatten(((0.0,) * n, {}))[1]


def _static_key(value: Any) -> Any:
    """A key of a static argument that tells apart what is equal but not the same: 1, 1.0, -0.0."""
    if isinstance(value, tuple):
        return (type(value), tuple([_static_key(v) for v in value]))
    if type(value) in (float, complex):
        return (type(value), repr(value))
    return (type(value), value)


def _type_key(x: Any) -> Any:
    """What tells two leaves apart for tracing: cheap, and equal for equal avals."""
    if isinstance(x, np.ndarray):
        return (x.shape, x.dtype)
    if isinstance(x, Tracer):
        return x.aval
    if isinstance(x, (bool, int, float, complex)) and not isinstance(x, np.generic):
        return type(x)
    if is_on_device(x):
        return (x.shape, x.dtype, "cuda")
    return (x.shape, x.dtype)


def _concrete(tree: Any) -> Any:
    """Zeros in place of shape-and-dtype records, so that a signature can be traced from types."""
    leaves, treedef = tree_flatten(tree)

    def fill(x: Any) -> Any:
        if isinstance(x, (np.ndarray, np.generic, Tracer)) or not hasattr(x, "dtype"):
            return x
        return np.broadcast_to(np.zeros((), x.dtype), x.shape)

    return tree_unflatten(treedef, [fill(x) for x in leaves])


def _named_arguments(
    f: Callable[..., Any], nums: Sequence[int], names: Sequence[str], option: str
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Positions and names of arguments, each completed by the other where possible."""
    try:
        parameters = list(python_inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        return tuple(nums), tuple(names)
    positional = [
        p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    known = [p.name for p in parameters]
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters)
    for name in names:
        if name not in known and not open_ended:
            raise ValueError(
                f"jit of {function_name(f)}: {option} has {name!r}, but the arguments are "
                f"{', '.join(known)}{where_am_i()}"
            )
    any_number = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    for i in nums:
        if not (any_number or -len(positional) <= i < len(positional)):
            raise ValueError(
                f"jit of {function_name(f)}: {option.replace('names', 'nums')} has {i}, but the "
                f"positional arguments are {', '.join(positional) or 'none'}{where_am_i()}. "
                "The first argument has the number 0."
            )
    all_nums = {*nums, *(positional.index(n) for n in names if n in positional)}
    all_names = {*names, *(positional[i] for i in nums if -len(positional) <= i < len(positional))}
    return tuple(sorted(all_nums)), tuple(sorted(all_names))


def jit(
    f: Callable[..., Any] | None = None,
    *,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    donate_argnums: int | Sequence[int] = (),
    donate_argnames: str | Sequence[str] = (),
    keep_unused: bool = False,
    device: Any = None,
    backend: Any = None,
    inline: bool = False,
    control_flow: str = "python",
) -> Any:
    """Compile `f`: its operations run as one native program, traced once for each signature.

    The function is traced with its arguments abstract, so Python side effects happen only while
    tracing, and a Python ``if`` on a traced value is an error that says what to write instead. A
    new shape is traced again, but kernels are compiled for run-time sizes and are not.

    Args:
        f: a pure function of arrays and pytrees. Without it a decorator is returned.
        static_argnums: positions of arguments that are compile-time constants; they must be
            hashable, and every new value compiles anew.
        static_argnames: names of such arguments.
        donate_argnums: positions of arguments whose memory the results may take, such as parameters
            that a training step replaces. A permission: it is made use of where the program allows
            it, from the third call on, for arrays that own their memory and that nothing else
            refers to. Such an array is empty afterwards, and views of it show anything.
        donate_argnames: names of such arguments.
        keep_unused: accepted for compatibility with JAX.
        device: accepted for compatibility with JAX.
        backend: likewise.
        inline: when called while tracing, write the equations out instead of one call.
        control_flow: ``"capture"`` for Python's ``if``, ``while`` and ``for`` on traced values to
            become branches and loops of the program, as by `fxla.capture`.

    Returns:
        The compiled function, which also has ``trace``, ``lower``, ``inspect``, ``eval_shape`` and
        ``clear_cache``.

    Raises:
        TypeError: if an argument is not an array, or a static one is not hashable.
        ValueError: if `control_flow` is neither ``"python"`` nor ``"capture"``, or the function has
            no argument of a number or name that was given.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> norm = fxla.jit(lambda x: fnp.sqrt((x * x).sum()))
        >>> norm(fnp.array([3.0, 4.0]))
        Array(5.)
    """
    del keep_unused, device, backend
    options = (
        _several(static_argnums), _several(static_argnames), inline,
        _several(donate_argnums), _several(donate_argnames),
    )  # fmt: skip
    if control_flow not in ("python", "capture"):
        raise ValueError(
            f'jit: control_flow is "python" or "capture", got {control_flow!r}{where_am_i()}'
        )

    def compiled(g: Callable[..., Any]) -> JitFunction:
        check_function(g, "jit")
        return JitFunction(capturing[0](g) if control_flow == "capture" else g, *options)

    return compiled if f is None else compiled(f)


capturing: list[Callable[[Callable[..., Any]], Callable[..., Any]]] = []
"""How a function's control flow is captured; the package puts it here, and imports it when used."""


def _several(given: Any) -> tuple[Any, ...]:
    """One position or name, or several, as a tuple."""
    return (given,) if isinstance(given, int | str) else tuple(given or ())
