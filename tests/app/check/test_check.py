"""`signfed check`: each law is broken by a rule that was made for it, and the search finds it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from signfed.app.check import attack as on_attacks
from signfed.app.check import breakdown as searching
from signfed.app.check.breakdown import Alignment, Breakdown, alignment, breakdown
from signfed.app.check.examine import check_keys, examine_attack, examine_rule, is_attack
from signfed.app.check.laws import LAWS
from signfed.app.check.search import examine
from signfed.app.check.show import print_check
from signfed.app.check.subject import Subject
from signfed.app.cli import app
from signfed.app.errors import ConfigError

LAW = {law.name: law for law in LAWS}
OWN = """
import torch
from signfed import RobustStrategy

class Floats(RobustStrategy):
    encoder = "float32"
    def aggregate(self, updates):
        return self.answer(updates.dense())
    def answer(self, rows):
        return rows.median(dim=0).values

class Good(Floats): pass
class FirstRow(Floats):
    def answer(self, rows): return rows[0].clone()
class Plain(Floats):
    def answer(self, rows): return rows.mean(dim=0)
class Halved(Floats):
    def answer(self, rows): return rows.median(dim=0).values / 2
class Clamped(Floats):
    def answer(self, rows): return rows.clamp(-1, 1).median(dim=0).values
class InPlace(Floats):
    def answer(self, rows): return rows.mul_(1.0).add_(1.0).median(dim=0).values - 1
class Overflows(Floats):
    def answer(self, rows): return rows.median(dim=0).values + 0 * rows.square().sum()
class Coins(Floats):
    def answer(self, rows): return rows.median(dim=0).values + torch.rand(1)
class Remembers(Floats):
    last = 0.0
    def answer(self, rows):
        self.last = rows.median(dim=0).values + self.last / 2
        return self.last
class Keeps(Remembers):
    def state_dict(self): return {"last": torch.as_tensor(self.last)}
    def load_state_dict(self, state): self.last = state["last"]
class Raises(Floats):
    def answer(self, rows): return rows[2]
class Votes(RobustStrategy):
    def aggregate(self, updates): return updates.signs().vote().dense()
class MinusOnTies(RobustStrategy):
    def aggregate(self, updates):
        total = updates.dense().sum(dim=0)
        return torch.where(total > 0, 1.0, -1.0)
class OneDecides(RobustStrategy):
    def aggregate(self, updates):
        rows = updates.dense()
        return torch.where((rows > 0).all(dim=0), 1.0, -1.0)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "rules21.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "rule, law",
    [
        ("FirstRow", "permutation"),
        ("FirstRow", "bounded movement"),
        ("Plain", "bounded movement"),
        ("Halved", "unanimity"),
        ("Clamped", "scale"),
        ("Clamped", "shift"),
        ("InPlace", "inputs untouched"),
        ("Overflows", "non-finite rows"),
        ("Coins", "ties"),
        ("Raises", "unanimity"),
        ("MinusOnTies", "ties"),
        ("OneDecides", "bounded movement"),
        ("Remembers", "resume"),
    ],
)
def test_a_broken_law_is_found_with_a_small_counter_example(own, rule, law):
    found = examine(Subject(f"rules21:{rule}"), LAW[law], seconds=2.0)
    assert found.holds is False and found.problem
    assert found.rows.size <= 15 and len(found.rows) <= 6


@pytest.mark.parametrize("file, kind", [("clipped", "Clipped"), ("damped", "Damped")])
def test_the_rules_of_the_page_keep_the_laws(file, kind, tmp_path, monkeypatch):
    page = (Path(__file__).resolve().parents[3] / "docs/extend.md").read_text(encoding="utf-8")
    code = re.search(rf"```python\n# {file}\.py\n(.*?)```", page, re.S).group(1)
    (tmp_path / f"{file}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    kept = [examine(Subject(f"{file}:{kind}"), law, seconds=0.3) for law in LAWS]
    assert [found.law.name for found in kept if found.holds is False and found.law.must] == []


def test_a_rule_that_remembers_has_to_say_what(own):
    lost = examine(Subject("rules21:Remembers"), LAW["resume"], seconds=1.0)
    assert "state_dict()" in lost.problem
    assert examine(Subject("rules21:Keeps"), LAW["resume"], seconds=1.0).holds


@pytest.mark.parametrize("rule", ["Good", "Votes"])
def test_a_sound_rule_keeps_every_law_that_is_for_it(own, rule):
    kept = {law.name: examine(Subject(f"rules21:{rule}"), law, seconds=0.3) for law in LAWS}
    assert {name for name, found in kept.items() if found.holds is False} == set()
    assert {name for name, found in kept.items() if found.holds is None} == (
        {"shift"} if rule == "Votes" else set()
    )
    assert all(found.tried >= 3 for found in kept.values() if found.holds)


def test_what_turns_a_rule_is_found_at_the_smallest_number(monkeypatch):
    monkeypatch.setattr(searching, "ATTACKERS", ("sign-inversion", "ipm", "lie"))
    found = breakdown(Subject("sign-mv"), seconds=120)
    assert found.complete and found.most == 7
    taken = found.taken_by
    smaller = found.worst.get(taken.n_byzantine - 1)
    assert taken.cosine <= 0 and smaller.cosine > 0
    again = alignment(
        lambda: Subject("sign-mv").rule(15, taken.n_byzantine), taken.attack, taken.options,
        taken.n_byzantine,
    )  # fmt: skip
    assert again == pytest.approx(taken.cosine)
    assert 0.6 < found.without < 0.9


def test_one_attacker_takes_the_mean(monkeypatch):
    monkeypatch.setattr(searching, "ATTACKERS", ("lie", "reverse-scaling", "ipm"))
    found = breakdown(Subject("mean"), seconds=120)
    assert found.complete and found.taken_by.n_byzantine == 1 and found.taken_by.cosine <= 0


def test_a_search_without_time_says_so():
    found = breakdown(Subject("sign-mv"), seconds=0)
    assert not found.complete and found.taken_by is None and not found.worst


def test_the_smallest_number_counts():
    worst = {
        7: Alignment("a", {}, 7, -0.5),
        3: Alignment("b", {}, 3, 0.2),
        5: Alignment("c", {}, 5, 0),
    }
    assert Breakdown(0.9, 7, worst, complete=True).taken_by.attack == "c"


def test_a_rule_that_needs_a_reference_gets_one():
    subject = Subject("fltrust", {"server-samples": 20})
    rows = np.ones((5, 3), np.float32)
    assert subject(rows, 1).tolist() == [1.0, 1.0, 1.0]
    found = examine_rule("fltrust", {}, 2.0, laws_only=True, tell=lambda text: None)
    assert found["options"] == {"server-samples": 20}


def test_the_command_says_it_in_its_exit_code_and_in_json(own):
    run = CliRunner().invoke(app, ["check", "rules21:Good", "--laws", "--seconds", "5"])
    assert run.exit_code == 0 and "holds" in run.output and "broken" not in run.output
    run = CliRunner().invoke(
        app, ["check", "rules21:FirstRow", "--laws", "--seconds", "5", "--format", "json",
              "--out", "found.json"],
    )  # fmt: skip
    assert run.exit_code == 1
    said = json.loads(run.output)
    assert said == json.loads(Path("found.json").read_text())
    assert {law["law"] for law in said["laws"] if law["holds"] is False} >= {"permutation"}
    run = CliRunner().invoke(app, ["check", "sign-inversion", "--laws", "--format", "json"])
    assert (
        run.exit_code == 0
        and [law["holds"] for law in json.loads(run.output)["laws"]] == [True] * 3
    )
    run = CliRunner().invoke(app, ["check", "krums"])
    assert run.exit_code == 2 and "expected a rule or an attack" in run.output + run.stderr


FAULTY = """
import signfed
from signfed import RobustStrategy

@signfed.attack(knowledge="own", stage="message")
def raises(view):
    raise RuntimeError("out of order")

@signfed.attack(knowledge="own", stage="message")
def narrow(view):
    return view.own[:, :3]

@signfed.attack(knowledge="own", stage="data")
def spoils(view):
    raise RuntimeError("out of order")

class Large(RobustStrategy):
    def aggregate(self, updates):
        if updates.n_coordinates > 1000:
            raise RuntimeError("out of order")
        return updates.signs().vote().dense()

@signfed.attack(knowledge="own", stage="gradient")
def chances(view):
    import numpy
    return view.own * numpy.random.standard_normal()
"""


@pytest.mark.parametrize(
    "name, law, problem, more",
    [
        ("raises", "answers", "RuntimeError: out of order (faulty21.py:7)", []),
        ("raises", "answers", "RuntimeError: out of order (faulty21.py:7)", ["--laws"]),
        ("narrow", "answers", "expected an array of real numbers of shape (4, 300)", []),
        ("spoils", "runs", "RuntimeError: out of order (faulty21.py:15)", ["--laws"]),
        ("Large", "runs", "RuntimeError: out of order (faulty21.py:20)", []),
        ("chances", "repeatable", "draw from view.generators", ["--laws"]),
    ],
)
def test_what_raises_is_said_in_json_too(own, tmp_path, name, law, problem, more):
    (tmp_path / "faulty21.py").write_text(FAULTY)
    asked = ["check", f"faulty21:{name}", "--seconds", "1", "--out", "found.json", *more]
    run = CliRunner().invoke(app, asked)
    assert run.exit_code == 1 and problem in " ".join(run.output.split())
    found = {each["law"]: each for each in json.loads(Path("found.json").read_text())["laws"]}
    assert found[law]["holds"] is False and problem in found[law]["problem"]


@pytest.mark.parametrize(
    "name, given",
    [
        ("lie", "strategy='krum'"), ("lie", "num-byzantine=2"), ("lie", "server-samples=20"),
        ("lie", "sign-fd.estimator='pooled'"), ("krum", "num-rounds=5"), ("krum", "lr=1.0"),
        ("krum", "attack='lie'"), ("krum", "lie.z=0.3"), ("krum", "encoder='sign'"),
    ],
)  # fmt: skip
def test_keys_that_a_check_sets_itself_are_refused(name, given):
    run = CliRunner().invoke(app, ["check", name, "--laws", "-c", given])
    assert run.exit_code == 2 and "not for a check" in run.output + run.stderr


def test_options_of_what_is_checked_are_taken(own):
    check_keys("rule", {"sign-fd.estimator": "pooled", "pre-aggregation": "nnm"})
    check_keys("rule", {"server-samples": 5, "strategy-options": "radius=1"})
    check_keys("attack", {"lie.z": 0.3, "byzmean.inner": "lie", "attack-options": "scale=2"})


PACKAGED = """
import signfed

@signfed.attack(knowledge="own", stage="message")
def opposite(view, *, scale: float = 1.0):
    return -scale * view.own
"""


def test_options_of_an_attack_in_a_package_reach_all_of_it(own, tmp_path, monkeypatch):
    (tmp_path / "packed21").mkdir()
    (tmp_path / "packed21" / "attack.py").write_text(PACKAGED)
    monkeypatch.setattr(on_attacks, "RULES", ("mean",))
    name, keys = "packed21.attack:opposite", {"attack-options": "scale=2.0"}
    found = examine_attack(name, keys, 0.0, laws_only=False, tell=lambda text: None)
    assert [law["holds"] for law in found["laws"]] == [True] * 4
    weaker = on_attacks.bites(name, {"attack-options": "scale=0.5"})
    assert found["cosine"]["mean"][6] < weaker["mean"][6]
    assert found["complete"] is False and found["accuracy"]["mean"].keys() == {"none attack"}
    print_check(console := Console(record=True, width=200), found)
    assert "--seconds" in console.export_text()


@pytest.mark.parametrize(
    "name, keys, sent, other",
    [("lie", {"lie.z-max": True}, {"direction": "minus", "z": 0.3, "z_max": True}, {}),
     ("byzmean", {"byzmean.inner": "ipm", "ipm.epsilon": 2.0},
      {"inner": "ipm", "ipm.epsilon": 2.0}, {"byzmean.inner": "ipm"})],
)  # fmt: skip
def test_options_with_hyphens_and_of_parts_reach_laws_and_cosines(
    name, keys, sent, other, monkeypatch
):
    assert searching.bound(name, keys) == sent
    found = examine_attack(name, keys, 1.0, laws_only=True, tell=lambda text: None)
    assert [law["holds"] for law in found["laws"]] == [True] * 3
    monkeypatch.setattr(on_attacks, "RULES", ("mean",))
    assert on_attacks.bites(name, keys) != on_attacks.bites(name, other)


def test_an_option_that_does_not_exist_is_refused_before_anything_is_tried():
    run = CliRunner().invoke(app, ["check", "lie", "--laws", "-c", "lie.zz=3"])
    assert run.exit_code == 2 and "lie.zz" in run.output + run.stderr


def test_rules_and_attacks_are_told_apart(own):
    assert is_attack("lie") and not is_attack("krum") and not is_attack("rules21:Good")
    with pytest.raises(ConfigError, match="expected module:Name"):
        is_attack("rules21:Nothing")
