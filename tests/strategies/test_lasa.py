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
