"""A vote is the same to the last bit wherever the rows lie."""

import numpy as np
import pytest
import torch

from signfed.strategies.core.updates import Updates
from signfed.strategies.ops import vote
from signfed.strategies.sign_fd import SignFD
from tests.strategies.ops.samples import counts_and_tables, cuts, packed_rows, weights_of
from tests.strategies.places import PLACES
from tests.strategies.runs import random_rounds

SHAPES = [(1, 3), (2, 9), (6, 64), (7, 1000)]


def rows_of(n, n_coordinates):
    return torch.from_numpy(packed_rows(n, n_coordinates))


def updates_of(rows, n_coordinates):
    return Updates(torch.arange(len(rows)), 1, n_coordinates, rows, True)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("n, n_coordinates", SHAPES)
def test_votes(place, n, n_coordinates):
    rows, edges = rows_of(n, n_coordinates), cuts(n_coordinates, n)
    there = place(rows)
    voted = vote.majority_vote(updates_of(there, n_coordinates))
    assert torch.equal(voted.cpu(), vote.majority_vote(updates_of(rows, n_coordinates)))
    if n % 2 == 0:
        tied = vote.ties(updates_of(there, n_coordinates))
        assert torch.equal(tied.cpu(), vote.ties(updates_of(rows, n_coordinates)))
    for weights, at in ((weights_of(n, 0), None), (weights_of((n, len(edges) - 1), 1), edges)):
        given = torch.from_numpy(weights.copy()), n_coordinates, at
        assert torch.equal(
            vote.weighted_vote(there, *given).cpu(), vote.weighted_vote(rows, *given)
        )
    for row, plain in zip(there, rows, strict=True):
        differ = np.unpackbits(plain.numpy() ^ rows[0].numpy()).sum()
        assert vote.differing_bits(row, there[0]) == differ
    found = vote.block_disagreements(there, there[0], edges)
    assert np.array_equal(found, vote.block_disagreements(rows, rows[0], edges))


@pytest.mark.parametrize("place", PLACES[1:])
@pytest.mark.parametrize("n, n_coordinates", SHAPES)
def test_counts(place, n, n_coordinates):
    """They move in place; the tables, of a length each, stay where they are made."""
    rows = rows_of(n, n_coordinates)
    counts, tables = counts_and_tables(n, n_coordinates)
    counts = [torch.from_numpy(count.view(np.int16)) for count in counts]
    tables = [torch.from_numpy(table) for table in tables]
    there = [place(count.clone()) for count in counts]
    for _ in range(2):
        decoded = vote.vote_and_count(rows, counts, tables, n_coordinates)
        again = vote.vote_and_count(place(rows), there, tables, n_coordinates)
        assert torch.equal(again.cpu(), decoded)
        tables = [torch.cat([table, table[:1]]) for table in tables]  # a round more to count
    vote.count_disagreements(rows, rows[-1], counts, n_coordinates)
    vote.count_disagreements(place(rows), place(rows)[-1], there, n_coordinates)
    assert all(torch.equal(a.cpu(), b) for a, b in zip(there, counts, strict=True))


@pytest.mark.parametrize("place", PLACES[1:])
@pytest.mark.parametrize("crossover", ["blocks", "alg1", "eq17"])
def test_sign_fd(place, crossover):
    here, there = SignFD(2, crossover), SignFD(2, crossover)
    for t, rows in enumerate(random_rounds(0, 9, 77, n_rounds=6, absence=0.3), 1):
        ids = torch.tensor(sorted(rows))
        matrix = torch.stack([torch.from_numpy(rows[worker]) for worker in ids.tolist()])
        expected = here.aggregate(Updates.from_matrix(matrix, ids, server_round=t, signs=True))
        found = there.aggregate(Updates.from_matrix(place(matrix), ids, server_round=t, signs=True))
        assert torch.equal(found.cpu(), expected)
