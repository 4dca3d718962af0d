"""Arrays of a model beside tensors of another one: layers are paired, then what is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fxla.weights.assignment import Assignment, assign
from fxla.weights.layouts import STRAIGHT, TRANSPOSED, Reading, torch_name
from fxla.weights.naming import likeness, role_of, words_of
from fxla.weights.sources import Source, variants

__all__ = ["Pairing", "paired"]

_SAME_THING = 0.6
"""Names at least as alike as that mean the same layer, though shapes may differ."""
Slots = Mapping[str, Sequence[Reading]]
_Readable = tuple[Source, Sequence[Reading]]


@dataclass(frozen=True)
class Pairing:
    """What belongs together.

    Attributes:
        matched: for each path that has one, its tensor, and how it is read.
        ambiguous: paths with the tensors that fit each equally well.
        differing: paths with the tensor whose name says that it is meant, and whose shape does
            not fit.
        missing: paths without a tensor.
        extra: tensors without a path.
    """

    matched: dict[str, tuple[Source, Reading]]
    ambiguous: dict[str, list[Source]]
    differing: dict[str, Source]
    missing: list[str]
    extra: list[Source]

    @property
    def unmatched(self) -> int:
        """How many arrays and tensors found nothing."""
        return len(self.ambiguous) + len(self.differing) + len(self.missing) + len(self.extra)


def paired(slots: Slots, sources: Mapping[str, Source]) -> Pairing:
    """Pair the arrays of a model with tensors.

    Args:
        slots: for each path of the model, how a tensor may be read as the array there.
        sources: tensors by name.

    Returns:
        The pairing that leaves the fewest unmatched, with queries, keys and values as the model
        has them.
    """
    found = [_Layers(slots, variant).paired() for variant in variants(sources)]
    return min(found, key=lambda f: f.unmatched)


class _Layers:
    """Arrays and tensors by the layer that they are in, and by what they are there."""

    def __init__(self, slots: Slots, sources: Mapping[str, Source]) -> None:
        self.sources = sources
        self.slots = slots
        self.ours: dict[str, dict[str, str]] = {}
        for path in slots:
            layer, role = role_of(torch_name(path))
            self.ours.setdefault(layer, {})[role] = path
        self.theirs: dict[str, dict[str, str]] = {}
        for name in sources:
            layer, role = role_of(name)
            self.theirs.setdefault(layer, {})[role] = name

    def fits(self, ours: str, theirs: str) -> int:
        """How many arrays of a layer have tensors; 0 if one of these does not fit."""
        mine, others = self.ours[ours], self.theirs[theirs]
        common = mine.keys() & others.keys()
        if any(not self.readings(mine[role], others[role]) for role in common):
            return 0
        if {"weight", "bias"} <= common and not self.by_bias(mine, others):
            return 0
        return len(common)

    def readings(self, path: str, name: str) -> list[Reading]:
        """How a tensor can be read as an array."""
        source = self.sources[name]
        fitting = [r for r in self.slots[path] if r.shape == source.shape]
        if source.in_order:
            return [r for r in fitting if r.name != STRAIGHT or self.only_straight(path)]
        return fitting

    def only_straight(self, path: str) -> bool:
        return self.slots[path][0].name != TRANSPOSED

    def by_bias(self, mine: Mapping[str, str], others: Mapping[str, str]) -> list[Reading]:
        """The readings of a weight under which its result has as many features as the bias."""
        features = self.sources[others["bias"]].shape
        return [
            reading
            for reading in self.readings(mine["weight"], others["weight"])
            if self.only_straight(mine["weight"])
            or features == (reading.shape[0 if reading.name == TRANSPOSED else -1],)
        ]

    def paired(self) -> Pairing:
        """Pair layers, and then what is in them."""
        layers = assign(self.ours, self.theirs, self.fits)
        alike = {ours: found[0] for ours, found in layers.ambiguous.items() if self.equal(found)}
        matched: dict[str, _Readable] = {}
        for ours, theirs in {**layers.matched, **alike}.items():
            mine, others = self.ours[ours], self.theirs[theirs]
            for role in [r for r in mine if r in others]:
                readings = self.readings(mine[role], others[role])
                if role == "weight" and "bias" in mine and "bias" in others:
                    readings = self.by_bias(mine, others)
                matched[mine[role]] = self.sources[others[role]], readings
        ambiguous = {
            path: [self.sources[self.theirs[s][role]] for s in found if role in self.theirs[s]]
            for ours, found in layers.ambiguous.items()
            if ours not in alike
            for role, path in self.ours[ours].items()
        }
        taken = {id(source) for source, _ in matched.values()}
        taken |= {id(source) for found in ambiguous.values() for source in found}
        missing = [path for path in self.slots if path not in matched and path not in ambiguous]
        extra = [source for source in self.sources.values() if id(source) not in taken]
        differing = self.differing(layers, missing, extra)
        return Pairing(
            {path: (s, self.chosen(s, r, matched)) for path, (s, r) in matched.items()},
            ambiguous,
            differing,
            [path for path in missing if path not in differing],
            [s for s in extra if not any(s is other for other in differing.values())],
        )

    def chosen(
        self, source: Source, readings: Sequence[Reading], matched: Mapping[str, _Readable]
    ) -> Reading:
        """How a tensor is read. A square matrix is as the most like one that tells."""
        if len({r.name for r in readings} & {STRAIGHT, TRANSPOSED}) < 2:
            return readings[0]
        telling = {
            other.name: found[0].name == STRAIGHT if other.turned is None else other.turned
            for path, (other, found) in matched.items()
            if len(found) == 1 and not self.only_straight(path)
            if not other.in_order or other.turned is not None
        }
        words = words_of([source.name, *telling])
        mine = words[source.name]
        like = max(telling, key=lambda name: likeness(words[name], mine), default=None)
        straight = like is not None and telling[like]
        return next(r for r in readings if (r.name == STRAIGHT) is straight)

    def equal(self, layers: Sequence[str]) -> bool:
        """Whether it makes no difference which of some layers is taken, as with tied weights."""
        first = self.theirs[layers[0]]
        return all(
            self.theirs[other].keys() == first.keys()
            and np.array_equal(
                self.sources[self.theirs[other][role]].read(), self.sources[name].read()
            )
            for other in layers[1:]
            for role, name in first.items()
        )

    def differing(
        self, layers: Assignment, missing: list[str], extra: list[Source]
    ) -> dict[str, Source]:
        """Missing arrays for which there is an extra tensor of that name, of another shape."""
        found: dict[str, Source] = {}
        left = {id(source) for source in extra}
        for path in missing:
            ours, role = role_of(torch_name(path))
            alike = {
                theirs: likeness(layers.ours[ours], layers.theirs[theirs])
                for theirs, others in self.theirs.items()
                if role in others and id(self.sources[others[role]]) in left
            }
            best = max(alike, key=lambda name: alike[name], default=None)
            if best is not None and alike[best] >= _SAME_THING:
                found[path] = self.sources[self.theirs[best][role]]
                left.remove(id(found[path]))
        return found
