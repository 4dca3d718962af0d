"""Weights of PyTorch's models: names and layouts are matched by structure and shape."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from fxla import nn
from fxla.control.api import ShapeDtypeStruct
from fxla.core.array import as_array
from fxla.core.trace import typeof, where_am_i
from fxla.nn.layout import parsed_path
from fxla.nn.module import Module
from fxla.nn.seeds import next_key
from fxla.weights.files import TensorFile
from fxla.weights.files import open as open_file
from fxla.weights.layouts import Reading, readings, torch_name
from fxla.weights.pairing import Pairing, paired
from fxla.weights.sources import Source, sources_of

__all__ = ["TorchReport", "load_torch_state", "to_torch_state"]

M = TypeVar("M", bound=Module)
_NO_WEIGHTS = re.compile(
    r"(^|\.)(num_batches_tracked|position_ids|masked_bias|inv_freq|relative_position_index|"
    r"attn_mask|causal_mask)$|(^|\.)attn\.bias$"
)
"""Buffers of PyTorch's models that hold no weights."""


@dataclass(frozen=True)
class TorchReport:
    """What `load_torch_state` found.

    Attributes:
        matched: for each path of the model that was loaded, the name in the state dict.
        missing: paths of the model for which there is nothing.
        extra: names in the state dict that nothing in the model wants.
        ambiguous: paths of the model with the names that fit equally well. None of them is loaded.
        ignored: names in the state dict that hold no weights, such as counters and masks, or what
            another name holds too.

    Example:
        >>> report = TorchReport({"fc.weight": "fc.weight"}, missing=("fc.bias",))
        >>> report.complete
        False
        >>> print(report)
        matched 1, ignored 0
        missing from the state dict:
          fc.bias
    """

    matched: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    ambiguous: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every array of the model, and every weight of the state dict, was matched."""
        return not (self.missing or self.extra or self.ambiguous)

    def __str__(self) -> str:
        parts = [f"matched {len(self.matched)}, ignored {len(self.ignored)}"]
        if self.missing:
            parts.append(_listed("missing from the state dict", self.missing))
        if self.extra:
            parts.append(_listed("extra in the state dict", self.extra))
        if self.ambiguous:
            lines = [f"{path}: {' or '.join(names)}" for path, names in self.ambiguous.items()]
            parts.append(_listed("ambiguous (say which with rename={name: path})", lines))
        return "\n".join(parts)


def load_torch_state(
    model: M,
    state_dict: Mapping[str, Any] | str | os.PathLike[str],
    *,
    rename: Mapping[str, str] | Callable[[str], str] | None = None,
    strict: bool = True,
) -> tuple[M, TorchReport]:
    """A model with the weights of a PyTorch model of the same architecture.

    Names need not be equal: a layer of the model takes the tensors that have the right shapes and
    the names most like its own path, so that all names together are as alike as can be. Layouts are
    translated: a Linear's ``[out, in]`` (and the ``[in, out]`` of Hugging Face's GPT-2), a
    convolution's ``[out, in, *spatial]``, running statistics, and queries, keys and values that are
    one tensor or three.

    Args:
        model: a module whose sizes are known, or what `fxla.eval_shape` gives for its constructor,
            which draws no initial values; it stays as it is.
        state_dict: ``module.state_dict()`` of PyTorch, a dict of tensors or NumPy arrays, or the
            path of a safetensors file, of an index, or of a folder with one of them.
        rename: beginnings of names, and what takes their place; or a function of the name. What it
            gives is compared with the model's paths, such as ``layers.0.weight``.
        strict: whether it is an error if anything is missing, extra or ambiguous.

    Returns:
        The loaded model, of the dtypes that `model` has, and a report.

    Raises:
        ValueError: if shapes differ where names agree, whether strict or not; or if `strict` and
            something is missing, extra or ambiguous. The message has both names.

    Example:
        >>> from fxla import nn
        >>> state = {"fc1.weight": np.ones((3, 2)), "fc1.bias": np.zeros(3)}
        >>> model, report = load_torch_state(nn.Sequential(nn.Linear(2, 3)), state)
        >>> model.layers[0].weight.shape, report.matched["layers[0].weight"]
        ((2, 3), 'fc1.weight')
    """
    children, layout = model.take_apart()
    slots = {
        path: _readings_of(model, path, x)
        for path, x in zip(layout.paths, children, strict=True)
        if not _is_key(x)
    }
    sources = _renamed(_customary(model, sources_of(_opened(state_dict))), rename)
    ignored = [source.name for name, source in sources.items() if _NO_WEIGHTS.search(name)]
    weights = {name: s for name, s in sources.items() if not _NO_WEIGHTS.search(name)}
    found = paired(slots, weights)
    extra = _without_copies(found, ignored)
    _refuse_shapes(found, slots)
    report = TorchReport(
        {path: source.name for path, (source, _) in found.matched.items()},
        tuple(found.missing),
        tuple(dict.fromkeys(source.name for source in extra)),
        {path: tuple(s.name for s in options) for path, options in found.ambiguous.items()},
        tuple(ignored),
    )
    if strict and not report.complete:
        raise ValueError(
            f"load_torch_state: {type(model).__name__} and the state dict do not match"
            f"{where_am_i()}; strict=False loads what does\n{report}"
        )
    new = [
        _read(*found.matched[path], x) if path in found.matched else _drawn(x)
        for path, x in zip(layout.paths, children, strict=True)
    ]
    return layout.build(new), report


def to_torch_state(model: Module) -> dict[str, np.ndarray[Any, Any]]:
    """The weights of a model with PyTorch's names and layouts.

    Args:
        model: a module.

    Returns:
        NumPy arrays by names such as ``layers.0.weight``; ``torch.as_tensor`` takes them.

    Example:
        >>> from fxla import nn
        >>> {name: x.shape for name, x in to_torch_state(nn.Linear(2, 3)).items()}
        {'weight': (3, 2), 'bias': (3,)}
    """
    children, layout = model.take_apart()
    state = {}
    for path, x in zip(layout.paths, children, strict=True):
        if not _is_key(x):
            reading = _readings_of(model, path, x)[0]
            state[torch_name(path)] = np.ascontiguousarray(reading.write(np.asarray(x)))
    for path, layer in model.named_modules():
        if isinstance(layer, nn.MultiHeadAttention):
            _fuse(state, torch_name(path))
    return state


def _fuse(state: dict[str, np.ndarray[Any, Any]], layer: str) -> None:
    """Queries, keys and values as one, as PyTorch has them where they have the same sizes."""
    start = f"{layer}." if layer else ""
    for kind in ("weight", "bias"):
        names = [f"{start}{part}_proj.{kind}" for part in "qkv"]
        if all(n in state for n in names) and len({state[n].shape for n in names}) == 1:
            state[f"{start}in_proj_{kind}"] = np.concatenate([state.pop(n) for n in names])


def _is_key(x: Any) -> bool:
    """Whether an array is the key of a Dropout, of which PyTorch keeps none."""
    aval = typeof(x)
    return bool(aval.dtype == np.uint32 and aval.shape == (2,))


def _drawn(x: Any) -> Any:
    """An array that is not loaded; a key if it is of a model without values."""
    return next_key() if isinstance(x, ShapeDtypeStruct) and _is_key(x) else x


def _opened(state: Any) -> Mapping[str, Any]:
    if isinstance(state, Mapping):
        return state
    if not isinstance(state, str | os.PathLike):
        raise TypeError(
            "load_torch_state: expected a dict of tensors or a path, got "
            f"{type(state).__name__}{where_am_i()}"
        )
    if os.fspath(state).endswith((".bin", ".pt", ".pth", ".ckpt")):
        raise ValueError(
            f"load_torch_state: {os.fspath(state)!r} holds pickled objects, which fxla does not "
            f"open; hand over torch.load(path, weights_only=True, map_location='cpu'){where_am_i()}"
        )
    file: TensorFile = open_file(state)
    return file


def _readings_of(model: Module, path: str, x: Any) -> tuple[Reading, ...]:
    steps = parsed_path(path)
    last = max(k for k, (by_name, _) in enumerate(steps) if by_name)
    holder: Any = model
    for by_name, key in steps[:last]:
        holder = getattr(holder, key) if by_name else holder[key]
    return readings(holder, str(steps[last][1]), tuple(typeof(x).shape))


def _customary(model: Module, sources: dict[str, Source]) -> dict[str, Source]:
    """Tensors by the names that modules of the model know for their parts."""
    rules = {
        old: new
        for _, module in model.named_modules()
        for old, new in getattr(type(module), "torch_names", {}).items()
    }

    def given(name: str) -> str:
        for old, new in rules.items():
            if old in name:
                return name.replace(old, new)
        return name

    return {given(name): source for name, source in sources.items()}


def _renamed(sources: dict[str, Source], rename: Any) -> dict[str, Source]:
    if rename is None:
        return sources
    if not callable(rename):
        prefixes = sorted(rename.items(), key=lambda pair: -len(pair[0]))

        def given(name: str) -> str:
            for old, new in prefixes:
                if name.startswith(old):
                    return str(torch_name(new) + name.removeprefix(old))
            return name
    else:
        given = rename
    return {given(name): source for name, source in sources.items()}


def _without_copies(found: Pairing, ignored: list[str]) -> list[Source]:
    """Extra tensors less those that hold what a matched one holds, as tied weights do."""
    extra = []
    for mine in found.extra:
        copies = (s for s, _ in found.matched.values() if s.shape == mine.shape and mine.shape)
        if any(np.array_equal(other.read(), mine.read()) for other in copies):
            ignored.append(mine.name)
        else:
            extra.append(mine)
    return extra


def _refuse_shapes(found: Pairing, slots: Mapping[str, Sequence[Reading]]) -> None:
    if not found.differing:
        return
    lines = [
        f"{path} wants {_sizes(slots[path][0].shape)}, {source.name} is {_sizes(source.shape)}"
        for path, source in found.differing.items()
    ]
    raise ValueError(_listed(f"load_torch_state: shapes differ{where_am_i()}", lines))


def _sizes(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _listed(title: str, lines: Any) -> str:
    return f"{title}:\n  " + "\n  ".join(lines)


def _read(source: Source, reading: Reading, like: Any) -> Any:
    value = np.ascontiguousarray(reading.read(source.read()))
    return as_array(value.reshape(typeof(like).shape).astype(typeof(like).dtype, copy=False))
