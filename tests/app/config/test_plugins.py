"""Rules that cannot serve a run, and a user's own rules and attacks with options of their own."""

import pytest

from signfed.app.config.plugins import Plugin
from signfed.app.config.run_config import build_strategy, parse
from signfed.app.engines.prepare import check
from signfed.app.errors import ConfigError
from signfed.strategies.mean import Mean
from signfed.strategies.sign_mv import SignMV

CANNOT_SERVE = [
    # options that the other numbers of the run leave no room for
    (
        {"strategy": "election", "election.code": "bernoulli", "election.redundancy": 15.5},
        r"redundancy: expected a number in \(0, 15\]",
    ),
    ({"strategy": "krum", "krum.neighbours": 15}, "krum with these options needs n >= 16"),
    ({"strategy": "multi-krum", "multi-krum.selected": 16}, "needs n >= 16 updates, got 15"),
    ({"strategy": "dnc", "dnc.filter-factor": 2.5}, r"floor\(c f\) = 15 of 15 updates"),
    (
        {"pre-aggregation": "bucketing", "sign-fd.estimator": "pooled"},
        "SignFD goes by which worker a row is of",
    ),
    (
        {"num-rounds": 65_536, "sign-fd.estimator": "alg1"},
        "at most 65535 rounds, got 65536; .* set sign-fd.estimator='pooled'",
    ),
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
    ({"num-byzantine": 8}, r"sign-fd needs n >= 2f\+1: got n=15 updates, f=8; expected f <= 7"),
    ({"num-byzantine": 1, "num-workers": 2}, "sign-fd needs n >= 2f"),
    ({"assumed-byzantine": 8}, "sign-fd needs n >= 2f"),
    ({"fraction-train": 0.6}, "sign-fd needs n >= 2f.*got n=9 updates, f=6"),
    ({"num-byzantine": 8, "pre-aggregation": "nnm"}, "nnm needs n >= 2f|sign-fd needs n >= 2f"),
    (
        {"strategy": "mean", "pre-aggregation": "clipping,bucketing,arc", "num-byzantine": 4},
        r"arc needs n >= 2f\+1: got n=8 updates, f=4",
    ),
    ({"strategy": "monna", "num-byzantine": 8}, "monna needs n >= 2f\\+1: got n=15 updates, f=8"),
    ({"strategy": "monna", "monna.trusted": "server"}, "expected at least 1 sample, 100 for"),
    # what would take too long to search
    (
        {"strategy": "mda", "num-workers": 60, "num-byzantine": 25, "batch-size": 8},
        "f=25; expected f <= 24",
    ),
    (
        {"strategy": "smea", "num-workers": 50, "num-byzantine": 10, "batch-size": 8},
        "subsets; expected f <= 2",
    ),
]


@pytest.mark.parametrize("given, text", CANNOT_SERVE, ids=lambda value: str(value)[:60])
def test_a_rule_that_cannot_serve_the_run_is_refused_before_it_starts(given, text):
    with pytest.raises(ConfigError, match=text):
        build_strategy(parse(given))


def test_pre_aggregations_in_a_row_are_built_with_the_options_of_each():
    given = {
        "strategy": "trimmed-mean", "num-byzantine": 3, "pre-aggregation": "clipping, nnm",
        "clipping.threshold": 0.7,
    }  # fmt: skip
    config = parse(given)
    clipping, nnm = config.pre_aggregations
    assert clipping == Plugin("clipping", (("threshold", 0.7),)) and nnm == Plugin("nnm")
    rule = build_strategy(config)
    assert rule.title() == "Clipping(NearestNeighbourMixing(TrimmedMean))"
    assert rule.threshold == 0.7 and rule.inner.n_byzantine == rule.inner.inner.n_byzantine == 3
    assert parse(given | {"pre-aggregation": "nnm,clipping"}) != config
    assert parse({}).pre_aggregations == ()


def test_who_knows_better_says_what_the_rule_shall_assume():
    build_strategy(parse({"num-byzantine": 8, "assumed-byzantine": 7}))
    build_strategy(parse({"num-byzantine": 7}))
    build_strategy(parse({"num-rounds": 65_536, "sign-fd.estimator": "pooled"}))


OWN = """
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from signfed import Mean, RobustStrategy, attack

class Good(Mean): pass
class Abstract(RobustStrategy): pass
class Hungry(Mean):
    def __init__(self, appetite): pass
class Picky(Mean):
    def check(self, num_workers, num_rounds):
        raise ValueError(f"not {num_workers} workers for {num_rounds} rounds")
class Foreign(Mean):
    encoder = "morse"
class Sparse(Mean):
    encoder = "top-k"
def function(): pass

class Clipped(Mean):
    def __init__(
        self,
        n_byzantine=0,
        radius: Annotated[float, Field(gt=0)] = 10.0,
        mode: Literal["soft", "hard"] = "hard",
        inner_steps: int = 1,
    ):
        self.found = (n_byzantine, radius, mode, inner_steps)

@attack(knowledge="own", stage="gradient")
def scaled(view, *, scale: Annotated[float, Field(gt=0)] = 2.0, flip: bool = True):
    return (-scale if flip else scale) * view.own

@attack(knowledge="own", stage="gradient")
def plain(view):
    return -view.own
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "mine_of_my_own.py").write_text(OWN)
    (tmp_path / "broken_rules.py").write_text("import no_such_package\n")
    (tmp_path / "misspelt_rules.py").write_text("class Good(:\n")
    monkeypatch.syspath_prepend(tmp_path)


def rule(path, options=""):
    return build_strategy(parse({"strategy": path, "strategy-options": options}))


def attacked(path, options=""):
    return parse({"attack": path, "attack-options": options}).attack


def test_an_own_strategy_is_found(own):
    assert isinstance(rule("mine_of_my_own:Good"), Mean)
    assert isinstance(rule("signfed.strategies.sign_mv:SignMV"), SignMV)
    assert rule("signfed.strategies.sign_mv:SignMV", "tie='zero'").tie == "zero"


@pytest.mark.parametrize(
    "path, text",
    [
        ("no_such_module:Good", "No module named 'no_such_module'; expected module:Class"),
        ("broken_rules:Good", r"No module named 'no_such_package' \(.*broken_rules\.py, line 1\)"),
        ("misspelt_rules:Good", r"SyntaxError: .*misspelt_rules\.py, line 1\)"),
        ("mine_of_my_own:Bad", "has no attribute 'Bad'; expected module:Class"),
        ("mine_of_my_own:", "expected module:Class"),
        ("mine_of_my_own:function", "expected a subclass of signfed.RobustStrategy"),
        ("pathlib:Path", "expected a subclass of signfed.RobustStrategy"),
        ("mine_of_my_own:Abstract", "abstract"),
        ("mine_of_my_own:Picky", "not 15 workers for 300 rounds"),
        ("mine_of_my_own:Foreign", "an encoder among sign, .*; got 'morse'"),
    ],
)
def test_an_own_strategy_that_cannot_be_used_is_refused(own, path, text):
    with pytest.raises(ConfigError, match=f"strategy='{path}': .*{text}"):
        rule(path)


def test_workers_remember_what_the_encoder_of_an_own_strategy_leaves_out(own):
    """Attackers in Flower clients cannot compute such rows: they need each worker's memory."""
    given = {"strategy": "mine_of_my_own:Sparse", "attack": "lie"}
    assert parse(given).workers_remember and not parse({"strategy": "mean"}).workers_remember
    check(given, reach="server")
    with pytest.raises(ConfigError, match="only the workers themselves remember"):
        check(given, reach="omniscient")


def test_an_own_strategy_has_options_of_its_own(own):
    assert rule("mine_of_my_own:Clipped").found == (6, 10.0, "hard", 1)
    given = "radius=3 mode='soft' inner-steps=2"
    assert rule("mine_of_my_own:Clipped", given).found == (6, 3.0, "soft", 2)
    same = [parse({"strategy": "m:C", "strategy-options": t}) for t in ("a=1 b=2", "b=2 a=1")]
    assert same[0].strategy == same[1].strategy


@pytest.mark.parametrize(
    "options, text",
    [
        ("radius=-1.0", r"radius: expected a number above 0; got -1\.0"),
        ("radius='3'", "radius: expected a number above 0; got '3'"),
        ("mode='loud'", "mode: expected one of soft, hard; got 'loud'"),
        ("inner-steps=1.5", r"inner_steps: expected a whole number; got 1\.5"),
        (
            "radios=1",
            "mine_of_my_own:Clipped has no option 'radios'; expected radius, mode, inner_steps",
        ),
        ("seed=1", "mine_of_my_own:Clipped has no option 'seed'"),
        ("radius=1 radius=2", "expected radius once; got it twice"),
        ("mode=loud", "mode: expected one of soft, hard; got 'loud'"),
        ("radius=wide", "radius: expected a number above 0; got 'wide'"),
        ("radius 3", "expected key=value pairs, .* got radius 3"),
    ],
)
def test_an_own_option_that_cannot_be_is_refused_in_the_same_words(own, options, text):
    with pytest.raises(ConfigError, match=f"^strategy-options: {text}"):
        rule("mine_of_my_own:Clipped", options)


def test_an_option_that_an_own_strategy_demands(own):
    with pytest.raises(ConfigError, match=r"appetite: expected .*; got nothing: no default"):
        rule("mine_of_my_own:Hungry")
    with pytest.raises(ConfigError, match=r"unknown key 'radius'.* into strategy-options='radius="):
        parse({"strategy": "mine_of_my_own:Hungry", "radius": 1})
    rule("mine_of_my_own:Hungry", "appetite=[1, 2]")
    given = {"strategy": "mine_of_my_own:Hungry", "strategy-options": "appetite=[1, 2]"}
    assert hash(parse(given)) == hash(parse(given))  # nodes keep what belongs to a config by it


def test_an_own_attack_has_options_of_its_own(own):
    given = attacked("mine_of_my_own:scaled", "scale=3 flip=false")
    assert given == Plugin("mine_of_my_own:scaled", (("flip", False), ("scale", 3.0)))


@pytest.mark.parametrize(
    "name, options, text",
    [
        ("scaled", "scale=0.0", r"scale: expected a number above 0; got 0\.0"),
        ("scaled", "flip=1", "flip: expected true or false; got 1"),
        ("scaled", "size=1", "mine_of_my_own:scaled has no option 'size'; expected scale, flip"),
        ("plain", "size=1", "mine_of_my_own:plain has no option 'size'; expected none"),
    ],
)
def test_an_own_attacks_option_that_cannot_be_is_refused_in_the_same_words(
    own, name, options, text
):
    with pytest.raises(ConfigError, match=f"^attack-options: {text}"):
        attacked(f"mine_of_my_own:{name}", options)


@pytest.mark.parametrize(
    "kind, name, keys",
    [
        ("strategy", "signguard", "signguard.components, signguard.coordinates"),
        ("strategy", "mean", "none"),
        ("attack", "ipm", "ipm.epsilon"),
        ("attack", "byzmean", "byzmean.inner"),
    ],
)
def test_a_built_in_has_keys_and_no_text_of_options(kind, name, keys):
    said = f"{kind}-options: belongs to your own {kind}, .* is '{name}', whose options are {keys}"
    with pytest.raises(ConfigError, match=said):
        parse({kind: name, f"{kind}-options": "a=1", "num-byzantine": 3})


@pytest.mark.parametrize("path", ["misspelt_rules:f", "broken_rules:f"])
def test_an_own_attack_that_does_not_load_says_where(own, path):
    with pytest.raises(ConfigError, match=rf"attack='{path}': .*_rules\.py, line 1\)"):
        attacked(path)
