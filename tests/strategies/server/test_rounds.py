"""Whole runs over the in-process Grid: what a round does, and that nothing else matters."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Error, Message, MetricRecord

from signfed.app.client_app import app as client_app
from signfed.app.errors import ConfigError
from signfed.app.server_app import run
from signfed.strategies.core.codecs import CODECS
from signfed.strategies.server.federation import FederationError
from signfed.strategies.server.transport import wire
from signfed.strategies.server.transport.measure import size
from tests.federation import BASE, SHORT, config_for, federate, outcome
from tests.grid import InProcessGrid


@pytest.mark.parametrize("strategy", ["mean", "sign-mv", "sign-fd"])
def test_the_model_is_the_same_whoever_hosts_the_workers(tmp_path, strategy):
    attack = {"attack": "stochastic-sign-flip", "stochastic-sign-flip.probability": 0.8}
    runs = [
        federate(tmp_path / f"{i}", nodes=nodes, strategy=strategy, **attack)
        for i, nodes in enumerate((1, 1, 2, 15))
    ]
    assert len({r.sha256 for r in runs}) == 1
    assert all(r["received"] == 15 for outcome in runs for r in outcome.rounds)


def test_every_choice_changes_the_model(tmp_path):
    variants = [
        {"strategy": "mean"},
        {"strategy": "mean", "encoder": "sign"},
        {"strategy": "sign-mv"},
        {"sign-fd.estimator": "alg1"},
        {"sign-fd.estimator": "eq17"},
        {"sign-fd.estimator": "pooled"},
        {"seed": 1},
        {"attack": "none"},
        {"attack": "gaussian"},
        {"attack": "stochastic-sign-flip", "stochastic-sign-flip.probability": 0.5},
        {"byzantine_ids": "9,10,11,12,13,14"},
        {"momentum": 0.9},
        {"weight_decay": 0.1},
        {"batch_size": 32},
        {"num_workers": 13},
    ]
    # The last phase of sign-fd needs some rounds before one estimate decodes unlike another.
    runs = [federate(tmp_path / f"{i}", num_rounds=9, **v) for i, v in enumerate(variants)]
    assert len({r.sha256 for r in runs}) == len(variants)


def test_the_lie_does_not_matter_to_sign_fd_and_does_to_sign_mv(tmp_path):
    keys = {"num_rounds": 100, "evaluate_every": 100}
    quiet = federate(tmp_path / "quiet", strategy="sign-mv", attack="none", **keys)
    voted = federate(tmp_path / "voted", strategy="sign-mv", **keys)
    defended = federate(tmp_path / "defended", **{"sign-fd.estimator": "agreement"}, **keys)
    accuracy = [r.summary["final_test_accuracy"] for r in (quiet, defended, voted)]
    assert accuracy[0] > 0.88 and accuracy[1] > 0.88
    assert accuracy[2] < accuracy[1] - 0.03
    assert defended.rounds[-1]["accepted"] == list(range(6, 15))
    assert all(p > 0.7 for w, p in defended.rounds[-1]["crossover"].items() if int(w) < 6)


def test_the_run_folder_holds_what_was_promised(tmp_path):
    done = federate(tmp_path / "run", nodes=3, num_rounds=7)
    assert [r["round"] for r in done.rounds] == list(range(1, 8))
    for record in done.rounds:
        assert record["received"] == 15 and record["dropped"] == {}
        assert set(record["seconds"]) == {"clients", "server", "evaluate"}
        evaluated = record["round"] in (3, 6, 7)  # every 3, and the last
        assert ("test_accuracy" in record) == evaluated == ("test_loss" in record)
        assert set(record["crossover"]) == {str(w) for w in range(15)}
    summary = done.summary
    assert summary["status"] == "finished" and summary["rounds"] == 7
    assert summary["final_test_accuracy"] == done.rounds[-1]["test_accuracy"]
    assert summary["parameters"] == 9610 and len(summary["model_sha256"]) == 64
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["config"]["num-rounds"] == 7 and config["config"]["lr"] == 0.001
    assert config["byzantine_ids"] == [0, 1, 2, 3, 4, 5]


def test_bytes_are_those_of_the_serialized_messages(tmp_path):
    sizes: list[int] = []

    def weigh(request, reply):
        sizes.append(size(reply))
        return [reply]

    done = federate(tmp_path / "run", nodes=15, tamper=dict.fromkeys(range(15), weigh))
    trained = sizes[15:]  # the first 15 replies answer the hello
    per_round = [sum(trained[i : i + 15]) for i in range(0, len(trained), 15)]
    assert [r["uplink_bytes"] for r in done.rounds] == per_round
    assert max(trained) <= -(-9610 // 8) + 1024
    mean_bits = 8 * sum(per_round[1:]) / (15 * (len(per_round) - 1)) / 9610
    assert done.summary["uplink_bits_per_parameter"] == pytest.approx(mean_bits, abs=1e-4)


def test_the_fd_cnns_update_fits_its_bits_and_one_kibibyte():
    n = 582_026
    (request,) = wire.train([100], ArrayRecord(), 1, ConfigRecord(), ttl=1)
    row = CODECS["sign"].encode(np.ones(n, np.float32))
    assert size(wire.train_reply(request, {14: row}, 3000)) <= 72_754 + 1024


@pytest.mark.parametrize(
    "said, heard",
    [
        (MetricRecord({"accuracy": [0.25]}), {14: 0.25}),
        (MetricRecord({"accuracy": [1.5]}), {}),
        (MetricRecord({"accuracy": [float("nan")]}), {}),
        (MetricRecord({"accuracy": [0.5, 0.5]}), {}),
        (MetricRecord({"accuracy": 0.5}), {}),
        (MetricRecord({f"{i}": 0.5 for i in range(50)}), {}),
        (ConfigRecord({"accuracy": [0.5]}), {}),
        (ArrayRecord(), {}),
    ],
)
def test_what_a_node_claims_costs_it_no_row(said, heard):
    (request,) = wire.train([100], ArrayRecord(), 1, ConfigRecord(), ttl=1)
    codec = CODECS["sign"]
    reply = wire.train_reply(request, {14: codec.encode(np.ones(8, np.float32))}, 3, (), [0.25])
    reply.content[wire.CLAIMS] = said
    rows, dropped = wire.open_reply(reply, (14,), codec, 8, 3)
    assert list(rows) == [14] and dropped == {} and wire.read_accuracies(reply) == heard


def test_workers_without_a_node_stop_the_run_before_it_starts(tmp_path):
    def deaf(request, reply):
        return []

    said = r"workers \[1, 4, 7, 10, 13\] have none .*3 nodes connected, 1 of them.* node-timeout"
    with pytest.raises(FederationError, match=said):
        federate(tmp_path / "run", nodes=3, tamper={1: deaf}, node_timeout=0.5, quorum=1.0)
    done = outcome(tmp_path / "run")
    assert done.summary["status"] == "failed" and "have none" in done.summary["error"]
    assert done.rounds == []


def test_workers_are_bound_on_the_nodes_own_word_only(tmp_path):
    def impostor(request, reply):
        if request.metadata.message_type == wire.HELLO:
            reply.metadata.__dict__["_src_node_id"] = 100
        return [reply]

    with pytest.raises(FederationError, match=r"workers \[1, 4, 7, 10, 13\] have none"):
        federate(tmp_path / "run", nodes=3, tamper={1: impostor}, node_timeout=0.3, quorum=1.0)


def test_a_second_claim_on_a_worker_is_refused(tmp_path):
    config = config_for(tmp_path / "run", {})
    grid = InProcessGrid(client_app, 3, config)
    # The last node claims to be partition 0 as well; replies come last node first.
    list(grid._contexts.values())[2].node_config["partition-id"] = 0
    with pytest.raises(FederationError, match=r"workers \[2, 5, 8, 11, 14\] have none"):
        run(grid, config | {"node-timeout": 0.5, "quorum": 1.0})


def test_a_round_without_quorum_is_skipped_and_a_series_of_them_ends_the_run(tmp_path):
    def leaves_after_round_2(request, reply):
        trains = "config" in request.content
        return [] if trains and request.content["config"]["round"] > 2 else [reply]

    gone = dict.fromkeys((0, 1), leaves_after_round_2)
    keys = {"nodes": 3, "num_rounds": 20, "round_timeout": 0.05, "tamper": gone}
    with pytest.raises(FederationError, match="5 skipped in a row"):
        federate(tmp_path / "lost", **keys)
    done = outcome(tmp_path / "lost")
    assert done.summary["status"] == "failed" and [r["received"] for r in done.rounds] == [
        15,
        15,
        5,
        5,
        5,
        5,
    ]
    assert "quorum 8" in done.rounds[2]["skipped"]
    assert done.rounds[2]["dropped"] == {"no-reply": [w for w in range(15) if w % 3 < 2]}
    # With a smaller quorum the same replies carry the run to its end.
    assert federate(tmp_path / "kept", quorum=0.3, **keys).summary["status"] == "finished"


def test_skipped_rounds_leave_the_model_alone(tmp_path):
    def absent_in_round_3(request, reply):
        trains = "config" in request.content
        return [] if trains and request.content["config"]["round"] == 3 else [reply]

    keys = {"strategy": "sign-mv", "num_rounds": 3, "round_timeout": 0.05}
    skipped = federate(tmp_path / "a", tamper={0: absent_in_round_3}, **keys)
    assert "skipped" in skipped.rounds[2]
    assert skipped.sha256 == federate(tmp_path / "b", **(keys | {"num_rounds": 2})).sha256


def test_nothing_valid_in_round_1_ends_the_run_with_the_reason(tmp_path):
    def broken(request, reply):
        is_train = request.metadata.message_type == "train"
        return [Message(Error(2, "no data here"), reply_to=request) if is_train else reply]

    with pytest.raises(FederationError, match="15 error"):
        federate(tmp_path / "run", tamper={0: broken})


OWN_STRATEGY = """
from signfed import RobustStrategy

class Mine(RobustStrategy):
    def aggregate(self, updates):
        return updates.dense().sum(0).sign()
"""


def test_a_strategy_of_ones_own_needs_one_class_with_one_method(tmp_path, monkeypatch):
    (tmp_path / "own_rule.py").write_text(OWN_STRATEGY)
    monkeypatch.syspath_prepend(str(tmp_path))
    own = federate(tmp_path / "own", strategy="own_rule:Mine")
    assert own.sha256 == federate(tmp_path / "mv", strategy="sign-mv").sha256
    sys.modules.pop("own_rule")


def test_a_strategy_that_returns_the_wrong_shape_fails_the_run_by_name(tmp_path, monkeypatch):
    (tmp_path / "bad_rule.py").write_text(OWN_STRATEGY.replace(".sum(0)", ""))
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match=r"Mine.aggregate: expected a vector of 9610"):
        federate(tmp_path / "run", strategy="bad_rule:Mine")
    assert outcome(tmp_path / "run").summary["status"] == "failed"
    sys.modules.pop("bad_rule")


def test_a_state_that_is_none_is_refused_before_the_start(tmp_path, monkeypatch):
    state = "\n    def state_dict(self):\n        return {'seen': 3}\n"
    (tmp_path / "stateful_rule.py").write_text(OWN_STRATEGY + state)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=r"Mine.state_dict: .* got int under 'seen'"):
        federate(tmp_path / "run", strategy="stateful_rule:Mine")
    assert not (tmp_path / "run").exists()
    sys.modules.pop("stateful_rule")


def test_findings_that_are_no_json_fail_the_run_by_name(tmp_path, monkeypatch):
    found = "\n    def diagnostics(self):\n        return {'scores': {1, 2}}\n"
    (tmp_path / "telling_rule.py").write_text(OWN_STRATEGY + found)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        ValueError, match=r"Mine\.diagnostics: expected a dictionary of JSON values"
    ):
        federate(tmp_path / "run", strategy="telling_rule:Mine")
    sys.modules.pop("telling_rule")


def test_the_log_holds_the_options_of_a_rule_behind_another(tmp_path, caplog):
    keys = {"strategy": "centered-clipping", "centered-clipping.radius": 7.5, "num_rounds": 1}
    keys |= {"pre_aggregation": "bucketing", "bucketing.size": 3}
    with caplog.at_level("INFO", "signfed"):
        federate(tmp_path / "run", **keys)
    (said,) = [r.getMessage() for r in caplog.records if "CenteredClipping" in r.getMessage()]
    assert "'size': 3" in said and "'radius': 7.5" in said


def test_an_interrupted_run_leaves_its_rounds_and_its_status(tmp_path):
    def interrupt(request, reply):
        if "config" in request.content and request.content["config"]["round"] == 4:
            raise KeyboardInterrupt
        return [reply]

    with pytest.raises(KeyboardInterrupt):
        federate(tmp_path / "run", tamper={0: interrupt})
    done = outcome(tmp_path / "run")
    assert done.summary["status"] == "interrupted" and len(done.rounds) == 3


def test_short_runs_reach_both_phases_of_sign_fd():
    assert BASE["num-rounds"] >= SHORT["sign-fd.initial-rounds"] + 2
