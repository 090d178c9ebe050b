"""What a cell's round is estimated to take, from a few rounds."""

from __future__ import annotations

from itertools import accumulate, chain, repeat
from types import SimpleNamespace

import pytest

from signfed.app.experiments import speed
from signfed.app.experiments.cells import cells_of
from signfed.app.experiments.sweep import Sweep
from signfed.app.experiments.work import KeptData

QUADRATIC = {"task": "quadratic", "num-rounds": 300, "num-byzantine": 2, "device": "cpu"}


@pytest.mark.parametrize("first", [0.01, 5.0])
@pytest.mark.parametrize("each", [0.01, 2.0])
def test_the_first_round_is_not_counted_however_long_it_takes(monkeypatch, first, each):
    ticks = accumulate(chain([0.0, first], repeat(each)))
    monkeypatch.setattr(speed, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    cell = cells_of(Sweep("one", QUADRATIC), load=None)[0]

    assert speed.seconds_per_round(cell, KeptData()) == pytest.approx(each)
