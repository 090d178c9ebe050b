"""Every rule by name, and one call of it on a matrix."""

from __future__ import annotations

import inspect

import numpy as np
import torch
from torch import Tensor

from strategies.base import RobustStrategy
from strategies.election import ElectionCoding
from strategies.mean import Mean
from strategies.sign_fd import SignFD
from strategies.sign_mv import SignMV
from strategies.updates import Updates

STRATEGIES: dict[str, type[RobustStrategy]] = {
    "mean": Mean,
    "sign-mv": SignMV,
    "sign-fd": SignFD,
    "election": ElectionCoding,
}


def build(
    kind: type[RobustStrategy], *, n_byzantine: int, seed: int, **options: object
) -> RobustStrategy:
    """A rule with its options; n_byzantine and seed reach those whose constructor asks for them."""
    asked = inspect.signature(kind).parameters
    common = {"n_byzantine": n_byzantine, "seed": seed}
    return kind(**{name: value for name, value in common.items() if name in asked}, **options)


def aggregate(
    name: str,
    matrix: np.ndarray | Tensor,
    *,
    n_byzantine: int = 0,
    seed: int = 0,
    **options: object,
) -> np.ndarray | Tensor:
    """One call of a named rule on a matrix, float [n, N] -> float32 [N].

    A sign rule takes the matrix's signs. The matrix is not changed; a NumPy array gives a NumPy
    array, a tensor gives a tensor on its device. A rule with memory sees its first round.
    Raises ValueError for an unknown rule, an option out of its range, or n and n_byzantine that
    the rule does not admit; TypeError for an option that it does not have.

    >>> aggregate("sign-mv", np.array([[1.0, -2], [3, -4], [-5, 6]]))
    array([ 1., -1.], dtype=float32)
    """
    if name not in STRATEGIES:
        raise ValueError(f"unknown rule {name!r}; expected one of {', '.join(STRATEGIES)}")
    rule = build(STRATEGIES[name], n_byzantine=n_byzantine, seed=seed, **options)
    if problem := rule.admissible(len(matrix)):
        raise ValueError(problem)
    signs = rule.encoder == "sign"
    direction = rule.aggregate(Updates.from_matrix(torch.as_tensor(matrix), signs=signs))
    return direction if isinstance(matrix, Tensor) else direction.numpy()
