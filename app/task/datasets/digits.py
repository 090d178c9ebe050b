"""The digits that come with scikit-learn."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from signfed.app.task.datasets.dataset import Dataset

DIGITS_TRAIN = 1437  # of 1,797; the other 360 are the test set


def load_digits() -> Dataset:
    """Load the 1,797 real 8x8 images of scikit-learn; a fixed stratified 80/20 split.

    Returns
    -------
    Dataset
        Float32 [n, 64], 0 to 1.
    """
    train_x, test_x, train_y, test_y = (part.clone() for part in _parts())
    return Dataset(train_x, train_y, test_x, test_y, to_input=lambda x: x)


@cache  # half a megabyte, read once by a search or a sweep of many short runs
def _parts() -> tuple[Tensor, ...]:
    from sklearn.datasets import load_digits as embedded
    from sklearn.model_selection import train_test_split

    images, labels = embedded(return_X_y=True)
    parts = train_test_split(
        images.astype("float32") / 16.0,
        labels.astype("int64"),
        train_size=DIGITS_TRAIN,
        stratify=labels,
        random_state=0,
    )
    return tuple(torch.from_numpy(part) for part in parts)
