"""Which (n, f) a rule serves: at the edge of the range, and what it says beyond."""

import re

import numpy as np
import pytest

from signfed.strategies.bucketing import Bucketing
from signfed.strategies.core.preconditions import at_least
from signfed.strategies.krum import Krum
from signfed.strategies.nnm import NearestNeighbourMixing
from signfed.strategies.registry import STRATEGIES, aggregate, build
from signfed.strategies.trimmed_mean import TrimmedMean
from tests.strategies.float_rows import rows_of

# rule -> (a, b): it needs n >= a f + b
NEEDS = {"trimmed-mean": (2, 1), "dnc": (2, 1), "krum": (2, 3), "multi-krum": (2, 3),
         "bulyan": (4, 3)}  # fmt: skip
MIXED = [  # rule, what stands before it, its options, least n for f = 0, 1, 2
    ("median", "nnm", {}, (1, 3, 5)),
    ("bulyan", "nnm", {}, (3, 7, 11)),
    ("trimmed-mean", "bucketing", {"size": 2}, (1, 5, 9)),
    ("krum", "bucketing", {"size": 3}, (7, 13, 19)),
    ("median", "bucketing", {"size": 3}, (1, 1, 1)),
]


@pytest.mark.parametrize("name", NEEDS)
def test_the_edge_of_the_range(name):
    per_byzantine, more = NEEDS[name]
    for f in range(5):
        least = per_byzantine * f + more
        rule = build(STRATEGIES[name], n_byzantine=f, seed=0)
        rule.check(least, 10)
        assert np.isfinite(aggregate(name, rows_of(f, least), n_byzantine=f)).all()
        for n in range(1, least):
            told = rf"{name} needs n >= {per_byzantine}f\+{more}: got n={n} updates, f={f}"
            if n < max(2, f + 1):  # other reasons come first
                told = f"{name} .*{n}"
            with pytest.raises(ValueError, match=told):
                rule.check(n, 10)
            with pytest.raises(ValueError, match=told):
                aggregate(name, rows_of(f, n), n_byzantine=f)


@pytest.mark.parametrize("name, mixing, options, least", MIXED)
def test_the_edge_of_the_range_behind_a_mixing(name, mixing, options, least):
    kinds = {"nnm": NearestNeighbourMixing, "bucketing": Bucketing}
    for f, n in enumerate(least):
        inner = build(STRATEGIES[name], n_byzantine=f, seed=0)
        rule = build(kinds[mixing], inner, n_byzantine=f, seed=0, **options)
        told = {"n_byzantine": f, "pre_aggregation": mixing, "pre_aggregation_options": options}
        rule.check(n, 10)
        assert np.isfinite(aggregate(name, rows_of(f, n), **told)).all()
        if n > 1:
            with pytest.raises(ValueError, match="needs n >= "):
                rule.check(n - 1, 10)
            with pytest.raises(ValueError, match="needs n >= "):
                aggregate(name, rows_of(f, n - 1), **told)


@pytest.mark.parametrize("per_byzantine, more", sorted(set(NEEDS.values())))
def test_the_advice_is_exact(per_byzantine, more):
    """Either of its two ways out serves, and neither could have asked for less."""

    def refused(n, f):
        return at_least("rule", n, f, per_byzantine=per_byzantine, more=more)

    for n in range(1, 30):
        for f in range(10):
            if not (advice := refused(n, f)):
                continue
            needed = int(re.search(r"at least (\d+) updates", advice)[1])
            assert not refused(needed, f) and refused(needed - 1, f)
            largest = re.search(r"f <= (\d+),", advice)
            if largest is None:
                assert refused(n, 0)
            else:
                assert not refused(n, int(largest[1])) and refused(n, int(largest[1]) + 1)


def test_dnc_keeps_a_row():
    rows = rows_of(1, 7)
    options = {"n_byzantine": 3, "filter_factor": 2.0}
    assert aggregate("dnc", rows, **options).tobytes() in [row.tobytes() for row in rows]
    with pytest.raises(ValueError, match=r"removes floor\(c f\) = 7 of 7 updates"):
        aggregate("dnc", rows, n_byzantine=3, filter_factor=2.4)
    for factor in (-0.1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="filter_factor: expected a number of at least 0"):
            aggregate("dnc", rows, filter_factor=factor)


def test_rules_without_a_precondition_serve_one_row():
    row = rows_of(2, 1)
    for name in ("mean", "median", "geometric-median", "centered-clipping"):
        found = aggregate(name, row, n_byzantine=1)  # shorter than the radius
        np.testing.assert_allclose(found, row[0], rtol=1e-6)


def test_what_is_left_after_broken_rows_may_be_too_little():
    """The matrix is admitted, the seven rows of numbers are not: their median."""
    rows = rows_of(3, 9)
    rows[[1, 5], [0, 7]] = np.nan, np.inf
    found = aggregate("krum", rows, n_byzantine=3)
    np.testing.assert_allclose(found, np.median(np.delete(rows, [1, 5], axis=0), axis=0), rtol=1e-6)


@pytest.mark.parametrize("kind", [TrimmedMean, Krum])
def test_a_negative_number_of_byzantine_workers(kind):
    with pytest.raises(ValueError, match="n_byzantine"):
        kind(n_byzantine=-1).check(9, 10)
