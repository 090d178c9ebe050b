"""Election Coding by brute force: coordinate k of every update below is one of the 2^n messages."""

from itertools import combinations, product

import numpy as np
import pytest

from signfed.clients import CodedGradients
from signfed.strategies.bounds.election import det_redundancy
from signfed.strategies.core.allocation import bernoulli_matrix, deterministic_matrix, from_bytes
from signfed.strategies.registry import STRATEGIES, aggregate
from tests.strategies.runs import updates_of
from tests.strategies.slow import election as slow

CODES = [(n, b) for n in (3, 5, 7, 9) for b in range((n - 1) // 2 + 1)]


def messages(n):
    """All signs that n partitions can have: float32 [n, 2^n], partition by coordinate."""
    return np.array(list(product([1.0, -1.0], repeat=n)), np.float32).T


def local_votes(matrix, signs, **options):
    """c_i of every worker, float32 [n, N], from partitions with these signs."""
    coded = CodedGradients(lambda _, partition, server_round: signs[partition], matrix, **options)
    return np.stack([coded(signs[0], worker, 1) for worker in range(len(matrix))])


def election(n, b, **options):
    rule = STRATEGIES["election"](n_byzantine=b, **options)
    rule.instructions(n)
    return rule


def decode(rule, rows):
    return rule.aggregate(updates_of(rule, rows, 1)).numpy()


def answers(n, b, byzantine, attack, missing=()):
    """The server's vote on all messages when these workers attack and those send nothing."""
    signs = messages(n)
    rows = dict(enumerate(local_votes(deterministic_matrix(n, b), signs)))
    for worker in byzantine:
        rows[worker] = attack(rows[worker], np.sign(signs.sum(0)))
    return decode(election(n, b), {w: row for w, row in rows.items() if w not in missing})


def flip(vote, truth):
    return -vote


def against_the_truth(vote, truth):
    """The worst that one worker can do to a majority: it never helps by mistake, as a flip may."""
    return -truth


def truth(n):
    return np.sign(messages(n).sum(0))


@pytest.mark.parametrize("attack", [flip, against_the_truth])
@pytest.mark.parametrize("n, b", CODES)
def test_no_b_byzantine_workers_change_any_message(n, b, attack):
    for byzantine in combinations(range(n), b):
        assert np.array_equal(answers(n, b, byzantine, attack), truth(n)), byzantine


@pytest.mark.parametrize("attack", [flip, against_the_truth])
@pytest.mark.parametrize("n, b", CODES)
def test_some_b_plus_1_byzantine_workers_change_some_message(n, b, attack):
    broken = [
        byzantine
        for byzantine in combinations(range(n), b + 1)
        if not np.array_equal(answers(n, b, byzantine, attack), truth(n))
    ]
    assert broken


@pytest.mark.parametrize("n, b", [(5, 1), (5, 2), (7, 2), (7, 3)])
def test_a_missing_worker_does_no_more_harm_than_a_byzantine_one(n, b):
    for gone in range(b + 1):
        for silent in combinations(range(n), b):
            byzantine, missing = silent[gone:], silent[:gone]
            answered = answers(n, b, byzantine, against_the_truth, missing)
            assert np.array_equal(answered, truth(n)), (byzantine, missing)


def test_a_code_for_fewer_than_there_are_fails_and_one_for_more_holds():
    exact = {
        assumed: all(
            np.array_equal(answers(7, assumed, byzantine, flip), truth(7))
            for byzantine in combinations(range(7), 2)
        )
        for assumed in range(4)
    }
    assert exact == {0: False, 1: False, 2: True, 3: True}


@pytest.mark.parametrize("n, b", CODES)
def test_lemma_2(n, b):
    """At most (n-1)/2 - b rows are outvoted, whichever (n-1)/2 partitions are wrong."""
    matrix = deterministic_matrix(n, b).astype(int)
    for wrong in combinations(range(n), (n - 1) // 2):
        outvoted = 2 * matrix[:, wrong].sum(1) > matrix.sum(1)
        assert outvoted.sum() <= (n - 1) // 2 - b


def test_the_matrix_of_the_paper():
    assert deterministic_matrix(5, 1).tolist() == [
        [1, 0, 0, 0, 0],
        [0, 1, 1, 1, 0],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1],
    ]


def test_windows_overlap_in_b_columns():
    """n = 11, b = 2: s = 3 single rows, L = floor(12 / 6) = 2 windows of 2 b + 1 = 5."""
    assert deterministic_matrix(11, 2)[2:6].tolist() == [
        [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    ]


REDUNDANCY = {
    (5, 1): 3.8,
    (7, 1): 4.143,
    (7, 2): 5.857,
    (9, 1): 5.0,
    (9, 2): 6.778,
    (9, 3): 7.889,
}


@pytest.mark.parametrize("n, b", CODES)
def test_redundancy_is_that_of_theorem_3(n, b):
    matrix = deterministic_matrix(n, b)
    assert matrix.dtype == np.int8 and matrix.shape == (n, n) and set(matrix.flat) <= {0, 1}
    assert not (matrix.sum(1) % 2 == 0).any()  # an even row could tie
    assert matrix.sum() / n == pytest.approx(det_redundancy(n, b), abs=1e-12)
    if (n, b) in REDUNDANCY:
        assert matrix.sum() / n == pytest.approx(REDUNDANCY[n, b], abs=5e-4)


@pytest.mark.parametrize("n", [1, 3, 5, 7, 9, 27])
def test_the_ends_are_no_code_and_everything_to_everyone(n):
    assert np.array_equal(deterministic_matrix(n, 0), np.eye(n))
    assert np.array_equal(deterministic_matrix(n, (n - 1) // 2), np.ones((n, n)))


@pytest.mark.parametrize("n", [2, 4, 14])
def test_an_even_number_of_workers_is_refused(n):
    for refused in (
        lambda: deterministic_matrix(n, 0),
        lambda: STRATEGIES["election"]().check(n, 10),
    ):
        with pytest.raises(ValueError, match=f"odd number of workers, got {n}"):
            refused()


@pytest.mark.parametrize("n, b", [(5, 3), (5, -1), (1, 1), (9, 5)])
def test_a_code_for_too_many_byzantine_workers_is_refused(n, b):
    for refused in (
        lambda: deterministic_matrix(n, b),
        lambda: STRATEGIES["election"](n_byzantine=b).check(n, 10),
    ):
        with pytest.raises(ValueError, match=rf"needs 0 <= b <= {(n - 1) // 2}, got {b}"):
            refused()


def bernoulli(n, redundancy, seed, resample):
    return bernoulli_matrix(n, redundancy, np.random.default_rng(seed), resample)


@pytest.mark.parametrize("n, redundancy", [(5, 2.5), (9, 2.0), (9, 3.0), (15, 3.0)])
def test_mean_redundancy_of_bernoulli_matrices(n, redundancy):
    """r as drawn; r / (1 - (1 - r/n)^n) given that no row is empty.

    The mean of a matrix has a standard deviation below sqrt(r (1 - r/n) / n), here below 0.5.
    """
    draws = 2000
    given_no_empty_row = redundancy / (1 - (1 - redundancy / n) ** n)
    for resample, expected in ((False, redundancy), (True, given_no_empty_row)):
        drawn = np.stack([bernoulli(n, redundancy, seed, resample) for seed in range(draws)])
        assert drawn.dtype == np.int8 and set(drawn.flat) == {0, 1}
        assert drawn.sum() / (n * draws) == pytest.approx(expected, abs=5 * 0.5 / draws**0.5)
        # Every cell alike: 2000 coins, 5 standard deviations.
        assert drawn.mean(0) == pytest.approx(np.full((n, n), expected / n), abs=0.056)
        assert drawn.any(axis=2).all() == resample


def test_bernoulli_matrices_at_their_limits():
    assert bernoulli(5, 5, 0, True).all()
    assert not bernoulli(5, 1e-12, 0, False).any()
    for redundancy in (0.0, -1.0, 5.1, np.nan):
        with pytest.raises(ValueError, match=r"expected a number in \(0, 5\], got"):
            bernoulli(5, redundancy, 0, True)
    with pytest.raises(ValueError, match=r"more than 0.1 for 5 workers, or resample=False"):
        bernoulli(5, 0.1, 0, True)


def test_one_seed_one_matrix():
    def matrix(seed):
        return STRATEGIES["election"](seed=seed, code="bernoulli").matrix(9).tolist()

    assert matrix(3) == matrix(3)
    assert len({str(matrix(seed)) for seed in range(5)}) == 5


def test_resampling_is_an_option_of_the_rule():
    empty = {
        resample: any(
            not rule.matrix(9).any(axis=1).all()
            for seed in range(10)
            for rule in [STRATEGIES["election"](0, seed, "bernoulli", 1.5, resample)]
        )
        for resample in (True, False)
    }
    assert empty == {True: False, False: True}


@pytest.mark.parametrize("options", [{"n_byzantine": 2}, {"code": "bernoulli", "seed": 4}])
def test_workers_are_told_the_matrix_and_the_noise(options):
    rule = STRATEGIES["election"](noise=0.25, **options)
    told = rule.instructions(7)
    bits = np.unpackbits(np.frombuffer(told["allocation"], np.uint8), bitorder="little")
    assert len(bits) == 56 and not bits[49:].any()
    assert np.array_equal(bits[:49].reshape(7, 7), rule.matrix(7))
    assert np.array_equal(from_bytes(told["allocation"], 7), rule.matrix(7))
    assert told["noise"] == 0.25 and told["tie"] == "plus"
    assert set(told) == {"allocation", "noise", "tie"}


@pytest.mark.parametrize("missing, spare", [((), 2), ((0,), 1), ((3, 4), 0), ((1, 2, 6), -1)])
def test_a_missing_worker_counts_against_the_spare(missing, spare):
    rule = election(7, 2)
    rows = {w: np.ones(4, np.float32) for w in range(7) if w not in missing}
    decode(rule, rows)
    assert rule.diagnostics() == {"redundancy": pytest.approx(5.857, abs=5e-4), "spare": spare}


def test_the_bernoulli_code_reports_what_it_drew_and_promises_nothing():
    rule = election(9, 2, code="bernoulli", redundancy=2.5, seed=6)
    decode(rule, {w: np.ones(4, np.float32) for w in range(6)})
    drawn = rule.matrix(9).sum() / 9
    assert rule.diagnostics() == {"redundancy": drawn} and drawn != 2.5


@pytest.mark.parametrize(
    "options, text",
    [
        ({"code": "hamming"}, "code: expected one of deterministic, bernoulli; got 'hamming'"),
        ({"tie": "prev"}, "tie: expected one of plus, random, zero; got 'prev'"),
        ({"noise": -0.1}, "noise: expected a finite number of at least 0; got -0.1"),
        ({"noise": np.nan}, "noise: expected a finite number of at least 0"),
        ({"noise": np.inf}, "noise: expected a finite number of at least 0"),
    ],
)
def test_options_out_of_range(options, text):
    with pytest.raises(ValueError, match=text):
        STRATEGIES["election"](**options)


def noisy_partitions(truth, n_coordinates, draws, q=0.3, n=15):
    """Partition signs, each wrong with probability q: float32 [n, N]."""
    wrong = draws.random((n, n_coordinates)) < q
    return np.where(wrong, -truth, truth).astype(np.float32)


@pytest.mark.parametrize(
    "truth, expected",
    [
        pytest.param(1, 0.162, id="wrong"),
        # A local tie is +1, which is an error where the truth is -1.
        pytest.param(-1, 0.162 + 0.264, id="wrong or tied"),
    ],
)
def test_local_votes_of_a_sparse_code_are_poor(truth, expected):
    """n = 15, r = 2, q = 0.3, empty rows included; 4 standard errors of 15,000 row weights."""
    draws, errors = np.random.default_rng(15), []
    for seed in range(1000):
        signs = noisy_partitions(truth, 20, draws)
        errors.append((local_votes(bernoulli(15, 2.0, seed, False), signs) != truth).mean())
    assert np.mean(errors) == pytest.approx(expected, abs=0.01)


def test_a_sparse_code_still_beats_the_plain_vote_under_attack():
    """6 of 15 reversed, q = 0.3: one vote errs with 0.364, r = 3 with 0.219 + 0.107 ties.

    Counted over both truths, so that ties, which are +1 here, err in half of the cases.
    """
    draws = np.random.default_rng(6)
    errors = {"plain": [], "coded": []}
    for seed in range(300):
        truth = draws.choice([-1.0, 1.0], 100).astype(np.float32)
        signs = noisy_partitions(truth, 100, draws)
        byzantine = draws.choice(15, 6, replace=False)
        rule = election(15, 6, code="bernoulli", redundancy=3.0, seed=seed, resample=False)
        for name, matrix in (("plain", np.eye(15, dtype=np.int8)), ("coded", rule.matrix(15))):
            votes = local_votes(matrix, signs)
            votes[byzantine] *= -1
            errors[name].append((decode(rule, dict(enumerate(votes))) != truth).mean())
    assert np.mean(errors["plain"]) == pytest.approx(0.364, abs=0.012)  # 4 standard errors
    assert np.mean(errors["coded"]) < 0.364 - 0.05


def test_on_a_bare_matrix_it_is_the_majority_vote_of_the_rows():
    """The code is in what the workers send: the server's half knows nothing of it."""
    for n in (7, 8):
        matrix = np.random.default_rng(n).standard_normal((n, 50)).astype(np.float32)
        plain = aggregate("sign-mv", matrix)
        for options in ({}, {"n_byzantine": 3}, {"code": "bernoulli", "seed": 1}):
            assert np.array_equal(aggregate("election", matrix, **options), plain)


@pytest.mark.parametrize("tie", ["plus", "random", "zero"])
@pytest.mark.parametrize("n", [4, 5, 8])
def test_a_round_is_that_of_the_definition(n, tie):
    """Gradients with exact zeros, rows of an even weight, an even number of workers."""
    gradients = np.random.default_rng(n).integers(-1, 2, (n, 200)).astype(np.float32)
    rule = election(n, 1, code="bernoulli", seed=n, tie=tie)
    rows = local_votes(rule.matrix(n), gradients, seed=n, tie=tie)
    rows[0] *= -1
    found = decode(rule, dict(enumerate(rows)))
    expected = slow.local_votes(rule.matrix(n), gradients.tolist(), tie, n, 1)
    expected[0] = [-value for value in expected[0]]
    assert found.tolist() == slow.server_vote(expected, tie, n, 1)
    assert (0 in found) == (tie == "zero")


def test_the_tie_rules_by_hand():
    """Four workers hold two partitions each; coordinates 0 and 1 are tied among these.

    Partition signs: 0 + + + -, 1 - - + -, 2 + 0 + -, 3 - 0 + -. Worker 0 holds 0 and 1, worker 1
    holds 2 and 3, worker 2 holds 0 and 2, worker 3 holds 1 and 3.
    """
    gradients = np.float32([[1, 1, 1, -1], [-1, -1, 1, -1], [1, 0, 1, -1], [-1, 0, 1, -1]])
    holds = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1]])
    golden = {
        "plus": ([[1, 1], [1, 1], [1, 1], [-1, 1]], [1, 1, 1, -1]),
        "zero": ([[0, 0], [0, 0], [1, 1], [-1, -1]], [0, 0, 1, -1]),
        "random": ([[1, 1], [-1, -1], [1, -1], [-1, -1]], [-1, -1, 1, -1]),
    }
    for tie, (votes, direction) in golden.items():
        rows = local_votes(holds, gradients, seed=2, tie=tie)
        assert rows[:, :2].tolist() == votes, tie
        assert rows[:, 2:].tolist() == [[1, -1]] * 4
        rule = STRATEGIES["election"](seed=2, code="bernoulli", tie=tie)
        assert decode(rule, dict(enumerate(rows))).tolist() == direction, tie


def test_only_an_abstention_needs_more_than_a_bit():
    def encoder(tie):
        return STRATEGIES["election"](tie=tie).encoder

    assert [encoder(tie) for tie in ("plus", "random", "zero")] == ["sign", "sign", "float32"]


def test_a_row_that_abstains_counts_by_its_signs_alone():
    rule = STRATEGIES["election"](code="bernoulli", tie="zero")
    rows = {0: np.float32([1, 0, 0, -1]), 1: np.float32([-1e30, 1e-30, 0, 1]), 2: np.ones(4) * 5}
    assert decode(rule, {w: np.float32(row) for w, row in rows.items()}).tolist() == [1, 1, 1, 1]
