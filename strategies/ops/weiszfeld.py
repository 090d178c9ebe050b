"""What the Weiszfeld iteration needs to be exact for any rows: numerics, no new estimator.

Deviations from Pillutla et al. 2019, Algorithm 2, each with its reason:

1. Distances come from inner products of the rows (`step_distances`), so that a step costs n^2
   whatever N is.
2. The start is the mean of the central half of the rows (`central_half`), not of all rows. From a
   mean with one row at 1e30 in it, the iteration takes thousands of steps to come back.
3. A point that stands on a row leaves it by the step of Vardi & Zhang 2000 (`leave`). The weight
   of that row has a pole there, and the plain iteration would stay.
4. A row beyond FAR typical distances counts as a direction (`drawn_in`). At that distance it pulls
   the same way to 1 / FAR, and its square does not swallow the squares of the others.

The limit is the same, but for the rows of deviation 4.
"""

from __future__ import annotations

import torch
from torch import Tensor

from signfed.strategies.ops.gram import distances_of, middles

FAR = 1e6  # typical distances, beyond which a row is a direction
ON_A_ROW = 1e-5  # typical distances, below which a point stands on a row


def step_distances(squared: Tensor, weights: Tensor) -> Tensor:
    """Compute ||v - x_i|| for v = sum_j w_j x_j (deviation 1).

    ||v - x_i||^2 = sum_j w_j d_ij - (1/2) sum_jk w_j w_k d_jk, with d_ij = ||x_i - x_j||^2

    Parameters
    ----------
    squared : Tensor, float64 [n, n]
        d.
    weights : Tensor, float64 [n]
        w, with the sum 1.

    Returns
    -------
    Tensor, float64 [n]
    """
    along = squared @ weights
    return (along - weights @ along / 2).clamp(min=0.0).sqrt()


def typical_distance(squared: Tensor) -> float:
    """Return the smallest median distance of a row to the others, from squares float64 [n, n]."""
    return float(middles(squared).min().sqrt())


def central_half(squared: Tensor) -> Tensor:
    """Weigh equally the rows that are nearest to their middle neighbour (deviation 2).

    Of f < n/2 Byzantine rows none is among them, unless it lies as near to the honest rows as they
    lie to each other.

    Parameters
    ----------
    squared : Tensor, float64 [n, n]
        Squared distances of all pairs.

    Returns
    -------
    Tensor, float64 [n]
        Weights with the sum 1.
    """
    typical = middles(squared)
    inside = (typical <= typical.median()).to(torch.float64)
    return inside / inside.sum()


def leave(squared: Tensor, k: int, prior: Tensor, *, near: Tensor) -> Tensor:
    """Take one step away from row k, or stay if it is the minimum (deviation 3).

    With R = sum_i a_i (x_i - x_k) / ||x_i - x_k|| over the other rows, T the point to which these
    alone would step, and g = a_k / ||R||: v = (1 - g) T + g x_k, and v = x_k if g >= 1.

    Parameters
    ----------
    squared : Tensor, float64 [n, n]
        Squared distances of all pairs.
    k : int
    prior : Tensor, float64 [n]
        a.
    near : Tensor, bool [n]
        The rows that count as row k, itself included; a_k is the sum of theirs.

    Returns
    -------
    Tensor, float64 [n]
        The weights of v.

    References
    ----------
    Vardi & Zhang 2000, equations 2.5 and 2.6.
    """
    pull = torch.where(near, 0.0, prior / squared[k].sqrt().clamp(min=torch.finfo().tiny))
    # <x_i - x_k, x_j - x_k> from the distances
    product = (squared[k][:, None] + squared[k] - squared) / 2
    strength = float((pull @ product @ pull).clamp(min=0.0).sqrt())
    own = torch.zeros_like(prior)
    own[k] = 1.0
    stays = float(prior[near].sum())
    if strength <= stays:
        return own
    return (1 - stays / strength) * pull / pull.sum() + stays / strength * own


def drawn_in(product: Tensor) -> tuple[Tensor, Tensor, int]:
    """Draw rows that are far out in to FAR typical distances from the central row (deviation 4).

    Parameters
    ----------
    product : Tensor, float64 [n, n]
        Inner products of the rows, around the central row if a row is far out.

    Returns
    -------
    squared : Tensor, float64 [n, n]
        Squared distances of the rows after they were drawn in.
    factors : Tensor, float64 [n]
        By what factor each was, 1 for most.
    centre : int
        The row towards which they were drawn.
    """
    squared = distances_of(product)
    centre = int(product.diagonal().argmin())
    typical = squared[centre].median().sqrt()
    factors = torch.ones_like(squared[centre])
    if typical > 0 or int((squared[centre] == 0).sum()) > len(squared) / 2:
        limits = FAR * typical / squared[centre].sqrt()
        factors = limits.nan_to_num(nan=1.0).clamp(max=1.0)
    if (factors < 1.0).any():
        squared = distances_of(factors[:, None] * product * factors)
    return squared, factors, centre


def drawn_out(weights: Tensor, factors: Tensor, centre: int) -> Tensor:
    """Make weights of the rows as they came of weights of the rows that `drawn_in` made.

    Parameters
    ----------
    weights : Tensor, float64 [n]
        Of the rows that `drawn_in` made.
    factors, centre
        As `drawn_in` returned them.
    """
    weights = weights * factors
    weights[centre] += 1 - weights.sum()
    return weights
