"""The vision transformer.

Dosovitskiy et al. (2020), "An image is worth 16x16 words" (arXiv:2010.11929). Attributes have
torchvision's names where there are such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fxla.numpy as fnp
from fxla import nn
from fxla.core.trace import typeof, where_am_i
from fxla.models.activations import exact_gelu

__all__ = ["ViT", "ViTConfig"]


@dataclass(frozen=True)
class ViTConfig:
    """Sizes of a vision transformer; the default is a small one for images of 32 x 32.

    Example:
        >>> ViTConfig.base().patch
        16
    """

    image: int = 32
    patch: int = 4
    channels: int = 3
    classes: int = 10
    width: int = 192
    layers: int = 6
    heads: int = 3
    hidden: int = 768
    eps: float = 1e-6
    dropout: float = 0.0

    @staticmethod
    def base(image: int = 224, patch: int = 16, classes: int = 1000) -> ViTConfig:
        """ViT-B: 86,567,656 parameters for patches of 16 x 16 in images of 224 x 224."""
        return ViTConfig(image, patch, 3, classes, 768, 12, 12, 3072)


class ViT(nn.Module):
    """A transformer over the patches of an image.

    Args:
        config: the sizes.

    Example:
        >>> import fxla.numpy as np
        >>> model = ViT(ViTConfig(image=8, width=12, layers=1, hidden=24))
        >>> model(np.ones((2, 8, 8, 3))).shape
        (2, 10)
    """

    def __init__(self, config: ViTConfig) -> None:
        c = config
        if c.image % c.patch:
            raise ValueError(
                f"ViT: patches of {c.patch} do not fill images of {c.image}{where_am_i()}"
            )
        self.config = config
        self.conv_proj = nn.Conv(c.channels, c.width, c.patch, strides=c.patch, padding=0)
        self.class_token = fnp.zeros((1, 1, c.width))
        positions = (c.image // c.patch) ** 2 + 1
        self.pos_embedding = nn.initializers.normal(0.02)(nn.next_key(), (1, positions, c.width))
        self.layers = [
            nn.TransformerEncoderLayer(
                c.width, c.heads, c.hidden, c.dropout, exact_gelu, norm_first=True, eps=c.eps
            )
            for _ in range(c.layers)
        ]
        self.ln = nn.LayerNorm(c.width, eps=c.eps)
        self.head = nn.Linear(c.width, c.classes)
        self.dropout = nn.Dropout(c.dropout) if c.dropout else None

    def __call__(self, x: Any) -> Any:
        """Args: images [batch, height, width, channels]. Returns: logits [batch, classes]."""
        patches = self.conv_proj(x)
        batch, width = typeof(patches).shape[0], self.config.width
        patches = patches.reshape(batch, -1, width)
        token = fnp.broadcast_to(self.class_token, (batch, 1, width)).astype(typeof(patches).dtype)
        h = fnp.concatenate([token, patches], axis=1) + self.pos_embedding
        if self.dropout is not None:
            h = self.dropout(h)
        for layer in self.layers:
            h = layer(h)
        return self.head(self.ln(h)[:, 0])
