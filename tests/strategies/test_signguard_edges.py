"""SignGuard where its steps degenerate: (a) to (h) are the edge cases of ALGORITHMS.md section 4.

(d)'s second resort, S1, cannot be reached: S2 is a largest cluster or everyone, never empty.
"""

import numpy as np
import pytest
import torch

from signfed.strategies.ops import clustering
from signfed.strategies.registry import aggregate
from signfed.strategies.signguard import SignGuard
from signfed.strategies.signguard_dist import SignGuardDist
from signfed.strategies.signguard_sim import SignGuardSim
from tests.strategies.gradients import RULES, call, federation

every_rule = pytest.mark.parametrize("rule_class", RULES)


def rows_of(*counts, n_coordinates=20):
    """A row of length 1 for each (positive, zero) values; the other ones are negative."""
    signs = [[1.0] * p + [0.0] * z + [-1.0] * (n_coordinates - p - z) for p, z in counts]
    return np.array([row / np.linalg.norm(row) for row in signs], np.float32)


def everywhere(**options):
    """Plain SignGuard that looks at all coordinates."""
    return SignGuard(fraction=1.0, **options)


@pytest.mark.parametrize("counts", [(15, 0), (3, 4)])
def test_a_two_equal_halves_are_two_clusters_and_the_lowest_id_decides(counts):
    """Bandwidth 0. The median feature lies midway, so that only (c)'s last resort is left."""
    opposite = (20 - sum(counts), counts[1])
    rows = rows_of(counts, counts, counts, counts, opposite, opposite, opposite, opposite)
    assert call(everywhere(), rows)[1] == [0, 1, 2, 3]
    direction, accepted = call(everywhere(), rows, ids=[7, 5, 3, 9, 8, 2, 4, 6])
    assert accepted == [2, 4, 6, 8]
    np.testing.assert_allclose(direction, rows[4], rtol=1e-6)


@every_rule
@pytest.mark.parametrize("n", [5, 7, 11, 29])
def test_a_copies_of_two_gradients_are_two_clusters(rule_class, n):
    """Bandwidth 0 but for rounding: every row has n // 2 rows, itself included, in its place."""
    for seed in range(12):
        random = np.random.default_rng(seed)
        scale = 10.0 ** random.integers(-3, 5)
        two = scale * np.concatenate([federation(seed, 1, 300), -federation(seed + 99, 1, 300)])
        which = (random.permutation(n) > n // 2).astype(int)  # the first has one copy more
        rule = rule_class(fraction=0.5)
        for t in (1, 2):
            direction, accepted = call(rule, two[which], t)
            assert accepted == np.flatnonzero(which == 0).tolist()
            np.testing.assert_allclose(direction, two[0], rtol=1e-5)


@every_rule
@pytest.mark.parametrize("noise", [1e-9, 1e-8, 1e-7, 1e-5])
@pytest.mark.parametrize("n", [5, 15])
def test_a_gradients_equal_up_to_rounding_are_returned(rule_class, noise, n):
    """Features of 1 that differ by 1e-12 to 1e-5: single precision cannot number such bins."""
    for seed in range(5):
        random = np.random.default_rng(seed)
        row = federation(seed, 1, 300, bias=0.0)[0]
        rule = rule_class(fraction=1.0)
        for t in (1, 2):
            rows = row * (1 + noise * random.standard_normal((n, 300)))
            direction, accepted = call(rule, rows, t)
            assert accepted
            np.testing.assert_allclose(direction, row, rtol=max(1e-6, 5 * noise))


@every_rule
def test_a_constant_features_accept_everyone(rule_class):
    """Rows of equal shares on either side, with nothing to compare with but a zero vector."""
    rows = rows_of(*[(13, 2)] * 6)
    rule = rule_class(fraction=1.0)
    call(rule, np.zeros((6, 20)))  # M = 0: the aggregate that the variants remember is 0
    shuffled = np.stack([np.random.default_rng(i).permutation(row) for i, row in enumerate(rows)])
    direction, accepted = call(rule, shuffled, 2)
    assert accepted == list(range(6))
    np.testing.assert_allclose(direction, shuffled.mean(axis=0), atol=1e-7)


def test_b_an_orphan_is_no_member_of_the_cluster_that_it_lies_beside():
    """Row 4 moved the first cluster's mean in its own basin, and was out of reach of the kept one.

    Were it a member, the first five would be as many as the last five, and hold the lowest id.
    """
    rows = rows_of((4, 2), (6, 1), (6, 3), (6, 1), (4, 0), *[(13, 3)] * 2, (13, 2), *[(14, 3)] * 2)
    assert call(everywhere(), rows)[1] == [5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    "labels, expected",
    [
        ([-1, -1, -1, -1, -1], [0, 1, 2, 3, 4]),
        ([-1, -1, -1, 0, 0], [3, 4]),
        ([0, -1, 1, 1, -1], [2, 3]),
    ],
)
def test_b_orphans_count_for_nothing_unless_all_are(monkeypatch, labels, expected):
    """The mean shift is replaced: it leaves no input without any cluster."""

    monkeypatch.setattr(clustering, "mean_shift", lambda points, bandwidth: np.array(labels))
    rows = rows_of((4, 0), (8, 0), (12, 0), (16, 0), (20, 0))
    assert call(everywhere(), rows)[1] == expected


def test_c_of_equal_clusters_that_with_the_row_nearest_to_the_median_feature():
    """Distances to the median feature: 0.217 at least in the first five, 0.148 in the others."""
    first = [(5, 0), (5, 3), (7, 0), (6, 3), (5, 1)]
    second = [(12, 0), (15, 0), (12, 0), (12, 3), (13, 3)]
    rows = rows_of(*first, *second)
    assert call(everywhere(), rows)[1] == [5, 6, 7, 8, 9]
    assert call(everywhere(), np.flipud(rows).copy())[1] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "cosines, expected",
    [([1.8, 1.2, 1.0, 1.6, 1.1, 1.7], [1, 2, 4]), ([1.8, 1.7, 1.6, 1.0, 1.2, 1.1], [0, 1, 2])],
)
def test_c_two_halves_along_a_line_are_equally_near_however_it_is_rounded(cosines, expected):
    """Only the cosines with the last aggregate, u, differ; 1.2 and 1.6 are next to the median."""
    u, v = np.eye(2).repeat(10, axis=1) * rows_of((10, 0))
    for scale in np.linspace(0.1, 0.5, 20):
        rule = SignGuardSim(fraction=1.0)
        rule.load_state_dict({"last": torch.tensor(u, dtype=torch.float32)})
        c = scale * np.array([cosines]).T
        assert call(rule, c * u + np.sqrt(1 - c**2) * v, 2)[1] == expected


def test_d_an_empty_intersection_leaves_the_largest_cluster():
    """Four rows of length 100 and equal signs among five of length 1, in clusters of 3 and 2."""
    rows = rows_of(*[(20, 0)] * 4, *[(0, 0)] * 3, *[(2, 16)] * 2)
    rows[:4] *= 100
    direction, accepted = call(everywhere(), rows)
    assert accepted == [0, 1, 2, 3]
    np.testing.assert_allclose(direction, rows[0] / 100, rtol=1e-6)


@every_rule
@pytest.mark.parametrize("components", ["filter,cluster,clip", "cluster", "filter", "clip", ""])
def test_e_mostly_zero_gradients_are_answered_with_zeros(rule_class, components):
    rows = np.zeros((7, 30), np.float32)
    rule = rule_class(components=components)
    for harmful in (0, 3):
        rows[:harmful] = 1e6
        direction, _ = call(rule, rows)
        assert direction.tolist() == [0.0] * 30
    direction, accepted = call(rule, federation(0, 9, 30), 2)  # and life goes on
    assert accepted and np.isfinite(direction).all() and direction.any()


@every_rule
def test_f_fewer_than_four_rows_are_not_clustered_but_filtered(rule_class):
    rows = rows_of((15, 0), (15, 0), (5, 0), (15, 0))
    assert call(rule_class(fraction=1.0), rows[:3])[1] == [0, 1, 2]
    assert call(rule_class(fraction=1.0), rows[1:3])[1] == [0, 1]
    assert call(rule_class(fraction=1.0), rows[2:3])[1] == [0]
    assert call(rule_class(fraction=1.0), rows)[1] == [0, 1, 3]
    rows[2] *= 100
    assert call(rule_class(), rows[:3])[1] == [0, 1]


@pytest.mark.parametrize("scale", [1.0, 8.0])
def test_the_norm_filter_admits_its_bounds(scale):
    lengths = np.array([[10, 10, 10, 1, 30, 0.999, 30.01, 0]], np.float32).T * scale
    assert call(SignGuard(components="filter"), lengths)[1] == [0, 1, 2, 3, 4]


def test_the_median_norm_of_an_even_number_is_midway():
    """(1 + 2 + 3 + 3) / 4: lengths 4 and 8 are cut to (2 + 4) / 2."""
    lengths = np.array([[1.0], [2], [4], [8]])
    assert call(SignGuard(components="clip"), lengths)[0].tolist() == [2.25]


def test_a_zero_row_is_an_ordinary_summand_without_the_filter():
    lengths = np.array([[0.0], [2], [2], [2], [2]])
    direction, accepted = call(SignGuard(components="clip"), lengths)
    assert direction.tolist() == pytest.approx([1.6]) and accepted == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("rule_class", [SignGuard, SignGuardSim])
@pytest.mark.parametrize(
    "components, answer, absent",
    [
        ("filter,cluster,clip", 7.5 / 8, {8, 9, 10, 11}),
        ("cluster,clip", 8.5 / 9, {9, 10, 11}),
        ("filter,clip", (7.5 - 3) / 11, {8}),
        ("filter,cluster", 9.5 / 8, {8, 9, 10, 11}),
        ("filter", (9.5 - 3) / 11, {8}),
        ("cluster", 109.5 / 9, {9, 10, 11}),
        ("clip", (8.5 - 3) / 12, set()),
        ("", (109.5 - 3) / 12, set()),
    ],
)
def test_each_component_does_its_part_and_no_other(rule_class, components, answer, absent):
    """Nine multiples of u, one far too long, and three of -u; the median length is u's."""
    u = rows_of((15, 0))
    rows = u * np.array([[1, 1, 1, 1, 1, 2, 2, 0.5, 100, -1, -1, -1]]).T
    direction, accepted = call(rule_class(fraction=1.0, components=components), rows)
    np.testing.assert_allclose(direction, answer * u[0], rtol=1e-6)
    assert accepted == sorted(set(range(12)) - absent)


def test_max_scaling_stretches_rare_zeros():
    """Shares of zeros of 0 and 1 in 20 weigh as much as the signs, once scaled to 0 and 1."""
    rows = rows_of(*[(15, 0)] * 3, *[(14, 1)] * 2, *[(9, 0)] * 2, *[(8, 1)] * 1)
    assert call(everywhere(), rows)[1] == [0, 1, 2, 3, 4]
    assert call(everywhere(scaling="max"), rows)[1] == [0, 1, 2, 5, 6]


@every_rule
@pytest.mark.parametrize(
    "options, text",
    [
        ({"components": "filter,sort"}, "components: expected"),
        ({"components": "filter;clip"}, "components: expected"),
        ({"coordinates": "first"}, "coordinates: expected"),
        ({"scaling": "unit"}, "scaling: expected"),
        ({"fraction": 0.0}, "fraction: expected"),
        ({"fraction": -0.1}, "fraction: expected"),
        ({"fraction": 1.1}, "fraction: expected"),
        ({"fraction": float("nan")}, "fraction: expected"),
    ],
)
def test_impossible_options_are_refused(rule_class, options, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        rule_class(**options)


@pytest.mark.parametrize("rule_class", [SignGuardSim, SignGuardDist])
def test_an_unknown_similarity_is_refused(rule_class):
    with pytest.raises(ValueError, match=r"^similarity: expected one of paper, authors"):
        rule_class(similarity="cosine")


def test_a_row_that_is_not_finite_is_dropped():
    rows = federation(0, 12, 200)
    broken = np.insert(rows, 4, np.nan, axis=0)
    for name in ("signguard", "signguard-sim", "signguard-dist"):
        expected = aggregate(name, rows, seed=1)
        np.testing.assert_allclose(aggregate(name, broken, seed=1), expected, rtol=1e-6)
