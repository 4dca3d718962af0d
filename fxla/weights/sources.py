"""The tensors of a PyTorch model: of any kind that `numpy` can be made from, whole or in parts."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import ml_dtypes
import numpy as np

from fxla.core.trace import where_am_i
from fxla.weights.files import TensorFile

__all__ = ["Source", "sources_of", "variants"]

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Source:
    """A tensor.

    Attributes:
        name: in the state dict.
        shape: of the tensor.
        read: gives the array.
        in_order: whether a matrix is known to be ``[out, in]``.
        turned: whether it was ``[in, out]`` in the state dict, if that is known.
    """

    name: str
    shape: Shape
    read: Callable[[], np.ndarray[Any, Any]]
    in_order: bool = False
    turned: bool | None = None


def sources_of(state: Mapping[str, Any], prefix: str = "") -> dict[str, Source]:
    """The tensors of a state dict by name; dicts in it are joined with dots.

    Raises:
        TypeError: if something in it is no array.

    Example:
        >>> list(sources_of({"a": {"b": np.ones(3)}}))
        ['a.b']
    """
    if isinstance(state, TensorFile):
        return {n: Source(n, state.shape(n), lambda n=n: state[n]) for n in state}  # type: ignore[misc]
    found: dict[str, Source] = {}
    for key, x in state.items():
        name = f"{prefix}{key}"
        if isinstance(x, Mapping):
            found.update(sources_of(x, f"{name}."))
        elif hasattr(x, "shape"):
            found[name] = Source(name, tuple(x.shape), lambda x=x: _array(x))  # type: ignore[misc]
        elif not isinstance(x, bool | int | float | str | None):
            raise TypeError(
                f"load_torch_state: {name!r} is no tensor but {type(x).__name__}; hand over "
                f"module.state_dict(){where_am_i()}"
            )
    return found


def _array(x: Any) -> np.ndarray[Any, Any]:
    if hasattr(x, "detach"):  # a tensor of PyTorch
        x = x.detach().cpu()
        if str(x.dtype) == "torch.bfloat16":
            bits: Any = x.contiguous().view(sys.modules["torch"].int16).numpy()
            return np.asarray(bits.view(ml_dtypes.bfloat16))
    return np.asarray(x)


_FUSED = re.compile(r"(c_attn|qkv|qkv_proj|query_key_value|Wqkv|in_proj)\.(weight|bias)$")
_THIRDS = ("query", "key", "value")
_SEPARATE = re.compile(r"\b(query|q_proj|q_lin|q|wq)\b")


def variants(sources: Mapping[str, Source]) -> list[dict[str, Source]]:
    """The tensors as they are; with queries, keys and values split; with them joined.

    Parts are named ``query``, ``key``, ``value`` after the tensor they are from, and stand as
    ``[out, in]``. Where there is nothing to split or to join, that variant is left out.
    """
    sources = {re.sub(r"in_proj_(weight|bias)$", r"in_proj.\1", n): s for n, s in sources.items()}
    found = [sources]
    for variant in (_split(sources), _joined(sources)):
        if variant.keys() != sources.keys():
            found.append(variant)
    return found


def _split(sources: Mapping[str, Source]) -> dict[str, Source]:
    found: dict[str, Source] = {}
    for name, source in sources.items():
        axis = _tripled(source.shape)
        if axis is None or not _FUSED.search(name):
            found[name] = source
            continue
        kind = "bias" if name.endswith("bias") else "weight"
        stem = re.sub(r"(\.?in_proj)?\.(weight|bias)$", "", name)
        for k, third in enumerate(_THIRDS):
            found[f"{stem}.{third}.{kind}"] = _third(source, axis, k)
    return found


def _tripled(shape: Shape) -> int | None:
    """The axis along which three parts stand, if there may be one."""
    if len(shape) == 2 and shape[1] == 3 * shape[0]:
        return 1
    return 0 if shape and shape[0] % 3 == 0 else None


def _third(source: Source, axis: int, k: int) -> Source:
    size = source.shape[axis] // 3
    shape = list(source.shape)
    shape[axis] = size
    flipped = axis == 1

    def read() -> np.ndarray[Any, Any]:
        part = source.read()[(slice(None),) * axis + (slice(k * size, (k + 1) * size),)]
        return part.T if flipped else part

    moved = tuple(shape[::-1] if flipped else shape)
    turned = flipped if len(shape) == 2 else None
    return replace(source, shape=moved, read=read, in_order=True, turned=turned)


def _joined(sources: Mapping[str, Source]) -> dict[str, Source]:
    found = dict(sources)
    for name in sources:
        match = _SEPARATE.search(name)
        if match is None:
            continue
        before, after = name[: match.start()], name[match.end() :]
        old = "query" if "query" in match[0] else "q"
        thirds = _THIRDS if old == "query" else [third[0] for third in _THIRDS]
        names = [before + match[0].replace(old, third) + after for third in thirds]
        parts = [sources[other] for other in names if other in sources]
        if len(parts) < 3 or len({p.shape[1:] for p in parts}) > 1:
            continue
        for other in names:
            del found[other]
        found[f"{before}qkv{after}"] = Source(
            ", ".join(p.name for p in parts),
            (sum(p.shape[0] for p in parts), *parts[0].shape[1:]),
            lambda parts=parts: np.concatenate([p.read() for p in parts]),  # type: ignore[misc]
            in_order=True,
        )
    return found
