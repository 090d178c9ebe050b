from copy import deepcopy
from itertools import product
from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from signfed.strategies.core.crossover import BY_COORDINATE, ESTIMATORS, alg1
from signfed.strategies.core.llr_vote import log_likelihood_ratio
from signfed.strategies.core.reliability import Record, accepted
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.sign_fd import SignFD
from signfed.strategies.sign_mv import SignMV
from tests.strategies.reference import SlowSignFD, llr
from tests.strategies.runs import play, random_rounds, same_bits

KNIFE_EDGE = 1e-4  # |score| below which float32 and float64 may round to different sides of 0


def votes(*rows):
    return {w: np.array(row, np.float32) for w, row in enumerate(rows) if row is not None}


@settings(max_examples=150)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 6),
    n_coordinates=st.integers(1, 10),
    initial_rounds=st.integers(1, 6),
    estimator=st.sampled_from(list(ESTIMATORS)),
    absence=st.sampled_from([0.0, 0.3]),
)
def test_parity_with_the_paper(seed, n, n_coordinates, initial_rounds, estimator, absence):
    fast, slow = SignFD(estimator, initial_rounds), SlowSignFD(initial_rounds, estimator)
    for t, rows in enumerate(random_rounds(seed, n, n_coordinates, 9, absence), 1):
        ((decoded, found),) = play(fast, [rows], first=t)
        signs = {m: [1 if g >= 0 else -1 for g in row] for m, row in rows.items()}
        for u, score in zip(decoded, slow.score(signs, t), strict=True):
            if t == 1 or abs(score) > KNIFE_EDGE:
                assert u == (1 if score >= 0 else -1)
        slow.count(signs, decoded.tolist(), t)
        assert found["crossover"] == pytest.approx(slow.crossovers(), abs=1e-12)


@pytest.mark.parametrize("estimator", ["alg1", "eq17"])
def test_weights_are_pooled_until_one_round_after_the_initial_ones(estimator):
    rounds = random_rounds(seed=3, n=5, n_coordinates=40, n_rounds=9)

    def decoded(initial_rounds, estimator):
        return [d.tolist() for d, _ in play(SignFD(estimator, initial_rounds), rounds)]

    pooled = decoded(2, "pooled")
    for initial_rounds in (1, 2, 4):
        found = decoded(initial_rounds, estimator)
        assert found[: initial_rounds + 1] == pooled[: initial_rounds + 1]
        assert found != pooled


@pytest.mark.parametrize("estimator", ["alg1", "eq17"])
def test_the_initial_rounds_may_be_plain_votes(estimator):
    """Rounds 1..T_in+1 are then signSGD-MV's; with weights these rows are decoded otherwise."""
    rounds = random_rounds(seed=3, n=5, n_coordinates=40, n_rounds=6)
    plain = SignFD(estimator, initial_rounds=3, initial_vote="plain")
    found = [decoded.tolist() for decoded, _ in play(plain, rounds)]
    voted = [decoded.tolist() for decoded, _ in play(SignMV(), rounds)]
    weighted = [decoded.tolist() for decoded, _ in play(SignFD(estimator, 3), rounds)]
    assert found[:4] == voted[:4] != weighted[:4]
    assert found[4:] != voted[4:]


def test_round_1_is_a_majority_vote():
    for n in (1, 2, 5, 6):
        first_round = random_rounds(seed=n, n=n)[:1]
        ((decoded, _),) = play(SignFD("pooled"), first_round)
        ((voted, _),) = play(SignMV(), first_round)
        assert same_bits(decoded, voted)


@pytest.mark.parametrize("weight", [1.0, 0.3, 10.0])
def test_equal_weights_are_a_majority_vote(weight):
    matrix = torch.tensor(np.random.default_rng(0).standard_normal((6, 50)), dtype=torch.float32)
    updates = Updates.from_matrix(matrix, signs=True)
    decoded = updates.signs().weighted_vote(torch.full((6,), weight)).dense()
    assert torch.equal(decoded, SignMV().aggregate(updates))


@pytest.mark.parametrize("seed", range(20))
def test_true_weights_decode_the_most_likely_signs(seed):
    """Against every possible U, by its likelihood given all workers' bits."""
    random = np.random.default_rng(seed)
    p = random.uniform(0.05, 0.95, 5)
    matrix = random.choice([-1.0, 1.0], (5, 4))

    def likelihood(u):
        return prod(1 - p[m] if matrix[m, n] == u[n] else p[m] for m in range(5) for n in range(4))

    most_likely = max(product([1.0, -1.0], repeat=4), key=likelihood)
    updates = Updates.from_matrix(torch.tensor(matrix), signs=True)
    true_llr = torch.tensor(np.log((1 - p) / p), dtype=torch.float32)
    decoded = updates.signs().weighted_vote(true_llr).dense()
    assert tuple(decoded.tolist()) == most_likely


def test_an_inverted_worker_is_read_inverted():
    """p -> 1 - p turns w into -w: an inverter with a known p does no harm at all."""
    random = np.random.default_rng(1)
    p = torch.tensor(random.uniform(0.05, 0.45, 7))
    matrix = torch.tensor(random.standard_normal((7, 40)))
    turned = torch.tensor([1.0, -1, 1, -1, -1, 1, -1])  # 4 of 7
    true_llr = log_likelihood_ratio(p).float()
    their_llr = log_likelihood_ratio(torch.where(turned < 0, 1 - p, p)).float()
    torch.testing.assert_close(their_llr, true_llr * turned)
    honest = Updates.from_matrix(matrix, signs=True)
    inverted = Updates.from_matrix(matrix * turned[:, None], signs=True)
    decoded = honest.signs().weighted_vote(true_llr).dense()
    assert torch.equal(inverted.signs().weighted_vote(their_llr).dense(), decoded)
    assert not torch.equal(SignMV().aggregate(inverted), decoded)


def test_a_coin_flipper_counts_as_absent():
    rows = random_rounds(seed=3)[0]
    coin = log_likelihood_ratio(torch.tensor(0.5, dtype=torch.float64)).float()
    assert coin == 0.0
    matrix = torch.from_numpy(np.stack(list(rows.values())))
    with_it = Updates.from_matrix(matrix, signs=True)
    without = Updates.from_matrix(matrix[1:], signs=True)
    others = torch.tensor([0.2, 0.3, 0.5, 0.7, 1.1, 1.3])
    assert torch.equal(
        with_it.signs().weighted_vote(torch.cat([coin[None], others])).dense(),
        without.signs().weighted_vote(others).dense(),
    )


def test_llr_is_odd_bounded_and_finite():
    p = torch.linspace(0, 1, 1001, dtype=torch.float64)
    w = log_likelihood_ratio(p)
    torch.testing.assert_close(w, -w.flip(0))
    assert w[0] == 10.0 and w[-1] == -10.0  # p = 0 and 1: unbounded without eps and the clip
    assert (w.diff() <= 0).all() and w[750] < 0 < w[250]
    assert log_likelihood_ratio(p, max_llr=2.0).abs().max() == 2.0
    assert log_likelihood_ratio(torch.tensor(0.0), eps=0.1) == pytest.approx(np.log(11))
    assert w[300] == pytest.approx(llr(0.3))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_missing_workers_record_does_not_move(estimator):
    rule = SignFD(estimator, 2)
    rounds = random_rounds(seed=4)
    play(rule, rounds[:4])
    before = deepcopy(rule.state_dict())
    scalars = list(before["records"][2])
    absent = [{w: row for w, row in rows.items() if w != 2} for rows in rounds[4:]]
    _, (_, found) = play(rule, absent, first=5)
    after = rule.state_dict()
    assert list(after["records"][2]) == scalars
    assert list(after["records"][3]) != list(before["records"][3])
    if estimator in BY_COORDINATE:
        assert torch.equal(after["counts.2"], before["counts.2"])
        assert not torch.equal(after["counts.3"], before["counts.3"])
    assert found["crossover"][2] == pytest.approx(int(scalars[2]) / (4 * 13))


def test_what_is_remembered_follows_the_workers_id():
    rounds = random_rounds(seed=5, absence=0.3)
    renumber = [6, 2, 0, 5, 1, 4, 3]
    renumbered = [{renumber[w]: row for w, row in rows.items()} for rows in rounds]
    *_, (_, found) = play(SignFD("eq17", 2), rounds)
    *_, (_, found_again) = play(SignFD("eq17", 2), renumbered)
    assert found_again["crossover"] == {renumber[w]: p for w, p in found["crossover"].items()}
    assert found_again["accepted"] == sorted(renumber[w] for w in found["accepted"])


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("joins", [2, 3, 4])
def test_a_worker_that_was_never_counted_has_no_say_yet_and_is_counted(estimator, joins):
    """Worker 0 agrees with the vote in 2 of 4 coordinates, and weighs 0; worker 1 decides alone.

    max_llr = 0.5: a newcomer with a weight of 1 would outvote it.
    """
    rule = SignFD(estimator, 1, max_llr=0.5)
    known, newcomer = votes((1, -1, 1, -1))[0], votes((1, 1, -1, -1))[0]
    play(rule, [{1: known}] * (joins - 1))
    (first, found), (second, _) = play(rule, [{0: newcomer, 1: known}] * 2, first=joins)
    assert first.tolist() == second.tolist() == [1, -1, 1, -1]
    assert rule._published.records[0].rounds == 2 and found["crossover"] == {0: 0.5, 1: 0.0}


def test_nobody_known_is_a_majority_vote_again():
    """Round 2 with newcomers only: weight 0 for all would answer +1 everywhere."""
    rule = SignFD("pooled")
    play(rule, [votes((1, 1, 1))])
    ((decoded, _),) = play(rule, [{4: votes((-1, 1, -1))[0]}], first=2)
    assert decoded.tolist() == [-1, 1, -1]


def test_counts_are_read_as_16_bits_without_sign():
    """Of 60,000 rounds: outvoted in more than half of them is read inverted."""
    counts = np.array([0, 20_000, 32_767, 32_768, 40_000, 60_000], np.uint16)
    values = torch.arange(60_001, dtype=torch.float64)
    weights = log_likelihood_ratio(alg1([Record(rounds=60_000)], values[None], 6)).float()
    assert weights[0, [20_000, 40_000]].tolist() == pytest.approx([llr(1 / 3), llr(2 / 3)])
    moved = torch.from_numpy(counts.view(np.int16).copy())
    decoded = PackedSigns.pack(torch.ones(1, 6)).vote_and_count([moved], weights)
    assert decoded.dense().tolist() == [1, 1, -1, -1, -1, -1]
    assert (moved.numpy().view(np.uint16) - counts).tolist() == [0, 0, 1, 1, 1, 1]


def test_a_count_goes_on_past_32767():
    rule = SignFD("alg1", 1)
    nearly_full, empty = torch.tensor([[32767], [0]], dtype=torch.int16)
    rule._published.records = {
        0: Record(rounds=40000, disagreements=32767, counts=nearly_full),
        1: Record(rounds=40000, counts=empty),
    }
    play(rule, [votes((-1,), (1,))] * 3, first=40001)
    assert rule._published.records[0].counts.numpy().view(np.uint16).tolist() == [32770]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_more_rounds_than_a_count_holds_are_refused(estimator):
    rule = SignFD(estimator=estimator)
    rule.check(15, 65_535)
    if estimator not in BY_COORDINATE:
        return rule.check(15, 65_536)
    with pytest.raises(ValueError, match="at most 65535 rounds, got 65536"):
        rule.check(15, 65_536)


@pytest.mark.parametrize(
    "options, text",
    [
        ({"initial_rounds": 0}, "initial_rounds: expected a whole number of at least 1"),
        ({"estimator": "eq18"}, "one of agreement, pooled, alg1, eq17"),
        ({"forget": 0.0}, r"forget: expected a number in \(0, 1\]"),
        ({"forget": 1.1}, r"forget: expected a number in \(0, 1\]"),
        ({"eps": 0.0}, "eps: expected a number above 0"),
        ({"max_llr": -1.0}, "max_llr: expected a number above 0"),
        ({"eps": float("nan")}, "eps: expected a number above 0"),
    ],
)
def test_impossible_options_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        SignFD(**options)


def channel(p, seed, n_rounds=60, n_coordinates=2000):
    """(U, Y) by round: random true signs, each worker wrong in a share p_m of the coordinates."""
    random = np.random.default_rng(seed)
    for _ in range(n_rounds):
        truth = random.choice([-1.0, 1.0], n_coordinates)
        flips = random.random((len(p), n_coordinates)) < p[:, None]
        yield truth, votes(*np.where(flips, -truth, truth))


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("inverted", [[], [1, 3, 6, 8, 11, 13]], ids=["honest", "6 inverted"])
def test_crossover_probabilities_are_learned(estimator, inverted):
    """From 60 rounds of 2,000 coordinates; what is left is mostly U's own errors."""
    p = np.linspace(0.1, 0.4, 15)
    p[inverted] = 1 - p[inverted]
    rule, wrong = SignFD(estimator, 20), []
    for t, (truth, rows) in enumerate(channel(p, seed=0), 1):
        ((decoded, found),) = play(rule, [rows], first=t)
        wrong.append(np.mean(decoded != truth))
    assert list(found["crossover"].values()) == pytest.approx(p, abs=0.01)
    assert wrong[0] > 0.012  # the majority vote, 0.3 with six inverted
    assert np.mean(wrong[1:20]) < 0.012


def test_few_workers_look_better_than_they_are():
    """U follows its voters: of 5 workers with p = 0.3, each is outvoted less often than that.

    That is when at most one of the other 4 is on its side, be it right (0.7) or wrong (0.3):
    0.7 (0.3^4 + 4 0.7 0.3^3) + 0.3 (0.7^4 + 4 0.3 0.7^3) = 0.0586 + 0.1955 = 0.2541
    """
    rule = SignFD(estimator="pooled")
    for t, (_, rows) in enumerate(channel(np.full(5, 0.3), seed=1, n_rounds=20), 1):
        ((_, found),) = play(rule, [rows], first=t)
    assert list(found["crossover"].values()) == pytest.approx([0.2541] * 5, abs=0.01)


HONEST = [0.21, 0.24, 0.19, 0.22, 0.2, 0.23, 0.18, 0.25, 0.2]


@pytest.mark.parametrize(
    "crossover, expected",
    [
        pytest.param([0.8, 0.78, 0.81, *HONEST], range(3, 12), id="inverted"),
        pytest.param([0.5, 0.51, *HONEST], range(2, 11), id="coin flippers"),
        pytest.param(HONEST, range(9), id="all honest"),
        pytest.param([0.1] * 5, range(5), id="all alike"),
        pytest.param([0.3], range(1), id="alone"),
        # median 0.13, distances 0.03 0.01 0.01 0.17, their median 0.02: 0.13 + 6 x 1.4826 x 0.02
        pytest.param([0.10, 0.12, 0.14, 0.30], range(4), id="just below 0.308"),
        pytest.param([0.10, 0.12, 0.14, 0.31], range(3), id="just above 0.308"),
        # no spread at all: the margin of 0.05 decides
        pytest.param([0.10, 0.10, 0.10, 0.149], range(4), id="within the margin"),
        pytest.param([0.10, 0.10, 0.10, 0.151], range(3), id="beyond the margin"),
        pytest.param([0.0, 0.3, 0.3, 0.31, 0.29], range(5), id="too good is no fault"),
        # the limit would be 0.3 + 6 x 1.4826 x 0.1 > 1: outvoted in most bits decides
        pytest.param([0.1, 0.2, 0.3, 0.4, 0.51], range(4), id="more often than not"),
    ],
)
def test_accepted(crossover, expected):
    assert accepted(dict(enumerate(crossover))) == list(expected)


def test_a_kept_state_does_not_move_with_the_rule():
    rule = SignFD("alg1", 1)
    first, later = random_rounds(seed=8, n_rounds=6)[:3], random_rounds(seed=9, n_rounds=6)[:3]
    play(rule, first)
    kept = rule.state_dict()
    before = {name: tensor.clone() for name, tensor in kept.items()}
    play(rule, later, first=4)
    assert all(torch.equal(kept[name], before[name]) for name in before)
