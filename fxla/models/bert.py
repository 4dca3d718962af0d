"""BERT's encoder.

Devlin et al. (2018), "BERT: pre-training of deep bidirectional transformers for language
understanding" (arXiv:1810.04805).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import fxla.numpy as fnp
from fxla import nn
from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.models.activations import ACTIVATIONS

__all__ = ["Bert", "BertConfig"]


@dataclass(frozen=True)
class BertConfig:
    """Sizes of an encoder; the default is BERT-base, uncased.

    Example:
        >>> BertConfig.from_dict({"hidden_size": 384, "num_hidden_layers": 6}).layers
        6
    """

    vocabulary: int = 30522
    context: int = 512
    types: int = 2
    width: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072
    activation: str = "gelu"
    dropout: float = 0.1
    eps: float = 1e-12
    pooled: bool = True

    @staticmethod
    def from_dict(config: Mapping[str, Any], pooled: bool = True) -> BertConfig:
        """The sizes in a ``config.json`` of Hugging Face.

        Args:
            config: what stands in the file.
            pooled: whether there is a linear layer for the first token.

        Raises:
            ValueError: if it says something that this encoder does not have.
        """
        kind = config.get("position_embedding_type", "absolute")
        activation = config.get("hidden_act", "gelu")
        if kind != "absolute" or activation not in ACTIVATIONS:
            raise ValueError(
                f"BertConfig: positions {kind!r} and activation {activation!r} are not 'absolute' "
                f"and one of {', '.join(ACTIVATIONS)}{where_am_i()}"
            )
        names = {
            "vocabulary": "vocab_size",
            "context": "max_position_embeddings",
            "types": "type_vocab_size",
            "width": "hidden_size",
            "layers": "num_hidden_layers",
            "heads": "num_attention_heads",
            "hidden": "intermediate_size",
            "activation": "hidden_act",
            "dropout": "hidden_dropout_prob",
            "eps": "layer_norm_eps",
        }
        given = {ours: config[theirs] for ours, theirs in names.items() if theirs in config}
        return BertConfig(**given, pooled=pooled)


class Bert(nn.Module):
    """A transformer that sees a whole sequence of tokens.

    Args:
        config: the sizes.

    Attributes:
        word_embeddings, position_embeddings, token_type_embeddings: what is added up.
        embeddings_norm: the normalisation of the sum.
        layer: the blocks.
        pooler: the linear layer of the first token, or None.

    Example:
        >>> import fxla.numpy as np
        >>> config = BertConfig(vocabulary=11, width=12, layers=1, heads=2, hidden=24)
        >>> Bert(config)(np.zeros((2, 5), int)).shape
        (2, 5, 12)
    """

    torch_names: ClassVar[dict[str, str]] = {
        "attention.output.LayerNorm": "norm1",
        "output.LayerNorm": "norm2",
        "attention.output.dense": "self_attn.out_proj",
        "attention.self": "self_attn",
        "intermediate.dense": "linear1",
        "output.dense": "linear2",
        "pooler.dense": "pooler",
        "embeddings.LayerNorm": "embeddings_norm",
    }

    def __init__(self, config: BertConfig) -> None:
        c = config
        self.config = config
        self.word_embeddings = nn.Embedding(c.vocabulary, c.width)
        self.position_embeddings = nn.Embedding(c.context, c.width)
        self.token_type_embeddings = nn.Embedding(c.types, c.width)
        self.embeddings_norm = nn.LayerNorm(c.width, eps=c.eps)
        self.layer = [
            nn.TransformerEncoderLayer(
                c.width, c.heads, c.hidden, c.dropout, ACTIVATIONS[c.activation], eps=c.eps
            )
            for _ in range(c.layers)
        ]
        self.pooler = nn.Linear(c.width, c.width) if c.pooled else None
        self.dropout = nn.Dropout(c.dropout) if c.dropout else None

    def __call__(self, tokens: Any, mask: Any = None, types: Any = None) -> Any:
        """The features of each token.

        Args:
            tokens: integers [batch, length].
            mask: booleans or integers [batch, length]: false where a sequence is padded.
            types: integers [batch, length]: of which part a token is; 0 if None.

        Returns:
            [batch, length, width].
        """
        length = typeof(tokens).shape[1]
        if length > self.config.context:
            raise ShapeError(
                f"Bert: {length} tokens were given to a model for "
                f"{self.config.context}{where_am_i()}"
            )
        kinds = fnp.zeros_like(tokens) if types is None else types
        x = self.word_embeddings(tokens) + self.token_type_embeddings(kinds)
        x = self.embeddings_norm(x + self.position_embeddings(fnp.arange(length)))
        if self.dropout is not None:
            x = self.dropout(x)
        seen = None if mask is None else fnp.asarray(mask).astype(bool)[:, None, None, :]
        for block in self.layer:
            x = block(x, seen)
        return x

    def pool(self, features: Any) -> Any:
        """What stands for a sequence as BERT was trained: a linear layer of the first token."""
        if self.pooler is None:
            raise ValueError(
                f"Bert: this encoder has no pooler; make it with pooled=True{where_am_i()}"
            )
        return fnp.tanh(self.pooler(features[:, 0]))
