"""How often each worker is outvoted, and what its vote is worth: the memory of signSGD-FD.

Symbols: p_m the cross-over probability P[Y_m != U] of worker m, c_m the number of rounds in which
it was counted (each weighted by forget^age), N coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

SPREADS, MARGIN = 6.0, 0.05  # what stands out: robust standard deviations, and at least so much
MIN_BLOCK = 256  # coordinates; smaller blocks would be noise


def log_likelihood_ratio(p: Tensor, eps: float = 1e-5, max_llr: float = 10.0) -> Tensor:
    """ln((1 - p + eps) / (p + eps)) clipped to [-max_llr, max_llr], for p in [0, 1].

    Negative for p > 1/2: a worker that lies more often than not is read inverted.
    Reference: Park & Lee 2024, eq. 16; eps and the clip as in the authors' code.
    """
    return torch.log((1 - p + eps) / (p + eps)).clamp(-max_llr, max_llr)


def trusted(crossover: dict[int, float]) -> list[int]:
    """Workers that are outvoted about as often as the median worker: those that seem honest.

    Not trusted: p_m above 1/2, or above the median by more than 6 robust standard deviations
    (1.4826 times the median absolute deviation) and by more than 0.05. A report; the vote does not
    use it. Means nothing once half of the workers lie.
    Source: ours; the papers weigh workers and name none.
    """
    p = torch.tensor(list(crossover.values()), dtype=torch.float64)
    middle = p.quantile(0.5)
    spread = 1.4826 * (p - middle).abs().quantile(0.5)
    limit = (middle + (SPREADS * spread).clamp(min=MARGIN)).clamp(max=0.5)
    return [worker for worker, value in crossover.items() if value <= limit]


def block_lengths(n_coordinates: int, blocks: int) -> Tensor:
    """Sizes of contiguous blocks of (nearly) equal size, int64 [at most `blocks`].

    Fewer blocks when they would be smaller than 256 coordinates; at least one.
    """
    count = max(1, min(blocks, n_coordinates // MIN_BLOCK))
    edges = torch.arange(count + 1) * n_coordinates // count
    return edges.diff()


def block_sums(values: Tensor, lengths: Tensor) -> Tensor:
    """Sum of each block of a 0/1 vector [N]: float64 [len(lengths)]."""
    return torch.stack([part.sum(dtype=torch.float64) for part in values.split(lengths.tolist())])


@dataclass
class Record:
    """What the server remembers of one worker.

    rounds: c_m. disagreements: over all counted rounds and coordinates; pooled_disagreements: over
        those of the pooled phase.
    counts: disagreements per coordinate, the 16-bit pattern of a count in an int16 [N], or
        float32 [N] when they are forgotten; None while not needed.
    blocks: disagreements per block, float64; None while not needed.
    """

    rounds: float = 0
    disagreements: float = 0
    pooled_disagreements: float = 0
    counts: Tensor | None = field(default=None, repr=False)
    blocks: Tensor | None = field(default=None, repr=False)

    def crossover(self, n_coordinates: int) -> float:
        """p_m pooled over all coordinates and counted rounds (eq. 14)."""
        return self.disagreements / (n_coordinates * self.rounds)

    def pooled_llr(self, n_coordinates: int, eps: float, max_llr: float) -> Tensor:
        """w_m, one float32 for all coordinates."""
        p = torch.tensor(self.crossover(n_coordinates), dtype=torch.float64)
        return log_likelihood_ratio(p, eps, max_llr).to(torch.float32)

    def block_llr(self, lengths: Tensor, eps: float, max_llr: float) -> Tensor:
        """w_{m,n} float32 [N], the same within a block.

        p is the worker's pooled estimate, except in a block where it is on the other side of 1/2,
        by more than 0.05: there the worker is another one, and p is the block's own.
        """
        p_block = self.blocks / (lengths.to(self.blocks) * self.rounds)
        p_pooled = torch.full_like(p_block, self.crossover(int(lengths.sum())))
        opposite = (p_block - 0.5) * (p_pooled - 0.5) < 0
        p = torch.where(opposite & ((p_block - 0.5).abs() > MARGIN), p_block, p_pooled)
        llr = log_likelihood_ratio(p, eps, max_llr).to(torch.float32)
        return llr.repeat_interleave(lengths.to(llr.device))

    def coordinate_llr(self, prior: float, eps: float, max_llr: float) -> Tensor:
        """w_{m,n} float32 [N], from p = (prior + counts) / c_m.

        prior: pseudo-disagreements per coordinate; 0 for alg1, T_in p_pool for eq17.
        A whole count takes at most c_m + 1 values, so the LLR is computed once per value and
        looked up.
        """
        if self.counts.dtype == torch.float32:
            p = ((self.counts + prior) / self.rounds).clamp(max=1.0)
            return log_likelihood_ratio(p, eps, max_llr)
        possible = torch.arange(int(self.rounds) + 1, dtype=torch.float64)
        p = ((possible + prior) / self.rounds).clamp(max=1.0)
        table = log_likelihood_ratio(p, eps, max_llr).to(torch.float32).to(self.counts.device)
        return table.index_select(0, self.counts.to(torch.int32) & 0xFFFF)

    def count(self, disagrees: Tensor, *, pooled: bool, forget: float) -> None:
        """One more round: bool [N]. The older ones are multiplied by `forget` first."""
        total = int(disagrees.sum())
        self.rounds = forget * self.rounds + 1
        self.disagreements = forget * self.disagreements + total
        self.pooled_disagreements = forget * self.pooled_disagreements + (total if pooled else 0)

    def count_coordinates(self, disagrees: Tensor, forget: float) -> None:
        """The same, per coordinate."""
        if self.counts is None:
            dtype = torch.int16 if forget == 1 else torch.float32
            self.counts = torch.zeros(len(disagrees), dtype=dtype, device=disagrees.device)
        if forget != 1:
            self.counts *= forget
        self.counts += disagrees

    def count_blocks(self, disagrees: Tensor, lengths: Tensor, forget: float) -> None:
        """The same, per block."""
        before = torch.zeros(1, dtype=torch.float64) if self.blocks is None else self.blocks
        sums = block_sums(disagrees, lengths)
        self.blocks = forget * before.to(sums) + sums
