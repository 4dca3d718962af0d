"""Sizes that remember how they were computed and what was decided by them."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from fxla.loops.size import Guards, Size, equal_key, evaluator, least, whole


def computed(rng: random.Random, numbers: list[Any], steps: int) -> Any:
    """A number from others by random arithmetic, and by decisions."""
    xs = list(numbers)
    for _ in range(steps):
        a, b = rng.choice(xs), rng.choice(xs)
        what = rng.randrange(11)
        if what == 0:
            xs.append(a + b)
        elif what == 1:
            xs.append(a - 2 * b)
        elif what == 2:
            xs.append(3 * a * b)
        elif what == 3 and b:
            xs.append(-(-a // b))
        elif what == 4 and b:
            xs.append(a * b // b + a % b)
        elif what == 5:
            xs.append(least(a, 40, b))
        elif what == 6:
            xs.append(a if a < b else b + 1)
        elif what == 7 and a > 0:
            xs.append(1 << (least(a, 1000).bit_length() - 1))
        elif what == 8 and b != 0:
            xs.append(math.floor(a * 2.5 / (b * b)))
        elif what == 9:
            xs.append(max(a, b, 7) - 12 // 5)
        else:
            xs.append(-a if a == b else a - 1)
    return sum(xs)


@pytest.mark.parametrize("seed", range(60))
def test_what_was_computed_holds_for_all_sizes_that_pass_the_guards(seed: int) -> None:
    guards = Guards()
    start = [60, 7, 300]
    sizes = [guards.size(k, n) for k, n in enumerate(start)]
    traced = computed(random.Random(seed), [*sizes, 5, 0], 12)
    assert whole(traced) == traced
    passes, value = guards.function(), evaluator(str(traced))
    assert passes(start)
    assert value(start) == computed(random.Random(seed), [*start, 5, 0], 12)
    others = random.Random(seed + 1000)
    served = 0
    for _ in range(200):
        given = [n + others.randrange(-5, 6) for n in start]
        if passes(given):
            served += 1
            assert value(given) == computed(random.Random(seed), [*given, 5, 0], 12)
    assert served


def test_comparisons_are_guards() -> None:
    guards = Guards()
    n = guards.size(0, 10)
    assert n > 8
    assert (n == 128) is False
    assert n != 12
    passes = guards.function()
    assert [passes([k]) for k in (8, 9, 12, 127, 128)] == [False, True, False, True, False]
    assert not guards.pinned


def test_what_asks_for_the_number_itself_pins_it() -> None:
    for ask in (int, float, range, lambda n: [0] * n, lambda n: "abc"[n:]):
        guards = Guards()
        ask(guards.size(0, 2))
        assert guards.pinned
        assert [guards.function()([k]) for k in (1, 2, 3)] == [False, True, False]


def test_products_and_exact_quotients_are_one_expression() -> None:
    guards = Guards()
    n, m = guards.size(0, 10), guards.size(1, 4)
    assert hash(n * 784 * 2) == hash(math.prod((2, n, 784)))
    assert str(n * m * 6 // (3 * m)) == "(2*s[0])"
    assert (n * 6) % 3 == 0
    assert (n * m) // n is not None
    assert whole(8.0) == 8
    assert isinstance(whole(n), Size)
    only = [text for text in guards.texts if "!=" not in text and "not" not in text]
    assert not only


def test_equal_keys_are_found_by_comparison() -> None:
    guards = Guards()
    n = guards.size(0, 128)
    table = {(n, ""): "n0", (64, "rows"): "n1"}
    assert equal_key(table, (128, "")) == (n, "")
    assert equal_key(table, (64, "")) == (64, "")
    assert guards.function()([128])
    assert not guards.function()([64])
    assert equal_key({(64, ""): "n0"}, (64, "rows")) == (64, "rows")
