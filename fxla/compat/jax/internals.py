"""JAX's insides, as far as libraries look into them: shapes, primitives, errors, debugging."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Union

import numpy as np

import fxla
from fxla import errors
from fxla.compat.jax.arrays import Array
from fxla.compat.jax.places import Mesh, Sharding
from fxla.compat.jax.precision import canonical
from fxla.core import jaxpr as core_jaxpr
from fxla.core.dtypes import bfloat16, float0
from fxla.core.trace import Tracer, typeof

__all__ = ["core_names", "dtype_names", "error_names", "typing_names"]


class ShapedArray:
    """The type of an array: its shape and dtype."""

    def __init__(self, shape: Any, dtype: Any, weak_type: bool = False, **_: Any) -> None:
        self.shape, self.dtype, self.weak_type = tuple(shape), np.dtype(dtype), weak_type
        self.ndim, self.size = len(self.shape), int(np.prod(self.shape))
        self.sharding = Sharding()
        self.vma: frozenset[str] = frozenset()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ShapedArray) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"ShapedArray({self.dtype.name}[{','.join(map(str, self.shape))}])"

    def _key(self) -> Any:
        return self.shape, self.dtype, self.weak_type

    def update(self, **changes: Any) -> ShapedArray:
        """A type that differs in some respects."""
        given = {"shape": self.shape, "dtype": self.dtype, "weak_type": self.weak_type}
        return ShapedArray(**(given | changes))


def get_aval(x: Any) -> ShapedArray:
    """The type of a value: ``jax.typeof``."""
    aval = typeof(x)
    return ShapedArray(aval.shape, aval.dtype, aval.weak_type)


class Primitive:
    """An operation of a library's own, which is its implementation here, traced through."""

    multiple_results = False

    def __init__(self, name: str) -> None:
        self.name = name
        self._impl: Callable[..., Any] | None = None

    def def_impl(self, impl: Callable[..., Any]) -> Callable[..., Any]:
        """What the operation computes."""
        self._impl = impl
        return impl

    def def_abstract_eval(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """The types of results: nobody asks, as the implementation is traced."""
        return rule

    def_effectful_abstract_eval = def_abstract_eval

    def bind(self, *args: Any, **params: Any) -> Any:
        """The implementation's results.

        Raises:
            NotImplementedError: if it has none.
        """
        if self._impl is None:
            raise NotImplementedError(
                f"jax.extend.core.Primitive: {self.name!r} has no implementation that fxla could "
                "trace; its rules for XLA are of no use here"
            )
        return self._impl(*args, **params)

    def __repr__(self) -> str:
        return self.name


class _Rules(dict[Any, Any]):
    """A table of rules of primitives, which is written and not read."""


def eval_jaxpr(jaxpr: Any, consts: Any, *args: Any) -> Any:
    """The results of a jaxpr."""
    closed = core_jaxpr.ClosedJaxpr(jaxpr, consts)
    return core_jaxpr.eval_closed_jaxpr(closed, *args)  # type: ignore[attr-defined]


class Zero:
    """A tangent that is zero, of some type."""

    def __init__(self, aval: Any) -> None:
        self.aval = aval


class UndefinedPrimal:
    """An argument that is not known while a linear program is transposed."""

    def __init__(self, aval: Any) -> None:
        self.aval = aval


class Lowered:
    """A program that is not compiled yet."""


class Compiled:
    """A compiled program."""


class Effect:
    """What an operation does besides computing."""


def core_names() -> dict[str, Any]:
    """The names of ``jax.core`` and ``jax.extend.core``."""
    return {
        "AbstractValue": ShapedArray,
        "Atom": Any,
        "ClosedJaxpr": core_jaxpr.ClosedJaxpr,
        "Effect": Effect,
        "Jaxpr": core_jaxpr.Jaxpr,
        "Literal": core_jaxpr.Literal,
        "Primitive": Primitive,
        "ShapedArray": ShapedArray,
        "Tracer": Tracer,
        "Var": core_jaxpr.Var,
        "concrete_or_error": lambda force, value, context="": value if force is None
        else force(value),
        "eval_jaxpr": eval_jaxpr,
        "get_aval": get_aval,
        "mapped_aval": lambda size, axis, aval: aval.update(
            shape=aval.shape[:axis] + aval.shape[axis + 1 :]
        ),
        "unmapped_aval": lambda size, axis, aval: aval.update(
            shape=(*aval.shape[:axis], size, *aval.shape[axis:])
        ),
        "trace_state_clean": lambda: True,
    }  # fmt: skip


def interpreter_names(name: str) -> dict[str, Any]:
    """The names of a module of ``jax.interpreters``: rules for XLA, which nobody reads here."""
    modules: dict[str, dict[str, Any]] = {
        "ad": {
            "Zero": Zero,
            "UndefinedPrimal": UndefinedPrimal,
            "instantiate_zeros": lambda x: x,
            "is_undefined_primal": lambda x: isinstance(x, UndefinedPrimal),
            "primitive_jvps": _Rules(),
            "primitive_transposes": _Rules(),
            "JVPTracer": Tracer,
        },
        "batching": {
            "axis_primitive_batchers": _Rules(),
            "fancy_primitive_batchers": _Rules(),
            "not_mapped": None,
            "primitive_batchers": _Rules(),
            "BatchTracer": Tracer,
        },
        "mlir": {
            "lower_fun": lambda fun, multiple_results=True: fun,
            "register_lowering": lambda primitive, rule, platform=None: rule,
        },
        "partial_eval": {"DynamicJaxprTracer": Tracer, "JaxprTracer": Tracer},
        "pxla": {},
        "xla": {},
    }
    return modules[name]


class _Extended:
    """The kind of dtypes that JAX has and NumPy has not; there are none here."""


class PRNGKeyDtype(_Extended):
    """The dtype of JAX's keys; fxla's are arrays of two integers."""


def issubdtype(a: Any, b: Any) -> bool:
    """``jax.dtypes.issubdtype``."""
    if isinstance(b, type) and issubclass(b, _Extended):
        return isinstance(a, type) and issubclass(a, b)
    if isinstance(a, type) and issubclass(a, _Extended):
        return False
    if a == bfloat16:
        return b in (np.floating, np.inexact, np.number, np.generic) or b == bfloat16
    return bool(np.issubdtype(a, b))


def dtype_names() -> dict[str, Any]:
    """The names of ``jax.dtypes``."""
    return {
        "bfloat16": bfloat16.type,
        "canonicalize_dtype": canonical,
        "extended": _Extended,
        "finfo": fxla.numpy.finfo,
        "float0": float0,
        "issubdtype": issubdtype,
        "prng_key": PRNGKeyDtype,
        "result_type": lambda *xs: canonical(fxla.numpy.result_type(*xs)),
        "scalar_type_of": lambda x: type(np.asarray(x).item()),
    }


def error_names() -> dict[str, Any]:
    """The names of ``jax.errors``."""
    return {
        "ConcretizationTypeError": errors.ConcretizationError,
        "InconclusiveDimensionOperation": errors.ShapeError,
        "JAXTypeError": errors.FxlaError,
        "JaxRuntimeError": errors.InternalError,
        "KeyReuseError": errors.FxlaError,
        "NonConcreteBooleanIndexError": errors.NonConcreteBooleanIndexError,
        "TracerArrayConversionError": errors.TracerArrayConversionError,
        "TracerBoolConversionError": errors.TracerBoolConversionError,
        "TracerIntegerConversionError": errors.TracerIntegerConversionError,
        "UnexpectedTracerError": errors.LeakedTracerError,
    }


def typing_names() -> dict[str, Any]:
    """The names of ``jax.typing``."""
    return {
        "ArrayLike": Union[  # noqa: UP007 - one of its members is a class with a metaclass
            Array, np.ndarray, np.bool_, np.number, bool, int, float, complex
        ],
        "DTypeLike": Any,
    }


class SymbolicZero(Zero):
    """A tangent that is zero, as rules with symbolic zeros see it; fxla hands out arrays."""


class CustomVJPPrimal:
    """An argument of a rule with symbolic zeros."""

    def __init__(self, value: Any, perturbed: bool) -> None:
        self.value, self.perturbed = value, perturbed


def derivative_names() -> dict[str, Any]:
    """The names of ``jax.custom_derivatives``."""
    return {
        "CustomVJPPrimal": CustomVJPPrimal,
        "SymbolicZero": SymbolicZero,
        "closure_convert": fxla.closure_convert,
        "custom_gradient": fxla.custom_gradient,
        "custom_jvp": fxla.custom_jvp,
        "custom_jvp_call_p": Primitive("custom_jvp_call"),
        "custom_vjp": fxla.custom_vjp,
        "zero_from_primal": lambda x, symbolic_zeros=False: fxla.numpy.zeros_like(x),
    }


def private_names(name: str) -> dict[str, Any]:
    """The names of a module of ``jax._src`` that libraries import."""
    return {
        "compiler": {},
        "core": core_names(),
        "dispatch": {"wait_for_tokens": lambda: None, "apply_primitive": Primitive.bind},
        "dtypes": dtype_names() | {"TypePromotionError": errors.DtypeError},
        "literals": {"LiteralArray": _Literal, "TypedNdArray": _Literal},
        "mesh": {"Mesh": Mesh},
        "traceback_util": {
            "api_boundary": lambda f: f,
            "include_frame": lambda frame: True,
            "register_exclusion": lambda path: None,
        },
        "xla_bridge": {"_backends": {"cpu": None}, "get_backend": lambda *_: None},
    }[name]


class _Literal:
    """A kind of constant that fxla does not have."""
