"""Every rule on one matrix, each with its own answer: rules that are mixed up fail here."""

from itertools import combinations

import numpy as np
import pytest

from signfed.strategies.registry import STRATEGIES, aggregate
from tests.strategies.golden_matrix import (
    ELSEWHERE,
    GOLDEN_LINE,
    GOLDEN_MATRIX,
    LINE,
    ONE_VOTE,
    X,
)
from tests.strategies.rules import factory
from tests.strategies.runs import middle, play


def by_row(found):
    """Findings as in the table: values in the order of rows, and rows for workers 10 i + 3."""
    if isinstance(found, dict):
        return pytest.approx(list(found.values()), abs=1e-5)
    return [by_row(each) for each in found] if isinstance(found, list) else (found - 3) // 10


@pytest.mark.parametrize(
    "matrix, name, options, answer, findings",
    [(X, *case) for case in GOLDEN_MATRIX] + [(LINE, *case) for case in GOLDEN_LINE],
)
def test_answer(matrix, name, options, answer, findings):
    rows = {10 * i + 3: row for i, row in enumerate(matrix.astype(np.float32))}
    ((direction, found),) = play(factory(name, options)(), [rows])
    np.testing.assert_allclose(direction, answer, rtol=0, atol=1e-5)
    assert findings == {key: by_row(value) for key, value in found.items()}
    *mixing, rule = name.split()
    of_mixers = {key: value for key, value in options.items() if key in ("size", "threshold")}
    plain = aggregate(
        rule,
        matrix,
        pre_aggregation=",".join(mixing) or "none",
        pre_aggregation_options=of_mixers,
        reference=middle(matrix),
        **{key: value for key, value in options.items() if key not in of_mixers},
    )
    np.testing.assert_allclose(plain, answer, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ONE_VOTE)
def test_the_first_vote_is_a_majority_vote(name):
    assert aggregate(name, X).tolist() == aggregate("sign-mv", X).tolist()


def test_the_table_tells_all_rules_apart():
    tables = (GOLDEN_MATRIX, GOLDEN_LINE)
    names = {name for table in tables for name, *_ in table if " " not in name}
    assert names.isdisjoint(ONE_VOTE) and names | {*ONE_VOTE, *ELSEWHERE} == set(STRATEGIES)
    for table in tables:
        answers = [np.array(answer) for _, _, answer, _ in table]
        assert min(np.abs(a - b).max() for a, b in combinations(answers, 2)) > 0.2
