"""What a round on a device owes the CPU."""

from __future__ import annotations

import pytest
import torch

from signfed.strategies.core.ledger import Ledger


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
