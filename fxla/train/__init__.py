"""Training: `Trainer`, its metrics and its callbacks.

Everything in it is written in fxla: a step is one compiled function, metrics are sums that it adds
to, and what a run needs to continue is one file.
"""

from fxla.core.deferred import public_names as _public_names
from fxla.train.callback import Callback
from fxla.train.checkpoint import Checkpoint, EarlyStopping
from fxla.train.classification import AUC, F1, Accuracy, ConfusionMatrix, Precision, Recall, TopK
from fxla.train.history import History
from fxla.train.loggers import CSVLogger, LearningRateMonitor
from fxla.train.metric import Mean, Metric
from fxla.train.progress import Progress
from fxla.train.regression import (
    Perplexity,
    mean_absolute_error,
    mean_squared_error,
    root_mean_squared_error,
)
from fxla.train.tensorboard import TensorBoard
from fxla.train.trainer import Trainer

__all__ = [
    "AUC",
    "F1",
    "Accuracy",
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "ConfusionMatrix",
    "EarlyStopping",
    "History",
    "LearningRateMonitor",
    "Mean",
    "Metric",
    "Perplexity",
    "Precision",
    "Progress",
    "Recall",
    "TensorBoard",
    "TopK",
    "Trainer",
    "mean_absolute_error",
    "mean_squared_error",
    "root_mean_squared_error",
]


def __dir__() -> list[str]:
    return _public_names(globals())
