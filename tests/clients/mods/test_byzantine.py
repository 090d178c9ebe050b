"""An attack on somebody's Flower app by a mod."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import FedAvg

import signfed
from signfed import CoordinateMedian, Krum, Mean, SignMV, byzantine, craft
from signfed.attacks import ATTACKS, KnowledgeError
from signfed.attacks.core.past import recalled, remembered
from signfed.attacks.registry import build
from signfed.clients.mods.byzantine import KEPT
from tests.strategies.server.drop_in.app import client, floats, grid, moved, same, values

OWN = [
    name
    for name, attack in ATTACKS.items()
    if build(name).knowledge in ("own", "colluders")
    and attack.stage != "data"
    and name != "inf"  # the server drops what is not finite
]


def vector(arrays):
    return np.concatenate([v.ravel() for v in values(arrays).values()])


def falsified(mods, partition=0):
    """What one node makes of the model, as an update, float32 [N]."""
    sent = []

    def listen(request, reply):
        sent.append(reply.content["arrays"])
        return [reply]

    one = {"min_train_nodes": 1, "min_available_nodes": 1, "fraction_evaluate": 0.0}
    nodes = grid(partition + 1, client(moved, mods), {partition: listen})
    Mean(**one).start(nodes, floats(), 1)
    return vector(floats()) - vector(sent[0])


@pytest.mark.parametrize("name", OWN)
def test_a_mod_sends_what_the_attack_makes_of_the_update(name):
    honest, found = falsified([]), falsified([byzantine(name, n_total=7)])
    assert np.isfinite(found).all()
    assert np.array_equal(found, falsified([byzantine(name, n_total=7)]))
    again = falsified([byzantine(name, n_total=7, seed=1)])
    if not np.array_equal(found, again):
        return  # it draws
    if name != "time-varying" and not build(name).past:  # a plan of other attacks; a model
        expected = craft(name, [honest], n_total=7, seed=0)[0]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_colluders_draw_the_same_and_others_their_own():
    def noise(of):
        return falsified([of], partition=1) - falsified([], partition=1)

    mine = byzantine("gaussian", seed=3)
    one = falsified([mine], partition=0)
    assert not np.allclose(one, falsified([mine], partition=1), atol=1e-3)
    shared = replace(mine, attack=replace(mine.attack, knowledge="colluders"))
    first, second = (falsified([shared], partition=p) for p in (0, 1))
    np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)
    assert noise(mine).any()


def test_only_the_partitions_that_are_named_attack_and_the_record_scores_the_rule(tmp_path):
    attack = byzantine("reverse-scaling", partitions={1, 3})
    strategy = Krum(n_byzantine=2, fraction_evaluate=0.0)
    strategy.start(
        grid(9, client(moved, [attack])), floats(), 2, run_dir=tmp_path, byzantine="announced"
    )
    rounds = [json.loads(line) for line in (tmp_path / "rounds.jsonl").open()]
    assert [r["byzantine_accepted"] for r in rounds] == [0.0, 0.0]
    assert [r["honest_rejected"] for r in rounds] == [6 / 7, 6 / 7]  # Krum takes one
    told = tmp_path / "told"
    strategy = Krum(n_byzantine=2, fraction_evaluate=0.0)
    strategy.start(
        grid(9, client(moved, [attack])), floats(), 2, run_dir=told, byzantine={101, 103}
    )
    again = [json.loads(line) for line in (told / "rounds.jsonl").open()]
    assert [r["honest_rejected"] for r in again] == [6 / 7, 6 / 7]


def test_an_attack_bites_the_mean_and_not_the_median():
    attack = byzantine("reverse-scaling", partitions={0, 1}, factor=20.0)
    harm = {}
    for rule in (Mean, CoordinateMedian):
        honest = rule().start(grid(9), floats(), 5).arrays
        found = rule().start(grid(9, client(moved, [attack])), floats(), 5).arrays
        harm[rule] = float(np.abs(vector(found) - vector(honest)).mean())
    assert harm[Mean] > 10 * harm[CoordinateMedian]


def test_an_attack_that_looks_back_is_the_same_as_in_a_call_on_arrays():
    """poisoned-fl goes by the last direction and by what it kept: both are in the node's state."""
    sent = {1: [], 2: []}

    def listen(partition):
        def tamper(request, reply):
            sent[partition].append((request.content["arrays"], reply.content["arrays"]))
            return [reply]

        return tamper

    attack = byzantine("poisoned-fl", partitions={1, 2}, seed=4, lr=0.5)
    nodes = grid(5, client(moved, [attack]), {p: listen(p) for p in sent})
    Mean(server_learning_rate=0.5, fraction_evaluate=0.0).start(nodes, floats(), 4)
    for partition, messages in sent.items():
        kept, names = {}, values(floats()).keys()
        for t, (given, made) in enumerate(messages, 1):
            before = values(given)
            honest = moved(before, partition, t)
            model, own = (np.concatenate([d[n].ravel() for n in names]) for d in (before, honest))
            past = recalled(kept, "poisoned-fl", model, 0.5, 4)
            row = craft("poisoned-fl", [model - own], n_total=5, seed=0, server_round=t, past=past)
            kept = remembered(past, "poisoned-fl")
            np.testing.assert_allclose(model - vector(made), row[0], rtol=1e-3, atol=1e-4)
    assert len(sent[1]) == 4 and kept["attack.model"].any()


def test_what_is_kept_needs_the_model(caplog):
    mods = [byzantine("poisoned-fl", partitions={0}), signfed.one_bit]
    SignMV().start(grid(3, client(moved, mods)), floats(), 1)
    assert "expected mods=[signfed.one_bit, signfed.byzantine(...)], in this order" in caplog.text
    with pytest.raises(ValueError, match=r"lr: expected a finite number above 0; got 0"):
        byzantine("poisoned-fl", lr=0)


@pytest.mark.parametrize("inner", [False, True], ids=["on signs", "before signs"])
def test_an_attack_on_the_message_before_signs_or_on_signs_votes_alike(inner):
    attack = byzantine("sign-inversion", partitions={0, 1})
    mods = [signfed.one_bit_both, attack] if inner else [attack, signfed.one_bit_both]
    found = SignMV().start(grid(5, client(moved, mods)), floats(), 3).arrays

    def opposite(arrays, partition, server_round):
        made = moved(arrays, partition, server_round)
        return {n: 2 * x - made[n] if partition < 2 else made[n] for n, x in arrays.items()}

    assert same(found, SignMV().start(grid(5, client(opposite)), floats(), 3).arrays)


def test_an_attack_on_the_gradient_outside_of_one_bit_says_where_it_belongs(caplog):
    mods = [byzantine("gaussian", partitions={0}), signfed.one_bit]
    SignMV().start(grid(3, client(moved, mods)), floats(), 1)
    assert "expected mods=[signfed.one_bit, signfed.byzantine(...)], in this order" in caplog.text


def test_flowers_own_strategies_can_be_attacked_too():
    mods = [byzantine("sign-inversion", partitions={0, 1, 2})]
    attacked = FedAvg().start(grid(4, client(moved, mods)), floats(), 1).arrays
    assert vector(attacked).mean() > vector(floats()).mean()  # honest nodes go down


@pytest.mark.parametrize(
    "name, error, said",
    [
        ("lie", KnowledgeError, "has knowledge 'omniscient', and a node knows its own update"),
        ("label-flip", ValueError, "changes labels, which a mod does not see"),
        ("no-such", ValueError, "unknown attack 'no-such'"),
    ],
)
def test_what_a_mod_cannot_do_is_refused_where_it_is_made(name, error, said):
    with pytest.raises(error, match=said):
        byzantine(name)
    with pytest.raises(ValueError, match="labels"):
        byzantine("time-varying", attacks="none,label-flip")


def test_attacks_that_take_turns_keep_what_each_remembers():
    context = Context(1, 7, {}, RecordDict(), {})
    context.state[KEPT] = ArrayRecord({"attack.other.scale": Array(np.array([2.0]))})
    attack = byzantine("poisoned-fl", n_total=3)
    made = ArrayRecord({n: Array(v - 1) for n, v in values(floats()).items()})
    request = Message(RecordDict({"arrays": floats()}), 7, "train")
    answer = Message(
        RecordDict({"arrays": made, "metrics": MetricRecord({"n": 1})}), reply_to=request
    )
    attack(request, context, lambda message, context: answer)
    assert context.state[KEPT]["attack.other.scale"].numpy().tolist() == [2.0]
    assert "attack.model" in context.state[KEPT]
