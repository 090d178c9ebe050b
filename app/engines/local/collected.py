"""The updates of a round whose gradients were computed as one matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from signfed.clients import Adversary, Memory
from signfed.clients.at_once import rows_at_once
from signfed.strategies.core.codecs import Codec, SignCodec
from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.ops.values import is_finite

Collected = tuple[Updates | None, dict[int, DropReason]]  # worker -> why it has no row


def of_one_matrix(
    matrix: Tensor,
    crafted: Mapping[int, np.ndarray | None],
    asked: Sequence[int],
    codec: Codec,
    server_round: int,
) -> Collected:
    """Make the updates of honest gradients, which stay on their device, and of crafted rows.

    Parameters
    ----------
    matrix : Tensor, float32 [n, N]
        The gradients; changed in place.
    crafted : mapping
        Place of a Byzantine worker among those asked -> its row on the wire; None sends nothing.
    asked : sequence of int
        The workers of the round, ascending.
    codec : Codec
        How rows are encoded: signs, or float32.
    server_round : int
        Number of the round.

    Returns
    -------
    updates : Updates or None
        None when no row is valid.
    dropped : dict
        Worker -> why it has no row.
    """
    on_signs, n = isinstance(codec, SignCodec), matrix.shape[1]
    dropped: dict[int, DropReason] = {}
    if not is_finite(matrix):
        finite = torch.isfinite(matrix).all(dim=1).tolist()
        broken = [worker for worker, fine in zip(asked, finite, strict=True) if not fine]
        dropped = dict.fromkeys(broken, DropReason.NON_FINITE)
    rows = PackedSigns.pack(matrix).bits if on_signs else matrix
    for i, row in crafted.items():
        dropped.pop(asked[i], None)  # it sends something else than its gradient
        if row is None:
            dropped[asked[i]] = DropReason.NON_FINITE
        elif fault := codec.fault(row, n):
            dropped[asked[i]] = fault
        else:
            rows[i] = torch.from_numpy(row if on_signs else codec.decode(row, n))
    valid = [i for i, worker in enumerate(asked) if worker not in dropped]
    if not valid:
        return None, dropped
    ids = torch.tensor([asked[i] for i in valid])
    return Updates(ids, server_round, n, rows[valid] if dropped else rows, on_signs), dropped


def crafted_at_once(
    adversary: Adversary,
    matrix: Tensor,
    asked: Sequence[int],
    codec: Codec,
    parameters: np.ndarray,
    server_round: int,
    memory_of: Callable[[int], Memory],
) -> dict[int, np.ndarray | None]:
    """Craft what all workers that attack in a round send, in one call of an attack on a CPU.

    Parameters
    ----------
    adversary : Adversary
        Of the run; its attack of the round passes `can_be_at_once`.
    matrix : Tensor, float32 [n, N]
        The gradients.
    asked : sequence of int
        The workers of the round, ascending.
    codec : Codec
        How rows are encoded: signs, or float32.
    parameters : ndarray, float32 [N]
        The model of the round.
    server_round : int
        Number of the round.
    memory_of : callable
        Worker -> what it keeps.

    Returns
    -------
    dict
        `crafted` of `of_one_matrix`.
    """
    attack, active = adversary.planned(server_round)
    if not active:
        return {}
    place, rows = {worker: i for i, worker in enumerate(asked)}, matrix.numpy()

    def seen(worker: int) -> np.ndarray:
        row = rows[place[worker]]
        if not np.isfinite(row).all():  # it has nothing to send
            return np.full_like(row, np.nan)
        return codec.decode(codec.encode(row), len(row)) if attack.stage == "message" else row

    made = rows_at_once(adversary, seen, parameters, server_round, memory_of, finite=False)
    return {
        place[worker]: None if np.isnan(row).any() else codec.encode(row)
        for worker, row in zip(active, made, strict=True)
    }
