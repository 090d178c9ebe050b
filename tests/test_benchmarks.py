"""The scripts that print a table, at tiny sizes: what they promise is there and adds up.

Left out: `kill` and the Flower part of `rounds`, which start Flower's simulation; `warm_node`,
`footprint`, `faults`, `first_update` and `slow_link`, which start a federation of processes (see
tests/app/node, tests/app/federation, test_deployment); `memory`, which starts a process a row (see
test_participation); `colluders`, which is a red team's search (see tests/app/redteam); `gpu` (see
test_benchmarks_gpu); `ag_news_ids` and `cifar10_sheets`, which are data sets. What scripts hand to
processes of their own runs in a thread here.
"""

import gc
import json
import logging
import platform
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from importlib.util import find_spec
from itertools import product
from statistics import StatisticsError

import numpy as np
import pytest
import torch

from benchmarks import (
    attacked,
    common,
    curves,
    drop_in,
    every_rule,
    gradients,
    hostile,
    hostile_drop_in,
    kernels,
    rounds,
    rules,
    scale,
    sign_fd,
    traffic,
    usual_flower,
    wire,
)
from signfed.app.task import TASKS, Classification
from signfed.clients import ENCODERS
from signfed.strategies.registry import STRATEGIES
from tests.strategies.server.hostile.catalogue import catalogue, usual

PEER = bool(find_spec("byzfl"))


@pytest.fixture
def play(monkeypatch, capsys, tmp_path):
    """Runs a script's main: what it printed, and the rows of its JSON, which are the same."""

    def run(script, *arguments):
        out = tmp_path / "found.json"
        monkeypatch.setattr(sys, "argv", ["script", *arguments, "--out", str(out)])
        script.main()
        printed = capsys.readouterr().out
        found = json.loads(out.read_text())
        check_machine(found["machine"], printed)
        assert "".join(found["title"].split()) in "".join(printed.split())
        assert cells(printed)[: len(found["rows"])] == [shown(row) for row in found["rows"]]
        return printed, found["rows"]

    return run


def check_machine(machine, printed):
    assert list(machine) == ["cpu", "gpu", "python", "torch", "numpy", "flwr"]
    assert machine["python"] == platform.python_version()
    assert machine["torch"] == version("torch")
    assert "cores" in machine["cpu"]
    for name, value in machine.items():
        assert f"{name} {value}".replace(" ", "") in "".join(printed.split())


def cells(printed):
    """The tables' rows, without white space: a cell may be folded."""
    found = []
    for line in printed.splitlines():
        if line.startswith("│"):
            parts = ["".join(part.split()) for part in line.strip("│").split("│")]
            if parts[0] or not found:
                found.append(parts)
            else:
                found[-1] = [a + b for a, b in zip(found[-1], parts, strict=True)]
    return found


def shown(row):
    values = [f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()]
    return ["-" if v == "None" else "".join(v.split()) for v in values]


def ratios(row, name, above, below):
    assert row[name] == pytest.approx(row[above] / row[below])


def positive(row, *names):
    assert all(row[name] > 0 for name in names), row


def test_kernels(play, monkeypatch):
    monkeypatch.setattr(kernels, "PUBLISHED", (4, 512))
    printed, rows = play(kernels, "--rows", "3", "--coordinates", "1000", "2000", "--budget", "0")
    assert list(rows[0]) == [
        "kernel", "n", "N", "ms", "naive ms", "naive/ours", "read ms", "ours/read",
    ]  # fmt: skip
    signs = {
        "majority vote", "weighted vote", "disagreements", "disagreements of all pairs",
        "vote by agreement", "sign-fd per coordinate",
    }  # fmt: skip
    floats = {"pack", "unpack to float32", "median", "trimmed half", "pairwise distances"}
    expected = set(product(signs | floats, [3], [1000, 2000])) | set(product(floats, [4], [512]))
    assert {(row["kernel"], row["n"], row["N"]) for row in rows} == expected
    assert len(rows) == len(expected)
    for row in rows:
        positive(row, "ms", "naive ms", "read ms")
        ratios(row, "naive/ours", "naive ms", "ms")
        ratios(row, "ours/read", "ms", "read ms")
    accuracy = cells(printed)[len(rows) :]
    ours = next(row for row in accuracy if row[0].endswith("(ours)"))
    assert len(accuracy) == 6 and all(float(value) < 1e-10 for value in ours[1:])


def test_rules(play):
    given = ["--n", "15", "--coordinates", "500", "--budget", "0"]
    _, rows = play(rules, *given)
    assert [row["rule"] for row in rows] == list(STRATEGIES)
    naive, peers = set(rules.NAIVE), set(rules.byzfl_rules())
    assert bool(peers) == PEER
    for row in rows:
        assert (row["n"], row["f"], row["N"]) == (15, 3, 500)
        positive(row, "ms", "reading once")
        for names, ms, ratio in (
            (naive, "naive ms", "naive/ours"),
            (peers, "ByzFL ms", "ByzFL/ours"),
        ):
            if row["rule"] in names:
                positive(row, ms)
                ratios(row, ratio, ms, "ms")
            else:
                assert row[ms] is row[ratio] is None


def test_rules_that_would_not_fit_are_named(play, monkeypatch):
    monkeypatch.setattr(rules, "LARGEST", 4 * 15 * 500)
    given = ["--n", "15", "50", "--coordinates", "500", "--rules", "mean", "sign-mv"]
    printed, rows = play(rules, *given, "--budget", "0")
    found = [(row["rule"], row["n"], row["naive ms"] is None) for row in rows]
    assert found == [("mean", 15, False), ("sign-mv", 15, False), ("sign-mv", 50, True)]
    assert "('mean', 50, 500)" in printed


def test_rounds_are_timed_on_the_cpu_where_there_is_a_gpu(monkeypatch):
    """Their seconds are by phase, and a GPU is still at work when a phase ends."""
    devices = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        rounds, "local_engine", lambda run: devices.append(run.config.workload.device)
    )
    with pytest.raises(StatisticsError):  # no round was timed
        list(rounds.local_rows("digits", 2))
    assert devices == ["cpu"] and rounds.problem("digits").device.type == "cpu"


def test_rounds_of_the_local_engine_and_of_byzfl(play):
    given = ["--only", "local", "byzfl", "--tasks", "digits", "--rounds", "6"]
    _, rows = play(rounds, *given)
    assert list(rows[0]) == [
        "engine", "task", "rule", "ms per round", "rounds/s", "floor", "floor ms", "ratio",
    ]  # fmt: skip
    expected = [("local", rule) for rule in rounds.RULES]
    expected += [("ByzFL 0.0.11", "multi-krum")] if PEER else []
    assert [(row["engine"], row["rule"]) for row in rows] == expected
    for row in rows:
        positive(row, "ms per round", "floor ms")
        ratios(row, "ratio", "ms per round", "floor ms")
        assert row["rounds/s"] == pytest.approx(1000 / row["ms per round"])


def test_wire(play):
    _, rows = play(wire, "--coordinates", "1001")
    assert [row["encoder"] for row in rows] == list(ENCODERS)
    for row in rows:
        positive(row, "encode ms", "check ms", "decode ms", "encode/copy of the vector")
        assert row["bits per coordinate"] == 8 * row["bytes"] / row["N"]
    found = {row["encoder"]: row["bytes"] for row in rows}
    assert (found["sign"], found["float32"]) == (126, 4004)


def test_gradients(play):
    _, [row] = play(gradients, "--cases", "tiny", "--repeat", "1")
    assert row["case"] == "tiny" and row["workers"] == 2
    positive(row, "loop, ms", "vmap, ms", "shared, ms", "vmap of loop", "shared of loop")


def test_scale(play, monkeypatch):
    monkeypatch.setattr(scale, "BASE", {"workers": 7, "parameters": 500, "rounds": 4})
    sweeps = {"workers": (7, 9), "parameters": (500, 700), "rounds": (4, 6)}
    monkeypatch.setattr(scale, "SWEEPS", sweeps)
    names = ["sign-mv", "sign-fd", "median", "multi-krum"]
    _, rows = play(scale)
    expected = [(rule, what, v) for rule in names for what in sweeps for v in sweeps[what]]
    assert [(row["rule"], row["grows"], row[row["grows"]]) for row in rows] == expected
    per = "server ns per worker and parameter"
    for row in rows:
        positive(row, "server ms", "clients ms", "peak MiB")
        assert row[per] == pytest.approx(
            1e6 * row["server ms"] / row["workers"] / row["parameters"]
        )


def test_traffic(play, monkeypatch):
    monkeypatch.setitem(TASKS, "mnist", TASKS["mnist"])  # put back afterwards
    cases = [{"strategy": "sign-mv"}, {"strategy": "mean", "encoder": "top-k"}]
    monkeypatch.setattr(traffic, "CASES", cases)
    monkeypatch.setattr(traffic, "WORKERS", 2)
    _, (signs, top_k) = play(traffic)
    assert (signs["encoder"], top_k["encoder"]) == ("sign", "top-k")
    assert 1 <= signs["up"] < 1.02 and 1 <= signs["down"] < 1.02 and 32 <= top_k["down"] < 32.1
    assert signs["up, paper"] == signs["down, paper"] == 1
    assert top_k["up, paper"] == pytest.approx(3.532, abs=1e-3) and 4 < top_k["up"] < 4.3
    for row in (signs, top_k):
        ratios(row | {"both": row["up"] + row["down"], "64": 64}, "FedAvg / this", "64", "both")
        assert 32 <= row["down, round 1"] < 32.1


def test_every_rule(play, monkeypatch):
    promised = {row["strategy"] for row in every_rule.settings()}
    assert promised == set(STRATEGIES)
    some = [{"strategy": "sign-mv", "lr": 0.001}, {"strategy": "mean", "lr": 0.1}]
    some += [{"strategy": "sign-fd", "sign-fd.estimator": "alg1", "lr": 0.001}]
    monkeypatch.setattr(every_rule, "settings", lambda: some)
    monkeypatch.setattr(every_rule, "ProcessPoolExecutor", ThreadPoolExecutor)
    printed, rows = play(every_rule, "--rounds", "2", "--seeds", "2", "--processes", "1")
    assert "2 rounds, mean of 2 seeds" in printed
    assert list(rows[0]) == ["strategy", "options", "lr", "none", "sign-inversion"]
    assert [row["strategy"] for row in rows] == ["sign-mv", "mean", "sign-fd"]
    assert [row["options"] for row in rows] == ["", "", "sign-fd.estimator=alg1"]
    assert all(0 < row[attack] < 1 for row in rows for attack in every_rule.ATTACKS)


def test_sign_fd(play, monkeypatch):
    monkeypatch.setattr(sign_fd, "ProcessPoolExecutor", ThreadPoolExecutor)
    _, rows = play(
        sign_fd, "digits", "--rounds", "2", "--seeds", "1", "--byzantine", "3", "--rules",
        "sign-mv", "agreement", "--processes", "1",
    )  # fmt: skip
    assert list(rows[0]) == ["attack", "byzantine", "shards", "sign-mv", "agreement"]
    assert [(row["attack"], row["byzantine"], row["shards"]) for row in rows] == [
        ("none", 0, "stratified"),
        ("sign-inversion", 3, "stratified"),
        ("stochastic-sign-flip", 3, "stratified"),
        ("layer", 3, "stratified"),
        ("none", 0, "skewed"),
        ("sign-inversion", 2, "skewed"),
    ]
    assert all(0 < row[rule] < 1 for row in rows for rule in ("sign-mv", "agreement"))


def test_curves(monkeypatch, capsys, tmp_path):
    some = {name: curves.RULES[name] for name in ("sign-mv", "mean")}
    monkeypatch.setattr(curves, "RULES", some)
    monkeypatch.setattr(curves, "ProcessPoolExecutor", ThreadPoolExecutor)
    given = ["--rounds", "20", "--seeds", "2", "--processes", "1", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["curves", *given])
    curves.main()
    printed = capsys.readouterr().out.splitlines()
    found = json.loads((tmp_path / "curves.json").read_text())
    assert found["machine"] == common.machine() and found["settings"]["rounds"] == "20"
    expected = list(product(("none", "sleeper", "time-varying"), some))
    expected += product(("trusted-bloc",), curves.VOTES)
    assert [(each["attack"], each["rule"]) for each in found["curves"]] == expected
    for each in found["curves"]:
        first, last = zip(*each["accuracy"], strict=True)  # of each seed, in round 10 and the last
        seeds = 1 if each["attack"] == "trusted-bloc" else 2
        assert len(first) == seeds and all(0 < value < 1 for value in (*first, *last))
        line = f"{each['attack']:14} {each['rule']:20} final {sum(last) / seeds:.3f}"
        assert any(text.startswith(line) for text in printed)
    for attack in ("sleeper", "time-varying", "trusted-bloc"):
        assert (tmp_path / f"{attack}.png").read_bytes().startswith(b"\x89PNG")


def test_drop_in(play, monkeypatch, put_back):
    layer = torch.nn.Sequential(torch.nn.Linear(30, 40), torch.nn.BatchNorm1d(40))
    monkeypatch.setattr(drop_in, "model", layer.state_dict)
    monkeypatch.setattr(drop_in, "CASES", [drop_in.CASES[0], drop_in.CASES[1], drop_in.CASES[-1]])
    title, rows = play(drop_in, "--nodes", "3", "--rounds", "3", "--repeat", "2")
    assert "1,400 floats" in title
    assert [row["strategy"] for row in rows] == ["FedAvg (Flower)", "Mean", "SignMV, one_bit_both"]
    for row in rows:
        positive(row, "s", "wall s", "server s", "MB up", "MB down")
    assert [rows[0][f"{what} / FedAvg"] for what in ("wall s", "s", "server s")] == [1, 1, 1]
    flower, mean, both = rows
    assert flower["MB up"] == pytest.approx(mean["MB up"], rel=0.01)
    assert both["MB up"] < both["MB down"] < flower["MB down"] / 2


@pytest.fixture
def put_back(monkeypatch):
    """What `hostile.column` changes in the process that it has for itself otherwise."""
    monkeypatch.setattr(Classification, "gradient", Classification.gradient)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    logging.disable(logging.NOTSET)
    gc.unfreeze()


def test_hostile(play, monkeypatch, put_back):
    def some(entries):
        return {name: entries[name] for name in ("garbage", "header spelled otherwise", "NaN")}

    monkeypatch.setattr(hostile, "catalogue", lambda codec: some(catalogue(codec)))
    monkeypatch.setattr(hostile, "usual", lambda: some(usual()))
    monkeypatch.setattr(hostile, "STRATEGIES", {"mean": STRATEGIES["mean"]})
    flowers = {"FedAvg": usual_flower.STRATEGIES["FedAvg"]}
    monkeypatch.setattr(usual_flower, "STRATEGIES", flowers)
    monkeypatch.setattr(hostile, "ProcessPoolExecutor", ThreadPoolExecutor)
    _, rows = play(hostile, "--rounds", "2", "--processes", "1")
    both = "mean (float32) and mean (top-k)"
    assert [list(row.values()) for row in rows] == [
        ["garbage", f"same model: {both}", "aborted: ValueError"],
        ["header spelled otherwise", f"honest model: {both}", "honest model"],
        ["NaN", f"same model: {both}", "NaN"],
    ]
    assert list(rows[0]) == ["fault", "signfed", "FedAvg"]


def test_attacked(play, monkeypatch):
    monkeypatch.setattr(attacked, "ProcessPoolExecutor", ThreadPoolExecutor)
    rules = ("sign-mv", "fltrust", attacked.ALONE)
    short = ("--rounds", "2", "--seeds", "2", "--processes", "1", "--f", "3", "--attacks", "lie")
    _, rows = play(attacked, "--rules", *rules, *short, "--config", "partition='shared'")
    assert [row["rule"] for row in rows] == list(rules)
    for row in rows:
        assert set(row) == {"rule", "none", "lie 3"}
        for cell in (row["none"], row["lie 3"]):
            mean, lowest = map(float, cell.strip(")").split(" ("))
            assert 0 < lowest <= mean < 1
    assert rows[2]["none"] == rows[2]["lie 3"]  # which does not look at what workers send


def test_hostile_drop_in(play, monkeypatch, put_back):
    def some(entries):
        chosen = ("garbage", "header spelled otherwise", "NaN", "-1e38", "the lowest padding bit")
        return {name: entries[name] for name in chosen if name in entries}

    monkeypatch.setattr(hostile_drop_in, "usual", lambda: some(usual()))
    monkeypatch.setattr(hostile_drop_in, "SIGN", some(hostile_drop_in.SIGN))
    rules = {name: STRATEGIES[name] for name in ("mean", "sign-mv")}
    monkeypatch.setattr(hostile_drop_in, "OURS", rules)
    flowers = {"FedAvg": hostile_drop_in.FLOWERS["FedAvg"]}
    monkeypatch.setattr(hostile_drop_in, "FLOWERS", flowers)
    monkeypatch.setattr(hostile_drop_in, "ProcessPoolExecutor", ThreadPoolExecutor)
    with np.errstate():
        printed, rows = play(hostile_drop_in, "--rounds", "3", "--processes", "1")
    assert [list(row.values()) for row in rows] == [
        ["garbage", "malformed", "right: 3", "aborts: ValueError"],
        ["header spelled otherwise", "received", "as honest: 3", "as honest"],
        ["NaN", "non-finite", "right: 2", "NaN"],
        ["-1e38", "received", "went on: 2", "NaN"],  # a mean that is not finite skips the round
        ["the lowest padding bit", None, "right: 1", None],
    ]
    assert ["signfed,packedsigns", "3", "2", "1", "0", "0", "0", "0"] in cells(printed)
