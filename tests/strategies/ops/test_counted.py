import numpy as np
import pytest
import torch

from signfed.strategies.core.llr_vote import log_likelihood_ratio
from signfed.strategies.ops import _counted
from signfed.strategies.sign_fd import SignFD
from tests.strategies.ops import plain
from tests.strategies.ops.samples import (
    FEW,
    ROWS,
    SIZES,
    counts_and_tables,
    packed_rows,
    same_bits,
    signs_of,
)
from tests.strategies.places import PLACES, on_cpu
from tests.strategies.runs import random_rounds, updates_of


def placed(counts, place):
    """The counts as a rule holds them: their 16 bits as int16."""
    return [place(torch.from_numpy(count.view(np.int16).copy())) for count in counts]


def same_counts(found, expected):
    return all(
        same_bits(a.cpu().numpy().view(np.uint16), b) for a, b in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("n", ROWS)
def test_agrees_with_the_plain_form(place, n):
    """Two rounds: the second votes with the counts that the first has moved."""
    for n_coordinates in SIZES if place is on_cpu or n <= FEW else ():
        packed = packed_rows(n, n_coordinates)
        counts, tables = counts_and_tables(n, n_coordinates)
        tables = np.concatenate([tables, tables[:, :1]], axis=1)
        moved, signs = placed(counts, place), signs_of(packed, n_coordinates, place)
        for _ in range(2):
            expected, counts = plain.vote_and_count(packed, counts, tables, n_coordinates)
            assert same_bits(signs.vote_and_count(moved, torch.from_numpy(tables)), expected)
            assert same_counts(moved, counts)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("n_coordinates", SIZES)
def test_counting_alone(place, n_coordinates):
    packed = packed_rows(4, n_coordinates)
    counts, _ = counts_and_tables(3, n_coordinates)
    moved = placed(counts, place)
    forgotten = [place(torch.from_numpy(count.astype(np.float32))) for count in counts]
    signs, vector = (signs_of(part, n_coordinates, place) for part in (packed[:3], packed[3]))
    signs.count_disagreements(vector, moved)
    assert same_counts(moved, plain.counted(packed[:3], packed[3], counts, n_coordinates))
    signs.count_disagreements(vector, forgotten, forget=0.5)
    halves = [count / np.float32(2) for count in counts]
    expected = plain.counted(packed[:3], packed[3], halves, n_coordinates)
    assert all(same_bits(a, b) for a, b in zip(forgotten, expected, strict=True))


@pytest.mark.parametrize("place", PLACES)
def test_a_count_uses_all_16_bits(place):
    signs = signs_of(plain.pack(np.array([[-1.0], [1.0]])), 1, place)
    tables = torch.full((2, 65_536), 5.0)
    tables[0, 65_534], tables[1, 0] = 0.5, 1.0
    counts = placed(np.array([[65_534], [0]], np.uint16), place)
    assert signs.vote_and_count(counts, tables).bits.tolist() == [1]
    assert same_counts(counts, np.array([[65_535], [0]], np.uint16))


def test_chunks_fit_together(monkeypatch):
    monkeypatch.setattr(_counted, "CHUNK", 64)
    for n_coordinates in (64, 65, 128, 1000):
        packed = packed_rows(7, n_coordinates)
        counts, tables = counts_and_tables(7, n_coordinates)
        expected, after = plain.vote_and_count(packed, counts, tables, n_coordinates)
        moved = placed(counts, on_cpu)
        found = signs_of(packed, n_coordinates).vote_and_count(moved, torch.from_numpy(tables))
        assert same_bits(found, expected) and same_counts(moved, after)


class DenseSignFD:
    """sign-fd with a float32 weight per worker and coordinate, computed anew from all counts."""

    def __init__(self, initial_rounds, estimator):
        self.initial_rounds, self.eq17 = initial_rounds, estimator == "eq17"
        self.rounds, self.pooled, self.total, self.counts = {}, {}, {}, {}

    def weight(self, worker, t, size):
        rounds = self.rounds.get(worker, 0)
        if not any(self.rounds.values()):
            return torch.ones(size)
        if rounds == 0:
            return torch.zeros(size)
        if t <= self.initial_rounds + 1:
            p = torch.full((size,), self.total[worker] / (size * rounds), dtype=torch.float64)
        else:
            prior = self.pooled[worker] / size if self.eq17 else 0.0
            p = ((self.counts[worker] + prior) / rounds).clamp(max=1.0)
        return log_likelihood_ratio(p).float()

    def aggregate(self, rows, t):
        score = torch.zeros(len(next(iter(rows.values()))))
        for worker, row in sorted(rows.items()):
            weight = self.weight(worker, t, len(row))
            score += torch.where(torch.from_numpy(row) >= 0, weight, -weight)
        for worker, row in rows.items():
            wrong = (torch.from_numpy(row) >= 0) != (score >= 0)
            pooled = t <= self.initial_rounds
            before = self.counts.setdefault(worker, torch.zeros(len(row), dtype=torch.float64))
            self.counts[worker] = before + (wrong if not (pooled and self.eq17) else 0)
            self.rounds[worker] = self.rounds.get(worker, 0) + 1
            self.total[worker] = self.total.get(worker, 0) + int(wrong.sum())
            self.pooled[worker] = self.pooled.get(worker, 0) + (int(wrong.sum()) if pooled else 0)
        return torch.where(score >= 0, 1.0, -1.0)


@pytest.mark.parametrize("estimator", ["alg1", "eq17"])
@pytest.mark.parametrize("seed", range(5))
def test_sign_fd_is_the_same_with_a_dense_weight_for_every_bit(estimator, seed):
    """Workers come and go; decoded signs and counts agree bit for bit in every round."""
    rule, dense = SignFD(estimator, 2), DenseSignFD(2, estimator)
    for t, rows in enumerate(random_rounds(seed, 9, 77, n_rounds=12, absence=0.3), 1):
        decoded = rule.aggregate(updates_of(rule, rows, t))
        assert torch.equal(decoded, dense.aggregate(rows, t))
        for worker, record in rule._published.records.items():
            if record.counts is not None:
                found = record.counts.numpy().view(np.uint16)
                assert (found == dense.counts[worker].numpy()).all()
