"""The samples that the server keeps for itself, and the gradient that a rule gets of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from signfed.app.config.run_config import build_strategy, parse
from signfed.app.errors import ConfigError
from signfed.app.runs.checkpoint import list_checkpoints
from signfed.app.task import PARTITIONS, TASKS, evaluation
from signfed.app.task.models.parameters import assign, joined
from signfed.app.task.partitions.server import server_shard
from signfed.strategies.core.updates import Updates
from signfed.strategies.fltrust import FLTrust
from signfed.strategies.mean import Mean
from signfed.strategies.server.federation import Federation
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.training import Training
from tests.federation import federate, locally

many = settings(max_examples=80)


@many
@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=80).map(np.array),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**40),
)
def test_each_class_has_its_share(labels, share, seed):
    k = round(share * len(labels))
    shard = server_shard(labels, k, seed)
    assert shard.dtype == np.int64 and len(np.unique(shard)) == len(shard) == k
    assert np.array_equal(shard, server_shard(labels, k, seed))
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        exact = k * count / len(labels)
        held = (labels[shard] == label).sum()
        assert np.floor(exact - 1e-9) <= held <= np.ceil(exact + 1e-9)


@pytest.mark.parametrize("partition", PARTITIONS)
def test_no_worker_holds_a_sample_of_the_servers(partition):
    keys = {"partition": partition, "server-samples": 90, "batch-size": 8, "seed": 3}
    problem = TASKS["digits"].problem(parse(keys).workload)
    server, workers = set(problem.server_shard.tolist()), np.concatenate(list(problem.shards))
    assert len(server) == 90 and server.isdisjoint(workers.tolist())
    left = len(problem.labels) - 90
    assert len(set(workers.tolist())) == (left // 15 * 15 if partition == "stratified" else left)
    plain = TASKS["digits"].problem(parse(keys | {"server-samples": 0}).workload)
    assert not len(plain.server_shard) and plain.digest()["shards"] != problem.digest()["shards"]


def test_the_digest_covers_the_servers_samples():
    def problem(**keys):
        keys = {"partition": "shared", "server-samples": 50, "device": "cpu"} | keys
        return TASKS["digits"].problem(parse(keys).workload)

    usual = problem().digest()["shards"]
    assert problem().digest()["shards"] == usual != problem(seed=1).digest()["shards"]
    other = problem()
    other.server_shard = other.server_shard[1:]  # what the workers hold is the same
    assert other.digest()["shards"] != usual


def test_the_gradient_is_that_of_the_mean_loss_over_the_servers_samples():
    problem = TASKS["digits"].problem(parse({"server-samples": 30, "device": "cpu"}).workload)
    x = problem.initial().numpy()
    found = problem.reference(x, 1)
    assert found.tobytes() == problem.reference(x, 2).tobytes()  # no draw: all samples, each round
    kept = parse({"num-workers": 1, "num-byzantine": 0, "batch-size": 30}).workload
    alone = TASKS["digits"].problem(kept)
    alone.shards = alone._gradients._shards = [problem.server_shard]
    np.testing.assert_allclose(found, alone.gradient(x, 0, 1), rtol=1e-4, atol=1e-7)
    assert found.shape == x.shape and found.dtype == np.float32
    assert problem.edges == (0, 64 * 128, 65 * 128, 65 * 128 + 1280, 65 * 128 + 1290)


def test_what_is_left_over_goes_to_the_class_that_misses_most():
    """Four of 8 + 3: exactly 2.91 and 1.09; floors leave one, for the first."""
    labels = np.repeat([0, 1], [8, 3])
    assert np.bincount(labels[server_shard(labels, 4, 0)]).tolist() == [3, 1]


@pytest.mark.parametrize("given", ["truth", "reference"])
def test_a_gradient_over_many_samples_is_that_of_one_pass(given, monkeypatch):
    """The truth is of the whole training set, and not of what the workers hold (1,425 of 1,437)."""
    monkeypatch.setattr(evaluation, "TEST_BATCH", 50)
    keys = {"device": "cpu"} | ({"server-samples": 130} if given == "reference" else {})
    problem = TASKS["digits"].problem(parse(keys).workload)
    x = problem.initial().numpy()
    found = problem.truth(x) if given == "truth" else problem.reference(x, 1)

    def slope(chosen):
        model = problem._gradients._own_model()
        assign(model, torch.from_numpy(x))
        inputs, labels = problem._gradients.samples(chosen)
        loss = torch.nn.functional.cross_entropy(model(inputs), labels)
        return joined(torch.autograd.grad(loss, list(model.parameters()))).numpy()

    held = np.concatenate(problem.shards)
    chosen = np.arange(1437) if given == "truth" else problem.server_shard
    assert len(held) < 1437
    np.testing.assert_allclose(found, slope(chosen), rtol=1e-3, atol=1e-6)
    assert not np.allclose(found, slope(held), rtol=1e-3, atol=1e-6)


def test_the_quadratics_gradient_has_the_noise_of_so_many_samples():
    workload = parse({"task": "quadratic", "server-samples": 400}).workload
    problem = TASKS["quadratic"].problem(workload)
    x = problem.initial().numpy()
    noise = [problem.reference(x, t) - x for t in (1, 2)]
    assert noise[0].std() == pytest.approx(1 / 20, rel=0.1)
    assert abs(np.corrcoef(*noise)[0, 1]) < 0.2 and problem.edges == (0, 1000)
    assert np.array_equal(problem.reference(x, 1) - x, noise[0])


@pytest.mark.parametrize("rule", ["fltrust", "sign-fv"])
@pytest.mark.parametrize(
    "keys",
    [
        {"partition": "dirichlet"},
        {"partition": "shared", "momentum": 0.9},
        {"task": "quadratic"},
        {"fraction_train": 0.6, "pre_aggregation": "nnm"},
    ],
    ids=str,
)
def test_both_engines_give_the_same_model(rule, keys, tmp_path):
    keys = {"strategy": rule, "num_byzantine": 3, "num_rounds": 3, "batch_size": 8} | keys
    here = locally(tmp_path / "local", **keys)
    there = federate(tmp_path / "flower", nodes=3, **keys)
    assert here.sha256 == there.sha256
    assert "accepted" in here.rounds[0]
    other = locally(tmp_path / "other", **keys, server_samples=1)
    assert other.sha256 != here.sha256


def test_a_users_own_task(mine, tmp_path):
    keys = mine() | {"batch_size": 10, "num_workers": 4, "num_byzantine": 1, "num_rounds": 3}
    here = locally(tmp_path / "local", **keys, strategy="fltrust", server_samples=20)
    there = federate(tmp_path / "flower", **keys, strategy="fltrust", server_samples=20)
    assert here.sha256 == there.sha256
    with pytest.raises(
        ConfigError, match=r"server-samples: mine_.* has 200 training samples; .* 196"
    ):
        locally(tmp_path / "none", **keys, strategy="fltrust", server_samples=200)


def test_a_model_that_cannot_take_the_servers_samples_is_refused(problem):
    code = """
    def net(spec):
        return nn.Sequential(nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Linear(8, spec.num_classes))
    """
    problem(code, server_samples=2)
    with pytest.raises(ConfigError, match=r"^server-samples=1: no gradient of the server's own: ."):
        problem(code, server_samples=1)


@pytest.mark.parametrize("rule", ["fltrust", "sign-fv"])
def test_a_rule_that_needs_them_is_refused_without(rule):
    said = f"^server-samples: strategy='{rule}' needs the server's own gradient; expected at least"
    for mixing in ("none", "nnm"):
        config = parse({"strategy": rule, "pre-aggregation": mixing})
        with pytest.raises(ConfigError, match=said):
            build_strategy(config)
    assert build_strategy(parse({"strategy": rule, "server-samples": 1})).needs_reference


def training(rule, reference):
    config = parse({"num-workers": 3, "num-byzantine": 0, "batch-size": 8})
    federation = Federation(
        config.participation, config.build_encoder("float32").codec, "float32", config.step,
        reference=reference, edges=(0, 1, 2),
    )  # fmt: skip
    return Training(rule, federation, torch.zeros(2))


class Sees(Mean):
    """Mean, and keeps what it was given."""

    def aggregate(self, updates):
        self._seen = updates
        return super().aggregate(updates)


class SeesMore(Sees):
    needs_reference = True


def test_a_rule_gets_what_it_needs_and_no_more():
    asked = []

    def reference(parameters, server_round):
        asked.append((parameters.copy(), server_round))
        return np.array([3.0, 4.0], np.float32)

    updates = Updates.from_matrix(torch.ones(3, 2))
    rule = Sees()
    training(rule, reference).advance(updates, RoundRecord(1))
    assert rule._seen.reference is None and rule._seen.edges == (0, 1, 2) and not asked
    rule = SeesMore()
    model = training(rule, reference)
    for t in (1, 2):
        model.advance(updates, RoundRecord(t))
    assert rule._seen.reference.tolist() == [3, 4]
    assert [t for _, t in asked] == [1, 2] and asked[0][0].tolist() == [0, 0]
    assert asked[1][0].tolist() == pytest.approx([-1e-3, -1e-3])  # the model of the round


class Many(SeesMore):
    def admissible(self, n):
        return None if n >= 3 else "expected 3 rows"


def test_a_gradient_that_an_attack_asked_for_is_not_kept_for_the_next_model():
    """Round 1 ends in a fallback, which asks the rule for nothing and moves the model."""
    model = training(rule := Many(), lambda x, t: x + np.float32(1))
    updates = [Updates.from_matrix(torch.ones(n, 2)) for n in (2, 3)]
    assert model.as_rule_gets(updates[0], 1).reference.tolist() == [1, 1]
    model.advance(updates[0], RoundRecord(1))
    model.advance(updates[1], RoundRecord(2))
    assert rule._seen.reference.tolist() == pytest.approx([1 - 1e-3] * 2)


def test_a_gradient_of_the_servers_that_is_not_finite_skips_the_round():
    model = training(SeesMore(), lambda x, t: np.array([np.nan, 1.0], np.float32))
    record = RoundRecord(1)
    assert not model.advance(Updates.from_matrix(torch.ones(3, 2)), record)
    assert record.skipped == "the server's own gradient is not finite"


def test_without_a_gradient_of_the_servers_training_does_not_start():
    with pytest.raises(ValueError, match=r"expected Updates with a reference, .* needs_reference"):
        FLTrust().aggregate(Updates.from_matrix(torch.ones(3, 2)))
    with pytest.raises(ValueError, match="FLTrust needs the server's own gradient of each round"):
        training(FLTrust(), None)
    with pytest.raises(
        ValueError, match=r"FLTrust needs .* expected reference=, 2 numbers; got none"
    ):
        FLTrust()([[1.0, 2.0]])


@pytest.mark.parametrize(
    "reference, said",
    [
        ([1.0], r"expected 2 numbers, one for each column of the matrix; got shape \(1,\)"),
        ([[1.0, 2.0]], r"got shape \(1, 2\)"),
        ([1.0, np.nan], "expected finite numbers; got NaN or infinity"),
        (["a", "b"], "expected real numbers; got values of type <U1"),
    ],
)
def test_a_reference_that_does_not_fit_is_refused(reference, said):
    with pytest.raises(ValueError, match=f"^reference: .*{said}"):
        FLTrust()([[1.0, 2.0]], reference=reference)


@pytest.mark.parametrize("partition", PARTITIONS)
def test_samples_of_validation_are_nobodys(partition):
    keys = {"partition": partition, "server-samples": 90, "validation-samples": 120}
    keys |= {"batch-size": 8, "seed": 3}
    problem = TASKS["digits"].problem(parse(keys).workload)
    server, validation = set(problem.server_shard.tolist()), set(problem.validation_shard.tolist())
    workers = set(np.concatenate(list(problem.shards)).tolist())
    assert len(validation) == 120 and validation.isdisjoint(workers | server)
    assert workers.isdisjoint(server)
    alone = TASKS["digits"].problem(parse(keys | {"validation-samples": 0}).workload)
    assert set(alone.server_shard.tolist()) == server, "the server's do not depend on them"
    assert alone.digest()["shards"] != problem.digest()["shards"]


def test_validation_accuracy_is_that_of_its_samples(tmp_path):
    """By hand: the network's accuracy on those training samples, in both engines."""
    keys = {"validation_samples": 150, "strategy": "sign-mv", "attack": "none", "lr": 0.003}
    found = locally(tmp_path / "local", **keys)
    problem = TASKS["digits"].problem(parse({"validation-samples": 150, "device": "cpu"}).workload)
    data = TASKS["digits"].load(None, False)
    held = torch.from_numpy(problem.validation_shard)
    state = load_file(list_checkpoints(tmp_path / "local")[-1] / "state.safetensors")
    model = problem._evaluated
    torch.nn.utils.vector_to_parameters(state["parameters"], model.parameters())
    with torch.no_grad():
        chosen = model.eval()(data.to_input(data.train_x[held])).argmax(1)
    expected = (chosen == data.train_y[held]).float().mean().item()
    assert found.summary["final_validation_accuracy"] == pytest.approx(expected)
    lines = [line for line in found.rounds if "test_loss" in line]
    assert all("validation_accuracy" in line for line in lines) and len(lines) == 2
    assert federate(tmp_path / "flower", nodes=2, **keys).sha256 == found.sha256


def test_samples_that_lie_class_by_class_are_mixed_before_they_are_cut(monkeypatch):
    """Batch norm takes its statistics from a piece: one of one class would be another network."""
    monkeypatch.setattr(evaluation, "TEST_BATCH", 50)
    keys = {"validation-samples": 200, "server-samples": 200, "device": "cpu"}
    problem = TASKS["digits"].problem(parse(keys).workload)
    found = [problem._validated.test_y[piece] for piece in evaluation.pieces(200)]
    samples, gradients = [], problem._gradients
    ask = gradients.samples
    monkeypatch.setattr(gradients, "samples", lambda ids: samples.append(ids) or ask(ids))
    problem.reference(problem.initial().numpy(), 1)
    assert sorted(np.concatenate(samples)) == sorted(problem.server_shard)
    found += [problem.labels[ids] for ids in samples]
    assert len(found) == 8 and min(len(np.unique(labels)) for labels in found) >= 8


def test_too_many_samples_of_validation_are_refused():
    with pytest.raises(ConfigError, match=r"validation-samples: digits has 1337 .* at most 1322"):
        parse({"server-samples": 100, "validation-samples": 1330})
    with pytest.raises(ConfigError, match="task='quadratic' has no samples; expected 0"):
        parse({"task": "quadratic", "validation-samples": 10})
