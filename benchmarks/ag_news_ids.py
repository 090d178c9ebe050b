"""AG-News from token ids, where the csv is not at hand: a data set of one's own for any run.

    signfed run -c "task='benchmarks.ag_news_ids:load' model='text-rnn' data-dir='DIR' ..."

Reads DIR/ag_news/ag_news_token_ids.npz: train_ids, train_offsets (where each text starts),
train_labels 0 to 3, and the same for test. Not quite `task='ag-news'`: another tokeniser (the ids
are given), and the training texts are not in their original order. As there, the network reads 64
tokens of a text, and of the words the most frequent of the training texts.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from signfed.app.task import DataMissing, Dataset
from signfed.app.task.datasets.text import UNKNOWN, VOCABULARY, as_tokens, padded


def load(data_dir: Path, download: bool) -> Dataset:
    """The data set. Raises DataMissing."""
    file = data_dir / "ag_news" / "ag_news_token_ids.npz"
    if not file.exists():
        raise DataMissing(f"data-dir: expected {file}, AG-News as token ids; it is not published")
    with np.load(file) as arrays:
        train, test = (texts(arrays, part) for part in ("train", "test"))
        labels = [torch.from_numpy(arrays[f"{part}_labels"].astype(np.int64))
                  for part in ("train", "test")]  # fmt: skip
    counts = np.bincount(np.concatenate(train))
    frequent = np.argsort(-counts, kind="stable")[: VOCABULARY - 2]
    renamed = np.full(1 + max(len(counts), max(text.max(initial=0) for text in test)), UNKNOWN)
    renamed[frequent] = 2 + np.arange(len(frequent))
    x, test_x = (padded([renamed[text] for text in part]) for part in (train, test))
    return Dataset(x, labels[0], test_x, labels[1], as_tokens, vocabulary=2 + len(frequent))


def texts(arrays: dict[str, np.ndarray], part: str) -> list[np.ndarray]:
    """The ids of each text."""
    ids, offsets = arrays[f"{part}_ids"], arrays[f"{part}_offsets"]
    n = len(arrays[f"{part}_labels"])
    return np.split(ids, offsets[1:n])
