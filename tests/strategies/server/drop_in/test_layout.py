"""A model of many arrays as one vector, and back, whatever their dtypes and shapes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord
from hypothesis import given, settings
from hypothesis import strategies as st

from signfed import Mean
from signfed.strategies.server.transport.layout import BFLOAT16, Form, Layout, is_finite
from signfed.strategies.server.transport.payload import Malformed
from tests.strategies.server.drop_in.app import client, grid

FLOATS = ("<f2", "<f4", "<f8")
SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)


def bfloat16(values: torch.Tensor) -> Array:
    """As an app that has ml_dtypes writes it: two bytes a value, which NumPy calls V2."""
    halves = values.to(torch.bfloat16).view(torch.int16).numpy().view("V2")
    saved = Array(halves)
    return Array(BFLOAT16, tuple(values.shape), saved.stype, saved.data)


def as_torch(array: Array) -> torch.Tensor:
    assert array.dtype == BFLOAT16
    halves = np.ascontiguousarray(array.numpy()).view(np.int16)
    return torch.from_numpy(halves.copy()).view(torch.bfloat16)


@settings(max_examples=50)
@given(forms=st.lists(st.tuples(st.sampled_from([*FLOATS, "<i8", "|b1"]), SHAPES), min_size=1))
def test_a_model_survives_the_way_to_a_vector_and_back(forms):
    draws = np.random.default_rng(0)
    arrays = {"first": Array(np.ones(2, np.float32))}
    for i, (dtype, shape) in enumerate(forms):
        arrays[f"array {i}"] = Array(np.asarray(draws.integers(-9, 9, shape)).astype(dtype))
    record = ArrayRecord(arrays)
    layout = Layout(record)
    back = layout.arrays(layout.flat(record), layout.values(record, beside=True))
    assert [(n, a.dtype, a.shape, a.data) for n, a in back.items()] == [
        (n, a.dtype, a.shape, a.data) for n, a in record.items()
    ]
    assert layout.n_coordinates == 2 + sum(
        a.numpy().size for a in arrays.values() if a.numpy().dtype.kind == "f"
    ) - 2  # fmt: skip


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_the_update_is_the_difference_in_either_order_of_memory(order, dtype):
    draws = np.random.default_rng(1)
    x, y = (draws.standard_normal((3, 4)).astype(dtype) for _ in range(2))
    layout = Layout(ArrayRecord({"w": Array(x)}))
    out = np.full(12, np.nan, np.float32)
    layout.update({"w": x}, {"w": Array(np.asarray(y, order=order))}, out)
    expected = (x.astype(np.float64) - y.astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(out, expected.ravel())


def test_a_difference_of_halves_is_not_rounded_to_halves():
    x, y = np.array([2048.0], np.float16), np.array([0.5], np.float16)
    out = np.empty(1, np.float32)
    Layout(ArrayRecord({"w": Array(x)})).update({"w": x}, {"w": Array(y)}, out)
    assert out[0] == 2047.5


def test_bfloat16_is_rounded_as_torch_rounds_it():
    values = torch.randn(2000, generator=torch.Generator().manual_seed(0)) * 10.0
    form = Form("w", (2000,), BFLOAT16)
    written = form.write(values.numpy())
    assert torch.equal(as_torch(written), values.to(torch.bfloat16))
    np.testing.assert_array_equal(form.read(written), values.to(torch.bfloat16).float().numpy())


def test_a_bfloat16_model_trains():
    initial = ArrayRecord({"w": bfloat16(torch.ones(3, 2)), "b": Array(np.zeros(2, np.float32))})

    def train(arrays, partition, server_round):
        values = torch.from_numpy(arrays["w"].view(np.int16).copy()).view(torch.bfloat16)
        made = bfloat16(values - 0.5)
        return {"w": made.numpy(), "b": arrays["b"] - 1}

    done = Mean(fraction_evaluate=0.0).start(grid(3, client(train)), initial, 2)
    assert as_torch(done.arrays["w"]).tolist() == [[0.0, 0.0]] * 3
    assert done.arrays["b"].numpy().tolist() == [-2.0, -2.0]


@pytest.mark.parametrize(
    "other, reason",
    [
        (np.ones((4, 3), np.float32), "wrong-shape"),
        (np.ones(12, np.float32), "wrong-shape"),
        (np.ones((3, 4), np.float64), "wrong-dtype"),
        (np.ones((3, 4), ">f4"), "wrong-dtype"),
    ],
)
def test_an_array_of_another_form_is_refused_with_what_was_expected(other, reason):
    form = Form("w", (3, 4), "float32")
    with pytest.raises(Malformed) as refused:
        form.read(Array(other))
    assert refused.value.reason == reason
    assert refused.value.detail == "array 'w': expected float32 of shape (3, 4)"


@pytest.mark.parametrize(
    "values, finite",
    [([1.0, 2.0], True), ([3e38, 3e38], True), ([3e38, np.inf], False), ([np.nan, 0.0], False),
     ([np.inf, -np.inf], False), ([], True)],
)  # fmt: skip
def test_finite_values_are_told_from_others_where_their_sum_overflows_too(values, finite):
    assert is_finite(np.array(values, np.float32)) is finite
