"""Vote by reputation: parity with ALGORITHMS.md section 7, and small rounds worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signfed.strategies.reputation_mv import ReputationMV
from signfed.strategies.sign_mv import SignMV
from tests.strategies.runs import play, random_rounds, same_bits
from tests.strategies.slow.reputation import SlowReputation

KNIFE_EDGE = 1e-5  # |score| below which float32 and fractions may fall on different sides of 0


def votes(**rows):
    """Rows as strings of + and -, by worker: votes(w0="+-+")."""
    values = {"+": 1.0, "-": -1.0}
    return {int(w[1:]): np.array([values[c] for c in row], np.float32) for w, row in rows.items()}


def voted(played):
    return "".join("+" if value > 0 else "-" for value in played[0])


@settings(max_examples=80)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 8),
    n_coordinates=st.integers(1, 12),
    absence=st.sampled_from([0.0, 0.3, 0.6]),
)
def test_parity_with_the_definition(seed, n, n_coordinates, absence):
    fast, slow = ReputationMV(), SlowReputation()
    for t, rows in enumerate(random_rounds(seed, n, n_coordinates, 8, absence), 1):
        signs = {m: [1 if g >= 0 else -1 for g in row] for m, row in rows.items()}
        ((u, found),) = play(fast, [rows], first=t)
        for answered, score in zip(u, slow.scores(signs), strict=True):
            if t == 1 or abs(score) > KNIFE_EDGE:
                assert answered == (1 if score >= 0 else -1)
        slow.count(signs, u.tolist())
        reputation = slow.reputation()
        assert found["reputation"] == pytest.approx({m: float(a) for m, a in reputation.items()})
        assert found["accepted"] == sorted(m for m, a in reputation.items() if 2 * a > 1)


def test_it_asks_for_stochastic_signs():
    assert ReputationMV().encoder == "sto-sign"


def test_round_1_is_a_majority_vote():
    for n in (1, 2, 5, 6):
        first_round = random_rounds(seed=n, n=n)[:1]
        ((decoded, _),) = play(ReputationMV(), first_round)
        ((majority, _),) = play(SignMV(), first_round)
        assert same_bits(decoded, majority)


def test_an_inverted_worker_ends_with_weight_0_and_no_influence():
    rule = ReputationMV()
    rounds = random_rounds(seed=3, n_coordinates=200, n_rounds=5)
    *_, (_, found) = play(rule, rounds[:4])
    assert found["accepted"] == [0, 1, 2, 3, 4, 5] and found["reputation"][6] < 0.5
    state = rule.state_dict()
    answers = []
    for sign in (1.0, -1.0):
        rule.load_state_dict(state)
        ((direction, _),) = play(rule, [rounds[4] | {6: sign * rounds[4][6]}], first=5)
        answers.append(direction)
    assert same_bits(*answers)


def test_an_outvoted_worker_is_silenced_and_not_read_inverted():
    """After round 1: a = 1, 1, 0. In round 2 the first two cancel out, so that it is +1: a weight
    of -1 for the third would answer -1 where it says +1."""
    first = votes(w0="++--", w1="++--", w2="--++")
    (_, found), second = play(ReputationMV(), [first, votes(w0="++--", w1="--++", w2="+-+-")])
    assert found == {"reputation": {0: 1.0, 1: 1.0, 2: 0.0}, "accepted": [0, 1]}
    assert voted(second) == "++++"


def test_half_right_is_worth_nothing():
    """a = 1, 1, 1/2; then the third is silent: with any say it would break the ties of round 2."""
    first = votes(w0="++--", w1="++--", w2="+-+-")
    (_, found), second = play(ReputationMV(), [first, votes(w0="++++", w1="----", w2="----")])
    assert found["reputation"][2] == 0.5 and found["accepted"] == [0, 1]
    assert voted(second) == "++++"


def test_a_weight_is_twice_the_reputation_less_one():
    """a = 1, 1, 3/4, 3/4, 3/4: the weights 1/2 of three others outvote a single 1, of two tie it;
    weights a would let two win."""
    first = votes(w0="++++", w1="++++", w2="+++-", w3="++-+", w4="+-++")
    second = votes(w0="+---", w2="-++-", w3="-+++", w4="-+-+")
    (_, found), played = play(ReputationMV(), [first, second])
    assert list(found["reputation"].values()) == [1.0, 1.0, 0.75, 0.75, 0.75]
    # -1.5 + 1, 1.5 - 1, 0.5 - 1, 0.5 - 1
    assert voted(played) == "-+--"
    lone = votes(w0="-", w2="+", w3="+")
    rule = ReputationMV()
    play(rule, [first])
    assert voted(play(rule, [lone], first=2)[0]) == "+"  # 1/2 + 1/2 - 1 = 0
    rule = ReputationMV()
    play(rule, [first])
    lone = votes(w0="+", w2="-", w3="-")
    assert voted(play(rule, [lone], first=2)[0]) == "+"  # 1 - 1/2 - 1/2 = 0


def test_a_reputation_is_a_fraction_of_the_rounds_that_a_worker_was_in():
    """Worker 2: 3 of 4 right, absent, then 1 of 4: a = 4/8; worker 3: 2 of 4 in its only round."""
    rounds = [
        votes(w0="++++", w1="++++", w2="+++-"),
        votes(w0="++++", w1="++++", w3="++--"),
        votes(w0="++++", w1="++++", w2="+---"),
    ]
    found = [found for _, found in play(ReputationMV(), rounds)]
    assert [f["reputation"][2] for f in found] == [0.75, 0.75, 0.5]
    assert 3 not in found[0]["reputation"] and found[2]["reputation"][3] == 0.5
    assert [f["accepted"] for f in found] == [[0, 1, 2], [0, 1, 2], [0, 1]]


def test_a_newcomer_weighs_1():
    """Against worker 2 with a = 3/4, w = 1/2."""
    first = votes(w0="++++", w1="++++", w2="+++-")
    for newcomers_vote in ("+-+-", "-+-+"):
        other = newcomers_vote.translate(str.maketrans("+-", "-+"))
        _, second = play(ReputationMV(), [first, votes(w2=other, w7=newcomers_vote)])
        assert voted(second) == newcomers_vote


def test_only_silenced_workers_hold_a_plain_vote():
    """Workers 3, 4, 5 contradict round 1's vote throughout; then nobody else is there."""
    first = votes(w0="+-", w1="+-", w2="+-", w6="+-", w3="-+", w4="-+", w5="-+")
    rule = ReputationMV()
    ((_, found),) = play(rule, [first])
    assert found["accepted"] == [0, 1, 2, 6]
    played = play(rule, [votes(w3="--", w4="-+", w5="+-")], first=2)
    assert voted(played[0]) == "--"
    # That vote counted too: worker 3 agreed in 2 of 2, so 2 of 4; the others in 1 of 2.
    assert played[0][1]["reputation"] == {0: 1, 1: 1, 2: 1, 6: 1, 3: 0.5, 4: 0.25, 5: 0.25}


def test_the_memory_follows_a_state_and_is_not_shared_with_it():
    rounds = random_rounds(seed=6, absence=0.3, n_rounds=6)
    rule, copy = ReputationMV(), ReputationMV()
    play(rule, rounds[:3])
    kept = rule.state_dict()
    before = {name: tensor.clone() for name, tensor in kept.items()}
    expected = play(rule, rounds[3:], first=4)
    assert all((kept[name] == before[name]).all() for name in before)
    copy.load_state_dict(kept)
    for (a, found_a), (b, found_b) in zip(expected, play(copy, rounds[3:], first=4), strict=True):
        assert same_bits(a, b) and found_a == found_b
