"""Every rule by name, and one call of it on a matrix."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from signfed.strategies.bulyan import Bulyan
from signfed.strategies.centered_clipping import CenteredClipping
from signfed.strategies.core.updates import Updates
from signfed.strategies.dnc import DnC
from signfed.strategies.election import ElectionCoding
from signfed.strategies.geometric_median import GeometricMedian
from signfed.strategies.krum import Krum, MultiKrum
from signfed.strategies.mean import Mean
from signfed.strategies.median import CoordinateMedian
from signfed.strategies.mixing import Bucketing, NearestNeighbourMixing
from signfed.strategies.reputation_mv import ReputationMV
from signfed.strategies.server.strategy import RobustStrategy
from signfed.strategies.server.training import fallback
from signfed.strategies.sign_fd import SignFD
from signfed.strategies.sign_mv import SignMV
from signfed.strategies.signguard import SignGuard, SignGuardDist, SignGuardSim
from signfed.strategies.trimmed_mean import TrimmedMean

STRATEGIES: dict[str, type[RobustStrategy]] = {
    "mean": Mean,
    "sign-mv": SignMV,
    "sign-fd": SignFD,
    "election": ElectionCoding,
    "reputation-mv": ReputationMV,
    "signguard": SignGuard,
    "signguard-sim": SignGuardSim,
    "signguard-dist": SignGuardDist,
    "median": CoordinateMedian,
    "trimmed-mean": TrimmedMean,
    "geometric-median": GeometricMedian,
    "krum": Krum,
    "multi-krum": MultiKrum,
    "bulyan": Bulyan,
    "dnc": DnC,
    "centered-clipping": CenteredClipping,
}
PRE_AGGREGATIONS: dict[str, Callable[..., RobustStrategy]] = {
    "bucketing": Bucketing,
    "nnm": NearestNeighbourMixing,
}


def build(
    kind: Callable[..., RobustStrategy], *inner: RobustStrategy, n_byzantine: int, seed: int,
    **options: object,
) -> RobustStrategy:  # fmt: skip
    """A rule with its options; n_byzantine and seed reach those whose constructor asks for them.

    inner: the rule behind a pre-aggregation.
    """
    asked = inspect.signature(kind).parameters
    common = {"n_byzantine": n_byzantine, "seed": seed}
    told = {name: value for name, value in common.items() if name in asked}
    return kind(*inner, **told, **options)


def aggregate(
    name: str,
    matrix: np.ndarray | Tensor,
    *,
    n_byzantine: int = 0,
    seed: int = 0,
    pre_aggregation: str = "none",
    bucket_size: int = 2,
    **options: object,
) -> np.ndarray | Tensor:
    """One call of a named rule on a matrix, float [n, N] -> float32 [N].

    A sign rule takes the matrix's signs. The matrix is not changed; a NumPy array gives a NumPy
    array, a tensor gives a tensor on its device. A rule with memory sees its first round.
    As in a federation, rows with a value that is not finite are dropped, and what the rule does not
    admit for the rows that are left is answered by the fallback, a median or plain vote.
    pre_aggregation: "none", "bucketing" (with bucket_size) or "nnm".
    Raises ValueError for an unknown rule, an option out of its range, n and n_byzantine that the
    rule does not admit, or no finite row; TypeError for an option that it does not have.

    >>> aggregate("sign-mv", np.array([[1.0, -2], [3, -4], [-5, 6]]))
    array([ 1., -1.], dtype=float32)
    """
    if name not in STRATEGIES:
        raise ValueError(f"unknown rule {name!r}; expected one of {', '.join(STRATEGIES)}")
    rule = build(STRATEGIES[name], n_byzantine=n_byzantine, seed=seed, **options)
    if pre_aggregation != "none":
        if pre_aggregation not in PRE_AGGREGATIONS:
            expected = ", ".join(["none", *PRE_AGGREGATIONS])
            raise ValueError(
                f"pre_aggregation: expected one of {expected}; got {pre_aggregation!r}"
            )
        size = {"bucket_size": bucket_size} if pre_aggregation == "bucketing" else {}
        mixer = PRE_AGGREGATIONS[pre_aggregation]
        rule = build(mixer, rule, n_byzantine=n_byzantine, seed=seed, **size)
    if problem := rule.admissible(len(matrix)):
        raise ValueError(problem)
    rows = torch.as_tensor(matrix).to(torch.float32)
    finite = torch.isfinite(rows).all(dim=1).cpu()
    if not finite.any():
        raise ValueError("expected at least one row of finite values; got none")
    ids = torch.arange(len(rows))[finite]
    signs = rule.encoder == "sign"
    updates = Updates.from_matrix(rows[finite.to(rows.device)], ids, signs=signs)
    direction = (fallback if rule.admissible(updates.n) else rule.aggregate)(updates)
    return direction if isinstance(matrix, Tensor) else direction.numpy()
