from itertools import count

import pytest
import torch

from strategies import STRATEGIES, Mean, SignMV
from tests.strategies import properties
from tests.strategies.properties import LINEAR, RULES, SIGN_VOTE, UNIVERSAL


def case_id(value):
    if isinstance(value, dict):
        return "-".join(map(str, value.values())) or "default"
    return getattr(value, "__name__", str(value))


@pytest.mark.parametrize("name, options, law", list(properties.cases()), ids=case_id)
def test_law(name, options, law):
    law(lambda: STRATEGIES[name](**options))


def test_every_rule_states_its_laws():
    assert set(RULES) == set(STRATEGIES)
    assert all(rule.laws for rule in RULES.values())


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


# What each law is there to catch. A law that catches nothing protects nothing.
SABOTAGE = {
    "answers_with_a_finite_vector": ("float32", lambda self, u: u.dense().mean(0) / (u.n - 1)),
    "ignores_the_order_of_arrival": ("float32", lambda self, u: u.dense()[0] + next(EVER_CALLED)),
    "ignores_the_numbering_of_workers": ("float32", lambda self, u: u.dense()[0]),
    "leaves_its_input_untouched": ("float32", lambda self, u: u.dense().mul_(0.5).sum(0)),
    "resumes_with_the_same_bits": ("float32", lambda self, u: u.dense().mean(0) * self.calls),
    "answers_only_plus_or_minus_one": ("sign", lambda self, u: torch.sign(u.dense().sum(0))),
    "ignores_the_scale_of_a_row": ("float32", lambda self, u: torch.sign(u.dense().mean(0))),
    "answers_the_same_on_both_channels": ("sign", lambda self, u: torch.sign(u.dense()[0])),
    "follows_unanimous_signs": ("sign", lambda self, u: vote(u) * (-1.0) ** (self.calls == 3)),
    "answers_ties_and_zeros_with_plus_one": (
        "sign", lambda self, u: torch.where(u.dense().sum(0) > 0, 1.0, -1.0),
    ),
    "returns_a_unanimous_row": ("float32", lambda self, u: u.dense().sum(0)),
    "scales_with_its_input": ("float32", lambda self, u: u.dense().tanh().mean(0)),
    "moves_with_its_input": ("float32", lambda self, u: vote(u) * u.dense().abs().mean(0)),
}  # fmt: skip


@pytest.mark.parametrize("law", UNIVERSAL + SIGN_VOTE + LINEAR, ids=case_id)
def test_law_catches_a_broken_rule(law):
    encoder, rule = SABOTAGE[law.__name__]
    with pytest.raises(AssertionError):
        law(lambda: Broken(rule, encoder))
