"""The search for the most harmful factor, and the attacks that use it, beside ByzFL's own."""

import byzfl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signfed import aggregate
from signfed.attacks import ATTACKS, View, attack, build
from signfed.attacks.core.line_search import farthest, line_search
from tests.attacks.inputs import crafted, matrix, randn

FEW = settings(max_examples=40)


def slow_search(harm, evaluations, step):
    """ByzFL's two phases one after the other: steps grow until one fails, then they shrink."""
    left, best = evaluations - 1, 0.0
    most = harm(best)
    while left:
        left -= 1
        if harm(best + step) <= most:
            break
        best += step
        most, step = harm(best), 2 * step
    step = step * 0.8
    while left:
        left -= 1
        if harm(best + step) > most:
            best, most = best + step, harm(best + step)
        step = step * 0.8
    return best


@FEW
@given(
    st.floats(0.01, 300), st.floats(0.1, 20), st.integers(1, 25),
    st.sampled_from([lambda x, p: -abs(x - p), lambda x, p: min(x, p), lambda x, p: x % p]),
)  # fmt: skip
def test_the_search_is_that_of_the_two_phases(peak, step, evaluations, shape):
    asked = []

    def harm(x):
        asked.append(x)
        return shape(x, peak)

    found = line_search(harm, evaluations, step)
    assert len(asked) == evaluations and asked[0] == 0.0 and found in asked
    assert found == slow_search(lambda x: shape(x, peak), evaluations, step)
    assert harm(found) == max(shape(x, peak) for x in asked[:evaluations])


@pytest.mark.parametrize(
    "harms, expected",
    [
        ({0.0: 0.0, 1.0: np.nan, 0.8: 1.0}, 0.8),
        ({0.0: -np.inf, 1.0: 0.0, 3.0: 0.5}, 3.0),
        ({0.0: -np.inf, 1.0: -np.inf, 0.8: -np.inf}, 0.0),
        ({0.0: 5.0, 1.0: 5.0, 0.8: 5.0}, 0.0),  # as good is not better
    ],
)
def test_what_is_no_number_is_never_better(harms, expected):
    assert line_search(lambda x: harms[x], 3, 1.0) == expected


BYZFL = {
    "opt-alie": byzfl.Optimal_ALittleIsEnough,
    "opt-ipm": byzfl.Optimal_InnerProductManipulation,
}
RULES = {
    "mean": byzfl.Average(),
    "median": byzfl.Median(),
    "trimmed-mean": byzfl.TrMean(f=2),
    "krum": byzfl.Krum(f=2),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", BYZFL)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_sent_is_what_byzfl_sends(name, rule, seed):
    """7 honest rows and 2 of the attackers, against ByzFL's rules; the factor is found alike."""
    honest = 0.3 + randn(7, 20, seed=seed)
    theirs = BYZFL[name](agg=RULES[rule], pre_agg_list=[], f=2, evals=20, delta=10.0)
    expected = theirs(honest.astype(np.float64))
    sent = crafted(name, randn(2, 20), honest, rule=RULES[rule])
    assert sent == pytest.approx(np.stack([expected, expected]), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("name", BYZFL)
@pytest.mark.parametrize("rule", ["median", "trimmed-mean", "geometric-median", "signguard"])
def test_it_does_no_less_harm_than_what_was_tried(name, rule):
    """In the harm that it goes by: each length asked about, and those of ipm and lie by default."""
    honest, asked = 0.3 + randn(9, 40, seed=5), []

    def answer(rows):
        asked.append(rows)
        return aggregate(rule, rows, n_byzantine=3)

    mu = honest.mean(axis=0)
    sent = crafted(name, randn(3, 40), honest, rule=answer)
    harm = np.linalg.norm(aggregate(rule, np.concatenate([honest, sent]), n_byzantine=3) - mu)
    tried = [np.linalg.norm(aggregate(rule, rows, n_byzantine=3) - mu) for rows in asked]
    assert len(tried) == 20 and harm == pytest.approx(max(tried), rel=1e-5)
    usual = crafted({"opt-alie": "lie", "opt-ipm": "ipm"}[name], randn(3, 40), honest)
    rows = np.concatenate([honest, usual])
    assert harm >= np.linalg.norm(aggregate(rule, rows, n_byzantine=3) - mu)


def test_minus_goes_the_other_way():
    """The middle of -1, 0, 1 and mu -+ 10 s."""
    honest, own = matrix([-1], [0], [1]), matrix([5])
    for direction, expected in (("plus", 10.0), ("minus", -10.0)):
        sent = crafted("opt-alie", own, honest, rule=lambda r: r.mean(0), direction=direction,
                       evaluations=2)  # fmt: skip
        assert sent.tolist() == [[expected]]


def test_an_aggregate_that_is_not_finite_does_no_harm():
    """The server skips such a round. Here lengths above 5 overflow."""

    def rule(rows):
        return np.where(np.abs(rows).max() > 5, np.inf, rows.mean(axis=0))

    sent = crafted("opt-ipm", matrix([0]), matrix([1], [1]), rule=rule)
    assert -5 <= sent[0, 0] < -4


def test_rows_of_the_rule_are_the_finite_ones_by_worker():
    seen = []
    honest = matrix([1, 1], [np.nan, 0], [3, 3])
    crafted("opt-ipm", matrix([9, 9]), honest, ids=[1], honest_ids=[5, 2, 0], evaluations=1,
            rule=lambda rows: seen.append(rows) or rows[0])  # fmt: skip
    assert seen[0].tolist() == [[3, 3], [0, 0], [1, 1]]  # workers 0, 1, 5


class Counting:
    """A rule with a memory."""

    def __init__(self):
        self.calls = 0

    def __call__(self, rows):
        self.calls += 1
        return rows.mean(axis=0) * self.calls


def test_a_rule_with_a_memory_is_asked_without_a_trace():
    rule = Counting()
    first, again = (crafted("opt-alie", honest=randn(4, 4), rule=rule) for _ in range(2))
    assert rule.calls == 0 and first.tobytes() == again.tobytes()


def test_a_rule_has_to_be_given_and_to_return_a_vector():
    honest = randn(3, 4)
    with pytest.raises(ValueError, match=r"asks the server's rule: pass rule, .* aggregate\('med"):
        crafted("opt-ipm", honest=honest)
    for returned, text in ((None, "NoneType"), (np.ones(3), r"shape \(3,\)"), ("x", "str")):
        with pytest.raises(ValueError, match=f"returns 4 real numbers; it returned .*{text}"):
            crafted("opt-ipm", honest=honest, rule=lambda rows, value=returned: value)


@pytest.mark.parametrize("rows", [np.ones(4), np.ones((1, 4)), np.ones((2, 3)), None, "x"])
def test_what_the_rule_is_asked_about_is_a_row_for_each_attacker(rows, monkeypatch):
    @attack(knowledge="omniscient", stage="gradient", rule=True)
    def asks(view):
        return np.tile(view.aggregate(rows), (2, 1))

    monkeypatch.setitem(ATTACKS, "asks", asks)
    with pytest.raises(ValueError, match=r":asks': expected .* of shape \(2, 4\), as view.own"):
        crafted("asks", honest=randn(3, 4), rule=lambda rows: rows[0])


def test_a_part_that_asks_the_rule_makes_the_whole_ask_it():
    assert build("byzmean", inner="opt-ipm").rule and not build("byzmean").rule
    honest = randn(5, 4)
    sent = crafted("byzmean", randn(2, 4), honest, inner="opt-ipm", rule=lambda r: r.mean(0))
    alone = crafted("opt-ipm", randn(2, 4), honest, rule=lambda r: r.mean(0))
    assert np.concatenate([sent, honest]).mean(axis=0) == pytest.approx(alone[0], rel=1e-4)


def test_the_row_is_asked_about_for_all_attackers_at_once():
    asked = []
    view = View(randn(3, 2), (), 9, aggregate=lambda sent: asked.append(sent) or sent[0])
    sent = farthest(view, lambda x: np.array([x, 0.0]), np.zeros(2), 2, 1.0)
    assert [rows.tolist() for rows in asked] == [[[0, 0]] * 3, [[1, 0]] * 3]
    assert sent.tolist() == [[1, 0]] * 3
