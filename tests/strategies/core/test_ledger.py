"""What a round on a device owes the CPU."""

from __future__ import annotations

import pytest
import torch

from signfed.strategies.core.ledger import Ledger
from signfed.strategies.core.updates import Updates


def test_an_error_of_one_keeps_from_the_others_nothing_that_they_are_owed():
    ledger, heard = Ledger(), []

    def refuse(values):
        raise KeyError(int(values))

    ledger.owe(torch.tensor(1), refuse)
    ledger.owe(torch.tensor(2), lambda values: heard.append(int(values)))
    ledger.owe(torch.tensor(3), refuse)
    with pytest.raises(KeyError, match="1"):
        ledger.read()
    assert heard == [2] and not ledger and ledger.read() == []


def test_a_part_without_values_may_lie_on_any_device():
    ledger, heard = Ledger(), []
    ledger.owe(torch.empty(0, device="meta"), lambda values: heard.append(values.tolist()))
    [found] = ledger.read(torch.tensor([1.5, 2.5]))
    assert found.tolist() == [1.5, 2.5] and heard == [[]]


def test_what_the_cpu_has_already_is_not_owed():
    """It could not be read together with what lies on the device of the rows."""
    ledger, heard = Ledger(), []
    rows = torch.empty(2, 4, device="meta")
    updates = Updates(torch.arange(2), 1, 4, rows, on_sign_channel=False, ledger=ledger)
    updates.owe(torch.ones(2), heard.append)
    assert len(heard) == 1 and not ledger
    updates.owe(rows.sum(dim=1), heard.append)
    assert len(heard) == 1 and ledger
