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
    mean, other, krum, _ = cells
    clock = Clock(known(tmp_path, (mean, 10.0), (krum, 30.0)))
    mean, krum = load_of(other.config), load_of(krum.config)
    assert clock.seconds(krum) == 30.0 and clock.seconds(mean) == 10.0
    assert clock.total({krum: 1, mean: 1}, 1) == 40.0
    assert clock.total({krum: 2, mean: 1}, 1) == 70.0 and clock.total({krum: 0, mean: 1}, 1) == 10.0
    assert clock.total({krum: 1, mean: 1}, 2) == 30.0, "no shorter than the longest one"
    assert clock.seconds(krum._replace(rounds=20)) == 60.0
    assert clock.seconds(krum._replace(strategy="median")) == 20.0, "a mean of both"
    other_task = krum._replace(task="digits")
    assert clock.seconds(other_task) is None and clock.total({other_task: 1, krum: 1}, 2) is None
    clock.add(other_task, 0.5)
    assert clock.seconds(other_task._replace(attack="noise")) == 0.5 * 10
    assert clock.total({}, 2) == 0.0


def test_the_manifest_of_a_sweep_that_was_killed_is_whole(tmp_path, cells):
    """What was not saved is read from the journal, whose last line may be cut off."""
    written = known(tmp_path, (cells[0], 10.0))
    written.begin(cells[2])
    assert not (tmp_path / "manifest.json").exists()
    with (tmp_path / "manifest.jsonl").open("a") as journal:
        journal.write('{"cells": {"half')
    read = Manifest(tmp_path)
    assert read.cells == written.cells and read.code_of(cells[2].id) == cells[2].code
    assert [known["status"] for known in read.cells.values()] == ["finished", "started"]
    read.save()
    assert not (tmp_path / "manifest.jsonl").exists() and Manifest(tmp_path).cells == read.cells


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
