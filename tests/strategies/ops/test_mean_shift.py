"""The mean shift, beside scikit-learn's and worked out by hand."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import cluster

from signfed.strategies.ops.mean_shift import estimate_bandwidth, mean_shift


def column(*values):
    return np.array([values], float).T


def scikit_learn(points, bandwidth):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as many bins as points: it takes the points instead
        shift = cluster.MeanShift(bandwidth=bandwidth, bin_seeding=True, cluster_all=False)
        return shift.fit(points).labels_.tolist()


def test_the_bandwidth_by_hand():
    """Third nearest, itself the first: 2, 1, 2, 8, 9, 20."""
    assert estimate_bandwidth(column(0, 1, 2, 10, 11, 30)) == pytest.approx(42 / 6)
    assert estimate_bandwidth(column(0, 0, 0, 5, 5)) == 0
    assert estimate_bandwidth(column(0, 7, 9)) == 0  # the first nearest is itself


@pytest.mark.parametrize(
    "points, bandwidth, labels",
    [
        # From 7 the mean of the first five, 4.8; 1 and 10.5 are within 7 of it and have fewer.
        ((0, 1, 2, 10, 11, 30), 7, [0, 0, 0, 0, 0, 1]),
        # 1.3 moved the larger centre, 0.475, and is nearer to the other one, 1.65.
        ((0, 0.2, 0.4, 1.3, 2), 1, [0, 0, 0, 1, 1]),
        # From 1 by 0.39 to 0.19: 1.4 is left behind.
        ((0, 0, 0, 0, 0.95, 1.4), 1, [0, 0, 0, 0, 0, -1]),
        # Alone in their cells: each begins with itself. 0 and 10 pull at nobody.
        ((0, 4.9, 5.1, 10), 1, [2, 0, 0, 1]),
        # Just one bandwidth apart is within it, in spite of 0.3 - 0.2 < 0.1 < 0.4 - 0.3.
        ((0.2, 0.3), 0.1, [0, 0]),
        ((0.3, 0.4), 0.1, [0, 0]),
    ],
)
def test_clusters_by_hand(points, bandwidth, labels):
    found = mean_shift(column(*points), bandwidth)
    assert found.tolist() == labels
    assert mean_shift(-column(*points), bandwidth).tolist().count(-1) == labels.count(-1)


@settings(max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 60),
    st.integers(1, 4),
    st.floats(-6, 4),
    st.sampled_from(["one cloud", "two clouds", "steps"]),
)
def test_as_scikit_learn_has_it(seed, n, k, magnitude, shape):
    draws = np.random.default_rng(seed)
    points = draws.standard_normal((n, k))
    if shape == "two clouds":
        points[: n // 3] += draws.normal(0, 5, k)
    if shape == "steps":  # as shares of few coordinates are
        # Not at 0: the centres of its cell's neighbours are just one bandwidth away, whatever
        # the bandwidth, so that rounding would decide and narrow and wide would not tell.
        points = np.round(points * 5) / 5 + 0.07
    points *= 10**magnitude
    bandwidth = estimate_bandwidth(points)
    theirs = cluster.estimate_bandwidth(points, quantile=0.5, n_samples=n)
    np.testing.assert_allclose(bandwidth, theirs, rtol=1e-6, atol=1e-6 * 10**magnitude)
    assume(bandwidth > 1e-3 * 10**magnitude)
    narrow, exact, wide = (scikit_learn(points, f * bandwidth) for f in (1 - 1e-6, 1, 1 + 1e-6))
    assume(narrow == exact == wide)  # else rounding decides whether a point is within
    assert mean_shift(points, bandwidth).tolist() == exact
