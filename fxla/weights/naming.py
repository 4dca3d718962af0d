"""How alike two names of an array are.

``encoder.layer.0.attention.self.query.weight`` and ``layers[0].attention.query.weight`` should be.
A name is a row of words and numbers. Words that libraries use for one thing count as equal, and
numbers are counted among their siblings, since a list of layers may or may not number the
activations between them.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable

__all__ = ["Words", "likeness", "role_of", "without_numbers", "words_of"]

Words = tuple[str, ...]

_SYNONYMS = [
    ["layers", "layer", "h", "blocks", "block", "stages", "stage"],
    ["norm", "layernorm", "ln", "bn", "batchnorm", "groupnorm", "rmsnorm"],
    ["query", "q"],
    ["key", "k"],
    ["value", "v"],
    ["dense", "linear", "fc", "lin"],
    ["embeddings", "embedding", "emb", "embed", "embedder"],
    ["out", "output", "o"],
    ["attention", "attn", "attentions", "mha"],
    ["mlp", "ffn", "ff", "feedforward"],
    ["conv", "convolution", "conv1d", "conv2d"],
    ["classifier", "head", "heads"],
    ["position", "pos", "positions", "positional", "wpe"],
    ["word", "token", "tokens", "tok", "wte", "words"],
    ["type", "segment"],
    ["downsample", "shortcut", "skip"],
    ["weight", "kernel", "gamma", "scale", "w"],
    ["bias", "beta", "b"],
    ["class", "cls"],
    ["intermediate", "up", "expand"],
]
_SAME = {word: group[0] for group in _SYNONYMS for word in group}
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_FILLERS = frozenset({"module", "self", "running", "moving", "model", "proj", "projection"})
_ROLES = ("weight", "bias", "mean", "var")
_NUMBER = 2.0
_WORD = 1.0
_UNUSED = 0.25
"""What a word costs that only one of two names has."""


def words_of(names: Iterable[str]) -> dict[str, Words]:
    """The words of names, with numbers counted among their siblings.

    Example:
        >>> words_of(["net.0.weight", "net.3.weight", "LayerNorm.gamma"])["net.3.weight"]
        ('net', '#1', 'weight')
    """
    split = {name: _split(name) for name in names}
    siblings: dict[Words, set[int]] = {}
    for words in split.values():
        for k, word in enumerate(words):
            if word.isdigit():
                siblings.setdefault(words[:k], set()).add(int(word))
    ranks = {
        prefix: {number: f"#{rank}" for rank, number in enumerate(sorted(numbers))}
        for prefix, numbers in siblings.items()
    }
    return {
        name: tuple(
            ranks[words[:k]][int(word)] if word.isdigit() else word for k, word in enumerate(words)
        )
        for name, words in split.items()
    }


def without_numbers(words: Words) -> Words:
    """The words that are no numbers.

    Example:
        >>> without_numbers(("layers", "#0", "norm", "#1"))
        ('layers', 'norm')
    """
    return tuple(word for word in words if word[0] != "#")


def role_of(name: str) -> tuple[str, str]:
    """The layer that an array belongs to, and what it is there.

    An array of another name than these is a layer of its own.

    Example:
        >>> role_of("encoder.ln.gamma"), role_of("norm.running_mean"), role_of("cls_token")
        (('encoder.ln', 'weight'), ('norm', 'mean'), ('cls_token', ''))
    """
    layer, _, last = name.rpartition(".")
    words = _split(last)
    if len(words) == 1 and words[0] in _ROLES:
        return layer, words[0]
    return name, ""


def _split(name: str) -> Words:
    parts = [part.lower() for part in _PARTS.findall(name)]
    return tuple(_SAME.get(part, part) for part in parts if part not in _FILLERS)


@functools.lru_cache(maxsize=100_000)
def likeness(a: Words, b: Words) -> float:
    """How alike two names are; 1 if they consist of the same words.

    Words count that come in the same order in both; numbers count twice.

    Example:
        >>> likeness(("layer", "#0", "query"), ("encoder", "layer", "#0", "query")) > 0.9
        True
        >>> likeness(("layer", "#0", "query"), ("layer", "#1", "query")) < 0.5
        True
    """
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    blocks = matcher.get_matching_blocks()
    common = [word for block in blocks for word in a[block.a : block.a + block.size]]
    total = sum(map(_weight, common))
    unused = sum(map(_weight, a)) + sum(map(_weight, b)) - 2 * total
    numbers = min(sum(w[0] == "#" for w in a), sum(w[0] == "#" for w in b))
    missed = numbers - sum(w[0] == "#" for w in common)
    if total == 0:
        return 0.0
    return max(0.0, (total - _UNUSED * unused - _NUMBER * missed) / max(total, 1.0))


def _weight(word: str) -> float:
    return _NUMBER if word[0] == "#" else _WORD
