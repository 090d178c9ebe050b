"""Whole runs over the in-process Grid: what workers compute, encode and remember."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from flwr.common.serde import recorddict_to_proto

from signfed.app.client_app import app as client_app
from signfed.app.config.run_config import ConfigError
from signfed.app.engines.workers import Remembered
from signfed.app.server_app import run
from signfed.clients import CodedGradients, HonestClient
from signfed.strategies.server.transport import wire
from tests.federation import config_for, federate, outcome
from tests.grid import InProcessGrid

N = 9610  # parameters of the digits model
CODED = {"strategy": "election", "num_workers": 7, "num_rounds": 3}
MEAN = {"strategy": "mean", "num_workers": 7, "num_rounds": 3, "num_byzantine": 2}


def sha256(path, **keys):
    return federate(path, **keys).sha256


@pytest.mark.parametrize("b", [1, 2, 3])
def test_the_deterministic_code_makes_its_byzantine_workers_powerless_and_no_more(tmp_path, b):
    """The vote of n coded workers is the majority of n partition signs, whoever is Byzantine."""

    def model(name, n_byzantine, attack="sign-inversion"):
        keys = {"num_byzantine": n_byzantine, "attack": attack, "byzantine_ids": "random"}
        return sha256(tmp_path / name, assumed_byzantine=b, **keys, **CODED)

    quiet = model("quiet", 0)
    assert model("inverted", b) == quiet
    assert model("flipped", b, "stochastic-sign-flip") == quiet
    if b == 3:  # everyone holds everything: any fourth Byzantine worker of 7 turns each vote round
        assert model("one more", b + 1) != quiet


def test_one_code_more_or_less_is_the_same_vote_without_attack(tmp_path):
    """Any deterministic code answers with the majority of the partition signs, as sign-mv does."""
    models = {
        sha256(tmp_path / f"{b}", **CODED, attack="none", assumed_byzantine=b) for b in range(4)
    }
    plain = sha256(tmp_path / "mv", **(CODED | {"strategy": "sign-mv"}), attack="none")
    assert models == {plain}


def test_without_a_code_it_is_sign_mv_also_under_attack(tmp_path):
    keys = {**CODED, "num_byzantine": 3}
    uncoded = sha256(tmp_path / "uncoded", **keys, assumed_byzantine=0)
    assert uncoded == sha256(tmp_path / "mv", **(keys | {"strategy": "sign-mv"}))
    assert uncoded != sha256(tmp_path / "coded", **keys)


def test_missing_workers_count_as_byzantine(tmp_path):
    """Built for 3 of 7: one is Byzantine and two send nothing."""
    keys = {**CODED, "assumed_byzantine": 3, "byzantine_ids": "2", "num_byzantine": 1, "nodes": 7}

    def silent(request, reply):
        return [] if "config" in request.content else [reply]

    quiet = federate(tmp_path / "quiet", **(keys | {"byzantine_ids": "first", "num_byzantine": 0}))
    assert [r["spare"] for r in quiet.rounds] == [3] * 3
    gone = federate(
        tmp_path / "gone", **keys, tamper=dict.fromkeys((0, 5), silent), round_timeout=0.05
    )
    assert [r["spare"] for r in gone.rounds] == [1] * 3
    assert [r["received"] for r in gone.rounds] == [5] * 3
    assert gone.sha256 == quiet.sha256


def test_the_run_reports_the_redundancy_of_its_code(tmp_path):
    done = federate(tmp_path / "a", **CODED, num_byzantine=2)
    assert [r["redundancy"] for r in done.rounds] == [pytest.approx(5.857, abs=5e-4)] * 3
    drawn = federate(
        tmp_path / "b", **CODED, **{"election.code": "bernoulli"}, **{"election.redundancy": 3.0}
    )
    redundancy = {r["redundancy"] for r in drawn.rounds}
    assert len(redundancy) == 1 and 7 * redundancy.pop() == pytest.approx(21, abs=12)
    assert all("spare" not in r for r in drawn.rounds)


@pytest.mark.parametrize(
    "keys, text",
    [
        ({"num_workers": 8, "num_byzantine": 1}, "odd number of workers, got 8"),
        ({"num_workers": 7, "num_byzantine": 4}, "needs 0 <= b <= 3, got 4"),
        ({"election.code": "hamming"}, "election.code: expected one of deterministic, bernoulli"),
        (
            {"election.code": "bernoulli", "election.redundancy": 15.5},
            r"redundancy: expected a number in \(0, 15\], got 15.5",
        ),
        (
            {"election.noise": -1.0},
            "election.noise: expected a finite number of at least 0; got -1.0",
        ),
    ],
)
def test_an_impossible_code_is_refused_before_anything_is_sent(tmp_path, keys, text):
    with pytest.raises(ConfigError, match=text):
        federate(tmp_path / "run", strategy="election", **keys)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param({**CODED, "num_byzantine": 2}, id="election"),
        pytest.param({**CODED, "num_byzantine": 1, "election.noise": 0.01}, id="noisy election"),
        pytest.param({**CODED, "election.code": "bernoulli"}, id="Bernoulli election"),
        pytest.param(
            {**CODED, "election.code": "bernoulli", "election.tie": "random"}, id="coins for ties"
        ),
        pytest.param({**MEAN, "encoder": "top-k"}, id="top-k"),
        pytest.param({**MEAN, "worker_momentum": 0.9}, id="momentum"),
        pytest.param({**MEAN, "encoder": "top-k", "worker_momentum": 0.9}, id="top-k, momentum"),
        pytest.param({**MEAN, "encoder": "sto-sign"}, id="sto-sign"),
        pytest.param({**MEAN, "encoder": "noisy-sign"}, id="noisy-sign"),
        pytest.param({**MEAN, "encoder": "probit", "strategy": "probit-plus"}, id="probit"),
    ],
)
def test_the_model_is_the_same_whoever_hosts_the_workers(tmp_path, keys):
    """Error feedback and momentum travel with the node that hosts the worker."""
    runs = [federate(tmp_path / f"{i}", nodes=nodes, **keys) for i, nodes in enumerate((1, 2, 7))]
    assert len({done.sha256 for done in runs}) == 1
    assert all(r["received"] == 7 for done in runs for r in done.rounds)


def test_every_choice_changes_the_model(tmp_path):
    variants = [
        {},
        {"encoder": "sign"},
        {"encoder": "sto-sign"},
        {"encoder": "sto-sign", "sto-sign.scale": 0.1},
        {"encoder": "probit"},
        {"encoder": "probit", "probit.range": 0.02},
        {"encoder": "noisy-sign"},
        {"encoder": "noisy-sign", "noisy-sign.std": 0.1},
        {"encoder": "top-k"},
        {"encoder": "top-k", "top-k.fraction": 0.3},
        {"worker_momentum": 0.9},
        {"encoder": "top-k", "worker_momentum": 0.9},
        {"encoder": "sto-sign", "seed": 1},
        {"lr_schedule": "inverse-sqrt"},
        {"lr_schedule": "steps", "lr_milestones": "2"},
        {"lr_schedule": "steps", "lr_milestones": "2", "lr_gamma": 0.5},
        {"lr_schedule": "steps", "lr_milestones": "1, 2", "lr_gamma": 0.5},
        {"strategy": "election"},
        {"strategy": "election", "election.noise": 0.1},
        {"strategy": "election", "election.code": "bernoulli"},
        {"strategy": "election", "election.code": "bernoulli", "election.redundancy": 4.0},
        {"strategy": "election", "election.code": "bernoulli", "election.tie": "random"},
        {"strategy": "election", "election.code": "bernoulli", "election.tie": "zero"},
    ]
    models = {sha256(tmp_path / f"{i}", **(MEAN | keys)) for i, keys in enumerate(variants)}
    assert len(models) == len(variants)


def test_choices_that_are_none(tmp_path):
    """A milestone beyond the run, a fraction of 1, no noise: as without the option."""
    plain, signs = sha256(tmp_path / "a", **MEAN), sha256(tmp_path / "b", **MEAN, encoder="sign")
    late = {"lr_schedule": "steps", "lr_milestones": "3"}
    assert sha256(tmp_path / "late", **MEAN, **late) == plain
    assert sha256(tmp_path / "all", **MEAN, encoder="top-k", **{"top-k.fraction": 1.0}) == plain
    assert (
        sha256(tmp_path / "quiet", **MEAN, encoder="noisy-sign", **{"noisy-sign.std": 0.0}) == signs
    )
    # u_1 = (1 - beta) g_1 has the signs of g_1: momentum shows itself from round 2 on.
    signum = {**MEAN, "encoder": "sign", "worker_momentum": 0.9}
    assert sha256(tmp_path / "c", **signum) != signs
    first = sha256(tmp_path / "d", **(MEAN | {"num_rounds": 1}), encoder="sign")
    assert sha256(tmp_path / "e", **(signum | {"num_rounds": 1})) == first


@pytest.mark.parametrize("fraction", [0.1, 0.33])
def test_top_k_sends_its_bitmap_its_values_and_little_else(tmp_path, fraction):
    """ceil(N / 8) + 4 ceil(fraction N) bytes a worker, and at most 1 KiB around them."""
    keys = {"encoder": "top-k", "top-k.fraction": fraction, "nodes": 7}
    done = federate(tmp_path / "run", **MEAN, **keys)
    row = -(-N // 8) + 4 * int(np.ceil(fraction * N))
    for record in done.rounds:
        assert 7 * row < record["uplink_bytes"] <= 7 * (row + 1024)


def state_of(grid, node):
    """What a node keeps: worker -> name -> bytes."""
    return {
        worker: {name: array.numpy().tobytes() for name, array in record.items()}
        for worker, record in grid._contexts[node].state.array_records.items()
    }


def kept(path, nodes, grid_kind=InProcessGrid, **keys):
    """A run's grid and its outcome."""
    config = config_for(path, {key.replace("_", "-"): value for key, value in keys.items()})
    grid = grid_kind(client_app, nodes, config)
    run(grid, config)
    return grid, outcome(path)


@pytest.mark.parametrize(
    "keys, names",
    [
        ({}, set()),
        ({"encoder": "sto-sign"}, set()),
        ({"encoder": "top-k"}, {"error"}),
        ({"worker_momentum": 0.9}, {"momentum"}),
        ({"encoder": "top-k", "worker_momentum": 0.9}, {"error", "momentum"}),
    ],
)
def test_a_node_keeps_what_its_workers_need_and_no_more(tmp_path, keys, names):
    grid, _ = kept(tmp_path / "run", 2, **MEAN, **keys)
    for partition in (0, 1):
        state = state_of(grid, 100 + partition)
        hosted = range(partition, 7, 2) if names else ()
        answer = {"answer-updates"} if names else set()  # for a request that comes twice
        assert set(state) == {f"worker-{worker}" for worker in hosted} | answer
        for memory in (state[f"worker-{worker}"] for worker in hosted):
            assert set(memory) == names
            assert all(len(array) == 4 * N for array in memory.values())


class ForgetfulGrid(InProcessGrid):
    """Nodes that lose their state between two rounds."""

    def push_messages(self, messages):
        for context in self._contexts.values():
            context.state = RecordDict()
        return super().push_messages(messages)


@pytest.mark.parametrize("keys", [{"encoder": "top-k"}, {"worker_momentum": 0.9}])
def test_a_node_that_forgets_computes_another_model(tmp_path, keys):
    """Else the tests above would also pass if no memory were ever read."""
    _, whole = kept(tmp_path / "a", 1, **MEAN, **keys)
    _, forgotten = kept(tmp_path / "b", 1, ForgetfulGrid, **MEAN, **keys)
    assert whole.sha256 != forgotten.sha256


def broken_worker(monkeypatch):
    """The fourth of the seven workers fails, after three have computed their rows."""
    whole = HonestClient.fit

    def fit(self, parameters, config):
        if self.worker == 3:
            raise RuntimeError("no data here")
        return whole(self, parameters, config)

    monkeypatch.setattr(HonestClient, "fit", fit)


def broken_reply(monkeypatch):
    def train_reply(*arguments):
        raise RuntimeError("no reply either")

    monkeypatch.setattr(wire, "train_reply", train_reply)


@pytest.mark.parametrize("sabotage", [broken_worker, broken_reply])
def test_a_handler_that_fails_leaves_no_trace(tmp_path, monkeypatch, sabotage):
    keys = {**MEAN, "encoder": "top-k", "worker_momentum": 0.9}
    config = config_for(tmp_path, {key.replace("_", "-"): v for key, v in keys.items()})
    grid = InProcessGrid(client_app, 1, config)
    model = ArrayRecord({"parameters": Array(np.zeros(N, np.float32))})

    told = ConfigRecord({"encoder": "top-k", "version": 0, "keep": True})

    def ask(server_round):
        asked = wire.train([100], model, server_round, told, ttl=1)
        (reply,) = grid.send_and_receive(asked)
        state = recorddict_to_proto(grid._contexts[100].state)
        return reply, state.SerializeToString(deterministic=True)

    kept = {"replica", "answer-updates"} | {f"worker-{w}" for w in range(7)}
    first, before = ask(1)
    assert not first.has_error() and set(state_of(grid, 100)) == kept
    with monkeypatch.context() as patch:
        sabotage(patch)
        failed, after = ask(2)
    assert failed.has_error() and "RuntimeError: no" in failed.error.reason
    assert after == before
    second, changed = ask(2)  # as if nothing had happened
    assert not second.has_error() and changed != before


def test_the_seed_of_the_run_reaches_whoever_draws(tmp_path, monkeypatch):
    """Batches and shards follow the seed too, so no model could show that the noise does not."""
    seeds, whole = set(), HonestClient.fit

    class Coded(CodedGradients):
        def __init__(self, *arguments, seed=0, **keywords):
            seeds.add(("partition noise", seed))
            super().__init__(*arguments, seed=seed, **keywords)

    def fit(self, parameters, config):
        seeds.add(("row", self.seed))
        return whole(self, parameters, config)

    monkeypatch.setattr("signfed.app.engines.workers.CodedGradients", Coded)
    monkeypatch.setattr(HonestClient, "fit", fit)
    federate(
        tmp_path / "run", **(CODED | {"num_rounds": 1}), **{"election.code": "bernoulli"}, seed=5
    )
    assert seeds == {("partition noise", 5), ("row", 5)}


def test_a_byzantine_worker_that_flips_no_bit_is_an_honest_worker(tmp_path):
    """So they are hosted like the others: same memory, momentum and draws."""
    keys = {**MEAN, "worker_momentum": 0.9}
    for encoder in ("top-k", "sto-sign"):
        honest = sha256(tmp_path / encoder, **keys, encoder=encoder, attack="none")
        idle = {"attack": "stochastic-sign-flip", "stochastic-sign-flip.probability": 0.0}
        assert sha256(tmp_path / f"{encoder}-idle", **keys, encoder=encoder, **idle) == honest


def test_a_gradient_is_computed_once_for_a_model_and_a_round():
    calls = []

    def gradient(parameters, worker, server_round):
        calls.append((worker, server_round))
        return parameters * server_round + worker

    remembered, x = Remembered(gradient), np.ones(2)
    assert remembered(x, 0, 1).tolist() == remembered(x.copy(), 0, 1).tolist() == [1.0, 1.0]
    assert calls == [(0, 1)]
    x += 1  # in place
    assert remembered(x, 0, 1).tolist() == [2.0, 2.0]
    assert remembered(x, 0, 2).tolist() == [4.0, 4.0]
