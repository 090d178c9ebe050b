"""Rules that remember workers, and forget those that they are told to."""

import numpy as np
import pytest
import torch

from signfed.strategies.nnm import NearestNeighbourMixing as NNM
from signfed.strategies.reputation_mv import ReputationMV
from signfed.strategies.sign_fd import SignFD
from tests.strategies.runs import play, random_rounds

RULES = {
    "agreement": SignFD,
    "pooled": lambda: SignFD(estimator="pooled"),
    "alg1": lambda: SignFD(estimator="alg1", initial_rounds=2),
    "alg1, forgetting": lambda: SignFD(estimator="alg1", initial_rounds=2, forget=0.9),
    "eq17": lambda: SignFD(estimator="eq17", initial_rounds=2),
    "reputation": ReputationMV,
    "behind a pre-aggregation": lambda: NNM(ReputationMV(), n_byzantine=1),
}
GONE = [1, 4, 77]  # nobody knows 77
WORKERS = 6


def played(rule):
    play(rule, random_rounds(seed=5, n=WORKERS, absence=0.2))
    return rule


def entries(rule):
    """What a rule keeps, a flat list of numbers by worker or pair of workers."""
    state = rule.state_dict()
    if "ids" in state:
        ids = state["ids"].tolist()
        return {
            (i, j): [float(state["sums"][a, b]), float(state["rounds"][a, b])]
            for a, i in enumerate(ids) for b, j in enumerate(ids)
        }  # fmt: skip
    kept = {(int(row[0]),): row[1:] for row in state["records"].tolist()}
    counts = {(int(n.split(".")[1]),): t.tolist() for n, t in state.items() if "counts" in n}
    return {of: kept[of] + counts.get(of, []) for of in kept}


@pytest.mark.parametrize("make", RULES.values(), ids=RULES)
def test_what_is_kept_of_those_is_gone_and_of_the_others_stays(make):
    rule = played(make())
    before = entries(rule)
    rule.forget_workers(GONE)
    assert entries(rule) == {of: v for of, v in before.items() if not {*of} & {*GONE}}
    assert 0 < len(entries(rule)) < len(before)


@pytest.mark.parametrize("make", RULES.values(), ids=RULES)
def test_a_rule_without_anybody_is_as_new(make):
    """And goes on as a new one does: the same directions, to the bit."""
    rule, new = played(make()), make()
    rule.forget_workers(range(WORKERS))
    later = random_rounds(seed=6, n=WORKERS)
    for (u, _), (v, _) in zip(play(rule, later), play(new, later), strict=True):
        np.testing.assert_array_equal(u, v)
    assert entries(rule) == entries(new)


def test_a_rule_without_memory_has_nobody_to_forget():
    rule = NNM(NNM(SignFD(), n_byzantine=1), n_byzantine=1)
    rule.forget_workers([3])
    assert torch.equal(rule.state_dict()["ids"], torch.empty(0, dtype=torch.int64))
