"""The exact probabilities that the bounds bound: how often a vote of signs is wrong.

A worker m sends the wrong sign with probability p_m, independently of the others. A vote is wrong
when its score points the wrong way or is zero: all bounds here count a tie as an error.
"""

from __future__ import annotations

import numpy as np

from signfed.strategies.bounds.domain import Numbers, workers

MAX_ENUMERATED = 20  # 2^20 outcomes: 16 MB and 20 ms
TIE = 1e-12  # relative to sum |w_m|: a score below is one that only rounding kept from zero


def weighted_vote_error(p: Numbers, w: Numbers | None = None) -> float:
    """P[sum_m w_m Y_m <= 0] for Y_m = -1 with probability p_m, else +1, over all 2^M outcomes.

    p: [M], 1 <= M <= 20, in [0, 1]; in (0, 1) without w.
    w: [M], finite; None takes the maximum likelihood weights ln((1-p)/p).

    >>> round(weighted_vote_error([0.1, 0.2, 0.2], [1, 1, 1]), 3)  # .04 + 2 * .1 * .2 * .8
    0.072
    >>> round(weighted_vote_error([0.1, 0.4, 0.4]), 3)  # the first worker outweighs the others
    0.1
    """
    p = workers("p", p, "()" if w is None else "[]")
    w = np.log1p(-p) - np.log(p) if w is None else np.atleast_1d(np.asarray(w, dtype=np.float64))
    if w.shape != p.shape or not np.isfinite(w).all():
        raise ValueError(f"w: expected {len(p)} finite numbers, one per worker, got {w}")
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


def majority_vote_error(p: Numbers) -> float:
    """P[at least half of M votes are wrong]: the upper tail of a Poisson-binomial count, any M.

    p: [M] in [0, 1]; a worker that always lies has p_m = 1.

    >>> round(majority_vote_error([0.1, 0.2, 0.2]), 3), majority_vote_error([0.0, 1.0])
    (0.072, 1.0)
    """
    p = workers("p", p, "[]")
    wrong = np.ones(1)  # wrong[k]: probability of k wrong votes so far
    for p_m in p:
        wrong = np.convolve(wrong, [1 - p_m, p_m])
    return min(1.0, float(wrong[(len(p) + 1) // 2 :].sum()))
