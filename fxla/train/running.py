"""What training holds between two steps: the user's objects, or the list of arrays a step gives.

A compiled step takes and gives lists of arrays: to walk through the objects of a model at every
step would cost as much as a small step does. The objects get the newest arrays when they are looked
at, and a step takes them over from the objects again if they were.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fxla.core.pytree import TreeDef, tree_flatten, tree_unflatten
from fxla.core.stateful import assign

__all__ = ["Held", "Running", "Structure", "flattened"]


class Running(NamedTuple):
    """What a step starts from and ends with.

    Attributes:
        model: its parameters and buffers.
        optimizer: the optimiser's state.
        sums: the sums of the loss and the metrics, by name.
    """

    model: Any
    optimizer: Any
    sums: Any


class Structure(NamedTuple):
    """How the list of a step's arrays is made up."""

    model: TreeDef
    optimizer: TreeDef
    sums: TreeDef

    def parts(self, arrays: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """The arrays of the model, the optimiser and the sums."""
        a = self.model.num_leaves
        b = a + self.optimizer.num_leaves
        return arrays[:a], arrays[a:b], arrays[b:]

    def running(self, arrays: list[Any]) -> Running:
        """The objects that a list of arrays is the content of."""
        parts = zip(self, self.parts(arrays), strict=True)
        return Running(*[tree_unflatten(structure, part) for structure, part in parts])


def flattened(running: Running) -> tuple[list[Any], Structure]:
    """The arrays of objects in one list, and how it is made up."""
    flat = [tree_flatten(part) for part in running]
    return [x for leaves, _ in flat for x in leaves], Structure(*[s for _, s in flat])


class Held:
    """A `Running` whose newest arrays are in its objects, or in a list."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._arrays: list[Any] | None = None
        self._structure: Structure | None = None
        self._newer = False

    @property
    def running(self) -> Running:
        """The objects, with the newest arrays; the model is always the same object."""
        self.settle()
        return self._running

    @running.setter
    def running(self, running: Running) -> None:
        self._running, self._arrays, self._newer = running, None, False

    def settle(self) -> None:
        """Give the objects the newest arrays. From now on they count: they may be changed."""
        if self._newer:
            assert self._arrays is not None and self._structure is not None
            newest = self._structure.running(self._arrays)
            model = self._running.model
            assign(model, dict(enumerate(self._structure.parts(self._arrays)[0])))
            self._running = newest._replace(model=model)
            self._newer = False
        self._arrays = None

    @property
    def model(self) -> Any:
        """The model as an object, whose arrays may be those of an earlier step."""
        return self._running.model

    def arrays(self) -> tuple[list[Any], Structure]:
        """The list that the next step takes."""
        if self._arrays is None or self._structure is None:
            self._arrays, self._structure = flattened(self._running)
        return self._arrays, self._structure

    def take(self, arrays: list[Any]) -> None:
        """Take over what a step gave."""
        self._arrays, self._newer = arrays, True

    def sums(self) -> Any:
        """The newest sums; nothing else is looked at."""
        if not self._newer:
            return self._running.sums
        assert self._arrays is not None and self._structure is not None
        return tree_unflatten(self._structure.sums, self._structure.parts(self._arrays)[2])
