"""SignGuard and its variants: parity with Algorithm 2, and how they behave under attack.

How the table of the authors' similarity is read where it is ambiguous is in slow/signguard.py.
"""

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from signfed.strategies.core.options import OptionError
from signfed.strategies.core.seeds import generator
from signfed.strategies.registry import aggregate
from signfed.strategies.signguard import SignGuard
from signfed.strategies.signguard_dist import SignGuardDist
from signfed.strategies.signguard_sim import SignGuardSim
from tests.strategies.gradients import (
    RULES,
    call,
    called_slowly,
    federation,
    mixed_rounds,
    slow_of,
)

every_rule = pytest.mark.parametrize("rule_class", RULES)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """On a busy machine, scikit-learn's and PyTorch's threads wait for each other by spinning."""
    with threadpool_limits(1):
        yield


def assert_parity(rule_class, seed, n, n_coordinates, options):
    fast, slow = rule_class(seed % 7, **options), slow_of(rule_class, seed=seed % 7, **options)
    for t, (ids, rows) in enumerate(mixed_rounds(seed, n, n_coordinates, 2), 1):
        direction, accepted = call(fast, rows, t, ids)
        expected, expected_accepted = called_slowly(slow, rows, t, ids)
        if expected_accepted is not None and accepted != expected_accepted:  # None: M = 0
            assert slow.on_a_knife_edge()
            break
        np.testing.assert_allclose(direction, expected, rtol=1e-5, atol=1e-6 * np.abs(rows).max())
        norms = {i: np.linalg.norm(row.astype(float)) for i, row in zip(ids, rows, strict=True)}
        assert fast.diagnostics()["norms"] == pytest.approx(norms)


OPTIONS = {
    "components": ["filter,cluster,clip", "cluster", "filter,cluster", "clip"],
    "coordinates": ["random", "window"],
    "fraction": [0.1, 0.37, 1.0],
    "scaling": ["raw", "max"],
}
SIMILARITY = {"similarity": ["paper", "authors"]}


def drawn_options(rule_class):
    """A rule and one value for each of its options."""
    declared = OPTIONS if rule_class is SignGuard else OPTIONS | SIMILARITY
    options = st.fixed_dictionaries({k: st.sampled_from(v) for k, v in declared.items()})
    return st.tuples(st.just(rule_class), options)


# Not shrunk: a failing example is as good as the next one, and each takes its time.
@settings(max_examples=25, phases=[Phase.generate])
@given(
    rule=st.sampled_from(list(RULES)).flatmap(drawn_options),
    seed=st.integers(0, 2**32 - 1),
    n=st.one_of(st.integers(3, 12), st.sampled_from([20, 60])),
    n_coordinates=st.integers(150, 260),
)
def test_parity_with_algorithm_2(rule, seed, n, n_coordinates):
    rule_class, options = rule
    assert_parity(rule_class, seed, n, n_coordinates, options)


@every_rule
@pytest.mark.parametrize("option, value", [(k, v) for k, vs in OPTIONS.items() for v in vs[1:]])
def test_parity_option_by_option(rule_class, option, value):
    for seed in range(3, 6):
        assert_parity(rule_class, seed, 10, 178, {option: value})


@pytest.mark.parametrize("rule_class", [SignGuardSim, SignGuardDist])
def test_parity_with_the_authors_similarity(rule_class):
    for seed in range(3, 6):
        assert_parity(rule_class, seed, 10, 178, {"similarity": "authors"})


def test_only_the_variants_have_a_similarity():
    with pytest.raises(OptionError, match="signguard has no option 'similarity'"):
        aggregate("signguard", np.ones((5, 3)), similarity="paper")


@pytest.mark.parametrize("rule_class", [SignGuardSim, SignGuardDist])
@pytest.mark.parametrize("similarity", ["paper", "authors"])
def test_parity_where_only_the_similarity_speaks(rule_class, similarity):
    """Rows (v, -v): half of the signs are positive whatever v is.

    With nothing to compare with in round 1, the few rows make it matter that the median is over the
    others only.
    """
    options = {"fraction": 1.0, "similarity": similarity}
    told_apart = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        n = int(random.integers(4, 9))
        fast, slow = rule_class(**options), slow_of(rule_class, **options)
        for t in (1, 2):
            rows = federation(seed + 100 * t, n, 12, n // 3, noise=random.choice([0.5, 2.0]))
            rows *= random.uniform(0.5, 2.0, (n, 1)).astype(np.float32)
            rows = np.hstack([rows, -rows])
            _, accepted = call(fast, rows, t)
            _, expected = called_slowly(slow, rows, t)
            if accepted != expected:
                assert slow.on_a_knife_edge()
                break
            told_apart += len(accepted) < n
    assert told_apart >= 25  # of 40


@every_rule
@pytest.mark.parametrize("n", [10, 20, 50])
def test_honest_rows_alone_keep_at_least_two_in_five(rule_class, n):
    for seed in range(4):
        _, accepted = call(rule_class(), federation(seed, n, 2000))
        assert len(accepted) >= 0.4 * n


def shares_accepted(rule, n_rounds, bias, noise, n=30, n_byzantine=6):
    """Shares of the malicious and of the honest rows that are accepted, over several rounds."""
    malicious = honest = 0
    for t in range(1, n_rounds + 1):
        _, accepted = call(rule, federation(t, n, 3000, n_byzantine, bias, noise), t)
        malicious += sum(i < n_byzantine for i in accepted)
        honest += sum(i >= n_byzantine for i in accepted)
    return malicious / (n_rounds * n_byzantine), honest / (n_rounds * (n - n_byzantine))


@every_rule
def test_skewed_signs_betray_a_sign_flip(rule_class):
    malicious, honest = shares_accepted(rule_class(), n_rounds=4, bias=0.8, noise=1.0)
    assert malicious == 0 and honest > 0.8


def test_balanced_signs_hide_a_sign_flip_from_the_statistics_but_not_from_a_similarity():
    malicious, honest = shares_accepted(SignGuard(), n_rounds=16, bias=0.0, noise=3.0)
    assert abs(malicious - honest) < 0.15 and malicious > 0.5  # it cannot tell them apart
    for variant in (SignGuardSim(), SignGuardDist()):
        malicious, honest = shares_accepted(variant, n_rounds=1, bias=0.0, noise=1.0)
        assert malicious == 0 and honest > 0.8


@every_rule
def test_a_row_scaled_by_100_is_out(rule_class):
    """Its signs are an honest row's: without the filter it is in, where signs are all there is."""
    rows = federation(0, 20, 2000)
    _, accepted = call(SignGuard(), rows)
    chosen = accepted[0]
    rows[chosen] *= 100
    _, accepted = call(rule_class(), rows)
    assert accepted and chosen not in accepted
    assert chosen in call(SignGuard(components="cluster,clip"), rows)[1]


@every_rule
def test_the_answer_is_no_longer_than_the_median_norm(rule_class):
    for seed in range(6):
        rule = rule_class(fraction=1.0)
        for t, (ids, rows) in enumerate(mixed_rounds(seed, 11, 150, 2), 1):
            direction, _ = call(rule, rows, t, ids)
            typical = np.median(np.linalg.norm(rows.astype(float), axis=1))
            assert np.linalg.norm(direction.astype(float)) <= typical * (1 + 1e-6)


@every_rule
@pytest.mark.parametrize("n", [1, 2, 3, 4, 9, 60])
def test_equal_gradients_are_returned(rule_class, n):
    for seed in range(16):  # for one in eight, scikit-learn sees distances of 1e-8 between them
        row = federation(seed, 1, 333)[0]
        rule = rule_class(fraction=0.3)
        for t in (1, 2):
            direction, accepted = call(rule, np.tile(row, (n, 1)), t)
            np.testing.assert_allclose(direction, row, rtol=1e-6)
            assert accepted == list(range(n))


@every_rule
@pytest.mark.parametrize("n", [9, 60])  # above 50 the authors' code looks at 50 rows
def test_permuted_rows_are_accepted_as_before(rule_class, n):
    random = np.random.default_rng(3)
    for seed in range(3):
        rows, order = federation(seed, n, 800, n // 5), random.permutation(n)
        before, after = rule_class(seed), rule_class(seed)
        for t in (1, 2):
            direction, accepted = call(before, rows, t)
            permuted, accepted_then = call(after, rows[order], t)
            np.testing.assert_allclose(direction, permuted, rtol=1e-4, atol=1e-6)
            assert accepted == sorted(int(order[i]) for i in accepted_then)
            assert 0 < len(accepted) < n


ONE_HOT = np.eye(8, 40)
FIRST_FIVE = ONE_HOT[:5].sum(axis=0)


@pytest.mark.parametrize("rule_class", [SignGuardSim, SignGuardDist])
@pytest.mark.parametrize("similarity", ["paper", "authors"])
def test_the_previous_aggregate_is_what_rows_are_compared_with(rule_class, similarity):
    """Eight orthogonal rows of equal sign shares; one of them pointing elsewhere says nothing.

    Among themselves they are all alike. From the sum of the first five, cosines are 0.45 and 0,
    distances 2 and 2.45: above 1.1 medians.
    """
    rule = rule_class(fraction=1.0, similarity=similarity)
    direction, accepted = call(rule, ONE_HOT)
    assert accepted == list(range(8))
    np.testing.assert_array_equal(rule.state_dict()["last"].numpy(), direction)
    rule.load_state_dict({"last": torch.tensor(FIRST_FIVE, dtype=torch.float32)})
    direction, accepted = call(rule, ONE_HOT, 2)
    assert accepted == list(range(5))
    np.testing.assert_allclose(direction, FIRST_FIVE / 5, rtol=1e-6)
    np.testing.assert_array_equal(rule.state_dict()["last"].numpy(), direction)
    # What it answered is what it compares with from now on, also in a copy.
    copy = rule_class(fraction=1.0, similarity=similarity)
    copy.load_state_dict(rule.state_dict())
    assert call(copy, ONE_HOT, 3)[1] == call(rule, ONE_HOT, 3)[1] == list(range(5))


def test_only_the_variants_remember_and_not_before_the_first_round():
    for rule_class in RULES:
        rule = rule_class()
        assert rule.state_dict() == {}
        call(rule, federation(0, 9, 300))
        assert set(rule.state_dict()) == (set() if rule_class is SignGuard else {"last"})


def drawn(seed, t, coordinates):
    """10 of 100 coordinates."""
    draws = generator(seed, "signguard", t)
    if coordinates == "window":
        return np.arange(10) + draws.integers(90)
    return draws.choice(100, 10, replace=False, shuffle=False)


@pytest.mark.parametrize("coordinates", ["random", "window"])
def test_the_coordinates_are_a_function_of_seed_and_round(coordinates):
    """Two rows of five are -1 wherever it is not looked at, and show when that is elsewhere."""
    keys = [(0, 1), (5, 1), (0, 2)]
    for blind in keys:
        rows = np.ones((5, 100), np.float32)
        rows[:2] = -1.0
        rows[:, drawn(*blind, coordinates)] = 1.0
        for seed, t in keys:
            _, accepted = call(SignGuard(seed, coordinates=coordinates), rows, t)
            assert accepted == (list(range(5)) if (seed, t) == blind else [2, 3, 4])
        answered = aggregate("signguard", rows, seed=blind[0], coordinates=coordinates)
        saw_nothing = np.isclose(answered.min(), 0.2)  # (3 - 2) / 5
        assert saw_nothing == (blind[1] == 1)  # it is always in its first round
