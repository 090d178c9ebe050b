"""Many workers' gradients at once: what each way of computing them gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import numpy as np
from torch import Tensor

Way = Literal["auto", "shared", "vmap", "loop"]

# (rows, columns, block): float32 [rows, columns] of the matrix of gradients, a row for each worker
# that was asked. The block is the receiver's until it returns; what it keeps, it copies.
Consume = Callable[[slice, slice, Tensor], None]


class ManyGradients(Protocol):
    """The gradients of several workers in a round, as a matrix or block by block."""

    def __call__(
        self, parameters: np.ndarray | Tensor, workers: Sequence[int], server_round: int
    ) -> Tensor:
        """Compute the gradients of these workers in the round, or what their local steps change.

        Parameters
        ----------
        parameters : ndarray or Tensor
            float32 [N].
        workers : sequence of int
            Whose gradients; a row each, in this order.
        server_round : int
            From 1.

        Returns
        -------
        Tensor
            float32 [len(workers), N], on the data's device.
        """

    def hand_over(
        self,
        parameters: np.ndarray | Tensor,
        workers: Sequence[int],
        server_round: int,
        consume: Consume,
    ) -> None:
        """Compute the same and hand it over block by block, so that the matrix need never exist.

        Parameters
        ----------
        parameters, workers, server_round
            As for a call.
        consume : callable
            Gets every coordinate of every row exactly once: a parameter of some workers at a time
            where the way allows it, in any order.
        """

    def draw_ahead(self, workers: Sequence[int], server_round: int) -> None:
        """Draw now what a round will ask for, while a device computes the one before it.

        Parameters
        ----------
        workers, server_round
            Of that round.
        """
