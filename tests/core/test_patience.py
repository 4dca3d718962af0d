"""What is costly to make is made once, when it was asked for often enough."""

from __future__ import annotations

import pytest

from fxla.core.patience import Patience, make_room, once_worth


def test_made_once_and_kept() -> None:
    made: list[int] = []
    table: dict[str, object] = {}

    def make() -> str:
        made.append(1)
        return "it"

    found = [once_worth(table, "key", make, requests=3) for _ in range(6)]
    assert found == [None, None, None, "it", "it", "it"]
    assert len(made) == 1


def test_what_is_none_stays_none() -> None:
    """A function that is known to have no program is not tried again."""
    table: dict[str, object] = {"key": None}
    assert once_worth(table, "key", lambda: "it", requests=0) is None


def test_without_patience_it_is_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Patience, "scale", 0)
    assert once_worth({}, "key", lambda: "it", requests=3) == "it"


def test_a_full_table_loses_its_older_half() -> None:
    table = {n: str(n) for n in range(10)}
    make_room(table, 11)
    assert len(table) == 10
    make_room(table, 10)
    assert list(table) == [5, 6, 7, 8, 9]
