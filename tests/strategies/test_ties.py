"""What sign-mv answers where a vote is split in halves, under each of the four policies."""

import numpy as np
import pytest

from signfed.strategies.core.seeds import generator
from signfed.strategies.registry import aggregate
from signfed.strategies.sign_mv import SignMV
from tests.strategies.runs import play, random_rounds, same_bits

POLICIES = ("plus", "zero", "random", "prev")
every_policy = pytest.mark.parametrize("tie", POLICIES)


def votes(*rows):
    return {w: np.array(row, np.float32) for w, row in enumerate(rows)}


def split(n_coordinates, n=2):
    """Half of the workers +1 everywhere, the others -1."""
    return votes(*[[(-1.0) ** w] * n_coordinates for w in range(n)])


def directions(rule, rounds, first=1):
    return [direction.tolist() for direction, _ in play(rule, rounds, first=first)]


# Two votes, of which coordinates 1 and 2 are tied; all tied; four votes, coordinate 0 by 3 to 1.
ROUNDS = [
    votes([1, 1, -1, -1], [1, -1, 1, -1]),
    split(4),
    votes([-1, -1, 1, 1], [-1, -1, -1, 1], [-1, 1, -1, -1], [1, 1, 1, -1]),
]


@pytest.mark.parametrize(
    "tie, expected",
    [
        ("plus", [[1, 1, 1, -1], [1, 1, 1, 1], [-1, 1, 1, 1]]),
        ("zero", [[1, 0, 0, -1], [0, 0, 0, 0], [-1, 0, 0, 0]]),
        # +1 before the first round; round 2 repeats round 1, round 3 round 2 where it is tied
        ("prev", [[1, 1, 1, -1], [1, 1, 1, -1], [-1, 1, 1, -1]]),
    ],
)
def test_the_answer_to_a_tie(tie, expected):
    assert directions(SignMV(tie=tie), ROUNDS) == expected
    assert SignMV().tie == "plus"


def coins(seed, t, n_coordinates=4):
    """+1/-1 for each coordinate, tied or not."""
    return generator(seed, "tie", t).integers(2, size=n_coordinates) * 2.0 - 1.0


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_a_random_answer_to_a_tie_is_a_coin_of_seed_round_and_coordinate(seed):
    expected = [
        np.where([False, True, True, False], coins(seed, 1), [1, 9, 9, -1]),
        coins(seed, 2),
        np.where([False, True, True, True], coins(seed, 3), [-1, 9, 9, 9]),
    ]
    played = directions(SignMV(seed, tie="random"), ROUNDS)
    assert played == [answer.tolist() for answer in expected]
    # Whatever came before: round 3 alone answers as round 3.
    assert directions(SignMV(seed, tie="random"), ROUNDS[2:], first=3) == played[2:]


def test_the_coins_are_fair_and_differ_between_rounds_and_seeds():
    """20,000 coins: 5 standard deviations of a mean are 0.035; so do two of them agree."""
    n_coordinates = 20_000
    drawn = {
        (seed, t): np.array(directions(SignMV(seed, tie="random"), [split(n_coordinates)], t)[0])
        for seed, t in [(0, 1), (0, 2), (1, 1), (1, 2)]
    }
    for key, coin in drawn.items():
        assert set(coin) == {-1.0, 1.0} and abs(coin.mean()) < 0.035
        assert abs(np.mean(coin[1:] * coin[:-1])) < 0.036  # nor do neighbours agree
        for other, coin_then in drawn.items():
            assert other == key or abs(np.mean(coin * coin_then)) < 0.035


@pytest.mark.parametrize("n", [1, 3, 7, 15])
def test_odd_votes_have_no_ties(n):
    rounds = random_rounds(seed=n, n=n, n_coordinates=40)
    expected = play(SignMV(), rounds)
    for tie in POLICIES:
        for (a, _), (b, _) in zip(expected, play(SignMV(tie=tie), rounds), strict=True):
            assert same_bits(a, b)


@pytest.mark.parametrize("n", [2, 4, 6, 50])
def test_policies_differ_at_ties_only(n):
    random = np.random.default_rng(n)
    rounds = [votes(*random.choice([-1, 1], (n, 60))) for _ in range(4)]
    played = {tie: play(SignMV(tie=tie), rounds) for tie in POLICIES}
    n_tied = 0
    for t, rows in enumerate(rounds):
        margin = np.where(np.stack(list(rows.values())) >= 0, 1, -1).sum(axis=0)
        n_tied += (margin == 0).sum()
        for tie in POLICIES:
            direction = played[tie][t][0]
            assert direction.dtype == np.float32
            assert (direction[margin != 0] == np.sign(margin[margin != 0])).all()
        assert (played["zero"][t][0][margin == 0] == 0).all()
        assert (played["plus"][t][0][margin == 0] == 1).all()
    assert n_tied


def test_prev_repeats_the_last_direction_not_the_last_vote_that_was_decided_by_count():
    """Workers come and go: round 2 is odd and decides all; round 4 repeats what round 3 said."""
    rounds = [
        split(3),
        votes([-1, 1, -1]),
        split(3, n=6),
        votes([1, 1, 1]),
        split(3),
    ]
    expected = [[1, 1, 1], [-1, 1, -1], [-1, 1, -1], [1, 1, 1], [1, 1, 1]]
    assert directions(SignMV(tie="prev"), rounds) == expected


def test_only_prev_has_a_memory_and_it_can_be_moved():
    for tie in POLICIES:
        rule = SignMV(tie=tie)
        assert rule.state_dict() == {}
        play(rule, [votes([-1, 1], [-1, 1])])
        assert set(rule.state_dict()) == ({"last"} if tie == "prev" else set())
    rule = SignMV(tie="prev")
    play(rule, [votes([-1, 1], [-1, 1])])
    kept = rule.state_dict()
    assert kept["last"].tolist() == [-1, 1]
    play(rule, [votes([1, -1], [1, -1])], first=2)
    assert kept["last"].tolist() == [-1, 1]  # a copy
    moved = SignMV(tie="prev")
    moved.load_state_dict(kept)
    assert directions(moved, [split(2)], first=2) == [[-1, 1]]


@every_policy
def test_a_matrix_is_answered_as_in_round_1(tie):
    matrix = np.array([[0.5, -2.0, 3.0, 1.0], [9.0, -0.1, -3.0, -1.0]])
    tied = {"plus": [1, 1], "prev": [1, 1], "zero": [0, 0], "random": coins(5, 1)[2:].tolist()}
    assert aggregate("sign-mv", matrix, seed=5, tie=tie).tolist() == [1, -1, *tied[tie]]


@pytest.mark.parametrize("tie", ["", "minus", "Plus"])
def test_an_unknown_policy_is_refused(tie):
    with pytest.raises(ValueError, match=r"^tie: expected one of plus, zero, random, prev"):
        SignMV(tie=tie)
