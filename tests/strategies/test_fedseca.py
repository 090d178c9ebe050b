"""Election by concordance: golden values, its definition, and the law that its docstring proves."""

import numpy as np
import pytest
import torch

from signfed.strategies.fedseca import FedSECA, concordances
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.registry import aggregate
from tests.strategies.ops.samples import SIZES
from tests.strategies.places import PLACES
from tests.strategies.slow import new_rules as slow

# Rows 0 to 2 agree in pairs in 3 of 5 signs, and each with rows 3 and 4 in 1: counts 3 - 2 = 1 and
# 2 - 3 = -1. So rows 0 to 2 vote alone, with 1/5 each.
ROWS = [(1, 1, 1, 1, -1), (1, 1, 1, -1, 1), (1, 1, -1, 1, 1), (-1,) * 5, (-1,) * 5]


def test_golden():
    rule = FedSECA(n_byzantine=2)
    rows = np.array(ROWS, np.float32)
    assert aggregate("sign-mv", rows).tolist() == [1, 1, -1, -1, -1]
    assert rule(rows).tolist() == [1] * 5
    assert rule.diagnostics() == {
        "concordance": {0: 0.2, 1: 0.2, 2: 0.2, 3: 0.0, 4: 0.0}, "accepted": [0, 1, 2],
    }  # fmt: skip
    # A pair that differs in just half of its signs counts for neither side.
    halves = PackedSigns.pack(torch.tensor([[1.0, 1.0], [1.0, -1.0]]))
    assert concordances(halves).tolist() == [1, 1]


@pytest.mark.parametrize("n, n_coordinates", [(1, 5), (2, 7), (4, 64), (15, 203)])
def test_parity_with_the_definition(n, n_coordinates):
    for seed in range(4):
        draws = np.random.default_rng(seed)
        truth = draws.standard_normal(n_coordinates)
        rows = truth + 2 * draws.standard_normal((n, n_coordinates))
        rows[: n // 3] *= -1.0
        rows[:, 0] = 0.0
        rule = FedSECA()
        assert rule(rows).tolist() == slow.fedseca(rows.tolist())
        found = list(rule.diagnostics()["concordance"].values())
        np.testing.assert_allclose(found, list(map(float, slow.concordance_ratios(rows.tolist()))))


@pytest.mark.parametrize("place", PLACES)
def test_pairs_are_counted_to_the_bit(place):
    for n_coordinates in SIZES:
        rows = np.random.default_rng(n_coordinates).choice([-1.0, 1.0], (4, n_coordinates))
        found = PackedSigns.pack(place(torch.from_numpy(rows))).pairwise_disagreements()
        differ = (rows[:, None] != rows).sum(axis=2)
        assert found.tolist() == differ.tolist()


def concordant(draws, h, n_coordinates):
    """h rows that agree in pairs, on some coordinates all of them."""
    while True:
        truth = draws.choice([-1.0, 1.0], n_coordinates)
        rows = truth * np.where(draws.random((h, n_coordinates)) < 0.2, -1.0, 1.0)
        if ((rows @ rows.T) > 0).all():
            return rows


def against(draws, honest, b):
    """The worst of many rows, each grown coordinate by coordinate: it opposes where that is free.

    Free: as long as it still agrees with most honest rows, whose concordance it needs.
    """
    wanted = -np.sign(honest.sum(axis=0))
    rows = np.tile(honest[draws.integers(len(honest))], (b, 1))
    for row in rows:
        for at in draws.permutation(len(wanted)):
            before = row[at]
            row[at] = wanted[at]
            if ((honest @ row) > 0).sum() * 2 <= len(honest) and draws.random() < 0.8:
                row[at] = before
    return rows


@pytest.mark.parametrize("h, b", [(2, 1), (4, 3), (8, 7), (9, 6)])
def test_where_all_honest_workers_agree_the_sign_is_theirs(h, b):
    """The law of the docstring: h > b, honest rows that agree in pairs, and rows that are searched
    for against it; one more Byzantine row than that, and it breaks."""
    turned = 0
    for seed in range(40):
        draws = np.random.default_rng(seed)
        honest = concordant(draws, h, 31)
        agreed = np.abs(honest.sum(axis=0)) == h
        for rows in (against(draws, honest, b), draws.choice([-1.0, 1.0], (b, 31)),
                     np.tile(-np.sign(honest.sum(axis=0) + 0.5), (b, 1))):  # fmt: skip
            answer = aggregate("fedseca", np.concatenate([rows, honest]), n_byzantine=b)
            assert (answer == honest[0])[agreed].all()
        many = np.tile(-np.sign(honest.sum(axis=0) + 0.5), (h + 1, 1))
        answer = aggregate("fedseca", np.concatenate([many, honest]))
        turned += not (answer == honest[0])[agreed].all()
    assert turned == 40


def test_no_concordance_at_all_is_a_plain_vote():
    rows = np.array([[1.0, 1, -1, -1, -1], [1.0, 1, 1, 1, 1]])  # 3 of 5 differ: counts 0
    assert aggregate("fedseca", rows).tolist() == [1, 1, 1, 1, 1]
    rows[:, :2] *= -1
    assert aggregate("fedseca", rows).tolist() == [-1, -1, 1, 1, 1]


def test_more_than_a_minority_is_refused():
    with pytest.raises(ValueError, match=r"fedseca needs n >= 2f\+1: got n=4 updates, f=2"):
        aggregate("fedseca", np.ones((4, 3)), n_byzantine=2)
