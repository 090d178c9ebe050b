"""How well the rule saw through the liars: only a report may know who they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from signfed.strategies.core.updates import Updates, pack_signs, signs_of
from signfed.strategies.ops.vote import differing_bits, packed_majority


class Scorer:
    """Scores one round after another of a run in which `byzantine_ids` lie."""

    def __init__(self, byzantine_ids: tuple[int, ...], num_workers: int) -> None:
        self._liars = set(byzantine_ids)
        self._honest = set(range(num_workers)) - self._liars

    def __call__(
        self, updates: Updates, direction: Tensor, findings: Mapping[str, Any]
    ) -> dict[str, float]:
        """wrong_signs always, the others where the rule says whom it accepts."""
        scores = trust(findings, self._liars, self._honest)
        honest = torch.tensor([worker not in self._liars for worker in updates.ids.tolist()])
        if honest.any():
            scores["wrong_signs"] = wrong_signs(updates, honest, direction)
        return scores


def trust(record: Mapping[str, Any], liars: set[int], honest: set[int]) -> dict[str, float]:
    """Shares of liars that the rule trusts, and of honest workers that it does not.

    Whom it trusts: the record's "trusted"; with "weights" (worker id -> share) instead, those with
    at least half of an equal share.
    """
    if "accepted" in record:
        accepted = set(record["accepted"])
    elif weights := record.get("weights"):
        accepted = {int(w) for w, share in weights.items() if share >= 0.5 / len(weights)}
    else:
        return {}
    scores = {}
    if liars:
        scores["byzantine_accepted"] = len(liars & accepted) / len(liars)
    if honest:
        scores["honest_rejected"] = len(honest - accepted) / len(honest)
    return scores


def wrong_signs(updates: Updates, honest: Tensor, direction: Tensor) -> float:
    """Share of coordinates in which the direction's sign is not the honest workers' own.

    Theirs: the majority of their signs with sign(0) = +1, or on a float channel the sign of their
    mean where that is not 0. A direction of exactly 0 is not their sign.

    honest: bool [n], which rows are. direction: float32 [N].
    """
    n, nowhere_zero = updates.n_coordinates, int(torch.count_nonzero(direction)) == len(direction)
    chosen = honest.to(updates.rows.device)
    direction = direction.to(chosen.device)
    if updates.on_sign_channel:
        theirs = packed_majority(updates.rows[chosen])
        if nowhere_zero:  # a bit says it all
            return differing_bits(theirs, pack_signs(direction)) / n
        theirs, zeros = signs_of(theirs, n), 0
    else:
        theirs = chosen.to(updates.rows) @ updates.rows
        zeros = n - int(torch.count_nonzero(theirs))
        if nowhere_zero and not zeros:
            return float(torch.count_nonzero(torch.signbit(theirs) ^ torch.signbit(direction))) / n
    same = (theirs > 0) & (direction > 0) | (theirs < 0) & (direction < 0)
    return 1.0 - (int(torch.count_nonzero(same)) + zeros) / n
