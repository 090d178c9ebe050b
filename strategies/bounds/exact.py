"""The exact probabilities that the bounds bound: how often a vote of signs is wrong.

A worker m sends the wrong sign with probability p_m, independently of the others. A vote is wrong
when its score points the wrong way or is zero: all bounds here count a tie as an error.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.strategies.bounds.domain import AllWorkers, on_domain
from signfed.strategies.bounds.intervals import Numbers, numbers

MAX_ENUMERATED = 20  # 2^20 outcomes: 16 MB and 20 ms
TIE = 1e-12  # relative to sum |w_m|: a score below is one that only rounding kept from zero


@on_domain
def weighted_vote_error(
    p: AllWorkers, w: Annotated[Numbers | None, Field(description="weights")] = None
) -> float:
    """Compute the error of a weighted vote exactly, over all 2^M outcomes.

    P[sum_m w_m Y_m <= 0] for Y_m = -1 with probability p_m, else +1

    At most 20 workers. Without w the weights are those of maximum likelihood, ln((1-p)/p), so that
    p must not be 0 or 1.

    Examples
    --------
    >>> round(weighted_vote_error(p=[0.1, 0.4, 0.4]), 3)  # the first outweighs the others
    0.1
    >>> round(weighted_vote_error([0.1, 0.2, 0.2], [1, 1, 1]), 3)  # .04 + 2 * .1 * .2 * .8
    0.072

    References
    ----------
    Exact; a tie is an error.
    """
    p = np.asarray(p)
    if w is None:
        p = numbers("p", p, 0, 1, "()")
        w = np.log1p(-p) - np.log(p)
    w = np.atleast_1d(np.asarray(w))
    if w.shape != p.shape:
        raise ValueError(f"w: expected {len(p)} numbers, one per worker, got shape {w.shape}")
    if len(p) > MAX_ENUMERATED:
        raise ValueError(
            f"p: expected at most {MAX_ENUMERATED} workers, whose outcomes can be enumerated, got "
            f"{len(p)}; majority_vote_error takes any number"
        )
    score, probability = np.zeros(1), np.ones(1)
    for p_m, w_m in zip(p, w, strict=True):
        score = np.concatenate([score + w_m, score - w_m])
        probability = np.concatenate([probability * (1 - p_m), probability * p_m])
    wrong = score <= TIE * np.abs(w).sum()
    return min(1.0, float(probability[wrong].sum()))


@on_domain
def majority_vote_error(p: AllWorkers) -> float:
    """Compute the error of a majority vote exactly, for any number of workers.

    P[at least half of M votes are wrong], the upper tail of a Poisson-binomial count

    Examples
    --------
    >>> round(majority_vote_error(p=[0.2] * 9 + [1.0] * 6), 3)
    0.564
    >>> round(majority_vote_error([0.1, 0.2, 0.2]), 3), majority_vote_error([0.0, 1.0])
    (0.072, 1.0)

    References
    ----------
    Exact; a tie is an error.
    """
    wrong = np.ones(1)  # wrong[k]: probability of k wrong votes so far
    for p_m in np.asarray(p):
        wrong = np.convolve(wrong, [1 - p_m, p_m])
    return min(1.0, float(wrong[(np.size(p) + 1) // 2 :].sum()))
