"""Rounds that stay on their device: the rounds of the CPU, and one wait a round."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from signfed.app.config.run_config import parse
from signfed.app.engines.local.packing import Packing
from signfed.app.engines.local.resident import RowsBroken
from signfed.app.engines.workers import AtOnce
from signfed.app.node import answers
from signfed.app.task import problem_of
from signfed.attacks import ATTACKS, attack
from signfed.strategies.krum import Krum
from signfed.strategies.registry import STRATEGIES
from signfed.strategies.server.federation import FederationError
from signfed.strategies.server.optimizer import Descent, Step
from tests.app.engines.local.resident import Breaking, Many, OnDevice, rounds_of, without_seconds
from tests.federation import federate, needs

ROUNDS = 6
SMALL = {
    "num-workers": 11, "num-byzantine": 2, "batch-size": 8, "num-rounds": ROUNDS,
    "evaluate-every": ROUNDS,
}  # fmt: skip
OF_ATTACK = {"sleeper": {"sleeper.rounds": 3}, "trusted-bloc": {"trusted-bloc.rounds": 3}}
ON_ROWS = [n for n, a in ATTACKS.items() if a.stage != "data" and not a.rule and a.tensors]
# These ask for more by what they are: the gradient over all data, the findings of the last round,
# the direction in which rows differ most.
ASK_MORE = {"omniscient", "weight-aware"}
ONE_WAIT = ("mean", "median", "trimmed-mean", "sign-mv", "sign-fd", "signguard", "krum",
            "multi-krum")  # fmt: skip
LOOK_AGAIN = ("krum", "multi-krum")  # at rows that are nearly alike, as those of lie are


def close(found, expected):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * scale)


@pytest.mark.parametrize("rule", ["sign-mv", "mean"])
@pytest.mark.parametrize("name", ON_ROWS)
def test_under_every_attack_it_is_the_run_of_the_cpu(name, rule):
    config = SMALL | {"strategy": rule, "attack": name, "lr": 0.001} | OF_ATTACK.get(name, {})
    model, records, waits, _ = rounds_of(config)
    expected, same, _, _ = rounds_of(config, on_device=False)
    close(model, expected)
    assert [r["round"] for r in records] == list(range(1, ROUNDS + 1))
    for ours, theirs in zip(without_seconds(records), without_seconds(same), strict=True):
        assert ours.keys() == theirs.keys() and ours["dropped"] == theirs["dropped"]
        for key in ("received", "uplink_bytes", "downlink_bytes", "wrong_signs"):
            assert ours.get(key) == pytest.approx(theirs.get(key), abs=1e-3), key
    if name not in ASK_MORE and not (name == "inf" and rule == "mean"):
        assert len(waits) <= ROUNDS, waits


@pytest.mark.parametrize("rule", STRATEGIES)
def test_under_every_rule_it_is_the_run_of_the_cpu(rule):
    config = SMALL | {"strategy": rule, "attack": "lie", "lr": 0.001} | needs(rule)
    model, records, waits, _ = rounds_of(config)
    expected, same, _, _ = rounds_of(config, on_device=False)
    close(model, expected)
    assert [r["received"] for r in records] == [r["received"] for r in same]
    assert [r.get("accepted") for r in records] == [r.get("accepted") for r in same]
    if rule in ONE_WAIT:
        assert len(waits) <= ROUNDS * (2 if rule in LOOK_AGAIN else 1), waits


def test_a_round_waits_once_and_its_record_comes_one_later(monkeypatch):
    monkeypatch.setattr("signfed.app.engines.local.later.PATIENCE", 1e9)
    config = SMALL | {"strategy": "sign-fd", "attack": "gaussian", "num-rounds": 40}
    _, records, waits, states = rounds_of(config | {"evaluate-every": 40})
    assert len(waits) <= 40 and set(waits) == {"cpu"}
    assert [r["round"] for r in records] == list(range(1, 41))
    assert list(states) == [40]
    assert all(len(r["crossover"]) == 11 and "wrong_signs" in r for r in records)


def test_a_rule_that_waits_twice_would_be_seen(monkeypatch):
    def twice(self, updates):
        assert float(updates.dense().sum()) != 0.1
        return updates.dense().mean(dim=0)

    monkeypatch.setattr("signfed.strategies.mean.Mean.aggregate", twice)
    _, _, waits, _ = rounds_of(SMALL | {"strategy": "mean"})
    assert len(waits) > ROUNDS


@attack(knowledge="own", stage="gradient", tensors=True)
def at_times_nothing(view):
    return view.own / 0.0 if view.server_round % 2 else view.own


@attack(knowledge="own", stage="gradient")
def on_arrays(view):
    assert isinstance(view.own, np.ndarray)
    return -2.0 * view.own


@pytest.mark.parametrize("rule", ["mean", "sign-mv", "sign-fd", "multi-krum", "signguard"])
@pytest.mark.parametrize("name", ["at-times-nothing", "on-arrays"])
def test_a_user_s_attack(name, rule, monkeypatch):
    """On arrays through the CPU; one whose rows are broken in every other round."""
    own = {"at-times-nothing": at_times_nothing, "on-arrays": on_arrays}[name]
    monkeypatch.setitem(ATTACKS, name, own)
    config = SMALL | {"strategy": rule, "attack": f"{__name__}:{own.function.__name__}"}
    model, records, _, _ = rounds_of(config)
    expected, same, _, _ = rounds_of(config, on_device=False)
    close(model, expected)
    assert [r["dropped"] for r in records] == [r["dropped"] for r in same]


@pytest.mark.parametrize("worker", [0, 7], ids=["byzantine", "honest"])
@pytest.mark.parametrize("rule", ["sign-mv", "multi-krum", "sign-fd"])
@pytest.mark.parametrize("name", ["lie", "sign-flip", "sign-inversion", "rop", "poisoned-fl"])
def test_a_broken_gradient_costs_its_row_and_changes_what_attackers_see(name, rule, worker):
    config = SMALL | {"strategy": rule, "attack": name, "byzantine-ids": "0,1"}
    outcomes = []
    for on_device in (True, False):
        problem = Breaking(problem_of(parse({"device": "cpu"} | config).workload), worker, (2, 3))
        outcomes.append(rounds_of(config, on_device=on_device, problem=problem))
    (model, records, _, _), (expected, same, _, _) = outcomes
    close(model, expected)
    assert [r["dropped"] for r in records] == [r["dropped"] for r in same]
    assert any(r["dropped"] for r in records) or worker == 0


# By what they see, at which stage: their own row, colluders', all; of a past, none in such rounds.
EVERY_VIEW = ("sign-flip", "sign-inversion", "vem", "colluding-majority", "lie", "vote-aware",
              "poisoned-fl")  # fmt: skip


@pytest.mark.parametrize("rule", ["sign-mv", "multi-krum"])
@pytest.mark.parametrize("name", EVERY_VIEW)
def test_a_round_may_ask_some_workers_of_whom_attackers_are_here_and_there(name, rule):
    """So that no worker's place in a round is its id, and the places of attackers have gaps."""
    config = SMALL | {"strategy": rule, "attack": name, "lr": 0.001, "fraction-train": 0.8}
    config |= {"num-byzantine": 3, "byzantine-ids": "2,5,9", "assumed-byzantine": 2}
    parsed = parse({"device": "cpu"} | config)
    asked = [list(parsed.participation.workers(t)) for t in range(1, ROUNDS + 1)]
    assert all(ids != list(range(len(ids))) for ids in asked)
    assert any({2, 9} <= set(ids) for ids in asked) and any(7 in ids for ids in asked)
    outcomes = []
    for on_device in (True, False):
        problem = Breaking(problem_of(parsed.workload), 7, range(1, ROUNDS + 1))
        outcomes.append(rounds_of(config, on_device=on_device, problem=problem))
    (model, records, _, _), (expected, same, _, _) = outcomes
    close(model, expected)
    assert [r["dropped"] for r in records] == [r["dropped"] for r in same]
    lost = [7 in r["dropped"].get("non-finite", ()) for r in records]
    assert lost == [7 in ids for ids in asked]
    assert [r.get("accepted") for r in records] == [r.get("accepted") for r in same]
    assert rule == "sign-mv" or all("accepted" in r for r in records)


@pytest.mark.parametrize("name", EVERY_VIEW)
def test_no_more_gradients_are_floats_at_once_than_attackers_look_at(name, monkeypatch):
    """Signs are packed block by block; who sees everybody's floats needs them whole."""
    taken, real = [], Many.hand_over
    monkeypatch.setattr(Many, "hand_over", lambda self, *of: taken.append(of[2]) or real(self, *of))
    rounds_of(SMALL | {"strategy": "sign-mv", "attack": name})
    assert taken == ([] if name == "lie" else list(range(1, ROUNDS + 1)))


class Signs(Krum):
    """A rule that takes the options of another one, and reads nothing."""

    def aggregate(self, updates):
        return updates.dense().sign().mean(dim=0).nan_to_num()


class FalselyReads(Signs):
    reads = True


def test_a_rule_derived_from_one_that_reads_gets_no_broken_row():
    config = SMALL | {"strategy": f"{__name__}:Signs", "lr": 0.001}
    outcomes = []
    for on_device in (True, False):
        problem = Breaking(problem_of(parse({"device": "cpu"} | config).workload), 7, (2, ROUNDS))
        outcomes.append(rounds_of(config, on_device=on_device, problem=problem))
    (model, records, _, _), (expected, same, _, _) = outcomes
    close(model, expected)
    assert [r["dropped"] for r in records] == [r["dropped"] for r in same]
    assert records[-1]["received"] == 10


def test_a_rule_that_says_so_and_does_not_read_is_told():
    config = SMALL | {"strategy": f"{__name__}:FalselyReads"}
    problem = Breaking(problem_of(parse({"device": "cpu"} | config).workload), 7, (2,))
    with pytest.raises(RowsBroken, match=r"round 2: expected a rule .* take `reads` out of it"):
        rounds_of(config, problem=problem)


class ReadsAtTimes(Signs):
    """In rounds 3 and 5 it looks at what it ought to have looked at in rounds 2 and 4."""

    reads = True

    def aggregate(self, updates):
        direction = super().aggregate(updates)
        return updates.read(direction)[0] if updates.server_round in (3, 5) else direction


def test_a_step_of_broken_rows_is_told_though_the_next_round_is_whole(monkeypatch):
    monkeypatch.setattr("signfed.app.engines.local.later.PATIENCE", 1e9)
    config = SMALL | {"strategy": f"{__name__}:ReadsAtTimes"}
    problem = Breaking(problem_of(parse({"device": "cpu"} | config).workload), 7, (2,))
    with pytest.raises(RowsBroken, match="round 2: expected a rule"):
        rounds_of(config, problem=problem)


def test_a_direction_that_is_not_finite_moves_nothing(monkeypatch):
    def overflows(self, updates):
        mean = updates.dense().mean(dim=0)
        return mean * torch.inf if updates.server_round in (2, 5) else mean

    monkeypatch.setattr("signfed.strategies.mean.Mean.aggregate", overflows)
    config = SMALL | {"strategy": "mean", "momentum": 0.9, "lr-schedule": "inverse-sqrt"}
    model, records, _, states = rounds_of(config)
    expected, same, _, last = rounds_of(config, on_device=False)
    close(model, expected)
    assert [r.get("skipped") for r in records] == [r.get("skipped") for r in same]
    assert states[ROUNDS]["taken"] == last[ROUNDS]["taken"] == ROUNDS - 2


def test_a_rule_that_never_gives_a_direction_ends_the_run(monkeypatch):
    monkeypatch.setattr(
        "signfed.strategies.mean.Mean.aggregate", lambda self, u: u.dense()[0] * torch.inf
    )
    with pytest.raises(FederationError, match="5 skipped in a row"):
        rounds_of(SMALL | {"strategy": "mean", "num-rounds": 9})


@pytest.mark.parametrize("name", ["lie", "poisoned-fl"])
@pytest.mark.parametrize("rule", ["sign-fd", "signguard"])
def test_a_resumed_run_has_the_same_bits(rule, name):
    config = SMALL | {"strategy": rule, "attack": name, "momentum": 0.9}
    model, records, _, states = rounds_of(config, every_state=True)
    again, rest, _, _ = rounds_of(config, resume=(3, states[3]), every_state=True)
    assert again.tobytes() == model.tobytes()
    assert without_seconds(rest) == without_seconds(records[3:])


def test_the_first_step_that_was_none_leaves_no_momentum():
    descent = Descent(Step(0.5, momentum=0.9), torch.ones(2))
    descent.take(torch.full((2,), torch.inf), only_if=torch.tensor(False))
    descent.not_taken()
    assert (descent.taken, descent.momentum, descent.parameters.tolist()) == (0, None, [1.0, 1.0])
    taken = descent.take(torch.ones(2), only_if=torch.tensor(True))
    assert taken.tolist() == [0.5, 0.5] and descent.momentum.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("rule", ["sign-fd", "signguard"])
def test_gradients_of_one_shared_pass_come_block_by_block(rule):
    config = SMALL | {"strategy": rule, "attack": "sign-flip", "gradients": "shared", "lr": 0.001}
    model, _, waits, _ = rounds_of(config)
    expected, _, _, _ = rounds_of(config, on_device=False)
    assert np.mean(model == expected) > 0.999 and len(waits) <= ROUNDS


@pytest.mark.parametrize("name", ["sign-flip", "lie", "label-flip"])
def test_a_node_on_a_gpu_computes_its_workers_at_once(name, monkeypatch, tmp_path):
    """Two nodes, the device being the CPU by another name: the run of nodes on a CPU."""
    calls, real, tried = [], AtOnce._all, []
    monkeypatch.setattr(AtOnce, "_all", lambda self, *of: calls.append(of[2]) or real(self, *of))
    keys = SMALL | {"strategy": "mean", "attack": name, "num-rounds": 3, "evaluate-every": 3}
    plain = federate(tmp_path / "plain", nodes=2, **keys)
    assert not calls
    problem = answers._problem(parse(keys | {"device": "cpu"}).workload)
    device, batched = OnDevice(problem), OnDevice.batched
    monkeypatch.setattr(answers, "_problem", lambda workload: device)
    monkeypatch.setattr(OnDevice, "batched", lambda *of: tried.append(of) or batched(*of))
    answers._gradient.cache_clear()
    answers._many.cache_clear()
    said = []
    monkeypatch.setattr(answers.log, "info", lambda *words: said.append(words[1:]))
    at_once = federate(tmp_path / "once", nodes=2, **keys)
    assert said == [(device.way["way"], device.way["because"])] and device.way["way"] != "loop"
    answers._gradient.cache_clear()
    answers._many.cache_clear()
    federate(tmp_path / "few", nodes=2, **keys, **{"fraction-train": 0.5})
    assert said[1:] == [("loop", "fraction-train has each round ask others")]
    answers._gradient.cache_clear()
    answers._many.cache_clear()
    assert at_once.sha256 == plain.sha256
    assert sorted(calls) == [1, 1, 2, 2, 3, 3]  # each node once a round
    assert len(tried) == 1  # one process serves them in turn


@pytest.mark.parametrize("n_coordinates", [1, 9, 64])
def test_one_block_is_packed_without_a_copy_of_it(n_coordinates, monkeypatch):
    monkeypatch.setattr(torch.nn.functional, "pad", lambda *of, **more: pytest.fail("a copy"))
    matrix = torch.randn(5, n_coordinates, generator=torch.Generator().manual_seed(0))
    matrix[2, 0] = torch.inf
    packing = Packing(5, torch.zeros(n_coordinates), kept=(1,))
    packing(slice(0, 5), slice(0, n_coordinates), matrix)
    expected = np.packbits(matrix.numpy() >= 0, axis=1, bitorder="little")
    assert np.array_equal(packing.bits.numpy(), expected)
    assert packing.finite.tolist() == [True, True, False, True, True]
    assert torch.equal(packing.floats[1], matrix[1])


@pytest.mark.parametrize("n_coordinates", [1, 7, 8, 9, 41, 64])
def test_blocks_are_packed_as_the_whole_is(n_coordinates):
    draws = np.random.default_rng(n_coordinates)
    matrix = torch.from_numpy(draws.standard_normal((5, n_coordinates), dtype=np.float32))
    matrix[2, 0], matrix[4, -1] = torch.nan, -torch.inf
    cuts = sorted({0, n_coordinates, *draws.integers(0, n_coordinates, 4).tolist()})
    pieces = [slice(*ends) for ends in pairwise(cuts)]
    packing = Packing(5, torch.zeros(n_coordinates), kept=(1, 3))
    for columns in draws.permutation(len(pieces)):
        packing(slice(0, 2), pieces[columns], matrix[0:2, pieces[columns]])
        packing(slice(2, 5), pieces[columns], matrix[2:5, pieces[columns]])
    expected = np.packbits(matrix.numpy() >= 0, axis=1, bitorder="little")
    assert np.array_equal(packing.bits.numpy(), expected)
    assert packing.finite.tolist() == [True, True, False, True, False]
    assert all(torch.equal(row, matrix[i]) for i, row in packing.floats.items())
