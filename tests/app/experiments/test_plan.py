"""How long a sweep takes, by hand; what its terminal says."""

from __future__ import annotations

import io
from datetime import datetime, timedelta

import pytest
from rich.console import Console

from signfed.app.experiments.cells import cells_of
from signfed.app.experiments.manifest import Manifest, load_of
from signfed.app.experiments.plan import Clock, Step, changed
from signfed.app.experiments.show import ShownSweep
from signfed.app.experiments.sweep import Sweep
from signfed.app.experiments.work import Outcome

QUICK = {"task": "quadratic", "num-rounds": 10, "num-byzantine": 2, "device": "cpu"}


@pytest.fixture
def cells():
    return cells_of(Sweep("x", QUICK, {"strategy": ["mean", "krum"], "lr": [0.1, 0.2]}), load=None)


def known(folder, *timed):
    """A manifest of cells that took so many seconds."""
    manifest = Manifest(folder)
    for cell, seconds in timed:
        manifest.begin(cell)
        manifest.end(cell, "finished", seconds)
    return manifest


def test_the_most_alike_cells_count(tmp_path, cells):
    mean, _, krum, other_krum = cells
    clock = Clock(known(tmp_path, (mean, 10.0), (krum, 30.0)))
    assert clock.seconds(other_krum) == 30.0 and clock.seconds(cells[1]) == 10.0
    assert clock.total([other_krum, cells[1]], 1) == 40.0
    assert clock.total([other_krum, cells[1]], 2) == 30.0, "no shorter than the longest one"
    [longer] = cells_of(Sweep("x", {**QUICK, "num-rounds": 20, "strategy": "krum"}), load=None)
    assert clock.seconds(longer) == 60.0
    [other_task] = cells_of(Sweep("x", {"strategy": "mean", "num-byzantine": 2}), load=None)
    assert clock.seconds(other_task) is None and clock.total([other_task, krum], 2) is None
    clock.add(load_of(other_task.config), 0.5)
    assert clock.seconds(other_task) == 0.5 * 300
    assert clock.total([], 2) == 0.0


def test_changed_modules_are_named():
    before = dict.fromkeys("abcde", "1")
    assert changed(before, before | {"e": "2"}) == "e"
    assert changed(before, {"a": "1"}) == "b, c, d and 1 more"


def test_what_the_terminal_says(tmp_path, cells):
    console = Console(width=100, record=True, file=io.StringIO(), force_terminal=True)
    mean, other, krum, _ = cells
    steps = [Step(mean, False, "done"), Step(other, True, "new"), Step(krum, True, "new")]
    with ShownSweep(console, tmp_path) as shown:
        shown.planned(steps, 1, known(tmp_path, (mean, 7200.0)))
        assert shown._news() in {  # the clock may tick in between
            f"ends about {datetime.now() + timedelta(seconds=14400 - late):%H:%M:%S}"
            for late in range(30)
        }
        shown.ended(other, Outcome("finished"), False)
        shown.ended(krum, Outcome("failed", "OSError: full [disk]"), True)
        assert not shown.failed
        shown.ended(krum, Outcome("failed", "OSError: full [disk]"), False)
    said = console.export_text()
    assert "failed, is tried again: strategy='krum' lr=0.1 seed=0: OSError: full [disk]" in said
    assert "traceback.txt" in said and "3/3" in said and "1 failed" in said and shown.failed == 1
