"""GPT-2: a causal transformer over tokens, and sampling from one.

Radford et al. (2019), "Language models are unsupervised multitask learners".
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import fxla.numpy as fnp
from fxla import lax, nn, random
from fxla.control.jit import jit
from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.models.activations import tanh_gelu

__all__ = ["GPT2", "GPT2Config", "generate"]


@dataclass(frozen=True)
class GPT2Config:
    """Sizes of a GPT-2; the default is the smallest of the paper, of 124,439,808 parameters.

    Example:
        >>> GPT2Config.named("gpt2-medium").width
        1024
    """

    vocabulary: int = 50257
    context: int = 1024
    width: int = 768
    layers: int = 12
    heads: int = 12
    dropout: float = 0.1
    eps: float = 1e-5

    @staticmethod
    def named(name: str) -> GPT2Config:
        """The sizes of ``gpt2``, ``gpt2-medium``, ``gpt2-large`` or ``gpt2-xl``."""
        sizes = {
            "gpt2": (768, 12, 12),
            "gpt2-medium": (1024, 24, 16),
            "gpt2-large": (1280, 36, 20),
            "gpt2-xl": (1600, 48, 25),
        }
        if name not in sizes:
            raise ValueError(
                f"GPT2Config.named: {name!r} is none of {', '.join(sizes)}{where_am_i()}"
            )
        width, layers, heads = sizes[name]
        return GPT2Config(width=width, layers=layers, heads=heads)


class GPT2(nn.Module):
    """A language model. The last layer's weight is that of the token embedding.

    Args:
        config: the sizes.

    Attributes:
        wte: embedding of tokens.
        wpe: embedding of positions.
        h: the blocks.
        ln_f: the last normalisation.

    Example:
        >>> import fxla.numpy as np
        >>> model = GPT2(GPT2Config(vocabulary=11, context=8, width=12, layers=2, heads=2))
        >>> model(np.zeros((1, 5), int)).shape
        (1, 5, 11)
    """

    torch_names: ClassVar[dict[str, str]] = {
        "attn.c_proj": "self_attn.out_proj",
        "mlp.c_fc": "linear1",
        "mlp.c_proj": "linear2",
    }

    def __init__(self, config: GPT2Config) -> None:
        c = config
        self.config = config
        self.wte = nn.Embedding(c.vocabulary, c.width)
        self.wpe = nn.Embedding(c.context, c.width)
        self.h = [
            nn.TransformerEncoderLayer(
                c.width, c.heads, 4 * c.width, c.dropout, tanh_gelu, norm_first=True, eps=c.eps
            )
            for _ in range(c.layers)
        ]
        self.ln_f = nn.LayerNorm(c.width, eps=c.eps)
        self.dropout = nn.Dropout(c.dropout) if c.dropout else None
        self._initialise()

    def _initialise(self) -> None:
        """The paper's initial values: deviations of 0.02, and less before the shortcuts."""
        before_shortcut = 0.02 / (2 * self.config.layers) ** 0.5
        self.wte.weight = _normal(self.wte.weight, 0.02)
        self.wpe.weight = _normal(self.wpe.weight, 0.01)
        for block in self.h:
            for layer, deviation in (
                (block.self_attn.q_proj, 0.02),
                (block.self_attn.k_proj, 0.02),
                (block.self_attn.v_proj, 0.02),
                (block.self_attn.out_proj, before_shortcut),
                (block.linear1, 0.02),
                (block.linear2, before_shortcut),
            ):
                layer.weight = _normal(layer.weight, deviation)
                layer.bias = fnp.zeros_like(layer.bias)

    def __call__(self, tokens: Any) -> Any:
        """The logits of each next token.

        Args:
            tokens: integers [batch, length].

        Returns:
            [batch, length, vocabulary].
        """
        length = typeof(tokens).shape[1]
        if length > self.config.context:
            raise ShapeError(
                f"GPT2: {length} tokens were given to a model with a context of "
                f"{self.config.context}{where_am_i()}"
            )
        x = self.wte(tokens) + self.wpe(fnp.arange(length))
        if self.dropout is not None:
            x = self.dropout(x)
        for block in self.h:
            x = block(x, is_causal=True)
        return self._logits(x)

    def with_cache(self, tokens: Any, cache: Any) -> tuple[Any, Any]:
        """The logits after new tokens, given the keys and values of those before.

        Args:
            tokens: integers [batch, new].
            cache: as `new_cache` makes it.

        Returns:
            [batch, new, vocabulary], and the cache with the new tokens in it.
        """
        new = typeof(tokens).shape[1]
        x = self.wte(tokens) + self.wpe(cache[0].index + fnp.arange(new))
        caches = []
        for block, before in zip(self.h, cache, strict=True):
            x, after = block(x, cache=before)
            caches.append(after)
        return self._logits(x), caches

    def new_cache(self, batch: int, length: int) -> Any:
        """Room for the keys and values of so many positions, for each block."""
        return [block.self_attn.new_cache(batch, length) for block in self.h]

    def _logits(self, x: Any) -> Any:
        return self.ln_f(x) @ self.wte.weight.T


def _normal(like: Any, deviation: float) -> Any:
    aval = typeof(like)
    return deviation * random.normal(nn.next_key(), aval.shape, aval.dtype)


def generate(
    model: GPT2,
    prompt: Any,
    steps: int,
    *,
    key: Any = None,
    temperature: float = 1.0,
    top_k: int | None = None,
) -> Any:
    """Sample tokens one after the other; keys and values of earlier ones are kept.

    The whole loop is one compiled program, which serves every prompt of the same shape.

    Args:
        model: a `GPT2`, or another module with ``with_cache`` and ``new_cache``.
        prompt: integers [batch, length] or [length].
        steps: how many tokens to add; with the prompt they must fit into the context.
        key: for the draws; needed unless `temperature` is 0.
        temperature: 0 takes the likeliest token; above 1, draws are more even than the model says.
        top_k: draw from so many of the likeliest tokens only.

    Returns:
        Integers like `prompt`, with `steps` more.

    Raises:
        ValueError: if prompt and steps do not fit, or there is no key.

    Example:
        >>> import fxla.numpy as np
        >>> model = GPT2(GPT2Config(vocabulary=11, context=16, width=12, layers=1, heads=2))
        >>> generate(model, np.array([1, 2]), 3, temperature=0).shape
        (5,)
    """
    prompt = fnp.asarray(prompt)
    single = prompt.ndim == 1
    tokens = prompt[None] if single else prompt
    length = tokens.shape[1]
    context = model.config.context
    if length == 0 or steps < 0 or length + steps > context:
        raise ValueError(
            f"generate: a prompt of {length} tokens and {steps} steps do not fit a context of "
            f"{context}; a prompt has at least one token{where_am_i()}"
        )
    if key is None:
        if temperature != 0:
            raise ValueError(
                f"generate: drawing needs a key, such as key=fxla.random.key(0){where_am_i()}"
            )
        key = random.key(0)
    if steps == 0:
        return prompt
    out = _sampled(model, tokens, key, float(temperature or 1.0), steps, temperature == 0, top_k)
    out = fnp.concatenate([tokens, out.astype(tokens.dtype)], axis=1)
    return out[0] if single else out


@functools.partial(jit, static_argnums=(4, 5, 6))
def _sampled(
    model: Any, tokens: Any, key: Any, temperature: Any, steps: int, greedy: bool, top_k: Any
) -> Any:
    batch, length = typeof(tokens).shape
    logits, cache = model.with_cache(tokens, model.new_cache(batch, length + steps))

    def drawn(logits: Any, k: Any) -> Any:
        if greedy:
            return fnp.argmax(logits, axis=-1)
        logits = logits / temperature
        if top_k is not None:
            least = lax.top_k(logits, top_k)[0][:, -1:]
            logits = fnp.where(logits < least, -fnp.inf, logits)
        return random.categorical(random.fold_in(key, k), logits)

    def step(carry: Any, k: Any) -> Any:
        token, cache = carry
        logits, cache = model.with_cache(token[:, None], cache)
        return (drawn(logits[:, 0], k + 1), cache), token

    first = drawn(logits[:, -1], 0)
    (last, _), tokens = lax.scan(step, (first, cache), fnp.arange(steps - 1))
    return fnp.concatenate([tokens.T, last[:, None]], axis=1)
