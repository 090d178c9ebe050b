from itertools import product

import numpy as np
import pytest
import torch

from signfed.strategies.ops import order
from signfed.strategies.ops.linalg import coordinate_median
from signfed.strategies.ops.order import network, order_statistics
from tests.strategies.ops.samples import ROWS, SIZES, frozen, same_bits


def rows_of(n, n_columns, seed=0):
    """Values with many ties, both zeros and both infinities."""
    random = np.random.default_rng([seed, n, n_columns])
    rows = random.standard_normal((n, n_columns)).astype(np.float32)
    special = np.array([0.0, -0.0, np.inf, -np.inf, 1.0], np.float32)
    return frozen(
        np.where(random.random(rows.shape) < 0.3, random.choice(special, rows.shape), rows)
    )


def by_sorting(rows, ranks):
    return np.sort(rows + np.float32(0.0), axis=0)[list(ranks)]


@pytest.mark.parametrize("n", ROWS)
def test_agrees_with_a_sort(n):
    for n_columns in SIZES:
        rows = rows_of(n, n_columns)
        for ranks in (range(n), [(n - 1) // 2, n // 2], range(n // 4, n - n // 4), [0], []):
            found = order_statistics(rows, ranks)
            assert same_bits(found, by_sorting(rows, ranks))
            ordered = (torch.from_numpy(rows.copy()) + 0.0).sort(dim=0).values
            assert same_bits(found, ordered[list(ranks)].numpy())


@pytest.mark.parametrize("n", range(1, 13))
def test_every_pattern_of_zeros_and_ones(n):
    """A network that sorts all of them sorts everything (Knuth 3, 5.3.4, theorem Z)."""
    patterns = np.array(list(product([0, 1], repeat=n)), np.float32).T
    for ranks in ([n // 2], range(n)):
        assert same_bits(order_statistics(patterns, ranks), np.sort(patterns, axis=0)[list(ranks)])


def test_a_median_costs_less_than_a_sort():
    operations = [
        sum(low + high for _, _, low, high in network(64, ranks))
        for ranks in ((31, 32), tuple(range(64)))
    ]
    assert operations == [828, 1086]


@pytest.mark.parametrize("n", [7, 8])
def test_the_rules_median(n):
    rows = np.random.default_rng(n).standard_normal((n, 100)).astype(np.float32)
    low, high = order_statistics(rows, [(n - 1) // 2, n // 2])
    median = np.float32(0.5) * low + np.float32(0.5) * high
    assert same_bits(median, coordinate_median(torch.from_numpy(rows)).numpy())


def test_chunks_fit_together(monkeypatch):
    monkeypatch.setattr(order, "CHUNK", 0)  # 8,192 columns at a time
    rows = rows_of(5, 20_001)
    assert same_bits(order_statistics(rows, [1, 2]), by_sorting(rows, [1, 2]))
