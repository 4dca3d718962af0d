"""Small convolutional networks for images of digits."""

from __future__ import annotations

from typing import Any

import fxla.numpy as fnp
from fxla import nn
from fxla.core.trace import typeof

__all__ = ["CNN", "LeNet"]


class LeNet(nn.Module):
    """LeNet-5 for images of 28 x 28 or 32 x 32.

    LeCun, Bottou, Bengio and Haffner (1998), "Gradient-based learning applied to document
    recognition", as it is written today: full connections between maps, softmax logits.

    Args:
        classes: how many there are.
        channels: of the images.
        padding: around the images: 2 for 28 x 28, 0 for 32 x 32.

    Example:
        >>> import fxla.numpy as np
        >>> LeNet()(np.ones((2, 28, 28, 1))).shape
        (2, 10)
    """

    def __init__(self, classes: int = 10, channels: int = 1, padding: int = 2) -> None:
        self.conv1 = nn.Conv(channels, 6, 5, padding=padding)
        self.conv2 = nn.Conv(6, 16, 5, padding=0)
        self.pool = nn.AvgPool(2, 2)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def __call__(self, x: Any) -> Any:
        """Args: images [batch, height, width, channels]. Returns: logits [batch, classes]."""
        x = self.pool(fnp.tanh(self.conv1(x)))
        x = self.pool(fnp.tanh(self.conv2(x)))
        x = fnp.tanh(self.fc1(x.reshape(typeof(x).shape[0], -1)))
        return self.fc3(fnp.tanh(self.fc2(x)))


class CNN(nn.Module):
    """Two convolutions with pooling, and two linear layers: Keras's first example.

    Args:
        image: height, width and channels.
        classes: how many there are.
        widths: features of the convolutions, and of the hidden linear layer.
        dropout: the share of hidden units that training leaves out.

    Example:
        >>> import fxla.numpy as np
        >>> CNN()(np.ones((2, 28, 28, 1))).shape
        (2, 10)
    """

    def __init__(
        self,
        image: tuple[int, int, int] = (28, 28, 1),
        classes: int = 10,
        widths: tuple[int, int, int] = (32, 64, 128),
        dropout: float = 0.0,
    ) -> None:
        height, width, channels = image
        self.conv1 = nn.Conv(channels, widths[0], 3, padding=1)
        self.conv2 = nn.Conv(widths[0], widths[1], 3, padding=1)
        self.pool = nn.MaxPool(2, 2)
        self.fc1 = nn.Linear((height // 4) * (width // 4) * widths[1], widths[2])
        self.fc2 = nn.Linear(widths[2], classes)
        self.dropout = nn.Dropout(dropout) if dropout else None

    def __call__(self, x: Any) -> Any:
        """Args: images [batch, height, width, channels]. Returns: logits [batch, classes]."""
        x = self.pool(nn.relu(self.conv1(x)))
        x = self.pool(nn.relu(self.conv2(x)))
        x = nn.relu(self.fc1(x.reshape(typeof(x).shape[0], -1)))
        if self.dropout is not None:
            x = self.dropout(x)
        return self.fc2(x)
