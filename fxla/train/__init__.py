"""Training."""

from fxla.train.classification import AUC, F1, Accuracy, ConfusionMatrix, Precision, Recall, TopK
from fxla.train.metric import Mean, Metric
from fxla.train.regression import (
    Perplexity,
    mean_absolute_error,
    mean_squared_error,
    root_mean_squared_error,
)
