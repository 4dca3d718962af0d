"""Trees as code."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np
import pytest

import fxla
from fxla import nn
from fxla.compile.calls.entry_layout import OP
from fxla.compile.calls.entry_tree import NotServedError, code_of_arguments, code_of_result
from fxla.core.pytree import register_node, tree_flatten, tree_structure

Pair = collections.namedtuple("Pair", "a b")


def arguments(*args: Any, fixed: Any = None, named: Any = None, **kwargs: Any) -> Any:
    leaves, tree = tree_flatten((args, kwargs))
    return code_of_arguments(tree, len(leaves), fixed, named)


def result(x: Any) -> list[int]:
    leaves, tree = tree_flatten(x)
    return code_of_result(tree, len(leaves)).words


TUPLE, LIST, DICT, LEAF, SAME = (OP[x] for x in ("TUPLE", "LIST", "DICT", "LEAF", "SAME"))


def test_arguments() -> None:
    key = "key"
    code = arguments(1, [2, None], k={key: 3})
    assert code.words == [
        TUPLE, 2, id(tuple), LEAF, 0,
        LIST, 2, id(list), LEAF, 1, SAME, id(None),
        DICT, 1, id(dict), id("k"), DICT, 1, id(dict), id(key), LEAF, 2,
    ]  # fmt: skip
    assert any(x is key for x in code.objects)


def test_static_arguments_stand_where_they_are_passed() -> None:
    one, two = object(), object()
    code = arguments(1, 2, fixed={0: one, 2: two}, named={"n": one})
    assert code.words == [
        TUPLE, 4, id(tuple), SAME, id(one), LEAF, 0, SAME, id(two), LEAF, 1,
        DICT, 1, id(dict), id("n"), SAME, id(one),
    ]  # fmt: skip
    assert sum(x is one for x in code.objects) == 2


def test_results() -> None:
    leaf = [LEAF, 0, LEAF, 1]
    assert result((1, 2)) == [TUPLE, 2, id(tuple), *leaf]
    named = result(Pair(1, 2))
    assert named[:2] == [OP["NAMED"], 2] and named[3:] == leaf
    assert arguments(Pair(1, 2)).words[3:6] == [TUPLE, 2, id(Pair)]


def test_a_result_keeps_the_order_of_its_keys() -> None:
    b, a = "b", "a"
    code = code_of_result(tree_structure({b: 1, a: 2}), 2)
    example = code.objects[0]
    assert list(example.items()) == [(b, None), (a, None)]
    assert code.words == [DICT, 2, id(example), id(b), LEAF, 1, id(a), LEAF, 0]


def test_registered_classes() -> None:
    class Box:
        def __init__(self, x: Any) -> None:
            self.x = x

    def flatten(box: Box) -> tuple[Any, Any]:
        return [box.x], "aux"

    def unflatten(aux: Any, children: Any) -> Box:
        return Box(*children)

    register_node(Box, flatten, unflatten)
    node = OP["NODE"]
    assert arguments(Box(1)).words[3:10] == [
        node, 1, id(Box), id(flatten), id("aux"), LEAF, 0,
    ]  # fmt: skip
    assert result(Box(1)) == [node, 1, id(unflatten), id("aux"), LEAF, 0]


def test_what_is_not_served() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    for x in (deep, collections.OrderedDict(a=1), collections.deque([1]), {(1, 2): 1}, {1.5: 1}):
        with pytest.raises(NotServedError):
            arguments(x)


class Box(nn.Module):
    """An array, settings, a list and another box."""

    def __init__(self, inner: Any = None) -> None:
        self.x = np.ones(2)
        self.n = 3
        self.name = "box"
        self.off = 0.0
        self.items = [np.ones(1), None]
        self.inner = inner


def test_an_object_is_known_by_its_attributes() -> None:
    box = Box()
    code = arguments(box)
    EQUAL = OP["EQUAL"]
    names = {id(x): x for x in code.objects}
    found = [names.get(w, w) for w in code.words]
    assert found[3:] == [
        OP["OBJECT"], 6, Box, "x", LEAF, 0, "n", EQUAL, 3, "name", EQUAL, "box", "off", SAME, 0.0,
        "items", LIST, 2, list, LEAF, 1, SAME, None, "inner", SAME, None,
        DICT, 0, dict,
    ]  # fmt: skip


def test_a_shared_object_is_taken_apart_by_python() -> None:
    inner = Box()
    box = Box([inner, inner])
    assert arguments(box).words[3] == OP["NODE"]
    assert arguments(Box([inner, Box()])).words[3] == OP["OBJECT"]


@pytest.mark.parametrize(
    "change", ["n", "type", "name", "sign", "extra", "missing", "list", "same"]
)
def test_native_calls_compare_attributes(change: str) -> None:
    f = fxla.jit(lambda box: box.x * box.n + box.off + len(box.items) + len(vars(box)))
    for _ in range(5):
        assert f(Box()).tolist() == [11.0, 11.0]
    box = Box()
    changes: dict[str, Any] = {
        "n": ("n", 4), "type": ("n", 3.0), "name": ("name", "xob"), "sign": ("off", -0.0),
        "extra": ("more", 1), "missing": ("name", None), "list": ("items", [np.ones(1)]),
        "same": ("n", int("3")),
    }  # fmt: skip
    setattr(box, *changes[change])
    traces = len(f._traces)
    expected = box.x * box.n + box.off + len(box.items) + len(vars(box))
    for _ in range(3):
        assert f(box).tolist() == expected.tolist()
    assert len(f._traces) == traces + (change != "same")


def test_native_results_are_objects() -> None:
    f = fxla.jit(lambda box: fxla.tree.map(lambda x: x + 1, box))
    for _ in range(5):
        found = f(Box(Box()))
        assert type(found) is Box and type(found.inner) is Box
        assert (found.n, found.name, found.items[1]) == (3, "box", None)
        assert found.inner.x.tolist() == [2.0, 2.0] and found.items[0].tolist() == [2.0]
        assert tree_flatten(found)[1] == tree_flatten(Box(Box()))[1]
        found.inner.x = np.zeros(2)
