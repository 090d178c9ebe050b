"""How well the rule detects Byzantine workers: only a report may know who they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from signfed.app.runs.verdicts import accepted_in
from signfed.attacks import Findings
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.ops.upload import uploaded


class Scorer:
    """Scores one round after another of a run.

    Parameters
    ----------
    byzantine_ids : collection of int
        The Byzantine workers; all others are honest.
    """

    def __init__(self, byzantine_ids: Collection[int]) -> None:
        self._byzantine = set(byzantine_ids)
        self._sent: tuple[Any, Tensor] | None = None  # of the last round that was not waited for

    def __call__(
        self, updates: Updates, direction: Tensor, findings: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Score one usable round.

        Parameters
        ----------
        updates : Updates
            The rows of the round.
        direction : Tensor, float32 [N]
            The rule's.
        findings : mapping
            What the rule found out.

        Returns
        -------
        dict
            wrong_signs, and the error rates where the rule says whom it accepts. wrong_signs is a
            tensor where the round is not waited for.
        """
        found = Findings.from_record(findings)
        ids = updates.ids.tolist()  # a rule cannot judge those of whom it has no row
        byzantine, honest = self._byzantine.intersection(ids), set(ids) - self._byzantine
        scores: dict[str, Any] = error_rates(found, byzantine, honest)
        if honest:
            if updates.ledger is not None:
                there = self._there(updates, ids)
                scores["wrong_signs"] = share_of_wrong_signs(updates, there, direction)
            else:
                rows = torch.tensor([worker in honest for worker in ids])
                scores["wrong_signs"] = wrong_signs(updates, rows, direction)
        return scores

    def _there(self, updates: Updates, ids: list[int]) -> Tensor:
        """Which rows are honest, for `share_of_wrong_signs`; sent when other workers are there."""
        device, signs = updates.rows.device, updates.on_sign_channel
        asked = ids, device, signs
        if self._sent is None or self._sent[0] != asked:
            rows = torch.tensor([worker not in self._byzantine for worker in ids])
            rows = rows.nonzero().flatten() if signs else rows.to(updates.rows.dtype)
            self._sent = asked, uploaded(rows, device)
        return self._sent[1]


def error_rates(findings: Findings, byzantine: set[int], honest: set[int]) -> dict[str, float]:
    """Return the false negative and the false positive rate of the rule's detection.

    Parameters
    ----------
    findings : Findings
        Whom the rule accepted; see `accepted_in`.
    byzantine, honest : set of int
        The workers.

    Returns
    -------
    dict
        byzantine_accepted and honest_rejected, in 0..1; empty where the rule says nothing.

    Examples
    --------
    >>> error_rates(Findings(accepted=frozenset({1, 2, 3})), {0, 1}, {2, 3, 4, 5})
    {'byzantine_accepted': 0.5, 'honest_rejected': 0.5}
    """
    accepted = accepted_in(findings)
    if accepted is None:
        return {}
    scores = {}
    if byzantine:
        scores["byzantine_accepted"] = len(byzantine & accepted) / len(byzantine)
    if honest:
        scores["honest_rejected"] = len(honest - accepted) / len(honest)
    return scores


def wrong_signs(updates: Updates, honest: Tensor, direction: Tensor) -> float:
    """Return the share of coordinates where the direction's sign is not the honest workers' own.

    Theirs is the majority of their signs with sign(0) = +1, or on a float channel the sign of their
    mean where that is not 0. A direction of exactly 0 is not their sign.

    Parameters
    ----------
    updates : Updates
        The rows of the round.
    honest : Tensor, bool [n]
        Which of the rows are honest.
    direction : Tensor, float32 [N]
        The rule's.

    Returns
    -------
    float
        In 0..1.
    """
    n, nowhere_zero = updates.n_coordinates, int(torch.count_nonzero(direction)) == len(direction)
    chosen = honest.to(updates.rows.device)
    direction = direction.to(chosen.device)
    if updates.on_sign_channel:
        vote = PackedSigns(updates.rows[chosen], n).vote()
        if nowhere_zero:  # a bit says it all
            return int(vote.disagreements(PackedSigns.pack(direction))) / n
        theirs, zeros = vote.dense(), 0
    else:
        theirs = chosen.to(updates.rows) @ updates.rows
        zeros = n - int(torch.count_nonzero(theirs))
        if nowhere_zero and not zeros:
            return float(torch.count_nonzero(torch.signbit(theirs) ^ torch.signbit(direction))) / n
    same = (theirs > 0) & (direction > 0) | (theirs < 0) & (direction < 0)
    return 1.0 - (int(torch.count_nonzero(same)) + zeros) / n


def share_of_wrong_signs(updates: Updates, honest: Tensor, direction: Tensor) -> Tensor:
    """Return the same as a tensor float64 [] on the device of the rows, without waiting for it.

    Parameters
    ----------
    updates, direction
        As for `wrong_signs`.
    honest : Tensor
        Which of the rows are honest, on their device: their places, int64 [k], on a sign channel;
        else 1 for them and 0 for others, float32 [n].
    """
    if updates.on_sign_channel:
        rows = updates.rows.index_select(0, honest)
        theirs = PackedSigns(rows, updates.n_coordinates).vote().dense()
        same = theirs == direction.sign()
    else:
        theirs = honest @ updates.rows
        same = (theirs.sign() == direction.sign()) | (theirs == 0)
    return 1.0 - same.sum().to(torch.float64) / updates.n_coordinates
