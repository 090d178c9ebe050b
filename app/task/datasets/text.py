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
    """Return lower-case words and numbers, and . , ! ? ( ) ' each by itself.

    >>> tokenised("It's 3.5% (up)!")
    ['it', "'", 's', '3', '.', '5', '(', 'up', ')', '!']

    Parameters
    ----------
    text : str
        Whatever else it holds is white space.
    """
    return TOKEN.findall(text.lower())


def most_frequent(texts: Iterable[Sequence[str]], size: int = VOCABULARY) -> list[str]:
    """Return the most frequent tokens; of those that are equally frequent the first by name.

    Parameters
    ----------
    texts : iterable of sequence of str
        As tokens.
    size : int
        Two more than are returned: the padding and the unknown token count too.
    """
    counts = Counter(token for text in texts for token in text)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [token for token, _ in ranked[: size - 2]]


def encoded(texts: Iterable[Sequence[str]], vocabulary: Sequence[str]) -> Tensor:
    """Return texts as token ids, int32 [n, MAX_TOKENS].

    Parameters
    ----------
    texts : iterable of sequence of str
        As tokens.
    vocabulary : sequence of str
        A token's id is 2 + its place in it.
    """
    ids = {token: 2 + place for place, token in enumerate(vocabulary)}
    rows = [[ids.get(token, UNKNOWN) for token in text[:MAX_TOKENS]] for text in texts]
    return padded(rows)


def padded(rows: Sequence[Sequence[int] | np.ndarray]) -> Tensor:
    """Return token ids as one matrix int32 [n, MAX_TOKENS], cut or filled up with PADDING.

    Parameters
    ----------
    rows : sequence of sequence of int
        Ids of each text.
    """
    found = np.full((len(rows), MAX_TOKENS), PADDING, np.int32)
    for row, ids in zip(found, rows, strict=True):
        row[: min(len(ids), MAX_TOKENS)] = ids[:MAX_TOKENS]
    return torch.from_numpy(found)


def as_tokens(x: Tensor) -> Tensor:
    """Return tokens as they enter a network: int64, as an embedding reads them."""
    return x.long()
