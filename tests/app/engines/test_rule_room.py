"""What rules make of the rows of a round, held to what is counted before a run."""

import weakref
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from signfed.app.engines.room import MODELS
from signfed.app.engines.rule_room import COPIED, bytes_of_rows
from signfed.clients import ENCODERS
from signfed.strategies.core.codecs import SignCodec
from signfed.strategies.core.rule import direction_of
from signfed.strategies.core.updates import Updates
from signfed.strategies.mean import Mean
from signfed.strategies.ops import gram
from signfed.strategies.pre_aggregations import PRE_AGGREGATIONS
from signfed.strategies.registry import STRATEGIES, build
from tests.strategies.places import elsewhere

M, N = 15, 1 << 15


class Peak(TorchDispatchMode):
    """Counts the bytes of tensors that are made inside, the most at a time: `peak`."""

    def __init__(self, *given):
        super().__init__()
        self.now = self.peak = 0
        self._sizes = {tensor.untyped_storage()._cdata: 0 for tensor in given}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._add(tensor.untyped_storage())
        return made

    def _add(self, storage):
        if storage._cdata not in self._sizes:
            self._sizes[storage._cdata] = storage.nbytes()
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._gone, storage._cdata)

    def _gone(self, place):
        self.now -= self._sizes.pop(place)


def peak_of(rule, *, on_signs):
    """Bytes besides the rows and a few vectors of the model's size, at the peak of two rounds."""
    rows = elsewhere(torch.randn(M, N, generator=torch.Generator().manual_seed(0)))
    updates = Updates.from_matrix(rows, signs=on_signs)
    updates = replace(updates, reference=rows[0].clone(), edges=(0, N // 2, N))
    del rows
    with Peak(updates.rows, updates.reference) as found:
        for server_round in (1, 2):
            direction_of(rule, replace(updates, server_round=server_round))
    return found.peak - 4 * MODELS * N


@pytest.mark.parametrize("name", [n for n, rule in STRATEGIES.items() if rule.encoder == "float32"])
def test_a_rule_on_floats_takes_no_more_than_is_counted(name, monkeypatch):
    monkeypatch.setattr(gram, "COLUMNS", 1 << 9)
    rule = build(STRATEGIES[name], n_byzantine=3, seed=0)
    counted = bytes_of_rows(rule, M, M, N, on_signs=False) - 4 * M * N
    found = peak_of(rule, on_signs=False)
    assert found <= counted
    assert rule.sorts == (found > COPIED * M * N)


@pytest.mark.parametrize("name", PRE_AGGREGATIONS)
def test_a_pre_aggregation_takes_no_more_than_is_counted(name, monkeypatch):
    monkeypatch.setattr(gram, "COLUMNS", 1 << 9)
    rule = build(PRE_AGGREGATIONS[name], Mean(), n_byzantine=3, seed=0)
    counted = bytes_of_rows(rule, M, M, N, on_signs=False) - 4 * M * N
    assert peak_of(rule, on_signs=False) <= counted


@pytest.mark.parametrize(
    "name", [n for n, rule in STRATEGIES.items() if rule.encoder != "float32" and n != "election"]
)
def test_a_rule_on_signs_takes_no_more_than_is_counted(name):
    rule = build(STRATEGIES[name], n_byzantine=3, seed=0)
    assert isinstance(ENCODERS[rule.encoder]().codec, SignCodec)
    counted = bytes_of_rows(rule, M, M, N, on_signs=True) - M * N // 8
    assert peak_of(rule, on_signs=True) <= counted
