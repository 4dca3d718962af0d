"""Which group of tensors belongs to which layer: by shapes, and by how alike their names are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from fxla.weights.naming import Words, likeness, without_numbers, words_of

__all__ = ["Assignment", "assign"]

_EACH = 100.0
"""What an array counts that finds a tensor, where a perfect name counts 1."""
_CLOSE = 1e-9
Scores = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True)
class Assignment:
    """What belongs together.

    Attributes:
        matched: the source of each target that has one.
        ambiguous: targets with the sources that fit each equally well.
        ours: the words of the targets' names.
        theirs: the words of the sources' names.
    """

    matched: Mapping[str, str]
    ambiguous: Mapping[str, Sequence[str]]
    ours: Mapping[str, Words]
    theirs: Mapping[str, Words]


def assign(
    targets: Iterable[str], sources: Iterable[str], fits: Callable[[str, str], int]
) -> Assignment:
    """Assign sources to targets, so that names are as alike as they can be altogether.

    Among all ways of pairing what fits, the one that serves most arrays, and among these the one
    with the largest sum of likenesses, is found by the Hungarian method (Kuhn 1955). Pairs that
    could be exchanged without a loss are ambiguous, unless the names of the sources differ in
    numbers only: these are taken in their order.

    Args:
        targets: names, in the order of their definition.
        sources: names.
        fits: how many arrays of a target a source has the tensors for; 0 if something does not fit.

    Example:
        >>> assign(["first"], ["fc1"], lambda target, source: 2).matched
        {'first': 'fc1'}
    """
    ours, theirs = list(targets), list(sources)
    our_words, their_words = words_of(ours), words_of(theirs)
    scores = np.zeros((len(ours), len(theirs)))
    for i, target in enumerate(ours):
        for j, source in enumerate(theirs):
            arrays = fits(target, source)
            if arrays:
                alike = likeness(our_words[target], their_words[source])
                scores[i, j] = _EACH * arrays + alike
    rows, columns = linear_sum_assignment(scores, maximize=True)
    pairs = {int(i): int(j) for i, j in zip(rows, columns, strict=True) if scores[i, j] > 0}
    unclear = _exchangeable(scores, pairs)
    for group in _groups(unclear):
        names = {theirs[j] for i in group for j in unclear[i]}
        stems = {without_numbers(their_words[name]) for name in names}
        if len(stems) == 1 and len(names) == len(group):
            ordered = sorted(names, key=lambda name: their_words[name])
            for i, name in zip(sorted(group), ordered, strict=True):
                pairs[i] = theirs.index(name)
                del unclear[i]
    return Assignment(
        {ours[i]: theirs[j] for i, j in pairs.items() if i not in unclear},
        {ours[i]: [theirs[j] for j in found] for i, found in unclear.items()},
        our_words,
        their_words,
    )


def _exchangeable(scores: Scores, pairs: Mapping[int, int]) -> dict[int, list[int]]:
    """Rows whose columns could be others at the same sum, with those columns."""
    found: dict[int, set[int]] = {}
    taken = set(pairs.values())
    for i, j in pairs.items():
        as_good: Any = np.flatnonzero(scores[i] >= scores[i, j] - _CLOSE)
        for free in as_good.tolist():
            if free not in taken:
                found.setdefault(i, {j}).add(free)
        for k, m in pairs.items():
            swapped = scores[i, m] + scores[k, j]
            fits = k > i and scores[i, m] > 0 and scores[k, j] > 0
            if fits and swapped >= scores[i, j] + scores[k, m] - _CLOSE:
                found.setdefault(i, {j}).add(m)
                found.setdefault(k, {m}).add(j)
    return {i: sorted(columns) for i, columns in sorted(found.items())}


def _groups(unclear: Mapping[int, Sequence[int]]) -> list[list[int]]:
    """Rows that share columns."""
    groups: list[tuple[set[int], set[int]]] = []
    for i, columns in unclear.items():
        rows, shared = {i}, set(columns)
        for other in [g for g in groups if g[1] & shared]:
            groups.remove(other)
            rows |= other[0]
            shared |= other[1]
        groups.append((rows, shared))
    return [sorted(rows) for rows, _ in groups]
