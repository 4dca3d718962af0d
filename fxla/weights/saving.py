"""`fxla.save`: a tree into one file that describes itself."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from fxla.core.trace import where_am_i
from fxla.transforms.api import kind_of
from fxla.weights.atomic import replacing
from fxla.weights.files import CHECKSUMS, STRUCTURE, safetensors
from fxla.weights.structure import written

__all__ = ["save"]


def save(
    path: str | os.PathLike[str], tree: Any, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a tree into one file, from which `fxla.load` makes it again.

    The file is in the safetensors format, so everybody's tools read its arrays; how they stand in
    the tree is JSON beside them, and there is no pickle. It is written whole or not at all: if the
    process is killed meanwhile, `path` holds what it held.

    Args:
        path: the file to make or to replace, by custom ``*.safetensors``.
        tree: dicts, lists, tuples, named tuples, dataclasses, `fxla.nn.Module` objects and
            registered classes, that hold arrays of any shape and dtype, numbers, strings, None,
            dtypes, and functions that a name finds. What is in it twice (a tied weight, a shared
            layer) is saved once, and is one object again when loaded.
        metadata: strings to keep beside the tree; ``fxla.weights.open(path).metadata``.

    Raises:
        TypeError: if something in the tree cannot be saved, such as a lambda; the message names
            its place.
        OSError: if the file cannot be written.
        MissingExtraError: if safetensors is not installed.

    Example:
        >>> import fxla, fxla.numpy as fnp, tempfile
        >>> state = {"params": [fnp.ones((2, 3)), None], "step": 7}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fxla.save(folder + "/state.safetensors", state)
        ...     fxla.load(folder + "/state.safetensors")["step"]
        7
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(
            f"fxla.save: the path comes first, got {kind_of(path)}{where_am_i()}. Write "
            '`fxla.save("model.safetensors", tree)`.'
        )
    library = safetensors("fxla.save")
    extra = dict(metadata or {})
    for key, value in extra.items():
        given: tuple[Any, ...] = key, value
        if not all(isinstance(part, str) for part in given):
            raise TypeError(
                f"fxla.save: metadata must be strings, got {key!r}: {value!r}; other values can "
                f"stand in the tree itself{where_am_i()}"
            )
        if key in (STRUCTURE, CHECKSUMS):
            raise ValueError(f"fxla.save: {key!r} is the key of fxla's own metadata{where_am_i()}")
    parts = written(tree)
    flat: dict[str, Any] = {name: x.reshape(-1).view(np.uint8) for name, x in parts.tensors.items()}
    sums = {name: zlib.crc32(x) for name, x in flat.items()}
    extra[STRUCTURE] = json.dumps(parts.text, separators=(",", ":"))
    extra[CHECKSUMS] = json.dumps(sums, separators=(",", ":"))
    described = {
        name: library.TensorSpec(
            dtype=array.dtype.name,
            shape=array.shape,
            data_ptr=array.ctypes.data,
            data_len=array.nbytes,
        )
        for name, array in parts.tensors.items()
    }
    with replacing(path) as new:
        try:
            library.serialize_file(described, new, metadata=extra)
        except library.SafetensorError as error:
            raise OSError(
                f"fxla.save: {os.fspath(path)!r} cannot be written: {error}{where_am_i()}"
            ) from None
