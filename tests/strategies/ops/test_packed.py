"""Packed signs as a whole: the same bits wherever they lie."""

import numpy as np
import pytest
import torch

from signfed.strategies.core.updates import Updates
from signfed.strategies.ops import packed
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.sign_fd import SignFD
from signfed.strategies.sign_mv import SignMV
from tests.strategies.ops import plain
from tests.strategies.ops.samples import SIZES, same_bits
from tests.strategies.places import PLACES, elsewhere
from tests.strategies.runs import random_rounds


@pytest.mark.parametrize("place", PLACES)
def test_packing_and_back(place):
    for n_coordinates in SIZES:
        values = np.random.default_rng(n_coordinates).standard_normal((3, n_coordinates))
        values[:, ::5], values[:, 1::5], values[:, 2::5] = -0.0, np.nan, np.inf
        for part in (values, values[0]):
            signs = PackedSigns.pack(place(torch.from_numpy(part)))
            assert same_bits(signs, plain.pack(part)) and signs.n_coordinates == n_coordinates
            assert same_bits(signs.dense(), plain.signs(plain.pack(part), n_coordinates))


@pytest.mark.parametrize("place", PLACES)
def test_parts_of_rows(place):
    for n_coordinates in SIZES[1:]:
        values = np.random.default_rng(n_coordinates).choice([-1.0, 1.0], (5, n_coordinates))
        signs = PackedSigns.pack(place(torch.from_numpy(values)))
        assert signs.ones().tolist() == (values > 0).sum(axis=1).tolist()
        chosen = torch.tensor([True, False, True, True, False])
        assert same_bits(signs.select(chosen), plain.pack(values[chosen.numpy()]))
        assert same_bits(signs.inverted(), plain.pack(-values))
        where = PackedSigns.pack(place(torch.from_numpy(values[0])))
        assert same_bits(signs.among(where), plain.pack(np.where(values[0] > 0, values, -1.0)))
        assert same_bits(signs.but(where), plain.pack(np.where(values[0] > 0, -1.0, values)))
        assert same_bits(signs.differs(where), plain.pack(-values * values[0]))


def test_numpy_is_asked_on_a_cpu_only(monkeypatch):
    """So a GPU never waits for one; `elsewhere` stands for it in the other tests."""
    for name in ("bits", "_majority", "_weighted", "_counted", "_popcount"):
        monkeypatch.setattr(packed, name, None)
    there = PackedSigns.pack(elsewhere(torch.tensor([[1.0, -2.0], [3.0, 4.0]])))
    counts = [elsewhere(torch.zeros(2, dtype=torch.int16)) for _ in range(2)]
    assert there.vote().dense().tolist() == [1, 1]
    assert there.weighted_vote(torch.tensor([1.0, 0.5])).dense().tolist() == [1, -1]
    assert there.disagreements(there.vote_and_count(counts, torch.ones(2, 1))).tolist() == [1, 0]
    with pytest.raises(AttributeError):
        PackedSigns.pack(torch.tensor([1.0]))


@pytest.mark.parametrize("place", PLACES[1:])
@pytest.mark.parametrize("forget", [1.0, 0.9])
@pytest.mark.parametrize("estimator", ["agreement", "pooled", "alg1", "eq17"])
def test_sign_fd(place, forget, estimator):
    same_directions(place, SignFD(estimator, 2, forget=forget), SignFD(estimator, 2, forget=forget))


@pytest.mark.parametrize("place", PLACES[1:])
@pytest.mark.parametrize("tie", ["plus", "zero", "random", "prev"])
def test_sign_mv(place, tie):
    same_directions(place, SignMV(tie=tie), SignMV(tie=tie))


def same_directions(place, here, there):
    for t, rows in enumerate(random_rounds(0, 9, 777, n_rounds=6, absence=0.3), 1):
        ids = torch.tensor(sorted(rows))
        matrix = torch.stack([torch.from_numpy(rows[worker]) for worker in ids.tolist()])
        expected = here.aggregate(Updates.from_matrix(matrix, ids, server_round=t, signs=True))
        found = there.aggregate(Updates.from_matrix(place(matrix), ids, server_round=t, signs=True))
        assert torch.equal(found.cpu(), expected)
