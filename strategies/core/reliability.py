"""How often each worker is outvoted, and what its vote is worth: the memory of signSGD-FD.

Symbols: p_m the cross-over probability P[Y_m != U] of worker m, c_m the number of rounds in which
it was counted (each weighted by forget^age), N coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def accepted(crossover: dict[int, float]) -> list[int]:
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


def block_edges(n_coordinates: int, blocks: int) -> list[int]:
    """Where contiguous blocks of (nearly) equal size begin and end: [0, ..., N].

    Fewer blocks when they would be smaller than 256 coordinates; at least one.
    """
    count = max(1, min(blocks, n_coordinates // MIN_BLOCK))
    return [k * n_coordinates // count for k in range(count + 1)]


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
        """w_m, one float32 for all coordinates: a scalar tensor."""
        p = torch.tensor(self.crossover(n_coordinates), dtype=torch.float64)
        return log_likelihood_ratio(p, eps, max_llr).to(torch.float32)

    def coordinate_table(self, prior: float, eps: float, max_llr: float) -> Tensor:
        """w_mn for every whole count that can be: float32 [c_m + 1], p = (prior + count) / c_m.

        prior: pseudo-disagreements per coordinate; 0 for alg1, T_in p_pool for eq17.
        """
        possible = torch.arange(int(self.rounds) + 1, dtype=torch.float64)
        p = ((possible + prior) / self.rounds).clamp(max=1.0)
        return log_likelihood_ratio(p, eps, max_llr).to(torch.float32)

    def coordinate_llr(self, prior: float, eps: float, max_llr: float) -> Tensor:
        """w_mn float32 [N], from counts that are forgotten and so no whole numbers."""
        p = ((self.counts + prior) / self.rounds).clamp(max=1.0)
        return log_likelihood_ratio(p, eps, max_llr)

    def count(self, disagreed: int, *, pooled: bool, forget: float) -> None:
        """One more round. The older ones are multiplied by `forget` first."""
        self.rounds = forget * self.rounds + 1
        self.disagreements = forget * self.disagreements + disagreed
        counted = disagreed if pooled else 0
        self.pooled_disagreements = forget * self.pooled_disagreements + counted

    def count_blocks(self, disagreed: Tensor, forget: float) -> None:
        """The same, per block: float64 [blocks]."""
        before = torch.zeros_like(disagreed) if self.blocks is None else self.blocks
        self.blocks = forget * before + disagreed

    def counts_for(self, n_coordinates: int, device: torch.device, *, whole: bool) -> Tensor:
        """`counts` on the device, made of zeros when there are none yet."""
        if self.counts is None:
            dtype = torch.int16 if whole else torch.float32
            self.counts = torch.zeros(n_coordinates, dtype=dtype, device=device)
        self.counts = self.counts.to(device)  # those of a checkpoint lie on the CPU
        return self.counts


def block_llrs(
    records: Sequence[Record], edges: Sequence[int], eps: float, max_llr: float
) -> Tensor:
    """w_m per block of workers with c_m > 0: float32 [n, blocks].

    p is the worker's pooled estimate, except in a block where it is on the other side of 1/2, by
    more than 0.05: there the worker is another one and has no say (to read it by the block's own p
    misreads honest workers with other data). Unless half of the workers are on the other side: then
    it is the vote that went wrong in the block, not they.
    """
    lengths = torch.tensor(edges, dtype=torch.float64).diff()
    rounds = torch.tensor([record.rounds for record in records], dtype=torch.float64)[:, None]
    p_block = torch.stack([record.blocks for record in records]) / (lengths * rounds)
    pooled = [record.crossover(edges[-1]) for record in records]
    p_pooled = torch.tensor(pooled, dtype=torch.float64)[:, None]
    opposite = ((p_block - 0.5) * (p_pooled - 0.5) < 0) & ((p_block - 0.5).abs() > MARGIN)
    few = 2 * opposite.sum(dim=0) < len(records)
    weights = log_likelihood_ratio(p_pooled, eps, max_llr).to(torch.float32)
    return torch.where(opposite & few, torch.zeros_like(weights), weights)
