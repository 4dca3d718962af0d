"""Which tensor belongs to which array: by shape, by role, and by how alike their names are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from fxla.weights.naming import Words, likeness, words_of

__all__ = ["Assignment", "assign"]

_IMPOSSIBLE = -1e6
_CLOSE = 1e-9
_SAME_THING = 0.6
"""Names at least as alike as that mean the same array, though its shape may differ."""

_ROLES = ("weight", "bias", "mean", "var")


@dataclass(frozen=True)
class Assignment:
    """What belongs together.

    Attributes:
        matched: the source of each target that has one.
        ambiguous: targets with the sources that fit each equally well.
        differing: targets with the source whose name says that it is meant, and whose shape
            does not fit.
        missing: targets without a source.
        extra: sources without a target.
    """

    matched: Mapping[str, str]
    ambiguous: Mapping[str, Sequence[str]]
    differing: Mapping[str, str]
    missing: Sequence[str]
    extra: Sequence[str]


def assign(
    targets: Mapping[str, frozenset[tuple[int, ...]]], sources: Mapping[str, tuple[int, ...]]
) -> Assignment:
    """Assign sources to targets, so that names are as alike as they can be altogether.

    Only what fits is paired: the shape is one that the target can be read from, and neither name
    says that one is a weight and the other a bias. Among all ways of pairing as many as possible,
    the one with the largest sum of likenesses is found by the Hungarian method (Kuhn 1955). Pairs
    that could be exchanged without a loss are ambiguous.

    Args:
        targets: names, and the shapes that a source may have.
        sources: names and shapes.

    Example:
        >>> assign({"first.weight": frozenset({(3, 2)})}, {"fc1.weight": (3, 2)}).matched
        {'first.weight': 'fc1.weight'}
    """
    ours, theirs = list(targets), list(sources)
    our_words, their_words = words_of(ours), words_of(theirs)
    scores = np.full((len(ours), len(theirs)), _IMPOSSIBLE)
    for i, target in enumerate(ours):
        for j, source in enumerate(theirs):
            fits = sources[source] in targets[target]
            if fits and _same_role(our_words[target], their_words[source]):
                scores[i, j] = 1.0 + likeness(our_words[target], their_words[source])
    pairs = _best(scores)
    unclear = _exchangeable(scores, pairs)
    matched = {ours[i]: theirs[j] for i, j in pairs.items() if i not in unclear}
    ambiguous = {ours[i]: [theirs[j] for j in found] for i, found in unclear.items()}
    used = {*matched.values(), *(name for found in ambiguous.values() for name in found)}
    missing = [t for t in ours if t not in matched and t not in ambiguous]
    extra = [s for s in theirs if s not in used]
    differing = {}
    for target in missing:
        alike = {
            s: likeness(our_words[target], their_words[s])
            for s in extra
            if _same_role(our_words[target], their_words[s])
        }
        best = max(alike, key=lambda s: alike[s], default=None)
        if best is not None and alike[best] >= _SAME_THING:
            differing[target] = best
            extra.remove(best)
    return Assignment(
        matched, ambiguous, differing, [t for t in missing if t not in differing], extra
    )


def _best(scores: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> dict[int, int]:
    """Column by row, where both can be paired."""
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return {
        int(i): int(j) for i, j in zip(rows, columns, strict=True) if scores[i, j] > _IMPOSSIBLE / 2
    }


def _exchangeable(
    scores: np.ndarray[tuple[int, ...], np.dtype[np.float64]], pairs: Mapping[int, int]
) -> dict[int, list[int]]:
    """Rows whose columns could be others at the same sum, with those columns."""
    found: dict[int, set[int]] = {}
    taken = set(pairs.values())
    for i, j in pairs.items():
        for free in range(scores.shape[1]):
            if free not in taken and scores[i, free] >= scores[i, j] - _CLOSE:
                found.setdefault(i, {j}).add(free)
        for k, m in pairs.items():
            if k > i and scores[i, m] + scores[k, j] >= scores[i, j] + scores[k, m] - _CLOSE:
                found.setdefault(i, {j}).add(m)
                found.setdefault(k, {m}).add(j)
    return {i: sorted(columns) for i, columns in sorted(found.items())}


def _same_role(a: Words, b: Words) -> bool:
    """Whether names do not say that one is a weight and the other a bias, or the like."""
    mine = next((w for w in reversed(a) if w in _ROLES), None)
    theirs = next((w for w in reversed(b) if w in _ROLES), None)
    return mine is None or theirs is None or mine == theirs
