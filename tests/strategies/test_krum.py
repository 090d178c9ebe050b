"""Krum, Multi-Krum and Bulyan: who is chosen, at any magnitude of Byzantine and honest rows."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from signfed.strategies.bulyan import Bulyan
from signfed.strategies.core.updates import Updates
from signfed.strategies.krum import Krum
from signfed.strategies.meamed import mean_nearest_median
from signfed.strategies.multi_krum import MultiKrum
from signfed.strategies.registry import aggregate
from tests.strategies.float_rows import far_out, near_duplicates, rows_of, tiny_copies
from tests.strategies.runs import same_bits
from tests.strategies.slow import float_rules as slow


def accepted(rule, rows, ids=None):
    ids = None if ids is None else torch.tensor(ids)
    rule.aggregate(Updates.from_matrix(torch.from_numpy(rows), ids))
    return rule.diagnostics()["accepted"]


def bulyan_choice(rows, f):
    return sorted(slow.bulyan_choice(rows.astype(float).tolist(), f))


def order_of(rows, f, neighbours=0):
    return slow.krum_order(rows.astype(float).tolist(), f, neighbours=neighbours)


@settings(max_examples=30)
@given(
    st.integers(0, 3).flatmap(lambda f: st.tuples(st.just(f), st.integers(2 * f + 3, 2 * f + 9))),
    st.sampled_from([1, 2, 30]),
    st.integers(0, 10**6),
    st.data(),
)
def test_the_choice_is_the_definitions(sizes, n_coordinates, seed, data):
    f, n = sizes
    rows = rows_of(seed, n, f, n_coordinates)
    neighbours, selected = data.draw(st.integers(0, n - 1)), data.draw(st.integers(0, n))
    order = order_of(rows, f, neighbours)
    assert same_bits(aggregate("krum", rows, n_byzantine=f, neighbours=neighbours), rows[order[0]])
    rule = MultiKrum(n_byzantine=f, neighbours=neighbours, selected=selected)
    assert accepted(rule, rows) == sorted(order[: selected or n - f - 2])
    if n >= 4 * f + 3:
        assert accepted(Bulyan(n_byzantine=f), rows) == bulyan_choice(rows, f)


def test_scores_are_sums_of_squared_distances_by_worker():
    """On a line at 0, 1, 3, 7 and 100: with f = 1 the two nearest others count."""
    rows = np.array([[0.0], [1.0], [3.0], [7.0], [100.0]], np.float32)
    for kind, chosen in ((Krum, [20]), (MultiKrum, [10, 20])):
        rule = kind(n_byzantine=1)
        assert accepted(rule, rows, [10, 20, 30, 40, 50]) == chosen
        scores = {10: 1 + 9, 20: 1 + 4, 30: 4 + 9, 40: 16 + 36, 50: 93**2 + 97**2}
        assert rule.diagnostics()["scores"] == pytest.approx(scores)


HOSTILE = {
    "1e3": lambda rows, f: far_out(rows, f, 1e3),
    "1e15": lambda rows, f: far_out(rows, f, 1e15),
    "1e30": lambda rows, f: far_out(rows, f, 1e30),
    "3e38": lambda rows, f: far_out(rows, f, 3e38),
    "copies at 1e30": lambda rows, f: np.vstack([rows[:-f], np.full_like(rows[-f:], 1e30)]),
    "from 1e2 to 1e38": lambda rows, f: np.vstack(
        [rows[:-f], 10 ** np.linspace(2, 38, f)[:, None] * np.sign(rows[-f:])]
    ).astype(np.float32),
    "copies at 1e-30": tiny_copies,
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("honest", [rows_of, near_duplicates])
def test_byzantine_rows_do_not_blur_the_honest_ones(honest, hostile):
    """Rows, not ids: which of two copies is chosen is a matter of the last bit of a distance."""
    for seed in range(2):
        rows = hostile(honest(seed, 11), 2)
        order = order_of(rows, 2)
        for rule, chosen in (
            (Krum(n_byzantine=2), order[:1]),
            (MultiKrum(n_byzantine=2), sorted(order[:7])),
            (Bulyan(n_byzantine=2), bulyan_choice(rows, 2)),
        ):
            assert same_bits(rows[accepted(rule, rows)], rows[chosen])


def test_byzantine_rows_farther_out_do_not_change_the_choice():
    """Their distance does not count as long as no honest row has them among its neighbours."""
    for honest in (rows_of, near_duplicates):
        for seed in range(5):
            rows = honest(seed, 11)
            near = aggregate("krum", far_out(rows, 3, 1e3 * np.abs(rows).max()), n_byzantine=3)
            assert near.tobytes() in [row.tobytes() for row in rows[:8]]
            for scale in (1e10, 1e30, 3e38):
                far = aggregate("krum", far_out(rows, 3, scale), n_byzantine=3)
                assert same_bits(far, near)


def test_the_lowest_ids_of_equal_scores():
    """Two copies each of three rows of a regular triangle: six equal scores, with any id."""
    rows = np.repeat(np.eye(3, dtype=np.float32), 2, axis=0)[[4, 0, 2, 1, 5, 3]]
    ids = [31, 7, 19, 23, 5, 11]
    assert accepted(Krum(n_byzantine=1), rows, ids) == [5]
    assert accepted(MultiKrum(n_byzantine=1), rows, ids) == [5, 7, 11]


def test_without_strictness_one_neighbour_is_enough():
    """n - f - 2 is 0 and less: the nearest pair wins, its lower id first."""
    rows = np.array([[0.0], [10.0], [11.0], [30.0]], np.float32)
    for f in (1, 2, 3, 9):
        for n in (3, 4):
            found = aggregate("krum", rows[:n], n_byzantine=f, strict=False)
            assert found.tolist() == [10.0]
            assert aggregate("multi-krum", rows[:n], n_byzantine=f, strict=False) == found
    assert aggregate("krum", rows[:2], n_byzantine=5, strict=False).tolist() == [0.0]
    with pytest.raises(ValueError, match="n >= 2"):
        aggregate("krum", rows[:1], strict=False)


@pytest.mark.parametrize("option", ["neighbours", "selected"])
def test_more_rows_than_there_are(option):
    rows, too_many = rows_of(0, 7), {"neighbours": 7, "selected": 8}[option]
    with pytest.raises(ValueError, match=f"needs n >= {8} updates, got 7"):
        aggregate("multi-krum", rows, **{option: too_many})
    aggregate("multi-krum", rows, **{option: too_many - 1})
    with pytest.raises(ValueError, match=f"{option}: expected a whole number of at least 0"):
        MultiKrum(**{option: -1})


def test_bulyan_by_hand():
    """n = 7, f = 1: five rounds of Krum, of m rows left max(1, m - 3) neighbours.

    Of squared distances, twice the differences' squares on the line of rows 0 to 4:
        m = 7: row 1: 2 (1 + 9 + 49 + 81) = 280, row 2: 2 (1 + 4 + 36 + 100) = 282: row 1.
        m = 6: row 2: 2 (4 + 36 + 100) = 280, row 3: 2 (4 + 16 + 144) = 328: row 2.
        m = 5: row 3: 2 (16 + 144) = 320, row 4: 2 (16 + 256) = 544: row 3.
        m = 4: rows 5 and 6 are 200 apart, rows 0 and 4 512: row 5, the lower id.
        m = 3: rows 0 and 4 again: row 0.
    Columns -9 0 1 3 50 and -3 -1 0 9 50: the 5 - 2 = 3 nearest to 1 and 0 are 0 1 3 and -3 -1 0.
    """
    rows = np.array([(-9, 9), (0, 0), (1, -1), (3, -3), (7, -7), (50, 50), (60, 40)], np.float32)
    rule = Bulyan(n_byzantine=1)
    answer = rule.aggregate(Updates.from_matrix(torch.from_numpy(rows)))
    assert rule.diagnostics()["accepted"] == [0, 1, 2, 3, 5]
    assert answer.tolist() == pytest.approx([4 / 3, -4 / 3])


def test_bulyan_takes_the_lower_of_two_equally_near_values():
    """The columns are -9 -2 0 2 7 and -5 -2 0 2 4: with 0 go -2 and 2, of one place -2."""
    values = torch.tensor([[7.0, 4.0], [2.0, 2.0], [-9.0, -5.0], [0.0, 0.0], [-2.0, -2.0]])
    assert mean_nearest_median(values, 3).tolist() == [0.0, 0.0]
    assert mean_nearest_median(values, 2).tolist() == [-1.0, -1.0]
    assert mean_nearest_median(values, 5).tolist() == pytest.approx([-0.4, -0.2])
