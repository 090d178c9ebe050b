"""One bit up and down in somebody's Flower app."""

from __future__ import annotations

import gc
import json
import weakref

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord
from flwr.serverapp.strategy import FedAvg

import signfed
from signfed import CoordinateMedian, Mean, OneBit, SignFD, SignMV
from signfed.clients.mods.kept_model import MODEL, VERSION
from signfed.clients.mods.one_bit import MEMORY, left_over
from signfed.strategies.server.transport import plain
from tests.strategies.server.drop_in.app import client, floats, grid, model, moved, same, values


def run(strategy, mods, tmp_path, initial=None, rounds=4, nodes=5, tamper=None):
    """The model of a run, and the lines of its record."""
    app = grid(nodes, client(moved, mods), tamper)
    done = strategy.start(app, initial or floats(), rounds, timeout=0.05, run_dir=tmp_path)
    return done.arrays, [json.loads(line) for line in (tmp_path / "rounds.jsonl").open()], app


@pytest.mark.parametrize("mods", [[signfed.one_bit], [signfed.one_bit_both]], ids=["up", "both"])
@pytest.mark.parametrize("rule", [SignMV, SignFD, lambda: CoordinateMedian(encoder="sign")])
def test_a_mod_changes_what_travels_and_not_the_model(mods, rule, tmp_path):
    for initial in (floats(), model()):
        folders = [tmp_path / f"{len(initial)}-{i}" for i in range(2)]
        plainly, _, _ = run(rule(), [], folders[0], initial)
        signed, rounds, _ = run(rule(), mods, folders[1], initial)
        assert same(plainly, signed)
        assert all(r["received"] == 5 and "healed" not in r for r in rounds)


@pytest.mark.parametrize("mod", [signfed.one_bit, signfed.one_bit_both], ids=["up", "both"])
def test_a_mod_leaves_no_arrays_to_the_garbage_collector(mod, tmp_path):
    """Flower's `content.array_records` is a circle that would keep a model for each message."""
    contents = []

    def watch(message, context, call_next):
        contents.append(weakref.ref(message.content))
        reply = call_next(message, context)
        contents.append(weakref.ref(reply.content))
        return reply

    gc.collect()
    gc.disable()
    try:
        run(SignMV(), [mod, signfed.byzantine("sign-inversion"), watch], tmp_path)
        assert len(contents) > 8 and not any(content() for content in contents)
    finally:
        gc.enable()


def test_an_update_costs_one_bit_a_parameter_and_a_step_as_much(tmp_path):
    n = 100_000
    initial = ArrayRecord({f"w{i}": Array(np.ones(n // 10, np.float32)) for i in range(10)})
    _, rounds, _ = run(SignMV(fraction_evaluate=0.0), [signfed.one_bit_both], tmp_path, initial)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert 1 <= summary["uplink_bits_per_parameter"] < 1.04
    assert 1 <= summary["downlink_bits_per_parameter"] < 1.06
    assert rounds[0]["downlink_bytes"] > 4 * n * 5


def test_a_mod_does_nothing_under_a_strategy_that_does_not_ask():
    for strategy in (Mean, FedAvg):
        runs = [
            strategy().start(grid(3, client(moved, mods)), floats(), 2).arrays
            for mods in ([], [signfed.one_bit_both])
        ]
        for name, found in values(runs[0]).items():  # FedAvg adds up in any order
            np.testing.assert_allclose(found, runs[1][name].numpy(), rtol=1e-6, atol=1e-6)


def test_nodes_with_and_without_the_mod_take_part_in_one_run(tmp_path):
    apps = [client(moved, mods) for mods in ([], [signfed.one_bit], [signfed.one_bit_both])]
    nodes = grid(6)
    nodes._app = lambda message, context: apps[context.node_id % 3](message, context)
    mixed = SignMV().start(nodes, floats(), 3)
    alone = SignMV().start(grid(6), floats(), 3)
    assert same(mixed.arrays, alone.arrays)


def test_a_node_that_lost_its_model_is_healed_within_the_round(tmp_path):
    app = grid(4, client(moved, [signfed.one_bit_both]))

    def forget(server_round, arrays):
        state = app._contexts[101].state
        if server_round == 1:
            state.pop(MODEL)
        if server_round == 2:  # another model under the right version
            state[MODEL] = floats()
        if server_round == 3:
            state[VERSION]["steps"] = 99

    strategy = SignMV(fraction_evaluate=0.0)
    done = strategy.start(app, floats(), 5, evaluate_fn=forget, run_dir=tmp_path)
    rounds = [json.loads(line) for line in (tmp_path / "rounds.jsonl").open()]
    assert [r.get("healed", 0) for r in rounds] == [0, 1, 1, 1, 0]
    assert all(r["received"] == 4 for r in rounds)
    assert same(done.arrays, SignMV().start(grid(4), floats(), 5).arrays)


def test_a_node_that_missed_a_round_gets_the_steps_it_missed(tmp_path):
    def absent(request, reply):
        return [] if request.content["config"]["server-round"] == 2 else [reply]

    strategy = SignMV(fraction_evaluate=0.0)
    done, rounds, _ = run(strategy, [signfed.one_bit_both], tmp_path, tamper={1: absent})
    assert [r["received"] for r in rounds] == [5, 4, 5, 5]
    assert all("healed" not in r for r in rounds)
    plainly, _, _ = run(SignMV(fraction_evaluate=0.0), [], tmp_path / "b", tamper={1: absent})
    assert same(done, plainly)


def test_a_model_that_is_rounded_on_its_way_is_sent_whole(tmp_path):
    _, rounds, app = run(SignMV(), [signfed.one_bit_both], tmp_path, model())
    assert len({r["downlink_bytes"] for r in rounds}) == 1
    assert MODEL not in app._contexts[100].state


def test_an_update_that_is_not_finite_has_no_vote(tmp_path):
    def breaks(arrays, partition, server_round):
        made = moved(arrays, partition, server_round)
        if partition == 2 and server_round == 2:
            made["a"][0, 0] = np.nan
        return made

    app = grid(4, client(breaks, [OneBit(feedback=True)]))
    SignMV(fraction_evaluate=0.0).start(app, floats(), 3, run_dir=tmp_path)
    rounds = [json.loads(line) for line in (tmp_path / "rounds.jsonl").open()]
    assert [r["dropped"] for r in rounds] == [{}, {"non-finite": [2]}, {}]
    assert np.isfinite(app._contexts[102].state[MEMORY]["error"].numpy()).all()


def test_error_feedback_sends_what_signs_have_lost():
    """The definition, slowly: p = u + e, sent sign(p), e = p - mean|p| sign(p)."""
    sent = []

    def listen(request, reply):
        sent.append(reply.content["arrays"][plain.SIGNS].numpy())
        return [reply]

    app = grid(1, client(moved, [OneBit(feedback=True)]), {0: listen})
    one = {"min_train_nodes": 1, "min_available_nodes": 1, "fraction_evaluate": 0.0}
    SignMV(**one, server_learning_rate=0.5).start(app, floats(), 4)
    x, e = np.concatenate([v.ravel() for v in values(floats()).values()]), 0.0
    shapes = {n: v.shape for n, v in values(floats()).items()}
    for server_round, row in enumerate(sent, start=1):
        named, start = {}, 0
        for name, shape in shapes.items():
            size = int(np.prod(shape))
            named[name] = x[start : start + size].reshape(shape)
            start += size
        y = np.concatenate([v.ravel() for v in moved(named, 0, server_round).values()])
        p = (x - y) + e
        signs = np.where(p >= 0, 1, -1).astype(np.float32)
        assert np.unpackbits(row, count=len(p), bitorder="little").tolist() == (p >= 0).tolist()
        e = p - np.float32(np.abs(p).mean()) * signs
        x = x - np.float32(0.5) * signs
    error = app._contexts[100].state[MEMORY]["error"].numpy()
    np.testing.assert_allclose(error, e, rtol=1e-5, atol=1e-6)
    assert left_over(np.zeros(3, np.float32)).tolist() == [0, 0, 0]
