"""Modules: objects that hold arrays, are called like functions, and are pytrees of their arrays."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar, dataclass_transform

import numpy as np

import fxla.numpy as fnp
from fxla.control.api import ShapeDtypeStruct, make_jaxpr
from fxla.core.dtypes import default_float
from fxla.core.stateful import Stateful, register_stateful
from fxla.core.trace import Tracer, eval_trace, state, where_am_i
from fxla.nn.calls import building, path_of, wrapped
from fxla.nn.layout import Composite, is_array, parsed_path, tie_arrays, walk_modules
from fxla.nn.printing import tree_text

__all__ = ["Buffer", "Module", "Param", "Static", "described"]

T = TypeVar("T")


class Param:
    """Marks an attribute as a parameter, as an annotation or around a value.

    A floating array is one without being marked.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> class Scale(nn.Module):
        ...     factor: nn.Param
        ...
        ...     def __call__(self, x):
        ...         return self.factor * x
        >>> Scale(np.ones(2))
        Scale(factor=f64[2])
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __class_getitem__(cls, item: Any) -> Any:
        return cls


class Buffer:
    """Marks an attribute as a buffer: an array that calls may update and nobody differentiates.

    As an annotation, or around a value that is assigned. Arrays of integers, of booleans and keys
    are buffers without being marked.

    Example:
        >>> import fxla
        >>> from fxla import nn
        >>> class Counter(nn.Module):
        ...     def __init__(self):
        ...         self.total = nn.Buffer(0.0)
        ...
        ...     def __call__(self, x):
        ...         self.total = self.total + x
        ...         return self.total
        >>> counter = Counter()
        >>> total = fxla.jit(lambda counter, x: counter(x))
        >>> [float(total(counter, 1.0)) for _ in range(3)], float(counter.total)
        ([1.0, 2.0, 3.0], 3.0)
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __class_getitem__(cls, item: Any) -> Any:
        return cls


class Static(Generic[T]):
    """Annotates an attribute that is configuration: ``n: nn.Static[int]``. Arrays in it are fixed.

    What is no array, no module and no container of these is configuration without being marked.

    Example:
        >>> from fxla import nn
        >>> class Power(nn.Module):
        ...     n: nn.Static[int]
        ...
        ...     def __call__(self, x):
        ...         return x**self.n
        >>> Power(3)(2.0)
        8.0
    """


_KINDS = {"Param": "parameter", "Buffer": "buffer", "Static": "static"}


def _declared_kinds(cls: type[Any]) -> dict[str, str]:
    """Kinds of attributes by a class's own annotations, which may be text."""
    found = {}
    for name, annotation in inspect.get_annotations(cls).items():
        if isinstance(annotation, str):
            said = annotation.partition("[")[0].strip("'\" ").rpartition(".")[2]
        else:
            said = getattr(getattr(annotation, "__origin__", annotation), "__name__", "")
        if said in _KINDS:
            found[name] = _KINDS[said]
    return found


def _defines(cls: type[Any], name: str) -> bool:
    """Whether a class, or one between it and `Module`, defines a method itself."""
    return any(name in vars(c) for c in cls.__mro__ if issubclass(c, Module) and c is not Module)


@dataclass_transform(eq_default=False)
class Module(Composite):
    """Base class of models and layers.

    A subclass assigns attributes in ``__init__`` and computes in ``__call__`` (or ``forward``). A
    class without an ``__init__`` that annotates its attributes gets one, as a dataclass does.

    An attribute is a *parameter* if it is a floating array, a *buffer* if it was assigned as
    ``nn.Buffer(array)`` or holds integers or booleans, a *child* if it is a module or a list, tuple
    or dict with modules or arrays, and *configuration* if it is anything else. Annotations
    ``nn.Param``, ``nn.Buffer``, ``nn.Static`` say it explicitly.

    A module is a pytree of its parameters and buffers. `grad` and its relatives differentiate with
    respect to parameters only, and their result has None in place of buffers. Inside of a
    transformation an argument that is a module is a copy; what the function assigns to attributes
    that hold arrays is assigned to the caller's module when the transformation returns.

    ``model(x, training=True)`` sets what `is_training` says in this call and all calls inside it.

    Example:
        >>> import fxla, fxla.numpy as np
        >>> from fxla import nn
        >>> class Line(nn.Module):
        ...     def __init__(self):
        ...         self.slope = np.array(2.0)
        ...         self.offset = np.array(0.5)
        ...
        ...     def __call__(self, x):
        ...         return self.slope * x + self.offset
        >>> line = Line()
        >>> fxla.grad(lambda line: line(3.0))(line).slope
        Array(3.)
    """

    __slots__ = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._declared = {**cls._declared, **_declared_kinds(cls)}
        written = _defines(cls, "__init__") or not inspect.get_annotations(cls)
        if not written or (dataclasses.is_dataclass(cls) and "__init__" not in vars(cls)):
            dataclasses.dataclass(init=not written, repr=False, eq=False)(cls)
        for name in ("__call__", "forward"):
            if name in vars(cls):
                setattr(cls, name, wrapped(vars(cls)[name]))
        if "__init__" in vars(cls):
            setattr(cls, "__init__", _then_tied(vars(cls)["__init__"]))  # noqa: B010 - a method
        register_stateful(cls)

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """An instance that belongs to the current trace."""
        module = object.__new__(cls)
        trace = state.trace
        object.__setattr__(module, "_owner", None if trace is eval_trace else trace)
        return module

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute; see the subclass."""
        forward = getattr(self, "forward", None)
        if forward is None:
            raise NotImplementedError(
                f"{type(self).__name__} has no __call__: define `def __call__(self, x): "
                f"...`{where_am_i()}"
            )
        return forward(*args, **kwargs)

    # -------------------------------------------------------------------------------- attributes

    def __setattr__(self, name: str, value: Any) -> None:
        attributes = self.__dict__
        if type(value) is Buffer or type(value) is Param:
            _mark(attributes, name, type(value) is Buffer)
            value = _as_array(value.value)
        elif name in self._declared and self._declared[name] != "static" and value is not None:
            value = _as_array(value)
        elif isinstance(value, np.generic) and is_array(attributes.get(name)):
            value = _as_array(value)  # NumPy gives numbers where arrays have no axes
        self.assigned(name, value)

    def assigned(self, name: str, value: Any) -> None:
        """Set an attribute as it is; the module must belong to the current trace."""
        attributes = self.__dict__
        dynamic = isinstance(value, np.ndarray | Tracer | Stateful | list | tuple | dict)
        if dynamic:
            if state.trace is not eval_trace or isinstance(value, Tracer):
                self._check_owner(name)
            seen: set[int] = set()
            for inner in _modules_in(value):
                _note_assigned(inner, self, name, id(inner) in seen)
                seen.add(id(inner))
        attributes[name] = value

    def _check_owner(self, name: str) -> None:
        """Reject an assignment to a module that the function did not get as an argument."""
        if getattr(self, "_owner", None) is state.trace or state.trace is eval_trace:
            return
        raise TypeError(
            f"{path_of(self)}.{name} was assigned in a transformed function that did not get the "
            f"module as an argument{where_am_i()}, so the new value would be lost. Pass the model "
            "as an argument of the transformed function: `jit(lambda model, x: model(x))(model, "
            "x)`, `grad(loss)(model, x)`; or call it with training=False."
        )

    # ------------------------------------------------------------------------------------ copies

    def __getstate__(self) -> Any:
        return dict(self.__dict__), dict(getattr(self, "_kinds", {}))

    def __setstate__(self, saved: Any) -> None:
        attributes, kinds = saved
        self.__dict__.update(attributes)
        object.__setattr__(self, "_kinds", kinds)
        object.__setattr__(self, "_owner", None)

    def __copy__(self) -> Any:
        children, layout = self.take_apart()
        return layout.build(children)

    def copy(self) -> Any:
        """A module of its own with the same arrays: what is assigned to it stays with it.

        Example:
            >>> from fxla import nn
            >>> layer = nn.Linear(2, 3)
            >>> layer.copy().weight is layer.weight
            True
        """
        return copy.copy(self)

    def __repr__(self) -> str:
        return tree_text(self)

    # ------------------------------------------------------------------------------- inspections

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """Paths and values of parameters, each once.

        Example:
            >>> from fxla import nn
            >>> [path for path, _ in nn.Linear(2, 3).named_parameters()]
            ['weight', 'bias']
        """
        yield from self._named("parameter")

    def named_buffers(self) -> Iterator[tuple[str, Any]]:
        """Paths and values of buffers, each once."""
        yield from self._named("buffer")

    def _named(self, wanted: str) -> Iterator[tuple[str, Any]]:
        children, layout = self.take_apart()
        for path, kind, value in zip(layout.paths, layout.kinds, children, strict=True):
            if kind == wanted:
                yield path, value

    def named_modules(self, path: str = "") -> Iterator[tuple[str, Module]]:
        """Paths and modules, this one first with the path it is given, each once.

        Example:
            >>> from fxla import nn
            >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
            >>> [path for path, _ in model.named_modules()]
            ['', 'layers[0]', 'layers[1]']
        """
        seen: set[int] = set()
        for where, module in walk_modules(self, path):
            if id(module) not in seen:
                seen.add(id(module))
                yield where, module

    def at(self, path: str) -> Any:
        """What stands at a path.

        Raises:
            KeyError: if nothing does; the message lists what there is.

        Example:
            >>> from fxla import nn
            >>> nn.Sequential(nn.Linear(2, 3), nn.ReLU()).at("layers[0].bias").shape
            (3,)
        """
        from_here: Any = self
        try:
            for by_name, key in parsed_path(path):
                from_here = getattr(from_here, key) if by_name else from_here[key]
        except (AttributeError, LookupError, TypeError):
            known = [*[p for p, _ in self.named_modules() if p], *self.take_apart()[1].paths]
            raise KeyError(
                f"{type(self).__name__} has nothing at {path!r}; it has "
                f"{', '.join(known)}{where_am_i()}"
            ) from None
        return from_here

    def build(self, *inputs: Any) -> Any:
        """Make the arrays of layers whose sizes were left out, as a call with these inputs would.

        Args:
            *inputs: arrays, anything with a shape and a dtype, or shapes as tuples of integers.

        Returns:
            The module itself.

        Example:
            >>> from fxla import nn
            >>> nn.Sequential(nn.Dense(8), nn.Dense(2)).build((1, 4)).layers[1].weight.shape
            (8, 2)
        """
        with building():
            make_jaxpr(lambda *xs: self(*xs))(*[described(x) for x in inputs])
        return self

    def astype(self, dtype: Any) -> Any:
        """A module whose floating arrays have another dtype, e.g. ``"bfloat16"``.

        Example:
            >>> from fxla import nn
            >>> nn.Linear(2, 3).astype("float32")
            Linear(2, 3, weight=f32[2,3], bias=f32[3])
        """
        children, layout = self.take_apart()
        return layout.build(
            [fnp.astype(x, dtype) if fnp.issubdtype(x.dtype, fnp.floating) else x for x in children]
        )


def described(x: Any) -> Any:
    """An input of a model that is traced: a shape stands for an array of the default float."""
    if isinstance(x, tuple) and all(isinstance(n, int) for n in x):
        return ShapeDtypeStruct(x, default_float())
    return x


def _as_array(value: Any) -> Any:
    return value if isinstance(value, np.ndarray) or is_array(value) else fnp.asarray(value)


def _mark(attributes: dict[str, Any], name: str, buffer: bool) -> None:
    """Note that an attribute is a buffer, or that it is none."""
    known = attributes.get("_buffers", ())
    if buffer and name not in known:
        attributes["_buffers"] = tuple(sorted((*known, name)))
    elif not buffer and name in known:
        attributes["_buffers"] = tuple([n for n in known if n != name])


def _modules_in(x: Any) -> Iterator[Module]:
    """The modules in an attribute's value, but not those inside of them."""
    if isinstance(x, Module):
        yield x
    elif isinstance(x, list | tuple):
        for item in x:
            yield from _modules_in(item)
    elif isinstance(x, dict):
        for item in x.values():
            yield from _modules_in(item)


def _note_assigned(module: Module, holder: Module, name: str, again: bool) -> None:
    """Note where a module is held; one that is held at two places may be shared by a model."""
    held = getattr(module, "_held", None)
    if held is None and not again:
        object.__setattr__(module, "_held", (id(holder), name))
    elif again or held != (id(holder), name):
        vars(module)["_shared"] = True


def _then_tied(init: Callable[..., None]) -> Callable[..., None]:
    """An ``__init__`` after which arrays that stand at two places are one parameter."""

    @functools.wraps(init)
    def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if type(self).__init__ is initialise:
            tie_arrays(self)

    return initialise
