"""One bit a coordinate down: nodes take the server's steps, and whoever cannot gets the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from flwr.app import Array, ConfigRecord

from signfed.app.client_app import app as client_app
from signfed.app.runs.folder import read_rounds
from signfed.app.server_app import run
from signfed.app.task import TASKS, Dataset
from signfed.strategies.server.optimizer import model_sha256
from signfed.strategies.server.transport import wire
from tests.federation import config_for, federate, named, outcome
from tests.grid import InProcessGrid

N, ROW = 9610, 1202  # of the digits model: parameters, bytes of a packed vector
HEADER = 1024  # more than all that goes beside the arrays


class Watched(InProcessGrid):
    """Calls `before(grid, round)` once a round, keeps all requests; nodes can be away."""

    def __init__(self, num_nodes, config, before=lambda grid, server_round: None, **more):
        super().__init__(client_app, num_nodes, config, **more)
        self.before, self.server_round, self.sent, self.away = before, 0, [], {}

    def push_messages(self, messages):
        return [self._push(message) for message in messages]

    def _push(self, message):
        if message.metadata.message_type == wire.TRAIN:
            server_round, node = (
                message.content["config"]["round"],
                message.metadata.dst_node_id - 100,
            )
            if server_round > self.server_round:
                self.server_round = server_round
                self.before(self, server_round)
            self.sent.append((server_round, node, dict(message.content["model"])))
            if server_round in self.away.get(node, ()):
                message.metadata.__dict__["_message_id"] = f"lost {node} {server_round}"
                return message.metadata.message_id
        return super().push_messages([message])[0]

    def state(self, node):
        return self._contexts[100 + node].state

    def shapes(self, server_round, node):
        """What the node was sent in the round: record name -> shape, a dictionary a message."""
        return [
            {name: array.numpy().shape for name, array in record.items()}
            for t, to, record in self.sent
            if (t, to) == (server_round, node)
        ]


def watch(path, before=lambda grid, server_round: None, nodes=3, **keys):
    config = config_for(path, named(keys))
    grid = Watched(nodes, config, before)
    run(grid, config)
    return grid, outcome(path)


def random_images(data_dir, download):
    draws = np.random.default_rng(0)
    x = torch.from_numpy(draws.standard_normal((1500, 1, 28, 28), dtype=np.float32))
    y = torch.arange(1500) % 10
    return Dataset(x, y, x[:50], y[:50], to_input=lambda x: x)


@pytest.mark.parametrize("rule", ["sign-mv", "sign-fd"])
def test_the_fd_cnn_costs_at_most_a_hundredth_above_a_bit_each_way(rule, monkeypatch, tmp_path):
    monkeypatch.setitem(TASKS, "mnist", replace(TASKS["mnist"], load=random_images))
    keys = {"task": "mnist", "strategy": rule, "num_rounds": 3, "batch_size": 2}
    if rule == "sign-fd":
        keys |= {"sign-fd.initial-rounds": 2}
    summary = federate(tmp_path / "run", nodes=15, **keys).summary
    assert summary["parameters"] == 582_026
    assert 1 < summary["uplink_bits_per_parameter"] <= 1.01
    assert 1 < summary["downlink_bits_per_parameter"] <= 1.01


def test_the_model_goes_down_once_and_then_a_vector_a_round(tmp_path):
    grid, done = watch(tmp_path / "run")
    for node in range(3):
        assert grid.shapes(1, node) == [{"parameters": (N,)}]
        for server_round in range(2, 7):
            assert grid.shapes(server_round, node) == [{"directions": (1, ROW)}]
    first, *others = [r["downlink_bytes"] / r["nodes"] for r in done.rounds]
    assert 4 * N < first < 4 * N + HEADER
    assert all(ROW < size < ROW + HEADER for size in others)
    assert not any("healed" in r for r in done.rounds)


def test_momentum_goes_down_with_a_model_that_is_not_the_first(tmp_path):
    def forget(grid, server_round):
        if server_round == 4:
            grid.state(1).pop("replica")

    keys = {"momentum": 0.9, "weight_decay": 0.01}
    grid, done = watch(tmp_path / "run", forget, **keys)
    assert grid.shapes(1, 1) == [{"parameters": (N,)}]
    assert grid.shapes(4, 1) == [{"directions": (1, ROW)}, {"parameters": (N,), "momentum": (N,)}]
    assert done.rounds[3]["healed"] == 1 and not done.rounds[3]["dropped"]
    assert done.sha256 == federate(tmp_path / "whole", nodes=3, **keys).sha256


def flip(state, name):
    """One bit of a node's own copy."""
    record = state["replica"]
    values = record[name].numpy().copy()
    values.view(np.uint32)[7] ^= 1 << 20
    record[name] = Array(values)


def older(grid, node, by):
    """The node takes its copy for another version."""
    grid.state(node)["replica-version"]["steps"] -= by


DAMAGE = {
    "a bit of the model": lambda grid: flip(grid.state(2), "parameters"),
    "a bit of the momentum": lambda grid: flip(grid.state(2), "momentum"),
    "which version it is": lambda grid: grid.state(2).pop("replica-version"),
    "all of its memory": lambda grid: grid.state(2).clear(),
    "another version than its own": lambda grid: older(grid, 2, by=-1),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_node_that_lost_its_way_is_healed_in_the_same_round(name, tmp_path, caplog):
    def damage(grid, server_round):
        if server_round == 3:
            DAMAGE[name](grid)

    keys = {"momentum": 0.5}
    _, done = watch(tmp_path / "run", damage, **keys)
    assert [r.get("healed", 0) for r in done.rounds] == [0, 0, 1, 0, 0, 0]
    assert done.dropped == [{}] * 6
    assert done.sha256 == federate(tmp_path / "whole", nodes=3, **keys).sha256
    assert (
        sum("lacks the model of the round" in record.getMessage() for record in caplog.records) == 1
    )
    extra = done.rounds[2]["downlink_bytes"] - done.rounds[1]["downlink_bytes"]
    assert 8 * N < extra < 8 * N + HEADER  # model and momentum, counted


def test_who_missed_rounds_gets_the_vectors_or_the_model_whichever_is_smaller(tmp_path):
    """32 packed vectors are as long as the model."""
    config = config_for(tmp_path / "run", {"num-rounds": 40, "round-timeout": 0.01, "quorum": 0.2})
    grid = Watched(4, config)
    grid.away = {0: range(3, 6), 1: range(3, 33), 2: range(3, 34)}
    run(grid, config)
    assert grid.shapes(6, 0) == [{"directions": (4, ROW)}]
    assert grid.shapes(33, 1) == [{"directions": (31, ROW)}]
    assert grid.shapes(34, 2) == [{"parameters": (N,)}]
    rounds = read_rounds(tmp_path / "run")
    assert not any("healed" in r for r in rounds)
    assert [r["received"] for r in rounds[33:]] == [15] * 7


def test_a_node_that_fell_back_gets_the_steps_that_it_says_it_lacks(tmp_path):
    """As in Ray, where a slow answer of an earlier round may end last and write its memory."""
    kept = {}

    def fall_back(grid, server_round):
        if server_round == 3:
            kept.update(grid.state(2))
        if server_round == 6:
            grid.state(2).update(kept)

    grid, done = watch(tmp_path / "run", fall_back)
    assert grid.shapes(6, 2) == [{"directions": (1, ROW)}, {"directions": (4, ROW)}]
    assert done.rounds[5]["healed"] == 1 and done.dropped == [{}] * 6
    assert done.sha256 == federate(tmp_path / "whole", nodes=3).sha256


def test_a_rule_with_a_float_direction_sends_the_model_and_nodes_keep_nothing(tmp_path):
    grid, done = watch(tmp_path / "run", strategy="mean")
    assert all(
        grid.shapes(server_round, 0) == [{"parameters": (N,)}] for server_round in range(1, 7)
    )
    assert set(grid.state(0)) == {"answered"}  # a number: which round was the last
    assert done.summary["downlink_bits_per_parameter"] == pytest.approx(32, abs=0.5)


def test_three_symbols_are_no_sign_vector(tmp_path):
    """Ties left at zero: the model goes down in the rounds after one."""
    grid, done = watch(
        tmp_path / "run", strategy="sign-mv", num_workers=14, **{"sign-mv.tie": "zero"}
    )
    assert all(
        grid.shapes(server_round, 0) == [{"parameters": (N,)}] for server_round in range(1, 7)
    )
    same = federate(
        tmp_path / "same", strategy="sign-mv", num_workers=14, **{"sign-mv.tie": "zero"}
    )
    assert done.sha256 == same.sha256


def test_a_skipped_round_leaves_nothing_to_send(tmp_path):
    """No step, no vector: the digest alone."""

    def silent(request, reply):
        train = request.metadata.message_type == "train"
        return [] if train and request.content["config"]["round"] == 3 else [reply]

    config = config_for(tmp_path / "run", {"round-timeout": 0.02})
    grid = Watched(3, config, tamper={1: silent, 2: silent})
    run(grid, config)
    assert "quorum" in read_rounds(tmp_path / "run")[2]["skipped"]
    # They took the second step in round 3, but no answer of theirs came: it is sent again.
    assert grid.shapes(4, 0) == [{"directions": (0, ROW)}]
    assert grid.shapes(4, 1) == [{"directions": (1, ROW)}]
    assert not any("healed" in r for r in read_rounds(tmp_path / "run"))


def test_a_node_that_always_asks_for_the_model_costs_one_a_round_and_no_other_node(tmp_path):
    def never_satisfied(request, reply):
        if request.metadata.message_type != "train":
            return [reply]
        return [wire.lacking_reply(request, -1)]

    quiet = {"nodes": 3, "num_byzantine": 0, "attack": "none"}
    config = config_for(tmp_path / "run", {"num-byzantine": 0, "attack": "none"})
    grid = Watched(3, config, tamper={2: never_satisfied})
    run(grid, config)
    done = outcome(tmp_path / "run")
    assert done.dropped == [{"malformed": 5}] * 6
    assert [r["healed"] for r in done.rounds] == [1] * 6
    assert len(grid.shapes(4, 2)) == 2
    silent = {2: lambda q, r: [] if q.metadata.message_type == "train" else [r]}
    same = federate(tmp_path / "same", tamper=silent, round_timeout=0.02, **quiet)
    assert done.sha256 == same.sha256


def test_a_node_is_healed_on_its_own_word_only(tmp_path):
    """Whoever answers in another node's place must not have the model sent again."""

    def impostor(request, reply):
        if request.metadata.message_type != "train":
            return [reply]
        lacking = wire.lacking_reply(request, -1)
        lacking.metadata.__dict__["_src_node_id"] = 100
        return [lacking]

    config = config_for(tmp_path / "run", {})
    grid = Watched(3, config, tamper={2: impostor})
    run(grid, config)
    done = outcome(tmp_path / "run")
    assert done.dropped == [{"wrong-sender": 5}] * 6
    assert not any("healed" in record for record in done.rounds)
    assert all(len(grid.shapes(t, 2)) == 1 for t in range(1, 7))


def test_the_digest_tells_models_apart():
    x = np.linspace(-1, 1, 100, dtype=np.float32)
    y = x.copy()
    assert model_sha256(x) == model_sha256(y)
    y[50] = np.nextafter(y[50], np.float32(1.0))
    assert model_sha256(x) != model_sha256(y)
    assert model_sha256(np.zeros(3)) != model_sha256(-np.zeros(3))  # bits, not values


def test_a_lacking_reply_is_told_from_all_others():

    request = wire.hello(100, ttl=1.0)
    lacking = wire.lacking_reply(request, 3)
    assert wire.read_lacking(lacking) == 3
    for held in (-1, -7, "3", 3.0, True, [3]):
        lacking.content["replica"] = ConfigRecord({"held": held})
        assert wire.read_lacking(lacking) == -1
    lacking.content["more"] = ConfigRecord()
    assert wire.read_lacking(lacking) is None
    assert wire.read_lacking(wire.hello_reply(request, 0, 1)) is None
