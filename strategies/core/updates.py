"""The n updates of one round as one matrix, packed signs or float32, with worker ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from signfed.strategies.core.codecs import Codec, Float32Codec, SignCodec
from signfed.strategies.core.ledger import Ledger, Then
from signfed.strategies.ops.packed import PackedSigns


@dataclass(frozen=True, eq=False)
class Updates:
    """The updates that a rule aggregates: one row per worker whose update is valid.

    Build it with `from_rows`, `from_wire` or `from_matrix`.

    Parameters
    ----------
    ids : Tensor of int64, shape [n]
        Worker ids, ascending, so that a rule never sees the order of arrival.
    server_round : int
        Number of the round, from 1.
    n_coordinates : int
        N.
    rows : Tensor
        uint8 [n, ceil(N/8)] on the sign channel, float32 [n, N] on any other.
    on_sign_channel : bool
        Whether the rows are packed signs.
    magnitude : float
        What a bit stands for on the sign channel: +magnitude or -magnitude.
    reference : Tensor of float32, shape [N], optional
        The server's own gradient on its own samples, at the model of the round. Only a rule that
        says `needs_reference` gets it.
    edges : tuple of int
        Where the model's parameter tensors begin and end among the coordinates, from 0 to N; empty
        where that is not known.
    ledger : Ledger, optional
        What the round still owes the CPU, where it stays on a device.

    Examples
    --------
    >>> updates = Updates.from_matrix(torch.tensor([[1.0, -2.0], [3.0, 4.0]]), torch.tensor([9, 4]))
    >>> updates.ids.tolist(), updates.dense().tolist()
    ([4, 9], [[3.0, 4.0], [1.0, -2.0]])
    >>> updates.signs().dense().tolist()
    [[1.0, 1.0], [1.0, -1.0]]
    """

    ids: Tensor
    server_round: int
    n_coordinates: int
    rows: Tensor
    on_sign_channel: bool
    magnitude: float = 1.0
    reference: Tensor | None = None
    edges: tuple[int, ...] = ()
    ledger: Ledger | None = None

    @classmethod
    def from_rows(
        cls, rows: Mapping[int, np.ndarray], codec: Codec, n_coordinates: int, server_round: int
    ) -> Updates:
        """Make updates of encoded rows in any order.

        Parameters
        ----------
        rows : mapping of int to ndarray
            Worker -> its row; at least one.
        codec : Codec
            How the rows are encoded.
        n_coordinates : int
            N.
        server_round : int
            Number of the round, from 1.
        """
        ids = sorted(rows)
        stacked = np.stack([rows[i] for i in ids])
        return cls.from_wire(stacked, ids, codec, n_coordinates, server_round)

    @classmethod
    def from_wire(
        cls,
        rows: np.ndarray,
        ids: Sequence[int],
        codec: Codec,
        n_coordinates: int,
        server_round: int,
    ) -> Updates:
        """Make updates of encoded rows of workers with ascending ids, without a copy.

        Parameters
        ----------
        rows : ndarray [n, L], n >= 1
            In the codec's type and length.
        ids : sequence of int
            Worker of each row.
        codec, n_coordinates, server_round
            As in `from_rows`.
        """
        if not isinstance(codec, SignCodec | Float32Codec):
            rows = np.stack([codec.decode(row, n_coordinates) for row in rows])
        elif rows.dtype.kind == "f":
            rows = rows.astype(np.float32, copy=False)  # the machine's own byte order
        signs = isinstance(codec, SignCodec)
        values = torch.from_numpy(rows)
        magnitude = codec.magnitude if isinstance(codec, SignCodec) else 1.0
        return cls(torch.tensor(ids), server_round, n_coordinates, values, signs, magnitude)

    @classmethod
    def from_matrix(
        cls,
        matrix: Tensor,
        ids: Tensor | None = None,
        *,
        server_round: int = 1,
        signs: bool = False,
    ) -> Updates:
        """Make updates of the rows of a matrix.

        Parameters
        ----------
        matrix : Tensor of float, shape [n, N]
            Not copied if it is float32 and the ids ascend.
        ids : Tensor of int64, shape [n], optional
            Worker ids in any order; 0..n-1 by default.
        server_round : int
            Number of the round, from 1.
        signs : bool
            Whether to keep the signs alone, packed.
        """
        ids = torch.arange(len(matrix)) if ids is None else torch.as_tensor(ids)
        rows = matrix.to(torch.float32)
        if (ids.diff() <= 0).any():
            order = torch.argsort(ids)
            ids, rows = ids[order], rows[order.to(matrix.device)]
        kept = PackedSigns.pack(rows).bits if signs else rows
        return cls(ids, server_round, matrix.shape[1], kept, signs)

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.ids)

    def read(self, *tensors: Tensor) -> list[Tensor]:
        """Return tensors on the CPU, in one copy with all else that the round owes.

        A rule that decides by numbers reads them here, all at once, before it remembers anything:
        what is owed may turn out to be that a row is not finite, and the round is then aggregated
        again without it.

        Parameters
        ----------
        *tensors : Tensor
            Made of the rows.
        """
        if self.ledger is None and all(tensor.device.type == "cpu" for tensor in tensors):
            return list(tensors)
        return (self.ledger or Ledger()).read(*tensors)

    def owe(self, values: Tensor, then: Then) -> None:
        """Call a function with values on the CPU: at once, or when the round reads them anyway.

        Parameters
        ----------
        values : Tensor
            Made of the rows.
        then : callable
            For findings, which may come late; a rule's memory may not.
        """
        if self.ledger is None or values.device != self.rows.device:  # the CPU has them already
            then(values.cpu())
        else:
            self.ledger.owe(values, then)

    def needed_reference(self) -> Tensor:
        """Return `reference`, for a rule that cannot do without. Raises ValueError without one."""
        if self.reference is None:
            raise ValueError(
                "expected Updates with a reference, the server's own gradient; got none: a rule "
                "that reads it says needs_reference = True"
            )
        return self.reference

    @property
    def layers(self) -> tuple[int, ...]:
        """`edges`; one layer, (0, N), where they are not known."""
        return self.edges or (0, self.n_coordinates)

    def signs(self) -> PackedSigns:
        """Return the signs of all rows, on any channel; votes are methods of theirs."""
        if self.on_sign_channel:
            return PackedSigns(self.rows, self.n_coordinates)
        return PackedSigns.pack(self.rows)

    def packed(self) -> Tensor:
        """Return the packed rows as they were sent, uint8 [n, ceil(N/8)].

        Raises
        ------
        ValueError
            On a float channel, where packing would silently drop magnitudes. Use `signs` there.
        """
        if not self.on_sign_channel:
            raise ValueError(
                "packed() needs the sign channel, but the rows of this round are float32; use "
                "signs() for their signs or dense() for their values"
            )
        return self.rows

    def dense(self) -> Tensor:
        """Return float32 [n, N], +/-magnitude on the sign channel. Do not change it in place."""
        if not self.on_sign_channel:
            return self.rows
        signs = self.signs().dense()
        return signs if self.magnitude == 1 else signs.mul_(self.magnitude)
