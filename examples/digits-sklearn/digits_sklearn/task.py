"""The model as NumPy arrays, and the digits of one node. Nothing here is signfed's."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

CLASSES = np.arange(10)
HELD_OUT = 297  # images that the server keeps for itself


def initial_arrays() -> list[np.ndarray]:
    """Coefficients and intercepts, zero, as scikit-learn keeps them: float64."""
    return [np.zeros((10, 64)), np.zeros(10)]


def model_of(arrays: list[np.ndarray], epochs: int = 1) -> LogisticRegression:
    """A logistic regression that goes on from these arrays, for so many passes over the data."""
    model = LogisticRegression(solver="saga", max_iter=epochs, warm_start=True, random_state=0)
    model.classes_ = CLASSES
    model.coef_, model.intercept_ = (array.copy() for array in arrays)  # fit() writes into them
    return model


def arrays_of(model: LogisticRegression) -> list[np.ndarray]:
    return [model.coef_, model.intercept_]


def load_data(partition_id: int, num_partitions: int) -> tuple[np.ndarray, np.ndarray]:
    """What one node holds: float64 [n, 64] in [0, 1], int64 [n]."""
    images, labels = load_digits(return_X_y=True)
    mine = slice(HELD_OUT + partition_id, None, num_partitions)
    return images[mine] / 16, labels[mine]


def load_test_set() -> tuple[np.ndarray, np.ndarray]:
    """What the server evaluates on; no node has it."""
    images, labels = load_digits(return_X_y=True)
    return images[:HELD_OUT] / 16, labels[:HELD_OUT]


def train(model: LogisticRegression, images: np.ndarray, labels: np.ndarray) -> float:
    """Train in place; return the loss afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a few passes are meant to be few
        model.fit(images, labels)
    return loss_of(model, images, labels)


def loss_of(model: LogisticRegression, images: np.ndarray, labels: np.ndarray) -> float:
    return float(log_loss(labels, model.predict_proba(images), labels=CLASSES))
