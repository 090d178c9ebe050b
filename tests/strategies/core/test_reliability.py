"""Blocks and forgetting: what sign-fd has beyond the paper."""

import numpy as np
import pytest
import torch

from signfed.strategies.core.crossover import ESTIMATORS, alg1, blocks, eq17, pooled
from signfed.strategies.core.reliability import Record, block_edges
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.sign_fd import SignFD
from signfed.strategies.sign_mv import SignMV
from tests.strategies.runs import play, random_rounds, same_bits

N = 1024  # four blocks of 256
EDGES = [0, 256, 512, 768, 1024]


@pytest.mark.parametrize(
    "n, n_blocks, lengths",
    [
        (1024, 16, [256] * 4),
        (1024, 2, [512, 512]),
        (1026, 4, [256, 257, 256, 257]),
        (511, 16, [511]),
        (3, 16, [3]),
        (9610, 16, [600, 601, 600, 601, 601, 600, 601, 601] * 2),
    ],
)
def test_blocks_cover_the_vector(n, n_blocks, lengths):
    edges = block_edges(n, n_blocks)
    assert edges[0] == 0 and edges[-1] == n
    assert sorted(np.diff(edges)) == sorted(lengths)


@pytest.mark.parametrize(
    "share, weight_of",
    [
        # disagreements per block in percent -> whose estimate decides in each block
        ([10, 10, 10, 90], ["pooled", "pooled", "pooled", "nobody"]),
        ([90, 90, 90, 10], ["pooled", "pooled", "pooled", "nobody"]),
        ([10, 20, 30, 40], ["pooled"] * 4),  # worse in some blocks, but never on the other side
        ([30, 30, 30, 54], ["pooled"] * 4),  # beyond 1/2, within the margin of 0.05
        ([30, 30, 30, 56], ["pooled", "pooled", "pooled", "nobody"]),
    ],
)
def test_a_worker_has_no_say_in_a_block_where_it_is_on_the_other_side(share, weight_of):
    rounds = 10
    wrong = torch.tensor(share, dtype=torch.float64) / 100 * 256 * rounds
    plain = torch.full((4,), 10 / 100 * 256 * rounds, dtype=torch.float64)
    p, *theirs = blocks(*counted(rounds, torch.stack([wrong, plain, plain])), EDGES)
    assert p.shape == (4,) and p.dtype == torch.float64
    assert torch.stack(theirs).flatten().tolist() == pytest.approx([0.1] * 8)
    for block, estimate in enumerate(weight_of):
        assert p[block].item() == pytest.approx(sum(share) / 400 if estimate == "pooled" else 0.5)


def counted(rounds, wrong):
    """Records of workers, and their disagreements by block."""
    return [Record(rounds, float(row.sum()), blocks=row) for row in wrong], wrong


@pytest.mark.parametrize("turned, who_decides", [(1, "nobody"), (2, "pooled"), (4, "pooled")])
def test_a_block_in_which_half_of_the_workers_turn_is_the_votes_fault(turned, who_decides):
    """Of four workers that err in 10 %, some are outvoted in 90 % of the last block."""
    share = np.full((4, 4), 10.0)
    share[:turned, 3] = 90
    wrong = torch.from_numpy(share) / 100 * 256 * 10
    p = blocks(*counted(10, wrong), EDGES)
    expected = 0.5 if who_decides == "nobody" else 0.3
    assert p[:turned, 3].tolist() == pytest.approx([expected] * turned)
    assert p[turned:, 3].tolist() == pytest.approx([0.1] * (4 - turned))


def test_a_newcomer_does_not_count_among_those_who_turn():
    """One of two known workers has turned in the last block: half of them, so the vote is wrong."""
    wrong = torch.tensor([[256.0, 256, 256, 2304], [256] * 4, [0] * 4], dtype=torch.float64)
    records, _ = counted(10, wrong)
    p = blocks([*records[:2], Record()], wrong, EDGES)
    assert p[:, 3].tolist() == pytest.approx([0.3, 0.1, 0.5])


@pytest.mark.parametrize("estimate", ESTIMATORS.values(), ids=ESTIMATORS)
def test_a_worker_that_was_never_counted_is_as_good_as_a_coin(estimate):
    values = torch.zeros(2, 4, dtype=torch.float64)
    p = estimate([Record(rounds=3), Record()], values, EDGES)
    assert p[0].eq(0.0).all() and p[1].eq(0.5).all()


def test_the_four_estimates_by_hand():
    """Four coordinates, ten rounds, 8 disagreements in the pooled ones, 14 in all."""
    record = Record(rounds=10, disagreements=14, pooled_disagreements=8)
    found, edges = torch.tensor([[4.0, 2.0, 0.0, 0.0]]), [0, 4]
    assert pooled([record], found, edges).tolist() == [[pytest.approx(14 / 40)]]
    assert alg1([record], found, edges)[0].tolist() == pytest.approx([0.4, 0.2, 0, 0])
    assert eq17([record], found, edges)[0].tolist() == pytest.approx([0.6, 0.4, 0.2, 0.2])


def one_layer_rounds(n_rounds=6, n=5, byzantine=2):
    """Honest workers err in 10 % of the bits; Byzantine ones invert the last block on top."""
    random = np.random.default_rng(3)
    truth = random.choice([-1.0, 1.0], (n_rounds, N)).astype(np.float32)
    flips = random.random((n_rounds, n, N)) < 0.1
    rows = np.where(flips, -truth[:, None], truth[:, None])
    rows[:, :byzantine, -256:] *= -1
    return [dict(enumerate(round_rows)) for round_rows in rows], truth


def test_a_byzantine_worker_in_one_block_has_no_say_there():
    rounds, truth = one_layer_rounds()
    errors = {
        rule: np.mean([d[-256:] != t[-256:] for (d, _), t in zip(answers, truth, strict=True)][1:])
        for rule, answers in {
            "blocks": play(SignFD(estimator="blocks"), rounds),
            "pooled": play(SignFD(estimator="pooled"), rounds),
            "vote": play(SignMV(), rounds),
        }.items()
    }
    # The three honest ones decide: P[2 or more of 3 wrong] at p = 0.1 is 0.028.
    assert 0.01 < errors["blocks"] < 0.045
    assert errors["pooled"] > 2 * errors["blocks"] and errors["vote"] > 2 * errors["blocks"]


def test_blocks_of_honest_workers_decode_as_one_pool():
    rounds, _ = one_layer_rounds(byzantine=0)
    blocks = play(SignFD(estimator="blocks"), rounds)
    pooled = play(SignFD(estimator="pooled"), rounds)
    assert all(same_bits(a, b) for (a, _), (b, _) in zip(blocks, pooled, strict=True))


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("forget", [0.5, 0.9])
def test_forgetting_weighs_a_round_by_its_age(estimator, forget):
    """Counts after T rounds are sums of forget^age, from a history kept as it was."""
    rule = SignFD(estimator, 2, forget=forget)
    rounds = random_rounds(seed=11, n=4, n_coordinates=600, n_rounds=6, absence=0.3)
    history = {worker: [] for worker in range(4)}
    for number, rows in enumerate(rounds, 1):
        ((decoded, found),) = play(rule, [rows], first=number)
        for worker, row in rows.items():
            history[worker].append((number, np.where(row >= 0, 1, -1) != decoded))
    for worker, past in history.items():
        age = [forget**k for k in range(len(past))][::-1]
        record = rule.records[worker]
        total = sum(a * wrong.sum() for a, (_, wrong) in zip(age, past, strict=True))
        assert record.rounds == pytest.approx(sum(age))
        assert record.disagreements == pytest.approx(total)
        assert found["crossover"][worker] == pytest.approx(total / (600 * sum(age)))
        if estimator == "blocks":
            halves = [wrong.reshape(2, 300).sum(1) for _, wrong in past]
            expected = sum(a * h for a, h in zip(age, halves, strict=True))
            assert record.blocks.tolist() == pytest.approx(expected.tolist())
        if estimator in ("alg1", "eq17"):
            counted = [wrong * (estimator == "alg1" or i > 2) for i, wrong in past]
            expected = sum(a * wrong for a, wrong in zip(age, counted, strict=True))
            assert record.counts.dtype == torch.float32
            np.testing.assert_allclose(record.counts.numpy(), expected, atol=1e-6)


def test_forgotten_counts_give_their_ratio_in_float32():
    record = Record(rounds=2.5, pooled_disagreements=1.0)
    p = eq17([record], torch.tensor([[0.0, 0.75, 2.5]]), [0, 4])
    assert p.dtype == torch.float32 and p[0].tolist() == pytest.approx([0.1, 0.4, 1.0])


def test_a_forgetting_rule_notices_a_worker_that_turns():
    random = np.random.default_rng(5)
    truth = random.choice([-1.0, 1.0], (60, 200)).astype(np.float32)
    rows = np.where(random.random((60, 5, 200)) < 0.2, -truth[:, None], truth[:, None])
    rows[30:, 0] *= -1
    rounds = [dict(enumerate(round_rows.astype(np.float32))) for round_rows in rows]
    found = {}
    for forget in (1.0, 0.8):
        *_, (_, last) = play(SignFD(estimator="pooled", forget=forget), rounds)
        found[forget] = last["crossover"][0]
    assert found[1.0] < 0.6 < 0.7 < found[0.8]


def test_forgotten_counts_do_not_run_over():
    SignFD(estimator="alg1", forget=0.99).check(15, 10**6)


def test_counts_of_a_checkpoint_go_where_the_rows_are():
    record, signs = Record(counts=torch.ones(3, dtype=torch.int16)), PackedSigns.pack(torch.ones(3))
    there = PackedSigns(signs.bits.to("meta"), 3)
    assert record.counts_or_zeros(there, whole=True).device.type == "meta"
    assert record.counts.device.type == "meta"
