"""Signs packed block by block, so that all workers' gradients never exist as floats at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.ops.values import all_finite


class Packing:
    """Takes blocks of a matrix of gradients in any order; makes their packed signs: a `Consume`.

    Parameters
    ----------
    n : int
        Rows of the matrix.
    like : Tensor [N]
        What says N, and where the blocks come from: the model.
    kept : sequence of int or None
        Rows that are also kept as floats; None for all, and then there is nothing to gain here.

    Attributes
    ----------
    bits : Tensor, uint8 [n, ceil(N/8)]
        1 where a value is >= 0.
    finite : Tensor, bool [n]
        Whether no value of the row is infinite or NaN.
    floats : dict of int to Tensor
        The rows that are kept, float32 [N].

    Examples
    --------
    >>> packing = Packing(1, torch.zeros(11), kept=())
    >>> packing(slice(0, 1), slice(6, 11), torch.tensor([[1.0, -1.0, 1.0, 1.0, -1.0]]))
    >>> packing(slice(0, 1), slice(0, 6), torch.ones(1, 6))
    >>> packing.bits.tolist(), packing.finite.tolist()
    ([[127, 3]], [True])
    """

    def __init__(self, n: int, like: Tensor, kept: Sequence[int] | None) -> None:
        self.whole, self.n_coordinates = kept is None, len(like)
        rows = () if kept is None else kept
        self.floats = {i: torch.empty_like(like, dtype=torch.float32) for i in rows}
        if self.whole:
            return
        self.bits = like.new_zeros((n, -(-len(like) // 8)), dtype=torch.uint8)
        self.finite = like.new_ones(n, dtype=torch.bool)

    def __call__(self, rows: slice, columns: slice, block: Tensor) -> None:
        """Pack a block.

        Parameters
        ----------
        rows, columns : slice
            Where it belongs.
        block : Tensor, float32 [rows, columns]
            It is not kept.
        """
        self.finite[rows] &= all_finite(block)
        # A block may begin within a byte: places in front of it stay as they are.
        front = columns.start % 8
        padded = torch.nn.functional.pad(block, (front, 0), value=-1.0)
        packed = PackedSigns.pack(padded).bits
        first = columns.start // 8
        self.bits[rows, first : first + packed.shape[1]] |= packed
        for i, row in self.floats.items():
            if rows.start <= i < rows.stop:
                row[columns] = block[i - rows.start]
