"""Sweeps in this process: what runs, what does not run again, and what is written."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console
from typer.testing import CliRunner

from signfed.app.cli import app
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.prepare import prepare
from signfed.app.engines.run import execute
from signfed.app.errors import ConfigError
from signfed.app.experiments import tables, work
from signfed.app.experiments.execute import run_sweep
from signfed.app.experiments.runner import Here
from signfed.app.experiments.show import print_plan
from signfed.app.experiments.sweep import Choose, Sweep
from signfed.app.experiments.watch import Unwatched
from signfed.app.runs.claim import Writer
from signfed.app.runs.folder import read_summary
from signfed.app.runs.sweeps import SweepFolder

QUICK = {"task": "quadratic", "num-rounds": 3, "num-byzantine": 2, "lr": 0.1, "device": "cpu"}
GRID = {"strategy": ["mean", "sign-mv", "krum"], "attack": ["none", "noise"]}

RULE = '''
from pathlib import Path
from signfed import RobustStrategy

class Mine(RobustStrategy):
    encoder = "float32"

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken

    def aggregate(self, updates):
        """The mean."""
        if self.broken:
            raise RuntimeError("as it was asked")
        return updates.dense().mean(dim=0)
'''


class Seen(Unwatched):
    def __init__(self):
        self.why, self.events = [], []

    def planned(self, steps, slots, manifest):
        self.why = [step.why for step in steps]

    def ended(self, cell, outcome, again):
        self.events.append((cell.keys, outcome.status, again))


def go(sweep, folder, **more):
    seen = Seen()
    found = run_sweep(sweep, folder, processes=0, watch=seen, **more)
    return found, seen


def written(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("results.csv", "results.parquet")}


def manifest(folder: Path):
    return json.loads((folder / "manifest.json").read_text())


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Write a module of the user's, and forget the one that was imported before."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(text)
        sys.modules.pop(name, None)

    yield write
    for name in ("rule_of_mine", "other_of_mine"):
        sys.modules.pop(name, None)


def test_cells_run_as_single_runs_do(tmp_path):
    found, seen = go(Sweep("x", QUICK, GRID, seeds=[0, 3]), tmp_path / "sweep")
    assert set(seen.why) == {"new"} and len(seen.why) == 12
    assert found == SweepFolder(tmp_path / "sweep")
    rows = {(row["strategy"], row["attack"], row["seed"]): row for row in found.rows()}
    for strategy, attack, seed in (("krum", "noise", 3), ("sign-mv", "none", 0)):
        keys = {"strategy": strategy, "attack": attack, "seed": seed}
        path = execute(
            prepare({**QUICK, **keys, "out-dir": str(tmp_path / strategy)}), local_engine
        )
        row = rows[strategy, attack, seed]
        alone = read_summary(path)
        assert row["model_sha256"] == alone["model_sha256"] and row["rounds"] == 3
    assert not (tmp_path / "sweep" / "under-way").exists()
    assert not list((tmp_path / "sweep").glob("cells/*/checkpoints"))
    lines = [line for line in found.rounds() if line["strategy"] == "krum"]
    assert len(lines) == 12 and {line["round"] for line in lines} == {1, 2, 3}


def test_what_is_written(tmp_path):
    sweep = Sweep("x", QUICK, {"strategy": ["mean", "sign-mv"]}, seeds=[1])
    found, _ = go(sweep, tmp_path / "a")
    go(sweep, tmp_path / "b")
    assert written(tmp_path / "a") == written(tmp_path / "b"), "no seconds, no paths, no ids"
    rows = list(csv.DictReader((tmp_path / "a" / "results.csv").open()))
    assert [row["strategy"] for row in rows] == ["mean", "sign-mv"] and "seconds" not in rows[0]
    parquet = pq.read_table(tmp_path / "a" / "results.parquet").to_pylist()
    assert parquet == tables.results(found.rows())
    known = manifest(tmp_path / "a")
    [(name, place)] = known["places"].items()
    assert place["hardware"]["cores"] >= 1 and place["versions"]["torch"]
    if (Path(__file__).parents[3] / ".git").exists():
        assert len(place["commit"]) == 40 and place["dirty"] in (True, False)
    else:  # unpacked from the source distribution
        assert (place["commit"], place["dirty"]) == (None, None)
    assert [cell["place"] for cell in known["cells"].values()] == [name, name]
    assert [cell["attempts"] for cell in known["cells"].values()] == [1, 1]
    assert all(cell["seconds"] > 0 for cell in known["cells"].values())


def test_what_is_done_is_not_run_again(tmp_path):
    sweep = Sweep("x", QUICK, GRID)
    go(sweep, tmp_path)
    before = written(tmp_path)
    _, seen = go(sweep, tmp_path)
    assert set(seen.why) == {"done"} and not seen.events and written(tmp_path) == before
    wider = Sweep("x", QUICK, GRID | {"strategy": [*GRID["strategy"], "median"]})
    _, seen = go(wider, tmp_path)
    assert seen.why.count("new") == len(seen.events) == 2 and seen.why.count("done") == 6
    _, seen = go(Sweep("x", {**QUICK, "num-rounds": 4}, GRID), tmp_path)
    assert set(seen.why) == {"new"}
    assert {row["rounds"] for row in SweepFolder(tmp_path).rows()} == {4}


def test_a_changed_rule_makes_exactly_its_own_cells_run_again(tmp_path, own):
    own("rule_of_mine", RULE)
    own("other_of_mine", RULE)
    rules = ["rule_of_mine:Mine", "other_of_mine:Mine", "mean"]
    sweep = Sweep("x", QUICK, {"strategy": rules, "attack": ["none", "noise"]})
    first, _ = go(sweep, tmp_path / "sweep")
    before = {tuple(row.items())[:2]: row["model_sha256"] for row in first.rows()}
    own(
        "rule_of_mine",
        RULE.replace("The mean", "Say the same in other words").replace("\n\n", "\n"),
    )
    assert set(go(sweep, tmp_path / "sweep")[1].why) == {"done"}
    own("rule_of_mine", RULE.replace("dim=0)", "dim=0) * 2"))
    second, seen = go(sweep, tmp_path / "sweep")
    assert seen.why == ["its code changed: rule_of_mine"] * 2 + ["done"] * 4
    after = {tuple(row.items())[:2]: row["model_sha256"] for row in second.rows()}
    assert {dict(k)["strategy"] for k in before if before[k] != after[k]} == {"rule_of_mine:Mine"}


def test_a_neighbours_runs_by_other_code_are_not_taken(tmp_path, own):
    own("rule_of_mine", RULE)
    sweep = Sweep("mine", QUICK, {"strategy": ["rule_of_mine:Mine", "mean"]})
    go(sweep, tmp_path / "sweeps" / "one")
    own("rule_of_mine", RULE.replace("mean(dim=0)", "sum(dim=0)"))
    _, seen = go(sweep, tmp_path / "sweeps" / "two", neighbours=True)
    assert seen.why == ["new", "done in one"]


def test_a_cell_that_raises_stops_nobody(tmp_path, own):
    own("rule_of_mine", RULE)
    cases = [
        {"strategy": "mean"},
        {"strategy": "rule_of_mine:Mine", "strategy-options": "broken=true"},
        {"strategy": "rule_of_mine:Mine"},
    ]
    sweep = Sweep("x", QUICK, {}, cases)
    found, seen = go(sweep, tmp_path / "sweep", retries=2)
    broken = {"strategy": "rule_of_mine:Mine", "strategy-options": "broken=true", "seed": 0}
    failures = [again for keys, status, again in seen.events if status == "failed"]
    assert failures == [True, True, False]
    assert [row["status"] for row in found.rows()] == ["finished", "failed", "finished"]
    [cell] = [cell for cell in found.cells if cell.keys == broken]
    assert "RuntimeError: as it was asked" in (cell.path / "traceback.txt").read_text()
    assert re.search(r"as it was asked \(.*rule_of_mine.py, line \d+\)", found.rows()[1]["error"])
    attempts = [c["attempts"] for c in manifest(tmp_path / "sweep")["cells"].values()]
    assert attempts == [1, 3, 1]
    assert b"as it was asked" not in (tmp_path / "sweep" / "results.csv").read_bytes()
    own("rule_of_mine", RULE.replace("if self.broken", "if False"))
    mended, seen = go(sweep, tmp_path / "sweep")
    assert seen.why[0] == "done" and seen.why[1].startswith("its code changed")
    assert {row["status"] for row in mended.rows()} == {"finished"}


def test_a_cell_that_is_tried_again_goes_on_where_it_was(tmp_path, monkeypatch):
    sweep = Sweep("x", QUICK | {"num-rounds": 12, "checkpoint-every": 2})
    go(sweep, tmp_path / "whole")
    begun = []
    with monkeypatch.context() as patch:
        real = work.execute

        def execute(prepared, engine, *, on_round):
            def breaks(line):
                begun.append(line["round"])
                if begun == [1, 2, 3, 4, 5]:
                    raise MemoryError("of the device")
                on_round(line)

            return real(prepared, engine, on_round=breaks)

        patch.setattr(work, "execute", execute)
        found, seen = go(sweep, tmp_path / "again")
    assert [again for _, _, again in seen.events] == [True, False]
    first = begun[5]  # after the checkpoint of round 4, or the state of round 5 where it broke off
    assert first in (5, 6) and begun == [*range(1, 6), *range(first, 13)]
    assert found.rows()[0]["status"] == "finished"
    assert not (found.cells[0].path / "traceback.txt").exists()
    assert written(tmp_path / "again") == written(tmp_path / "whole")


def test_a_cell_that_failed_runs_again(tmp_path, monkeypatch):
    sweep = Sweep("x", QUICK)
    with monkeypatch.context() as patch:

        def full(*given, **more):
            raise OSError("no space")

        patch.setattr(work, "execute", full)
        found, _ = go(sweep, tmp_path)
        assert [row["status"] for row in found.rows()] == ["failed"]
    found, seen = go(sweep, tmp_path)
    assert seen.why == ["failed before"]
    assert [row["status"] for row in found.rows()] == ["finished"]
    assert not (found.cells[0].path / "traceback.txt").exists()


def test_a_model_that_an_attack_drove_to_infinity_is_a_result(tmp_path):
    config = QUICK | {"strategy": "mean", "attack": "none", "num-rounds": 60, "lr": 1e9}
    found, seen = go(Sweep("x", config), tmp_path)
    assert found.rows()[0]["status"] == "diverged" and len(seen.events) == 1
    assert go(Sweep("x", config), tmp_path)[1].why == ["done"]


class CutOff(Here):
    """Ends as by Ctrl-C after some rounds of the second cell."""

    def __init__(self, monkeypatch, after):
        super().__init__()
        real, cells = work.execute, []

        def execute(prepared, engine, *, on_round):
            cells.append(prepared)

            def cut(line):
                if len(cells) == 2 and line["round"] == after:
                    raise KeyboardInterrupt
                on_round(line)

            return real(prepared, engine, on_round=cut)

        monkeypatch.setattr(work, "execute", execute)


def test_a_cell_that_was_cut_off_goes_on(tmp_path, monkeypatch):
    sweep = Sweep("x", QUICK | {"num-rounds": 12}, {"strategy": ["mean", "krum", "sign-mv"]})
    go(sweep, tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        run_sweep(sweep, tmp_path / "cut", runner=CutOff(patch, after=7))
    rows = SweepFolder(tmp_path / "cut").rows()
    assert [row["status"] for row in rows] == ["finished", "missing", "missing"]
    _, seen = go(sweep, tmp_path / "cut")
    assert seen.why == ["done", "cut off after round 7", "new"]
    assert written(tmp_path / "cut") == written(tmp_path / "whole")


def test_a_half_run_that_nobody_asks_for_now_stays_and_goes_on(tmp_path, monkeypatch):
    """Another setting of an experiment, or a part of the cells, has the same folder."""
    sweep = Sweep("x", QUICK | {"num-rounds": 12}, {"strategy": ["mean", "krum"]})
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        run_sweep(sweep, tmp_path, runner=CutOff(patch, after=7))
    assert len(list((tmp_path / "under-way").iterdir())) == 1
    go(Sweep("x", QUICK), tmp_path)
    assert len(list((tmp_path / "under-way").iterdir())) == 1
    _, seen = go(sweep, tmp_path)
    assert seen.why == ["done", "cut off after round 7"]
    assert not (tmp_path / "under-way").exists()


def test_a_half_run_by_other_code_is_removed(tmp_path, monkeypatch):
    sweep = Sweep("x", QUICK | {"num-rounds": 12}, {"strategy": ["mean", "krum"]})
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        run_sweep(sweep, tmp_path, runner=CutOff(patch, after=7))
    [draft] = (tmp_path / "under-way").iterdir()
    other = "0" * len(draft.name)
    draft.rename(draft.with_name(other))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["cells"][other] = manifest["cells"].pop(draft.name)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    go(sweep, tmp_path)
    assert not (tmp_path / "under-way").exists()


def test_the_folder_has_one_writer_and_is_a_sweeps(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("")
    with pytest.raises(ConfigError, match="expected a new folder or a sweep's"):
        go(Sweep("x", QUICK), tmp_path / "other")
    (tmp_path / "sweep").mkdir()
    writer = Writer(tmp_path / "sweep")
    with pytest.raises(ConfigError, match="a sweep is under way"):
        go(Sweep("x", QUICK), tmp_path / "sweep")
    writer.release()
    go(Sweep("x", QUICK), tmp_path / "sweep")


def test_the_data_are_loaded_once(tmp_path, monkeypatch):
    loaded, real = [], work.find_task

    def counted(name):
        task = real(name)
        object.__setattr__(task, "load", _counting(task.load, loaded))
        return task

    original = real("digits").load
    monkeypatch.setattr(work, "find_task", counted)
    try:
        go(
            Sweep("x", {"num-rounds": 1, "device": "cpu"}, {"strategy": ["mean", "median"]}),
            tmp_path,
        )
    finally:
        object.__setattr__(real("digits"), "load", original)
    assert len(loaded) == 2, "once to check, once to run"


def _counting(load, loaded):
    def counting(data_dir, download):
        loaded.append(data_dir)
        return load(data_dir, download)

    return load if getattr(load, "__name__", "") == "counting" else counting


def test_without_pyarrow_there_is_still_a_table(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    said = []

    class Watch(Unwatched):
        def wrote(self, remarks):
            said.append(remarks)

    run_sweep(Sweep("x", QUICK), tmp_path, processes=0, watch=Watch())
    assert (tmp_path / "results.csv").exists() and not (tmp_path / "results.parquet").exists()
    assert "results.parquet needs the package pyarrow" in said[0]


def test_the_plan(tmp_path):
    sweep = Sweep("x", QUICK, {"strategy": ["mean", "krum"]})
    console = Console(width=120, record=True, file=io.StringIO())
    print_plan(console, sweep, tmp_path / "sweep", Here())
    said = console.export_text()
    assert "2 new" in said and "2 to run: about 0:00:" in said and "strategy='krum'" in said
    assert not (tmp_path / "sweep").exists(), "nothing was made"
    go(Sweep("x", QUICK, {"strategy": ["mean"]}), tmp_path / "sweep")
    before = sorted(tmp_path.rglob("*"))
    print_plan(console, sweep, tmp_path / "sweep", Here())
    assert "1 done, 1 new" in console.export_text() and sorted(tmp_path.rglob("*")) == before
    print_plan(console, Sweep("x", QUICK, {"strategy": ["mean"]}), tmp_path / "sweep", Here())
    assert "nothing to run" in console.export_text()


def test_chosen_csv(tmp_path):
    config = {"num-rounds": 4, "evaluate-every": 2, "validation-samples": 100, "device": "cpu"}
    config |= {"strategy": "mean", "num-byzantine": 2}
    grid = {"lr": [1e-4, 0.2], "attack": ["none", "noise"]}
    found, _ = go(Sweep("x", config, grid, choose=Choose(["lr"])), tmp_path)
    rows = list(csv.DictReader((tmp_path / "chosen.csv").open()))
    assert [row["attack"] for row in rows] == ["none", "noise"]
    assert {row["lr"] for row in rows} == {"0.2"} and {row["round"] for row in rows} <= {"2", "4"}
    lines = {(r["lr"], r["attack"], str(r["round"])): r for r in found.rounds()}
    for row in rows:
        line = lines[0.2, row["attack"], row["round"]]
        assert float(row["test_accuracy"]) == line["test_accuracy"]
        assert float(row["validation_accuracy"]) == line["validation_accuracy"]


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.toml"
    keys = "\n".join(f"{key} = {json.dumps(value)}" for key, value in QUICK.items())
    file.write_text(f"[config]\n{keys}\n[grid]\nstrategy = ['mean', 'krum']\n")
    monkeypatch.setattr("signfed.app.experiments.processes.Processes", lambda slots: Here())
    done = CliRunner().invoke(app, ["sweep", str(file)])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "signfed-runs" / "mine" / "results.csv").exists()
    planned = CliRunner().invoke(app, ["sweep", str(file), "--plan"])
    assert planned.exit_code == 0 and "2 done" in planned.output
    refused = CliRunner().invoke(app, ["sweep", str(tmp_path / "no.toml")])
    assert refused.exit_code == 2 and "cannot be read" in refused.output
    with monkeypatch.context() as patch:
        patch.setattr(work, "execute", None)
        failing = CliRunner().invoke(app, ["sweep", str(file), "--out", "other", "--retry", "0"])
    assert failing.exit_code == 1 and "failed: strategy='krum' seed=0" in failing.output
    both = CliRunner().invoke(app, ["sweep", str(file), "--processes", "2", "--address", "auto"])
    assert both.exit_code == 2 and "expected none beside --processes" in both.output


def test_flowers_runs_go_one_after_the_other(tmp_path, monkeypatch):
    """Flower itself is started in earnest elsewhere; here, what it is asked for."""
    asked = []

    def run(values, *, engine):
        asked.append((values["strategy"], engine))
        if values["strategy"] == "krum":
            raise RuntimeError("the SuperLink did not start")
        execute(prepare(values), local_engine)

    monkeypatch.setattr(work.launch, "run", run)
    sweep = Sweep("x", QUICK, {"strategy": ["krum", "mean"]}, engine="flower")
    found = run_sweep(sweep, tmp_path)
    assert [row["status"] for row in found.rows()] == ["failed", "finished"]
    assert "the SuperLink did not start" in found.rows()[0]["error"]
    assert asked == [("krum", "flower"), ("mean", "flower"), ("krum", "flower")]


def test_code_that_changes_under_a_sweep_is_noticed(tmp_path, own):
    """A process that starts late would import the new file, and its results pass for the old."""
    rule = RULE + "\nUNSEEN = True\n"  # by this process, which looks at a text only once
    own("rule_of_mine", rule)

    class Late(Here):
        def start(self, work):
            own("rule_of_mine", rule.replace("dim=0)", "dim=0) * 2"))
            super().start(work)

    sweep = Sweep("x", QUICK | {"strategy": "rule_of_mine:Mine"})
    found = run_sweep(sweep, tmp_path / "sweep", runner=Late(), retries=0)
    assert "rule_of_mine: differs from what it was when the sweep began" in found.rows()[0]["error"]
    found, seen = go(sweep, tmp_path / "sweep")
    assert seen.why == ["its code changed: rule_of_mine"]
    assert found.rows()[0]["status"] == "finished"


def test_a_sweep_in_this_process_leaves_its_threads_as_they_were(tmp_path):
    """PyTorch's own number, and what a thread that starts later takes."""
    from concurrent.futures import ThreadPoolExecutor

    import torch

    def threads():
        with ThreadPoolExecutor(1) as pool:
            return torch.get_num_threads(), pool.submit(torch.get_num_threads).result()

    before = threads()
    run_sweep(Sweep("one", {"task": "quadratic", "num-rounds": 1}), tmp_path, processes=0)
    assert threads() == before
