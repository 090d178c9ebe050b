"""What signSGD-FD remembers of each worker: how often the vote went against it.

Symbols: Y_m the signs of worker m, U the decoded signs, p_m = P[Y_m != U] its cross-over
probability, c_m the number of rounds in which it was counted, N coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from signfed.strategies.ops.packed import PackedSigns

MIN_BLOCK = 256  # coordinates; the estimate of a smaller block would be noise
MARGIN = 0.05  # a smaller difference between two estimates is taken for noise
SPREADS = 6.0  # robust standard deviations above the median that reject a worker


@dataclass
class Record:
    """What the server remembers of one worker.

    Every number is a sum over the rounds in which the worker was there. With forgetting, a round
    that is k rounds old counts forget^k.

    Parameters
    ----------
    rounds : float
        c_m.
    disagreements : float
        Coordinates with Y_m != U, over all counted rounds.
    pooled_disagreements : float
        The same over the rounds 1..T_in.
    counts : Tensor, shape [N], optional
        The same per coordinate, for alg1 and eq17: int16 that holds the 16 bits of a whole count,
        or float32 with forgetting.
    blocks : Tensor of float64, shape [blocks], optional
        The same per block of coordinates; one block but for the estimator "blocks".
    """

    rounds: float = 0
    disagreements: float = 0
    pooled_disagreements: float = 0
    counts: Tensor | None = field(default=None, repr=False)
    blocks: Tensor | None = field(default=None, repr=False)

    def crossover(self, n_coordinates: int) -> float:
        """Estimate p_m from all coordinates and counted rounds (eq. 14); 1/2 before the first."""
        return self.disagreements / (n_coordinates * self.rounds) if self.rounds else 0.5

    def count(self, disagreed: Tensor, forget: float, *, pooled: bool) -> None:
        """Count one more round.

        Parameters
        ----------
        disagreed : Tensor of float64, shape [blocks]
            Coordinates with Y_m != U in each block.
        forget : float
            In (0, 1]; what was counted before is multiplied by it.
        pooled : bool
            Whether this is one of the rounds 1..T_in.
        """
        total = int(disagreed.sum())
        self.rounds = forget * self.rounds + 1
        self.disagreements = forget * self.disagreements + total
        self.pooled_disagreements = forget * self.pooled_disagreements + (total if pooled else 0)
        self.blocks = forget * self.blocks_or_zeros(len(disagreed)) + disagreed

    def blocks_or_zeros(self, n_blocks: int) -> Tensor:
        """Return `blocks`, zeros if there are none yet."""
        return torch.zeros(n_blocks, dtype=torch.float64) if self.blocks is None else self.blocks

    def counts_or_zeros(self, like: PackedSigns, *, whole: bool) -> Tensor:
        """Return `counts` on the device of the signs, zeros if there are none yet."""
        if self.counts is None:
            dtype = torch.int16 if whole else torch.float32
            self.counts = torch.zeros(like.n_coordinates, dtype=dtype)
        self.counts = self.counts.to(like.bits.device)  # those of a checkpoint lie on the CPU
        return self.counts


def records_to_tensors(records: dict[int, Record]) -> dict[str, Tensor]:
    """Return the records as tensors with names, for a checkpoint.

    `records`: float64 [k, 4], per worker its id, rounds, disagreements, pooled disagreements;
    `counts.ID` and `blocks.ID` where a worker has them.
    """
    numbers = [
        [worker, r.rounds, r.disagreements, r.pooled_disagreements]
        for worker, r in sorted(records.items())
    ]
    state = {"records": torch.tensor(numbers, dtype=torch.float64).reshape(-1, 4)}
    for worker, record in records.items():
        for name, tensor in (("counts", record.counts), ("blocks", record.blocks)):
            if tensor is not None:
                state[f"{name}.{worker}"] = tensor.clone()
    return state


def records_from_tensors(state: Mapping[str, Tensor]) -> dict[int, Record]:
    """Make records of what `records_to_tensors` returned."""
    records = {}
    for worker, rounds, disagreements, pooled in state["records"].tolist():
        tensors = [state.get(f"{name}.{int(worker)}") for name in ("counts", "blocks")]
        counts, blocks = (None if tensor is None else tensor.clone() for tensor in tensors)
        records[int(worker)] = Record(rounds, disagreements, pooled, counts, blocks)
    return records


def block_edges(n_coordinates: int, blocks: int) -> list[int]:
    """Cut the coordinates into contiguous blocks of nearly equal size.

    There are fewer blocks where they would be smaller than 256 coordinates, and at least one.

    Examples
    --------
    >>> block_edges(1026, 4), block_edges(100, 4)
    ([0, 256, 513, 769, 1026], [0, 100])
    """
    count = max(1, min(blocks, n_coordinates // MIN_BLOCK))
    return [k * n_coordinates // count for k in range(count + 1)]


def accepted(crossover: dict[int, float]) -> list[int]:
    """Return the workers that are outvoted about as often as the median worker.

    A worker is rejected if p_m > 1/2, or if p_m is above the median by more than 0.05 and by more
    than 6 robust standard deviations (1.4826 times the median absolute deviation). This is a report
    and has no influence on the vote. It means nothing once half of the workers are Byzantine.

    Parameters
    ----------
    crossover : dict of int to float
        Worker id -> p_m.

    Returns
    -------
    list of int
        Worker ids, in the order of `crossover`.

    Notes
    -----
    Ours: the papers weigh workers and name none.

    Examples
    --------
    >>> accepted({0: 0.2, 1: 0.21, 2: 0.79, 3: 0.19})
    [0, 1, 3]
    """
    p = torch.tensor(list(crossover.values()), dtype=torch.float64)
    middle = p.quantile(0.5)
    spread = 1.4826 * (p - middle).abs().quantile(0.5)
    limit = (middle + (SPREADS * spread).clamp(min=MARGIN)).clamp(max=0.5)
    return [worker for worker, value in crossover.items() if value <= limit]
