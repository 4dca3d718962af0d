"""Programs of one transform, and their values in extended precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft

import fxla
import fxla.numpy as fnp
from fxla.compile.build import build_program
from fxla.compile.executable import executable_from
from fxla.compile.program import walk_instructions

__all__ = ["KINDS", "check"]

KINDS = ["fftn", "ifftn", "rfftn", "irfftn"]


def operand(kind: str, shape: tuple[int, ...], axes: tuple[int, ...], precision: str) -> Any:
    rng = np.random.default_rng(len(shape) + shape[-1])
    x = rng.standard_normal(shape)
    if kind == "irfftn":
        shape = tuple(n // 2 + 1 if a == axes[-1] else n for a, n in enumerate(shape))
        x = rng.standard_normal(shape)
    if kind == "rfftn":
        return x.astype(precision)
    return (x + 1j * rng.standard_normal(shape)).astype({"f4": "c8", "f8": "c16"}[precision])


def exact(kind: str, x: Any, axes: tuple[int, ...], sizes: tuple[int, ...]) -> Any:
    """In extended precision."""
    wide = x.astype(np.clongdouble if x.dtype.kind == "c" else np.longdouble)
    lengths = {"s": sizes} if kind == "irfftn" else {}
    return getattr(scipy.fft, kind)(wide, axes=axes, **lengths)


def transform(
    kind: str, x: Any, axes: tuple[int, ...], sizes: tuple[int, ...]
) -> tuple[Any, set[type]]:
    lengths = {"s": sizes} if kind == "irfftn" else {}
    jaxpr = fxla.make_jaxpr(lambda x: getattr(fnp.fft, kind)(x, axes=axes, **lengths))(x).jaxpr
    run = executable_from(build_program(jaxpr))
    return run(x)[0], {type(i) for i in walk_instructions(run.program.body)}


def check(kind: str, shape: tuple[int, ...], axes: tuple[int, ...], precision: str) -> set[type]:
    """Compare a compiled transform with the exact one; returns the types of its instructions."""
    x = operand(kind, shape, axes, precision)
    sizes = tuple(shape[a] for a in axes)
    found, instructions = transform(kind, x, axes, sizes)
    wanted = exact(kind, x, axes, sizes)
    assert found.shape == wanted.shape
    assert found.dtype == (precision if kind == "irfftn" else {"f4": "c8", "f8": "c16"}[precision])
    if wanted.size:
        error = np.sqrt(np.mean(np.abs(found - wanted) ** 2) / np.mean(np.abs(wanted) ** 2))
        assert error <= np.finfo(precision).eps * (1 + 0.2 * np.log2(np.prod(sizes)))
    return instructions
