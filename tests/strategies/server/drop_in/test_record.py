"""The record of a run in somebody's app: the same folder, checkpoints, and the same bits after."""

from __future__ import annotations

import json
import math
import shutil
import threading
from functools import partial

import numpy as np
import pytest
import torch
from flwr.supercore.exit import exit_handler

import signfed
from signfed import CoordinateMedian, Mean, SignFD, SignMV
from signfed.app.errors import ConfigError
from signfed.app.runs import recorder, saving
from signfed.app.runs.folder import read_rounds, read_summary, set_status
from signfed.strategies.server.federation import FederationError
from tests.strategies.server.drop_in.app import client, floats, grid, model, moved, same


@pytest.mark.parametrize("error", [OSError("no space left"), TypeError("a number is None")])
def test_a_run_that_ended_has_its_report(tmp_path, caplog, monkeypatch, error):
    Mean(fraction_evaluate=0.0).start(grid(3), floats(), 2, run_dir=tmp_path / "run")
    assert "</html>" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")

    def full_disk(path):
        raise error

    monkeypatch.setattr("signfed.app.report.making.report", full_disk)
    Mean(fraction_evaluate=0.0).start(grid(3), floats(), 2, run_dir=tmp_path / "other")
    assert f"no report: {type(error).__name__}: {error}" in caplog.text


@pytest.mark.parametrize("found, best", [((math.nan, 0.5, math.nan), 0.5), ((math.nan,) * 3, None)])
def test_an_accuracy_that_is_no_number_does_not_cost_the_result(tmp_path, found, best):
    def evaluate(server_round, arrays):
        return signfed_metrics(accuracy=found[server_round])

    done = Mean().start(grid(3), floats(), 2, run_dir=tmp_path, evaluate_fn=evaluate)
    assert same(done.arrays, Mean().start(grid(3), floats(), 2).arrays)
    summary = read_summary(tmp_path)
    assert summary["status"] == "finished" and summary["best_test_accuracy"] == best
    assert summary["final_test_accuracy"] is None


def test_the_folder_holds_what_a_run_of_our_own_holds(tmp_path):
    accuracies = {"evaluate_fn": lambda t, x: signfed_metrics(accuracy=0.1 * t, loss=1.0, f1=0.5)}
    done = Mean().start(grid(3), model(), 2, run_dir=tmp_path / "new" / "run", **accuracies)
    path = tmp_path / "new" / "run"
    rounds, summary = read_rounds(path), read_summary(path)
    assert [r["received"] for r in rounds] == [3, 3]
    assert rounds[1]["test_accuracy"] == pytest.approx(0.2) and rounds[1]["test_loss"] == 1.0
    assert rounds[1]["server_metrics"] == summary["final_server_metrics"] == {"f1": 0.5}
    assert rounds[0]["claims"] == {
        "train": {"train_loss": 1.0},
        "evaluate": dict(done.evaluate_metrics_clientapp[1]),
    }
    assert set(rounds[0]["seconds"]) == {"clients", "server", "evaluate"}
    assert summary["status"] == "finished" and summary["parameters"] == 28
    assert summary["final_test_accuracy"] == pytest.approx(0.2)
    config = json.loads((path / "config.json").read_text())
    assert config["config"]["strategy"] == "Mean {}" and config["config"]["fraction_train"] == 1.0
    assert "flwr" in config["versions"]


def test_what_the_server_finds_is_recorded_whatever_it_is_called(tmp_path):
    def evaluate(server_round, arrays):
        if server_round == 2:
            return signfed_metrics(received=7, acc=0.25 * server_round, by_class=[1, 0])
        return signfed_metrics(acc=math.nan, loss=[1.0]) if server_round == 1 else None

    Mean().start(grid(3), floats(), 3, run_dir=tmp_path, evaluate_fn=evaluate)
    found = [line.get("server_metrics") for line in read_rounds(tmp_path)]
    last = {"received": 7, "acc": 0.5, "by_class": [1, 0]}
    assert found == [{"acc": None, "loss": [1.0]}, last, None]
    assert [line["received"] for line in read_rounds(tmp_path)] == [3, 3, 3]
    assert read_summary(tmp_path)["final_server_metrics"] == last
    assert "<dt>acc</dt>" in (tmp_path / "report.html").read_text(encoding="utf-8")


def signfed_metrics(**found):
    from flwr.app import MetricRecord

    return MetricRecord(found)


@pytest.mark.parametrize("mods", [[], [signfed.one_bit_both]], ids=["floats", "both"])
@pytest.mark.parametrize("rule", [SignFD, CoordinateMedian])
def test_a_resumed_run_ends_at_the_same_bits(rule, mods, tmp_path):
    def stop(server_round, arrays):
        if server_round == 4:
            raise KeyboardInterrupt

    whole = rule().start(grid(5, client(moved, mods)), model(), 6)
    with pytest.raises(KeyboardInterrupt):
        nodes = grid(5, client(moved, mods))
        rule().start(nodes, model(), 6, run_dir=tmp_path, evaluate_fn=stop)
    assert read_summary(tmp_path)["status"] == "interrupted"
    done = rule().start(grid(5, client(moved, mods)), model(), 6, resume=tmp_path)
    assert [r["round"] for r in read_rounds(tmp_path)] == [1, 2, 3, 4, 5, 6]
    assert same(done.arrays, whole.arrays)
    if rule is SignFD:
        assert set(read_rounds(tmp_path)[-1]["crossover"]) == {str(w) for w in range(5)}


def test_a_record_that_lacks_rounds_does_not_go_on(tmp_path):
    Mean().start(grid(3), floats(), 2, run_dir=tmp_path)
    before = (tmp_path / "config.json").read_bytes()
    (tmp_path / "rounds.jsonl").write_text("")
    with pytest.raises(ConfigError, match="round 1 is not in its place"):
        Mean().start(grid(3), floats(), 4, resume=tmp_path)
    assert (tmp_path / "config.json").read_bytes() == before


def test_a_finished_run_goes_on_when_more_rounds_are_asked_for(tmp_path):
    Mean().start(grid(3), floats(), 2, run_dir=tmp_path)
    with pytest.raises(ConfigError, match="round 2 of 2 is done, nothing is left"):
        Mean().start(grid(3), floats(), 2, resume=tmp_path)
    longer = Mean().start(grid(3), floats(), 3, resume=str(tmp_path))
    assert same(longer.arrays, Mean().start(grid(3), floats(), 3).arrays)
    assert read_summary(tmp_path)["status"] == "finished"


def test_a_run_that_was_killed_before_its_summary_is_ended(tmp_path):
    done = Mean().start(grid(3), floats(), 2, run_dir=tmp_path)
    summary = read_summary(tmp_path)
    set_status(tmp_path, "running")
    again = Mean().start(grid(0), floats(), 2, resume=tmp_path)  # nodes are not needed for it
    assert same(again.arrays, done.arrays) and len(read_rounds(tmp_path)) == 2
    assert read_summary(tmp_path)["model_sha256"] == summary["model_sha256"]
    assert read_summary(tmp_path)["status"] == "finished"


@pytest.mark.parametrize(
    "strategy, folders, said",
    [
        (lambda: Mean(fraction_train=0.7), {"resume": "run"}, "fraction_train=1.0, not 0.7"),
        (CoordinateMedian, {"resume": "run"}, "strategy='Mean {}', not \"CoordinateMedian {'even'"),
        (Mean, {"run_dir": "run"}, "expected a new or empty folder"),
        (Mean, {"run_dir": "other", "resume": "run"}, "expected none beside resume"),
        (Mean, {"resume": "other"}, "has no config.json"),
        (Mean, {"resume": "run/checkpoints/round-000001"}, "expected the run folder .*/run, which"),
    ],
)
def test_a_folder_of_another_run_is_refused(strategy, folders, said, tmp_path):
    Mean().start(grid(3), floats(), 1, run_dir=tmp_path / "run")
    given = {name: tmp_path / folder for name, folder in folders.items()}
    with pytest.raises(ConfigError, match=said):
        strategy().start(grid(3), floats(), 3, **given)
    assert len(read_rounds(tmp_path / "run")) == 1


def test_a_model_of_another_form_does_not_go_on(tmp_path):
    Mean().start(grid(3), floats(), 1, run_dir=tmp_path)
    with pytest.raises(ValueError, match="expected the model of that run"):
        Mean().start(grid(3), model(), 3, resume=tmp_path)


def test_a_run_that_fails_says_so_in_its_summary(tmp_path):
    def silent(request, reply):
        return []

    nodes = grid(2, tamper=dict.fromkeys(range(2), silent))
    with pytest.raises(FederationError, match="no usable round"):
        SignMV().start(nodes, floats(), 1, timeout=0.01, run_dir=tmp_path)
    summary = read_summary(tmp_path)
    assert summary["status"] == "failed" and "2 no-reply" in summary["error"]


def test_byzantine_nodes_are_ids_or_announced():
    with pytest.raises(ValueError, match="expected node ids or 'announced'; got 'all'"):
        Mean().start(grid(2), floats(), 1, byzantine="all")


@pytest.fixture
def kept(monkeypatch):
    """A copy of the state is kept after every round, however short."""
    monkeypatch.setattr(saving, "SHARE", math.inf)


def test_a_signal_that_reaches_another_thread_costs_no_round(tmp_path, monkeypatch, kept):
    """In Flower's simulation the ServerApp's thread gets no exception; the process just ends."""

    def ends(server_round, arrays):
        if server_round == 4:
            end = partial(exit_handler.trigger_exit_handlers, run_before_force_exit=False)
            thread = threading.Thread(target=end)
            thread.start()
            thread.join()
            assert read_summary(tmp_path)["status"] == "interrupted"
            raise Ended

    class Ended(BaseException):
        """In place of the end of the process."""

    monkeypatch.setattr(exit_handler, "registered_exit_handlers", [])
    with pytest.raises(Ended):
        Mean().start(grid(3), floats(), 6, run_dir=tmp_path, evaluate_fn=ends)
    done = Mean().start(grid(3), floats(), 6, resume=tmp_path)
    assert min(done.train_metrics_clientapp) == 4
    assert same(done.arrays, Mean().start(grid(3), floats(), 6).arrays)


def test_a_damaged_checkpoint_names_a_remedy_that_works(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "EVERY", 2)
    Mean().start(grid(3), floats(), 4, run_dir=tmp_path)
    whole = Mean().start(grid(3), floats(), 6)
    for last, goes_on, done in ((4, "goes on after round-000002", 2), (6, "begins anew", 0)):
        place = tmp_path / "checkpoints" / f"round-{last:06d}"
        (place / "state.safetensors").write_bytes(b"cut off")
        with pytest.raises(ConfigError, match=f"damaged .*; remove {place}, .* {goes_on}"):
            Mean().start(grid(3), floats(), 6, resume=tmp_path)
        shutil.rmtree(place)
        again = Mean().start(grid(3), floats(), 6, resume=tmp_path)
        assert list(again.train_metrics_clientapp) == list(range(done + 1, 7))
        assert same(again.arrays, whole.arrays)
        shutil.rmtree(place.with_name("round-000004"))


def test_a_run_that_fails_goes_on_after_its_last_whole_round(tmp_path, kept):
    def broken(server_round, arrays):
        if server_round == 4:
            raise ZeroDivisionError("no test samples")

    with pytest.raises(ZeroDivisionError):
        Mean().start(grid(3), floats(), 6, run_dir=tmp_path, evaluate_fn=broken)
    summary = read_summary(tmp_path)
    assert summary["status"] == "failed" and "no test samples (" in summary["error"]
    done = Mean().start(grid(3), floats(), 6, resume=tmp_path)
    assert min(done.train_metrics_clientapp) == 4
    assert same(done.arrays, Mean().start(grid(3), floats(), 6).arrays)


def test_a_run_that_is_over_is_not_kept_for_a_signal(tmp_path, monkeypatch):
    """In a notebook one run follows another, and each would keep its model."""
    handlers: list = []
    monkeypatch.setattr(exit_handler, "registered_exit_handlers", handlers)
    ended = []
    monkeypatch.setattr(recorder.RunRecorder, "interrupt", lambda self: ended.append(self._path))

    def signal_in_round_2(server_round, arrays):
        if server_round == 2:
            handlers[-1].exit_handler()

    for name in "ab":
        Mean().start(grid(3), floats(), 3, run_dir=tmp_path / name, evaluate_fn=signal_in_round_2)
        assert ended.pop() == tmp_path / name
        for handler in handlers:
            handler.exit_handler()
        assert ended == []


def test_what_a_users_dict_holds_of_other_kinds_ends_no_run(tmp_path):
    """As NumPy, scikit-learn or PyTorch return it; what JSON has no form for is left out."""

    def found(server_round, arrays):
        return {
            "accuracy": np.float32(0.5), "f1": np.float64(0.25), "n": np.int64(3),
            "by_class": np.array([1, 0]), "loss": torch.tensor(2.0), "model": object(),
        }  # fmt: skip

    Mean().start(grid(3), floats(), 1, run_dir=tmp_path, evaluate_fn=found)
    (line,) = read_rounds(tmp_path)
    assert (line["test_accuracy"], line["test_loss"]) == (0.5, 2.0)
    assert line["server_metrics"] == {"f1": 0.25, "n": 3, "by_class": [1, 0]}
