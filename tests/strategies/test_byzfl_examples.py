"""The examples in ByzFL 0.0.11's documentation, with the options that make our rules theirs.

All are on the rows 1 2 3, 4 5 6, 7 8 9, f = 1; its own unit tests expect the same.
"""

import numpy as np
import pytest
import torch

from signfed.strategies.registry import aggregate

ROWS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
MIDDLE, LOWER = [4.0, 5.0, 6.0], [2.5, 3.5, 4.5]
F = {"n_byzantine": 1}
# Krum sums n-f-1 distances there and is content with n > 2f; Multi-Krum averages n-f rows.
THEIR_KRUM = F | {"neighbours": 1, "strict": False}
EXAMPLES = [
    ("mean", {}, MIDDLE),
    ("median", {}, MIDDLE),
    ("trimmed-mean", F, MIDDLE),
    ("krum", THEIR_KRUM, [1.0, 2.0, 3.0]),
    ("multi-krum", THEIR_KRUM | {"selected": 2}, LOWER),
    ("centered-clipping", {"radius": 100.0, "iterations": 1}, MIDDLE),
    ("mda", F, LOWER),
    ("monna", F | {"trusted": "1"}, LOWER),
    ("meamed", F, LOWER),
    ("caf", F, MIDDLE),
    ("smea", F, LOWER),
]
FORMS = {"array": np.array, "arrays": list, "tensor": torch.tensor,
         "tensors": lambda rows: list(torch.tensor(rows))}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name, options, printed", EXAMPLES, ids=lambda value: str(value)[:20])
def test_the_answer_is_the_printed_one(name, options, printed, form):
    np.testing.assert_allclose(aggregate(name, FORMS[form](ROWS), **options), printed, atol=1e-5)


# Before a mean: what is printed for the rows, averaged.
MIXED = {
    "nnm": ([[2.5, 3.5, 4.5], [2.5, 3.5, 4.5], [5.5, 6.5, 7.5]], {}),
    "clipping": (
        [
            [0.53452248, 1.06904497, 1.60356745],
            [0.91168461, 1.13960576, 1.36752692],
            [1.00514142, 1.14873305, 1.29232469],
        ],
        {"threshold": 2.0},
    ),
    "arc": ([[1, 2, 3], [4, 5, 6], [4.41004009, 5.04004582, 5.67005155]], {}),
}


@pytest.mark.parametrize("mixing", MIXED)
def test_the_rows_are_the_printed_ones(mixing):
    printed, options = MIXED[mixing]
    found = aggregate("mean", ROWS, pre_aggregation=mixing, pre_aggregation_options=options, **F)
    np.testing.assert_allclose(found, np.mean(printed, axis=0), rtol=1e-6)


@pytest.mark.parametrize("trusted", ["0", "1"])
def test_byzpys_example_of_monna(trusted):
    """Of the two that are equally near to the first row the first."""
    rows = [[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]]
    assert aggregate("monna", rows, n_byzantine=1, trusted=trusted).tolist() == [5.0, 0.0]
