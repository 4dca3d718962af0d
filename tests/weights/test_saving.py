"""What is saved is what is loaded: trees of every kind, read by safetensors' own reader too."""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

import fxla
import fxla.numpy as fnp
from fxla import weights


class Pair(NamedTuple):
    first: Any
    second: Any


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass(frozen=True)
class Config:
    width: int
    activation: Any = np.tanh


@fxla.tree.register_dataclass
@dataclasses.dataclass
class Line:
    slope: Any
    config: Config = dataclasses.field(default=Config(3), metadata={"static": True})


class Registered:
    def __init__(self, a, b):
        raise AssertionError("loading calls no __init__")


def make_registered(a, b):
    made = object.__new__(Registered)
    made.a, made.b = a, b
    return made


fxla.tree.register_pytree_node(
    Registered,
    lambda r: ([r.a], (r.b, "data")),
    lambda data, children: make_registered(*children, data[0]),
)


def function_of_this_module(x):
    return x + 1


@pytest.fixture
def there_and_back(tmp_path):
    def go(tree, **options):
        fxla.save(tmp_path / "tree.safetensors", tree)
        return fxla.load(tmp_path / "tree.safetensors", **options)

    return go


DTYPES = [
    *"bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64".split(),
    *"complex64 complex128".split(),
    ml_dtypes.bfloat16,
    ml_dtypes.float8_e4m3fn,
    ml_dtypes.float8_e5m2,
    ml_dtypes.float8_e3m4,
    ml_dtypes.int4,
]


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: np.dtype(d).name)
@pytest.mark.parametrize("shape", [(), (0, 2), (2, 3)], ids=str)
def test_arrays_of_every_dtype(there_and_back, dtype, shape):
    x = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    got = there_and_back({"x": x})["x"]
    assert type(got) is fxla.Array and got.dtype == x.dtype and got.shape == shape
    assert got.tobytes() == x.tobytes()


def test_arrays_of_every_layout(there_and_back):
    x = np.arange(24.0).reshape(4, 6)
    trees = [
        x.T,
        x[::2, ::-1],
        np.asfortranarray(x),
        x.astype(">f8"),
        np.broadcast_to(x[0], (3, 6)),
    ]
    for got, expected in zip(there_and_back(trees), trees, strict=True):
        np.testing.assert_array_equal(got, expected)
        assert got.flags.c_contiguous and got.dtype.isnative


def test_values_that_are_no_arrays(there_and_back):
    tree = {
        "scalars": [True, 3, 2**80, -0.0, 1e-300, float("inf"), 2 - 3j, "text", b"\x00\xff", None],
        "constants": (slice(1, None, 2), range(3), Ellipsis, np.dtype("float32"), np.float32),
        "functions": [np.tanh, fxla.nn.relu, functools.partial(fxla.nn.gelu, approximate=True)],
        "classes": [dict, Config(5), Colour.RED],
        5: collections.OrderedDict([("z", 1), ("a", 2)]),
        (1, "key"): collections.defaultdict(list, {"a": [1]}),
        "sets": [{1}, frozenset("b"), collections.deque([1, 2], 4)],
        "generic": np.float32(0.1),
    }
    with pytest.raises(TypeError, match=r"builtins\.dict"):
        there_and_back(tree)
    got = there_and_back(tree, allow=[dict, list])
    partial = tree["functions"].pop(), got["functions"].pop()
    assert got == tree and list(got) == list(tree)
    assert partial[0].func is partial[1].func and partial[0].keywords == partial[1].keywords
    assert [type(x) for x in got["scalars"]] == [type(x) for x in tree["scalars"]]
    assert str(got["scalars"][3]) == "-0.0" and type(got["generic"]) is np.float32
    assert got[1, "key"].default_factory is list and got["sets"][2].maxlen == 4
    assert np.isnan(there_and_back(float("nan")))


def test_objects(there_and_back):
    tree = Pair(Line(np.ones(2), Config(7)), [make_registered(np.zeros(3), 4), Pair((), {})])
    got = there_and_back(tree)
    assert type(got) is Pair and type(got.first) is Line and got.first.config == Config(7)
    np.testing.assert_array_equal(got.first.slope, [1, 1])
    assert type(got.second[0]) is Registered and got.second[0].b == 4 and got.second[1] == ((), {})
    assert fxla.tree.structure(got) == fxla.tree.structure(tree)


def test_what_is_shared_is_saved_once_and_stays_shared(there_and_back, tmp_path):
    w, line = np.ones(1000), Line(np.zeros(2))
    got = there_and_back({"a": w, "b": [w, line, line], "c": w.copy()})
    assert got["a"] is got["b"][0] and got["a"] is not got["c"] and got["b"][1] is got["b"][2]
    assert len(weights.open(tmp_path / "tree.safetensors")) == 3


def test_a_lone_array_and_names_that_collide(there_and_back, tmp_path):
    np.testing.assert_array_equal(there_and_back(np.arange(3)), [0, 1, 2])
    tree = {
        "a/b": np.ones(1),
        "a": {"b": np.zeros(1)},
        "__metadata__": np.full(1, 2.0),
        "": {"": 3.0},
    }
    got = there_and_back(tree)
    assert (
        got["a/b"] == 1 and got["a"]["b"] == 0 and got["__metadata__"] == 2 and got[""][""] == 3.0
    )


def test_others_read_it(tmp_path):
    fxla.save(tmp_path / "x.safetensors", {"w": fnp.ones((2, 3)), "n": [3]}, metadata={"who": "me"})
    got = safetensors.numpy.load_file(tmp_path / "x.safetensors")
    np.testing.assert_array_equal(got.pop("w"), np.ones((2, 3)))
    assert not got
    with safetensors.safe_open(tmp_path / "x.safetensors", "numpy") as file:
        assert file.metadata()["who"] == "me"
    assert weights.open(tmp_path / "x.safetensors").metadata == {"who": "me"}


def test_a_key_draws_the_same_after_a_round_trip(there_and_back):
    key = fxla.random.split(fxla.random.key(3))[1]
    np.testing.assert_array_equal(
        fxla.random.normal(there_and_back({"key": key})["key"], (4,)), fxla.random.normal(key, (4,))
    )


def local():
    def inner(x):
        return x

    return inner


class Opaque:
    pass


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda x: x, "'model/act': a lambda has no name to find it by"),
        (local(), "'model/act': local.<locals>.inner stands within a function"),
        (np.array(["a"]), "'model/act': an array of dtype <U1 cannot be saved"),
        (np.array([None]), "'model/act': an array of dtype object cannot be saved"),
        (Opaque(), "'model/act' is of type .*Opaque, which cannot be saved: make the class a data"),
    ],
    ids=["lambda", "local", "text", "objects", "opaque"],
)
def test_what_cannot_be_saved_is_named(there_and_back, value, message):
    with pytest.raises(TypeError, match=message):
        there_and_back({"model": {"act": value}})


def test_a_traced_value_is_refused(tmp_path):
    @fxla.jit
    def f(x):
        fxla.save(tmp_path / "x", {"x": x})
        return x

    with pytest.raises(TypeError, match="save outside of jit"):
        f(1.0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("metadata", [{"a": 1}, {1: "a"}])
def test_metadata_are_strings(tmp_path, metadata):
    with pytest.raises(TypeError, match="metadata must be strings"):
        fxla.save(tmp_path / "x", 1, metadata)
    with pytest.raises(ValueError, match=r"'fxla\.tree' is the key"):
        fxla.save(tmp_path / "x", 1, {"fxla.tree": "{}"})
