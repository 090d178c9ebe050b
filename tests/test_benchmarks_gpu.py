"""The benchmark for a card, rehearsed without one, and what it checks, on the CPU and on a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch

from benchmarks.gpu import checks
from benchmarks.gpu.cases import Case, Kept, cases
from benchmarks.gpu.limit import least_ms
from benchmarks.gpu.writing import COLUMNS, Findings, markdown
from signfed.attacks import ATTACKS
from signfed.strategies.registry import STRATEGIES
from tests.test_architecture import ROOT, python_without

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
ON_CPU = {"sign-mv", "signguard"}  # of the rules; a card gets all of them
NO_PLAIN_IMAGES = {"backdoor"}  # random vectors are no images


@pytest.fixture(scope="module")
def problems():
    return {}


def small(problems, device):
    if device not in problems:
        problems[device] = Kept(checks.SMALL, device)
    return problems[device]


def test_a_rehearsal_without_flower_and_ray_finds_all_it_promises(tmp_path):
    """Blocked as they are missing where the card is; it stops at its time."""
    arguments = ["gpu", "--device", "cpu", "--minutes", "0.5", "--out", str(tmp_path)]
    done = python_without(
        ("flwr", "ray"),
        f"sys.argv = {arguments!r}\n"
        "from benchmarks.gpu.__main__ import main\n"
        "raise SystemExit(main())",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((tmp_path / "results.json").read_text())
    assert all(each["ok"] for each in found["checks"]) and len(found["checks"]) >= 1
    assert found["card"].keys() == {"float32", "bfloat16", "bytes"}
    assert len(found["rows"]) + len(found["left_out"]) >= 5
    for row in found["rows"]:
        assert row["note"] == "" and row["round_ms"] > 0 and row["floor_ms"] > 0
        assert 0 < row["least_ms"] < row["round_ms"] and row["flop"] > 0
    assert found["profile_of"] and (tmp_path / "profile.txt").read_text()
    page = (tmp_path / "results.md").read_text()
    assert page.count("\n| mlp ") == len(found["rows"])


def test_without_a_gpu_it_says_what_it_expected(tmp_path):
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "benchmarks.gpu", "--out", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "expected a GPU" in done.stderr and not list(tmp_path.iterdir())


def test_rows_with_a_target_come_first_and_none_twice():
    every = list(cases())
    assert [each.target_ms for each in every[:7]] == [2.5, 2.5, 25.0, 3.0, 100.0, 45.0, 45.0]
    keys = [(each.model, each.workers, each.batch, each.rule, each.precision) for each in every]
    assert len(set(keys)) == len(keys) == 3 * 3 * 5 * 5
    assert {each.workers for each in every} == {15, 50, 200}
    assert every[0].config("cpu", 3).workload.model == "fd-cnn"


def test_what_is_found_is_written_at_once_and_whole(tmp_path):
    findings = Findings(tmp_path / "new", torch.device("cpu"))
    findings.add("checks", {"name": "a", "ok": False, "said": "b apart"})
    findings.add("rows", {"model": "mlp", "round_ms": 1.23456, "note": "ok"})
    again = json.loads((tmp_path / "new" / "results.json").read_text())
    assert again["rows"][0]["round_ms"] == 1.23456
    page = (tmp_path / "new" / "results.md").read_text()
    assert "- FAILED: a: b apart" in page and "| mlp |" in page and "| 1.23 |" in page
    assert page == markdown(findings.found) and "| " + " | ".join(COLUMNS) + " |" in page


def test_the_least_time_is_that_of_the_slower_of_the_two():
    card = {"float32": 1e12, "bytes": 1e9}
    assert least_ms({"flop": 2e12, "bytes": 1e9}, card, "float32") == 2000.0
    assert least_ms({"flop": 1e9, "bytes": 3e9}, card, "bfloat16") == 3000.0


def test_a_check_fails_where_gradients_differ(monkeypatch):
    real = Kept.batched

    def wrong(self, asked):
        found = real(self, asked)
        return lambda *given: 1.001 * found(*given)

    monkeypatch.setattr(Kept, "batched", wrong)
    held, said = checks.gradients_agree(Case("mlp", 5, 8, 1, "sign-mv", "float32"), "cpu")
    assert not held and "relative error 1.0e-03" in said


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("model", ["mlp", "fd-cnn"])
def test_gradients_are_those_of_the_loop_on_a_cpu(model, device):
    held, said = checks.gradients_agree(Case(model, 5, 8, 1, "sign-mv", "float32"), device)
    assert held, said


@pytest.mark.gpu
@pytest.mark.parametrize("model", ["signguard-cnn", "resnet-18", "resnet-56", "resnet-50"])
def test_gradients_of_large_networks_are_those_of_the_loop(model):
    held, said = checks.gradients_agree(Case(model, 5, 8, 1, "sign-mv", "float32"), "cuda")
    assert held, said


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("rule", STRATEGIES)
def test_five_rounds_under_every_attack_are_those_of_the_loop(rule, device, problems):
    if device == "cpu" and rule not in ON_CPU:
        pytest.skip("on a CPU two rules stand for all: tests/app/engines hold the others")
    attacks = [name for name in ATTACKS if name not in NO_PLAIN_IMAGES]
    for name in attacks[:: 4 if device == "cpu" else 1]:
        keys = checks.keys_of(device, strategy=rule, attack=name)
        held, said = checks.is_the_loop(small(problems, device), keys)
        assert held, f"{name}: {said}"


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("rule", STRATEGIES)
def test_twice_the_same_bits_and_resumed(rule, device, problems):
    if device == "cpu" and rule not in ON_CPU:
        pytest.skip("on a CPU two rules stand for all: tests/app/engines hold the others")
    keys = checks.keys_of(device, strategy=rule, attack="lie", momentum=0.9)
    held, said = checks.same_bits_twice(small(problems, device), keys)
    assert held, said
