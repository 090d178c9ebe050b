"""Cells as Ray tasks: the same results, and what died is reported."""

from __future__ import annotations

import importlib
import os
import socket
import sys
from functools import partial
from types import SimpleNamespace

import pytest

from signfed.app.errors import ConfigError
from signfed.app.experiments import execute, on_ray
from signfed.app.experiments.execute import run_sweep
from signfed.app.experiments.manifest import Manifest
from signfed.app.experiments.on_ray import OnRay, carry_out_there, write_modules
from signfed.app.experiments.runner import Here, runner_for
from signfed.app.experiments.sweep import Sweep
from signfed.app.experiments.work import Work
from tests.app.experiments.test_execute import written

QUICK = {"task": "quadratic", "num-rounds": 3, "num-byzantine": 2, "device": "cpu"}
OWN = """
import os, signal
from own_package.inner.what import factor
from signfed import RobustStrategy

class Mine(RobustStrategy):
    encoder = "float32"

    def __init__(self, deadly: bool = False) -> None:
        self.deadly = deadly

    def aggregate(self, updates):
        if self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return updates.dense().mean(dim=0) * factor
"""
SOURCES = {
    "own_package": "",
    "own_package.inner": "",
    "own_package.inner.what": "factor = 2.0\n",
    "own_package.rule": OWN,
}
MINE = QUICK | {"strategy": "own_package.rule:Mine"}


def test_the_users_modules_travel(tmp_path):
    """Nothing of them is on this machine's path, and nothing stays there."""
    path = list(sys.path)
    try:
        work = Work("a", MINE, "nowhere", sources=SOURCES)
        outcome, files = carry_out_there(work)
    finally:
        for name in SOURCES:
            sys.modules.pop(name, None)
    assert outcome.status == "finished" and sys.path == path
    assert {"config.json", "rounds.jsonl", "summary.json"} == set(files)


def test_modules_are_written_as_they_are_imported(tmp_path, monkeypatch):
    write_modules(tmp_path, SOURCES)
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        assert importlib.import_module("own_package.inner.what").factor == 2.0
    finally:
        for name in SOURCES:
            sys.modules.pop(name, None)


def test_what_does_not_go_together():
    for given in ({"processes": 2}, {"engine": "flower"}):
        with pytest.raises(ConfigError, match="--address, --gpus-per-cell: expected none beside"):
            runner_for(**given, address="auto")
    with pytest.raises(ConfigError, match="--processes: expected none with engine = 'flower'"):
        runner_for("flower", 4)
    assert isinstance(runner_for("flower", 1), Here)
    assert runner_for(address="10.0.0.1:6379").elsewhere
    assert not runner_for(gpus_per_cell=0.5).elsewhere


@pytest.mark.ray
def test_a_sweep_on_ray_is_a_sweep(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    write_modules(tmp_path / "modules", SOURCES)
    try:
        cases = [{"strategy": "mean"}, {"strategy": MINE["strategy"]}]
        sweep = Sweep("x", QUICK, {}, cases)
        run_sweep(sweep, tmp_path / "here", processes=0)
        runner = OnRay("local", 0.0)
        run_sweep(sweep, tmp_path / "ray", runner=runner)
        assert written(tmp_path / "ray") == written(tmp_path / "here")
        deadly = Sweep("x", MINE | {"strategy-options": "deadly=true"})
        found = run_sweep(deadly, tmp_path / "dead", runner=runner, retries=0)
        ray = importlib.import_module("ray")
        assert ray.get(ray.remote(lambda: os.nice(0)).remote()) == os.nice(0)  # Ray's own: 15 more
    finally:
        for name in SOURCES:
            sys.modules.pop(name, None)
    [row] = found.rows()
    assert row["status"] == "failed" and "WorkerCrashedError" in row["error"]


class FakeRay:
    """A cluster whose machines are this process; the second task dies with its machine."""

    class exceptions:
        class RayError(Exception): ...

    def __init__(self):
        self.given = {}

    def init(self, **given): ...
    def shutdown(self): ...
    def cluster_resources(self):
        return {"CPU": 1}

    def remote(self, **options):
        def given(function, work):
            self.given[len(self.given) + 1] = function, work
            return len(self.given)

        return lambda function: SimpleNamespace(remote=partial(given, function))

    def wait(self, waiting):
        return waiting[:1], waiting[1:]

    def get(self, number):
        if number == 2:
            raise self.exceptions.RayError("its machine is gone")
        function, work = self.given[number]
        return function(work)


def test_the_manifest_says_where_on_the_cluster_a_run_ran(tmp_path, monkeypatch):
    """Not where the sweep was started; of one whose machine is gone nobody knows."""

    def somewhere(commit):
        return {"commit": commit, "dirty": False, "versions": {"torch": "2"}, "hardware": {}}

    monkeypatch.setitem(sys.modules, "ray", FakeRay())
    monkeypatch.setattr(execute, "surroundings", lambda: somewhere("head"))
    monkeypatch.setattr(on_ray, "surroundings", lambda: somewhere("worker"))
    sweep = Sweep("x", QUICK, {"strategy": ["mean", "krum", "median"]})
    found = run_sweep(sweep, tmp_path, runner=OnRay("auto", 0.0), retries=0)
    assert [row["status"] for row in found.rows()] == ["finished", "failed", "finished"]
    written = Manifest(tmp_path)
    ids = [cell.id for cell in found.cells]
    ran = written.ran(ids)
    assert {key: ran[key] for key in somewhere("")} == somewhere("worker")
    assert ran["elsewhere"] == 1 and "place" not in written.cells[ids[1]]
    run_sweep(sweep, tmp_path, runner=Here())  # what failed runs again, here
    assert Manifest(tmp_path).ran(ids[1:2])["commit"] == "head"


def test_a_cluster_that_does_not_answer(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # nobody listens there
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"--address: cannot reach Ray at {address}"):
            run_sweep(Sweep("x", QUICK), tmp_path / "sweep", runner=OnRay(address, 0.0))
    assert not (tmp_path / "sweep").exists()
