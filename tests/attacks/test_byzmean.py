"""ByzMean."""

import numpy as np
import pytest

from signfed.attacks import ATTACKS, View, build
from tests.attacks.inputs import crafted, matrix, randn

HONEST = matrix([1, 2], [3, 4])
OWN = matrix([9, 9], [9, 9], [9, 9])


def test_by_hand():
    """g1 = -(2, 3) by ipm; n = 5, m1 = 1, m2 = 2: g2 = (4 g1 - (4, 6)) / 2 = -(6, 9).

    Mean of all: (-2 - 12 + 4, -3 - 18 + 6) / 5 = -(2, 3).
    """
    sent = crafted("byzmean", OWN, HONEST, inner="ipm", epsilon=1.0)
    assert np.array_equal(sent, [[-2, -3], [-6, -9], [-6, -9]])


def test_a_single_attacker_is_the_second_group():
    """m1 = 0, m2 = 1, n = 3: g2 = 3 g1 - (4, 6) = -(10, 15)."""
    sent = crafted("byzmean", OWN[:1], HONEST, inner="ipm", epsilon=1.0)
    assert np.array_equal(sent, [[-10, -15]])


@pytest.mark.parametrize("m", [1, 2, 5, 10])
@pytest.mark.parametrize("inner", ["lie", "random", "sign-flip", "min-max"])
def test_the_mean_of_all_rows_is_the_row_of_the_inner_attack(m, inner):
    own, honest = randn(m, 60), 1.0 + randn(12, 60, seed=1)
    sent = crafted("byzmean", own, honest, inner=inner)
    target = crafted(inner, own, honest)[0]
    mean = np.concatenate([sent, honest]).mean(axis=0, dtype=np.float64)
    assert mean == pytest.approx(target, abs=1e-5)
    assert all(np.array_equal(row, target) for row in sent[: m // 2])
    assert all(np.array_equal(row, sent[-1]) for row in sent[m // 2 :])
    assert np.abs(sent[-1] - target).max() > 0.1  # the second group is needed


def test_the_default_is_lie_and_its_options_reach_it():
    own, honest = randn(4, 8), randn(6, 8, seed=1)
    assert np.array_equal(crafted("byzmean", own, honest)[0], crafted("lie", own, honest)[0])
    stronger = crafted("byzmean", own, honest, z=1.5)[0]
    assert np.array_equal(stronger, crafted("lie", own, honest, z=1.5)[0])


@pytest.mark.parametrize(
    "inner, found", [("lie,ipm", "lie at 'gradient', ipm"), ("mimic", "mimic at 'message'")]
)
def test_there_is_one_inner_attack_on_gradients(inner, found):
    with pytest.raises(ValueError, match=f"inner: expected one attack .* got .*{found}"):
        crafted("byzmean", OWN, HONEST, inner=inner)


def test_it_has_to_be_built():
    view = View(OWN, (), 5, honest=HONEST)
    with pytest.raises(
        ValueError, match=r"byzmean: expected attacks, as build\('byzmean'\) binds them; got 'lie'"
    ):
        ATTACKS["byzmean"](view)
    assert build("byzmean")(view).shape == OWN.shape
