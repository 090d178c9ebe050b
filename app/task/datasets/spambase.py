"""Spambase, the UCI repository's table of e-mails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from signfed.app.task.datasets.dataset import DataMissing, Dataset
from signfed.app.task.datasets.images import readable
from signfed.strategies.core.seeds import generator

SOURCE = "https://archive.ics.uci.edu/ml/machine-learning-databases/spambase/"
FILE = "spambase.data"
ROWS, FEATURES, SPAM = 4_601, 57, 1_813  # as the repository describes the table
TRAIN = 3_680  # four fifths; the other 921 are the test set


def load_spambase(data_dir: Path, download: bool) -> Dataset:
    """Load 4,601 e-mails as 57 numbers each; class 1 is spam, two fifths of them.

    A row of the file: 57 frequencies and lengths, then the class. Which rows are tested is drawn
    once and for all. Each feature is scaled to mean 0 and deviation 1 over the training rows.

    Parameters
    ----------
    data_dir : Path
        The file is `data_dir`/spambase/spambase.data.
    download : bool
        Has no effect: the repository states no checksum, so the file is put there by hand.

    Returns
    -------
    Dataset
        Float32 [n, 57].

    Raises
    ------
    DataMissing
        With what was expected where, and where it comes from.
    """
    file = data_dir / "spambase" / FILE
    if not file.is_file():
        raise DataMissing(
            f"data-dir: expected Spambase as {file.absolute()}, and it is not there; download "
            f"{FILE} from {SOURCE} and put it there"
        )
    with readable("Spambase", file):
        table = np.loadtxt(file, delimiter=",", dtype=np.float64)
        if table.shape != (ROWS, FEATURES + 1) or table[:, -1].sum() != SPAM:
            raise ValueError(
                f"{FILE}: expected {ROWS} rows of {FEATURES} features and a class, {SPAM} of them "
                f"spam; got a table {list(table.shape)}"
            )
    table = table[generator(0, "spambase").permutation(ROWS)]
    x, y = table[:, :-1], torch.from_numpy(table[:, -1].astype(np.int64))
    scaled = (x - x[:TRAIN].mean(axis=0)) / x[:TRAIN].std(axis=0)
    features = torch.from_numpy(scaled.astype(np.float32))
    return Dataset(features[:TRAIN], y[:TRAIN], features[TRAIN:], y[TRAIN:])
