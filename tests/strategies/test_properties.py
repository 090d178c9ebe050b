from itertools import count

import pytest
import torch

from signfed.strategies.mean import Mean
from signfed.strategies.registry import STRATEGIES
from signfed.strategies.sign_mv import SignMV
from tests.strategies import properties, rules
from tests.strategies.hostile_rows import (
    FAR,
    MIXED,
    NEAR,
    is_never_longer_than_the_median_row,
    keeps_what_all_honest_workers_agree_on,
    near_the_honest_rows,
)
from tests.strategies.properties import N
from tests.strategies.rules import RULES, factory
from tests.strategies.runs import play, random_rounds, same_bits


def case_id(value):
    if isinstance(value, dict):
        return "-".join(map(str, value.values())) or "default"
    return getattr(value, "__name__", str(value))


@pytest.mark.parametrize("name, options, law", list(rules.cases()), ids=case_id)
def test_law(name, options, law):
    law(factory(name, options))


def test_every_rule_states_its_laws():
    assert set(RULES) == set(STRATEGIES)
    assert all(rule.laws for rule in RULES.values())


REMEMBER = {"sign-fd", "reputation-mv", "centered-clipping", "signguard-sim", "signguard-dist"}


@pytest.mark.parametrize("name", STRATEGIES)
def test_who_remembers(name):
    """The others answer a round as if it were the first; that they resume is then no merit."""
    rounds = random_rounds(seed=12, n=6)  # of 11 the majority is too clear to be turned
    options = {key: value for key, value in RULES[name].variants[0].items() if key != "n_byzantine"}
    make = factory(name, options)
    old = make()
    alike = [
        same_bits(answer, play(make(), [rows], first=number)[0][0])
        for number, (rows, (answer, _)) in enumerate(zip(rounds, play(old, rounds), strict=True), 1)
    ]
    assert alike[0] and all(alike) == (name not in REMEMBER)
    assert bool(old.state_dict()) == (name in REMEMBER)


DRAW = {
    "dnc": {"n_byzantine": 2, "coordinates": 2},
    "signguard": {},
    "bucketing median": {},
    # Behind a pre-aggregation it is still the same round; buckets of one row only reorder.
    "bucketing dnc": {"n_byzantine": 2, "coordinates": 2, "size": 1},
    "nnm signguard": {"n_byzantine": 2},
}


@pytest.mark.parametrize("name, options", DRAW.items())
def test_who_draws_does_it_anew_in_each_round(name, options):
    rounds = random_rounds(seed=13, n=N, n_rounds=1) * 6
    runs = [play(factory(name, options | {"seed": seed})(), rounds) for seed in (1, 1, 2)]
    first, again, other = ([answer.round(4).tolist() for answer, _ in run] for run in runs)
    assert first == again != other
    assert any(answer != first[0] for answer in first)


class Broken(Mean):
    """Mean, but for `rule(self, updates)`; `calls` is a memory that no checkpoint holds."""

    def __init__(self, rule, encoder):
        self.rule, self.encoder, self.calls = rule, encoder, 0

    def aggregate(self, updates):
        self.calls += 1
        return self.rule(self, updates)


EVER_CALLED = count()  # what no rule may have: a memory that outlives it


def vote(updates):
    return SignMV().aggregate(updates)


def flt(rule):
    return "float32", rule


# What each law is there to catch. A law that catches nothing protects nothing.
SABOTAGE = {
    properties.answers_with_a_finite_vector: flt(lambda self, u: u.dense().mean(0) / (u.n - 1)),
    properties.ignores_the_order_of_arrival: flt(lambda self, u: u.dense()[0] + next(EVER_CALLED)),
    properties.takes_ids_for_names: flt(lambda self, u: u.dense()[int(u.ids.max()) % u.n]),
    properties.ignores_the_numbering_of_workers: flt(lambda self, u: u.dense()[0]),
    properties.leaves_its_input_untouched: flt(lambda self, u: u.dense()[0]),
    properties.resumes_with_the_same_bits: flt(lambda self, u: u.dense().mean(0) * self.calls),
    properties.answers_only_plus_or_minus_one: (
        "sign", lambda self, u: torch.sign(u.dense().sum(0)),
    ),
    properties.ignores_the_scale_of_a_row: flt(lambda self, u: torch.sign(u.dense().mean(0))),
    properties.answers_the_same_on_both_channels: (
        "sign", lambda self, u: torch.sign(u.dense()[0]),
    ),
    properties.follows_unanimous_signs: (
        "sign", lambda self, u: vote(u) * (-1.0) ** (self.calls == 3),
    ),
    properties.answers_ties_and_zeros_with_plus_one: (
        "sign", lambda self, u: torch.where(u.dense().sum(0) > 0, 1.0, -1.0),
    ),
    keeps_what_all_honest_workers_agree_on: ("sign", lambda self, u: u.dense()[0]),
    properties.returns_a_unanimous_row: flt(lambda self, u: u.dense().sum(0)),
    # What squared distances make of it without a common centre.
    properties.stays_among_rows_that_are_nearly_alike: flt(
        lambda self, u: u.dense()[0] * (1 + 1e-5 * u.dense().std(0, correction=0).sign())
    ),
    properties.answers_zeros_with_zeros: flt(lambda self, u: u.dense()[0] / u.dense().norm()),
    properties.scales_with_its_input: flt(lambda self, u: u.dense().tanh().mean(0)),
    properties.moves_with_its_input: flt(lambda self, u: vote(u) * u.dense().abs().mean(0)),
    properties.turns_with_its_input: flt(lambda self, u: u.dense().median(0).values),
    # Each family of attacks by itself is more than a mean can bear.
    near_the_honest_rows(9.0, attacks=(FAR,)): flt(lambda self, u: u.dense().mean(0)),
    near_the_honest_rows(1.0, attacks=(NEAR,)): flt(lambda self, u: u.dense().mean(0)),
    near_the_honest_rows(9.0, attacks=(MIXED,)): flt(lambda self, u: u.dense().mean(0)),
    is_never_longer_than_the_median_row: flt(lambda self, u: u.dense().mean(0)),
}  # fmt: skip


@pytest.mark.parametrize("law", SABOTAGE, ids=case_id)
def test_law_catches_a_broken_rule(law):
    encoder, rule = SABOTAGE[law]
    with pytest.raises(AssertionError):
        law(lambda: Broken(rule, encoder))


def test_every_law_has_a_broken_rule():
    assert {law.__name__ for _, _, law in rules.cases()} == {law.__name__ for law in SABOTAGE}
