import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from signfed.app.config.keys import KEYS, ConfigError, defaults
from signfed.app.config.options import OPTIONS, PRE_AGGREGATION_OPTIONS, STRATEGY_OPTIONS
from signfed.app.config.run_config import RunConfig, build_strategy, check_machine, parse
from signfed.clients import ENCODERS
from signfed.strategies.core.codecs import CODECS
from signfed.strategies.mean import Mean
from signfed.strategies.registry import STRATEGIES
from signfed.strategies.sign_fd import SignFD
from signfed.strategies.sign_mv import SignMV

PYPROJECT = Path(__file__).resolve().parents[3] / "pyproject.toml"


def test_pyproject_repeats_the_defaults():
    """Flower reads them there, and refuses a key that is not; types count, 0 is not 0.0."""
    written = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["tool"]["flwr"]["app"]["config"]

    def typed(config):
        return {key: (type(value), value) for key, value in config.items()}

    assert typed(written) == typed(defaults())


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
        "lr-schedule": "steps", "lr-milestones": "3,5", "lr-gamma": 0.5, "election-batch": 0.5,
        "attack": "none", "num-rounds": 7, "batch-size": 5, "batch-sizes": "3x15",
        "lr": 0.5, "momentum": 0.5,
        "weight-decay": 0.5, "evaluate-every": 3, "quorum": 1.0, "round-timeout": 5.0,
        "node-timeout": 5.0, "seed": 3, "device": "cpu",
        "precision": "bfloat16", "out-dir": "/out", "fraction-train": 0.5, "checkpoint-every": 7,
        "resume": "/run",
    }  # fmt: skip
    needs = {
        "election-batch": {"strategy": "election"},
        "model": {"task": "digits"},
        "byzantine-ids": {"num-byzantine": 2},
    }
    assert set(other) == set(KEYS) - set(OPTIONS)
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


def test_an_unknown_key_lists_the_known_ones():
    with pytest.raises(ConfigError) as caught:
        parse({"num-round": 3})
    assert "unknown key 'num-round'" in str(caught.value)
    assert all(key in str(caught.value) for key in KEYS)


NAN, INFINITY = float("nan"), float("inf")

IMPOSSIBLE = [
    # wrong type
    ({"num-rounds": 3.0}, "num-rounds: expected a value of type int, such as 300; got 3.0"),
    ({"num-rounds": True}, "num-rounds: expected a value of type int"),
    ({"lr": "0.1"}, "lr: expected a value of type float"),
    ({"lr": True}, "lr: expected a value of type float"),
    ({"download": 1}, "download: expected a value of type bool"),
    ({"task": 1}, "task: expected a value of type str"),
    ({"byzantine-ids": 3}, "byzantine-ids: expected a value of type str"),
    # not one of the names
    ({"task": "mnsit"}, "task: expected one of digits, mnist, fashion-mnist, .*; got 'mnsit'"),
    ({"strategy": "crum"}, "strategy: expected one of mean, .*own as module:Class; got 'crum'"),
    ({"pre-aggregation": "mix"}, "pre-aggregation: expected one of none, bucketing, nnm; got"),
    ({"election-batch": 0.5}, "election-batch: belongs to strategy='election'"),
    ({"strategy": "election", "election-batch": 0.0}, r"election-batch: expected a number in \(0"),
    ({"encoder": "morse"}, "encoder: expected one of auto, sign, .*; got 'morse'"),
    ({"attack": "liar"}, "attack: expected one of none, .*; got 'liar'"),
    ({"attack": "nowhere:lie"}, "No module named 'nowhere'; expected module:function"),
    ({"attack": "math:sqrt"}, "expected a function under @attack"),
    ({"attack": "byzmean", "byzmean-inner": "liar"}, "unknown attack 'liar'; expected one of none"),
    ({"attack": "time-varying", "time-varying-attacks": "lie,"}, "unknown attack ''"),
    ({"attack": "time-varying", "time-varying-period": -1}, "time-varying-period: expected"),
    ({"time-varying-changing": True}, "time-varying-changing: belongs to attack='time-varying'"),
    ({"attack": "random", "random-std": 0.0}, "random-std: expected"),
    ({"attack": "noise", "noise-std": -1.0}, "noise-std: expected"),
    ({"attack": "reverse-scaling", "reverse-scaling-factor": 0.0}, "reverse-scaling-factor: exp"),
    ({"attack": "lie", "lie-z": -1.0}, "lie-z: expected a finite number of at least 0"),
    ({"attack": "byzmean", "lie-z": -1.0}, "lie-z: expected a finite number of at least 0"),
    ({"lie-z-max": True}, "lie-z-max: belongs to attack='lie', but attack is 'sign-inversion'"),
    ({"attack": "lie", "lie-direction": "left"}, "lie-direction: expected"),
    ({"attack": "min-max", "min-max-perturbation": "x"}, "min-max-perturbation: expected"),
    ({"attack": "min-sum", "min-sum-perturbation": "x"}, "min-sum-perturbation: expected"),
    ({"attack": "min-sum", "min-sum-bound": "x"}, "min-sum-bound: expected"),
    ({"attack": "ipm", "ipm-epsilon": 0.0}, "ipm-epsilon: expected"),
    ({"attack": "mimic", "mimic-target": -2}, "mimic-target: expected"),
    ({"attack": "vote-aware", "vote-aware-share": 1.5}, "vote-aware-share: expected"),
    ({"attack": "weight-aware", "weight-aware-share": -0.5}, "weight-aware-share: expected"),
    ({"attack": "filter-aware", "filter-aware-share": 2.0}, "filter-aware-share: expected"),
    ({"attack": "directional", "directional-value": 0.0}, "directional-value: expected"),
    ({"attack": "sleeper", "sleeper-rounds": -1}, "sleeper-rounds: expected"),
    ({"attack": "label-flip", "task": "quadratic"}, "changes labels, and task='quadratic' has no"),
    ({"attack": "time-varying", "task": "quadratic"}, "changes labels, and task='quadratic'"),
    ({"attack": "lie", "worker-momentum": 0.9}, "expects clients without memory"),
    ({"attack": "lie", "strategy": "mean", "encoder": "top-k"}, "expects clients without memory"),
    ({"precision": "float16"}, "precision: expected one of float32, tf32, bfloat16; got 'float16'"),
    ({"device": "tpu"}, "device: expected one of auto, cpu, cuda; got 'tpu'"),
    ({"model": "fd-cnn"}, "model: expected auto, mlp; got 'fd-cnn'"),
    ({"model": "text-rnn", "task": "mnist"}, "model: expected auto, fd-cnn, .* got 'text-rnn'"),
    ({"model": "lenet"}, "model: expected one of auto, mlp, .*, or your own as module:function"),
    ({"model": "m:f", "task": "quadratic"}, "model: expected auto, vector; got 'm:f'"),
    ({"task": "m:f"}, "model: expected the name of one, or module:function, for your own task"),
    ({"loss": "hinge"}, "loss: expected one of cross-entropy, or your own as module:function"),
    ({"loss": "m:f", "task": "quadratic"}, "loss: task='quadratic' has its own"),
    ({"partition": "even"}, "partition: expected one of stratified, shared, .* got 'even'"),
    ({"partition": "shared", "task": "quadratic"}, "task='quadratic' has no samples to share out"),
    ({"partition-fraction": 0.1}, "partition-fraction: belongs to partition='signguard'"),
    ({"partition": "signguard", "partition-fraction": 1.5}, "partition-fraction: expected a num"),
    ({"partition": "dirichlet", "partition-alpha": 0.0}, "partition-alpha: expected a number ab"),
    ({"partition": "labels", "partition-labels": 0}, "partition-labels: expected 1 to"),
    ({"batch-sizes": "3,4"}, "batch-sizes: expected one for each of 15 workers; got '3,4'"),
    ({"batch-sizes": "3x16"}, "batch-sizes: expected one for each of 15 workers"),
    ({"batch-sizes": "3x7,4x99999999999"}, "batch-sizes: expected one for each of 15 workers"),
    ({"batch-sizes": "0x15"}, "batch-sizes: expected sizes such as '16x10,64x5'; got '0x15'"),
    ({"batch-sizes": "3x"}, "batch-sizes: expected sizes such as"),
    ({"batch-sizes": "3;4"}, "batch-sizes: expected sizes such as"),
    (
        {"attack": "time-varying", "time-varying-period": 0, "task": "m:f", "model": "mlp"},
        "time-varying-period: 0 stands for an epoch",
    ),
    # out of range
    ({"num-workers": 0, "num-byzantine": 0}, "num-workers: expected a whole number of at least 1"),
    ({"num-byzantine": -1}, "num-byzantine: expected a whole number of at least 0; got -1"),
    ({"num-byzantine": 16}, "num-byzantine: expected at most num-workers = 15; got 16"),
    ({"assumed-byzantine": -2}, "assumed-byzantine: expected a whole number of at least -1"),
    ({"encoder": "sto-sign", "sto-sign-scale": 0.0}, "sto-sign-scale: expected a finite"),
    ({"encoder": "noisy-sign", "noisy-sign-std": -1.0}, "noisy-sign-std: expected a finite"),
    ({"encoder": "top-k", "top-k-fraction": 1.5}, "top-k-fraction: expected a number"),
    ({"encoder": "sign", "sign-zero": "minus"}, "sign-zero: expected plus or random; got"),
    ({"top-k-fraction": 0.5}, "top-k-fraction: belongs to encoder='top-k', but encoder is 'auto'"),
    ({"worker-momentum": 1.0}, r"worker-momentum: expected a number in \[0, 1\); got 1.0"),
    ({"strategy": "election", "worker-momentum": 0.9}, "expected 0 with strategy='election'"),
    ({"lr-schedule": "fast"}, "lr-schedule: expected one of constant, inverse-sqrt, steps"),
    ({"lr-milestones": "3;5"}, "lr-milestones: expected rounds such as '40,80'; got '3;5'"),
    ({"lr-gamma": 0.0}, "lr-gamma: expected a number above 0; got 0.0"),
    ({"strategy": "mean", "sign-fd-blocks": 3}, "sign-fd-blocks: belongs to strategy='sign-fd'"),
    ({"strategy": "mean", "sign-fd-forget": 0.9}, "sign-fd-forget: belongs to strategy='sign-f"),
    ({"election-noise": 1.0}, "election-noise: belongs to strategy='election'"),
    ({"election-code": "bernoulli"}, "election-code: belongs to strategy='election'"),
    ({"election-redundancy": 1.0}, "election-redundancy: belongs to strategy='election'"),
    ({"num-rounds": 0}, "num-rounds: expected a whole number of at least 1; got 0"),
    ({"evaluate-every": 0}, "evaluate-every: expected a whole number of at least 1; got 0"),
    ({"batch-size": 0}, "batch-size: expected a whole number of at least 1; got 0"),
    ({"batch-size": 96}, "each of 15 workers holds 95 samples of digits; .* got 96"),
    ({"batch-size": 4001, "task": "mnist"}, "each of 15 workers holds 4000 samples of mnist"),
    ({"num-workers": 1438, "batch-size": 1}, "each of 1438 workers holds 0 samples"),
    ({"lr": 0.0}, "lr: expected a number above 0; got 0.0"),
    ({"lr": -1}, "lr: expected a number above 0; got -1.0"),
    ({"lr": NAN}, "lr: expected a number above 0; got nan"),
    ({"lr": INFINITY}, "lr: expected a number above 0; got inf"),
    ({"momentum": 1.0}, r"momentum: expected a number in \[0, 1\); got 1.0"),
    ({"momentum": -0.1}, r"momentum: expected a number in \[0, 1\); got -0.1"),
    ({"weight-decay": -0.1}, "weight-decay: expected a number of at least 0.0; got -0.1"),
    ({"weight-decay": NAN}, "weight-decay: expected a number of at least 0.0; got nan"),
    ({"seed": 2**63}, "seed: expected a whole number from 0 to"),
    ({"fraction-train": 0.0}, r"fraction-train: expected a number in \(0, 1\]; got 0.0"),
    ({"fraction-train": 1.1}, r"fraction-train: expected a number in \(0, 1\]; got 1.1"),
    (
        {"strategy": "election", "fraction-train": 0.9},
        "fraction-train: expected 1 with strategy='election'.* got 0.9",
    ),
    ({"checkpoint-every": -1}, "checkpoint-every: expected a whole number of at least 0; got -1"),
    ({"quorum": 0.0}, r"quorum: expected a number in \(0, 1\]; got 0.0"),
    ({"quorum": 1.1}, r"quorum: expected a number in \(0, 1\]; got 1.1"),
    ({"round-timeout": 0.0}, "round-timeout: expected a number above 0; got 0.0"),
    ({"node-timeout": INFINITY}, "node-timeout: expected a number above 0; got inf"),
    ({"seed": -1}, "seed: expected a whole number from 0 to"),
    # options that the attack in use cannot take, or that belong to another
    (
        {"attack": "stochastic-sign-flip", "flip-probability": 1.5},
        "flip-probability: expected a probability between 0 and 1, got 1.5",
    ),
    (
        {"attack": "gaussian", "gaussian-std": 0.0},
        "gaussian-std: expected a finite number above 0, got 0.0",
    ),
    (
        {"flip-probability": 0.3},
        "flip-probability: belongs to attack='stochastic-sign-flip', but attack is 'sign-inver",
    ),
    ({"gaussian-std": 2.0}, "gaussian-std: belongs to attack='gaussian'"),
    (
        {"strategy": "mean", "initial-rounds": 10},
        "initial-rounds: belongs to strategy='sign-fd', but strategy is 'mean'",
    ),
    ({"strategy": "m:C", "crossover": "eq17"}, "crossover: belongs to strategy='sign-fd'"),
    # who lies
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


def test_every_key_with_a_range_has_an_impossible_value():
    tried = {key for given, _ in IMPOSSIBLE for key in given}
    refused_when_built = set(STRATEGY_OPTIONS) | set(PRE_AGGREGATION_OPTIONS)
    assert set(KEYS) - tried - refused_when_built <= {"data-dir", "out-dir", "resume"}


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("encoder", ["auto", *CODECS])
def test_the_encoder_is_the_rules_own_unless_named(name, encoder):
    if encoder == "top-k" and "sign" in STRATEGIES[name].encoder:
        return  # refused, see test_a_vote_needs_every_coordinate
    config = parse({"strategy": name, "encoder": encoder, "num-byzantine": 3})
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
def test_who_lies(given, ids):
    assert parse(given).byzantine_ids == ids


def test_liars_drawn_at_random_are_a_function_of_the_seed():
    def drawn(seed):
        return parse({"byzantine-ids": "random", "seed": seed}).byzantine_ids

    chosen = {drawn(seed) for seed in range(10)}
    assert drawn(3) == drawn(3) and len(chosen) == 10
    assert all(len(set(ids)) == 6 and list(ids) == sorted(ids) for ids in chosen)
    assert {worker for ids in chosen for worker in ids} == set(range(15))


OWN_RULES = """
from signfed import Mean, RobustStrategy

class Good(Mean): pass
class Abstract(RobustStrategy): pass
class Hungry(Mean):
    def __init__(self, appetite): pass
class Picky(Mean):
    def check(self, num_workers, num_rounds):
        raise ValueError(f"not {num_workers} workers for {num_rounds} rounds")
class Foreign(Mean):
    encoder = "morse"
def function(): pass
"""


@pytest.fixture
def own_rules(tmp_path, monkeypatch):
    (tmp_path / "rules_of_my_own.py").write_text(OWN_RULES)
    (tmp_path / "broken_rules.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    return lambda path: build_strategy(parse({"strategy": path}))


def test_an_own_strategy_is_found(own_rules):
    assert isinstance(own_rules("rules_of_my_own:Good"), Mean)
    assert isinstance(own_rules("signfed.strategies.sign_mv:SignMV"), SignMV)


@pytest.mark.parametrize(
    "path, text",
    [
        ("no_such_module:Good", "No module named 'no_such_module'; expected module:Class"),
        ("broken_rules:Good", "No module named 'no_such_package'"),
        ("rules_of_my_own:Bad", "has no attribute 'Bad'; expected module:Class"),
        ("rules_of_my_own:", "expected module:Class"),
        (":Good", "expected module:Class"),
        (".relative:Good", "expected module:Class"),
        ("rules_of_my_own:function", "expected a subclass of strategies.RobustStrategy"),
        ("pathlib:Path", "expected a subclass of strategies.RobustStrategy"),
        ("rules_of_my_own:Abstract", "abstract"),
        ("rules_of_my_own:Hungry", "appetite"),
        ("rules_of_my_own:Picky", "not 15 workers for 300 rounds"),
        ("rules_of_my_own:Foreign", "an encoder among sign, .*; got 'morse'"),
    ],
)
def test_an_own_strategy_that_cannot_be_is_refused(own_rules, path, text):
    with pytest.raises(ConfigError, match=f"strategy='{path}': .*{text}"):
        own_rules(path)


@pytest.mark.parametrize(
    "given, text",
    [
        ({"initial-rounds": 0}, "strategy='sign-fd': initial-rounds: expected at least 1 round"),
        (
            {"crossover": "eq18"},
            "crossover: expected one of blocks, pooled, alg1, eq17; got 'eq18'",
        ),
        (
            {"num-rounds": 65_536, "crossover": "alg1"},
            "at most 65535 rounds, got 65536; .* set crossover='blocks'",
        ),
    ],
)
def test_what_the_rule_refuses_names_the_key(given, text):
    with pytest.raises(ConfigError, match=text):
        build_strategy(parse(given))


def test_many_rounds_are_fine_without_counts():
    build_strategy(parse({"num-rounds": 65_536, "crossover": "pooled"}))


@pytest.mark.parametrize(
    "device, gpus_per_client, gpu_there, text",
    [
        ("auto", None, False, None),
        ("auto", 0.5, True, None),
        ("cpu", None, True, None),
        ("cuda", None, True, None),
        ("cuda", 0.5, True, None),
        ("cuda", None, False, "device='cuda': expected a GPU, .* use device='cpu'"),
        ("auto", 0.5, False, "--gpus-per-client 0.5: expected a GPU"),
        ("cuda", 0, True, "device='cuda': expected --gpus-per-client above 0"),
        ("cpu", 0.5, True, "device='cpu': expected no --gpus-per-client"),
    ],
)
def test_a_device_that_is_not_there(device, gpus_per_client, gpu_there, text, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu_there)
    config = parse({"device": device})
    if text is None:
        return check_machine(config, gpus_per_client)
    with pytest.raises(ConfigError, match=text):
        check_machine(config, gpus_per_client)


def test_a_run_folder_must_be_new_or_empty(tmp_path):
    config = parse({})
    assert isinstance(config, RunConfig)
    check_machine(replace(config, out_dir=str(tmp_path)))
    check_machine(replace(config, out_dir=str(tmp_path / "new")))
    (tmp_path / "rounds.jsonl").touch()
    with pytest.raises(ConfigError, match="out-dir: expected a new or empty folder"):
        check_machine(replace(config, out_dir=str(tmp_path)))


@pytest.mark.parametrize("strategy", ["sign-mv", "sign-fd", "election"])
def test_a_vote_needs_every_coordinate(strategy):
    with pytest.raises(ConfigError, match=r"encoder: .* votes on every coordinate"):
        build_strategy(parse({"strategy": strategy, "encoder": "top-k"}))
