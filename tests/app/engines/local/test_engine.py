"""The local engine is the same run: the same model to the last bit, and the same record."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from signfed.app.cli import app
from signfed.app.config.run_config import build_strategy, parse
from signfed.app.engines import prepare as prepare_module
from signfed.app.engines.local import engine
from signfed.app.engines.local.collector import LocalWorkers
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.run import Run
from signfed.app.task import TASKS, Task, Workload
from signfed.app.task.batched import BatchedGradients
from signfed.app.task.datasets.digits import load_digits
from signfed.attacks import ATTACKS
from signfed.clients import ENCODERS
from signfed.strategies.election import ElectionCoding
from signfed.strategies.pre_aggregations import PRE_AGGREGATIONS
from signfed.strategies.registry import STRATEGIES
from signfed.strategies.server.federation import FederationError
from signfed.strategies.server.training import Training
from tests.federation import federate, locally

# What a Flower client can know.
IN_FLOWER = [name for name, each in ATTACKS.items() if each.knowledge != "server" and not each.rule]

# The rule, attack or encoder under test, and what it needs besides. New ones join by themselves.
CASES = (
    [{"strategy": name} for name in STRATEGIES]
    + [{"strategy": "sign-mv", "attack": name} for name in IN_FLOWER]
    + [{"strategy": "mean", "attack": name} for name in IN_FLOWER]
    + [{"strategy": "mean", "encoder": name} for name in ENCODERS]
    + [
        {"strategy": "median", "pre-aggregation": name}
        for name in (*PRE_AGGREGATIONS, "clipping,nnm")
    ]
    + [
        {"strategy": "election", "election.code": "bernoulli", "election.noise": 0.01},
        {"strategy": "election", "election.code": "bernoulli", "election.tie": "random"},
        {"strategy": "election", "election.code": "bernoulli", "election.tie": "zero"},
        {"strategy": "mean", "encoder": "top-k", "worker-momentum": 0.9, "momentum": 0.9},
        {"task": "quadratic", "strategy": "sign-mv"},
        {"strategy": "sign-fd", "momentum": 0.9, "weight-decay": 0.01},
        {
            "strategy": "sign-fd",
            "lr-schedule": "inverse-sqrt",
            "fraction-train": 0.4,
            "assumed-byzantine": 2,
        },
        {"strategy": "mean", "attack": "lie", "fraction-train": 0.6},
    ]
)


# With all workers on one node, and each on one of its own, where workers look around them.
ALONE_AND_APART = [
    {"strategy": "sign-fd", "fraction-train": 0.4, "assumed-byzantine": 2, "attack": "byzmean"},
    {"strategy": "mean", "attack": "min-max"},
    {"strategy": "sign-mv", "attack": "label-flip"},
]


def case_id(case):
    return "-".join(map(str, case.values()))


def is_the_run_of_flower(tmp_path, case, *numbers_of_nodes):
    keys = {"num-byzantine": 3, "num-rounds": 3} | case
    here = locally(tmp_path / "local", **keys)
    for nodes in numbers_of_nodes:
        there = federate(tmp_path / f"flower-{nodes}", nodes=nodes, **keys)
        assert here.sha256 == there.sha256
        assert list(map(same_in_all, here.rounds)) == list(map(same_in_all, there.rounds))


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_the_model_is_that_of_flower(case, tmp_path):
    is_the_run_of_flower(tmp_path, case, 2)


@pytest.mark.parametrize("case", ALONE_AND_APART, ids=case_id)
def test_the_model_is_that_of_flower_with_1_and_15_nodes(case, tmp_path):
    is_the_run_of_flower(tmp_path, case, 1, 15)


def same_in_all(record):
    """The part of a round's record that no engine may change."""
    of_the_engine = {"seconds", "uplink_bytes", "downlink_bytes", "nodes"}
    return {key: value for key, value in record.items() if key not in of_the_engine}


@pytest.fixture
def large(monkeypatch):
    """The way of a large network: one worker a core, no gradients in one call."""
    monkeypatch.setattr("signfed.app.task.ways.LARGE", 0)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("strategy", ["sign-fd", "election"])
def test_the_number_of_cores_changes_no_bit(strategy, threads, large, monkeypatch, tmp_path):
    monkeypatch.setattr(engine, "cores", lambda: threads)
    keys = {"strategy": strategy, "num-byzantine": 3, "worker-momentum": 0.0}
    expected = federate(tmp_path / "flower", **keys).sha256
    assert locally(tmp_path / "local", **keys).sha256 == expected


def test_gradients_in_one_call_are_those_of_the_loop():
    problem = TASKS["digits"].problem(parse({}).workload)
    batched, parameters = problem.batched(lambda t: range(15)), problem.initial().numpy()
    assert batched is not None, "vmap gives other bits on this machine"
    for server_round in (1, 2, 9):
        one_by_one = [problem.gradient(parameters, worker, server_round) for worker in range(15)]
        assert np.array_equal(
            batched(parameters, range(15), server_round).numpy(), np.stack(one_by_one)
        )


def test_gradients_in_one_call_are_not_used_when_a_bit_differs(monkeypatch):
    monkeypatch.setattr(
        BatchedGradients, "__call__", lambda self, p, ids, t: torch.zeros(15, len(p)) + 1e-9
    )
    assert TASKS["digits"].problem(parse({}).workload).batched(lambda t: range(15)) is None


def test_a_partitions_gradient_is_computed_once(large, monkeypatch, tmp_path):
    """Whoever holds it: r times as many would be asked for otherwise."""
    config = parse({"strategy": "election", "num-byzantine": 3, "out-dir": str(tmp_path)})
    problem = TASKS["digits"].problem(config.workload)
    computed, real = [], problem.gradient

    def counting(parameters, worker, server_round):
        computed.append((worker, server_round))
        return real(parameters, worker, server_round)

    monkeypatch.setattr(problem, "gradient", counting)
    strategy = build_strategy(config)
    with ThreadPoolExecutor(2) as pool:
        training = Training(strategy, config.federation(strategy), problem.initial())
        workers = LocalWorkers(Run(config, strategy, problem, None, print), training, pool)
        for server_round in (1, 2):
            updates, record = workers.collect(server_round)
            assert updates.ids.tolist() == list(range(15)) and not record.dropped
    assert sorted(computed) == sorted((w, t) for w in range(15) for t in (1, 2))


@pytest.mark.parametrize(
    "keys",
    [
        {"strategy": "sign-fd"},
        {"strategy": "mean", "attack": "gaussian"},
        {"strategy": "election"},
        {"strategy": "sign-mv", "encoder": "noisy-sign"},
    ],
    ids=lambda keys: "-".join(keys.values()),
)
def test_updates_made_as_one_matrix_are_those_that_clients_send(keys, monkeypatch, tmp_path):
    """Worker by worker as in Flower; an encoder that draws always goes that way."""
    keys = keys | {"num-byzantine": 3, "worker-momentum": 0.0}
    expected = locally(tmp_path / "one", **keys)
    at_once, real = [], LocalWorkers.__init__

    def init(self, *given):
        real(self, *given)
        at_once.append(self._plain and self._batched is not None)
        self._plain = False

    monkeypatch.setattr(LocalWorkers, "__init__", init)
    found = locally(tmp_path / "each", **keys)
    assert found.sha256 == expected.sha256
    bits = "uplink_bits_per_parameter"
    assert found.summary[bits] == expected.summary[bits]
    assert at_once == [keys.get("encoder") != "noisy-sign"]


class Broken:
    """The quadratic, but that some workers' gradients are not finite."""

    def __init__(self, workload: Workload, broken: range) -> None:
        self._real, self._broken = TASKS["quadratic"].problem(workload), broken

    def gradient(self, parameters, worker, server_round):
        found = self._real.gradient(parameters, worker, server_round)
        return found * np.nan if worker in self._broken else found

    def __getattr__(self, name):
        return getattr(self._real, name)


def run_broken(broken, on_round):
    config = parse({"task": "quadratic", "strategy": "mean", "attack": "none", "num-rounds": 9})
    problem = Broken(config.workload, broken)
    return local_engine(Run(config, build_strategy(config), problem, None, on_round))


def test_a_row_that_is_not_finite_is_dropped_and_counted():
    records = []
    parameters = run_broken(range(3), lambda record, state: records.append(record))
    assert np.isfinite(parameters).all() and len(records) == 9
    assert all(r.dropped == {"non-finite": [0, 1, 2]} and r.received == 12 for r in records)


def test_a_run_that_is_over_keeps_nothing():
    """Its problem lies on a device, where the next one needs its room."""
    keys = {"strategy": "mean", "attack": "lie", "num-byzantine": 3, "num-rounds": 2}
    config = parse({"task": "quadratic", **keys})
    gc.collect()
    gc.disable()
    try:
        problem = TASKS["quadratic"].problem(config.workload)
        left = weakref.ref(problem)
        local_engine(Run(config, build_strategy(config), problem, None, lambda record, state: None))
        del problem
        assert left() is None
    finally:
        gc.enable()


def broken_digits(data_dir, download):
    """One NaN in every tenth sample but the first hundred."""
    data = load_digits()
    x = data.train_x.clone()
    x[105:2000:10, 3] = np.nan
    return replace(data, train_x=x)


def test_a_gradient_that_is_not_finite_has_no_vote(monkeypatch, caplog, tmp_path):
    """A row of signs has no NaN: the run is the one in which those workers' float rows, which show
    it, are dropped. In both engines, whoever hosts the workers."""
    monkeypatch.setitem(TASKS, "digits", replace(TASKS["digits"], load=broken_digits))
    keys = {"strategy": "sign-mv", "attack": "none", "lr": 0.003}
    keys |= {"batch_size": 16, "quorum": 0.06, "num_rounds": 30}
    floats = locally(tmp_path / "floats", encoder="float32", **keys)
    lost = [record["dropped"].get("non-finite", []) for record in floats.rounds]
    assert all(set(record["dropped"]) <= {"non-finite"} for record in floats.rounds)
    assert sum(map(len, lost)) > 60 and set().union(*lost) == set(range(15))
    caplog.clear()
    here = locally(tmp_path / "local", **keys)
    said = [r.getMessage() for r in caplog.records if "not finite" in r.getMessage()]
    assert sorted(said) == sorted(set(said)) and len(said) == 15  # each worker once
    monkeypatch.setattr("signfed.app.task.ways.LARGE", 0)
    one_by_one = locally(tmp_path / "large", **keys)
    flower = [federate(tmp_path / f"{n}", nodes=n, **keys) for n in (1, 2, 15)]
    for done in (here, one_by_one, *flower):
        assert done.sha256 == floats.sha256
        assert [record["dropped"] for record in done.rounds] == [
            record["dropped"] for record in floats.rounds
        ]
    assert here.summary["final_test_accuracy"] > 0.7


def test_a_coded_worker_with_a_broken_partition_has_no_vote(monkeypatch, tmp_path):
    """NaN in one partition is no sign that the others could be added to."""
    monkeypatch.setitem(TASKS, "digits", replace(TASKS["digits"], load=broken_digits))
    keys = {"strategy": "election", "num_byzantine": 1, "attack": "none"}
    keys |= {"batch_size": 2, "quorum": 0.06, "num_rounds": 3}
    here = locally(tmp_path / "local", **keys)
    problem = TASKS["digits"].problem(parse({"batch-size": 2, "device": "cpu"}).workload)
    holds, x = ElectionCoding(n_byzantine=1).matrix(15), problem.initial().numpy()
    for record in here.rounds:
        gradients = [problem.gradient(x, j, record["round"]) for j in range(15)]
        broken = [not np.isfinite(gradient).all() for gradient in gradients]
        expected = np.flatnonzero(holds @ broken).tolist()
        assert 0 < len(expected) < 15 and record["dropped"] == {"non-finite": expected}
    there = federate(tmp_path / "flower", nodes=2, **keys)
    assert [r["dropped"] for r in there.rounds] == [r["dropped"] for r in here.rounds]
    assert here.sha256 == there.sha256


def test_data_are_loaded_and_the_config_parsed_once(monkeypatch, tmp_path):
    calls = Counter()

    def counted(owner, name):
        real = getattr(owner, name)
        monkeypatch.setattr(
            owner, name, lambda *given, **more: calls.update([name]) or real(*given, **more)
        )

    counted(Task, "problem")
    counted(prepare_module, "parse")
    counted(prepare_module, "build_strategy")
    keys = "num-rounds=2 device='cpu'"
    done = CliRunner().invoke(
        app, ["run", "--engine", "local", "--no-report", "-c", keys, "--out", str(tmp_path / "run")]
    )
    assert done.exit_code == 0, done.output
    assert calls == {"problem": 1, "parse": 1, "build_strategy": 1}


def test_without_a_quorum_rounds_are_skipped_and_five_of_them_end_the_run():
    records = []
    with pytest.raises(FederationError, match="5 skipped in a row"):
        run_broken(range(8), lambda record, state: records.append(record))
    assert len(records) == 4 and records[0].skipped == "7 valid updates, quorum 8"


def test_the_bytes_on_record_are_those_of_the_rows(tmp_path):
    up, down = "uplink_bits_per_parameter", "downlink_bits_per_parameter"
    votes = locally(tmp_path / "votes", strategy="sign-mv").summary
    assert (votes[up], votes[down]) == pytest.approx((1.0, 1.0), abs=1e-3)
    floats = locally(tmp_path / "floats", strategy="mean").summary
    assert (floats[up], floats[down]) == (32.0, 32.0)


def test_bfloat16_products_are_another_run_and_the_same_in_flower(tmp_path):
    keys = {"strategy": "mean", "precision": "bfloat16"}
    here, there = locally(tmp_path / "a", **keys), federate(tmp_path / "b", nodes=2, **keys)
    full = locally(tmp_path / "c", strategy="mean")
    assert here.sha256 == there.sha256 != full.sha256
    close = abs(here.summary["final_test_loss"] - full.summary["final_test_loss"])
    assert close < 0.01
