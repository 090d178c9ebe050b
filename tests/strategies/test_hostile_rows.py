"""Values that no float32 should have: dropped rows, too few rows, and whole rounds with both."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from signfed.clients import ENCODERS
from signfed.strategies.registry import STRATEGIES, aggregate
from tests.federation import federate
from tests.strategies.hostile_rows import hostile_rounds
from tests.strategies.runs import middle, same_bits
from tests.strategies.server.hostile.turn import hostile, signfed

BAD = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}
# f of 11 rows that every rule admits, also for the 9 that are left.
F = {"bulyan": 1}
RULES = [
    *((name, "none") for name in STRATEGIES),
    ("median", "bucketing"),
    ("krum", "nnm"),
    ("median", "arc,nnm"),
]


def matrix(seed, n=11):
    rounds, _ = hostile_rounds(lambda x, b, r: 3.0 * x[:b], 2, seed)
    return np.stack(list(rounds[0].values()))[:n]


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
@pytest.mark.parametrize("name, mixing", RULES)
def test_a_row_that_is_not_finite_counts_as_absent(name, mixing, value):
    rows = matrix(seed=0)
    options = {"n_byzantine": F.get(name, 2), "seed": 3, "pre_aggregation": mixing}
    options["reference"] = middle(rows)
    expected = aggregate(name, np.delete(rows, [4, 9], axis=0), **options)
    rows[4, 7], rows[9] = value, value
    before = rows.copy()
    assert same_bits(aggregate(name, rows, **options), expected)
    assert same_bits(rows, before)
    assert torch.equal(
        aggregate(name, torch.from_numpy(rows), **options), torch.from_numpy(expected)
    )


# (rule, mixing, n that is just enough, f)
JUST_ENOUGH = [
    ("krum", "none", 7, 2),
    ("multi-krum", "none", 7, 2),
    ("bulyan", "none", 7, 1),
    ("trimmed-mean", "none", 5, 2),
    ("dnc", "none", 5, 2),
    ("mean", "nnm", 5, 2),
    ("mean", "arc", 5, 2),
    ("mda", "none", 5, 2),
    ("meamed", "none", 5, 2),
    ("monna", "none", 5, 2),
    ("caf", "none", 5, 2),
    ("smea", "none", 5, 2),
    ("cge", "none", 5, 2),
    ("krum", "bucketing", 9, 1),  # 5 buckets
]


@pytest.mark.parametrize("name, mixing, n, f", JUST_ENOUGH)
def test_too_few_rows_left_are_answered_by_the_median(name, mixing, n, f):
    rows = matrix(seed=1, n=n)
    served = aggregate(name, rows, n_byzantine=f, pre_aggregation=mixing)
    rows[0, 0] = np.nan
    answer = aggregate(name, rows, n_byzantine=f, pre_aggregation=mixing)
    np.testing.assert_allclose(answer, np.median(rows[1:], axis=0), rtol=1e-6)
    assert np.abs(served - np.median(rows[1:], axis=0)).max() > 1e-3


@pytest.mark.parametrize("name, mixing, n, f", JUST_ENOUGH)
def test_too_many_byzantine_rows_are_refused_before_a_value_is_looked_at(name, mixing, n, f):
    rows = matrix(seed=2, n=n)
    rows[:] = np.nan
    for n_rows, n_byzantine in ((n - 1, f), (n, f + 1)):
        with pytest.raises(ValueError, match=f"needs n >= .*f={n_byzantine}"):
            aggregate(name, rows[:n_rows], n_byzantine=n_byzantine, pre_aggregation=mixing)


@pytest.mark.parametrize("name", STRATEGIES)
def test_nothing_finite_is_an_error(name):
    with pytest.raises(ValueError, match="at least one row of finite values"):
        aggregate(name, np.full((11, 5), np.inf), reference=np.ones(5))


def test_a_vote_with_one_row_left_is_that_rows():
    rows = np.array([[np.nan, 1, -1], [-2, 3, 0], [1, np.inf, 1]])
    for name, rule in STRATEGIES.items():
        if rule.encoder in ("sign", "sto-sign"):
            answer = aggregate(name, rows, reference=rows[1])
            assert answer.tolist() == [-1.0, 1.0, 1.0]


def test_too_few_votes_left_are_a_plain_vote():
    """Of 4 rows nnm cannot do without 2: majority, with a tie for +1."""
    rows = np.array([[np.nan, 0, 0], [1, 1, -1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    answer = aggregate("sign-mv", rows, n_byzantine=2, pre_aggregation="nnm")
    assert answer.tolist() == [1.0, 1.0, -1.0]


@pytest.mark.parametrize("mixing", ["bucketing", "nnm", "arc"])
def test_the_mean_of_large_rows_is_no_larger(mixing):
    rows = np.full((6, 3), 3e38, np.float32)
    np.testing.assert_allclose(aggregate("median", rows, pre_aggregation=mixing), rows[0])


def hostile_reply(turn):
    """Bits: all inverted. Floats: in turns as large as can be, and not finite."""
    rows = turn.rows
    if rows.dtype == np.uint8:
        return [turn.carries(~rows)]
    values = (3e38, np.nan, -3e38, np.inf, 1e30)
    return [turn.carries(np.full_like(rows, values[turn.beside["round"] % 5]))]


@pytest.mark.parametrize("name, mixing", RULES)
def test_whole_rounds(tmp_path, name, mixing):
    """The model gets better all the same; 2 of 11 nodes send other rows than they compute."""
    codec = ENCODERS[STRATEGIES[name].encoder]().codec
    attack = hostile(signfed(codec, 1000), lambda n: hostile_reply)
    done = federate(
        tmp_path / "run", nodes=11, num_workers=11, tamper={2: attack, 8: attack}, strategy=name,
        pre_aggregation=mixing, task="quadratic", attack="none", num_byzantine=0,
        assumed_byzantine=F.get(name, 2), lr=0.1, num_rounds=6, evaluate_every=1,
    )  # fmt: skip
    floats = STRATEGIES[name].encoder == "float32"
    broken = (1, 3, 6) if floats else ()
    assert done.dropped == [{"non-finite": 2} if t in broken else {} for t in range(1, 7)]
    losses = [r["test_loss"] for r in done.rounds]
    falls = all(after < before for before, after in pairwise(losses))
    assert falls == (name != "mean")
