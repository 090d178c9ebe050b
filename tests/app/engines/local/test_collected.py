"""What becomes of each worker's row, by hand: workers 2, 5, 7 and 8 are asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from signfed.app.engines.local.collected import of_one_matrix
from signfed.strategies.core.codecs import Float32Codec, SignCodec
from signfed.strategies.core.drop_reason import DropReason

ASKED = (2, 5, 7, 8)
NAN, INF = np.nan, np.inf


def made(rows, crafted, codec):
    matrix = torch.tensor(rows, dtype=torch.float32)
    on_wire = {
        place: None if row is None else codec.encode(np.array(row, np.float32))
        for place, row in crafted.items()
    }
    return of_one_matrix(matrix, on_wire, ASKED, codec, 3)


@pytest.mark.parametrize("codec, sent", [(Float32Codec(), [2, -3]), (SignCodec(), [1, -1])])
def test_a_worker_without_a_row_is_named_by_its_id(codec, sent):
    """The Byzantine ones are 5 and 8: 5 has no gradient and sends a row all the same."""
    rows = [[1, 1], [NAN, 1], [-1, INF], [1, 1]]
    updates, dropped = made(rows, {1: [2, -3], 3: None}, codec)
    assert dropped == dict.fromkeys((7, 8), DropReason.NON_FINITE)
    assert updates.ids.tolist() == [2, 5] and updates.server_round == 3
    assert updates.dense().tolist() == [[1, 1], sent]


def test_a_row_that_the_codec_finds_fault_with_is_dropped_with_its_reason():
    updates, dropped = made([[1, 1]] * 4, {0: [INF, 1]}, Float32Codec())
    assert dropped == {2: DropReason.NON_FINITE}
    assert updates.ids.tolist() == [5, 7, 8] and updates.n == 3


def test_nothing_valid_is_no_update():
    updates, dropped = made([[NAN, 1]] * 4, {2: None}, Float32Codec())
    assert updates is None and sorted(dropped) == list(ASKED)
