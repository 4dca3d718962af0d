from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from examples import characters

SHORT = "--quiet --steps 150 --context 32 --width 64 --layers 2 --batch 24".split()


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    return characters.main([*SHORT, "--start", "Shall I "])


def test_it_learns_which_character_follows(figures: dict[str, Any]) -> None:
    text = characters.Characters(characters.TEXT.read_text(encoding="utf-8"))
    share = np.bincount(text.numbers) / len(text.numbers)
    guessing = -(share * np.log(share)).sum()  # of who knows how frequent each character is
    assert figures["before"] == pytest.approx(np.log(len(text.alphabet)), abs=0.1)
    assert figures["loss"] < 2.45 < guessing - 0.5


@pytest.mark.long
def test_a_whole_training_reaches_the_stated_loss() -> None:
    assert characters.main(["--quiet"])["loss"] < characters.REACHED


def test_it_writes(figures: dict[str, Any]) -> None:
    assert figures["sample"].startswith("Shall I ") and len(figures["sample"]) == 32


def test_a_training_step_is_repeatable() -> None:
    few = "--quiet --steps 3 --context 8 --width 16 --layers 1 --batch 2 --start x".split()
    assert characters.main(few)["loss"] == characters.main(few)["loss"]


def test_a_character_that_the_text_lacks_is_named() -> None:
    with pytest.raises(ValueError, match="the text has no 'é'"):
        characters.Characters("abc").encode("abé")
