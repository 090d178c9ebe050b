"""The robust learning rate: golden values, its definition, and what f workers cannot do."""

import numpy as np
import pytest

from signfed.strategies.registry import aggregate
from signfed.strategies.robust_lr import RobustLR
from tests.strategies.slow import new_rules as slow

# Sums of signs by column: 5, 3, 1, -1, -3, -5.
ROWS = np.array([[1, 1, 1, 1, 1, -1], [1, 1, 1, 1, -1, -1], [1, 1, 1, -1, -1, -1],
                 [1, 1, -1, -1, -1, -1], [1, -1, -1, -1, -1, -1]], np.float32)  # fmt: skip


@pytest.mark.parametrize(
    "theta, answer",
    [(1, [1, 1, 1, -1, -1, -1]), (2, [1, 1, -1, 1, -1, -1]), (3, [1, 1, -1, 1, -1, -1]),
     (4, [1, -1, -1, 1, 1, -1]), (5, [1, -1, -1, 1, 1, -1])],
)  # fmt: skip
def test_golden(theta, answer):
    assert aggregate("robust-lr", ROWS, threshold=theta).tolist() == answer
    assert aggregate("robust-lr", ROWS[:4], threshold=2)[3] == 1  # 2 of 4: a tie


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 15, 16])
def test_parity_with_the_definition(n):
    for theta in range(1, n + 1):
        rows = np.random.default_rng([n, theta]).standard_normal((n, 203)).astype(np.float32)
        found = RobustLR(threshold=theta)(rows)
        assert found.tolist() == slow.robust_lr(rows.tolist(), theta)


def test_what_f_workers_cannot_do():
    """Of 14, with f = 4 and theta = 5: turn what all others agree on, or push where they cancel."""
    honest = np.ones((10, 4), np.float32)
    honest[:5, 2:] = -1
    for sent in (1, -1):
        rows = np.concatenate([honest, np.full((4, 4), sent, np.float32)])
        assert aggregate("sign-mv", rows)[2:].tolist() == [sent] * 2
        assert RobustLR(n_byzantine=4)(rows).tolist() == [1, 1, -sent, -sent]


def test_too_few():
    assert RobustLR(n_byzantine=4).admissible(13) is None
    assert "n >= 2f+5: got n=12 updates, f=4" in str(RobustLR(n_byzantine=4).admissible(12))
    assert RobustLR(n_byzantine=4, threshold=1).admissible(9) is None
