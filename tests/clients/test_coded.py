from collections import Counter
from statistics import NormalDist

import numpy as np
import pytest

from signfed.clients import CodedGradients, Encoder, HonestClient
from signfed.clients.coded import local_vote
from signfed.strategies.core.allocation import bernoulli_matrix, deterministic_matrix
from signfed.strategies.core.codecs import SignCodec
from tests.strategies.slow import election as slow

PARAMETERS = np.linspace(-1.0, 1.0, 40, dtype=np.float32)
PURPOSELY_UNEVEN = np.array([[1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0]])


def gradient(parameters, partition, server_round):
    """Another one for every partition and round."""
    return np.cos(parameters * (7 * partition + server_round + 1)).astype(np.float32)


def zero(parameters, partition, server_round):
    return np.zeros_like(parameters)


def signs(partition, server_round=1):
    return np.where(gradient(PARAMETERS, partition, server_round) >= 0, 1, -1)


def test_a_worker_votes_over_the_partitions_of_its_row():
    coded = CodedGradients(gradient, PURPOSELY_UNEVEN)
    for server_round in (1, 2):
        expected = {
            0: np.sign(signs(0, server_round) + signs(1, server_round) + signs(2, server_round)),
            1: np.sign(signs(1, server_round) + signs(2, server_round) + signs(3, server_round)),
            2: signs(2, server_round),
            3: np.ones(40),  # holds nothing: no vote, and sign(0) = +1
        }
        for worker, votes in expected.items():
            voted = coded(PARAMETERS, worker, server_round)
            assert voted.dtype == np.float32 and np.array_equal(voted, votes)


def test_the_sign_of_zero_is_plus_and_so_is_a_tie():
    assert CodedGradients(zero, np.eye(2, dtype=int))(PARAMETERS, 1, 1).tolist() == [1.0] * 40
    voted = CodedGradients(tied, np.ones((1, 2), int))(PARAMETERS, 0, 1)
    assert voted.tolist() == [1.0] * 40 and voted.dtype == np.float32


def test_where_partitions_abstain_the_others_decide():
    """Coordinates: one of three says +1, one -1, none anything, one against another."""
    said = np.float32([[3, 0, 0, 1], [0, -2, 0, -1], [0, 0, 0, 0]])

    def vote(tie):
        coded = CodedGradients(lambda _, j, server_round: said[j], np.ones((1, 3), int), tie=tie)
        return coded(said[0], 0, 1).tolist()

    assert vote("zero") == [1, -1, 0, 0]
    assert vote("plus") == [1, 1, 1, 1]  # an exact 0 says +1, and two outvote one


TIES = ["plus", "random", "zero"]


def sometimes_zero(parameters, partition, server_round):
    return np.rint(2 * gradient(parameters, partition, server_round))


@pytest.mark.parametrize("tie", TIES)
def test_votes_are_those_of_the_definition(tie):
    for n, seed in ((4, 0), (5, 3), (9, 7)):
        allocation = bernoulli_matrix(n, 2.0, np.random.default_rng(n), resample=False)
        coded = CodedGradients(sometimes_zero, allocation, seed=seed, tie=tie)
        for server_round in (1, 2):
            gradients = [sometimes_zero(PARAMETERS, j, server_round).tolist() for j in range(n)]
            expected = slow.local_votes(allocation, gradients, tie, seed, server_round)
            for worker in reversed(range(n)):
                voted = coded(PARAMETERS, worker, server_round)
                assert voted.dtype == np.float32 and voted.tolist() == expected[worker]


def tied(parameters, partition, server_round):
    """Partition 1 contradicts partition 0."""
    return np.full(len(parameters), (-1.0) ** partition, np.float32)


def test_coins_are_of_the_seed_the_round_and_whose_they_are():
    """Of a gradient's zeros alike at every holder; of a tie each worker's own."""

    def bits(computed, seed, worker, server_round, holds):
        coded = CodedGradients(computed, np.array([holds] * 3), seed=seed, tie="random")
        return coded(PARAMETERS, worker, server_round).tobytes()

    both, second = [1, 1], [0, 1]
    assert bits(zero, 0, 0, 1, second) == bits(zero, 0, 2, 1, second)
    assert bits(tied, 0, 0, 1, both) == bits(tied, 0, 0, 1, both)
    kinds = [
        *(bits(tied, 0, worker, 1, both) for worker in range(3)),
        bits(tied, 1, 0, 1, both), bits(tied, 0, 0, 2, both),
        bits(zero, 0, 0, 1, [1, 0]), bits(zero, 0, 0, 1, second), bits(zero, 1, 0, 1, second),
        bits(zero, 0, 0, 2, second),
    ]  # fmt: skip
    assert len(set(kinds)) == len(kinds)


def test_coins_are_fair():
    def whole(parameters, partition, server_round):
        return np.zeros(100_000, np.float32)

    coded = CodedGradients(whole, np.ones((1, 1), int), tie="random")
    assert np.mean(coded(np.zeros(100_000), 0, 1)) == pytest.approx(0, abs=5 / 100_000**0.5)


@pytest.mark.parametrize("sign", [1, -1])
def test_more_votes_than_fit_into_a_byte(sign):
    assert local_vote(np.full((200, 2), sign, np.int8)).tolist() == [sign] * 2


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_a_partition_has_the_same_bits_at_every_holder(noise):
    """Each row holds one partition; workers 0 and 2 the same, on nodes of their own."""
    allocation = np.array([[0, 1, 0], [1, 0, 0], [0, 1, 0]])
    nodes = [CodedGradients(gradient, allocation, noise=noise, seed=3) for _ in range(2)]
    nodes[1](PARAMETERS, 1, 1)  # what a node did before must not matter
    for server_round in (1, 2):
        first = nodes[0](PARAMETERS, 0, server_round)
        second = nodes[1](PARAMETERS, 2, server_round)
        assert first.tobytes() == second.tobytes()
        assert first.tobytes() != nodes[0](PARAMETERS, 1, server_round).tobytes()


def test_who_shares_a_node_does_not_matter():
    allocation = bernoulli_matrix(9, 3.0, np.random.default_rng(0))
    together = CodedGradients(gradient, allocation, noise=0.3, seed=1)
    for worker in reversed(range(9)):
        alone = CodedGradients(gradient, allocation, noise=0.3, seed=1)
        expected = alone(PARAMETERS, worker, 4).tobytes()
        assert together(PARAMETERS, worker, 4).tobytes() == expected


def test_noise_differs_between_partitions_rounds_and_seeds():
    """On zero gradients the signs are those of the noise."""

    def bits(seed, partition, server_round):
        coded = CodedGradients(zero, np.eye(3, dtype=int), noise=1.0, seed=seed)
        return coded(PARAMETERS, partition, server_round).tobytes()

    assert bits(0, 1, 2) == bits(0, 1, 2)
    others = {bits(0, 1, 2), bits(1, 1, 2), bits(0, 2, 2), bits(0, 1, 3), bits(0, 2, 1)}
    assert len(others) == 5


@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_noise_has_the_standard_deviation_that_was_asked_for(noise):
    """A gradient of 0.7 is turned round with probability Phi(-0.7 / noise)."""

    def constant(parameters, partition, server_round):
        return np.full(20_000, 0.7, np.float32)

    voted = CodedGradients(constant, np.ones((1, 1), int), noise=noise)(np.zeros(20_000), 0, 1)
    flipped = NormalDist().cdf(-0.7 / noise)
    sigma = (flipped * (1 - flipped) / 20_000) ** 0.5
    assert np.mean(voted < 0) == pytest.approx(flipped, abs=5 * sigma)


def test_a_partition_is_computed_once_however_many_hold_it():
    calls = Counter()

    def counted(parameters, partition, server_round):
        calls[partition, server_round] += 1
        return gradient(parameters, partition, server_round)

    coded = CodedGradients(counted, deterministic_matrix(7, 2))
    assert not calls
    coded(PARAMETERS, 0, 1)  # holds partition 0 alone
    assert calls == {(0, 1): 1}
    for _ in range(2):
        for worker in range(7):
            coded(PARAMETERS, worker, 1)
    assert calls == {(j, 1): 1 for j in range(7)}
    coded(PARAMETERS, 6, 2)
    assert calls == {(j, server_round): 1 for j in range(7) for server_round in (1, 2)}


def test_a_coded_worker_sends_one_bit_per_coordinate():
    allocation = deterministic_matrix(5, 1)
    coded = CodedGradients(gradient, allocation)
    for worker in range(5):
        client = HonestClient(worker, coded, Encoder(SignCodec()))
        (row,), _, _ = client.fit([PARAMETERS], {"round": 2})
        held = [signs(j, 2) for j in np.flatnonzero(allocation[worker])]
        assert np.array_equal(SignCodec().decode(row, 40), np.sign(np.sum(held, axis=0)))


def test_parameters_and_gradients_are_left_alone():
    parameters, given = PARAMETERS.copy(), gradient(PARAMETERS, 0, 1)
    before = given.tobytes()
    coded = CodedGradients(lambda *_: given, np.ones((1, 1), int), noise=1.0)
    coded(parameters, 0, 1)
    assert parameters.tobytes() == PARAMETERS.tobytes() and given.tobytes() == before
