"""Filter-aware."""

from itertools import permutations

import numpy as np
import pytest

from tests.attacks.inputs import crafted, matrix, randn, sent_by_all

# Squared norms 14, 100, 0.01; the mean falls from coordinate 0 over 2 and 3 to 1.
HONEST = matrix([3, -1, 2, 0], [5, 5, 5, 5], [0.1, 0, 0, 0])


@pytest.mark.parametrize(
    "share, expected",
    [
        (1.0, [-1, 3, 0, 2]),
        (0.5, [2, -1, 3, 0]),  # 3 and 2 at coordinates 0 and 2 change places
        (0.75, [0, -1, 2, 3]),  # 0, 2, 3 to coordinates 0, 2, 3
        (0.0, [3, -1, 2, 0]),
    ],
)
def test_by_hand(share, expected):
    assert np.array_equal(sent_by_all("filter-aware", HONEST, share=share), expected)


def test_of_an_even_number_the_lower_middle_is_rearranged():
    honest = matrix([8, 0], [2, 1], [4, 0], [1, 0])
    assert np.array_equal(sent_by_all("filter-aware", honest), [1, 2])


def test_no_permutation_points_farther_away():
    honest = randn(5, 6)
    sent, mu = sent_by_all("filter-aware", honest), honest.mean(axis=0, dtype=np.float64)
    products = np.array(list(permutations(sent))) @ mu
    assert sent @ mu == pytest.approx(products.min(), rel=1e-9)
    assert products.max() > 0 > products.min()


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_no_random_permutation_of_many_points_farther_away(share):
    honest = 0.2 + randn(9, 200)
    sent, mu = sent_by_all("filter-aware", honest, share=share), honest.mean(axis=0)
    moved = np.argsort(-np.abs(mu))[: round(share * 200)]
    random = np.random.default_rng(0)
    for _ in range(200):
        other = sent.copy()
        other[moved] = random.permutation(sent[moved])
        assert sent @ mu <= other @ mu + 1e-6


def test_norm_and_signs_are_an_honest_rows():
    honest = 0.2 + randn(9, 300)
    honest[:, ::7] = 0.0
    sent = sent_by_all("filter-aware", honest)
    norms = np.linalg.norm(honest, axis=1)
    reference = honest[np.argsort(norms)[4]]
    assert np.array_equal(np.sort(sent), np.sort(reference))
    assert sent @ honest.mean(axis=0) < 0 < reference @ honest.mean(axis=0)


def test_without_honest_rows_each_sends_its_own():
    own = randn(2, 3)
    assert np.array_equal(crafted("filter-aware", own, np.zeros((0, 3), np.float32)), own)
