"""The n updates of one round as one matrix, packed signs or float32, with worker ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from signfed.strategies.core.codecs import Codec, Float32Codec, SignCodec
from signfed.strategies.ops import kernels
from signfed.strategies.ops.kernels import compiled


def pack_signs(matrix: Tensor) -> Tensor:
    """Signs of float [..., N] as bits (1 = value >= 0): uint8 [..., ceil(N/8)], same device."""
    if matrix.device.type == "cpu":
        return torch.from_numpy(kernels.pack(matrix.numpy()))
    return compiled.pack(matrix)


def signs_of(packed: Tensor, n_coordinates: int) -> Tensor:
    """uint8 [..., ceil(N/8)] -> its first N bits as float32 +1/-1 [..., N], same device."""
    if packed.device.type == "cpu":
        return torch.from_numpy(kernels.signs(packed.numpy(), n_coordinates))
    return compiled.signs(packed, n_coordinates)


def is_signs(values: Tensor) -> bool:
    """Whether every value is +1 or -1."""
    if (array := _as_numpy(values)) is not None:
        return bool((np.abs(array) == 1).all())
    return bool((values.abs() == 1).all())


def is_finite(values: Tensor) -> bool:
    """Whether no value is infinite or NaN."""
    if (array := _as_numpy(values)) is not None:
        return bool(np.isfinite(array).all())
    return bool(torch.isfinite(values).all())


def _as_numpy(values: Tensor) -> np.ndarray | None:
    """Where NumPy can look at them, sooner than PyTorch where they are few: a round asks often."""
    usual = values.device.type == "cpu" and values.dtype == torch.float32
    return values.detach().numpy() if usual else None


@dataclass(frozen=True, eq=False)
class Updates:
    """What a rule aggregates: one row per worker whose update was received and is valid.

    ids: int64 [n], worker ids, ascending: a rule never sees the order of arrival.
    round: 1-based number of the round.
    n_coordinates: N.
    rows: uint8 [n, ceil(N/8)] on the sign channel, float32 [n, N] on any other.
    on_sign_channel: whether the rows are packed signs.

    Build it with `from_rows` or `from_matrix`; both sort.
    """

    ids: Tensor
    server_round: int
    n_coordinates: int
    rows: Tensor
    on_sign_channel: bool

    @classmethod
    def from_rows(
        cls, rows: Mapping[int, np.ndarray], codec: Codec, n_coordinates: int, server_round: int
    ) -> Updates:
        """Rows as they came over the wire, keyed by worker id; n >= 1."""
        ids = sorted(rows)
        return cls.from_wire(
            np.stack([rows[i] for i in ids]), ids, codec, n_coordinates, server_round
        )

    @classmethod
    def from_wire(
        cls,
        rows: np.ndarray,
        ids: Sequence[int],
        codec: Codec,
        n_coordinates: int,
        server_round: int,
    ) -> Updates:
        """Encoded rows [n, L], n >= 1, of these workers, ascending. Taken over, not copied."""
        if not isinstance(codec, SignCodec | Float32Codec):
            rows = np.stack([codec.decode(row, n_coordinates) for row in rows])
        elif rows.dtype.kind == "f":
            rows = rows.astype(np.float32, copy=False)  # the machine's own byte order
        signs = isinstance(codec, SignCodec)
        return cls(torch.tensor(ids), server_round, n_coordinates, torch.from_numpy(rows), signs)

    @classmethod
    def from_matrix(
        cls,
        matrix: Tensor,
        ids: Tensor | None = None,
        *,
        server_round: int = 1,
        signs: bool = False,
    ) -> Updates:
        """Rows of a float [n, N] matrix (ids 0..n-1 unless given); `signs` packs them.

        A float32 matrix whose ids ascend is taken over, not copied.
        """
        ids = torch.arange(len(matrix)) if ids is None else torch.as_tensor(ids)
        rows = matrix.to(torch.float32)
        if (ids.diff() <= 0).any():
            order = torch.argsort(ids)
            ids, rows = ids[order], rows[order.to(matrix.device)]
        packed = pack_signs(rows) if signs else rows
        return cls(ids, server_round, matrix.shape[1], packed, signs)

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.ids)

    def packed(self) -> Tensor:
        """uint8 [n, ceil(N/8)], the layout of SignCodec. Sign channel only.

        Raises ValueError on another channel, where packing would silently drop magnitudes.
        """
        if not self.on_sign_channel:
            raise ValueError("packed() needs the sign channel: this round's rows are float32")
        return self.rows

    def signs(self) -> Tensor:
        """Signs of all rows on any channel, packed: uint8 [n, ceil(N/8)]."""
        return self.rows if self.on_sign_channel else pack_signs(self.rows)

    def dense(self) -> Tensor:
        """float32 [n, N]; +1/-1 on the sign channel. Do not change it in place."""
        if self.on_sign_channel:
            return signs_of(self.rows, self.n_coordinates)
        return self.rows
