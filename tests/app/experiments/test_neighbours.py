"""Cells that another sweep has run: copied from its folder, not run again."""

import io
import json
import shutil

import pytest
from rich.console import Console

from signfed.app.experiments.execute import run_sweep
from signfed.app.experiments.experiment import Experiment, Setting
from signfed.app.experiments.neighbours import beside
from signfed.app.experiments.reproduce import reproduce, setting_sweep
from signfed.app.experiments.runner import Here
from signfed.app.experiments.show import ShownSweep, print_plan
from signfed.app.experiments.sweep import Sweep
from signfed.app.runs.json_files import write_json
from signfed.app.runs.sweeps import SweepFolder
from tests.app.experiments.test_execute import QUICK, Seen, go, manifest

ONE = Sweep("one", QUICK, {"strategy": ["mean", "krum"]})
TWO = Sweep("two", QUICK, {"strategy": ["krum", "median"], "lr": [0.1]})


@pytest.fixture
def sweeps(tmp_path):
    """A folder in which sweep one has run."""
    go(ONE, tmp_path / "sweeps" / "one")
    return tmp_path / "sweeps"


def krum_of(folder):
    """The run folder of the cell that both sweeps have."""
    return next(cell.path for cell in SweepFolder(folder).cells if "krum" in cell.keys.values())


def fail(place):
    summary = place / "summary.json"
    write_json(summary, json.loads(summary.read_text()) | {"status": "failed"})


def test_a_cell_that_a_neighbour_has_run_is_copied(sweeps):
    """Though it has fewer keys there."""
    before = {file: file.read_bytes() for file in (sweeps / "one").rglob("*") if file.is_file()}
    found, seen = go(TWO, sweeps / "two", neighbours=True)
    assert seen.why == ["done in one", "new"]
    assert [(keys["strategy"], status) for keys, status, _ in seen.events] == [
        ("median", "finished")
    ]
    alone, _ = go(TWO, sweeps.parent / "alone" / "two")
    without = [[{**row, "seconds": 0} for row in sweep.rows()] for sweep in (found, alone)]
    assert without[0] == without[1]
    one, two = manifest(sweeps / "one"), manifest(sweeps / "two")
    (shared,) = one["cells"].keys() & two["cells"].keys()
    assert one["cells"][shared].pop("keys") == {"strategy": "krum", "seed": 0}
    assert two["cells"][shared].pop("keys") == {"strategy": "krum", "lr": 0.1, "seed": 0}
    assert two["cells"][shared] == one["cells"][shared]
    assert one["cells"][shared]["code"] in two["codes"]
    assert one["cells"][shared]["place"] in two["places"]
    assert before == {f: f.read_bytes() for f in (sweeps / "one").rglob("*") if f.is_file()}
    assert go(TWO, sweeps / "two", neighbours=True)[1].why == ["done", "done"]


def test_only_where_it_is_asked_for(sweeps):
    assert go(TWO, sweeps / "two")[1].why == ["new", "new"]


def test_only_what_ended_and_what_the_manifest_knows(sweeps):
    fail(krum_of(sweeps / "one"))
    assert go(TWO, sweeps / "two", neighbours=True)[1].why == ["new", "new"]
    (sweeps / "two" / "manifest.json").write_text("{}")
    (sweeps / "one" / "manifest.json").write_text("{}")
    assert go(ONE, sweeps / "three", neighbours=True)[1].why == ["new", "new"]


def test_not_what_is_still_written_down_there(sweeps):
    """A run that has ended, of which the manifest does not know how, or by whose code."""
    known = manifest(sweeps / "one")
    for cell in known["cells"].values():
        cell["status"] = "started"
    write_json(sweeps / "one" / "manifest.json", known)
    assert go(TWO, sweeps / "two", neighbours=True)[1].why == ["new", "new"]


def test_a_copy_that_fails_is_a_run(sweeps, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("shutil.copytree", refuse)
        found, seen = go(TWO, sweeps / "two", neighbours=True)
    assert seen.why == ["not copied from one: gone", "new"] and len(seen.events) == 2
    assert [row["status"] for row in found.rows()] == ["finished", "finished"]
    assert not (sweeps / "two" / "under-way").exists()


def refuse(*arguments):
    raise OSError("gone")


def test_half_a_run_by_other_code_is_removed(sweeps):
    go(TWO, sweeps / "two")
    known = manifest(sweeps / "two")
    krum = krum_of(sweeps / "two")
    draft = sweeps / "two" / "under-way" / "of-other-code"
    draft.mkdir(parents=True)
    known["cells"][draft.name] = known["cells"].pop(krum.name)
    write_json(sweeps / "two" / "manifest.json", known)
    shutil.rmtree(krum)
    assert go(TWO, sweeps / "two", neighbours=True)[1].why == ["done in one", "done"]
    assert not draft.parent.exists()


def test_beside_a_link_is_what_lies_beside_it(sweeps, tmp_path):
    (tmp_path / "far" / "away").mkdir(parents=True)
    (sweeps / "two").symlink_to(tmp_path / "far" / "away")
    assert list(beside(sweeps / "two")) == [sweeps / "one"]
    go(TWO, sweeps / "two", neighbours=True)
    assert list(beside(sweeps / "two")) == [sweeps / "one"]
    assert len(list((tmp_path / "far" / "away" / "cells").iterdir())) == 2
    assert go(TWO, sweeps / "three", neighbours=True)[1].why == ["done in one", "done in two"]


def test_what_failed_here_or_was_cut_off_is_replaced(sweeps):
    go(TWO, sweeps / "two")
    place = krum_of(sweeps / "two")
    (place / "traceback.txt").write_text("of the one that failed")
    fail(place)
    draft = sweeps / "two" / "under-way" / place.name
    draft.mkdir(parents=True)
    (draft / "config.json").write_text("{}")
    again, seen = go(TWO, sweeps / "two", neighbours=True)
    assert seen.why == ["done in one", "done"] and seen.events == []
    assert [row["status"] for row in again.rows()] == ["finished", "finished"]
    assert not draft.exists() and not (place / "traceback.txt").exists()


def test_the_plan_says_where(sweeps):
    console = Console(width=120, record=True, file=io.StringIO())
    print_plan(console, TWO, sweeps / "two", Here(), neighbours=True)
    said = console.export_text()
    assert "1 done in one, 1 new" in said and "1 to run: about 0:00:0" in said
    assert not (sweeps / "two").exists(), "nothing was made"


def test_the_terminal_says_what_is_copied(sweeps):
    console = Console(width=80, record=True, file=io.StringIO())
    with ShownSweep(console, sweeps / "two") as shown:
        run_sweep(TWO, sweeps / "two", processes=0, watch=shown, neighbours=True)
    assert f"runs copied: 1, from {sweeps / 'one'}" in console.export_text()


def test_experiments_share_their_runs(tmp_path):
    """As `signfed reproduce` has it, each in a folder of its own."""
    for name, why in (("a", ["new", "new"]), ("b", ["done in a", "done in a"])):
        item = Experiment(name, "paper", "title", Setting(ONE, 1), Setting(ONE, 1), (), ())
        sweep, seen = setting_sweep(item, "quick", {}), Seen()
        outcome = reproduce(item, "quick", sweep, tmp_path / name, runner=Here(), watch=seen)
        assert seen.why == why and len(outcome.rows) == 2 and outcome.seconds > 0
