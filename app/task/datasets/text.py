"""Texts as tokens: a small tokeniser, a vocabulary, and the arrays that a network reads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

TOKEN = re.compile(r"[^\W_]+|[.,!?()']")
PADDING, UNKNOWN = 0, 1  # of every vocabulary; what fills a text up, and a word that is not in it
MAX_TOKENS = 64  # read of each text
VOCABULARY = 10_000  # tokens, the most frequent ones, with the two above


def tokenised(text: str) -> list[str]:
    """Lower-case words and numbers, and . , ! ? ( ) ' each by itself; the rest is white space.

    >>> tokenised("It's 3.5% (up)!")
    ['it', "'", 's', '3', '.', '5', '(', 'up', ')', '!']
    """
    return TOKEN.findall(text.lower())


def most_frequent(texts: Iterable[Sequence[str]], size: int = VOCABULARY) -> list[str]:
    """The size - 2 most frequent tokens, of those that are equally frequent the first by name."""
    counts = Counter(token for text in texts for token in text)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [token for token, _ in ranked[: size - 2]]


def encoded(texts: Iterable[Sequence[str]], vocabulary: Sequence[str]) -> Tensor:
    """Token ids int32 [n, MAX_TOKENS]: 2 + the place in the vocabulary; cut or filled up."""
    ids = {token: 2 + place for place, token in enumerate(vocabulary)}
    rows = [[ids.get(token, UNKNOWN) for token in text[:MAX_TOKENS]] for text in texts]
    return padded(rows)


def padded(rows: Sequence[Sequence[int] | np.ndarray]) -> Tensor:
    """Token ids of each text -> int32 [n, MAX_TOKENS], cut or filled up with PADDING."""
    found = np.full((len(rows), MAX_TOKENS), PADDING, np.int32)
    for row, ids in zip(found, rows, strict=True):
        row[: min(len(ids), MAX_TOKENS)] = ids[:MAX_TOKENS]
    return torch.from_numpy(found)


def as_tokens(x: Tensor) -> Tensor:
    """What enters a network: int64, as an embedding reads it."""
    return x.long()
