"""Rules that look for n - f rows: mda, smea, monna, cge; and caf, which weighs them."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from signfed.strategies.caf import CAF
from signfed.strategies.cge import CGE
from signfed.strategies.core.updates import Updates
from signfed.strategies.mda import MDA, least_diameter
from signfed.strategies.meamed import mean_nearest_median
from signfed.strategies.monna import MoNNA
from signfed.strategies.ops.gram import squared_distances
from signfed.strategies.registry import aggregate
from signfed.strategies.smea import SMEA
from tests.strategies.float_rows import far_out, near_duplicates, rows_of
from tests.strategies.places import PLACES
from tests.strategies.slow import float_rules as slow

SLOW = {
    "mda": slow.mda, "meamed": slow.meamed, "monna": slow.monna, "caf": slow.caf,
    "smea": slow.smea, "cge": slow.cge,
}  # fmt: skip


@settings(max_examples=25)
@given(
    st.integers(0, 4).flatmap(lambda f: st.tuples(st.just(f), st.integers(2 * f + 1, 2 * f + 4))),
    st.sampled_from([2, 3, 30]),
    st.integers(0, 10**6),
)
def test_the_answer_is_the_definitions(sizes, n_coordinates, seed):
    f, n = sizes
    rows = rows_of(seed, n, f, n_coordinates)
    for name, definition in SLOW.items():
        found = aggregate(name, rows, n_byzantine=f)
        expected = definition(rows.astype(float).tolist(), f)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", SLOW)
def test_the_same_anywhere(name, place):
    rows = torch.from_numpy(rows_of(1, 12, 3))
    found = aggregate(name, place(rows), n_byzantine=3).cpu().numpy()
    expected = aggregate(name, rows, n_byzantine=3).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scale", [1e3, 1e30, 3e38])
@pytest.mark.parametrize("honest", [rows_of, near_duplicates])
@pytest.mark.parametrize("name", ["mda", "smea", "monna", "caf"])
def test_rows_far_out_do_not_blur_the_others(name, honest, scale):
    """Nine honest rows and four: as many Byzantine ones are left out, and nothing else."""
    rows = honest(2, 13)
    found = aggregate(name, far_out(rows, 4, scale), n_byzantine=4)
    spread = np.linalg.norm(rows[:9] - rows[:9].mean(axis=0), axis=1).max()
    assert (
        np.linalg.norm(found - rows[:9].mean(axis=0)) <= (1.0 if name == "caf" else 1e-3) * spread
    )


def test_of_subsets_with_one_diameter_the_row_farthest_from_its_neighbours_goes():
    """A rhombus with the diagonals 2 and 2.4 around a fifth row: rows 2 and 3 are too far apart."""
    rows = np.array([[-1, 0], [1, 0], [0, 1.2], [0.1, -1.2], [0, 0]], np.float32)
    for order in ([0, 1, 2, 3, 4], [3, 2, 1, 0, 4], [4, 3, 0, 2, 1]):
        rule = MDA(n_byzantine=1)
        rule(rows[order])
        assert [order[i] for i in range(5) if i not in rule.diagnostics()["accepted"]] == [3]
    exact = np.array([[-1, 0], [1, 0], [0, 1.2], [0, -1.2], [0, 0]], np.float32)
    rule(exact)
    assert rule.diagnostics()["accepted"] == [0, 1, 2, 4]  # alike: the last id goes


def test_of_pairs_in_a_row_the_last_that_touch_them_go():
    """0 - 1 - 2 - 3 are too far apart in turn. 0 and 2, 1 and 2, 1 and 3 touch all three pairs."""
    squared = torch.ones(6, 6, dtype=torch.float64) - torch.eye(6)
    for i in range(3):
        squared[i, i + 1] = squared[i + 1, i] = 4.0
    assert least_diameter(squared, 2) == [0, 2, 4, 5]


@pytest.mark.parametrize("n, f", [(7, 3), (9, 2), (9, 4), (11, 5)])
def test_no_subset_has_a_smaller_diameter(n, f):
    for seed in range(10):
        squared = squared_distances(torch.from_numpy(rows_of(seed, n, n_coordinates=2)))

        def diameter(rows, squared=squared):
            return float(squared[rows][:, rows].max())

        least = min(diameter(list(rows)) for rows in combinations(range(n), n - f))
        assert diameter(least_diameter(squared, f)) == least


def test_mda_serves_more_workers_than_subsets_could_be_counted():
    """C(50, 20) = 5e13. A cluster of 30 rows and 20 that are alike elsewhere."""
    rows = rows_of(3, 50)
    rows[:20] = 3.0
    rule = MDA(n_byzantine=20)
    rule(rows)
    assert comb(50, 20) > 4e13 and rule.diagnostics()["accepted"] == list(range(20, 50))


def test_searches_that_would_take_too_long_are_refused():
    assert MDA(24).admissible(50) is None
    assert "f=25; expected f <= 24" in MDA(25).admissible(51)
    assert SMEA(10).admissible(21) is None and SMEA(2).admissible(50) is None
    assert "got n=50 updates, f=10, 1.0e+10 subsets; expected f <= 2" in SMEA(10).admissible(50)
    assert "expected f <= 0, fewer updates, or caf" in SMEA(1).admissible(1000)
    assert SMEA(0).admissible(10**6) is None


def test_monna_averages_around_the_row_that_is_trusted():
    rows, ids = rows_of(4, 11, 3, outlier=20.0), np.arange(11) * 2 + 5
    for trusted in ids.tolist():
        rule = MoNNA(n_byzantine=3, trusted=str(trusted))
        found = rule.aggregate(Updates.from_matrix(torch.from_numpy(rows), torch.from_numpy(ids)))
        expected = slow.monna(rows.astype(float).tolist(), 3, ids.tolist().index(trusted))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        assert rule.diagnostics()["reference"] == trusted


def test_monna_chooses_in_a_round_that_the_trusted_worker_misses():
    rows = rows_of(4, 11, 3, outlier=20.0)
    absent, chosen = MoNNA(3, trusted="40"), MoNNA(3)
    assert absent(rows).tobytes() == chosen(rows).tobytes()
    assert absent.diagnostics() == chosen.diagnostics()
    assert chosen.diagnostics()["reference"] < 8  # the last three are far from all others


@pytest.mark.parametrize("scale", [1.0, 1e6, 3e38])
def test_monna_averages_around_the_servers_own_gradient(scale):
    """Which is none of the rows that are averaged."""
    rows = rows_of(4, 11)
    own = rows[:6].mean(axis=0) + 0.1
    rows[6:] = scale * np.sign(rows[6])
    rule = MoNNA(n_byzantine=5, trusted="server")
    found = rule(rows, reference=own)
    order = sorted(range(11), key=lambda i: slow.distance2(rows[i].tolist(), own.tolist()))
    np.testing.assert_allclose(found, rows[order[:6]].mean(axis=0), rtol=1e-4, atol=1e-5)
    assert rule.diagnostics() == {"accepted": sorted(order[:6])}
    with pytest.raises(ValueError, match="MoNNA needs the server's own gradient"):
        rule(rows)


@pytest.mark.parametrize("trusted", ["", "-1", "1.5", "serve"])
def test_monna_trusts_nobody_else(trusted):
    with pytest.raises(ValueError, match=r"^trusted: expected central, server or a worker's id"):
        MoNNA(trusted=trusted)


def test_cge_is_never_longer_than_the_longest_honest_row():
    """Whatever the others send: against rows reversed at the same length it can do no more."""
    for seed in range(5):
        rows = rows_of(seed, 11)
        longest = np.linalg.norm(rows[4:], axis=1).max()
        for byzantine in (-rows[4:8], 1e-30 * rows[:4], -1e30 * rows[:4], -0.99 * rows[7:11]):
            rows[:4] = byzantine
            rule = CGE(n_byzantine=4)
            assert np.linalg.norm(rule(rows)) <= longest
            norms = np.linalg.norm(rows.astype(np.float64), axis=1)
            np.testing.assert_allclose(list(rule.diagnostics()["norms"].values()), norms, 1e-5)


def test_caf_takes_the_weight_of_planted_outliers():
    rows = rows_of(5, 15, 3, n_coordinates=300, outlier=5.0)
    rule = CAF(n_byzantine=3)
    found = rule(rows)
    weights = np.array(list(rule.diagnostics()["weights"].values()))
    assert weights[12:].sum() < 1e-3 < 0.05 < weights[:12].min()
    np.testing.assert_allclose(weights @ rows, found, rtol=1e-4, atol=1e-5)
    assert weights.sum() == pytest.approx(1.0)


def test_caf_answers_with_the_step_of_the_smallest_variance():
    """Which is the first of two here: 23.0 around the mean of all, 28.6 after one row has gone."""
    rows = np.array([[-9, 3], [1, 7], [-2, -4], [3, 2], [-8, 5]], np.float32)
    assert aggregate("caf", rows, n_byzantine=2) == pytest.approx([-3.0, 2.6])


def test_caf_without_byzantine_workers_is_the_mean():
    rows = rows_of(6, 9)
    np.testing.assert_allclose(aggregate("caf", rows), rows.mean(axis=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 5, 8, 9])
def test_the_values_nearest_to_a_median_are_found_for_any_count(n):
    """No far value enters a sum where it does not belong: of small ones nothing would be left.

    Of two equally near the lower, but for a single one of the middle two: there rounding decides.
    """
    rows = rows_of(n, n, n_coordinates=200)
    far = rows[: (n - 1) // 2]
    far[far > 0.5] *= 1e30
    for count in range(1 if n % 2 else 2, n + 1):
        found = mean_nearest_median(torch.from_numpy(rows), count).numpy()
        expected = slow.meamed(rows.astype(float).tolist(), n - count)
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)
    assert mean_nearest_median(torch.tensor([[1.0], [4.0], [7.0]]), 2).item() == 2.5
