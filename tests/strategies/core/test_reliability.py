"""What the published forms of sign-fd remember, and forget."""

import numpy as np
import pytest
import torch

from signfed.strategies.core.crossover import ESTIMATORS, alg1, eq17, pooled
from signfed.strategies.core.reliability import Record
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.sign_fd import SignFD
from tests.strategies.runs import play, random_rounds


@pytest.mark.parametrize("estimate", ESTIMATORS.values(), ids=ESTIMATORS)
def test_a_worker_that_was_never_counted_is_as_good_as_a_coin(estimate):
    values = torch.zeros(2, 4, dtype=torch.float64)
    p = estimate([Record(rounds=3), Record()], values, 4)
    assert p[0].eq(0.0).all() and p[1].eq(0.5).all()


def test_the_estimates_by_hand():
    """Four coordinates, ten rounds, 8 disagreements in the pooled ones, 14 in all."""
    record = Record(rounds=10, disagreements=14, pooled_disagreements=8)
    found = torch.tensor([[4.0, 2.0, 0.0, 0.0]])
    assert pooled([record], found, 4).tolist() == [[pytest.approx(14 / 40)]]
    assert alg1([record], found, 4)[0].tolist() == pytest.approx([0.4, 0.2, 0, 0])
    assert eq17([record], found, 4)[0].tolist() == pytest.approx([0.6, 0.4, 0.2, 0.2])


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
        record = rule._published.records[worker]
        total = sum(a * wrong.sum() for a, (_, wrong) in zip(age, past, strict=True))
        assert record.rounds == pytest.approx(sum(age))
        assert record.disagreements == pytest.approx(total)
        assert found["crossover"][worker] == pytest.approx(total / (600 * sum(age)))
        if estimator in ("alg1", "eq17"):
            counted = [wrong * (estimator == "alg1" or i > 2) for i, wrong in past]
            expected = sum(a * wrong for a, wrong in zip(age, counted, strict=True))
            assert record.counts.dtype == torch.float32
            np.testing.assert_allclose(record.counts.numpy(), expected, atol=1e-6)


def test_forgotten_counts_give_their_ratio_in_float32():
    record = Record(rounds=2.5, pooled_disagreements=1.0)
    p = eq17([record], torch.tensor([[0.0, 0.75, 2.5]]), 4)
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
