"""Models from their papers, whose weights can be those that others trained.

Each is an `fxla.nn.Module`; `fxla.weights.load_torch_state` puts torchvision's or Hugging Face's
weights into it.
"""

from fxla.core.deferred import public_names as _public_names
from fxla.models.bert import Bert, BertConfig
from fxla.models.convolutional import CNN, LeNet
from fxla.models.gpt2 import GPT2, GPT2Config, generate
from fxla.models.mlp import MLP
from fxla.models.resnet import ResNet, resnet18, resnet34, resnet50
from fxla.models.sentences import SentenceEncoder
from fxla.models.vit import ViT, ViTConfig

__all__ = [
    "CNN",
    "GPT2",
    "MLP",
    "Bert",
    "BertConfig",
    "GPT2Config",
    "LeNet",
    "ResNet",
    "SentenceEncoder",
    "ViT",
    "ViTConfig",
    "generate",
    "resnet18",
    "resnet34",
    "resnet50",
]


def __dir__() -> list[str]:
    return _public_names(globals())
