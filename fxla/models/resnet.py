"""Residual networks.

He, Zhang, Ren and Sun (2015), "Deep residual learning for image recognition" (arXiv:1512.03385);
a bottleneck strides in its 3 x 3 convolution, as torchvision's do ("v1.5"). Attributes have
torchvision's names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fxla.numpy as fnp
from fxla import nn

__all__ = ["BasicBlock", "Bottleneck", "ResNet", "resnet18", "resnet34", "resnet50"]

_STAGE_WIDTHS = (64, 128, 256, 512)


def _conv(features: int, out: int, size: int, stride: int = 1) -> Any:
    return nn.Conv(features, out, size, strides=stride, padding=size // 2, bias=False)


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut.

    Args:
        features: of the input.
        width: of the convolutions.
        stride: of the first one.
    """

    expansion = 1

    def __init__(self, features: int, width: int, stride: int) -> None:
        self.conv1 = _conv(features, width, 3, stride)
        self.bn1 = nn.BatchNorm(width)
        self.conv2 = _conv(width, width, 3)
        self.bn2 = nn.BatchNorm(width)
        self.downsample = _shortcut(features, width, stride)

    def __call__(self, x: Any) -> Any:
        y = nn.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return nn.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """A 3 x 3 convolution of few features between two 1 x 1 ones, beside a shortcut.

    Args:
        features: of the input.
        width: of the 3 x 3 convolution; the result has four times as many features.
        stride: of the 3 x 3 convolution.
    """

    expansion = 4

    def __init__(self, features: int, width: int, stride: int) -> None:
        self.conv1 = _conv(features, width, 1)
        self.bn1 = nn.BatchNorm(width)
        self.conv2 = _conv(width, width, 3, stride)
        self.bn2 = nn.BatchNorm(width)
        self.conv3 = _conv(width, width * self.expansion, 1)
        self.bn3 = nn.BatchNorm(width * self.expansion)
        self.downsample = _shortcut(features, width * self.expansion, stride)

    def __call__(self, x: Any) -> Any:
        y = nn.relu(self.bn1(self.conv1(x)))
        y = nn.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return nn.relu(y + (x if self.downsample is None else self.downsample(x)))


def _shortcut(features: int, out: int, stride: int) -> Any:
    if stride == 1 and features == out:
        return None
    return nn.Sequential(_conv(features, out, 1, stride), nn.BatchNorm(out))


class ResNet(nn.Module):
    """A residual network for images of any size from 32 x 32 on.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        depths: blocks in each of the four stages.
        classes: how many there are.
        channels: of the images.

    Attributes:
        conv1, bn1: the stem.
        layer1, layer2, layer3, layer4: the stages, lists of blocks.
        fc: the last linear layer.

    Example:
        >>> import fxla
        >>> from fxla import nn
        >>> model = ResNet(BasicBlock, [1, 1, 1, 1], classes=10)
        >>> nn.parameter_count(model)
        4910922
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: Sequence[int],
        classes: int = 1000,
        channels: int = 3,
    ) -> None:
        self.conv1 = _conv(channels, 64, 7, 2)
        self.bn1 = nn.BatchNorm(64)
        self.pool = nn.MaxPool(3, 2, padding=1)
        features = 64
        stages = []
        for k, (width, depth) in enumerate(zip(_STAGE_WIDTHS, depths, strict=True)):
            stage = []
            for i in range(depth):
                stage.append(block(features, width, 2 if k > 0 and i == 0 else 1))
                features = width * block.expansion
            stages.append(stage)
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc = nn.Linear(features, classes)

    def __call__(self, x: Any) -> Any:
        """Args: images [batch, height, width, channels]. Returns: logits [batch, classes]."""
        x = self.pool(nn.relu(self.bn1(self.conv1(x))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            for block in stage:
                x = block(x)
        return self.fc(fnp.mean(x, axis=(1, 2)))


def resnet18(classes: int = 1000, channels: int = 3) -> ResNet:
    """ResNet-18: 11,689,512 parameters for 1000 classes.

    Args:
        classes: how many scores an image gets.
        channels: of the images, [batch, height, width, channels].

    Example:
        >>> from fxla import models
        >>> models.resnet18(classes=10).fc.weight.shape
        (512, 10)
    """
    return ResNet(BasicBlock, [2, 2, 2, 2], classes, channels)


def resnet34(classes: int = 1000, channels: int = 3) -> ResNet:
    """ResNet-34: 21,797,672 parameters for 1000 classes.

    Args:
        classes: how many scores an image gets.
        channels: of the images, [batch, height, width, channels].

    Example:
        >>> from fxla import models
        >>> models.resnet34(classes=10).fc.weight.shape
        (512, 10)
    """
    return ResNet(BasicBlock, [3, 4, 6, 3], classes, channels)


def resnet50(classes: int = 1000, channels: int = 3) -> ResNet:
    """ResNet-50: 25,557,032 parameters for 1000 classes.

    Args:
        classes: how many scores an image gets.
        channels: of the images, [batch, height, width, channels].

    Example:
        >>> from fxla import models
        >>> models.resnet50(classes=10).fc.weight.shape
        (2048, 10)
    """
    return ResNet(Bottleneck, [3, 4, 6, 3], classes, channels)
