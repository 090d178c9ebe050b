"""What the tests of a round on a device can see."""

import numpy as np
import pytest
import torch

from signfed.strategies.ops.linalg import average, ordered
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.ops.upload import uploaded
from signfed.strategies.sign_mv import majority_vote
from tests.strategies.places import Waits, counted

INDEX, ROW = torch.tensor([0, 2]), torch.ones(4)

WAITING = {
    "indices of the CPU": lambda rows: rows[INDEX],
    "a list of indices": lambda rows: rows[[0, 1]],
    "written where indices of the CPU say": lambda rows: rows.__setitem__(INDEX, 1.0),
    "a tensor of the CPU written": lambda rows: rows.__setitem__(1, ROW),
    "moved to the device": lambda rows: ROW.to(rows.device),
    "moved to where another is": lambda rows: ROW.to(rows),
    "made of numbers": lambda rows: torch.tensor([1, 2], device=rows.device),
}
NOT_WAITING = {
    "a number written": lambda rows: rows.__setitem__(1, 5.0),
    "a number for an index": lambda rows: rows[1],
    "uploaded": lambda rows: rows[uploaded(INDEX, rows.device)],
    "moved while nobody waits": lambda rows: ROW.to(rows.device, non_blocking=True),
    "made on the device": lambda rows: torch.zeros(3, device=rows.device)[:2],
    "another type": lambda rows: rows.to(rows.device, torch.float64),
    "the mean of rows": lambda rows: average(rows, INDEX),
    "order statistics": lambda rows: ordered(rows, (1, 2)),
    "ties that are a number": lambda rows: majority_vote(PackedSigns.pack(rows), 0.0),
    "ties that are drawn": lambda rows: majority_vote(PackedSigns.pack(rows), ROW),
}


@pytest.mark.parametrize("what", WAITING | NOT_WAITING)
def test_what_is_sent_to_a_device_is_seen_where_it_is_waited_for(what):
    rows = counted(np.ones((4, 4), np.float32))
    with Waits() as waits:
        (WAITING | NOT_WAITING)[what](rows)
    assert waits.found == ["upload"] * (what in WAITING)
