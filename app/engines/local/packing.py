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
        self._n, self._like, self._begun = n, like, False

    def __call__(self, rows: slice, columns: slice, block: Tensor) -> None:
        """Pack a block.

        Parameters
        ----------
        rows, columns : slice
            Where it belongs.
        block : Tensor, float32 [rows, columns]
            It is not kept.
        """
        if block.shape == (self._n, self.n_coordinates):
            self.bits, self.finite = PackedSigns.pack(block).bits, all_finite(block)
        else:
            self._add(rows, columns, block)
        for i, row in self.floats.items():
            if rows.start <= i < rows.stop:
                row[columns] = block[i - rows.start]

    def _add(self, rows: slice, columns: slice, block: Tensor) -> None:
        if not self._begun:
            width = -(-self.n_coordinates // 8)
            self.bits = self._like.new_zeros((self._n, width), dtype=torch.uint8)
            self.finite = self._like.new_ones(self._n, dtype=torch.bool)
            self._begun = True
        # In place by name: `&=` on a slice would copy the slice onto itself besides.
        self.finite[rows].logical_and_(all_finite(block))
        # A block may begin within a byte: places in front of it stay as they are.
        if front := columns.start % 8:
            block = torch.nn.functional.pad(block, (front, 0), value=-1.0)
        packed = PackedSigns.pack(block).bits
        first = columns.start // 8
        self.bits[rows, first : first + packed.shape[1]].bitwise_or_(packed)
