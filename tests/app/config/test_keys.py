"""Keys, their checks, pyproject.toml and docs/options.md come from one declaration each."""

import tomllib
from pathlib import Path

import pytest

from signfed.app.config.keys import (
    KEYS,
    KIND_OF,
    OWNERS,
    as_markdown,
    as_toml,
    check_values,
    defaults,
    keys_of,
)
from signfed.app.config.run_config import build_strategy, parse
from signfed.app.config.together import BELONGS
from signfed.app.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
NAN, INFINITY = float("nan"), float("inf")


def test_pyproject_holds_every_key_as_it_is_declared():
    """Flower reads them there, and refuses a key that is not; types count, 0 is not 0.0."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert as_toml() in text + "\n"

    def flat(table, prefix=""):
        for name, value in table.items():
            if isinstance(value, dict):
                yield from flat(value, f"{prefix}{name}.")
            else:
                yield prefix + name, (type(value), value)

    written = tomllib.loads(text)["tool"]["flwr"]["app"]["config"]
    assert dict(flat(written)) == {k: (type(v), v) for k, v in defaults().items()}


def test_the_documentation_holds_every_key_as_it_is_declared():
    """The golden file of ranges: a declaration that changes shows up there."""
    assert as_markdown() in (ROOT / "docs" / "options.md").read_text(encoding="utf-8")


def test_an_owner_has_one_kind():
    """Keys are `owner.option`: a rule and an attack of one name would share them."""
    assert len(KIND_OF) == sum(map(len, OWNERS.values()))


@pytest.mark.parametrize("key", KEYS)
def test_a_key_says_what_it_means_and_takes_its_default(key):
    option = KEYS[key]
    assert option.help and option.check(option.default) == option.default


def outside(option):
    """Values that the option cannot take: of another type, and beyond each end of its range."""
    yield from {int: (1.5, True, "1"), float: ("1", True), str: (1,), bool: (1, "true")}[
        option.kind
    ]
    if option.names:
        yield "".join(map(str, option.names))
    words = option.expected
    if "above" in words or "in (" in words or "of at least" in words or "in [" in words:
        yield {int: -2, float: -0.5}[option.kind]
    if "above 0" in words or "in (0" in words:
        yield {int: 0, float: 0.0}[option.kind]
    if words.endswith((", 1)", ", 1]")):
        yield 1.5
    if words.endswith(", 1)"):
        yield 1.0
    if "finite" in words:
        yield from (NAN, INFINITY)


@pytest.mark.parametrize("key", KEYS)
def test_a_value_that_a_key_cannot_take_is_refused_with_what_would_do(key):
    option = KEYS[key]
    for value in outside(option):
        with pytest.raises(ConfigError) as refused:
            check_values({key: value})
        assert str(refused.value).startswith(f"{key}: expected ")
        assert str(refused.value).endswith(f"got {value!r}")


@pytest.mark.parametrize(
    "key, value, said",
    [
        ("num-rounds", 3.0, "num-rounds: expected a whole number of at least 1; got 3.0"),
        ("download", 1, "download: expected true or false; got 1"),
        ("task", 1, "task: expected text; got 1"),
        ("lr", NAN, "lr: expected a finite number above 0; got nan"),
        ("momentum", 1.0, "momentum: expected a number in [0, 1); got 1.0"),
        ("quorum", 0.0, "quorum: expected a number in (0, 1]; got 0.0"),
        ("device", "tpu", "device: expected one of auto, cpu, cuda; got 'tpu'"),
        ("seed", 2**63, f"seed: expected a whole number in [0, 9.22337e+18); got {2**63}"),
        ("lie.z", -1.0, "lie.z: expected a finite number of at least 0; got -1.0"),
        ("num-round", 3, "unknown key 'num-round': did you mean num-rounds"),
        (
            "gossip-degree",
            3,
            "unknown key 'gossip-degree': no key is like it; `signfed list` shows",
        ),
    ],
)
def test_errors_by_hand(key, value, said):
    with pytest.raises(ConfigError) as refused:
        check_values({key: value})
    assert str(refused.value).startswith(said)


# A value other than the default, where doubling it and adding three gives none.
ANOTHER = {
    "signguard.components": "filter,clip", "signguard-sim.components": "filter,clip",
    "signguard-dist.components": "filter,clip", "byzmean.inner": "ipm",
    "time-varying.attacks": "lie,ipm", "backdoor.size": 5, "monna.trusted": "3",
    "own-data.shape": "3x28x28", "own-data.classes": "cat,dog", "own-data.label": "class",
}  # fmt: skip


def another(key):
    option = KEYS[key]
    if option.names:
        return next(name for name in option.names if name != option.default)
    if option.kind is bool:
        return not option.default
    if option.kind is float:
        return option.default / 2 or 0.25
    return ANOTHER.get(key) or option.default * 2 + 3


OWNED = [key for key, option in KEYS.items() if option.owner]
STRANGER = {"strategy": "mean", "pre-aggregation": "none", "encoder": "float32",
            "partition": "shared", "attack": "none", "task": "digits"}  # fmt: skip


@pytest.mark.parametrize("key", OWNED)
def test_an_option_reaches_its_owner_and_no_other(key):
    owner, value = KEYS[key].owner, another(key)
    kind = KIND_OF[owner]
    given = {kind: owner, "num-byzantine": 3, "strategy": "mean"} | {kind: owner}
    other, names = BELONGS.get(key, (kind, (owner,)))
    used = given | {other: names[0]}
    assert parse(used | {key: value}) != parse(used)
    message = f"{key}: belongs to {kind}='{owner}', but {kind} is '{STRANGER[kind]}'"
    with pytest.raises(ConfigError, match=message):
        parse(given | {kind: STRANGER[kind], key: value})
    parse(given | {kind: STRANGER[kind], key: KEYS[key].default})  # says nothing, changes nothing


@pytest.mark.parametrize(
    "given, said",
    [
        ({"top-k.fraction": 0.5}, "encoder='top-k', but encoder is 'auto' (in use: sign)"),
        ({"strategy": "mean", "sign.zero": "random"}, "is 'auto' (in use: float32)"),
        (
            {"attack": "byzmean", "byzmean.inner": "ipm", "lie.z": 2.0},
            "attack='lie', but attack is 'byzmean' (in use: byzmean, ipm)",
        ),
        (
            {"attack": "time-varying", "time-varying.attacks": "lie,none", "ipm.epsilon": 2.0},
            "attack='ipm', but attack is 'time-varying' (in use: time-varying, lie, none)",
        ),
        ({"strategy": "m:C", "sign-fd.eps": 2.0}, "'sign-fd', but strategy is 'm:C'"),
    ],
)
def test_what_is_in_use_is_named_where_the_key_does_not_say(given, said):
    with pytest.raises(ConfigError) as refused:
        parse(given)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "given",
    [
        {"attack": "byzmean", "lie.z": 2.0},
        {"attack": "byzmean", "byzmean.inner": "ipm", "ipm.epsilon": 2.0},
        {"attack": "time-varying", "time-varying.attacks": "byzmean", "lie.z": 2.0},
        {"strategy": "m:C", "top-k.fraction": 0.5},  # which it asks for is not known yet
        {"strategy": "reputation-mv", "sto-sign.scale": 0.5},
    ],
)
def test_options_of_parts_and_of_the_encoder_that_the_rule_asks_for_are_taken(given):
    owned = {key for key in given if "." in key}
    assert parse(given) != parse({k: v for k, v in given.items() if k not in owned})


def test_options_reach_the_rule_and_the_attack():
    rule = build_strategy(parse({"sign-fd.initial-rounds": 7, "sign-fd.estimator": "eq17"}))
    assert (rule.initial_rounds, rule.estimator) == (7, "eq17")
    assert parse({"strategy": "sign-mv"}).strategy.options == (("tie", "plus"),)
    noise = parse({"attack": "gaussian", "gaussian.std": 2.5}).attack
    assert (noise.name, dict(noise.options)) == ("gaussian", {"std": 2.5})
    assert keys_of("gaussian") == ["gaussian.std"]
