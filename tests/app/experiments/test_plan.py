"""How long a sweep takes, by hand; what its terminal says."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta

import pytest
from rich.console import Console

from signfed.app.config.run_config import parse
from signfed.app.experiments import manifest
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
    written = Manifest(folder)
    for cell, seconds in timed:
        written.begin(cell)
        written.end(cell, "finished", seconds, manifest.surroundings())
    return written


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
    assert clock.seconds(krum._replace(samples=krum.samples * 3)) == 60.0, "by the sample"
    assert clock.seconds(krum._replace(device="cuda")) is None
    other_task = krum._replace(task="digits")
    assert clock.seconds(other_task) is None and clock.total({other_task: 1, krum: 1}, 2) is None
    clock.add(other_task, 0.5)
    assert clock.seconds(other_task._replace(attack="noise")) == 0.5 * 10
    assert clock.total({}, 2) == 0.0


def test_samples_are_those_of_all_gradients():
    def samples(**keys):
        return load_of(parse({"num-workers": 6, "batch-size": 7, **keys})).samples

    assert samples() == 6 * 7 and samples(**{"local-steps": 3}) == 6 * 7 * 3
    assert samples(**{"fraction-train": 0.5}) == 3 * 7
    coded = {"strategy": "election", "election.code": "deterministic"}
    found = [samples(**coded, **{"num-byzantine": b, "num-workers": 9}) for b in (0, 1, 2)]
    assert found[0] == 9 * 7 and found[0] < found[1] < found[2]


def test_a_load_is_that_of_its_device_wherever_it_is_read():
    """The head of a cluster need not have the GPU of its machines."""
    assert load_of(parse({"device": "cuda"})).device == "cuda"
    assert load_of(parse({"device": "auto"})).device in ("cpu", "cuda")


def test_a_page_says_where_most_of_its_runs_ran(tmp_path, cells, monkeypatch):
    def somewhere(commit):
        return {"commit": commit, "dirty": False, "versions": {"torch": "2"}, "hardware": {}}

    for commit, which in (("old", [0]), ("new", [1, 2])):
        monkeypatch.setattr(manifest, "surroundings", lambda: somewhere(commit))  # noqa: B023
        monkeypatch.setattr(manifest, "_today", lambda: f"of {commit}")  # noqa: B023
        known(tmp_path, *((cells[i], 1.0) for i in which))
    monkeypatch.setattr(manifest, "surroundings", lambda: somewhere("now"))
    monkeypatch.setattr(manifest, "_today", lambda: "today")
    found = Manifest(tmp_path)
    ids = [cell.id for cell in cells]
    assert found.ran(ids) == somewhere("new") | {"when": "of old", "elsewhere": 1}
    assert found.ran(ids[:1]) == somewhere("old") | {"when": "of old", "elsewhere": 0}
    assert found.ran([]) == somewhere("now") | {"when": "today", "elsewhere": 0}
    del found.cells[ids[0]]["place"]
    assert found.ran(ids[:1]) == somewhere("now") | {"when": "today", "elsewhere": 1}
    found.save()
    assert Manifest(tmp_path).ran(ids[1:]) == somewhere("new") | {"when": "of new", "elsewhere": 0}


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


def test_a_manifest_of_an_older_version_is_read(tmp_path, cells):
    """It does not say how many samples a round had, nor where a run ran."""
    old = known(tmp_path, (cells[0], 10.0))
    del old.cells[cells[0].id]["load"]["samples"], old.cells[cells[0].id]["place"]
    line = {"cells": old.cells, "codes": {cells[0].code_id: dict(cells[0].code)}}
    (tmp_path / "manifest.jsonl").write_text(json.dumps(line) + "\n")
    read = Manifest(tmp_path)
    assert read.code_of(cells[0].id) == cells[0].code
    assert Clock(read).seconds(load_of(cells[0].config)) is None
    assert read.ran([cells[0].id])["elsewhere"] == 1


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
