"""Rows of sweeps and runs together: each has every key in which any two differ."""

import json
from pathlib import Path

import pytest

from signfed.app.report import many_runs
from signfed.app.report.names import names_of
from signfed.app.report.sources import find, rows_of
from tests.app.report.folders import CONFIG, ROUNDS, SUMMARY, cross, run_folder


def test_a_sweep_and_runs_are_compared_by_all_that_differs(tmp_path):
    cross(tmp_path / "sweep", ("mean", "median"), ("lie", "ipm"))
    for seed in (0, 1):
        config = CONFIG | {"attack": "trusted-bloc", "seed": seed}
        best = SUMMARY | {"final_test_accuracy": 0.97}
        run_folder(tmp_path / "runs" / str(seed), config=config, summary=best)
    sources = find([tmp_path])
    rows, rounds, keys = rows_of(sources)
    assert keys == ["strategy", "attack"]
    assert {(row["strategy"], row["attack"]) for row in rows} == {
        ("mean", "lie"), ("mean", "ipm"), ("median", "lie"), ("median", "ipm"),
        ("sign-fd", "trusted-bloc"),
    }  # fmt: skip
    assert {line["strategy"] for line in rounds} == {"mean", "median", "sign-fd"}
    report = many_runs.report_of(sources, "all")
    assert "what differs: rule (3), attack (3)." in report.says
    assert ("highest final test accuracy", "97.0 % (sign-fd, trusted-bloc)") in report.headline


@pytest.mark.parametrize("missing", [False, True])
def test_a_sweep_and_one_run(tmp_path, missing):
    """What the sweep says in [config] is compared, too; cells that were never run have it."""
    sweep = cross(tmp_path / "sweep", ("mean", "median"), ("lie",), task="quadratic")
    if missing:
        cells = json.loads((sweep / "sweep.json").read_text())
        cells["cells"].append({"id": "no", "keys": {"strategy": "krum", "attack": "lie"}})
        (sweep / "sweep.json").write_text(json.dumps(cells))
    run_folder(tmp_path / "run", config=CONFIG | {"strategy": "mean", "attack": "lie"})
    rows, _, keys = rows_of(find([tmp_path]))
    assert keys == ["strategy", "task"]
    found = [(row["strategy"], row["task"]) for row in rows]
    more = [("krum", "quadratic")] if missing else []
    assert found == [("mean", "quadratic"), ("median", "quadratic"), *more, ("mean", "digits")]
    assert [row["status"] for row in rows if row["strategy"] == "krum"] == ["missing"] * missing


def test_a_cell_that_was_never_run_has_no_value_in_which_the_others_differ(tmp_path):
    sweep = tmp_path / "sweep"
    cells = [{"id": rule, "keys": {"strategy": rule}} for rule in ("mean", "median", "krum")]
    for lr, rule in enumerate(("mean", "median"), 1):
        run_folder(sweep / "cells" / rule, config=CONFIG | {"strategy": rule, "lr": lr / 10})
    (sweep / "sweep.json").write_text(json.dumps({"name": "x", "engine": "local", "cells": cells}))
    run_folder(tmp_path / "run", config=CONFIG)
    rows, _, _ = rows_of(find([tmp_path]))
    found = {row["strategy"]: row.get("lr") for row in rows}
    assert found == {"mean": 0.1, "median": 0.2, "krum": None, "sign-fd": 0.25}


def test_two_sweeps_of_one_name_differ_by_what_they_do_or_by_their_places(tmp_path):
    a, b = (cross(tmp_path / name / "rules", ("mean",), ("lie", "ipm")) for name in "ab")
    later = {
        "download": True,
        "checkpoint-every": 0,
        "weight-decay": 0.5,
    }  # the first two decide nothing
    c = cross(tmp_path / "c" / "rules", ("mean",), ("lie", "ipm"), **later)
    assert rows_of(find([a, c]))[2] == ["attack", "weight-decay"]
    rows, _, keys = rows_of(find([a, b]))
    assert keys == ["attack", "sweep"]
    assert {row["sweep"] for row in rows} == {"a/rules", "b/rules"}


def test_names_are_as_short_as_tells_folders_apart(tmp_path):
    paths = [tmp_path / name for name in ("s0/exp/run", "s1/exp/run", "s2/exp/run", "s2/other")]
    assert list(names_of([*paths, paths[0]]).values()) == [
        "s0/exp/run", "s1/exp/run", "s2/exp/run", "other",
    ]  # fmt: skip
    assert names_of([]) == {}
    for path in paths:
        run_folder(path, rounds=ROUNDS)
    rows, _, _ = rows_of(find([tmp_path]))
    assert [row["folder"] for row in rows] == list(names_of(paths).values())


def test_what_lies_deeper_than_four_folders_is_not_looked_for(tmp_path):
    at = run_folder(tmp_path / "1" / "2" / "3" / "4")
    run_folder(tmp_path / "1" / "2" / "3" / "other" / "5")
    assert [run.path for run in find([tmp_path]).runs] == [at]


def test_what_is_given_twice_counts_once(tmp_path, monkeypatch):
    sweep = cross(tmp_path / "sweep", ("mean", "median"), ("lie",))
    run = run_folder(tmp_path / "runs" / "a")
    (tmp_path / "other").symlink_to(tmp_path / "runs")
    cell = next((sweep / "cells").iterdir())
    monkeypatch.chdir(tmp_path)
    found = find([Path("runs"), run, Path("other"), cell, sweep, cell])
    assert [place.path for place in found.runs] == [Path("runs/a")]
    assert [place.path for place in found.sweeps] == [sweep]
    assert find([cell]).runs[0].path == cell
