"""What the kernels are compared with: the same on floats in the plainest form, one reading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from signfed.strategies.ops.packed import PackedSigns

Work = Callable[[], Any]
ROUNDS = 100  # that sign-fd has counted


def read(array: np.ndarray) -> Work:
    """Reads the rows of an array once, in 64-bit words, and writes one row: the floor of a rule."""
    raw = array.reshape(len(array), -1).view(np.uint8)
    words = np.ascontiguousarray(raw[:, : raw.shape[1] // 8 * 8]).view(np.uint64)
    return lambda: np.bitwise_xor.reduce(words, axis=0)


def naive_signs(signs: PackedSigns) -> Tensor:
    packed, n_coordinates = signs.bits.numpy(), signs.n_coordinates
    ones = np.unpackbits(packed, axis=1, count=n_coordinates, bitorder="little")
    return torch.from_numpy(ones.astype(np.float32) * 2 - 1)


def naive_pack(rows: Tensor) -> Tensor:
    """One bit after the other."""
    ones = torch.nn.functional.pad(rows >= 0, (0, -rows.shape[1] % 8)).to(torch.uint8)
    return sum(ones[:, place::8] << place for place in range(8))


def naive_vote(signs: Tensor, weights: Tensor | float = 1.0) -> Tensor:
    return torch.where((signs * weights).sum(0) >= 0, 1.0, -1.0)


def naive_fd(signs: Tensor, counts: Tensor) -> Tensor:
    """Weights, vote and count, all in float32 [n, N]."""
    p = counts / ROUNDS
    weights = torch.log((1 - p + 1e-5) / (p + 1e-5)).clamp(-10, 10)
    decoded = naive_vote(signs, weights)
    counts += signs != decoded
    return decoded


def naive_distances(rows: Tensor) -> Tensor:
    return torch.stack([((rows - row) ** 2).sum(1) for row in rows])
