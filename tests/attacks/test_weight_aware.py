"""Weight-aware."""

import numpy as np
import pytest
import torch

from signfed.attacks import Findings, View, build
from signfed.attacks.weight_aware import weights
from signfed.strategies.core.updates import Updates
from signfed.strategies.sign_fd import SignFD
from tests.attacks.inputs import coins, crafted, matrix

# w = log 9, log 4 and 0 of p = 0.1, 0.2, 0.5; the Byzantine workers' are +-log(7/3) = +-0.847,
# 1.695 together.
FOUND = {0: 0.3, 1: 0.7, 2: 0.1, 3: 0.2, 4: 0.5}
HONEST = matrix([1, 1, -1, -1], [1, -1, 1, -1], [-1, -1, 1, 1])
OWN = matrix([1, 1, 1, 1], [1, 1, 1, 1])


def test_by_hand():
    """V = log 9 +- log 4 = 3.58, 0.81, -0.81, -3.58: the middle two turn. 1 is read backwards."""
    sent = crafted("weight-aware", OWN, HONEST, findings=Findings(crossover=FOUND))
    assert np.array_equal(sent, [[1, -1, 1, -1], [-1, 1, -1, 1]])


def test_it_knows_who_is_who():
    """Workers 4 and 9 are Byzantine, the honest are 7, 0 and 2."""
    found = {4: 0.3, 9: 0.7, 7: 0.1, 0: 0.2, 2: 0.5}
    sent = crafted(
        "weight-aware",
        OWN,
        HONEST,
        findings=Findings(crossover=found),
        ids=(4, 9),
        honest_ids=(7, 0, 2),
    )
    assert np.array_equal(sent, [[1, -1, 1, -1], [-1, 1, -1, 1]])
    other = {**found, 7: 0.9}  # -log 9: V = -0.81, -3.58, 3.58, 0.81
    sent = crafted(
        "weight-aware",
        OWN,
        HONEST,
        findings=Findings(crossover=other),
        ids=(4, 9),
        honest_ids=(7, 0, 2),
    )
    assert np.array_equal(sent, [[1, -1, 1, -1], [-1, 1, -1, 1]])


@pytest.mark.parametrize(
    "share, target", [(0.25, [1, -1, -1, -1]), (0.0, [1, 1, -1, -1]), (0.75, [1, -1, 1, -1])]
)
def test_it_turns_no_more_than_its_share(share, target):
    sent = crafted("weight-aware", OWN, HONEST, findings=Findings(crossover=FOUND), share=share)
    assert np.array_equal(sent, [target, np.negative(target)])


@pytest.mark.parametrize("findings", [Findings(), Findings(accepted=frozenset({0})), None])
def test_without_findings_all_weigh_the_same(findings):
    """V = 1, -1, 1, -1, all below 2."""
    sent = crafted("weight-aware", OWN, HONEST, findings=findings)
    assert np.array_equal(sent, [[-1, 1, -1, 1], [-1, 1, -1, 1]])


def test_what_an_error_rate_weighs():
    found = Findings(crossover={0: 0.1, 1: 0.0, 2: 1.0, 3: 0.5})
    expected = [np.log(9), np.log(99), -np.log(99), 0.0, 0.0]  # 4 was never met
    assert weights(found, (0, 1, 2, 3, 4)) == pytest.approx(expected, abs=1e-12)


def test_a_worker_without_a_weight_counts_as_the_one_that_weighs_most_either_way():
    found = Findings(crossover={0: 0.9, 1: 0.4}, weights={0: -3.0, 1: 1.0})
    assert weights(found, (0, 1, 2)).tolist() == [-3.0, 1.0, 3.0]


@pytest.mark.parametrize("seed", range(3))
def test_it_turns_exactly_what_can_be_turned(seed):
    """The weighted vote over all rows, before and after; no margin is met exactly."""
    random = np.random.default_rng(seed)
    findings = Findings(crossover=dict(enumerate(random.uniform(0.05, 0.95, 11))))
    honest = coins(8, 500, seed=seed)
    sent = crafted("weight-aware", coins(3, 500, seed=9), honest, findings=findings)
    by_attacker, by_honest = weights(findings, range(3)), weights(findings, range(3, 11))
    before, after = by_honest @ honest, by_honest @ honest + by_attacker @ sent
    turnable = np.abs(before) < np.abs(by_attacker).sum()
    assert 0 < turnable.sum() < 500
    assert np.array_equal(np.sign(after) != np.sign(before), turnable)


@pytest.mark.parametrize(("honest", "own"), [(12, 3), (11, 4), (10, 5), (12, 4), (9, 3), (7, 5)])
def test_where_all_weigh_the_same_it_turns_all_that_a_vote_can_lose(honest, own):
    """Whatever p says of those whose weight is known; ties, which are +1, among them."""
    rows, ids = coins(honest, 2000, seed=3), range(honest + own)
    findings = Findings(crossover=dict.fromkeys(ids, 0.6), weights=dict.fromkeys(ids, 1.0))
    ballots = []
    for name in ("weight-aware", "vote-aware"):
        sent = crafted(name, coins(own, 2000, seed=9), rows, findings=findings)
        ballots.append(rows.sum(axis=0) + sent.sum(axis=0) >= 0)
    lost = ballots[0] != (rows.sum(axis=0) >= 0)
    assert np.array_equal(*ballots) and lost.any() and not lost.all()


def test_the_default_rule_under_it_loses_what_a_plain_vote_loses():
    """Honest rows agree little, all are accepted, and the outvoted attackers keep their weight."""
    rule, findings, n = SignFD(), Findings(), 3000
    for server_round in range(1, 6):
        honest = np.where(np.random.default_rng(server_round).random((12, n)) < 0.6, 1.0, -1.0)
        sent = crafted("weight-aware", coins(3, n, seed=0), honest, findings=findings)
        rows = torch.from_numpy(np.concatenate([sent, honest]).astype(np.float32))
        decoded = rule.aggregate(Updates.from_matrix(rows, server_round=server_round, signs=True))
        findings = Findings.from_record(rule.diagnostics())
        turnable = np.abs(honest.sum(axis=0)) < 3
        lost = decoded.numpy() != np.where(honest.sum(axis=0) >= 0, 1, -1)
        assert set(findings.weights.values()) == {1.0} and np.array_equal(lost, turnable)


def test_shares_of_rows_that_are_no_signs_do_not_count():
    """A geometric median gives a row of +1/-1 among small ones next to nothing. It names no p."""
    shares = dict(zip(range(5), (1e-4, 1e-4, 0.4, 0.3, 0.3), strict=True))
    sent = crafted("weight-aware", OWN, HONEST, findings=Findings(weights=shares))
    assert np.array_equal(sent, crafted("weight-aware", OWN, HONEST))
    votes = Findings(weights=shares, crossover=FOUND)
    assert not np.array_equal(sent, crafted("weight-aware", OWN, HONEST, findings=votes))


def test_weights_need_to_be_told_who_is_who():
    view = View(OWN, (), 5, honest=HONEST, findings=Findings())
    with pytest.raises(ValueError, match=r"view\.ids is for attacks that declare"):
        build("weight-aware")(view)
