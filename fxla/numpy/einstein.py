"""Contractions by label: parsing, planning, and one step of a plan.

A plan is a list of steps; each takes one or more operands out of the list and puts their product
back at the end. NumPy's own `einsum_path` chooses the order. One step is a product of two arrays
whose axes carry labels, `contract`; `matmul`, `tensordot` and the others are that step with labels
of their own.
"""

from __future__ import annotations

import functools
import string
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import canonical_dtype
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import DtypeError, ShapeError
from fxla.numpy.arguments import refuse_out
from fxla.numpy.dispatch import public
from fxla.numpy.operands import as_values, promote
from fxla.ops.arithmetic import mul
from fxla.ops.casts import convert
from fxla.ops.dot import DotDims, dot_general
from fxla.ops.shape import slice_
from fxla.ops.structure import broadcast_in_dim, move_axis, reduce_sum, reshape, squeeze, transpose

__all__ = ["contract", "einsum", "einsum_path", "strided_diagonal"]

Labels = tuple[int, ...]
Plan = tuple[tuple[int, ...], ...]

_LETTERS = string.ascii_letters


# --- one step -------------------------------------------------------------------------------


def strided_diagonal(x: Value, offset: int = 0) -> Value:
    """Diagonals of the last two axes, as a new last axis.

    In C order the elements of a diagonal of (n, m) are m + 1 apart: a reshape and a strided slice.
    """
    *lead, n, m = typeof(x).shape
    start = offset if offset >= 0 else -offset * m
    count = max(0, min(n, m - offset) if offset >= 0 else min(n + offset, m))
    step = m + 1
    flat = reshape(x, (*lead, n * m))
    stop = start + (count - 1) * step + 1 if count else start
    if not count:
        start = stop = 0
    rank = len(lead)
    return slice_(flat, (*[0] * rank, start), (*lead, stop), (*[1] * rank, step))


def diagonalise(x: Value, labels: Labels, call: str) -> tuple[Value, Labels]:
    """Replace axes that carry one label several times by their diagonal."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            shape = typeof(x).shape
            if shape[first] != shape[second]:
                raise ShapeError(
                    f"{call}: axes {first} and {second} of {typeof(x)} carry the same label but "
                    f"differ in size ({shape[first]} != {shape[second]}){where_am_i()}"
                )
            x = move_axis(move_axis(x, second, len(shape) - 1), first, len(shape) - 2)
            x = strided_diagonal(x)
            labels = tuple(a for i, a in enumerate(labels) if i not in (first, second)) + (label,)
    return x, labels


def sum_out(x: Value, labels: Labels, kept: Iterable[int]) -> tuple[Value, Labels]:
    """Sum over the axes whose label is not in `kept`."""
    axes = tuple(i for i, a in enumerate(labels) if a not in kept)
    return reduce_sum(x, axes), tuple(a for a in labels if a in kept)


def arrange(x: Value, labels: Labels, out: Labels) -> Value:
    """Transpose to the order of `out`."""
    return transpose(x, tuple(labels.index(a) for a in out))


def contract(
    x: Value, x_labels: Labels, y: Value, y_labels: Labels, out: Labels, call: str = "np.einsum"
) -> Value:
    """``out[...] = sum over labels not in out of x[...] * y[...]``.

    Args:
        x: an array, axis i of which carries ``x_labels[i]``.
        x_labels: labels; one that is repeated means the diagonal.
        y: an array of the same dtype.
        y_labels: its labels. An axis of size 1 is broadcast against the other's.
        out: distinct labels of the result.
        call: the user's call, for messages.
    """
    (x, x_labels), (y, y_labels) = diagonalise(x, x_labels, call), diagonalise(y, y_labels, call)
    x_size = dict(zip(x_labels, typeof(x).shape, strict=True))
    y_size = dict(zip(y_labels, typeof(y).shape, strict=True))
    for label in [a for a in x_labels if a in y_size and x_size[a] != y_size[a]]:
        if x_size[label] == 1:
            x, x_labels = _without(x, x_labels, label)
        elif y_size[label] == 1:
            y, y_labels = _without(y, y_labels, label)
        else:
            raise ShapeError(
                f"{call}: sizes differ along a shared axis: {typeof(x)} and {typeof(y)} "
                f"({x_size[label]} != {y_size[label]}){where_am_i()}"
            )
    x, x_labels = sum_out(x, x_labels, {*y_labels, *out})
    y, y_labels = sum_out(y, y_labels, {*x_labels, *out})
    sizes = {**x_size, **{a: n for a, n in y_size.items() if x_size.get(a, 1) == 1}}
    shared = [a for a in x_labels if a in y_labels]
    summed = [a for a in shared if a not in out]
    if not summed:
        shape = tuple(sizes[a] for a in out)
        x = broadcast_in_dim(x, shape, [out.index(a) for a in x_labels])
        y = broadcast_in_dim(y, shape, [out.index(a) for a in y_labels])
        return mul(x, y)
    batch = [a for a in shared if a in out]
    dims = DotDims(
        tuple(map(x_labels.index, summed)),
        tuple(map(y_labels.index, summed)),
        tuple(map(x_labels.index, batch)),
        tuple(map(y_labels.index, batch)),
    )
    z = dot_general(x, y, dims)
    free = [a for labels in (x_labels, y_labels) for a in labels if a not in shared]
    return arrange(z, (*batch, *free), out)


def _without(x: Value, labels: Labels, label: int) -> tuple[Value, Labels]:
    """Drop an axis of size 1."""
    return squeeze(x, (labels.index(label),)), tuple(a for a in labels if a != label)


# --- parsing --------------------------------------------------------------------------------


def parse_operands(operands: Sequence[Any]) -> tuple[list[Any], list[list[Any]], list[Any] | None]:
    """Arrays, and the labels written for each and for the result (None: not written).

    A label is an integer; `Ellipsis` stands for the axes that are not written.
    """
    if not operands:
        raise ValueError("np.einsum: expected a subscripts string and operands, got nothing")
    if isinstance(operands[0], str):
        text = operands[0].replace(" ", "")
        inputs, arrow, output = text.partition("->")
        arrays = list(operands[1:])
        written = [_parse_term(term, text) for term in inputs.split(",")]
        result = _parse_term(output, text) if arrow else None
    else:
        count = len(operands) // 2
        arrays = list(operands[0 : 2 * count : 2])
        written = [list(labels) for labels in operands[1 : 2 * count : 2]]
        result = list(operands[-1]) if len(operands) % 2 else None
    if len(arrays) != len(written):
        raise ValueError(
            f"np.einsum: the subscripts name {len(written)} operands, but {len(arrays)} were given"
        )
    return arrays, written, result


def _parse_term(term: str, text: str) -> list[Any]:
    head, dots, tail = term.partition("...")
    for letter in head + tail:
        if letter not in _LETTERS:
            raise ValueError(
                f"np.einsum: invalid subscript {letter!r} in {text!r}: labels are letters, '...' "
                "stands for the axes not named"
            )
    return [*map(ord, head), *([Ellipsis] if dots else []), *map(ord, tail)]


def resolve_labels(
    written: Sequence[list[Any]], result: list[Any] | None, ranks: Sequence[int]
) -> tuple[list[Labels], Labels]:
    """Labels with every ellipsis replaced: its axes are -1, -2, ... counted from the right."""
    labels: list[Labels] = []
    widest = 0
    for k, (term, rank) in enumerate(zip(written, ranks, strict=True)):
        missing = rank - sum(a is not Ellipsis for a in term)
        if missing < 0 or (missing > 0 and Ellipsis not in term):
            raise ShapeError(
                f"np.einsum: operand {k} has {rank} axes, but its subscripts name "
                f"{len([a for a in term if a is not Ellipsis])}{where_am_i()}"
            )
        widest = max(widest, missing if Ellipsis in term else 0)
        labels.append(_fill(term, missing))
    names = [a for term in labels for a in term if a >= 0]
    if result is None:
        once = sorted(a for a in set(names) if names.count(a) == 1)
        return labels, (*range(-widest, 0), *once)
    out = _fill(result, widest)
    if Ellipsis not in result and widest:
        raise ValueError(
            "np.einsum: output has no '...', but the operands' '...' stands for axes to keep: "
            "write '...' in the output too"
        )
    for a in out:
        if a >= 0 and (a not in names or out.count(a) > 1):
            why = "is not in any operand" if a not in names else "appears twice"
            raise ValueError(f"np.einsum: output label {_name(a)!r} {why}")
    return labels, out


def _fill(term: list[Any], missing: int) -> Labels:
    if Ellipsis not in term:
        return tuple(int(a) for a in term)
    at = term.index(Ellipsis)
    return (*map(int, term[:at]), *range(-missing, 0), *map(int, term[at + 1 :]))


def _name(label: int) -> str:
    letter = chr(label) if label > 64 else ""
    return letter if letter in _LETTERS and letter else str(label)


# --- planning -------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1024)
def plan_contraction(
    labels: tuple[Labels, ...], out: Labels, shapes: tuple[tuple[int, ...], ...], optimize: Any
) -> Plan:
    """Which operands each step takes, by position in the list that remains."""
    if len(labels) <= 2:
        return (tuple(range(len(labels))),)
    known = {a: k for k, a in enumerate(dict.fromkeys(a for term in labels for a in term))}
    if len(known) > len(_LETTERS):
        return ((0, 1),) * (len(labels) - 1)
    terms = ["".join(_LETTERS[known[a]] for a in term) for term in (*labels, out)]
    subscripts = f"{','.join(terms[:-1])}->{terms[-1]}"
    # Only shapes matter: a broadcast scalar stands for each operand, nothing is allocated.
    stand_ins = [np.broadcast_to(np.zeros(()), shape) for shape in shapes]
    if isinstance(optimize, tuple) and optimize and optimize[0] == "einsum_path":
        optimize = list(optimize)
    elif optimize is True or optimize is False or optimize is None:
        optimize = "greedy"
    path, _ = np.einsum_path(subscripts, *stand_ins, optimize=optimize)
    return tuple(tuple(step) for step in path[1:])


def follow(plan: Plan, arrays: list[Value], labels: list[Labels], out: Labels) -> Value:
    """Carry out a plan."""
    for step in plan:
        taken = [(arrays[k], labels[k]) for k in step]
        rest = [k for k in range(len(arrays)) if k not in step]
        arrays, labels = [arrays[k] for k in rest], [labels[k] for k in rest]
        needed = {*out, *(a for term in labels for a in term)}
        x, x_labels = taken[0]
        for i, (y, y_labels) in enumerate(taken[1:], 2):
            later = {a for _, term in taken[i:] for a in term}
            kept = tuple(a for a in dict.fromkeys(x_labels + y_labels) if a in needed | later)
            last = not arrays and i == len(taken)
            target = out if last else kept
            x, x_labels = contract(x, x_labels, y, y_labels, target), target
        if len(taken) == 1:
            x, x_labels = diagonalise(x, x_labels, "np.einsum")
            x, x_labels = sum_out(x, x_labels, needed)
        arrays.append(x)
        labels.append(x_labels)
    return arrange(arrays[0], labels[0], out)


@public(np.einsum)
def einsum(
    *operands: Any,
    out: Any = None,
    optimize: Any = False,
    dtype: Any = None,
    order: str = "K",
    casting: str = "safe",
) -> Value:
    """Sum of products of elements, by Einstein's convention.

    Axes that carry the same label are multiplied together; labels that are not in the output are
    summed. An axis of size 1 is broadcast. With three or more operands the order of the products is
    chosen by NumPy's greedy planner; see `einsum_path`.

    Args:
        *operands: a subscripts string such as ``"ij,jk->ik"`` and the arrays; or arrays, each
            followed by a list of integer labels, and optionally the output's list at the end.
            ``...`` stands for leading axes that are broadcast.
        out: an array for the result.
        optimize: ``"greedy"``, ``"optimal"``, or a path that `einsum_path` returned.
        dtype: dtype of the computation; default: the operands' common dtype.
        order: accepted for NumPy's sake; the result is in C order.
        casting: what conversion to `dtype` is allowed, see `numpy.can_cast`.

    Returns:
        The contraction.

    Raises:
        ValueError: if the subscripts do not fit the operands.

    Example:
        >>> import fxla.numpy as fnp
        >>> a = fnp.arange(4.0).reshape(2, 2)
        >>> fnp.einsum("ij,jk->ik", a, a)
        Array([[ 2.,  3.],
               [ 6., 11.]])
        >>> float(fnp.einsum("ii", a))
        3.0
    """
    refuse_out(out, "np.einsum")
    del order
    arrays, written, result = parse_operands(operands)
    values = promote("np.einsum", *as_values("np.einsum", *arrays))
    if dtype is not None:
        wanted = canonical_dtype(dtype)
        have = typeof(values[0]).dtype
        if not np.can_cast(have, wanted, casting=casting):  # type: ignore[arg-type]
            raise DtypeError(
                f"np.einsum: cannot cast operands of {have} to {wanted} by the rule {casting!r}"
            )
        values = [convert(v, wanted) for v in values]
    shapes = tuple(typeof(v).shape for v in values)
    labels, out_labels = resolve_labels(written, result, [len(s) for s in shapes])
    _check_sizes(labels, values)
    choice = tuple(optimize) if isinstance(optimize, list) else optimize
    plan = plan_contraction(tuple(labels), out_labels, shapes, choice)
    if len(values) == 1:
        x, x_labels = diagonalise(values[0], labels[0], "np.einsum")
        return arrange(*sum_out(x, x_labels, out_labels), out_labels)
    return follow(plan, list(values), labels, out_labels)


def _check_sizes(labels: Sequence[Labels], values: Sequence[Value]) -> None:
    sizes: dict[int, int] = {}
    for k, (term, x) in enumerate(zip(labels, values, strict=True)):
        for a, n in zip(term, typeof(x).shape, strict=True):
            if n != 1 and sizes.setdefault(a, n) != n:
                raise ShapeError(
                    f"np.einsum: label {_name(a)!r} has size {sizes[a]} in one operand and {n} in "
                    f"operand {k}: {', '.join([str(typeof(v)) for v in values])}{where_am_i()}. "
                    "A label stands for one size; transpose an operand, or give its axis another."
                )


def einsum_path(*operands: Any, optimize: Any = "greedy") -> tuple[list[Any], str]:
    """The order in which `einsum` multiplies its operands, and a report of its cost.

    Args:
        *operands: as for `einsum`; only the shapes of the arrays matter.
        optimize: ``"greedy"`` or ``"optimal"``, or a path to report on.

    Returns:
        A path that `einsum` takes as `optimize`, and a report to print.

    Example:
        >>> import fxla.numpy as fnp
        >>> a = fnp.ones((2, 3))
        >>> fnp.einsum_path("ij,kj,kl->il", a, a, a)[0]
        ['einsum_path', (0, 1), (0, 1)]
    """
    stand_ins = [
        np.broadcast_to(np.zeros((), typeof(x).dtype), typeof(x).shape)
        if hasattr(x, "aval") or isinstance(x, np.ndarray)
        else x
        for x in operands
    ]
    path, report = np.einsum_path(*stand_ins, optimize=optimize)
    return list(path), str(report)
