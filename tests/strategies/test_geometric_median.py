"""The geometric median: a minimum of the sum of distances, found from wherever the rows lie."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from signfed.strategies.core.updates import Updates
from signfed.strategies.geometric_median import GeometricMedian
from signfed.strategies.ops.weiszfeld import leave
from signfed.strategies.registry import aggregate
from tests.strategies.float_rows import far_out, near_duplicates, rows_of
from tests.strategies.slow import float_rules as slow


def median_of(rows, **options):
    return aggregate("geometric-median", rows, **options).astype(np.float64)


def objective(v, rows):
    return np.linalg.norm(np.asarray(rows, np.float64) - v, axis=1).sum()


@settings(max_examples=40)
@example(4, 2, 181)  # nearly on a line: slow
@given(st.integers(1, 12), st.sampled_from([1, 2, 40]), st.integers(0, 10**6))
def test_it_is_the_one_found_from_the_mean(n, n_coordinates, seed):
    """The definition starts there; with few rows both, with default options, are at the limit."""
    rows = rows_of(seed, n, n // 4, n_coordinates)
    v = slow.geometric_median(rows.astype(float).tolist(), iterations=3000)
    found = median_of(rows)
    assert objective(found, rows) <= objective(v, rows) * (1 + 1e-5)
    if n_coordinates > 2:  # on a line, and nearly on one, there can be many minima
        np.testing.assert_allclose(found, v, rtol=0, atol=1e-4)


@settings(max_examples=25)
@given(
    st.integers(3, 10).flatmap(
        lambda n: st.lists(
            st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=n, max_size=n
        )
    )
)
def test_no_row_and_no_mean_is_better(points):
    """Whole numbers: rows repeat, lie on lines, and the start is often a row itself."""
    rows = np.array(points, np.float32)
    least = objective(median_of(rows, max_iterations=1000), rows)
    for candidate in (rows.mean(axis=0, dtype=np.float64), np.median(rows, axis=0), *rows):
        assert least <= objective(candidate, rows) * (1 + 1e-4) + 1e-5


@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e3, 1e5])
def test_it_leaves_a_row_it_starts_on(scale):
    """The rows 0, 1 and 2 are the central half; the first round is their mean, row 1, the answer 2.

    Of 0, 1, 2, 3.5 and 100, one is on one side of it and three are on the other.
    """
    rows = scale * np.array([[0.0], [1.0], [2.0], [3.5], [100.0]])
    assert median_of(rows, max_iterations=1000) == pytest.approx(2.0 * scale, rel=1e-3)


@pytest.mark.parametrize("line", [(0, 1, 5, 9), (-3, -3, 2, 2), (1, 4), (0, 7, 7.5, 8, 9, 1e30)])
def test_on_a_line_it_lies_between_the_middle_two(line):
    rows = np.array(line, np.float32)[:, None]
    low, high = np.sort(rows[:, 0])[[len(line) // 2 - 1, len(line) // 2]]
    (found,) = median_of(rows, max_iterations=1000)
    assert low - 1e-3 <= found <= high + 1e-3


def test_most_rows_alike_are_the_answer():
    for seed in range(10):
        rows = rows_of(seed, 9, 4, outlier=1e3)
        rows[:5] = rows[0]
        np.testing.assert_allclose(median_of(rows), rows[0], rtol=0, atol=1e-4)


def test_the_answer_is_the_rows_by_their_weights():
    """Inverse to the distances from the answer, and 1 in all: the condition of a minimum."""
    rows, ids = rows_of(1, 9, 2, outlier=20.0), torch.arange(9) * 5 + 2
    rule = GeometricMedian(max_iterations=1000)
    answer = rule.aggregate(Updates.from_matrix(torch.from_numpy(rows), ids)).double().numpy()
    weights = rule.diagnostics()["weights"]
    assert list(weights) == ids.tolist()
    shares = np.array(list(weights.values()))
    assert shares.sum() == pytest.approx(1.0) and (shares > 0).all()
    np.testing.assert_allclose(shares @ rows, answer, rtol=0, atol=1e-5)
    inverse = 1 / np.linalg.norm(rows - answer, axis=1)
    np.testing.assert_allclose(shares, inverse / inverse.sum(), rtol=1e-3)


@pytest.mark.parametrize("scale", [1e4, 1e6, 1e15, 1e30])
@pytest.mark.parametrize("honest", [rows_of, near_duplicates])
def test_far_byzantine_rows_are_directions_only(honest, scale):
    """However far out they are, within the default iterations; honest rows stay apart."""
    for seed in range(3):
        rows = honest(seed, 11)
        spread = np.linalg.norm(rows[:8] - rows[:8].mean(axis=0), axis=1).max()
        expected = slow.geometric_median(far_out(rows, 3, 1e3 * spread).astype(float).tolist())
        found = median_of(far_out(rows, 3, scale * spread))
        assert np.linalg.norm(found - expected) <= 5e-3 * spread


def from_zero(rows, eps, steps):
    """ByzFL's: v = 0, then `steps` times the mean with weights 1 / max(eps, ||v - x_i||)."""
    v = np.zeros(rows.shape[1])
    for _ in range(steps):
        weights = 1 / np.maximum(eps, np.linalg.norm(rows - v, axis=1))
        v = weights @ rows / weights.sum()
    return v


@pytest.mark.parametrize("steps", [1, 2, 3, 8])
@pytest.mark.parametrize("n_coordinates", [1, 40])
def test_from_zero_it_takes_so_many_steps(steps, n_coordinates):
    rows = np.random.default_rng(steps).normal(3, 1, (9, n_coordinates)).astype(np.float32)
    rows[:3] *= -0.2
    options = {"eps": 0.1, "max_iterations": steps, "tolerance": 0.0}
    found = aggregate("geometric-median", rows, from_zero=True, **options)
    assert found == pytest.approx(from_zero(rows.astype(np.float64), 0.1, steps), rel=1e-5)
    assert aggregate("geometric-median", rows, **options) != pytest.approx(found, rel=1e-3)


def test_from_zero_three_steps_are_not_the_median():
    """Ten rows around 1 and four at 0.2: 0.47, 0.64, 0.81; the central half begins near 1."""
    rows = [[1.0 + 0.01 * (i - 4.5)] for i in range(10)] + [[0.2]] * 4
    options = {"eps": 0.1, "max_iterations": 3}
    found = aggregate("geometric-median", rows, from_zero=True, **options)
    assert found == pytest.approx([0.806], abs=0.01)
    assert aggregate("geometric-median", rows, **options) > 0.95


def test_reweighting_is_the_authors():
    for seed in range(8):
        rows = 0.5 * rows_of(seed, 9, 2, 5)
        found = median_of(rows, reweight=True, max_iterations=3000)
        expected = slow.reweighted_geometric_median(rows.astype(float).tolist())
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-4)
        assert np.linalg.norm(found - median_of(rows)) > 1e-2


def test_reweighting_goes_by_distances_as_they_were_before_far_rows_were_drawn_in():
    """Rows 1e-7 apart and one at 10: it weighs e^-10, and drawn in to a fiftieth e^-0.2."""
    rows = np.float32(1e-7) * rows_of(0, 7, 0, 5)
    rows[6] = 10.0 / np.sqrt(5.0)
    found = median_of(rows, reweight=True)
    expected = slow.reweighted_geometric_median(rows.astype(float).tolist())
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)


def test_reweighting_far_from_all_rows_is_no_division_by_zero():
    """exp of minus a thousand is 0 for every row: what counts is their ratio."""
    rows = 1e3 * rows_of(3, 7)
    found = median_of(rows, reweight=True)
    assert min(np.linalg.norm(rows - found, axis=1)) <= 1e-3


@pytest.mark.parametrize("options", [{"eps": 0.0}, {"eps": -1.0}, {"max_iterations": 0}])
def test_options_out_of_range(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}: expected"):
        GeometricMedian(**options)


@pytest.mark.parametrize("far", [1.0, 1e10, 1e30])
def test_two_camps_of_equal_rows_have_no_centre(far):
    """Half of the rows here, half there: every point between is a minimum, the middle is fair."""
    rows = np.array([[0.0], [0.0], [far], [far]])
    assert median_of(rows) == pytest.approx(far / 2)


@pytest.mark.parametrize("far", [1e3, 1e15, 1e30])
def test_a_majority_of_equal_rows_is_the_answer(far):
    rows = np.array([[2.5, -1.0]] * 4 + [[far, far], [-far, 1.0], [far, 3.0]])
    np.testing.assert_allclose(median_of(rows), rows[0], rtol=1e-6)


def test_a_step_that_leaves_a_row_is_the_definitions():
    """Row 0 of 0, 1, 4 (twice): R = 3 and stays = 1, so two thirds of the way to the target.

    Pulls 1, 1/4, 1/4 on 1, 4, 4: the target is (1 + 1 + 1) / 1.5 = 2, and v = 4/3.
    """
    line = torch.tensor([0.0, 1.0, 4.0, 4.0], dtype=torch.float64)
    squared = (line[:, None] - line).square()
    weights = leave(squared, 0, torch.ones(4, dtype=torch.float64), near=line == 0)
    assert float(weights @ line) == pytest.approx(4 / 3)
    assert float(weights.sum()) == pytest.approx(1.0)
