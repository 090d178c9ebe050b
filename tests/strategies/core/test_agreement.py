"""Votes by agreement: against a literal transcription, and what no minority can do to them."""

from itertools import permutations, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from signfed.strategies.core.agreement import Averages, agreements, standings
from signfed.strategies.core.ternary import (
    _narrow,
    silence_useless,
    silenced_there,
    ternary_vote,
    ternary_weights,
)
from signfed.strategies.ops import _tensors
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.sign_fd import SignFD
from signfed.strategies.sign_mv import SignMV
from tests.strategies.runs import play

N = 2000  # coordinates; what coins reach by chance, 4 / sqrt(N), is 0.089


def slow_weights(rows):
    """The definition of `strategies.core.ternary`, one number after another."""
    n, size = len(rows), len(rows[0])
    minority = (n - 1) // 2
    standing = []
    for i in range(n):
        with_others = [np.dot(rows[i], rows[j]) / size for j in range(n) if j != i]
        standing.append(sorted(with_others, reverse=True)[minority - 1] if minority else 1.0)
    half_level = sorted(standing, reverse=True)[(n - 1) // 2] / 2
    chance = 4 / size**0.5
    weights = []
    for s in standing:
        if 2 * half_level < max(chance, 0.1) or s >= min(chance, half_level):
            weights.append(1)
        elif s <= -max(chance, half_level):
            weights.append(-1)
        else:
            weights.append(0)
    inverted, accepted = weights.count(-1), weights.count(1)
    if not 0 < inverted < accepted:
        return weights, standing
    vote = [sum(r[k] for i, r in enumerate(rows) if weights[i] == 1) for k in range(size)]
    narrowest = 1 if accepted % 2 else 2
    for margin in (narrowest, inverted // 2, inverted):
        close = [k for k in range(size) if 0 < abs(vote[k]) <= margin <= inverted]
        for i in range(n):
            right = sum(-rows[i][k] == (1 if vote[k] >= 0 else -1) for k in close)
            if weights[i] == -1 and 5 * right < 2 * len(close):
                weights[i] = 0
    return weights, standing


def weights_by(signs, standing):
    """As after the first round, when nothing is known of earlier ones."""
    return silence_useless(signs, ternary_weights(standing, standing, signs.n_coordinates))


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 9), size=st.integers(1, 70))
def test_parity_with_the_definition(seed, n, size):
    random = np.random.default_rng(seed)
    truth, quality = random.choice([-1, 1], size), random.uniform(0, 1, (n, 1))
    rows = np.where(random.random((n, size)) < quality, truth, -truth)
    expected, standing = slow_weights(rows.tolist())
    signs = PackedSigns.pack(torch.from_numpy(rows))
    found = standings(agreements(signs))
    weights = weights_by(signs, found)
    assert weights.tolist() == expected and found.tolist() == pytest.approx(standing, abs=1e-12)
    if weights.any():
        score = (weights[:, None] * torch.from_numpy(rows)).sum(dim=0)
        assert ternary_vote(signs, weights).dense().tolist() == [1 if s >= 0 else -1 for s in score]


def honest_rows(n, seed=0, size=N, errors=0.2):
    """Signs of n workers that are wrong in that share of the coordinates, by themselves."""
    random = np.random.default_rng([seed, n])
    truth = random.choice([-1.0, 1.0], size)
    return np.where(random.random((n, size)) < errors, -truth, truth)


@pytest.mark.parametrize("closest_first", [True, False])
def test_parity_where_opponents_are_right_on_a_share_of_what_is_close(closest_first):
    """Of those that are read inverted some help and some are silenced, by their share."""
    kept = {}
    for seed, share in product(range(6), (0.0, 0.3, 0.5, 0.9)):
        random, f = np.random.default_rng([seed, 4]), 3 + seed % 3
        honest = honest_rows(9 + seed % 2, seed, size=1000, errors=0.25)
        total = honest.sum(axis=0)
        order = np.abs(total) + (0 if closest_first else 100 * random.random(1000))
        close = np.flatnonzero(np.abs(total) <= f)
        attacked = close[np.argsort(order[close], kind="stable")][: int(share * len(close))]
        row = -np.sign(total + 0.5)
        row[attacked] *= -1
        rows = np.concatenate([np.repeat(row[None], f, axis=0), honest])
        expected, _ = slow_weights(rows.tolist())
        assert weights_of(rows).tolist() == expected
        if len(honest) % 2:  # without ties, which attackers of what is closest waste rows on
            kept.setdefault(share, []).append(expected[0] == -1)
    assert all(kept[0.0]) and not any(kept[0.9])
    if closest_first:  # right in two of five of all that is close, and in none of the closest
        assert not any(kept[0.5])
    else:
        assert any(kept[0.3])


def weights_of(rows):
    signs = PackedSigns.pack(torch.from_numpy(np.asarray(rows)))
    standing = standings(agreements(signs))
    return weights_by(signs, standing).numpy()


def crafted(kind, honest, f, random):
    """Rows of f workers that know everything."""
    total, majority = honest.sum(axis=0), np.where(honest.sum(axis=0) >= 0, 1.0, -1.0)
    close = np.abs(total) <= f
    one = {
        "the majority, inverted": -majority,
        "an honest row, inverted": -honest[0],
        "an honest row": honest[0],
        "wrong where it is close": np.where(close, -majority, majority),
        "right where it is close": np.where(close, majority, -majority),
        "constant": np.ones(honest.shape[1]),
        "with some, against others": np.where(honest[: len(honest) // 2].sum(axis=0) >= 0, 1.0, -1)
        * np.where(random.random(honest.shape[1]) < 0.2, -1, 1),
    }
    if kind == "coins":
        return random.choice([-1.0, 1.0], (f, honest.shape[1]))
    return np.repeat(one[kind][None], f, axis=0)


KINDS = (
    "the majority, inverted", "an honest row, inverted", "an honest row", "wrong where it is close",
    "right where it is close", "constant", "with some, against others", "coins",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n, f", [(3, 1), (4, 1), (5, 2), (8, 3), (15, 3), (15, 7), (16, 7)])
def test_no_minority_moves_an_honest_weight_and_none_turns_a_sure_coordinate(kind, n, f):
    """The bound of SignFD: wrong only where the honest margin is at most f."""
    random, honest = np.random.default_rng(n), honest_rows(n - f)
    rows = np.concatenate([crafted(kind, honest, f, random), honest])
    assert weights_of(rows)[f:].tolist() == [1.0] * (n - f)
    ((decoded, found),) = play(SignFD(), [dict(enumerate(rows.astype(np.float32)))])
    margin = honest.sum(axis=0)
    assert not ((decoded != np.where(margin >= 0, 1, -1)) & (np.abs(margin) > f)).any()
    assert set(range(f, n)) <= set(found["accepted"])


@pytest.mark.parametrize("n, f", [(5, 2), (9, 4), (15, 7)])
def test_a_search_for_rows_that_silence_an_honest_worker_finds_none(n, f):
    """From the worst of the crafted rows uphill, bits that lower the lowest honest standing."""
    size, random = 600, np.random.default_rng(7)
    honest = honest_rows(n - f, seed=1, size=size)
    chance = 4 / size**0.5
    agree = (honest @ honest.T / size)[~np.eye(n - f, dtype=bool)].min()
    assert agree > chance, "the premise of the bound: the test needs it"

    def lowest(byzantine):
        signs = PackedSigns.pack(torch.from_numpy(np.concatenate([byzantine, honest])))
        return float(standings(agreements(signs))[f:].min())

    starts = [crafted(kind, honest, f, random) for kind in KINDS]
    byzantine = min(starts, key=lowest)
    reached = lowest(byzantine)
    for _ in range(150):
        flipped = byzantine.copy()
        flipped[:, random.choice(size, 20, replace=False)] *= -1
        if lowest(flipped) < reached:
            byzantine, reached = flipped, lowest(flipped)
    assert reached >= agree - 1e-12 > chance
    assert weights_of(np.concatenate([byzantine, honest]))[f:].tolist() == [1.0] * (n - f)


def test_the_search_finds_such_rows_where_they_are_most():
    """So the premise matters: six of ten that are one row outvote what honest rows say."""
    honest = honest_rows(4)
    weights = weights_of(np.concatenate([np.repeat(-honest[:1], 6, axis=0), honest]))
    assert weights[6:].max() < 1


@pytest.mark.parametrize("n, f", [(3, 1), (5, 2), (15, 7)])
def test_inverted_rows_are_read_inverted_and_cost_nothing(n, f):
    rows = honest_rows(n, seed=2)
    turned = np.concatenate([-rows[:f], rows[f:]])
    assert weights_of(turned).tolist() == [-1.0] * f + [1.0] * (n - f)
    ((plain, _),) = play(SignMV(), [dict(enumerate(rows.astype(np.float32)))])
    ((decoded, found),) = play(SignFD(), [dict(enumerate(turned.astype(np.float32)))])
    assert decoded.tolist() == plain.tolist()
    assert found["inverted"] == list(range(f)) and found["accepted"] == list(range(f, n))
    assert found["weights"] == {i: -1.0 if i < f else 1.0 for i in range(n)}


def test_weights_are_those_of_the_vote():
    """Where no more than half are accepted, the vote is plain, whatever each one's standing."""
    coins = np.random.default_rng(3).choice([-1.0, 1.0], (2, N))
    rows = np.concatenate([honest_rows(2, 0), coins]).astype(np.float32)
    ((_, found),) = play(SignFD(), rounds_of(rows))
    assert found["accepted"] == [0, 1] and set(found["weights"].values()) == {1.0}


def test_coins_have_no_say():
    coins = np.random.default_rng(3).choice([-1.0, 1.0], (7, N))
    honest = honest_rows(8)
    assert weights_of(np.concatenate([coins, honest])).tolist() == [0.0] * 7 + [1.0] * 8


@pytest.mark.parametrize("k", [1, 20])
def test_a_bloc_that_was_trusted_rules_the_published_forms_and_not_this_one(k):
    """ALGORITHMS: five of fifteen send one honest row for k rounds, then its negation."""

    def rounds():
        for t in range(1, 2 * k + 30):
            truth, honest = honest_rows(10, t, errors=0.0)[0], honest_rows(10, t, errors=0.3)
            bloc = np.repeat(honest[:1] if t <= k else -honest[:1], 5, axis=0)
            yield truth, dict(enumerate(np.concatenate([bloc, honest]).astype(np.float32)))

    wrong = {}
    for name, rule in (("plain", SignMV()), ("ours", SignFD()), ("pooled", SignFD("pooled"))):
        for t, (truth, rows) in enumerate(rounds(), 1):
            ((decoded, _),) = play(rule, [rows], first=t)
            wrong[name] = np.mean(decoded != truth)
    assert wrong["ours"] < wrong["plain"] - 0.1
    assert k == 1 or wrong["pooled"] > wrong["plain"] + 0.1


def test_rows_made_to_mislead_whoever_inverts_them_are_silenced():
    honest = honest_rows(12)
    fooling = crafted("right where it is close", honest, 3, np.random.default_rng(0))
    rows = np.concatenate([fooling, honest])
    signs = PackedSigns.pack(torch.from_numpy(rows))
    standing = standings(agreements(signs))
    before = ternary_weights(standing, standing, N)
    assert before[:3].tolist() == [-1.0] * 3
    assert silence_useless(signs, before)[:3].tolist() == [0.0] * 3
    ((plain, _),) = play(SignMV(), [dict(enumerate(honest.astype(np.float32)))])
    ((decoded, _),) = play(SignFD(), [dict(enumerate(rows.astype(np.float32)))])
    assert decoded.tolist() == plain.tolist()


@pytest.mark.parametrize(
    ("n", "inverted", "fooling"), [(12, 0, 3), (11, 4, 0), (9, 2, 2), (8, 1, 0)]
)
def test_where_nobody_waits_for_the_weights_they_are_the_same(n, inverted, fooling):
    random, honest = np.random.default_rng(1), honest_rows(n)
    misleading = crafted("right where it is close", honest, max(fooling, 1), random)[:fooling]
    rows = np.concatenate([honest, -honest_rows(n, errors=0.3)[:inverted], misleading])
    signs = PackedSigns.pack(torch.from_numpy(rows))
    standing = standings(agreements(signs))
    before = ternary_weights(standing, standing, N)
    assert (before < 0).sum() == inverted + fooling
    expected = silence_useless(signs, before)
    assert (expected < 0).sum() == inverted
    vote, weights = silenced_there(signs, before, _tensors)
    assert weights.tolist() == expected.tolist()
    assert torch.equal(vote.bits, ternary_vote(signs, expected).bits)


def test_workers_that_have_nothing_in_common_are_not_judged():
    coins = np.random.default_rng(5).choice([-1.0, 1.0], (9, N)).astype(np.float32)
    rows = dict(enumerate(coins))
    ((plain, _),) = play(SignMV(), [rows])
    ((decoded, found),) = play(SignFD(), [rows])
    assert decoded.tolist() == plain.tolist() and found["accepted"] == list(range(9))


def test_without_an_honest_majority_the_round_is_a_plain_vote_and_no_majority_is_accepted():
    """Two camps of four that oppose each other, and a coin: five do not weigh 1."""
    camp = honest_rows(4)
    coin = np.random.default_rng(5).choice([-1.0, 1.0], (2, N))
    rows = dict(enumerate(np.concatenate([camp, -camp, coin]).astype(np.float32)))
    ((plain, _),) = play(SignMV(), [rows])
    ((decoded, found),) = play(SignFD(), [rows])
    assert decoded.tolist() == plain.tolist()
    assert 2 * len(found["accepted"]) <= 10 or found["accepted"] == list(range(10))


@pytest.mark.parametrize("size", [1, 3, 10])
def test_too_few_coordinates_to_tell_are_a_plain_vote(size):
    cases = 0
    for seed in range(20):
        rows = dict(enumerate(honest_rows(7, seed, size).astype(np.float32)))
        ((plain, _),) = play(SignMV(), [rows])
        ((decoded, found),) = play(SignFD(), [rows])
        if 2 * len(found["accepted"]) <= 7 or len(found["accepted"]) == 7:
            assert decoded.tolist() == plain.tolist()
            cases += 1
    assert cases == 20


def test_weights_follow_the_rows():
    rows = np.concatenate([-honest_rows(5)[:2], honest_rows(5)[2:]])
    expected = weights_of(rows)
    for order in list(permutations(range(5)))[::7]:
        assert weights_of(rows[list(order)]).tolist() == expected[list(order)].tolist()


def rounds_of(*matrices):
    return [dict(enumerate(m.astype(np.float32))) for m in matrices]


def test_the_better_of_this_round_and_the_last_ones_counts():
    """One contrary batch is forgiven; one honest round is believed; lasting inversion is not."""
    rule, rows = SignFD(), [honest_rows(5, t) for t in range(30)]
    turned = [np.concatenate([-r[:1], r[1:]]) for r in rows]
    *_, (_, found) = play(rule, rounds_of(*rows[:9], turned[9]))
    assert found["accepted"] == list(range(5))
    *_, (_, found) = play(rule, rounds_of(*turned[10:29]), first=11)
    assert found["inverted"] == [0]
    ((_, found),) = play(rule, rounds_of(rows[29]), first=30)
    assert found["accepted"] == list(range(5))


def test_a_worker_fails_in_both_or_it_does_not_fail():
    """Each column: standing now and lately; 0.4 is the median, 0.089 what coins reach."""
    now = torch.tensor([0.4] * 5 + [0.3, -0.3, 0.0, -0.01, -0.3, 0.01])
    lately = torch.tensor([0.4] * 5 + [-0.3, 0.3, 0.0, -0.3, -0.3, -0.3])
    weights = ternary_weights(now, lately, N)
    assert weights.tolist() == [1.0] * 7 + [0, -1, -1, 0]


def test_averages_are_those_of_the_rounds_that_two_workers_share():
    """Against sums kept as they were: workers come and go."""
    random, averages, history = np.random.default_rng(0), Averages(), {}
    for _ in range(12):
        ids = sorted(random.choice(6, 4, replace=False).tolist())
        a = torch.from_numpy(random.uniform(-1, 1, (4, 4)))
        found = averages.add(ids, a)
        for (i, w), (j, x) in product(enumerate(ids), repeat=2):
            past = history.setdefault((w, x), [])
            past.append(float(a[i, j]))
            ages = [0.9**k for k in range(len(past))][::-1]
            expected = np.dot(ages, past) / sum(ages)
            assert float(found[i, j]) == pytest.approx(expected)
    again = Averages()
    again.load_state_dict(averages.state_dict())
    assert torch.equal(again.add(ids, a), averages.add(ids, a))


def test_averages_are_the_same_bits_in_any_order_of_the_workers():
    """In the order in which they came no pair is looked up."""
    random, straight, turned = np.random.default_rng(1), Averages(), Averages()
    for _ in range(5):
        a = torch.from_numpy(random.uniform(-1, 1, (4, 4)))
        before, found = a.clone(), straight.add([2, 3, 5, 7], a)
        assert torch.equal(turned.add([7, 5, 3, 2], a.flip(0, 1)), found.flip(0, 1))
        turned.load_state_dict(straight.state_dict())
        assert torch.equal(a, before)


@pytest.mark.parametrize("n", [3, 4, 15, 16])
def test_standings_read_no_diagonal_and_change_nothing(n):
    a = torch.from_numpy(np.random.default_rng(n).integers(-3, 4, (n, n)) / 3)
    before = a.clone()
    others = [[a[i, j].item() for j in range(n) if j != i] for i in range(n)]
    expected = [sorted(row, reverse=True)[(n - 1) // 2 - 1] for row in others]
    assert standings(a).tolist() == expected and torch.equal(a, before)
    assert standings(a.fill_diagonal_(torch.inf)).tolist() == expected


def test_a_newcomer_is_judged_by_its_first_round():
    rule = SignFD()
    play(rule, rounds_of(*(honest_rows(5, t) for t in range(5))))
    last = honest_rows(6, 7)
    ((_, found),) = play(
        rule, [dict(enumerate(np.concatenate([last[:5], -last[5:]]).astype(np.float32)))], first=6
    )
    assert found["accepted"] == list(range(5)) and found["inverted"] == [5]


def test_ties_are_plus_one():
    rows = torch.tensor([[1.0, 1, -1, -1], [1, -1, 1, -1]])
    decoded = ternary_vote(PackedSigns.pack(rows), torch.tensor([1.0, 1.0]))
    assert decoded.dense().tolist() == [1, 1, 1, -1]
    decoded = ternary_vote(PackedSigns.pack(rows), torch.tensor([1.0, -1.0]))
    assert decoded.dense().tolist() == [1, 1, -1, 1]


@pytest.mark.parametrize("standing, last", [(0.09, 1), (0.11, -1)])
def test_a_level_below_a_tenth_judges_nobody(standing, last):
    """Coins reach 0.004 in a million coordinates: the tenth is what decides."""
    standings = torch.tensor([standing] * 4 + [-standing])
    assert ternary_weights(standings, standings, 10**6).tolist() == [1.0] * 4 + [last]


def test_the_votes_that_can_be_turned_by_hand():
    """Nine rows: |V| is 1 at 4 or 5 votes for +1, at most 5 at 2 to 7; 2 is half of five."""
    assert _narrow(9, 5) == [(4, 6), (4, 6), (2, 8)]


@pytest.mark.parametrize("right, weight", [(1, 0.0), (2, -1.0), (3, -1.0)])
def test_two_of_five_are_enough_to_be_read_inverted(right, weight):
    """Three rows agree on 20 coordinates and are split on 5; the fourth opposes them on the 20."""
    honest = np.ones((3, 25))
    honest[0, 20:] = -1.0  # two against one: +1
    opposed = np.where(np.arange(25) < 20 + right, -1.0, 1.0)
    signs = PackedSigns.pack(torch.from_numpy(np.vstack([honest, opposed])))
    weights = silence_useless(signs, torch.tensor([1.0, 1.0, 1.0, -1.0]))
    assert weights.tolist() == [1.0, 1.0, 1.0, weight]
    _, there = silenced_there(signs, torch.tensor([1.0, 1.0, 1.0, -1.0]), _tensors)
    assert there.tolist() == weights.tolist()
