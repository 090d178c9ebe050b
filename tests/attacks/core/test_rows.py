"""What attacks compute from rows."""

import numpy as np
import pytest
import torch

from signfed.attacks.core import rows as of_rows
from signfed.attacks.core.arrays import contiguous, namespace
from signfed.attacks.core.rows import WIDTH, centred, deviation, lowest, mean
from tests.strategies.places import elsewhere


def test_a_share_that_is_no_float_takes_as_many_as_it_says():
    """0.29 * 100 is 28.999..."""
    assert lowest(np.arange(100.0), 0.29).sum() == 29


@pytest.mark.parametrize("n", [1, 3, 7, 40, 600])
def test_wider_pieces_on_a_device_have_the_same_deviations(n, monkeypatch):
    rows = torch.randn((n, 3 * WIDTH + 37), generator=torch.Generator().manual_seed(n))
    monkeypatch.setattr(of_rows, "ON_DEVICE", 2 * WIDTH * 40)
    widths, whole = [], of_rows.centred
    noted = lambda *given: widths.append(given[2]) or whole(*given)  # noqa: E731
    monkeypatch.setattr(of_rows, "centred", noted)
    expected = deviation(rows, mean(rows))
    found = deviation(elsewhere(rows), mean(rows))
    assert torch.equal(found.as_subclass(torch.Tensor), expected)
    assert widths[0] == WIDTH <= widths[1] and widths[1] % WIDTH == 0
    assert (widths[1] > WIDTH) == (n <= 40)
    assert n > 40 or n * widths[1] <= of_rows.ON_DEVICE


def test_distances_are_summed_over_pieces_as_ever():
    rows = elsewhere(torch.zeros(2, WIDTH + 1))
    assert [block.shape[1] for _, block in centred(rows, mean(rows))] == [WIDTH, 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_larger_of_a_tensor_and_a_number(dtype):
    values = torch.tensor([-1.0, 0.0, 1e-12, 3.0, float("inf"), float("nan")], dtype=dtype)
    for number in (0.0, 1e-9, np.float32(2.0)):
        expected = torch.maximum(values, torch.tensor(number, dtype=dtype))
        for found in (namespace(values).maximum(values, number),
                      namespace(values).maximum(number, values)):  # fmt: skip
            assert found.dtype == dtype and found.isnan()[-1]
            assert found[:-1].numpy().tobytes() == expected[:-1].numpy().tobytes()


def test_rows_are_made_contiguous_only_where_they_are_not():
    array, tensor = np.ones((2, 3)), torch.ones(2, 3)
    assert contiguous(array) is array and contiguous(tensor) is tensor
    assert contiguous(array[:, ::-1]).strides == (24, 8)
    assert contiguous(tensor[:, ::2]).stride() == (2, 1)
