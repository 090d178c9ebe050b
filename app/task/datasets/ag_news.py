"""AG-News from the public csv files."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import torch

from signfed.app.task.datasets.dataset import Dataset
from signfed.app.task.datasets.files import whole
from signfed.app.task.datasets.images import readable
from signfed.app.task.datasets.text import VOCABULARY, as_tokens, encoded, most_frequent, tokenised

SOURCE = "https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv/"
FILES = {
    "train.csv": "b1a00f826fdfbd249f79597b59e1dc12",
    "test.csv": "d52ea96a97a2d943681189a97654912d",
}
TOKENISER = 1  # counts up when tokenised() finds other tokens: older vocabularies do not fit then


def load_ag_news(data_dir: Path, download: bool) -> Dataset:
    """Load headlines and first lines of news in 4 classes.

    Each row of a file: class 1 to 4, title, description. The vocabulary is that of the training
    texts, kept beside them where the folder can be written to.

    Parameters
    ----------
    data_dir : Path
        The files are `data_dir`/ag_news/train.csv and test.csv.
    download : bool
        Whether a file that is not there may be downloaded.

    Returns
    -------
    Dataset
        Tokens int32 [n, 64].

    Raises
    ------
    DataMissing
        With what was expected where, and where it comes from.
    """
    folder = data_dir / "ag_news"
    whole("AG-News", folder, FILES, [SOURCE], download)
    with readable("AG-News", folder):
        (train, train_y), (test, test_y) = (_texts(folder / file) for file in FILES)
    vocabulary = _vocabulary(folder, train)
    x, test_x = encoded(train, vocabulary), encoded(test, vocabulary)
    return Dataset(x, train_y, test_x, test_y, as_tokens, vocabulary=2 + len(vocabulary))


def _texts(file: Path) -> tuple[list[list[str]], torch.Tensor]:
    with file.open(encoding="utf-8", newline="") as rows:
        found = [(int(row[0]) - 1, tokenised(" ".join(row[1:]))) for row in csv.reader(rows)]
    return [text for _, text in found], torch.tensor([label for label, _ in found])


def _vocabulary(folder: Path, train: Sequence[Sequence[str]]) -> list[str]:
    """From its file, which is named after what it was built from; built anew where none fits."""
    built_from = {"train": FILES["train.csv"], "tokeniser": TOKENISER, "size": VOCABULARY}
    file = folder / f"vocabulary-{FILES['train.csv'][:8]}-{TOKENISER}-{VOCABULARY}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["built_from"] == built_from and kept["count"] == len(kept["tokens"]):
            return kept["tokens"]
    tokens = most_frequent(train)
    content = {"built_from": built_from, "count": len(tokens), "tokens": tokens}
    with suppress(OSError):  # a folder that cannot be written to: built anew each time
        scratch = file.with_suffix(f".{uuid4().hex}")  # several nodes may start at once
        try:
            scratch.write_text(json.dumps(content), encoding="utf-8")
            scratch.replace(file)
        finally:
            scratch.unlink(missing_ok=True)
    return tokens
