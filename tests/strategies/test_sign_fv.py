"""Votes weighted by agreement with the server's own gradient."""

from math import pi, sqrt

import numpy as np
import pytest

from signfed.strategies.registry import aggregate
from signfed.strategies.sign_fv import SignFV
from tests.strategies.slow import new_rules as slow

# Signs, and the server's. A plain vote says ++---. Shares of the server's signs: 4/5, 4/5, 2/5 and
# twice 2/5, weights w = ln 4 = 1.386 twice, -v = -ln 3/2 = -0.405 three times. Workers alone:
#   2w - v + 2v, the same, 2w + v + 2v, w - w - v + 2v = 0.405, -w + w - v + 2v = 0.405.
# z = .6 .6 -.2 -.2 -.2; |z_i z_j| adds up to .36 + 6 * .12 + 3 * .04 = 1.2, |C_ij| to 3 * .2 +
# 6 * .6 + 1 = 5.2: q_0 = 0.480, a_0 = 0.740, and the server's weight, 1.047, turns the last two.
SIGNS = [(1, 1, 1, 1, -1), (1, 1, 1, -1, 1), (1, 1, -1, 1, 1), (-1,) * 5, (-1,) * 5]
SERVER = (1, 1, 1, -1, -1)


def test_golden():
    rule = SignFV()
    rows = np.array(SIGNS, np.float32) * [[0.1], [2.0], [30.0], [0.5], [7.0]]
    assert aggregate("sign-mv", rows).tolist() == [1, 1, -1, -1, -1]
    assert rule(rows, reference=SERVER).tolist() == [1, 1, 1, -1, -1]
    found = rule.diagnostics()
    assert found["server_accuracy"] == pytest.approx(0.5 + sqrt(1.2 / 5.2) / 2)
    assert found["agreement"] == {0: 0.8, 1: 0.8, 2: 0.4, 3: 0.4, 4: 0.4}
    assert found["accepted"] == [0, 1]
    # Of one worker's agreement nothing follows for the server: it has no vote.
    assert SignFV()(rows[:1], reference=SERVER).tolist() == list(SIGNS[0])


@pytest.mark.parametrize("n, n_coordinates", [(1, 5), (4, 63), (15, 200)])
def test_parity_with_the_definition(n, n_coordinates):
    for seed in range(4):
        draws = np.random.default_rng(seed)
        server = draws.standard_normal(n_coordinates).astype(np.float32)
        rows = server + draws.uniform(-2, 2, (n, 1)) * draws.standard_normal((n, n_coordinates))
        rows[: n // 3] *= -1.0
        server[0] = 0.0  # counts as +
        found = aggregate("sign-fv", rows, reference=server)
        scores = np.array(slow.sign_fv(rows.tolist(), server.tolist()))
        clear = np.abs(scores) > 1e-5  # float32 sums decide what is nearly a tie
        assert clear.mean() > 0.9 and (found == np.where(scores >= 0, 1, -1))[clear].all()


def noisy(draws, truth, error, n):
    """n rows of signs, each coordinate wrong with probability `error`."""
    return truth * np.where(draws.random((n, len(truth))) < error, -1.0, 1.0)


@pytest.mark.parametrize("f", [0, 6, 10, 14])
def test_no_number_of_inverted_workers_changes_an_answer(f):
    """Errors 0.4 of workers and 0.3 of the server: a weight changes its sign with its row."""
    draws = np.random.default_rng(f)
    truth = draws.choice([-1.0, 1.0], 4001)
    rows, server = noisy(draws, truth, 0.4, 15), noisy(draws, truth, 0.3, 1)[0]
    inverted = rows * np.where(np.arange(15) < f, -1.0, 1.0)[:, None]
    expected = aggregate("sign-fv", rows, reference=server)
    assert (expected != truth).mean() < 0.25  # of 15 voters, each wrong with 0.4
    found = aggregate("sign-fv", inverted, reference=server)
    assert (found == expected).mean() > 0.999  # float sums of +w and -(-w) part in ties alone


def test_trust_that_was_earned_cannot_be_spent():
    """Nothing of a round is left in the next: ten rows that were right, then inverted."""
    draws = np.random.default_rng(1)
    truth = draws.choice([-1.0, 1.0], 2000)
    rule, rows = SignFV(), noisy(draws, truth, 0.4, 15)
    server = noisy(draws, truth, 0.3, 1)[0]
    for _ in range(5):
        rule([*[truth] * 10, *rows[10:]], reference=server)
    turned = [*[-truth] * 10, *rows[10:]]
    assert np.array_equal(rule(turned, reference=server), SignFV()(turned, reference=server))
    assert (rule(turned, reference=server) == truth).all()  # read inverted
    assert rule.state_dict() == {}


def test_where_all_agree_with_half_of_the_servers_signs_the_tie_is_plus():
    rows, server = [[1.0, 1.0, -1.0, -1.0]] * 3, [1.0, -1.0, 1.0, -1.0]
    assert aggregate("sign-fv", rows, reference=server).tolist() == [1] * 4


def test_copies_of_one_another_only_take_the_servers_vote_away():
    """What 10 of 15 workers can do to a_0, of a server that is right in 70 of 100 signs."""
    draws = np.random.default_rng(2)
    truth = draws.choice([-1.0, 1.0], 20_000)
    server, honest = noisy(draws, truth, 0.3, 1)[0], noisy(draws, truth, 0.4, 15)
    rule, found = SignFV(), {}
    for name, rows in {
        "honest": honest,
        "inverted": honest * np.where(np.arange(15) < 10, -1, 1)[:, None],
        "random": np.vstack([draws.choice([-1.0, 1.0], (10, len(truth))), honest[10:]]),
        "copies": np.vstack([np.tile(honest[:1], (10, 1)), honest[10:]]),
        "one random row": np.vstack(
            [np.tile(draws.choice([-1.0, 1.0], len(truth)), (10, 1)), honest[10:]]
        ),
    }.items():
        rule(rows, reference=server)
        found[name] = rule.diagnostics()["server_accuracy"]
    assert found["honest"] == found["inverted"] == pytest.approx(0.7, abs=0.02)
    # Rows of N coins agree by E = sqrt(2 / (pi N)) with any other. Pairs of the five and the ten:
    # |z_i z_j| adds up to 10 * .08^2 + 50 * .08 E + 45 E^2, |C_ij| to 10 * .04 + 95 E.
    e = sqrt(2 / (pi * len(truth)))
    q = sqrt((10 * 0.08**2 + 50 * 0.08 * e + 45 * e**2) / (10 * 0.04 + 95 * e))
    assert found["random"] == pytest.approx(0.5 + q / 2, abs=0.015)  # 0.653
    assert 0.5 < found["one random row"] < found["copies"] < 0.65
