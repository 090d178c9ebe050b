"""Time-varying."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from signfed.attacks import ATTACKS, View, attack, build
from signfed.attacks.core.schedule import Schedule
from tests.attacks.inputs import OWN, crafted, matrix, randn

NINE = [
    "none",
    "random",
    "noise",
    "label-flip",
    "byzmean",
    "sign-flip",
    "lie",
    "min-max",
    "min-sum",
]
FUNCTIONS = {ATTACKS[name].function: name for name in ATTACKS}
IDS = (3, 5, 8)


def drawn(rounds, seed=0, **options):
    chosen = build("time-varying", **options)
    return [
        FUNCTIONS[chosen.at(server_round, seed, IDS)[0].function]
        for server_round in range(1, rounds + 1)
    ]


def test_every_attack_of_the_paper_is_as_likely():
    """9000 periods: 1000 each, 5 standard deviations are 149."""
    counts = Counter(drawn(9000))
    assert set(counts) == set(NINE)
    assert max(abs(count - 1000) for count in counts.values()) < 149


def test_the_next_draw_does_not_depend_on_the_last():
    """Of two, 4000 periods: each of the four pairs 1000 times, 5 standard deviations are 137."""
    names = drawn(4001, attacks="none,sign-flip")
    pairs = Counter(pairwise(names))
    assert all(abs(count - 1000) < 137 for count in pairs.values()) and len(pairs) == 4


def test_the_seed_fixes_the_draws():
    assert drawn(50) == drawn(50)
    assert len({tuple(drawn(50, seed=seed)) for seed in range(5)}) == 5


def test_a_period_is_rounds_with_one_attack():
    names = drawn(300, period=3)
    assert names[::3] == names[1::3] == names[2::3] == drawn(100)


def test_all_attack_unless_changing():
    chosen = build("time-varying")
    assert all(chosen.at(server_round, 0, IDS)[1] == IDS for server_round in range(1, 30))


def test_changing_attackers_are_any_but_an_empty_subset():
    """7000 periods: each of 7 subsets 1000 times, 5 standard deviations are 146."""
    chosen = build("time-varying", changing=True)
    counts = Counter(chosen.at(server_round, 0, IDS)[1] for server_round in range(1, 7001))
    assert len(counts) == 7 and () not in counts
    assert all(set(subset) <= set(IDS) for subset in counts)
    assert max(abs(count - 1000) for count in counts.values()) < 146
    # For all rounds of a period, and whatever the attack.
    chosen = build("time-varying", changing=True, period=4)
    for first in range(1, 41, 4):
        assert len({chosen.at(first + i, 0, IDS)[1] for i in range(4)}) == 1


def test_nobody_to_attack():
    assert build("time-varying", changing=True).at(1, 0, ())[1] == ()


@pytest.mark.parametrize(
    "attacks, knowledge, truth",
    [
        ("none,random", "own", False),
        ("none,colluding-majority", "colluders", False),
        ("none,lie,random", "omniscient", False),
        ("none,omniscient", "omniscient", True),
        ("weight-aware,lie", "server", False),
    ],
)
def test_it_knows_what_the_one_that_knows_most_knows(attacks, knowledge, truth):
    chosen = build("time-varying", attacks=attacks)
    assert isinstance(chosen, Schedule)
    assert (chosen.knowledge, chosen.truth) == (knowledge, truth)


def test_options_reach_the_parts():
    """lie with z = 0 is the mean (2, 3)."""
    honest = matrix([1, 2], [3, 4])
    sent = crafted("time-varying", OWN[:, :2], honest, attacks="lie", z=0.0)
    assert np.array_equal(sent, [[2, 3], [2, 3]])


def test_a_part_is_resolved_in_turn():
    inner = build("time-varying", attacks="none,sign-flip")
    outer = ATTACKS["time-varying"].bind(attacks=(inner,), period=50)
    chosen = [outer.at(server_round, 0, IDS)[0] for server_round in range(1, 51)]
    assert not any(isinstance(each, Schedule) for each in chosen)
    assert {FUNCTIONS[each.function] for each in chosen} == {"none", "sign-flip"}


def test_who_sits_a_round_out_is_honest_and_counts_as_honest(monkeypatch):
    seen = []

    @attack(knowledge="server", stage="gradient")
    def spy(view):
        seen.append((view.ids, view.own, view.honest_ids, view.honest))
        return 0 * view.own

    monkeypatch.setitem(ATTACKS, "spy", spy)
    own, honest = 1 + np.abs(randn(3, 4)), randn(2, 4, seed=1)
    worker = dict(zip((3, 5, 8, 20, 21), np.concatenate([own, honest]), strict=True))
    numbers = {"ids": IDS, "honest_ids": (20, 21)}
    active = set()
    for server_round in range(1, 20):
        sent = crafted(
            "time-varying",
            own,
            honest,
            attacks="spy",
            changing=True,
            server_round=server_round,
            **numbers,
        )
        ids, attacking, honest_ids, counted = seen[-1]
        active.add(ids)
        assert sorted((*ids, *honest_ids)) == sorted(worker)
        assert np.array_equal(attacking, [worker[i] for i in ids])
        assert np.array_equal(counted, [worker[i] for i in honest_ids])
        expected = [np.zeros(4) if i in ids else worker[i] for i in IDS]
        assert np.array_equal(sent, expected)
    assert len(active) > 3


def test_it_is_called_through_at():
    view = View(OWN, (), 5, honest=OWN)
    with pytest.raises(ValueError, match=r"call what at\(server_round, seed, ids\) returns"):
        build("time-varying")(view)
    with pytest.raises(ValueError, match=r"as build\('time-varying'\) binds them"):
        ATTACKS["time-varying"].at(1, 0, IDS)


@pytest.mark.parametrize(
    "options, text",
    [
        ({"period": 0}, "period: expected a whole number of at least 1 outside a run, got 0"),
        ({"attacks": "none,lei"}, "unknown attack 'lei'"),
        ({"attacks": ""}, "unknown attack ''"),
    ],
)
def test_impossible_options_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        crafted("time-varying", OWN, OWN, **options)


def test_an_attacker_draws_the_same_whoever_else_is_active():
    options = {"attacks": "random", "changing": True}
    subsets = set()
    for server_round in range(1, 20):
        sent = crafted(
            "time-varying", np.zeros((3, 6), np.float32), server_round=server_round, **options
        )
        alone = crafted("random", np.zeros((3, 6), np.float32), server_round=server_round)
        active = sent.any(axis=1)
        subsets.add(tuple(active))
        assert np.array_equal(sent[active], alone[active])
    assert (False, True, True) in subsets or (False, False, True) in subsets
