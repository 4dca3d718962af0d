"""Trees under JAX's names: what registrations and structures give, and their use under `jit`."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import fxla
from fxla import tree_util as tu

TREE = {"a": (1, [2, 3]), "b": None, "c": 4}


def test_reductions_over_leaves() -> None:
    assert tu.tree_leaves(TREE) == [1, 2, 3, 4]
    assert tu.tree_reduce(operator.mul, TREE) == 24
    assert tu.tree_reduce(lambda total, x: [*total, x], TREE, []) == [1, 2, 3, 4]
    assert tu.tree_all({"a": 1, "b": [True]}) and not tu.tree_all([1, {"b": 0}])
    assert tu.tree_all([])


def test_leaves_and_nodes_are_told_apart() -> None:
    assert tu.all_leaves([1, 2.0, np.ones(3)])
    assert not tu.all_leaves([1, (2, 3)])
    assert tu.all_leaves([(2, 3)], is_leaf=lambda x: isinstance(x, tuple))


def test_structures_come_apart_and_together() -> None:
    whole = tu.tree_structure((TREE, 5))
    first, second = tu.treedef_children(whole)
    assert first == tu.tree_structure(TREE) and tu.treedef_is_leaf(second)
    assert not tu.treedef_is_leaf(first)
    assert tu.treedef_tuple([first, second]) == whole
    assert isinstance(whole, tu.PyTreeDef)


def test_transposition_turns_a_list_of_dicts_into_a_dict_of_lists() -> None:
    rows = [{"x": 1, "y": (2, 3)}, {"x": 4, "y": (5, 6)}]
    outer, inner = tu.tree_structure([0, 0]), tu.tree_structure(rows[0])
    assert tu.tree_transpose(outer, inner, rows) == {"x": [1, 4], "y": ([2, 5], [3, 6])}


def test_a_prefix_is_repeated_for_the_leaves_below_it() -> None:
    full = {"a": (1, [2, 3]), "b": 4}
    assert tu.tree_broadcast({"a": 7, "b": 8}, full) == {"a": (7, [7, 7]), "b": 8}
    with pytest.raises(ValueError):
        tu.tree_broadcast({"a": 7}, full)


def test_partials_differentiate_what_they_hold() -> None:
    f = tu.Partial(lambda a, x, *, b: a * x + b, 3.0, b=0.5)
    assert sorted(tu.tree_leaves(f)) == [0.5, 3.0]
    assert float(fxla.jit(lambda f, x: f(x))(f, 2.0)) == 6.5
    slope = fxla.grad(lambda f: f(2.0))(f)
    assert (float(slope.args[0]), float(slope.keywords["b"])) == (2.0, 1.0)


def test_a_registered_class_goes_through_transformations() -> None:
    @tu.register_pytree_node_class
    @dataclass
    class Interval:
        low: Any
        high: Any

        def tree_flatten(self) -> Any:
            return (self.low, self.high), "closed"

        @classmethod
        def tree_unflatten(cls, kind: str, ends: Any) -> Interval:
            assert kind == "closed"
            return cls(*ends)

    twice = fxla.jit(lambda i: Interval(2 * i.low, 2 * i.high))(Interval(1.0, np.arange(3.0)))
    assert float(twice.low) == 2.0
    np.testing.assert_array_equal(twice.high, [0, 2, 4])


def test_keys_of_a_registered_class_are_in_its_paths() -> None:
    @tu.register_pytree_with_keys_class
    class Pair:
        def __init__(self, a: Any, b: Any) -> None:
            self.a, self.b = a, b

        def tree_flatten_with_keys(self) -> Any:
            return ((tu.GetAttrKey("a"), self.a), (tu.GetAttrKey("b"), self.b)), None

        @classmethod
        def tree_unflatten(cls, _: None, children: Any) -> Pair:
            return cls(*children)

    paths = [tu.keystr(path) for path, _ in tu.tree_leaves_with_path({"p": Pair(1, [2])})]
    assert paths == ["['p'].a", "['p'].b[0]"]


def test_a_static_value_is_part_of_the_structure() -> None:
    @tu.register_static
    class Mode(str):
        __slots__ = ()

    traced: list[str] = []

    @fxla.jit
    def f(mode: Any, x: Any) -> Any:
        traced.append(str(mode))
        return x + 1 if mode == "up" else x - 1

    assert [float(f(Mode(m), 1.0)) for m in ("up", "down", "up")] == [2.0, 0.0, 2.0]
    assert traced == ["up", "down"]
    assert tu.tree_leaves([Mode("up"), 1.0]) == [1.0]
