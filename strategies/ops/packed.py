"""Packed signs: rows of +1 and -1 at one bit each, and every vote on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from signfed.strategies.ops import _counted, _majority, _popcount, _weighted, bits
from signfed.strategies.ops.devices import on_signs
from signfed.strategies.ops.upload import uploaded


@dataclass(frozen=True, eq=False)
class PackedSigns:
    """Signs Y_m of n rows, or of one vector, at one bit per coordinate.

    A row costs ceil(N/8) bytes in the layout of `SignCodec`: little-endian bits, 1 = +1, zero
    padding. A vote is one vector. On a CPU the operations are NumPy loops on the packed bytes, on
    an NVIDIA GPU kernels, on any other device tensor operations: the bits are the same.

    Parameters
    ----------
    bits : Tensor of uint8, shape [n, ceil(N/8)] or [ceil(N/8)]
    n_coordinates : int
        N.

    Examples
    --------
    >>> signs = PackedSigns.pack(torch.tensor([[1.0, -2.0, 0.0], [3.0, 4.0, -5.0]]))
    >>> signs.bits.tolist()
    [[5], [3]]
    >>> signs.vote().dense()
    tensor([1., 1., 1.])
    >>> signs.weighted_vote(torch.tensor([0.5, 2.0])).dense()
    tensor([ 1.,  1., -1.])
    >>> signs.disagreements(signs.vote())
    tensor([1, 1])
    """

    bits: Tensor
    n_coordinates: int

    @classmethod
    def pack(cls, values: Tensor) -> PackedSigns:
        """Make packed signs of float [n, N] or [N], on its device: 1 where the value is >= 0."""
        if values.device.type == "cpu":
            packed = torch.from_numpy(bits.pack(values.numpy() >= 0))
        else:
            packed = on_signs(values.device).pack(values)
        return cls(packed, values.shape[-1])

    def dense(self) -> Tensor:
        """Return the signs as float32 +1/-1, [n, N] or [N]."""
        if self._on_cpu:
            return torch.from_numpy(bits.signs(self.bits.numpy(), self.n_coordinates))
        return self._device.signs(self.bits, self.n_coordinates)

    def vote(self) -> PackedSigns:
        """Return the majority of the rows, sign(sum_m Y_m) with sign(0) = +1."""
        return self.at_least((len(self.bits) + 1) // 2)

    def at_least(self, votes: int) -> PackedSigns:
        """Return +1 where at least `votes` rows say +1, 1 <= votes <= n."""
        [found] = self.at_least_each(votes)
        return found

    def at_least_each(self, *votes: int) -> tuple[PackedSigns, ...]:
        """Return `at_least` of several numbers; the rows are counted once."""
        if self._on_cpu:
            counted = _majority.at_least(self.bits.numpy(), votes)
            return tuple(self._vector(torch.from_numpy(found)) for found in counted)
        return tuple(map(self._vector, self._device.at_least(self.bits, votes)))

    def weighted_vote(self, weights: Tensor) -> PackedSigns:
        """Return sign(sum_m w_m Y_m) with sign(0) = +1, summed in float32 in the order of the rows.

        Parameters
        ----------
        weights : Tensor, float32 [n]
            w_1 to w_n.
        """
        if self._on_cpu:
            rows, numbers = self.bits.numpy(), weights.numpy()
            voted = _weighted.weighted_vote(rows, numbers, self.n_coordinates)
            return self._vector(torch.from_numpy(voted))
        return self.weighted_vote_by_coordinate(uploaded(weights, self.bits.device))

    def weighted_vote_by_coordinate(self, weights: Iterable[Tensor]) -> PackedSigns:
        """Return the same with a weight per row and coordinate: float32 [N], one row at a time."""
        score = torch.zeros(self.n_coordinates, device=self.bits.device)
        for row, weight in zip(self.bits, weights, strict=True):
            score += self._vector(row).dense() * weight
        return PackedSigns.pack(score)

    def vote_and_count(self, counts: Sequence[Tensor], tables: Tensor) -> PackedSigns:
        """Return U = sign(sum_m w_m Y_m) with weights looked up by count; then count Y_m != U.

        w_mn = tables[m][counts[m][n]]; afterwards counts[m][n] is one more where Y_mn != U_n.

        Parameters
        ----------
        counts : per row a Tensor of int16, shape [N], CHANGED IN PLACE
            The 16 bits of a count from 0 to 65,535.
        tables : Tensor of float32, shape [n, T]
            T is larger than any count.
        """
        if self._on_cpu:
            found = _counted.vote_and_count(
                self.bits.numpy(), _unsigned(counts), list(tables.numpy()), self.n_coordinates
            )
            return self._vector(torch.from_numpy(found))
        decoded = self.weighted_vote_by_coordinate(
            table.index_select(0, count.to(torch.int32) & 0xFFFF)
            for table, count in zip(uploaded(tables, self.bits.device), counts, strict=True)
        )
        self.count_disagreements(decoded, counts)
        return decoded

    def count_disagreements(
        self, other: PackedSigns, counts: Sequence[Tensor], forget: float = 1.0
    ) -> None:
        """Make counts[m] = forget counts[m] + (Y_m != the vector), IN PLACE.

        Parameters
        ----------
        other : PackedSigns
            The vector.
        counts : sequence of Tensor
            Of each row, int16 [N] as in `vote_and_count`, or float32 [N] where forget < 1.
        forget : float
            In (0, 1].
        """
        if self._on_cpu and counts[0].dtype == torch.int16:
            _counted.count_disagreements(
                self.bits.numpy(), other.bits.numpy(), _unsigned(counts), self.n_coordinates
            )
        else:
            for row, count in zip(self.bits, counts, strict=True):
                if forget < 1:
                    count *= forget
                count += self._vector(row ^ other.bits).dense() > 0

    def disagreements(self, other: PackedSigns) -> Tensor:
        """Return how often each row differs from a vector, int64 [n]."""
        rows = torch.atleast_2d(self.bits)
        if self._on_cpu:
            counts = torch.from_numpy(_popcount.disagreements(rows.numpy(), other.bits.numpy()))
        else:
            counts = self._device.disagreements(rows, other.bits)
        return counts.reshape(self.bits.shape[:-1])

    def select(self, chosen: Tensor) -> PackedSigns:
        """Return these of the rows: bool [n]."""
        if not self._on_cpu and chosen.device.type == "cpu":  # a device would be asked how many
            places = uploaded(chosen.nonzero().flatten(), self.bits.device)
            return PackedSigns(self.bits.index_select(0, places), self.n_coordinates)
        return PackedSigns(self.bits[chosen.to(self.bits.device)], self.n_coordinates)

    def inverted(self) -> PackedSigns:
        """Return -Y."""
        turned = ~self.bits
        turned[..., -1] &= 0xFF >> -self.n_coordinates % 8  # the padding stays zero
        return PackedSigns(turned, self.n_coordinates)

    def among(self, where: PackedSigns) -> PackedSigns:
        """Return Y where a vector says +1, and -1 elsewhere."""
        return PackedSigns(self.bits & where.bits, self.n_coordinates)

    def but(self, where: PackedSigns) -> PackedSigns:
        """Return -1 where a vector says +1, and Y elsewhere."""
        return PackedSigns(self.bits & ~where.bits, self.n_coordinates)

    def differs(self, other: PackedSigns) -> PackedSigns:
        """Return +1 where Y is not a vector's sign, and -1 elsewhere."""
        return PackedSigns(self.bits ^ other.bits, self.n_coordinates)

    def ones(self) -> Tensor:
        """Return how many coordinates say +1, int64 [n]; a number for one vector."""
        return self.disagreements(self._vector(torch.zeros_like(torch.atleast_2d(self.bits)[0])))

    def pairwise_disagreements(self) -> Tensor:
        """Return in how many coordinates each two rows differ, int64 [n, n]."""
        if self._on_cpu:
            return torch.from_numpy(_popcount.pairwise(self.bits.numpy()))
        return self._device.pairwise(self.bits)

    def mean(self) -> Tensor:
        """Return the mean sign of the rows, float32 [N] in [-1, 1]; exact sums, one division."""
        total = torch.zeros(self.n_coordinates, device=self.bits.device)
        for row in self.bits:
            total += self._vector(row).dense()
        return total / len(self.bits)

    @property
    def _on_cpu(self) -> bool:
        return self.bits.device.type == "cpu"

    @property
    def _device(self) -> ModuleType:
        return on_signs(self.bits.device)

    def _vector(self, packed: Tensor) -> PackedSigns:
        return PackedSigns(packed, self.n_coordinates)


def _unsigned(counts: Sequence[Tensor]) -> list[np.ndarray]:
    """View the 16 bits of counts as what they are."""
    return [count.numpy().view(np.uint16) for count in counts]
