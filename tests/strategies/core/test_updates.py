from dataclasses import replace

import numpy as np
import pytest
import torch

from signfed.strategies.core.codecs import CODECS, SignCodec
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.values import is_finite, is_signs

MATRIX = np.array([[1, -2, 3], [-4, 5, 6], [7, 8, -9]], np.float32)
IDS = [12, 3, 7]
SORTED = MATRIX[[1, 2, 0]]


def from_rows(channel):
    codec = CODECS[channel]
    rows = {worker: codec.encode(row) for worker, row in zip(IDS, MATRIX, strict=True)}
    return Updates.from_rows(rows, codec, 3, server_round=5)


def from_matrix(channel):
    signs = channel == "sign"
    return Updates.from_matrix(torch.from_numpy(MATRIX), IDS, server_round=5, signs=signs)


@pytest.mark.parametrize("build", [from_rows, from_matrix])
@pytest.mark.parametrize("channel", ["sign", "float32"])
def test_rows_are_sorted_by_worker(build, channel):
    updates = build(channel)
    assert updates.ids.dtype == torch.int64 and updates.ids.tolist() == [3, 7, 12]
    assert (updates.n, updates.server_round, updates.n_coordinates) == (3, 5, 3)
    expected = np.sign(SORTED) if channel == "sign" else SORTED
    assert updates.dense().dtype == torch.float32
    assert np.array_equal(updates.dense(), expected)
    bits = np.unpackbits(updates.signs().bits.numpy(), axis=1, count=3, bitorder="little")
    assert bits.tolist() == (SORTED >= 0).astype(int).tolist()


@pytest.mark.parametrize("build", [from_rows, from_matrix])
def test_packed_rows_exist_on_the_sign_channel_only(build):
    assert build("sign").packed().tolist() == [[0b110], [0b011], [0b101]]
    with pytest.raises(ValueError, match="needs the sign channel"):
        build("float32").packed()


def test_bits_stand_for_their_magnitude():
    codec = SignCodec(0.25)
    rows = {worker: codec.encode(row) for worker, row in zip(IDS, MATRIX, strict=True)}
    updates = Updates.from_rows(rows, codec, 3, server_round=5)
    assert (updates.magnitude, from_rows("sign").magnitude) == (0.25, 1.0)
    assert updates.dense().tolist() == (0.25 * np.sign(SORTED)).tolist()
    assert updates.signs().dense().tolist() == np.sign(SORTED).tolist()
    assert codec.decode(rows[3], 3).tolist() == [-0.25, 0.25, 0.25]


def test_layers_are_one_where_they_are_not_known():
    updates = from_rows("float32")
    assert (updates.layers, replace(updates, edges=(0, 1, 3)).layers) == ((0, 3), (0, 1, 3))


def test_workers_are_numbered_when_no_ids_are_given():
    assert Updates.from_matrix(torch.ones(3, 2)).ids.tolist() == [0, 1, 2]


def test_a_tensor_that_was_handed_in_is_not_changed():
    matrix = torch.from_numpy(MATRIX.copy())
    for signs in (False, True):
        updates = Updates.from_matrix(matrix, torch.tensor(IDS), signs=signs)
        updates.rows.zero_()  # not even when a rule breaks its word
    assert np.array_equal(matrix, MATRIX)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("derived", [False, True])
def test_signs_and_finite_values_of_any_kind_of_float(kind, derived):
    def vector(*values):
        return torch.tensor(values, dtype=kind, requires_grad=derived)

    assert is_signs(vector(1, -1)) and is_finite(vector(1, -3e38))
    for other in (0, 1.5, float("nan"), float("inf")):
        assert not is_signs(vector(1, other))
    for other in (float("nan"), float("inf"), float("-inf")):
        assert not is_finite(vector(1, other))
