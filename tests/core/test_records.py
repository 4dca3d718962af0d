"""Data classes of one text mean what those of `dataclasses` mean."""

from __future__ import annotations

import abc
import copy
import dataclasses
import inspect
import pickle
import weakref
from dataclasses import field
from typing import Any

import pytest

from fxla.core.records import dataclass

OPTIONS: list[dict[str, bool]] = [
    {},
    {"eq": False},
    {"frozen": True},
    {"slots": True},
    {"frozen": True, "slots": True},
    {"frozen": True, "eq": False},
    {"frozen": True, "eq": False, "slots": True, "weakref_slot": True},
    {"unsafe_hash": True, "slots": True},
    {"eq": False, "slots": True},
]


def classes(options: dict[str, bool]) -> tuple[type, type]:
    """The same class, made by us and by Python."""

    def written() -> type:
        class Record:
            """A record."""

            a: int
            b: Any = 2
            c: list[Any] = field(default_factory=list)
            d: int = field(default=0, repr=False, compare=False)
            e: int = field(default=5, kw_only=True)
            f: int = field(default_factory=int, init=False)

        return Record

    return dataclass(**options)(written()), dataclasses.dataclass(**options)(written())


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o) or "plain")
def test_a_class_means_what_pythons_means(options: dict[str, bool]) -> None:
    ours, python = classes(options)
    assert inspect.signature(ours).parameters.keys() == inspect.signature(python).parameters.keys()
    assert ours.__match_args__ == python.__match_args__
    assert ("__dict__" in dir(ours)) == ("__dict__" in dir(python))
    seen = []
    for cls in (ours, python):
        one, same, other = cls(1), cls(1, 2, [], d=7), cls(1, e=6)
        found: list[Any] = [repr(one).rpartition(".")[2], one == same, one == other, one == 3]
        found += [[getattr(one, f.name) for f in dataclasses.fields(one)]]
        found += [dataclasses.asdict(dataclasses.replace(other, a=4)), one.c is cls(1).c]
        for attempt in (
            lambda x=one: setattr(x, "a", 9),
            lambda x=one: delattr(x, "b"),
            lambda x=same: hash(x) == hash(x),
            lambda x=cls: hash(x(1, c=())) == hash(x(1, c=())),
            lambda x=one: weakref.ref(x)() is x,
            lambda x=cls: x(),
            lambda x=cls: x(1, 2, 3, 4, 5),
            lambda x=one: copy.copy(x).c is x.c,
        ):
            try:
                found.append(attempt())
            except (AttributeError, TypeError) as error:
                found.append(type(error))
        seen.append(found)
    assert seen[0] == seen[1]


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 0

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("x < 0")


@dataclass(frozen=True, slots=True)
class Space(Point):
    z: int = 1


def test_records_are_pickled_and_derived_from() -> None:
    assert pickle.loads(pickle.dumps(Space(3, 4))) == Space(3, 4, 1)
    assert copy.deepcopy(Space(3)) == Space(3) != Space(3, z=2)
    assert Space(1, 0) != Point(1, 0)
    with pytest.raises(ValueError, match="x < 0"):
        Space(-1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'x'"):
        Space(1).x = 2  # type: ignore[misc]
    match Space(5, 6):
        case Point(x, y):
            assert (x, y) == (5, 6)


def test_what_a_class_writes_itself_stays() -> None:
    @dataclass(frozen=True)
    class Named:
        name: str

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 3

        def __repr__(self) -> str:
            return "mine"

    assert (Named("a") == 1, hash(Named("a")), repr(Named("a"))) == (True, 3, "mine")

    @dataclass(frozen=True)
    class Equal:
        name: str

        def __eq__(self, other: object) -> bool:
            return True

    assert hash(Equal("a")) == hash(Equal("a")) != hash(Equal("b"))


def test_an_abstract_method_that_a_record_lacks_is_missed() -> None:
    class Base(abc.ABC):
        @abc.abstractmethod
        def area(self) -> int: ...

    @dataclass
    class Square(Base):
        side: int

    with pytest.raises(TypeError, match="abstract"):
        Square(2)  # type: ignore[abstract]


def test_a_plain_subclass_of_a_frozen_record_may_have_attributes() -> None:
    @dataclass(frozen=True)
    class Frozen:
        a: int

    class Open(Frozen):
        pass

    x: Any = Open(1)
    x.more = 2
    assert x.more == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        x.a = 3
