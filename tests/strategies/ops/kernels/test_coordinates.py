import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from signfed.strategies.core.reliability import log_likelihood_ratio
from signfed.strategies.ops.kernels import bits, coordinates, grouped
from signfed.strategies.ops.kernels.coordinates import (
    count_disagreements,
    reference,
    vote_and_count,
)
from signfed.strategies.sign_fd import SignFD
from tests.strategies.ops.samples import (
    FEW,
    ROWS,
    SIZES,
    counts_and_tables,
    packed_rows,
    same_bits,
)
from tests.strategies.runs import random_rounds, updates_of


def one_matrix(tables):
    """As the tables go to a device."""
    return pad_sequence(list(map(torch.from_numpy, tables)), batch_first=True)


def copies(counts):
    return [count.copy() for count in counts]


@pytest.mark.parametrize("n", ROWS)
def test_agrees_with_the_reference(n):
    for n_coordinates in SIZES:
        packed = packed_rows(n, n_coordinates)
        counts, tables = counts_and_tables(n, n_coordinates)
        expected, moved = copies(counts), torch.from_numpy(np.stack(counts).view(np.int16))
        decoded = vote_and_count(packed, counts, tables, n_coordinates)
        assert same_bits(decoded, reference(packed, expected, tables, n_coordinates))
        assert all(same_bits(a, b) for a, b in zip(counts, expected, strict=True))
        if n > FEW:
            continue
        again = grouped.vote_and_count(
            torch.from_numpy(packed), moved, one_matrix(tables), n_coordinates
        )
        assert same_bits(again.numpy(), decoded)
        assert same_bits(moved.numpy().view(np.uint16), np.stack(counts))


@pytest.mark.parametrize("n_coordinates", SIZES)
def test_counting_alone(n_coordinates):
    *rows, decoded = packed = packed_rows(4, n_coordinates)
    counts, _ = counts_and_tables(3, n_coordinates)
    expected = [
        count + (bits.unpack(row, n_coordinates) != bits.unpack(decoded, n_coordinates))
        for row, count in zip(rows, counts, strict=True)
    ]
    moved = [torch.from_numpy(count.view(np.int16)).clone() for count in counts]
    grouped.count_disagreements(*map(torch.from_numpy, (packed[:3], decoded)), moved)
    count_disagreements(packed[:3], decoded, counts, n_coordinates)
    assert all(same_bits(a.numpy().view(np.uint16), b) for a, b in zip(moved, counts, strict=True))
    assert all(same_bits(a, b) for a, b in zip(counts, expected, strict=True))


def test_a_count_uses_all_16_bits():
    packed = bits.pack(np.array([[-1.0], [1.0]]))
    counts = np.array([[65_534], [0]], np.uint16)
    tables = [np.full(65_536, 5, np.float32), np.ones(1, np.float32)]
    tables[0][65_534] = 0.5
    moved = torch.from_numpy(counts.view(np.int16).copy())
    assert vote_and_count(packed, counts, tables, 1).tolist() == [1]
    assert counts.tolist() == [[65_535], [0]]
    tensors = torch.from_numpy(packed), moved, one_matrix(tables)
    assert grouped.vote_and_count(*tensors, 1).tolist() == [1]
    assert moved.numpy().view(np.uint16).tolist() == [[65_535], [0]]


def test_chunks_fit_together(monkeypatch):
    monkeypatch.setattr(coordinates, "CHUNK", 64)
    for n_coordinates in (64, 65, 128, 1000):
        packed = packed_rows(7, n_coordinates)
        counts, tables = counts_and_tables(7, n_coordinates)
        expected = copies(counts)
        decoded = vote_and_count(packed, counts, tables, n_coordinates)
        assert same_bits(decoded, reference(packed, expected, tables, n_coordinates))
        assert same_bits(np.stack(counts), np.stack(expected))


class DenseSignFD:
    """sign-fd with a float32 weight per worker and coordinate, computed anew from all counts."""

    def __init__(self, initial_rounds, crossover):
        self.initial_rounds, self.eq17 = initial_rounds, crossover == "eq17"
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


@pytest.mark.parametrize("crossover", ["alg1", "eq17"])
@pytest.mark.parametrize("seed", range(5))
def test_sign_fd_is_the_same_with_a_dense_weight_for_every_bit(crossover, seed):
    """Workers come and go; decoded signs and counts agree bit for bit in every round."""
    rule, dense = SignFD(2, crossover), DenseSignFD(2, crossover)
    for t, rows in enumerate(random_rounds(seed, 9, 77, n_rounds=12, absence=0.3), 1):
        decoded = rule.aggregate(updates_of(rule, rows, t))
        assert torch.equal(decoded, dense.aggregate(rows, t))
        for worker, record in rule.records.items():
            if record.counts is not None:
                found = record.counts.numpy().view(np.uint16)
                assert (found == dense.counts[worker].numpy()).all()
