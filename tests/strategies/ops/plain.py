"""What PackedSigns must give, in the plainest form: bit by bit, or by adding floats."""

import numpy as np


def pack(values):
    return np.packbits(values >= 0, axis=-1, bitorder="little")


def unpack(packed, n_coordinates):
    return np.unpackbits(packed, axis=-1, count=n_coordinates, bitorder="little")


def signs(packed, n_coordinates):
    dense = np.empty((*packed.shape[:-1], n_coordinates), np.float32)
    for i in range(n_coordinates):
        dense[..., i] = np.where(packed[..., i // 8] >> (i % 8) & 1, 1, -1)
    return dense


def vote(packed, n_coordinates):
    return pack(unpack(packed, n_coordinates).astype(int).sum(axis=0) * 2 - len(packed))


def weighted_vote(packed, weights, n_coordinates):
    """weights: float32 [N] per row."""
    score = np.zeros(n_coordinates, np.float32)
    for row, weight in zip(packed, weights, strict=True):
        score += np.where(unpack(row, n_coordinates), weight, -weight)
    return pack(score)


def vote_and_count(packed, counts, tables, n_coordinates):
    """The vote, and the counts after it."""
    weights = [table[count] for table, count in zip(tables, counts, strict=True)]
    voted = weighted_vote(packed, weights, n_coordinates)
    return voted, counted(packed, voted, counts, n_coordinates)


def counted(packed, other, counts, n_coordinates):
    differ = unpack(packed ^ other, n_coordinates)
    return [count + wrong for count, wrong in zip(counts, differ, strict=True)]


def disagreements(packed, other):
    return unpack(packed ^ other, 8 * len(other)).sum(axis=1, dtype=np.int64)
