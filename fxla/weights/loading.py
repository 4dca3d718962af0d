"""`fxla.load`: a tree from a file."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fxla.core.trace import where_am_i
from fxla.weights.files import open as open_file
from fxla.weights.matching import load_like
from fxla.weights.names import Allowed
from fxla.weights.restore import restored

__all__ = ["Only", "load"]

Only = str | Iterable[str] | Callable[[str], bool] | None


def load(
    path: str | os.PathLike[str],
    *,
    only: Only = None,
    like: Any = None,
    allow: Iterable[Any] = (),
    verify: bool = True,
) -> Any:
    """Read a tree that `fxla.save` wrote, or the tensors of any safetensors file.

    Arrays are views of the mapped file: nothing is copied, and writing into one changes the
    program's memory, never the file.

    A file is data. Loading imports no module and calls no function that the file names: classes are
    looked up among those of modules that are already imported, functions among fxla's and NumPy's
    own, and objects are made without their ``__init__``. What else a file may name, `allow` says.

    Args:
        path: a file of `fxla.save`; a ``.safetensors`` file of others, an index of several, or a
            folder that holds one of them, which give a flat dict.
        only: which arrays: a pattern such as ``"params/*"``, several, or a function of the name.
            What was not asked for is left out of dicts, and is None elsewhere.
        like: a tree (arrays, or shapes from `fxla.eval_shape`) that the file must match; the result
            has its classes and its static configuration.
        allow: classes, functions and modules that the file may name besides.
        verify: compare the arrays with the checksums that `fxla.save` wrote, which reads them.

    Returns:
        The tree.

    Raises:
        FileNotFoundError: if there is no such file.
        DamagedFileError: if the file is truncated or damaged; a ValueError.
        ValueError: if it does not match `like`; the message lists what is missing, what is extra,
            and what has another shape or dtype.
        TypeError: if the file names a class or function that is not imported or not allowed.
        MissingExtraError: if safetensors is not installed.

    Example:
        >>> import fxla, fxla.numpy as fnp, tempfile
        >>> state = {"params": {"w": fnp.ones(2), "b": fnp.zeros(())}, "step": 7}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fxla.save(folder + "/state.safetensors", state)
        ...     fxla.load(folder + "/state.safetensors", only="params/*")
        {'params': {'w': Array([1., 1.]), 'b': Array(0.)}}
    """
    file = open_file(path)
    wanted = _chosen(only)

    def tensor(name: str) -> np.ndarray[Any, Any]:
        if verify:
            file.verify(name)
        return file[name]

    if like is not None:
        if only is not None:
            raise ValueError(f"fxla.load: give `only` or `like`, not both{where_am_i()}")
        return load_like(file, like, tensor)
    structure = file.structure
    if structure is None:
        return {name: tensor(name) for name in file if wanted is None or wanted(name)}
    return restored(structure, tensor, Allowed(allow), wanted)


def _chosen(only: Only) -> Callable[[str], bool] | None:
    if only is None or callable(only):
        return only
    patterns = [only] if isinstance(only, str) else list(only)
    return lambda name: any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
