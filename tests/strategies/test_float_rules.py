"""The float rules against slow transcriptions of their definitions, and the laws of each."""

import numpy as np
import pytest
import torch

from signfed.strategies.bucketing import Bucketing
from signfed.strategies.centered_clipping import CenteredClipping
from signfed.strategies.core.updates import Updates
from signfed.strategies.dnc import DnC
from signfed.strategies.geometric_median import GeometricMedian
from signfed.strategies.krum import Krum
from signfed.strategies.median import CoordinateMedian
from signfed.strategies.monna import MoNNA
from signfed.strategies.multi_krum import MultiKrum
from signfed.strategies.nnm import NearestNeighbourMixing
from signfed.strategies.registry import aggregate
from signfed.strategies.sign_fd import SignFD
from tests.strategies.float_rows import rows_of
from tests.strategies.slow import float_rules as slow

CASES = [
    ("median", {}, lambda rows, f: slow.median(rows), 0),
    ("median", {"even": "lower"}, lambda rows, f: slow.lower_median(rows), 0),
    ("trimmed-mean", {}, slow.trimmed_mean, 2),
    ("krum", {}, slow.krum, 2),
    ("multi-krum", {}, slow.multi_krum, 2),
    ("bulyan", {}, slow.bulyan, 4),
    ("bulyan", {"of": "multi-krum"}, slow.bulyan_of_means, 4),
    ("geometric-median", {"max_iterations": 5000}, lambda r, f: slow.geometric_median(r), 0),
    ("dnc", {}, slow.dnc, 2),
    (
        "dnc",
        {"coordinates": 7, "iterations": 3, "filter_factor": 1.5, "seed": 5},
        lambda r, f: slow.dnc(r, f, 5, 7, 3, 1.5),
        2,
    ),
    (
        "centered-clipping",
        {"radius": 2.0, "iterations": 2},
        lambda r, f: slow.centered_clipping(r, 2.0, 2),
        0,
    ),
    ("mda", {}, slow.mda, 2),
    ("meamed", {}, slow.meamed, 2),
    ("monna", {}, slow.monna, 2),
    ("monna", {"trusted": "3"}, lambda r, f: slow.monna(r, f, 3), 2),
    ("caf", {}, slow.caf, 2),
    ("smea", {}, slow.smea, 2),
    ("cge", {}, slow.cge, 2),
]


@pytest.mark.parametrize("n, f", [(7, 1), (12, 2), (15, 3), (16, 0)])
@pytest.mark.parametrize("name, options, transcribed, per_byzantine", CASES)
def test_parity_with_the_definition(name, options, transcribed, per_byzantine, n, f):
    for seed in range(2):
        rows = rows_of(seed, n, f)
        found = aggregate(name, rows, n_byzantine=f, **({"seed": 0} | options))
        np.testing.assert_allclose(found, transcribed(rows.tolist(), f), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n, f", [(7, 1), (15, 3), (16, 0)])
def test_parity_of_what_stands_before_a_rule(n, f):
    rows = rows_of(n, n, f)
    mixed = slow.median(slow.nnm(rows.tolist(), f))
    found = aggregate("median", rows, n_byzantine=f, pre_aggregation="nnm")
    np.testing.assert_allclose(found, mixed, rtol=1e-4, atol=1e-5)
    for size in (1, 2, 3):
        found = aggregate(
            "median",
            rows,
            n_byzantine=f,
            seed=3,
            pre_aggregation="bucketing",
            pre_aggregation_options={"size": size},
        )
        mixed = slow.median(slow.bucketing(rows.tolist(), size, seed=3))
        np.testing.assert_allclose(found, mixed, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scale", [1e3, 1e6, 1e30, 3e38])
def test_krum_chooses_the_same_honest_row_however_far_out_the_others_are(scale):
    rows = rows_of(1, 15)
    rows[12:] = scale * np.sign(rows[12:])
    chosen = aggregate("krum", rows, n_byzantine=3)
    assert chosen.tobytes() == rows[slow.krum_order(rows[:12].tolist(), 0)[0]].tobytes()


def test_near_duplicates_are_told_apart():
    """Rows of norm 1e3 that differ by 1e-4: float32 products would not see it."""
    draws = np.random.default_rng(2)
    rows = 200 * np.ones((9, 25)) + 1e-3 * np.sqrt(np.arange(9))[:, None]
    rows = (rows + 1e-4 * draws.standard_normal((9, 25))).astype(np.float32)
    chosen = aggregate("krum", rows, n_byzantine=2)
    assert chosen.tobytes() == rows[slow.krum_order(rows.astype(float).tolist(), 2)[0]].tobytes()


def test_equal_scores_go_to_the_lowest_id():
    rows = np.repeat(np.eye(2, dtype=np.float32), 3, axis=0)[[3, 0, 4, 1, 5, 2]]
    rule = Krum(n_byzantine=1)
    rule.aggregate(Updates.from_matrix(torch.from_numpy(rows), torch.tensor([9, 4, 7, 5, 8, 6])))
    assert rule.diagnostics()["accepted"] == [4]


def test_multi_krum_of_all_rows_is_the_mean():
    rows = rows_of(3, 8)
    found = aggregate("multi-krum", rows, n_byzantine=1, selected=8)
    np.testing.assert_allclose(found, rows.mean(axis=0), rtol=1e-5, atol=1e-6)
    rule = MultiKrum(n_byzantine=1, selected=3)
    rule.aggregate(Updates.from_matrix(torch.from_numpy(rows)))
    assert rule.diagnostics()["accepted"] == sorted(slow.krum_order(rows.tolist(), 1)[:3])


def test_without_strictness_krum_takes_what_it_can():
    rows = rows_of(4, 5)
    with pytest.raises(ValueError, match=r"n >= 2f\+3"):
        aggregate("krum", rows, n_byzantine=2)
    found = aggregate("krum", rows, n_byzantine=2, strict=False)
    assert found.tobytes() in [row.tobytes() for row in rows]


def objective(v, rows):
    return np.linalg.norm(rows - v, axis=1).sum()


def test_the_geometric_median_is_the_minimum():
    rows = rows_of(5, 15, 4, outlier=30.0).astype(np.float64)
    found = aggregate("geometric-median", rows, max_iterations=1000).astype(np.float64)
    least = objective(found, rows)
    draws = np.random.default_rng(0)
    for step in (1e-3, 1e-2, 1e-1):
        for _ in range(20):
            assert objective(found + step * draws.standard_normal(23), rows) >= least - 1e-5
    assert least < objective(rows.mean(axis=0), rows) - 1


def test_the_geometric_median_by_hand():
    line = np.array([[0.0], [1.0], [5.0]], np.float32)
    assert aggregate("geometric-median", line, max_iterations=2000) == pytest.approx(1.0, abs=1e-3)
    often = np.array([[3.0, 4.0]] * 4 + [[0.0, 9.0], [7.0, 1.0], [2.0, 2.0]], np.float32)
    assert aggregate("geometric-median", often) == pytest.approx([3.0, 4.0], abs=1e-4)


def test_the_authors_reweighting_draws_to_the_nearest_rows():
    rows = np.array([[0.0], [1.0], [2.0], [30.0], [40.0]], np.float32)
    plain = aggregate("geometric-median", rows, max_iterations=1000)
    again = aggregate("geometric-median", rows, max_iterations=1000, reweight=True)
    assert plain == pytest.approx([2.0], abs=1e-3) and again == pytest.approx([2.0], abs=1e-3)
    rule = GeometricMedian(reweight=True)
    rule.aggregate(Updates.from_matrix(torch.from_numpy(rows)))
    assert rule.diagnostics()["weights"][4] < 1e-12


def test_centered_clipping_keeps_its_centre():
    rule, v = CenteredClipping(radius=1.0, iterations=2), None
    for t in range(1, 4):
        rows = rows_of(t, 6)
        v = slow.centered_clipping(rows.tolist(), 1.0, 2, v)
        found = rule.aggregate(Updates.from_matrix(torch.from_numpy(rows), server_round=t)).numpy()
        np.testing.assert_allclose(found, v, rtol=1e-4, atol=1e-5)


def test_no_row_moves_the_centre_by_more_than_its_share():
    rows = rows_of(6, 10)
    before = aggregate("centered-clipping", rows, radius=0.5, iterations=1)
    for value in (1e30, -3e38, 0.0):
        changed = rows.copy()
        changed[4] = value
        after = aggregate("centered-clipping", changed, radius=0.5, iterations=1)
        assert np.linalg.norm(after - before) <= 2 * 0.5 / 10 + 1e-6
    mean = aggregate("centered-clipping", rows, radius=float("inf"), iterations=1)
    np.testing.assert_allclose(mean, rows.mean(axis=0), rtol=1e-5, atol=1e-6)


def test_dnc_removes_planted_outliers():
    rows = rows_of(7, 15, 3, n_coordinates=300, outlier=5.0)
    rule = DnC(n_byzantine=3, coordinates=50, iterations=2)
    rule.aggregate(Updates.from_matrix(torch.from_numpy(rows)))
    assert rule.diagnostics()["accepted"] == list(range(12))


def test_an_empty_intersection_is_the_last_iterations_choice():
    rows = rows_of(8, 5, n_coordinates=400)
    found = aggregate("dnc", rows, n_byzantine=2, coordinates=1, iterations=9, filter_factor=2.0)
    last = slow.dnc(rows.tolist(), 2, 0, 1, 9, 2.0)
    np.testing.assert_allclose(found, last, rtol=1e-5)


def test_medians_lie_between_honest_values():
    for seed in range(20):
        rows = rows_of(seed, 9)
        rows[5:] = np.random.default_rng(seed).choice([-1e30, 1e30, 0.0], (4, 23))
        found = CoordinateMedian().aggregate(Updates.from_matrix(torch.from_numpy(rows))).numpy()
        assert (rows[:5].min(axis=0) <= found).all() and (found <= rows[:5].max(axis=0)).all()


def test_accepted_buckets_are_reported_as_workers():
    rows = torch.from_numpy(rows_of(9, 12, 1, outlier=50.0))
    ids = torch.arange(12) * 3
    rule = Bucketing(MultiKrum(n_byzantine=1, selected=3), size=2, seed=1)
    rule.aggregate(Updates.from_matrix(rows, ids, server_round=4))
    found = rule.diagnostics()
    assert len(found["accepted"]) == 6 and 33 not in found["accepted"]
    assert sorted(w for bucket in found["buckets"] for w in bucket) == ids.tolist()


def test_a_rule_that_remembers_workers_is_not_put_behind_buckets():
    with pytest.raises(ValueError, match="goes by which worker a row is of"):
        Bucketing(SignFD("pooled"))
    with pytest.raises(ValueError, match="MoNNA goes by which worker a row is of"):
        Bucketing(MoNNA(trusted="3"))  # bucket 3 is not worker 3
    assert Bucketing(MoNNA()).n_mixed(9) == 5
    mixed = NearestNeighbourMixing(SignFD("pooled"), n_byzantine=1)
    rows = torch.from_numpy(rows_of(10, 7))
    mixed.aggregate(Updates.from_matrix(rows))
    again = NearestNeighbourMixing(SignFD("pooled"), n_byzantine=1)
    again.load_state_dict(mixed.state_dict())
    two = Updates.from_matrix(rows.roll(1, 0), server_round=2)
    assert torch.equal(mixed.aggregate(two), again.aggregate(two))


def test_mixing_of_all_rows_is_the_mean():
    rows = rows_of(11, 6)
    found = aggregate("krum", rows, pre_aggregation="nnm")
    np.testing.assert_allclose(found, rows.mean(axis=0), rtol=1e-5, atol=1e-6)
