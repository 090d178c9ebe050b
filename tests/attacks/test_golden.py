"""One input on which no two attacks send the same, and what each sends."""

from itertools import combinations

import numpy as np
import pytest

from signfed.attacks import ATTACKS, Findings, Past
from tests.attacks.inputs import crafted, matrix

OWN = matrix([1, -2, 0, -4], [3, -2, -1, 1])
# mu = (2, 0, -1, 1), every deviation 2, sums (6, 0, -3, 3).
HONEST = matrix([2, 0, -1, 1], [4, -2, -3, 3], [0, 2, 1, -1])
COIN = [np.random.default_rng([0, i]).random(4) < 0.5 for i in (0, 1)]
NOISE = [np.random.default_rng([0, i]).standard_normal(4, dtype=np.float32) for i in (0, 1)]
R3 = 3**0.5

EXPECTED = {
    "none": OWN,
    "sign-inversion": -OWN,
    "sign-flip": -OWN,
    "stochastic-sign-flip": np.where(COIN, -OWN, OWN),
    "gaussian": NOISE,
    "random": np.multiply(0.5, NOISE),
    "noise": OWN + np.multiply(0.5, NOISE),
    "reverse-scaling": -3 * OWN,
    "lie": [1.4, -0.6, -1.6, 0.4],  # mu - 0.3 * 2
    # m1 = m2 = 1: lie, and 4 lie - (6, 0, -3, 3).
    "byzmean": [[1.4, -0.6, -1.6, 0.4], [-0.4, -2.4, -3.4, -1.4]],
    # Squared distances from mu 0, 16, 16, all at a right angle to p; the outer rows 64 apart.
    "min-max": [2 - 2 * R3, -2 * R3, -1 - 2 * R3, 1 - 2 * R3],  # 16 + 16 gamma^2 = 64
    "min-sum": [0, -2, -3, -1],  # 32 + 48 gamma^2 = 16 + 64
    "ipm": [-0.2, 0, 0.1, -0.1],
    # |v| = 5; 1 - 7/25 v = (0.16, 1, 1, -0.12), of length sqrt(2.04).
    "rop": np.subtract([3, 0, 0, 4], np.multiply(5 / 2.04**0.5, [0.16, 1, 1, -0.12])),
    "hybrid-sparse": [-1, -0.6, -1.6, 0.4],  # mu - 1.5 * 2 where it is largest, mu - 0.3 * 2
    "opt-alie": [62, 60, 59, 61],  # a mean gives way at every length: mu + (10 + 20) * 2
    "opt-ipm": [-20, 0, 10, -10],  # -10 mu
    "mimic": HONEST[0],
    "omniscient": np.array([-1, -1, 1, -1]) * 20 / 12,  # the mean for the truth; |entries| 20 of 12
    "colluding-majority": [-1, 1, -1, -1],  # majority (+, -, tie, tie)
    "trusted-bloc": [2, -2, -0.5, -1.5],  # it is the first round
    # Means 2, -2, -0.5, -1.5 over deviations 1.41, 0, 0.71, 3.54; 2 votes of 3 turn below 0.97.
    "vem": [2, -2, 0.5, 1.5],
    "vote-aware": [-1, -1, 1, -1],
    "inversion-aware": [-1, 1, 1, -1],  # of the margins 6, 0, 3, 3 two votes turn the second
    # V = log(3/2) (6, 0, -3, 3) = (2.4, 0, -1.2, 1.2), the attackers' 2 log(7/3) = 1.7.
    "weight-aware": [1, -1, 1, -1],
    # Squared norms 6, 38, 6: of the order 6, 6, 38 the middle is the last row; mu falls 0, 3, 1, 2.
    "filter-aware": [-1, 1, 2, 0],
    "directional": [-1, -1, -1, -1],
    "poisoned-fl": [-24, 0, 0, 32],  # -8 (3, 0, 0, 4) s with s = (1, 1, -1, -1)
    "inf": [np.inf] * 4,
    "sleeper": OWN,  # it is the first round
}
OPTIONS = {
    "opt-alie": {"rule": lambda rows: rows.mean(axis=0), "evaluations": 3},
    "opt-ipm": {"rule": lambda rows: rows.mean(axis=0), "evaluations": 2},
    "weight-aware": {"findings": Findings(crossover={0: 0.3, 1: 0.3, 2: 0.4, 3: 0.4, 4: 0.4})},
    "inversion-aware": {"share": 1.0},
    "rop": {"reference": 1.0},
    "hybrid-sparse": {"share": 0.25},
}
PAST = {"rop", "hybrid-sparse", "poisoned-fl"}
ALIKE = {("none", "sleeper"), ("sign-inversion", "sign-flip")}  # another round, another stage


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_sent(name):
    options = OPTIONS.get(name, {})
    if name in PAST:
        options |= {"past": Past(np.ones(4, np.float32), matrix(3, 0, 0, 4), secret=5)}
    sent = crafted(name, OWN, HONEST, **options)
    expected = np.broadcast_to(EXPECTED[name], OWN.shape)
    assert sent == pytest.approx(expected.astype(np.float64), rel=1e-6, abs=1e-7)


def test_all_attacks_on_rows_are_there():
    assert set(ATTACKS) - set(EXPECTED) == {"label-flip", "backdoor", "time-varying"}


def test_no_two_send_the_same():
    rows = {name: np.broadcast_to(row, OWN.shape) for name, row in EXPECTED.items()}
    alike = {(a, b) for a, b in combinations(rows, 2) if np.allclose(rows[a], rows[b], atol=1e-3)}
    assert alike == ALIKE
