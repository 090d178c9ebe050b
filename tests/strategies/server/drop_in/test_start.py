"""A rule in place of FedAvg in somebody's Flower app."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord
from flwr.serverapp.strategy import FedAvg

import signfed
from signfed import (
    Bucketing,
    CenteredClipping,
    CoordinateMedian,
    ElectionCoding,
    FLTrust,
    Krum,
    Mean,
    MultiKrum,
    NodeOptions,
    ReputationMV,
    SignFD,
    SignGuard,
    SignMV,
    TrimmedMean,
)
from signfed.app.runs.folder import read_rounds
from signfed.strategies.core.options import OptionError
from signfed.strategies.registry import STRATEGIES
from signfed.strategies.server.federation import FederationError
from tests.strategies.server.drop_in.app import client, floats, grid, model, moved, same, values


def test_mean_is_fedavg_to_float32_rounding():
    theirs = FedAvg().start(grid(5), model(), 3)
    ours = Mean().start(grid(5), model(), 3)
    expected, found = values(theirs.arrays), values(ours.arrays)
    assert list(found) == list(expected)
    for name, of in values(model()).items():
        rounding = 5e-3 if of.dtype == np.float16 else 1e-6
        np.testing.assert_allclose(found[name], expected[name], rtol=rounding, atol=rounding)
        assert found[name].dtype == of.dtype and found[name].shape == of.shape
    # FedAvg makes floats of a counter; ours stays a counter.
    assert expected["bn.num_batches_tracked"].dtype == np.float64
    assert found["bn.num_batches_tracked"] == 9


def test_each_rule_gets_what_the_nodes_made_of_the_model_they_got():
    """The definition, slowly: x <- x - eta rule(x - y_1, ..., x - y_n), value by value."""
    initial, nodes = floats(), 7
    done = TrimmedMean(n_byzantine=2, server_learning_rate=0.5).start(grid(nodes), initial, 2)
    x = values(initial)
    for server_round in (1, 2):
        made = [moved(x, partition, server_round) for partition in range(nodes)]
        for name in x:
            updates = np.sort(np.stack([x[name] - y[name] for y in made]), axis=0)
            x = x | {name: (x[name] - 0.5 * updates[2:-2].mean(axis=0)).astype(np.float32)}
    for name, found in values(done.arrays).items():
        np.testing.assert_allclose(found, x[name], rtol=1e-6, atol=1e-6)


def test_a_rule_on_signs_moves_every_weight_by_the_learning_rate():
    initial = model()
    done = values(SignMV(server_learning_rate=0.25).start(grid(5), initial, 1).arrays)
    before = values(initial)
    made = [moved(before, partition, 1) for partition in range(5)]
    for name in ("layer.weight", "bias"):
        votes = sum(np.where(before[name] - y[name] >= 0, 1, -1) for y in made)
        np.testing.assert_allclose(done[name], before[name] - 0.25 * np.sign(votes), rtol=1e-6)
    # A running variance has no sign to send: it is the median of what the nodes found.
    for name in ("bn.running_mean", "bn.running_var"):
        np.testing.assert_array_equal(done[name], np.median([y[name] for y in made], axis=0))


@pytest.mark.parametrize("mods", [[], [signfed.one_bit]], ids=["floats", "signs"])
def test_a_frozen_array_under_signs_is_warned_of_and_stays_when_it_is_named(mods, caplog):
    def train(arrays, partition, server_round):
        return moved(arrays, partition, server_round) | {"b": arrays["b"]}

    app = client(train, mods)
    moving = SignMV(server_learning_rate=0.5).start(grid(3, app), floats(), 1).arrays
    assert (values(moving)["b"] == values(floats())["b"] - 0.5).all()
    assert "no update of 'b': a sign has no 0" in caplog.text
    named = SignMV(as_values="b, *.running_var").start(grid(3, app), floats(), 2).arrays
    assert (values(named)["b"] == values(floats())["b"]).all()
    floating = Mean().start(grid(3, app), floats(), 2).arrays
    np.testing.assert_array_equal(values(floating)["b"], values(floats())["b"])


@pytest.mark.parametrize("rule", [SignMV, ReputationMV])  # which asks for stochastic signs
def test_without_a_learning_rate_floats_take_the_whole_step_and_signs_a_small_one(rule):
    initial = floats()
    done = rule().start(grid(3), initial, 1)
    steps = [values(done.arrays)[n] - x for n, x in values(initial).items()]
    np.testing.assert_allclose(np.abs(np.concatenate([s.ravel() for s in steps])), 0.001, rtol=1e-3)


REFUSED = {
    "election",
    "probit-plus",
    *(n for n, rule in STRATEGIES.items() if rule.needs_reference),
}


@pytest.mark.parametrize("name", sorted(set(STRATEGIES) - REFUSED))
def test_every_rule_runs_somebodys_app(name):
    strategy = STRATEGIES[name](fraction_evaluate=0.0, min_train_nodes=4)
    done = strategy.start(grid(6), model(), 3, evaluate_fn=lambda t, x: MetricRecord({"t": t}))
    assert [m["t"] for m in done.evaluate_metrics_serverapp.values()] == [0, 1, 2, 3]
    assert all(np.isfinite(v).all() for v in values(done.arrays).values())
    assert not same(done.arrays, model())


def test_one_bit_for_a_rule_on_floats():
    done = CoordinateMedian(encoder="sign", server_learning_rate=0.1).start(grid(5), floats(), 2)
    voted = SignMV(server_learning_rate=0.1).start(grid(5), floats(), 2)
    assert same(done.arrays, voted.arrays)


def test_options_of_nodes_stand_beside_the_rules_own():
    strategy = SignGuard(fraction=0.3, fraction_train=0.5, min_available_nodes=4)
    assert (strategy.fraction, strategy.nodes.fraction_train) == (0.3, 0.5)
    assert strategy.nodes == NodeOptions(fraction_train=0.5, min_available_nodes=4)
    assert Mean().nodes == NodeOptions() == Mean(min_train_nodes=2).nodes
    assert Bucketing(Krum(), size=3, fraction_train=0.5).nodes.fraction_train == 0.5
    assert "fraction_train" not in strategy.describe()
    with pytest.raises(OptionError, match=r"fraction_train: expected a number in \(0, 1\]; got 2"):
        Mean(fraction_train=2.0)
    with pytest.raises(TypeError, match="fraction_trian"):
        Mean(fraction_trian=0.5)


def test_a_model_may_be_evaluated_without_a_round():
    """What takes the place of `fraction_train=0`."""
    with pytest.raises(OptionError, match=r"fraction_train: expected a number in \(0, 1\]; got 0"):
        Mean(fraction_train=0.0)
    found = Mean().start(grid(2), floats(), 0, evaluate_fn=lambda t, x: MetricRecord({"t": t}))
    assert found.evaluate_metrics_serverapp == {0: MetricRecord({"t": 0})}
    assert same(found.arrays, floats())


def test_rows_that_a_rule_keeps_are_not_written_over():
    class Keeping(Mean):
        def __init__(self):
            self.kept = []

        def aggregate(self, updates):
            self.kept.append((updates.dense(), updates.dense().clone()))
            return super().aggregate(updates)

    strategy = Keeping(fraction_evaluate=0.0)
    strategy.start(grid(3), floats(), 3)
    assert all(bool((rows == then).all()) for rows, then in strategy.kept)
    assert strategy.nodes.fraction_evaluate == 0.0


def asked(strategy, nodes=10, rounds=4):
    """Partitions that trained, by round."""
    seen = {}

    def train(arrays, partition, server_round):
        seen.setdefault(server_round, set()).add(partition)
        return moved(arrays, partition, server_round)

    strategy.start(grid(nodes, client(train)), floats(), rounds)
    return [seen[t] for t in sorted(seen)]


def test_a_fraction_of_the_nodes_trains_another_one_in_each_round():
    rounds = asked(Mean(fraction_train=0.45))
    assert [len(chosen) for chosen in rounds] == [4] * 4  # as Flower counts: rounded down
    assert len(set(map(frozenset, rounds))) == 4
    assert asked(Mean(fraction_train=0.45)) == rounds
    assert asked(Mean(fraction_train=0.45, sampling_seed=1)) != rounds
    assert [len(chosen) for chosen in asked(Mean(fraction_train=0.1, min_train_nodes=3))] == [3] * 4


def test_metrics_are_the_median_of_what_more_than_half_claim():
    def boasts(request, reply):
        reply.content["metrics"]["train_loss"] = -1e9
        reply.content["metrics"]["mine"] = 1.0
        return [reply]

    done = Mean().start(grid(5, tamper={0: boasts, 1: boasts}), floats(), 1)
    assert dict(done.train_metrics_clientapp[1]) == {"train_loss": 2.0}
    whole = sum(v.sum() for v in values(done.arrays).values())
    assert done.evaluate_metrics_clientapp[1]["sum"] == pytest.approx(whole, abs=1e-5)


def test_metrics_may_be_aggregated_by_the_users_function():
    seen = []

    def own(contents, key):
        seen.append((len(contents), key))
        return MetricRecord({"n": len(contents)})

    def broken(contents, key):
        raise KeyError("what a node did not send")

    strategy = Mean(train_metrics_aggr_fn=own, evaluate_metrics_aggr_fn=broken)
    done = strategy.start(grid(3), floats(), 1)
    assert seen == [(3, "num-examples")] and dict(done.train_metrics_clientapp[1]) == {"n": 3}
    assert done.evaluate_metrics_clientapp == {}


def test_a_number_of_examples_has_no_weight_unless_it_is_trusted():
    def large(request, reply):
        reply.content["metrics"]["num-examples"] = 10**9
        return [reply]

    def run(tamper=None, **options):
        return Mean(**options).start(grid(3, tamper=tamper), floats(), 1).arrays

    assert same(run({0: large}), run())
    trusted = values(run({0: large}, trust_num_examples=True, examples_cap=2.0))
    x = values(floats())
    made = [moved(x, partition, 1) for partition in range(3)]
    for name in x:
        updates = [x[name] - y[name] for y in made]
        expected = x[name] - (2 * updates[0] + updates[1] + updates[2]) / 4
        np.testing.assert_allclose(trusted[name], expected, rtol=1e-5, atol=1e-6)


def test_a_weighted_update_at_the_end_of_float32_stays_finite():
    """The largest finite update, and a claim that more than doubles it: the rule rejects it."""

    def huge(request, reply):
        before = values(request.content["arrays"])
        reply.content["arrays"] = ArrayRecord(
            {name: Array(np.full_like(x, -3e38)) for name, x in before.items()}
        )
        reply.content["metrics"]["num-examples"] = 10**9
        return [reply]

    rule = MultiKrum(n_byzantine=1, trust_num_examples=True, examples_cap=4.0)
    done = rule.start(grid(7, tamper={0: huge}), floats(), 1)
    assert all(np.isfinite(x).all() for x in values(done.arrays).values())
    assert not same(done.arrays, floats())


@pytest.mark.parametrize("rule", [SignFD, ReputationMV, CenteredClipping])
def test_a_second_start_begins_as_the_first(rule):
    """What a rule has learned of one run's workers and model says nothing of the next one's."""
    strategy = rule()
    first = strategy.start(grid(5, tamper={1: lambda q, r: []}), floats(), 5, timeout=0.05)
    strategy.start(grid(4), model(), 3)  # other nodes, another model
    again = strategy.start(grid(5, tamper={1: lambda q, r: []}), floats(), 5, timeout=0.05)
    assert same(first.arrays, again.arrays)


def test_a_metrics_function_may_return_nothing():
    done = Mean(train_metrics_aggr_fn=lambda contents, key: None).start(grid(3), floats(), 1)
    assert dict(done.train_metrics_clientapp[1]) == {}


def test_a_strategy_may_leave_some_of_the_nodes_out(tmp_path):
    """A round's quorum is of those that were asked."""

    class First(Mean):
        def configure_train(self, server_round, arrays, config, grid):
            return list(super().configure_train(server_round, arrays, config, grid))[:4]

    done = First().start(grid(10), floats(), 6, run_dir=tmp_path)
    rounds = read_rounds(tmp_path)
    assert [(r["nodes"], r["received"], r["dropped"]) for r in rounds] == [(4, 4, {})] * 6
    assert same(done.arrays, Mean().start(grid(4), floats(), 6).arrays)


def test_nodes_come_and_go_and_are_known_by_their_id(tmp_path):
    def leaves(request, reply):
        return [] if request.content["config"]["server-round"] == 2 else [reply]

    nodes = grid(4, tamper={3: leaves})
    strategy = SignFD(fraction_evaluate=0.0)
    everyone = dict(nodes._contexts)

    def on_round(server_round, arrays):
        gone = {101} if server_round == 2 else set()
        nodes._contexts = {n: c for n, c in everyone.items() if n not in gone}

    strategy.start(nodes, floats(), 4, timeout=0.05, evaluate_fn=on_round, run_dir=tmp_path)
    rounds = [json.loads(line) for line in (tmp_path / "rounds.jsonl").open()]
    assert [r["received"] for r in rounds] == [4, 3, 3, 4]
    assert [r["dropped"] for r in rounds] == [{}, {"no-reply": [3]}, {}, {}]
    assert set(rounds[3]["crossover"]) == {"0", "1", "2", "3"}


def test_the_users_keys_and_configs_reach_the_nodes():
    seen = []

    def look(request, reply):
        seen.append(
            (request.metadata.message_type, sorted(request.content), dict(request.content["c"]))
        )
        return [reply]

    app = client()
    strategy = Mean(arrayrecord_key="arrays", configrecord_key="c", min_evaluate_nodes=1,
                    fraction_evaluate=0.1)  # fmt: skip
    with pytest.raises(FederationError):  # their train function looks for "config"
        strategy.start(
            grid(2, app, dict.fromkeys(range(2), look)), floats(), 1,
            train_config=ConfigRecord({"lr": 0.1}),
        )  # fmt: skip
    assert seen == [("train", ["arrays", "c"], {"lr": 0.1, "server-round": 1})] * 2


def test_a_subclass_that_overrides_flowers_methods_is_heard():
    saved = {}

    class Saving(Mean):
        def configure_train(self, server_round, arrays, config, grid):
            config["lr"] = 0.5**server_round
            return super().configure_train(server_round, arrays, config, grid)

        def aggregate_train(self, server_round, replies):
            arrays, metrics = super().aggregate_train(server_round, replies)
            saved[server_round] = arrays
            return arrays, metrics

    class Replacing(Mean):
        def aggregate_train(self, server_round, replies):
            super().aggregate_train(server_round, replies)
            return floats(), None

    done = Saving().start(grid(3), floats(), 2)
    assert same(saved[2], done.arrays) and set(saved) == {1, 2}
    with pytest.raises(ValueError, match=r"Replacing\.aggregate_train: expected the arrays that"):
        Replacing().start(grid(3), floats(), 1)


def test_whoever_calls_flowers_methods_gets_the_same_model():
    whole = SignGuard().start(grid(6), model(), 2)
    strategy, nodes, arrays = SignGuard(), grid(6), model()
    for server_round in (1, 2):
        messages = strategy.configure_train(server_round, arrays, ConfigRecord(), nodes)
        arrays, _ = strategy.aggregate_train(server_round, nodes.send_and_receive(messages))
        messages = strategy.configure_evaluate(server_round, arrays, ConfigRecord(), nodes)
        found = strategy.aggregate_evaluate(server_round, nodes.send_and_receive(messages))
        assert dict(found) == dict(whole.evaluate_metrics_clientapp[server_round])
    assert same(arrays, whole.arrays)


def test_a_round_without_half_of_its_nodes_keeps_the_model(tmp_path):
    def silent(request, reply):
        return [] if request.content["config"]["server-round"] == 2 else [reply]

    for quorum, skipped in ((0.5, True), (0.2, False)):
        path = tmp_path / str(quorum)
        nodes = grid(5, client(), dict.fromkeys(range(3), silent))
        strategy = CoordinateMedian(fraction_evaluate=0.0, quorum=quorum)
        done = strategy.start(nodes, floats(), 2, timeout=0.02, run_dir=path)
        last = json.loads((path / "rounds.jsonl").read_text().splitlines()[1])
        assert (last.get("skipped") == "2 valid updates, quorum 3") is skipped
        one = CoordinateMedian().start(grid(5), floats(), 1)
        assert same(done.arrays, one.arrays) is skipped


def test_a_rule_with_too_few_valid_updates_falls_back_and_the_record_says_so(tmp_path):
    def silent(request, reply):
        return []

    quiet = dict.fromkeys(range(2), silent)
    strategy = Krum(n_byzantine=1, fraction_evaluate=0.0)
    done = strategy.start(grid(6, tamper=quiet), floats(), 1, timeout=0.05, run_dir=tmp_path)
    (record,) = [json.loads(line) for line in (tmp_path / "rounds.jsonl").open()]
    assert "krum needs n >= 2f+3: got n=4" in record["fallback"]
    x = values(floats())
    for name, found in values(done.arrays).items():
        y = [moved(x, partition, 1)[name] for partition in range(2, 6)]
        np.testing.assert_allclose(found, np.median(y, axis=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "strategy, arrays, said",
    [
        (ElectionCoding(), floats(), "ElectionCoding needs clients that follow its instructions"),
        (FLTrust(), floats(), "FLTrust needs the server's own gradient"),
        (Krum(n_byzantine=2), floats(), r"krum needs n >= 2f\+3: got n=3"),
        (Mean(), ArrayRecord({"n": Array(np.arange(3))}), "at least one array of floats"),
        (Mean(), ArrayRecord({"n": Array(np.array(["a"]))}), "array 'n': expected floats"),
        (Mean(), ArrayRecord({"n": Array(np.array([1.0, np.nan]))}), "expected finite values"),
        (Bucketing(Mean(min_train_nodes=3)), floats(), r"Bucketing\(Mean\): expected the options"),
        (SignMV(trust_num_examples=True), floats(), "a row of signs cannot be scaled"),
        (Mean(min_available_nodes=4, node_timeout=0.0), floats(), "expected 4, got 3; start more"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_sent(strategy, arrays, said):
    def sent(request, reply):
        raise AssertionError("nothing may be sent")

    with pytest.raises((ValueError, FederationError), match=said):
        strategy.start(grid(3, tamper=dict.fromkeys(range(3), sent)), arrays, 1)


def test_a_run_in_which_nobody_is_understood_says_what_was_expected(caplog):
    def train(arrays, partition, server_round):
        return {"other": arrays["a"], "b": arrays["b"]}

    with pytest.raises(FederationError, match="dropped: 3 malformed"):
        Mean().start(grid(3, client(train)), floats(), 1)
    assert "expected the 2 arrays of the model, by their names" in caplog.text


def test_the_log_goes_where_flowers_goes_unless_the_app_says_otherwise(monkeypatch):
    ours, flowers = logging.getLogger("signfed"), logging.getLogger("flwr")
    before = ours.handlers[:], ours.level
    try:
        Mean().start(grid(2), floats(), 1)
        assert (ours.handlers, ours.level) == before  # pytest listens at the root
        monkeypatch.setattr(ours, "propagate", False)
        Mean().start(grid(2), floats(), 1)
        assert ours.handlers == flowers.handlers != [] and ours.level == logging.INFO
    finally:
        ours.handlers[:] = before[0]
        ours.setLevel(before[1])


def test_a_metrics_function_finds_claims_under_the_nodes_own_name():
    """As in Flower: a function that was written for an app goes by the app's names."""

    def renamed(request, reply):
        reply.content["said-of-training"] = reply.content.pop("metrics")
        return [reply]

    def own(contents, key):
        return MetricRecord({"most": max(c["said-of-training"]["train_loss"] for c in contents)})

    tampered = grid(3, tamper=dict.fromkeys(range(3), renamed))
    done = Mean(train_metrics_aggr_fn=own).start(tampered, floats(), 1)
    assert dict(done.train_metrics_clientapp[1]) == {"most": 2.0}
