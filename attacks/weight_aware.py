"""Byzantine workers who know the weights of the vote."""

from collections.abc import Sequence

import numpy as np

from signfed.attacks.core.arrays import is_known_finite, like, namespace, zeros
from signfed.attacks.core.attack import attack
from signfed.attacks.core.findings import Findings
from signfed.attacks.core.rows import Share, is_finite, lowest, signs
from signfed.attacks.core.view import View

P_MIN, P_MAX = 0.01, 0.99


def weights(findings: Findings, ids: Sequence[int]) -> np.ndarray:
    """Return the weight of each worker in the last vote, as far as the rule says.

    Where it names only p, the probability that a bit is wrong, w = ln((1 - p) / p) with p in
    [0.01, 0.99]. Weights without p are shares of rows that are no signs, where a row of +1/-1 among
    small values gets next to nothing and would turn nothing: they do not count.

    Parameters
    ----------
    findings : Findings
        Of its `weights`, or of `crossover`, which holds p.
    ids : sequence of int
        The workers.

    Returns
    -------
    ndarray, float64 [len(ids)]
        1 for all when the rule has said nothing yet; where it names weights, the largest of them
        for a worker that took no part; 0 for a worker of which it knows no p.

    Examples
    --------
    >>> weights(Findings(crossover={0: 0.1, 1: 0.9}), (0, 1, 2)).round(2)
    array([ 2.2, -2.2,  0. ])
    >>> weights(Findings(crossover={0: 0.1, 1: 0.9}, weights={0: 1.0, 1: 0.0}), (0, 1, 2))
    array([1., 0., 1.])
    """
    if findings.crossover and (named := findings.weights):
        most = max(map(abs, named.values()))
        return np.array([named.get(worker, most) for worker in ids], dtype=np.float64)
    if not findings.crossover:
        return np.ones(len(ids))
    p = np.clip([findings.crossover.get(worker, 0.5) for worker in ids], P_MIN, P_MAX)
    return np.log((1.0 - p) / p)


def _counted(rows: np.ndarray) -> Sequence[bool]:
    """Which rows a server can count."""
    return [True] * len(rows) if is_known_finite(rows) else is_finite(rows).tolist()


@attack(knowledge="server", stage="message", tensors=True)
def weight_aware(view: View, *, share: Share = 1.0) -> np.ndarray:
    """Turn the weighted vote where the Byzantine weights suffice, and agree with it elsewhere.

    V = sum of w_i y_i over the finite honest rows, and A = sum of |w_a| over the Byzantine workers.
    Where |V| < A, or V = -A, since a tie is +1, the target is -sign(V), elsewhere sign(V). Each
    Byzantine worker sends sign(w_a) times the target, since a negative weight is read backwards.
    The weights are those of the last round: what the rule will give again, or close to it.

    Parameters
    ----------
    view : View
        `honest`: float32 [h, N]; `findings`, `ids` and `honest_ids` for the weights.
    share : float in [0, 1]
        At most floor(share N) coordinates are turned, the smallest |V| first.

    Returns
    -------
    ndarray, float32 [b, N]
        +1/-1.

    Examples
    --------
    Worker 0 is Byzantine; ln 9 - ln 4 is less than its own weight, ln 9 + ln 4 is more:

    >>> from signfed import craft
    >>> from signfed.attacks import Findings
    >>> findings = Findings(crossover={0: 0.2, 1: 0.1, 2: 0.2})
    >>> honest = [[1.0, 1.0], [-1.0, 1.0]]
    >>> craft("weight-aware", [[1.0, 1.0]], honest, n_total=3, seed=0, findings=findings)
    array([[-1.,  1.]], dtype=float32)

    References
    ----------
    None; it aims at weighted votes, as of Park & Lee 2024 (signSGD-FD), eq. 15 and 16.

    Notes
    -----
    Deviation from the paper: does not apply. It knows one weight a worker, none by coordinate.
    """
    by_byzantine = weights(view.findings, view.ids)
    by_honest = weights(view.findings, view.honest_ids)
    rows, xp = view.honest, namespace(view.honest)
    votes = zeros(view.own.shape[1], view.own, xp.float64)
    for weight, row, counts in zip(by_honest.tolist(), rows, _counted(rows), strict=True):
        if counts:
            votes += weight * row
    margins, majority = xp.abs(votes), signs(votes)
    most = float(np.abs(by_byzantine).sum())
    turned = ((margins < most) | (votes == -most)) & lowest(margins, share)
    turns = like(signs(by_byzantine), rows)
    return turns[:, None] * xp.where(turned, -majority, majority)
