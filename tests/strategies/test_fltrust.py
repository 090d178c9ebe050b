"""FLTrust: its definition, and what any number of Byzantine rows can do to it."""

import numpy as np
import pytest

from signfed.strategies.fltrust import FLTrust
from signfed.strategies.registry import aggregate
from tests.strategies.float_rows import rows_of
from tests.strategies.slow import new_rules as slow


@pytest.mark.parametrize("n, f", [(1, 0), (7, 1), (15, 6)])
def test_parity_with_the_definition(n, f):
    for seed in range(3):
        rows, server = rows_of(seed, n, f), rows_of(seed, 1)[0]
        rows[n - f :] *= -3.0
        found = aggregate("fltrust", rows, reference=server)
        np.testing.assert_allclose(
            found, slow.fltrust(rows.tolist(), server.tolist()), rtol=1e-4, atol=1e-6
        )


def hostile(seed, n, server):
    """Rows of any size and direction, some of them just within the half-space of the server's."""
    draws = np.random.default_rng((seed, 1))
    rows = draws.standard_normal((n, len(server)))
    along = server / np.linalg.norm(server)
    rows -= (rows @ along)[:, None] * along  # at a right angle to it
    rows += draws.choice([1e-6, 1e-2, 1.0, -1.0], n)[:, None] * along
    return (rows * 10.0 ** draws.integers(-20, 36, n)[:, None]).astype(np.float32)


@pytest.mark.parametrize("n", [1, 4, 15])
def test_all_workers_together_cannot_leave_the_half_ball_of_the_servers_gradient(n):
    """cos >= 0 and length <= ||g_0||, so ||g - g_0|| <= sqrt(2) ||g_0||; one row comes near it."""
    farthest = 0.0
    for seed in range(60):
        server = np.random.default_rng(seed).standard_normal(50).astype(np.float32)
        found = aggregate("fltrust", hostile(seed, n, server), reference=server).astype(np.float64)
        length = np.linalg.norm(server)
        assert np.linalg.norm(found) <= length * (1 + 1e-5)
        assert found @ server >= -1e-4 * length**2
        farthest = max(farthest, np.linalg.norm(found - server) / length)
        assert farthest <= np.sqrt(2) + 1e-4
    assert farthest > (1.4 if n == 1 else 0.9)


def test_a_row_has_the_same_say_whatever_its_length():
    rows, server = rows_of(1, 9), rows_of(1, 1)[0]
    expected = aggregate("fltrust", rows, reference=server)
    longer = rows * np.float32(10.0) ** np.arange(-4, 5, dtype=np.float32)[:, None]
    np.testing.assert_allclose(
        aggregate("fltrust", longer, reference=server), expected, rtol=1e-5, atol=1e-6
    )


def test_where_nobody_is_trusted_the_model_stays():
    server = np.array([1.0, 2.0], np.float32)
    rule = FLTrust()
    for rows in ([-server, -3 * server], [np.zeros(2), np.zeros(2)]):
        assert rule(rows, reference=server).tolist() == [0, 0]
        assert rule.diagnostics()["accepted"] == []
    assert rule([server, server], reference=[0.0, 0.0]).tolist() == [0, 0]


def test_a_zero_row_has_no_say():
    rows = [[0.0, 0.0], [0.0, 2.0], [3.0, 0.0]]
    assert aggregate("fltrust", rows, reference=[1.0, 0.0]).tolist() == [1, 0]
