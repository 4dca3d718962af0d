"""Steps of paths have JAX's names."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass

import fxla
from fxla import tree_util
from fxla.tree_util import DictKey, FlattenedIndexKey, GetAttrKey, SequenceKey

Pair = namedtuple("Pair", ["left", "right"])


@fxla.tree.register_dataclass
@dataclass
class Point:
    x: float
    y: float


class Plain:
    def __init__(self, inside):
        self.inside = inside


class Keyed(Plain):
    pass


tree_util.register_pytree_node(Plain, lambda p: ((p.inside,), None), lambda _, c: Plain(*c))
tree_util.register_pytree_with_keys(
    Keyed, lambda k: (((GetAttrKey("inside"), k.inside),), None), lambda _, c: Keyed(*c)
)


def test_every_kind_of_node() -> None:
    tree = {"a": [1, (2,)], "p": Pair(3, Point(4.0, 5.0)), "q": Plain(6), "r": Keyed({"s": 7})}
    pairs, treedef = tree_util.tree_flatten_with_path(tree)
    assert [path for path, _ in pairs] == [
        (DictKey("a"), SequenceKey(0)),
        (DictKey("a"), SequenceKey(1), SequenceKey(0)),
        (DictKey("p"), GetAttrKey("left")),
        (DictKey("p"), GetAttrKey("right"), GetAttrKey("x")),
        (DictKey("p"), GetAttrKey("right"), GetAttrKey("y")),
        (DictKey("q"), FlattenedIndexKey(0)),
        (DictKey("r"), GetAttrKey("inside"), DictKey("s")),
    ]
    again = tree_util.tree_unflatten(treedef, [leaf for _, leaf in pairs])
    assert again["r"].inside == {"s": 7}
    assert tree_util.keystr(pairs[-1][0]) == "['r'].inside['s']"
    assert tree_util.keystr(pairs[-1][0], simple=True, separator="/") == "r/inside/s"


def test_modules_have_attributes() -> None:
    model = fxla.nn.Sequential(fxla.nn.Linear(2, 3)) if hasattr(fxla.nn, "Sequential") else None
    if model is not None:
        paths = [path for path, _ in tree_util.tree_leaves_with_path(model)]
        assert all(isinstance(step, GetAttrKey | SequenceKey) for path in paths for step in path)


def test_a_map_with_paths() -> None:
    got = tree_util.tree_map_with_path(lambda p, x, y: (len(p), x + y), {"a": [1]}, {"a": [10]})
    assert got == {"a": [(2, 11)]}
