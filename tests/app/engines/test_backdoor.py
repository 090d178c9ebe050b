"""A run with a backdoor: what it records in both engines, where it bites, where it is refused."""

from __future__ import annotations

import pytest
from rich.console import Console
from typer.testing import CliRunner

from signfed.app import cli
from signfed.app.commands.score import untouched
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.prepare import prepare
from signfed.app.engines.run import execute
from signfed.app.errors import ConfigError
from signfed.app.report.closing import print_closing
from signfed.app.report.impact import impact
from signfed.app.runs.folder import read_rounds, read_summary
from signfed.app.runs.summary import score
from tests.federation import config_for, federate, locally

KEYS = {"strategy": "mean", "attack": "backdoor", "num_byzantine": 3, "lr": 0.5}
RATE, FINAL = "backdoor_success", "final_backdoor_success"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A mean with 3 of 15 Byzantine, 40 rounds; evaluated every 20."""
    path = tmp_path_factory.mktemp("backdoor") / "run"
    locally(path, num_rounds=40, evaluate_every=20, checkpoint_every=10, **KEYS)
    return path


def test_the_rate_is_on_record_where_the_accuracy_is(run):
    for record in read_rounds(run):
        assert (RATE in record) == ("test_accuracy" in record) == (record["round"] % 20 == 0)
    last = read_rounds(run)[-1]
    assert read_summary(run)[FINAL] == last[RATE]
    shown = f"test accuracy {last['test_accuracy']:.4f}, backdoor success {last[RATE]:.4f}"
    assert score(last) == shown


def test_it_takes_a_mean_and_costs_little_accuracy(run):
    """Measured: 1.000 and 0.925; without a Byzantine worker 0.000 and 0.925."""
    summary = read_summary(run)
    assert summary[FINAL] > 0.9 and summary["final_test_accuracy"] > 0.85


def test_without_byzantine_workers_the_rate_is_that_of_an_honest_model(tmp_path):
    clean = locally(tmp_path / "clean", num_rounds=40, **{**KEYS, "num_byzantine": 0})
    assert clean.summary[FINAL] < 0.1
    other = locally(tmp_path / "other", num_rounds=40, **{**KEYS, "attack": "label-flip"})
    assert FINAL not in other.summary and not any(RATE in record for record in other.rounds)


@pytest.mark.parametrize("strategy", ["sign-fd", "election"])
def test_flower_records_the_same(strategy, tmp_path):
    """mean and sign-mv are in test_local.py, with every other attack."""
    keys = KEYS | {"strategy": strategy, "num_rounds": 2, "evaluate_every": 1}
    here, there = locally(tmp_path / "a", **keys), federate(tmp_path / "b", nodes=2, **keys)
    assert here.sha256 == there.sha256
    assert [r[RATE] for r in here.rounds] == [r[RATE] for r in there.rounds]
    assert here.summary[FINAL] == there.summary[FINAL]


def test_a_run_goes_on_where_it_was_broken_off(run, tmp_path):
    config = {key.replace("_", "-"): value for key, value in KEYS.items()}
    config |= {"device": "cpu", "evaluate-every": 20, "checkpoint-every": 10}
    first = config | {"num-rounds": 30, "out-dir": str(tmp_path / "run")}
    execute(prepare(first), local_engine)
    again = config | {"num-rounds": 40, "resume": str(tmp_path / "run")}
    execute(prepare(again), local_engine)
    whole, parts = read_summary(run), read_summary(tmp_path / "run")
    same = ("model_sha256", FINAL, "final_test_accuracy", "wrong_signs")
    assert [whole[key] for key in same] == [parts[key] for key in same]
    rates = [r[RATE] for r in read_rounds(tmp_path / "run") if r["round"] in (20, 40)]
    assert rates == [r[RATE] for r in read_rounds(run) if RATE in r]


def test_boost_carries_one_of_fifteen_through_a_mean(tmp_path):
    """A tenth of one worker's batch. Measured: 0.031, and 0.966 with an accuracy of 0.933."""
    keys = KEYS | {"num_byzantine": 1, "backdoor.share": 0.1, "num_rounds": 40}
    weak, strong = (
        locally(tmp_path / str(boost), **keys, **{"backdoor.boost": boost}).summary
        for boost in (1.0, 15.0)
    )
    assert weak[FINAL] < 0.2 and strong[FINAL] > 0.9 and strong["final_test_accuracy"] > 0.85


def test_boost_changes_nothing_on_signs(tmp_path):
    models = {
        locally(tmp_path / str(boost), **KEYS | {"strategy": "sign-mv"},
                **{"backdoor.boost": boost}).sha256
        for boost in (1.0, 10.0)
    }  # fmt: skip
    assert len(models) == 1


def test_the_closing_table_and_the_score_show_it(run, monkeypatch, tmp_path):
    console = Console(width=100, record=True, file=(tmp_path / "out").open("w"))
    print_closing(console, run, (0, 1, 2))
    rate = read_summary(run)[FINAL]
    assert f"final backdoor success {rate:.4f}" in " ".join(
        console.export_text().replace("│", " ").split()
    )
    shown = CliRunner().invoke(cli.app, ["score", str(run)])
    assert shown.exit_code == 0, shown.output
    honest = untouched(run, run / "control")
    assert honest < 0.1
    row = impact(run, run / "control", honest)[FINAL]
    assert row == {"run": rate, "control": honest, "impact": rate - honest}
    line = next(line for line in shown.output.splitlines() if "backdoor" in line)
    assert [cell.strip() for cell in line.strip("│").split("│")] == [
        "final backdoor success", f"{rate:.4f}", f"{honest:.4f}", f"{rate - honest:.4f}"
    ]  # fmt: skip


def test_the_honest_rate_is_that_of_the_same_run_without_byzantine_workers(run, tmp_path):
    keys = {**KEYS, "num_byzantine": 0, "num_rounds": 40, "evaluate_every": 20}
    clean = locally(tmp_path / "clean", assumed_byzantine=3, **keys)
    plain = locally(tmp_path / "plain", **{**keys, "attack": "none", "num_byzantine": 3})
    assert clean.sha256 == plain.sha256
    assert untouched(run, tmp_path / "plain") == clean.summary[FINAL]
    for place in (tmp_path / "plain" / "checkpoints").iterdir():
        (place / "state.safetensors").write_bytes(b"")
    with pytest.raises(ConfigError, match="damaged"):
        untouched(run, tmp_path / "plain")
    (tmp_path / "plain" / "checkpoints").rename(tmp_path / "gone")
    assert untouched(run, tmp_path / "plain") is None
    assert impact(run, tmp_path / "plain")[FINAL] == {"run": read_summary(run)[FINAL]}


OWN = """
import torch
from torch import nn
from signfed import Dataset, attack
from signfed.attacks import Trigger

def plain(data_dir, download):
    draws = torch.Generator().manual_seed(0)
    x, y = torch.rand(60, 1, 6, 6, generator=draws), torch.arange(60) % 3
    return Dataset(x, y, x, y)

def pictures(data_dir, download):
    found = plain(data_dir, download)
    return Dataset(found.train_x, found.train_y, found.test_x, found.test_y, sides=(6, 6))

def halved(target):
    return Trigger(target, lambda images: images[..., ::2])

@attack(knowledge="own", stage="data", trigger=halved)
def shrinks(view, *, target=0):
    return view.own

def net(spec):
    return nn.Sequential(nn.Flatten(), nn.Linear(36, spec.num_classes))
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "pictures_of_my_own.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return {"model": "pictures_of_my_own:net", "num_workers": 3, "num_byzantine": 1,
            "batch_size": 5, "strategy": "mean", "attack": "backdoor"}  # fmt: skip


def test_ones_own_images_can_have_a_backdoor(own, tmp_path):
    done = locally(tmp_path / "run", task="pictures_of_my_own:pictures", **own)
    assert 0.0 <= done.summary[FINAL] <= 1.0


@pytest.mark.parametrize("task, options, text", [
    ("pictures_of_my_own:plain", {}, r"'backdoor': changes images, .* sides=\(height, width\)"),
    ("pictures_of_my_own:pictures", {"backdoor.size": 7}, "backdoor.size: expected at most 6"),
    ("pictures_of_my_own:pictures", {"backdoor.target": 3}, "a target below 3, .* got 3"),
    ("pictures_of_my_own:pictures", {"attack": "pictures_of_my_own:shrinks"},
     r"'pictures_of_my_own:shrinks': expected images \(1, 1, 6, 6\) .* got \(1, 1, 6, 3\)"),
])  # fmt: skip
def test_ones_own_data_that_cannot_have_it_are_refused(own, task, options, text, tmp_path):
    keys = {key.replace("_", "-"): value for key, value in own.items()}
    with pytest.raises(ConfigError, match=text):
        prepare(config_for(tmp_path / "run", keys | {"task": task} | options))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("keys, text", [
    ({"task": "ag-news"}, "'backdoor': changes images, and task='ag-news' has none"),
    ({"task": "quadratic"}, "'backdoor': changes labels, and task='quadratic' has none"),
    ({"backdoor.size": 9}, "'backdoor': backdoor.size: expected at most 8, .* got 9"),
    ({"backdoor.target": 10}, "'backdoor': expected a target below 10, .*='digits'; got 10"),
    ({"attack": "time-varying", "time-varying.attacks": "lie,backdoor", "backdoor.target": 11},
     "'time-varying': expected a target below 10"),
])  # fmt: skip
def test_what_cannot_be_is_refused_before_data_are_loaded(keys, text, tmp_path):
    given = {"strategy": "mean", "attack": "backdoor", "data-dir": str(tmp_path)} | keys
    with pytest.raises(ConfigError, match=text):
        prepare(given | {"out-dir": str(tmp_path / "run")})
    assert list(tmp_path.iterdir()) == []
