"""Centered clipping: steps of bounded length, from wherever the last round ended."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from signfed.strategies.centered_clipping import LARGEST, CenteredClipping, clipped_step
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.linalg import norms
from signfed.strategies.registry import aggregate
from tests.strategies.float_rows import far_out, rows_of
from tests.strategies.slow import float_rules as slow

finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


def step(rows, centre, radius):
    return clipped_step(torch.from_numpy(rows), torch.from_numpy(centre), radius).numpy()


def from_centre(centre, rows, **options):
    rule = CenteredClipping(**options)
    rule.load_state_dict({"center": torch.from_numpy(centre)})
    return rule.aggregate(Updates.from_matrix(torch.from_numpy(rows), server_round=2)).numpy()


@settings(max_examples=40)
@given(
    st.integers(1, 12),
    st.sampled_from([1, 2, 40]),
    st.integers(0, 10**6),
    st.sampled_from([0.1, 1.0, 5.0, 100.0]),
    st.integers(1, 5),
)
def test_it_is_the_definition_from_any_centre(n, n_coordinates, seed, radius, iterations):
    rows = rows_of(seed, n, n // 4, n_coordinates)
    centre = 3 * rows_of(seed + 1, 1, 0, n_coordinates)[0]
    found = from_centre(centre, rows, radius=radius, iterations=iterations)
    expected = slow.centered_clipping(rows.tolist(), radius, iterations, centre.tolist())
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_by_hand():
    """From (1, 0), radius 2: offsets (3, 4), (0, 0), (0, -1) and (-8, 6) of lengths 5, 0, 1, 10."""
    rows = np.array([(4, 4), (1, 0), (1, -1), (-7, 6)], np.float32)
    found = step(rows, np.array([1, 0], np.float32), 2.0)
    expected = (1 + (1.2 + 0 + 0 - 1.6) / 4, (1.6 + 0 - 1 + 1.2) / 4)
    assert found.tolist() == pytest.approx(expected)


def test_without_a_radius_it_is_the_mean_from_any_centre():
    rows = rows_of(1, 7)
    for centre in (np.zeros(23), 10 * np.ones(23), rows[2]):
        found = step(rows, centre.astype(np.float32), float("inf"))
        np.testing.assert_allclose(found, rows.mean(axis=0), rtol=0, atol=1e-5)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(finite, finite, finite), min_size=1, max_size=5),
    st.tuples(finite, finite, finite),
    st.sampled_from([0.01, 1.0]),
)
def test_a_row_moves_the_centre_by_its_share_at_most(others, hostile, radius):
    """By tau/n, whatever it and the others are, in comparison with a row at the centre."""
    centre = np.array([1.0, -2.0, 0.5], np.float32)
    rows = np.array([*others, hostile], np.float32)
    absent = np.array([*others, centre], np.float32)
    moved = step(rows, centre, radius).astype(float) - step(absent, centre, radius)
    assert np.linalg.norm(moved) <= radius / len(rows) * (1 + 1e-4) + 1e-6


def test_a_far_row_counts_as_a_direction():
    """All that is left of 1e3, 1e20 and 3e38 is a step of tau/n its way."""
    rows = rows_of(2, 9)
    for scale in (1e20, 1e30, 3e38):
        near, far = far_out(0 * rows, 2, 1e3), far_out(0 * rows, 2, scale)
        near[:7], far[:7] = rows[:7], rows[:7]
        options = {"radius": 3.0, "iterations": 1}
        a, b = (aggregate("centered-clipping", x, **options) for x in (near, far))
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
        honest = slow.centered_clipping(rows[:7].tolist(), 3.0, 1)
        assert np.linalg.norm(b - np.array(honest) * 7 / 9) <= 2 * 3.0 / 9 + 1e-5


def test_many_rounds_end_near_the_honest_rows():
    """Each is shorter than the way there; Byzantine rows pull the other way with all they have."""
    rule = CenteredClipping(radius=1.0, iterations=1)
    rows = rows_of(3, 10) + 30
    rows[7:] = -3e38
    lengths = []
    for t in range(1, 400):
        answer = rule.aggregate(Updates.from_matrix(torch.from_numpy(rows), server_round=t))
        lengths.append(np.linalg.norm(answer.numpy() - rows[:7].mean(axis=0)))
    assert lengths[0] > 100 and lengths[-1] < 5
    # Seven pull one way, three the other: 0.4 a round until it is near.
    assert lengths[0] - lengths[200] == pytest.approx(200 * 0.4, rel=0.02)


def test_state_is_a_copy():
    rule = CenteredClipping(radius=1.0)
    assert rule.state_dict() == {}
    first = rule.aggregate(Updates.from_matrix(torch.from_numpy(rows_of(4, 5))))
    state = rule.state_dict()
    assert state["center"].dtype == torch.float32 and torch.equal(state["center"], first)
    kept = state["center"].clone()
    rule.aggregate(Updates.from_matrix(torch.from_numpy(rows_of(5, 5)), server_round=2))
    assert torch.equal(state["center"], kept)
    rule.load_state_dict(state)
    state["center"].fill_(9.0)
    assert torch.equal(rule.state_dict()["center"], kept)
    rule.load_state_dict({})
    assert rule.state_dict() == {}


@pytest.mark.parametrize(
    "options", [{"radius": 0.0}, {"radius": -1.0}, {"radius": float("nan")}, {"iterations": 0}]
)
def test_options_out_of_range(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}: expected"):
        CenteredClipping(**options)


def test_a_row_at_the_end_of_float32_leaves_no_infinite_centre():
    """v + (g - v) rounds up to infinity there, and an infinite centre never comes back."""
    rule = CenteredClipping(radius=float("inf"), iterations=1)
    for value in (1.5 * 2.0**104, LARGEST):
        assert np.isfinite(rule(np.array([[value]], np.float32))).all()


@pytest.mark.parametrize("radius", [1.0, LARGEST, float("inf")])
def test_no_length_is_infinite_so_that_no_share_of_it_is_undefined(radius):
    """The longest offsets that there are, and none at all."""
    rows = np.full((3, 1000), LARGEST, np.float32)
    rows[2] = 0.0
    assert norms(torch.from_numpy(rows)).isfinite().all()
    assert np.isfinite(step(rows, np.zeros(1000, np.float32), radius)).all()
