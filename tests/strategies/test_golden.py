"""Every vote on the same rounds, each with its own answer: rules that are mixed up fail here."""

from itertools import combinations

import pytest

from signfed.strategies.registry import STRATEGIES
from tests.strategies.golden import (
    CROSSOVER_AFTER_ROUND_3,
    INITIAL_ROUNDS,
    REPUTATION_AFTER_ROUND_3,
    ROUNDS,
    VOTES_UNTIL_ROUND_3,
)
from tests.strategies.golden_matrix import ELSEWHERE
from tests.strategies.runs import play


def sign_fd(estimator):
    return {"initial_rounds": INITIAL_ROUNDS, "estimator": estimator}


# (rule, options, answer in round 4); the weights follow from the counts in golden.
GOLDEN = [
    # 2 of 2 votes for +, a tie, 2 of 2
    ("sign-mv", {}, (1, 1, 1)),
    ("sign-mv", {"tie": "zero"}, (1, 0, 1)),
    ("election", {"n_byzantine": 1}, (1, 1, 1)),
    # weights 0 and 1/9
    ("reputation-mv", {}, (1, -1, 1)),
    # p = counts / 3:  (1, 2/3, 2/3)  (1/3, 1, 0)
    # weights:  -10 -0.693 -0.693 | 0.693 -10 10
    # score:  -10 + 0.693,  -0.693 + 10,  -0.693 + 10
    ("sign-fd", sign_fd("alg1"), (-1, 1, 1)),
    # p = (2 p_pool + counts after T_in) / 3, p_pool = 5/6, 3/6:  (8/9, 8/9, 5/9)  (1/3, 2/3, 1/3)
    # weights:  -2.079 -2.079 -0.223 | 0.693 -0.693 0.693
    # score:  -2.079 + 0.693,  -2.079 + 0.693,  -0.223 + 0.693
    ("sign-fd", sign_fd("eq17"), (-1, -1, 1)),
    # p = 7/9, 4/9; weights:  -1.253, 0.223
    # score:  -1.253 + 0.223,  -1.253 - 0.223,  -1.253 + 0.223
    ("sign-fd", sign_fd("pooled"), (-1, -1, -1)),
]


@pytest.mark.parametrize("name, options, answer", GOLDEN)
def test_answer_in_round_4(name, options, answer):
    *_, (direction, _) = play(STRATEGIES[name](**options), ROUNDS)
    assert tuple(direction.tolist()) == answer


@pytest.mark.parametrize("estimator", ["alg1", "eq17", "pooled"])
def test_sign_fd_on_the_way_there(estimator):
    played = play(STRATEGIES["sign-fd"](**sign_fd(estimator)), ROUNDS[:3])
    assert [d.tolist() for d, _ in played] == VOTES_UNTIL_ROUND_3
    assert played[-1][1]["crossover"] == pytest.approx(CROSSOVER_AFTER_ROUND_3)


def test_reputation_on_the_way_there():
    played = play(STRATEGIES["reputation-mv"](), ROUNDS[:3])
    assert [d.tolist() for d, _ in played] == VOTES_UNTIL_ROUND_3
    assert played[-1][1] == {"reputation": REPUTATION_AFTER_ROUND_3, "accepted": [1, 2]}


def test_the_table_tells_all_votes_apart():
    votes = {name for name, rule in STRATEGIES.items() if rule.encoder != "float32"}
    votes -= set(ELSEWHERE)
    assert {name for name, _, _ in GOLDEN} == votes
    # On the server Election Coding is sign-mv; its code is in what the workers send.
    answers = [answer for name, _, answer in GOLDEN if name != "election"]
    assert all(a != b for a, b in combinations(answers, 2))
