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
    """

    rounds: float = 0
    disagreements: float = 0
    pooled_disagreements: float = 0
    counts: Tensor | None = field(default=None, repr=False)

    def crossover(self, n_coordinates: int) -> float:
        """Return p_m from all coordinates and counted rounds (eq. 14); 1/2 before the first."""
        return self.disagreements / (n_coordinates * self.rounds) if self.rounds else 0.5

    def count(self, disagreed: int, forget: float, *, pooled: bool) -> None:
        """Count one more round.

        Parameters
        ----------
        disagreed : int
            Coordinates with Y_m != U.
        forget : float
            In (0, 1]; what was counted before is multiplied by it.
        pooled : bool
            Whether this is one of the rounds 1..T_in.
        """
        early = disagreed if pooled else 0
        self.rounds = forget * self.rounds + 1
        self.disagreements = forget * self.disagreements + disagreed
        self.pooled_disagreements = forget * self.pooled_disagreements + early

    def counts_or_zeros(self, like: PackedSigns, *, whole: bool) -> Tensor:
        """Return `counts` on the device of the signs, zeros if there are none yet.

        Parameters
        ----------
        like : PackedSigns
            The signs.
        whole : bool
            Whether counts are whole numbers; with forgetting they are not.
        """
        if self.counts is None:
            dtype = torch.int16 if whole else torch.float32
            self.counts = torch.zeros(like.n_coordinates, dtype=dtype)
        self.counts = self.counts.to(like.bits.device)  # those of a checkpoint lie on the CPU
        return self.counts


def records_to_tensors(records: dict[int, Record]) -> dict[str, Tensor]:
    """Return the records as tensors with names, for a checkpoint.

    Parameters
    ----------
    records : dict of int to Record
        By worker id.

    Returns
    -------
    dict of str to Tensor
        `records`: float64 [k, 4], per worker its id, rounds, disagreements, pooled disagreements;
        `counts.ID` where a worker has them.
    """
    numbers = [
        [worker, r.rounds, r.disagreements, r.pooled_disagreements]
        for worker, r in sorted(records.items())
    ]
    state = {"records": torch.tensor(numbers, dtype=torch.float64).reshape(-1, 4)}
    for worker, record in records.items():
        if record.counts is not None:
            state[f"counts.{worker}"] = record.counts.clone()
    return state


def records_from_tensors(state: Mapping[str, Tensor]) -> dict[int, Record]:
    """Make records of what `records_to_tensors` returned."""
    records = {}
    for worker, rounds, disagreements, pooled in state["records"].tolist():
        counts = state.get(f"counts.{int(worker)}")
        kept = None if counts is None else counts.clone()
        records[int(worker)] = Record(rounds, disagreements, pooled, kept)
    return records


def accepted(crossover: dict[int, float]) -> list[int]:
    """Return the workers that are outvoted about as often as the median worker.

    A worker is rejected if p_m > 1/2, or if p_m is above the median by more than 0.05 and by more
    than 6 robust standard deviations (1.4826 times the median absolute deviation). This is a report
    and has no influence on the vote. It means nothing once half of the workers are Byzantine, or a
    bloc of them rules: the vote that all are measured against is then its own.

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
