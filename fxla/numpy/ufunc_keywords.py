"""The keywords that all of NumPy's ufuncs take, for the traced forms of ours.

A body computes on operands; ``where=``, ``casting=``, ``signature=`` and, of generalised ufuncs,
``axes=``, ``axis=`` and ``keepdims=`` mean the same for all of them, and are served here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.array import in_bfloat16
from fxla.core.dtypes import bfloat16
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import AxisError
from fxla.numpy.dispatch import keywords_of, public, unsupported
from fxla.numpy.operands import as_value, as_values, common_shape, convert_all, normalise_axis
from fxla.numpy.ufunc_loops import loop_dtypes
from fxla.ops.casts import convert
from fxla.ops.logic import select
from fxla.ops.structure import broadcast_to, expand_dims, transpose

__all__ = ["public_ufunc", "ufunc_signature"]

_KEYWORDS = {
    "where": True, "casting": "same_kind", "order": "K", "dtype": None, "subok": True,
    "signature": None,
}  # fmt: skip
_CORE_KEYWORDS = {"axes": np._NoValue, "axis": np._NoValue, "keepdims": False}


@functools.cache
def _parameters(nin: int, nout: int, has_core: bool) -> inspect.Signature:
    kind = inspect.Parameter
    names = ["x"] if nin == 1 else [f"x{k + 1}" for k in range(nin)]
    made = [kind(n, kind.POSITIONAL_ONLY) for n in names]
    out = None if nout == 1 else (None,) * nout
    made.append(kind("out", kind.POSITIONAL_OR_KEYWORD, default=out))
    keywords = dict(_KEYWORDS)
    if has_core:
        del keywords["where"]
        keywords = {**_CORE_KEYWORDS, **keywords}
    made += [kind(n, kind.KEYWORD_ONLY, default=v) for n, v in keywords.items()]
    return inspect.Signature(made)


def ufunc_signature(ufunc: np.ufunc) -> inspect.Signature:
    """The signature of a ufunc: operands, ``out``, and the keywords all ufuncs take.

    Example:
        >>> print(ufunc_signature(np.exp))
        (x, /, out=None, *, where=True, casting='same_kind', order='K', dtype=None, subok=True,
         signature=None)
    """
    return _parameters(ufunc.nin, ufunc.nout, ufunc.signature is not None)


def public_ufunc(
    ufunc: np.ufunc, *, by_type: frozenset[type] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`public` for a body that stands for a ufunc: it takes the operands, and ``dtype=`` if it can.

    Args:
        ufunc: NumPy's function.
        by_type: as for `public`.
    """

    def decorate(body: Callable[..., Any]) -> Callable[..., Any]:
        call = f"np.{body.__name__}"

        @functools.wraps(body)
        def with_keywords(*inputs: Any, **options: Any) -> Any:
            if not options and len(inputs) == ufunc.nin:
                return body(*inputs)
            return _called(call, ufunc, body, inputs, options)

        with_keywords.__signature__ = ufunc_signature(ufunc)  # type: ignore[attr-defined]
        made = public(ufunc, by_type=by_type)(with_keywords)
        return made if ufunc.signature is None else _of_bfloat16_too(made)

    return decorate


def _of_bfloat16_too(product: Callable[..., Any]) -> Callable[..., Any]:
    """A product whose result is bfloat16 where all operands are; NumPy's is float32."""

    @functools.wraps(product)
    def call(*operands: Any, **options: Any) -> Any:
        out = product(*operands, **options)
        if options or getattr(operands[0], "itemsize", 8) > bfloat16.itemsize:
            return out  # most often; to compare dtypes takes longer
        return in_bfloat16(out, *operands)

    return call


def _called(
    call: str,
    ufunc: np.ufunc,
    body: Callable[..., Any],
    inputs: tuple[Any, ...],
    options: dict[str, Any],
) -> Any:
    """A body's results with the keywords of a call."""
    nin = ufunc.nin
    known = ufunc_signature(ufunc).parameters
    for name in options:
        if name not in known:
            raise TypeError(f"{call}() got an unexpected keyword argument {name!r}{where_am_i()}")
    if not nin <= len(inputs) <= nin + ufunc.nout:
        raise TypeError(
            f"{call}() takes from {nin} to {nin + ufunc.nout} positional arguments but "
            f"{len(inputs)} were given{where_am_i()}"
        )
    out = inputs[nin:] or options.get("out")
    if out is not None and any(o is not None for o in (out if isinstance(out, tuple) else (out,))):
        unsupported(
            call, "out=", "Use the returned array instead: traced arrays are not written to."
        )
    operands = inputs[:nin]
    if ufunc.signature is not None:
        return _with_axes(call, ufunc, body, operands, options)
    where = options.get("where", True)
    mask = None if where is True else _mask(call, where)
    if mask is not None:
        operands = _kept(call, mask, operands)
    casting, signature = options.get("casting", "same_kind"), options.get("signature")
    dtype = options.get("dtype")
    takes_dtype = "dtype" in (keywords_of(body) or ())
    if dtype is not None and signature is not None:
        raise TypeError(f"{call}: cannot specify both 'signature' and 'dtype'{where_am_i()}")
    if signature is not None or casting != "same_kind" or (dtype is not None and not takes_dtype):
        results = _in_loop(call, ufunc, body, operands, signature or dtype, casting)
    else:
        results = body(*operands, dtype=dtype) if dtype is not None else body(*operands)
    if mask is None:
        return results
    if ufunc.nout == 1:
        return _only_where(mask, results)
    return tuple([_only_where(mask, r) for r in results])


def _in_loop(
    call: str,
    ufunc: np.ufunc,
    body: Callable[..., Any],
    operands: tuple[Any, ...],
    signature: Any,
    casting: str,
) -> Any:
    """A body's results, computed in the loop that a signature and a casting rule choose."""
    values = as_values(call, *operands)
    loop = loop_dtypes(call, ufunc, values, signature, casting)
    results = body(*[convert_all([v], d)[0] for v, d in zip(values, loop, strict=False)])
    if ufunc.nout == 1:
        return convert(results, loop[-1])
    return tuple([convert(r, d) for r, d in zip(results, loop[ufunc.nin :], strict=True)])


def _mask(call: str, where: Any) -> Value:
    """A ``where=`` argument as booleans."""
    mask = as_value(np.asarray(where, bool) if isinstance(where, (list, tuple)) else where, call)
    if typeof(mask).dtype != np.dtype(bool):
        raise TypeError(
            f"{call}: Cannot cast where= from {typeof(mask)} to bool according to the rule "
            f"'safe'{where_am_i()}. Write `where=mask != 0`."
        )
    return mask


def _kept(call: str, mask: Value, operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """Operands that are 1 where the mask is false: nothing there becomes NaN, nor its slope."""
    values = as_values(call, *operands)
    shape = common_shape(call, typeof(mask), *[typeof(v) for v in values])
    chosen = broadcast_to(mask, shape)
    kept: list[Any] = []
    for v in values:
        if typeof(v).weak_type:
            kept.append(v)
            continue
        one = np.ones((), typeof(v).dtype)[()]
        kept.append(select(chosen, broadcast_to(v, shape), broadcast_to(one, shape)))
    return tuple(kept)


def _only_where(mask: Value, x: Value) -> Value:
    """`x` where the mask is true, else zero: NumPy leaves those elements to chance."""
    zero = np.zeros((), typeof(x).dtype)[()]
    shape = common_shape("where=", typeof(mask), typeof(x))
    return select(broadcast_to(mask, shape), broadcast_to(x, shape), broadcast_to(zero, shape))


# --- generalised ufuncs ---------------------------------------------------------------------


def _with_axes(
    call: str,
    ufunc: np.ufunc,
    body: Callable[..., Any],
    operands: tuple[Any, ...],
    options: dict[str, Any],
) -> Any:
    """A generalised ufunc whose core axes stand where ``axes=`` or ``axis=`` says."""
    values = as_values(call, *operands)
    dtype = options.get("dtype") if options.get("signature") is None else options["signature"]
    casting = options.get("casting", "same_kind")
    axes, axis = [options.get(k, np._NoValue) for k in ("axes", "axis")]
    keepdims = bool(options.get("keepdims", False))
    if dtype is not None or casting != "same_kind":
        *into, out_dtype = loop_dtypes(call, ufunc, values, dtype, casting)
        values = [convert_all([v], d)[0] for v, d in zip(values, into, strict=True)]
    sides = [
        side.strip("()").split(",") for side in str(ufunc.signature).replace("->", ",").split("),(")
    ]
    core = [len([n for n in side if n]) for side in sides]
    if keepdims and (core[-1] or len(set(core[:-1])) != 1):
        raise TypeError(
            f"{call} does not support keepdims: its signature {ufunc.signature} requires other "
            f"core axes in the result{where_am_i()}"
        )
    if axis is not np._NoValue and axis is not None:
        if axes is not np._NoValue:
            raise TypeError(f"{call}: cannot specify both 'axis' and 'axes'{where_am_i()}")
        if core != [1, 1, 0]:
            raise TypeError(
                f"{call}: axis can only be used with a single shared core dimension, not with "
                f"the {ufunc.signature} of it{where_am_i()}. Give `axes=`."
            )
        axes = [(axis,), (axis,), (axis,) if keepdims else ()]
    if axes is np._NoValue or axes is None:
        out = body(*values)
        out = expand_dims(out, (typeof(out).ndim,)) if keepdims else out
    else:
        out = _moved(call, body, values, axes, core, keepdims)
    return convert(out, out_dtype) if dtype is not None else out


def _moved(
    call: str,
    body: Callable[..., Any],
    values: list[Value],
    axes: Any,
    core: list[int],
    keepdims: bool,
) -> Value:
    given = [tuple(a) if isinstance(a, (tuple, list)) else (a,) for a in axes]
    if len(given) == len(values) and not core[-1]:
        given.append(given[0] if keepdims else ())
    if len(given) != len(values) + 1:
        raise ValueError(
            f"{call}: axes should be a list with an entry for each of the {len(values)} inputs "
            f"and the result{where_am_i()}"
        )
    moved = []
    for v, chosen in zip(values, given, strict=False):
        moved.append(_to_end(call, v, chosen))
    out = body(*moved)
    if keepdims:
        out = expand_dims(out, (typeof(out).ndim,))
    last = given[-1]
    rank = typeof(out).ndim
    places = [normalise_axis(a, rank, call) for a in last]
    if len(set(places)) != len(places):
        raise ValueError(f"{call}: axes has duplicate entries in {last}{where_am_i()}")
    order = list(range(rank - len(places)))
    for place, source in sorted(zip(places, range(rank - len(places), rank), strict=True)):
        order.insert(place, source)
    return _permuted(out, order)


def _to_end(call: str, x: Value, axes: tuple[int, ...]) -> Value:
    """`x` with the given axes moved to the end, in that order."""
    rank = typeof(x).ndim
    if len(axes) > rank:
        raise AxisError(f"{call}: {len(axes)} axes for {typeof(x)}{where_am_i()}")
    chosen = [normalise_axis(a, rank, call) for a in axes]
    if len(set(chosen)) != len(chosen):
        raise ValueError(f"{call}: axes has duplicate entries in {axes}{where_am_i()}")
    return _permuted(x, [k for k in range(rank) if k not in chosen] + chosen)


def _permuted(x: Value, order: list[int]) -> Value:
    return x if order == sorted(order) else transpose(x, order)
