"""Every rule on one matrix, each with its own answer: rules that are mixed up fail here."""

from itertools import combinations

import numpy as np
import pytest

from signfed.strategies.registry import STRATEGIES, aggregate
from tests.strategies.golden_matrix import ELSEWHERE, GOLDEN_MATRIX, ONE_VOTE, X
from tests.strategies.rules import factory
from tests.strategies.runs import middle, play


def by_row(found):
    """Findings as in the table: values in the order of rows, and rows for workers 10 i + 3."""
    if isinstance(found, dict):
        return pytest.approx(list(found.values()), abs=1e-5)
    return [by_row(each) for each in found] if isinstance(found, list) else (found - 3) // 10


@pytest.mark.parametrize("name, options, answer, findings", GOLDEN_MATRIX)
def test_answer(name, options, answer, findings):
    rows = {10 * i + 3: row for i, row in enumerate(X.astype(np.float32))}
    ((direction, found),) = play(factory(name, options)(), [rows])
    np.testing.assert_allclose(direction, answer, rtol=0, atol=1e-5)
    assert findings == {key: by_row(value) for key, value in found.items()}
    *mixing, rule = name.split()
    sizes = {key: value for key, value in options.items() if key == "size"}
    plain = aggregate(
        rule,
        X,
        pre_aggregation="".join(mixing) or "none",
        pre_aggregation_options=sizes,
        reference=middle(X),
        **{key: value for key, value in options.items() if key not in sizes},
    )
    np.testing.assert_allclose(plain, answer, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ONE_VOTE)
def test_the_first_vote_is_a_majority_vote(name):
    assert aggregate(name, X).tolist() == aggregate("sign-mv", X).tolist()


def test_the_table_tells_all_rules_apart():
    names = {name for name, *_ in GOLDEN_MATRIX if " " not in name}
    assert names.isdisjoint(ONE_VOTE) and names | {*ONE_VOTE, *ELSEWHERE} == set(STRATEGIES)
    answers = [np.array(answer) for _, _, answer, _ in GOLDEN_MATRIX]
    assert min(np.abs(a - b).max() for a, b in combinations(answers, 2)) > 0.2
