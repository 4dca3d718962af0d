from __future__ import annotations

import collections
import dataclasses
from typing import Any

import numpy as np
import pytest

from fxla.core.pytree import (
    leaf_paths,
    register_dataclass,
    register_node,
    tree_flatten,
    tree_map,
    tree_structure,
    tree_unflatten,
)

Point = collections.namedtuple("Point", "x y")


@register_dataclass
@dataclasses.dataclass(frozen=True)
class Layer:
    w: Any
    b: Any
    size: int = dataclasses.field(default=0, metadata={"static": True})


class Pair:
    def __init__(self, a: Any, b: Any, tag: str) -> None:
        self.a, self.b, self.tag = a, b, tag


register_node(Pair, lambda p: ((p.a, p.b), p.tag), lambda tag, ab: Pair(*ab, tag))

TREES: list[tuple[Any, list[Any], list[str]]] = [
    (5, [5], ["t"]),
    (None, [], []),
    ([1, None, (2, 3)], [1, 2, 3], ["t[0]", "t[2][0]", "t[2][1]"]),
    ({"b": 1, "a": [2]}, [2, 1], ["t['a'][0]", "t['b']"]),
    (Point(1, (2,)), [1, 2], ["t.x", "t.y[0]"]),
    (Layer(1, {"z": 2}, 7), [1, 2], ["t.w", "t.b['z']"]),
    ((), [], []),
]


@pytest.mark.parametrize("tree, leaves, paths", TREES)
def test_flatten_unflatten_and_paths(tree: Any, leaves: list[Any], paths: list[str]) -> None:
    flat, treedef = tree_flatten(tree)
    assert flat == leaves
    assert treedef == tree_structure(tree)
    assert tree_unflatten(treedef, flat) == tree
    assert leaf_paths(tree, "t") == paths


def test_a_registered_class_round_trips() -> None:
    flat, treedef = tree_flatten(Pair(1, [2, 3], "kept"))
    assert flat == [1, 2, 3]
    back = tree_unflatten(treedef, [10, 20, 30])
    assert (back.a, back.b, back.tag) == (10, [20, 30], "kept")


def test_static_fields_are_part_of_the_structure() -> None:
    assert tree_structure(Layer(1, 2, 3)) == tree_structure(Layer(5, 6, 3))
    assert tree_structure(Layer(1, 2, 3)) != tree_structure(Layer(1, 2, 4))


def test_dict_order_does_not_matter() -> None:
    assert tree_structure({"a": 1, "b": 2}) == tree_structure({"b": 2, "a": 1})


def test_map_over_trees_and_prefixes() -> None:
    assert tree_map(lambda x, y: x + y, (1, [2]), (10, [20])) == (11, [22])
    assert tree_map(lambda x, y: (x, y), (1, 2), ([3, 4], {})) == ((1, [3, 4]), (2, {}))


def test_is_leaf_stops_the_descent() -> None:
    flat, _ = tree_flatten([(1, 2), 3], is_leaf=lambda x: isinstance(x, tuple))
    assert flat == [(1, 2), 3]


def test_structures_that_differ_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"\(\*, \*\) and \(\*, \*, \*\)|only the second has tree\[2\]"
    ):
        tree_map(lambda x, y: x, (1, 2), (1, 2, 3))
    with pytest.raises(
        ValueError,
        match=r"only the first has tree\['a'\], only the second has tree\['b'\] \(.*number 2\), "
        r"at test_pytree.py:\d+",
    ):
        tree_map(lambda *x: x, {"a": 1}, {"a": 2}, {"b": 1})
    with pytest.raises(ValueError, match=r"\[\*, \*\] and \(\*, \*\)"):
        tree_map(lambda *x: x, [1, 2], (1, 2))
    many = {str(k): k for k in range(100)}
    with pytest.raises(ValueError, match=r"has tree\['0'\], tree\['1'\], tree\['10'\] \.\.\. \("):
        tree_map(lambda *x: x, many, {})
    with pytest.raises(ValueError):
        tree_unflatten(tree_structure((1, 2)), [1])


def test_leaves_whose_shapes_do_not_fit_are_named() -> None:
    weights = {"w": np.ones((2, 3)), "b": np.ones(3)}
    with pytest.raises(ValueError, match="broadcast") as info:
        tree_map(np.add, weights, {"w": np.ones((4, 5)), "b": np.ones(3)})
    assert info.value.__notes__ == ["The shapes differ at tree['w']: (2, 3), (4, 5)."]


def test_what_a_function_raises_for_leaves_of_one_shape_is_its_own() -> None:
    def refuse(x: object, y: object) -> None:
        raise ValueError("not this")

    with pytest.raises(ValueError, match="not this") as info:
        tree_map(refuse, [np.ones(2)], [np.ones(2)])
    assert not hasattr(info.value, "__notes__")


def test_errors_of_the_function_stay_as_they_are() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        tree_map(lambda x, y: int(x), ("a", 2), (1, [2]))


def test_only_dataclasses_are_registered_as_such() -> None:
    with pytest.raises(TypeError, match="not a dataclass"):
        register_dataclass(type("Plain", (), {}))


def test_given_fields_override_the_defaults() -> None:
    @dataclasses.dataclass
    class Model:
        name: str
        weight: Any

    register_dataclass(Model, ["weight"], ["name"])
    flat, treedef = tree_flatten(Model("m", 1.0))
    assert flat == [1.0]
    assert tree_unflatten(treedef, [2.0]) == Model("m", 2.0)
