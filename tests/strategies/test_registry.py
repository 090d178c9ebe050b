"""One call of a rule by its name: what it takes for a matrix, which options, and what it says."""

import numpy as np
import pytest
import torch

from signfed.strategies.core.matrix import as_rows
from signfed.strategies.core.options import OptionError
from signfed.strategies.pre_aggregations import PRE_AGGREGATIONS
from signfed.strategies.registry import STRATEGIES, aggregate
from tests.strategies.runs import same_bits

ROWS = np.array([[1.0, -2.0, 0.5], [3.0, -4.0, 0.25], [-5.0, 6.0, 8.0]], np.float32)
SAME = {
    "float64": ROWS.astype(np.float64),
    "columns first": np.asfortranarray(ROWS),
    "backwards": np.ascontiguousarray(ROWS[::-1, ::-1])[::-1, ::-1],
    "big-endian": ROWS.astype(">f4"),
    "numbers": ROWS.tolist(),
    "tuples": tuple(map(tuple, ROWS.tolist())),
    "arrays": list(ROWS),
    "tensor": torch.from_numpy(ROWS),
    "tensors": list(torch.from_numpy(ROWS)),
    "with a gradient": torch.from_numpy(ROWS).requires_grad_(),
    "of each": [torch.from_numpy(ROWS[0]), ROWS[1], ROWS[2].tolist()],
}


@pytest.mark.parametrize("name", ["mean", "median", "sign-mv"])
@pytest.mark.parametrize("matrix", SAME.values(), ids=SAME)
def test_any_form_of_rows_gives_the_same_answer(name, matrix):
    answer = aggregate(name, matrix)
    first = matrix[0] if isinstance(matrix, list | tuple) else matrix
    assert isinstance(answer, torch.Tensor if isinstance(first, torch.Tensor) else np.ndarray)
    assert same_bits(np.asarray(answer), aggregate(name, ROWS))


@pytest.mark.parametrize("matrix", [np.array([[1, 2]]), np.array([[True, False]]), [[1, 2]]])
def test_whole_numbers_are_numbers(matrix):
    assert as_rows(matrix).dtype == torch.float32
    assert aggregate("mean", matrix).shape == (2,)


def test_a_read_only_matrix_is_copied_not_warned_about(recwarn):
    matrix = ROWS.copy()
    matrix.flags.writeable = False
    aggregate("mean", matrix)
    assert not recwarn.list


WRONG = [
    (None, TypeError, "got NoneType"),
    ("1 2", TypeError, "a list or tuple of rows; got str"),
    ({0: [1.0]}, TypeError, "got dict"),
    (iter([[1.0]]), TypeError, "expected a NumPy array, a tensor, or a list or tuple of rows"),
    ([], ValueError, r"n and N at least 1; got shape \(0,\)"),
    ([1.0, 2.0], ValueError, r"n rows of N values each, .*; got shape \(2,\)"),
    (np.ones(3), ValueError, r"got shape \(3,\)"),
    (torch.ones(2, 3, 4), ValueError, r"got shape \(2, 3, 4\)"),
    (np.ones((0, 3)), ValueError, r"got shape \(0, 3\)"),
    (np.ones((3, 0)), ValueError, r"got shape \(3, 0\)"),
    ([[1.0, 2.0], [3.0]], ValueError, r"rows of one length; got the shapes \[\(1,\), \(2,\)\]"),
    ([torch.ones(2), torch.ones(3)], ValueError, r"got the shapes \[\(2,\), \(3,\)\]"),
    ([[1.0, [2.0, 3.0]]], ValueError, "expected numbers in rows of one length"),
    ([["a", "b"]], ValueError, "expected real numbers; got values of type <U1"),
    ([[None, 1.0]], ValueError, "expected real numbers; got values of type object"),
    (np.ones((2, 2), complex), ValueError, "expected real numbers; got values of type complex128"),
    (torch.ones(2, 2, dtype=torch.complex64), ValueError, "got values of type torch.complex64"),
]


@pytest.mark.parametrize("matrix, error, said", WRONG)
def test_what_is_no_matrix_is_refused(matrix, error, said):
    with pytest.raises(error, match=f"^matrix: .*{said}"):
        aggregate("mean", matrix)


REFUSED = [
    ("krum", {"neighbors": 1}, "krum has no option 'neighbors'; expected neighbours, strict"),
    ("mean", {"size": 1}, "mean has no option 'size'; expected none"),
    ("krum", {"neighbours": -1}, "neighbours: expected a whole number of at least 0; got -1"),
    (
        "mean",
        {"pre_aggregation": "nnm", "pre_aggregation_options": {"size": 3}},
        "nnm has no option 'size'; expected none",
    ),
    (
        "mean",
        {"pre_aggregation": "bucketing", "pre_aggregation_options": {"s": 3}},
        "bucketing has no option 's'; expected size",
    ),
    ("mean", {"pre_aggregation_options": {"size": 3}}, "expected none without a pre-aggregation"),
    (
        "mean",
        {"pre_aggregation": "clipping,nnm", "pre_aggregation_options": {"nnm.threshold": 3.0}},
        "clipping,nnm has no option 'nnm.threshold'; expected threshold",
    ),
]


@pytest.mark.parametrize("name, options, said", REFUSED)
def test_options_that_do_not_exist_are_refused(name, options, said):
    with pytest.raises(OptionError, match=said):
        aggregate(name, ROWS, **options)


def test_unknown_names_are_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match=f"unknown rule 'vote'; .* {', '.join(STRATEGIES)}$"):
        aggregate("vote", ROWS)
    names = (
        f"^pre_aggregation: expected one of none, {', '.join(PRE_AGGREGATIONS)}, or some in a row"
    )
    for wrong in ("mix", "clipping,mix", "nnm,", "none,nnm"):
        with pytest.raises(ValueError, match=f"{names}, 'clipping,nnm'; got '{wrong}'$"):
            aggregate("mean", ROWS, pre_aggregation=wrong)


@pytest.mark.parametrize("kinds", [STRATEGIES, PRE_AGGREGATIONS])
def test_every_rule_says_what_it_is(kinds):
    """An executed example, the precondition, the deviation and where it was published."""
    for name, kind in kinds.items():
        doc = kind.__doc__
        assert all(word in doc for word in (">>> ", "Deviation", "References")), name


@pytest.mark.parametrize("name", STRATEGIES)
def test_no_option_hides_a_method(name):
    """An option `start` once hid `Strategy.start`: on Flower, and nowhere else, the run ended."""
    rule = STRATEGIES[name]()
    assert [at for at in vars(rule) if callable(getattr(type(rule), at, None))] == []
