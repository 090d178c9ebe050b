"""Keys that belong to one rule, encoder or attack, and rules that cannot serve a run."""

import inspect

import pytest

from signfed.app.config.keys import KEYS, ConfigError
from signfed.app.config.options import (
    ATTACK_OPTIONS,
    ENCODER_OPTIONS,
    OPTIONS,
    PARTITION_OPTIONS,
    PRE_AGGREGATION_OPTIONS,
    STRATEGY_OPTIONS,
)
from signfed.app.config.run_config import build_strategy, parse
from signfed.app.task import PARTITIONS
from signfed.attacks import ATTACKS
from signfed.clients import ENCODERS
from signfed.strategies.registry import PRE_AGGREGATIONS, STRATEGIES

ANOTHER = {
    "crossover": "eq17", "sign-mv-tie": "zero", "election-code": "bernoulli",
    "signguard-components": "filter,clip", "signguard-coordinates": "window",
    "lie-direction": "plus", "byzmean-inner": "ipm", "min-max-perturbation": "sign",
    "min-sum-perturbation": "sign", "min-sum-bound": "min", "time-varying-attacks": "lie,ipm",
    "mimic-target": 2, "time-varying-period": 7, "sleeper-rounds": 3,
    "signguard-scaling": "max", "signguard-similarity": "authors", "sign-zero": "random",
}  # fmt: skip


def another(key, option):
    """A value that the option can take, and not its default."""
    if key in ANOTHER:
        return ANOTHER[key]
    return not option.default if isinstance(option.default, bool) else option.default * 2 + 3


@pytest.mark.parametrize("key", OPTIONS)
def test_an_option_belongs_to_its_owners_and_reaches_them(key):
    option = OPTIONS[key]
    changed = {key: type(option.default)(another(key, option))}
    for what, table in (
        ("strategy", STRATEGY_OPTIONS), ("pre-aggregation", PRE_AGGREGATION_OPTIONS),
        ("encoder", ENCODER_OPTIONS), ("attack", ATTACK_OPTIONS),
        ("partition", PARTITION_OPTIONS),
    ):  # fmt: skip
        if key not in table:
            continue
        for owner in option.owners:
            if what in ("encoder", "attack", "partition") and isinstance(option.default, float):
                changed = {key: option.default / 2}  # these are tried at once: a range to keep to
            given = {what: owner}
            assert parse(given | changed) != parse(given)
        stranger = {
            "strategy": "mean", "pre-aggregation": "nnm", "encoder": "float32",
            "partition": "shared",
        }.get(what)  # fmt: skip
        with pytest.raises(ConfigError, match=f"{key}: belongs to {what}='{option.owners[0]}'"):
            parse({what: stranger or "none"} | changed)


TABLES = [
    (PARTITION_OPTIONS, PARTITIONS),
    (STRATEGY_OPTIONS, STRATEGIES),
    (PRE_AGGREGATION_OPTIONS, PRE_AGGREGATIONS),
    (ENCODER_OPTIONS, ENCODERS),
    (ATTACK_OPTIONS, {name: attack.function for name, attack in ATTACKS.items()}),
]


@pytest.mark.parametrize("options, owners", TABLES)
def test_an_option_is_an_argument_of_each_owner_with_the_same_default(options, owners):
    assert set(options) <= set(KEYS) and set(options) <= set(OPTIONS)
    for option in options.values():
        for owner in option.owners:
            argument = inspect.signature(owners[owner]).parameters[option.argument]
            assert argument.default in (option.default, inspect.Parameter.empty)


IMPOSSIBLE_RULES = [
    ({"crossover": "alg2"}, "crossover: expected one of blocks, pooled, alg1, eq17; got 'alg2'"),
    ({"initial-rounds": 0}, "initial-rounds: expected at least 1 round, got 0"),
    ({"sign-fd-blocks": 0}, "sign-fd-blocks: expected at least 1, got 0"),
    ({"sign-fd-forget": 0.0}, r"sign-fd-forget: expected a number in \(0, 1\], got 0.0"),
    ({"strategy": "sign-mv", "sign-mv-tie": "minus"}, "sign-mv-tie: expected one of plus, zero"),
    ({"strategy": "election", "election-code": "c"}, "election-code: expected one of determin"),
    ({"strategy": "election", "election-noise": -1.0}, "election-noise: expected a finite"),
    (
        {"strategy": "election", "election-code": "bernoulli", "election-redundancy": 0.0},
        r"election-redundancy: expected a number in \(0, 15\], got 0.0",
    ),
    (
        {"strategy": "signguard", "signguard-components": "filter,klip"},
        r"signguard-components: expected a list of filter, cluster, clip; got \['klip'\]",
    ),
    (
        {"strategy": "signguard-sim", "signguard-coordinates": "all"},
        "signguard-coordinates: expected one of random, window; got 'all'",
    ),
    ({"strategy": "signguard", "signguard-fraction": 0.0}, "signguard-fraction: expected a numb"),
    ({"strategy": "signguard", "signguard-scaling": "min"}, "signguard-scaling: expected one of"),
    (
        {"strategy": "signguard-dist", "signguard-similarity": "mine"},
        "signguard-similarity: expected one of paper, authors; got 'mine'",
    ),
    ({"strategy": "krum", "krum-neighbours": -1}, "krum-neighbours: expected a whole number of at"),
    ({"strategy": "krum", "krum-neighbours": 15}, "krum with these options needs n >= 16"),
    ({"strategy": "multi-krum", "multi-krum-selected": -1}, "multi-krum-selected: expected a whol"),
    ({"strategy": "multi-krum", "multi-krum-selected": 16}, "needs n >= 16 updates, got 15"),
    ({"strategy": "dnc", "dnc-coordinates": 0}, "dnc-coordinates: expected at least 1, got 0"),
    ({"strategy": "dnc", "dnc-iterations": 0}, "dnc-iterations: expected at least 1, got 0"),
    ({"strategy": "dnc", "dnc-filter": -1.0}, "dnc-filter: expected at least 0, got -1.0"),
    ({"strategy": "dnc", "dnc-filter": 2.5}, r"floor\(c f\) = 15 of 15 updates"),
    (
        {"strategy": "centered-clipping", "centered-clipping-radius": 0.0},
        "centered-clipping-radius: expected a number above 0, got 0.0",
    ),
    (
        {"strategy": "centered-clipping", "centered-clipping-iterations": 0},
        "centered-clipping-iterations: expected at least 1, got 0",
    ),
    ({"strategy": "mean", "pre-aggregation": "bucketing", "bucket-size": 0}, "bucket-size: expec"),
    ({"pre-aggregation": "bucketing"}, "SignFD keeps a record of each worker"),
    # what rules need of (n, f)
    (
        {"strategy": "bulyan"},
        r"bulyan needs n >= 4f\+3: got n=15 updates, f=6; expected f <= 3, or at least 27 updates",
    ),
    ({"strategy": "krum", "num-byzantine": 7}, "krum needs n >= 2f\\+3: got n=15 updates, f=7"),
    ({"strategy": "trimmed-mean", "num-byzantine": 8}, "trimmed-mean needs n >= 2f\\+1"),
    ({"strategy": "dnc", "assumed-byzantine": 8}, "dnc needs n >= 2f\\+1: got n=15 updates, f=8"),
    ({"strategy": "mean", "pre-aggregation": "nnm", "num-byzantine": 8}, "nnm needs n >= 2f\\+1"),
    ({"strategy": "krum", "pre-aggregation": "bucketing"}, "krum needs n >= 2f\\+3: got n=8 upd"),
]


@pytest.mark.parametrize("given, text", IMPOSSIBLE_RULES, ids=lambda value: str(value)[:60])
def test_a_rule_that_cannot_serve_the_run_is_refused_before_it_starts(given, text):
    with pytest.raises(ConfigError, match=text):
        build_strategy(parse(given))


def test_every_option_of_a_rule_with_a_range_has_an_impossible_value():
    tried = {key for given, _ in IMPOSSIBLE_RULES for key in given}
    any_value_will_do = {"krum-strict", "geometric-median-reweight"}
    assert set(STRATEGY_OPTIONS) | set(PRE_AGGREGATION_OPTIONS) <= tried | any_value_will_do


def test_options_reach_the_rule_and_the_attack():
    config = parse({"initial-rounds": 7, "crossover": "eq17"})
    options = dict(config.strategy.options)
    assert (options["initial_rounds"], options["crossover"]) == (7, "eq17")
    rule = build_strategy(config)
    assert (rule.initial_rounds, rule.crossover) == (7, "eq17")
    assert parse({"strategy": "sign-mv"}).strategy.options == (("tie", "plus"),)
    assert parse({"strategy": "mean"}).strategy.options == ()
    noise = parse({"attack": "gaussian", "gaussian-std": 2.5}).attack
    assert (noise.name, dict(noise.options)) == ("gaussian", {"std": 2.5})
