"""Columns that are drawn without replacement, in one way where they are few and another of many."""

from __future__ import annotations

import numpy as np
import pytest

from signfed.strategies.ops import linalg


@pytest.fixture
def few_are_many(monkeypatch):
    monkeypatch.setattr(linalg, "MANY", 10)


@pytest.mark.parametrize("k", [1, 3, 10, 19, 20])
def test_so_many_different_ones_in_ascending_order(k, few_are_many):
    drawn = linalg.drawn_columns(np.random.default_rng(1), 20, k).numpy()
    assert len(drawn) == k and (np.diff(drawn) > 0).all()
    assert drawn[0] >= 0 and drawn[-1] < 20


@pytest.mark.parametrize("k", [3, 17])
def test_every_column_is_as_likely(k, few_are_many):
    """Of 4,000 draws a column is in k/20 of them, to five standard deviations."""
    hits = np.zeros(20)
    for seed in range(4000):
        hits[linalg.drawn_columns(np.random.default_rng(seed), 20, k).numpy()] += 1
    share = k / 20
    assert np.abs(hits / 4000 - share).max() < 5 * np.sqrt(share * (1 - share) / 4000)


def test_a_few_are_those_of_numpy_s_choice():
    found = linalg.drawn_columns(np.random.default_rng(3), 1000, 100).numpy()
    expected = np.random.default_rng(3).choice(1000, 100, replace=False, shuffle=False)
    np.testing.assert_array_equal(found, np.sort(expected))
