"""LASA: its definition, and that a layer is judged by itself."""

import numpy as np
import pytest
import torch

from signfed.strategies.lasa import LASA, prepared, unusual
from signfed.strategies.registry import aggregate
from tests.strategies.float_rows import rows_of
from tests.strategies.slow import new_rules as slow

EDGES = (0, 4, 5, 17, 23)


@pytest.mark.parametrize(
    "options", [{}, {"sparsity": 0.7}, {"norm_radius": 2.5, "sign_radius": 0.5}]
)
@pytest.mark.parametrize("n, f", [(1, 0), (2, 0), (7, 1), (15, 6)])
def test_parity_with_the_definition(n, f, options):
    for seed in range(4):
        rows = rows_of(seed, n, f)
        for edges in ((0, 23), EDGES):
            found = aggregate("lasa", rows, edges=edges, **options)
            expected = slow.lasa(rows.tolist(), edges, **options)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_worker_that_attacks_one_layer_is_out_there_alone():
    draws = np.random.default_rng(0)
    truth = draws.uniform(0.5, 1.5, 300)
    rows = truth + 0.1 * draws.standard_normal((12, 300))
    rows[:3, 200:] *= -1.0
    rule = LASA(sparsity=0.0, norm_radius=3.0)
    by_layer = rule(rows, edges=(0, 200, 300))
    layers = rule.diagnostics()["layers"]
    assert all(layers[w] == pytest.approx(2 / 3) for w in range(3))  # 200 of 300 coordinates
    np.testing.assert_allclose(by_layer[200:], rows[3:, 200:].mean(axis=0), atol=0.1)
    assert (by_layer[200:] > 0).all()


def test_one_layer_where_none_are_named():
    rows = rows_of(3, 9, 2)
    assert np.array_equal(aggregate("lasa", rows), aggregate("lasa", rows, edges=(0, 23)))
    assert not np.array_equal(aggregate("lasa", rows), aggregate("lasa", rows, edges=EDGES))


def test_where_nothing_is_usual_all_count():
    rows = np.array([[1.0, 1.0], [-1.0, -1.0]])  # each one deviation from the median
    assert aggregate("lasa", rows, sparsity=0.0).tolist() == [0, 0]
    assert unusual(torch.tensor([2.0, 2.0, 2.0], dtype=torch.float64)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("sparsity, kept", [(0.0, 10), (0.07, 10), (0.3, 7), (0.95, 1), (0.999, 1)])
def test_the_largest_values_of_a_row_are_kept(sparsity, kept):
    rows = torch.from_numpy(np.random.default_rng(1).standard_normal((5, 10))).float()
    found = prepared(rows, sparsity)
    for row, before in zip(found, rows, strict=True):
        assert (row != 0).sum() == kept
        assert before[row != 0].abs().min() >= before[row == 0].abs().max() if kept < 10 else True


def test_a_share_that_is_no_float_drops_as_many_as_it_says():
    """0.29 * 100 is 28.999..."""
    rows = torch.from_numpy(np.random.default_rng(1).standard_normal((2, 100))).float()
    assert (prepared(rows, 0.29) != 0).sum(dim=1).tolist() == [71, 71]


def test_rows_clipped_to_one_norm_are_equally_usual_at_any_scale():
    """Five equal rows and three that are longer: what their norms differ by is rounding."""
    rows = np.array(
        [
            *[[-0.23904885, 0.510922, 1.0018858]] * 5,
            [-0.37921387, 0.56102973, -2.135831],
            [0.23237325, 0.02812631, -1.3703402],
            [2.175598, -1.3874133, -1.0775205],
        ],
        np.float32,
    )
    for scale in (2.0**60, 2.0**-30):
        found = aggregate("lasa", rows * np.float32(scale), n_byzantine=3)
        assert (found == aggregate("lasa", rows, n_byzantine=3) * np.float32(scale)).all()


@pytest.mark.parametrize("n_coordinates", [3, 1000, 1_000_000, 5_000_000])
def test_rounding_makes_no_row_unusual_however_long_it_is(n_coordinates):
    """Norms of rows that are clipped to one norm differ by what float32 rounds to."""
    rows = np.random.default_rng(2).standard_normal((4, n_coordinates)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.concatenate([np.tile(rows[:1], (5, 1)), rows[1:] * np.float32([[1.3], [2.1], [3.7]])])
    rule = LASA(sparsity=0.0, sign_radius=100.0)
    rule(rows)
    assert rule.diagnostics()["accepted"] == list(range(8))


def test_a_worker_that_is_usual_in_half_of_the_coordinates_is_accepted():
    rule = LASA(sparsity=0.0)
    rule(np.array([[1.0, 1.0]] * 3 + [[1.0, -1.0]]), edges=(0, 1, 2))
    assert rule.diagnostics() == {"layers": {0: 1, 1: 1, 2: 1, 3: 0.5}, "accepted": [0, 1, 2, 3]}


@pytest.mark.parametrize("values", [(0.1, 0.3), (0.2, 0.3), (0.6, 0.7), (0.7, 0.8, 0.8, 0.7)])
def test_two_equal_halves_are_one_deviation_out_in_decimals_too(values):
    found = unusual(torch.tensor(values, dtype=torch.float64))
    assert found.tolist() == [1.0] * len(values)


@pytest.mark.parametrize(
    "edges, said",
    [
        ((0, 5), "ascend from 0 to 23"),
        ((1, 23), "0 to 23"),
        ((0, 9, 9, 23), "ascend"),
        ((0,), "0 to"),
    ],
)
def test_layers_that_do_not_fit_are_refused(edges, said):
    with pytest.raises(ValueError, match=f"^edges: expected whole numbers that .*{said}"):
        aggregate("lasa", rows_of(0, 5), edges=edges)
