"""Attackers who know the weights of signSGD-FD."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from signfed.attacks.core.rows import is_finite, lowest, signs
from signfed.attacks.core.view import View, attack
from signfed.strategies.core.options import Range

P_MIN, P_MAX = 0.01, 0.99


def weights(findings: Mapping[str, Any], ids: Sequence[int]) -> np.ndarray:
    """log((1 - p) / p) of each worker, p in [0.01, 0.99] as found by the rule: float64 [len(ids)].

    1 when the rule found nothing yet; 0 for a worker that it has not met.
    """
    crossover = {int(worker): p for worker, p in findings.get("crossover", {}).items()}
    if not crossover:
        return np.ones(len(ids))
    p = np.clip([crossover.get(worker, 0.5) for worker in ids], P_MIN, P_MAX)
    return np.log((1.0 - p) / p)


@attack(knowledge="server", stage="message")
def weight_aware(
    view: View,
    *,
    share: Annotated[
        float,
        Field(ge=0, le=1, description="of the coordinates, those with the closest vote first"),
        Range(0.05, 1.0),
    ] = 1.0,
) -> np.ndarray:
    """Turn the weighted vote where the attackers' weights suffice, and agree with it elsewhere.

    V = sum of w_i y_i over the honest, those with NaN or inf left out, and A = sum of |w_a| over
    the attackers. Where |V| < A their target is -sign(V), elsewhere sign(V); sign(0) = +1. Each
    sends sign(w_a) times the target: a negative weight is read backwards.

    w: by `weights`, of the cross-over probabilities of view.findings, one a worker.
    share: at most floor(share N) coordinates are turned, the smallest |V| first.
    Raises ValueError when it lies outside [0, 1].
    Reference: none; aims at Park & Lee 2024 (signSGD-FD), eq. 15 and 16.
    Deviation from the paper: does not apply. Weights per block or coordinate are not known to it.
    """
    by_attacker = weights(view.findings, view.ids)
    by_honest = weights(view.findings, view.honest_ids)
    votes = np.zeros(view.own.shape[1])
    for weight, row, counts in zip(by_honest, view.honest, is_finite(view.honest), strict=True):
        if counts:
            votes += weight * row
    margins, majority = np.abs(votes), signs(votes)
    turned = (margins < np.abs(by_attacker).sum()) & lowest(margins, share)
    return signs(by_attacker)[:, None] * np.where(turned, -majority, majority)
