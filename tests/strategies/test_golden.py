"""Every rule on the same rounds, each with its own answer: rules that are mixed up fail here."""

from itertools import combinations

import pytest

from strategies import STRATEGIES
from tests.strategies.golden import CROSSOVER_AFTER_ROUND_3, INITIAL_ROUNDS, ROUNDS
from tests.strategies.runs import play


def sign_fd(crossover):
    return {"initial_rounds": INITIAL_ROUNDS, "crossover": crossover}


# (rule, options, answer in round 4); the weights follow from the counts in golden.
GOLDEN = [
    # (1 + 1 + 4) / 3, (-2 + 1 + 4) / 3, (1 - 8 + 1) / 3
    ("mean", {}, (2.0, 1.0, -2.0)),
    # 3, 2 and 2 of 3 votes for +
    ("sign-mv", {}, (1.0, 1.0, 1.0)),
    ("election", {"n_byzantine": 1}, (1.0, 1.0, 1.0)),
    # p = counts / 3:  (1/3, 1/3, 0)  (1/3, 0, 1/3)  (1, 1/3, 2/3)
    # weights:  0.693 0.693 10 | 0.693 10 0.693 | -10 0.693 -0.693
    # score:  0.693 + 0.693 - 10,  -0.693 + 10 + 0.693,  10 - 0.693 - 0.693
    ("sign-fd", sign_fd("alg1"), (-1.0, 1.0, 1.0)),
    # p = (2 p_pool + counts after T_in) / 3, p_pool = 1/6, 2/6, 5/6:
    #     (4/9, 1/9, 1/9)  (2/9, 2/9, 2/9)  (8/9, 5/9, 5/9)
    # weights:  0.223 2.079 2.079 | 1.253 1.253 1.253 | -2.079 -0.223 -0.223
    # score:  0.223 + 1.253 - 2.079 = -0.603,  -2.079 + 1.253 - 0.223 = -1.049,
    #     2.079 - 1.253 - 0.223 = 0.603
    ("sign-fd", sign_fd("eq17"), (-1.0, -1.0, 1.0)),
    # p = 2/9, 2/9, 6/9; weights:  1.253, 1.253, -0.693
    # score:  1.253 + 1.253 - 0.693,  -1.253 + 1.253 - 0.693,  1.253 - 1.253 - 0.693
    ("sign-fd", sign_fd("pooled"), (1.0, -1.0, -1.0)),
]


@pytest.mark.parametrize("name, options, answer", GOLDEN)
def test_answer_in_round_4(name, options, answer):
    *_, (direction, _) = play(STRATEGIES[name](**options), ROUNDS)
    assert tuple(direction.tolist()) == answer


@pytest.mark.parametrize("crossover", ["alg1", "eq17", "pooled"])
def test_sign_fd_on_the_way_there(crossover):
    played = play(STRATEGIES["sign-fd"](**sign_fd(crossover)), ROUNDS[:3])
    assert [d.tolist() for d, _ in played] == [[1, 1, 1], [-1, -1, -1], [-1, 1, 1]]
    assert played[-1][1]["crossover"] == pytest.approx(CROSSOVER_AFTER_ROUND_3)


def test_the_table_tells_all_rules_apart():
    assert {name for name, _, _ in GOLDEN} <= set(STRATEGIES)
    # On the server Election Coding is sign-mv; its code is in what the workers send.
    answers = [answer for name, _, answer in GOLDEN if name != "election"]
    # Not even their signs agree, so that no rule passes as another one's sign.
    signs = [tuple(value >= 0 for value in answer) for answer in answers]
    assert all(a != b for a, b in combinations(signs, 2))
