"""A run config becomes dataclasses, or an error that says what was expected."""

import pytest

from signfed.app.config.keys import defaults, keys_of
from signfed.app.config.run_config import build_strategy, check_machine, parse
from signfed.app.config.simulation import Simulation
from signfed.app.errors import ConfigError
from signfed.clients import ENCODERS
from signfed.strategies.core.codecs import CODECS
from signfed.strategies.registry import STRATEGIES
from signfed.strategies.sign_fd import SignFD
from tests.federation import needs


def test_defaults_are_a_run():
    config = parse({})
    assert config == parse(defaults())
    assert config.byzantine_ids == (0, 1, 2, 3, 4, 5) and config.quorum == 8
    assert (config.workload.task, config.workload.model) == ("digits", "mlp")
    assert isinstance(build_strategy(config), SignFD)
    check_machine(config)


def test_every_key_reaches_the_run():
    """A key that is read nowhere would be a promise that nobody keeps."""
    other = {
        "task": "mnist", "model": "mlp", "loss": "m:f", "partition": "shared",
        "data-dir": "/data", "download": True, "num-workers": 9,
        "num-byzantine": 2, "byzantine-ids": "4,5", "assumed-byzantine": 3, "strategy": "mean",
        "pre-aggregation": "nnm", "encoder": "float32", "worker-momentum": 0.9,
        "lr-schedule": "inverse-sqrt", "lr-milestones": "3,5", "lr-gamma": 0.5,
        "attack": "none", "num-rounds": 7, "batch-size": 5, "batch-sizes": "3x15",
        "local-steps": 2, "local-lr": 0.5, "lr": 0.5, "momentum": 0.5,
        "weight-decay": 0.5, "evaluate-every": 3, "quorum": 1.0, "round-timeout": 5.0,
        "node-timeout": 5.0, "seed": 3, "device": "cpu",
        "server-samples": 50, "validation-samples": 50, "stop-when": "stale=2",
        "when-broken": "stop",
        "precision": "bfloat16", "gradients": "loop", "out-dir": "/out",
        "fraction-train": 0.5, "checkpoint-every": 7,
        "resume": "/run", "roster": "/fed/nodes",
    }  # fmt: skip
    steps = {"lr-schedule": "steps", "lr-milestones": "3"}
    needs = {
        "lr-milestones": steps,
        "lr-gamma": steps,
        "model": {"task": "digits"},
        "byzantine-ids": {"num-byzantine": 2},
    }
    their_own = {"strategy-options", "attack-options"}  # see test_plugins
    assert set(other) | their_own == set(keys_of(""))
    for key, value in other.items():
        before = needs.get(key, {})
        if key == "model":
            assert parse(before | {key: value}).workload.model == value
            continue
        assert parse(before | {key: value}) != parse(before), key


def test_parsing_is_pure():
    given = {"lr": 1, "attack": "gaussian", "byzantine-ids": "random"}
    before = dict(given)
    first, again = parse(given), parse(given)
    assert given == before and first == again
    assert hash(first.workload) == hash(again.workload)
    with pytest.raises(AttributeError):
        first.num_rounds = 3


def test_a_whole_number_will_do_for_a_float():
    config = parse({"lr": 1, "quorum": 1})
    assert type(config.step.lr) is float and config.step.lr == 1.0


IMPOSSIBLE = [
    # not one of the names
    ({"task": "mnsit"}, "task: expected one of digits, mnist, fashion-mnist, .*; got 'mnsit'"),
    ({"strategy": "crum"}, "strategy: expected one of mean, .*own as module:Class; got 'crum'"),
    (
        {"pre-aggregation": "mix"},
        "pre-aggregation: expected one of none, bucketing, nnm, clipping, ",
    ),
    ({"pre-aggregation": "clipping,none"}, "or some in a row, 'clipping,nnm'; got 'clipping,none'"),
    ({"pre-aggregation": "nnm", "clipping.threshold": 1.0}, "but pre-aggregation is 'nnm'$"),
    ({"encoder": "morse"}, "encoder: expected one of auto, sign, .*; got 'morse'"),
    ({"attack": "nonsense"}, "attack: expected one of none, .*; got 'nonsense'"),
    ({"attack": "nowhere:lie"}, "No module named 'nowhere'; expected module:function"),
    ({"attack": "math:sqrt"}, "expected a function under @attack"),
    (
        {"attack": "byzmean", "byzmean.inner": "nonsense"},
        "unknown attack 'nonsense'; expected one of none",
    ),
    ({"attack": "time-varying", "time-varying.attacks": "lie,"}, "unknown attack ''"),
    ({"attack": "directional", "directional.value": 0.0}, "directional.value: expected"),
    ({"attack": "label-flip", "task": "quadratic"}, "changes labels, and task='quadratic' has no"),
    ({"attack": "time-varying", "task": "quadratic"}, "changes labels, and task='quadratic'"),
    ({"model": "fd-cnn"}, "model: expected auto, mlp; got 'fd-cnn'"),
    ({"model": "text-rnn", "task": "mnist"}, "model: expected auto, fd-cnn, .* got 'text-rnn'"),
    ({"model": "lenet"}, "model: expected one of auto, mlp, .*, or your own as module:function"),
    ({"model": "m:f", "task": "quadratic"}, "model: expected auto, vector; got 'm:f'"),
    ({"task": "m:f"}, "model: expected a model's name, or module:function, for your own task"),
    ({"loss": "hinge"}, "loss: expected one of cross-entropy, or your own as module:function"),
    ({"loss": "m:f", "task": "quadratic"}, "loss: task='quadratic' has its own"),
    ({"partition": "even"}, "partition: expected one of stratified, shared, .* got 'even'"),
    ({"partition": "shared", "task": "quadratic"}, "task='quadratic' has no samples to share out"),
    ({"batch-sizes": "3,4"}, "batch-sizes: expected one for each of 15 workers; got '3,4'"),
    ({"batch-sizes": "3x16"}, "batch-sizes: expected one for each of 15 workers"),
    ({"batch-sizes": "3x7,4x99999999999"}, "batch-sizes: expected one for each of 15 workers"),
    ({"batch-sizes": "0x15"}, "batch-sizes: expected sizes such as '16x10,64x5'; got '0x15'"),
    ({"batch-sizes": "t"}, "batch-sizes: 't', a batch of t samples in round t, is for task='quad"),
    ({"batch-sizes": "3x"}, "batch-sizes: expected sizes such as"),
    ({"batch-sizes": "3;4"}, "batch-sizes: expected sizes such as"),
    (
        {"num-workers": 7, "num-byzantine": 2, "attack": "mimic", "mimic.target": 5},
        "mimic.target: expected -1 or an index below 5, the number of honest workers; got 5",
    ),
    (
        {"attack": "time-varying", "time-varying.period": 0, "task": "m:f", "model": "mlp"},
        "time-varying.period: 0 stands for an epoch",
    ),
    # out of range
    ({"num-byzantine": 16}, "num-byzantine: expected at most num-workers = 15; got 16"),
    ({"strategy": "election", "worker-momentum": 0.9}, "expected 0 with strategy='election'"),
    (
        {"lr-milestones": "3;5", "lr-schedule": "steps"},
        "lr-milestones: expected rounds such as '40,80'; got '3;5'",
    ),
    ({"lr-milestones": "40,80", "lr-gamma": 0.5}, "lr-milestones: belongs to lr-schedule='steps'"),
    (
        {"sign-fd.forget": 0.9},
        "sign-fd.forget: belongs to sign-fd.estimator='pooled', 'alg1' or 'eq17', but sign-fd."
        "estimator is 'agreement'",
    ),
    ({"sign-fd.eps": 0.1}, "sign-fd.eps: belongs to sign-fd.estimator='pooled', 'alg1' or"),
    ({"sign-fd.max-llr": 5.0}, "sign-fd.max-llr: belongs to sign-fd.estimator='pooled', 'alg1'"),
    (
        {"sign-fd.estimator": "pooled", "sign-fd.initial-rounds": 5},
        "sign-fd.initial-rounds: belongs to sign-fd.estimator='alg1' or 'eq17', but",
    ),
    ({"sign-fd.initial-vote": "plain"}, "sign-fd.initial-vote: belongs to sign-fd.estimator="),
    (
        {"strategy": "election", "election.redundancy": 3.0},
        "election.redundancy: belongs to election.code='bernoulli', but election.code is 'determ",
    ),
    ({"strategy": "election", "election.resample": False}, "belongs to election.code='bernoulli'"),
    (
        {"strategy": "election", "num-byzantine": 2, "sign.zero": "random"},
        "sign.zero: does nothing with strategy='election', whose workers send votes; election.tie",
    ),
    (
        {"strategy": "monna", "monna.trusted": "15"},
        "monna.trusted: expected the id of a worker, below num-workers = 15; got '15'",
    ),
    ({"lr-gamma": 0.5}, "lr-gamma: belongs to lr-schedule='steps', but lr-schedule is 'constant'"),
    ({"lr-schedule": "steps"}, "lr-milestones: expected with lr-schedule='steps', such as '40,80'"),
    ({"batch-size": 96}, "each of 15 workers holds 95 samples of digits; .* got 96"),
    ({"batch-size": 4001, "task": "mnist"}, "each of 15 workers holds 4000 samples of mnist"),
    (
        {"server-samples": 1423},
        "server-samples: digits has 1437 training samples for 15 workers; expected at most 1422",
    ),
    ({"server-samples": 600}, "each of 15 workers holds 55 samples of digits; .* got 64"),
    ({"server-samples": -1}, "server-samples: expected a whole number of at least 0; got -1"),
    ({"num-workers": 1438, "batch-size": 1}, "each of 1438 workers holds 0 samples"),
    (
        {"strategy": "election", "fraction-train": 0.9},
        "fraction-train: expected 1 with strategy='election'.* got 0.9",
    ),
    # which workers are Byzantine
    ({"byzantine-ids": "0,3"}, "expected num-byzantine = 6 different ids below 15; got '0,3'"),
    ({"num-byzantine": 2, "byzantine-ids": "3,3"}, "2 different ids below 15; got '3,3'"),
    ({"num-byzantine": 2, "byzantine-ids": "3,3,4"}, "2 different ids below 15; got '3,3,4'"),
    ({"num-byzantine": 2, "byzantine-ids": "3,15"}, "2 different ids below 15; got '3,15'"),
    ({"num-byzantine": 2, "byzantine-ids": "3,-1"}, "first, random or ids like '0,3'; got '3,-1'"),
    ({"num-byzantine": 2, "byzantine-ids": "3;4"}, "first, random or ids like '0,3'; got '3;4'"),
    ({"byzantine-ids": "last"}, "first, random or ids like '0,3'; got 'last'"),
    ({"byzantine-ids": ""}, "first, random or ids like '0,3'; got ''"),
]


@pytest.mark.parametrize("given, text", IMPOSSIBLE, ids=lambda value: str(value)[:60])
def test_what_cannot_be_is_refused_with_what_would_do(given, text):
    with pytest.raises(ConfigError, match=text):
        parse(given)


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("encoder", ["auto", *CODECS])
def test_the_encoder_is_the_rules_own_unless_named(name, encoder):
    if encoder == "top-k" and ENCODERS[STRATEGIES[name].encoder]().codec.name == "sign":
        return  # refused, see test_a_vote_needs_every_coordinate
    config = parse({"strategy": name, "encoder": encoder, "num-byzantine": 3} | needs(name))
    rule = build_strategy(config)
    assert type(rule) is STRATEGIES[name]
    federation = config.federation(rule)
    used = rule.encoder if encoder == "auto" else encoder
    assert (federation.encoder, federation.codec.name) == (used, ENCODERS[used]().codec.name)
    assert (federation.num_workers, federation.step) == (15, config.step)
    assert (federation.quorum, federation.node_timeout) == (8, 300.0)


@pytest.mark.parametrize(
    "share, workers, quorum",
    [(0.5, 15, 8), (0.5, 4, 2), (0.01, 15, 1), (1.0, 15, 15), (0.7, 10, 7), (0.07, 100, 7)],
)
def test_a_quorum_is_rounded_up(share, workers, quorum):
    given = {"quorum": share, "num-workers": workers, "num-byzantine": 0, "batch-size": 1}
    assert parse(given).quorum == quorum


@pytest.mark.parametrize(
    "given, ids",
    [
        ({}, (0, 1, 2, 3, 4, 5)),
        ({"num-byzantine": 0}, ()),
        ({"attack": "none"}, ()),
        ({"num-byzantine": 15}, tuple(range(15))),
        ({"num-byzantine": 3, "byzantine-ids": "14, 0,7"}, (0, 7, 14)),
    ],
)
def test_which_workers_are_byzantine(given, ids):
    assert parse(given).byzantine_ids == ids


def test_byzantine_workers_drawn_at_random_are_a_function_of_the_seed():
    def drawn(seed):
        return parse({"byzantine-ids": "random", "seed": seed}).byzantine_ids

    chosen = {drawn(seed) for seed in range(10)}
    assert drawn(3) == drawn(3) and len(chosen) == 10
    assert all(len(set(ids)) == 6 and list(ids) == sorted(ids) for ids in chosen)
    assert {worker for ids in chosen for worker in ids} == set(range(15))


@pytest.mark.parametrize(
    "device, gpus_per_client, gpus, text",
    [
        ("auto", 0, 0, None),
        ("auto", 0.5, 1, None),
        ("cpu", 0, 1, None),
        ("cuda", 0.5, 1, None),
        ("cuda", 2.0, 2, None),
        ("cuda", 0.5, 0, "device='cuda': expected a GPU, .* use device='cpu'"),
        ("auto", 0.5, 0, "--gpus-per-client 0.5: expected a GPU"),
        ("cuda", 0, 1, "device='cuda': expected --gpus-per-client above 0"),
        ("cpu", 0.5, 1, "device='cpu': expected no --gpus-per-client"),
        ("auto", 1.5, 1, "--gpus-per-client 1.5: expected 0 to 1"),
        ("auto", -1.0, 1, "--gpus-per-client -1.0: expected 0 to 1"),
    ],
)
def test_a_device_that_is_not_there(device, gpus_per_client, gpus, text, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpus > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    config = parse({"device": device})

    def check():
        check_machine(config)
        Simulation(gpus_per_client=gpus_per_client).check(config)

    if text is None:
        return check()
    with pytest.raises(ConfigError, match=text):
        check()


@pytest.mark.parametrize("cpus, refused", [(0, True), (1, False), (4, False), (5, True)])
def test_more_cpus_than_there_are(cpus, refused, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    simulation = Simulation(cpus_per_client=cpus)
    if not refused:
        return simulation.check(parse({}))
    with pytest.raises(ConfigError, match=f"--cpus-per-client: expected 1 to 4, .*; got {cpus}"):
        simulation.check(parse({}))


@pytest.mark.parametrize("strategy", ["sign-mv", "sign-fd", "election"])
def test_a_vote_needs_every_coordinate(strategy):
    with pytest.raises(ConfigError, match=r"encoder: .* votes on every coordinate"):
        build_strategy(parse({"strategy": strategy, "encoder": "top-k"}))
