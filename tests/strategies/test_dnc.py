"""DnC: what it looks at, what it throws out, and what is left of several looks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from signfed.strategies.core.seeds import generator
from signfed.strategies.core.updates import Updates
from signfed.strategies.dnc import DnC, spectral_scores
from signfed.strategies.registry import aggregate
from tests.strategies.float_rows import far_out, near_duplicates, rows_of, tiny_copies
from tests.strategies.slow import float_rules as slow


def accepted(rule, rows, ids=None, server_round=1):
    ids = None if ids is None else torch.tensor(ids)
    rule.aggregate(Updates.from_matrix(torch.from_numpy(rows), ids, server_round=server_round))
    return rule.diagnostics()["accepted"]


@settings(max_examples=40)
@given(st.integers(2, 14), st.sampled_from([1, 3, 60]), st.integers(0, 10**6))
def test_scores_are_squares_along_the_top_singular_vector(n, n_coordinates, seed):
    rows = rows_of(seed, n, n // 4, n_coordinates).astype(np.float64)
    centred = rows - rows.mean(axis=0)
    _, values, directions = np.linalg.svd(centred, full_matrices=False)
    scores = spectral_scores(torch.from_numpy(rows)).numpy()
    assert scores.sum() == pytest.approx(values[0] ** 2)
    if len(values) < 2 or values[1] < 0.95 * values[0]:  # else the direction is nearly free
        np.testing.assert_allclose(scores, (centred @ directions[0]) ** 2, rtol=1e-6, atol=1e-9)


@settings(max_examples=30)
@given(
    st.integers(0, 3).flatmap(lambda f: st.tuples(st.just(f), st.integers(2 * f + 1, 2 * f + 9))),
    st.integers(0, 10**6),
    st.integers(1, 40),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.5, 1.0, 1.4]),
)
def test_the_answer_is_the_definitions(sizes, seed, coordinates, iterations, factor):
    f, n = sizes
    rows = rows_of(seed, n, f)
    options = {"coordinates": coordinates, "iterations": iterations, "filter_factor": factor}
    found = aggregate("dnc", rows, n_byzantine=f, seed=seed, **options)
    expected = slow.dnc(rows.tolist(), f, seed, coordinates, iterations, factor)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("honest", [rows_of, near_duplicates])
def test_far_byzantine_rows_are_removed(honest):
    for scale in (1e2, 1e15, 3e38):
        for seed in range(2):
            rows = honest(seed, 11)
            rows[8:] = far_out(np.zeros_like(rows), 3, scale, seed)[8:]
            rows[8:] = np.abs(rows[8:])  # of one direction: no two of them cancel
            assert accepted(DnC(n_byzantine=3), rows) == list(range(8))
    rows = tiny_copies(near_duplicates(1, 11), 3)
    assert accepted(DnC(n_byzantine=3), rows) == list(range(8))


def test_only_the_drawn_coordinates_are_looked_at():
    """A Byzantine row that is honest there is not found; the other one is."""
    rows = rows_of(1, 9, n_coordinates=40)
    for t in range(1, 6):
        drawn = generator(5, "dnc", t, 0).choice(40, 10, replace=False, shuffle=False)
        hostile = rows.copy()
        hostile[3, np.delete(np.arange(40), drawn)] = 1e3
        hostile[6, drawn[0]] = 1e3
        found = accepted(DnC(n_byzantine=1, seed=5, coordinates=10), hostile, server_round=t)
        assert found == [0, 1, 2, 3, 4, 5, 7, 8]


def test_each_iteration_throws_out_its_own():
    """One coordinate is looked at in each; what none throws out is averaged, in all coordinates."""
    rows = 0.01 * rows_of(2, 9, n_coordinates=6)
    looked_at = [int(generator(0, "dnc", 3, i).choice(6, 1, shuffle=False)[0]) for i in range(3)]
    assert len(set(looked_at)) == 3
    for byzantine, coordinate in zip((2, 4, 7), looked_at, strict=True):
        rows[byzantine, coordinate] = 100.0
    rule = DnC(n_byzantine=1, coordinates=1, iterations=3)
    assert accepted(rule, rows, list(range(10, 19)), server_round=3) == [10, 11, 13, 15, 16, 18]
    answer = rule.aggregate(Updates.from_matrix(torch.from_numpy(rows), server_round=3)).numpy()
    expected = rows[[0, 1, 3, 5, 6, 8]].mean(axis=0)
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-6)


def test_when_nothing_is_left_the_last_iteration_decides():
    """Each of three looks keeps one of three rows, another one each time."""
    looked_at = [int(generator(0, "dnc", 1, i).choice(6, 1, shuffle=False)[0]) for i in range(3)]
    keeps = {coordinate: kept for kept, coordinate in enumerate(looked_at)}
    assert len(keeps) == 3
    rows = np.zeros((3, 6), np.float32)
    for coordinate, kept in keeps.items():
        rows[:, coordinate] = np.insert([-1.0, 1.0], kept, 0.1)
    rule = DnC(n_byzantine=1, coordinates=1, iterations=3, filter_factor=2.0)
    assert accepted(rule, rows, [5, 6, 7]) == [7]


def test_equal_scores_keep_the_lowest_ids():
    rows = np.array([[1.0], [-1.0], [1.0], [-1.0]], np.float32)
    assert accepted(DnC(n_byzantine=1), rows, [8, 2, 6, 4]) == [2, 4, 6]
    assert accepted(DnC(n_byzantine=1), np.ones((5, 3), np.float32)) == [0, 1, 2, 3]


@pytest.mark.parametrize("option", ["coordinates", "iterations"])
def test_options_out_of_range(option):
    with pytest.raises(ValueError, match=f"{option}: expected a whole number of at least 1; got 0"):
        DnC(**{option: 0})
