"""`signfed reproduce`: a tiny item from its runs to its page and the summary."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from signfed.app import cli
from signfed.app.errors import ConfigError
from signfed.app.experiments import records, registry, runner, work
from signfed.app.experiments import reproduce as reproducing
from signfed.app.experiments.experiment import Claim, Experiment, Setting
from signfed.app.experiments.judges import falls, higher
from signfed.app.experiments.narrow import narrowed
from signfed.app.experiments.pages import page_of, summary_of
from signfed.app.experiments.reproduce import reproduce
from signfed.app.experiments.runner import runner_for
from signfed.app.experiments.sweep import Sweep
from signfed.app.report.pictures import Lines
from signfed.app.report.published import FAILS, HOLDS, NOT_TRIED

LOSS = "final_test_loss"
TINY = Sweep(
    "tiny",
    {"task": "quadratic", "strategy": "sign-mv", "num-rounds": 3, "device": "cpu", "attack": "none",
     "num-byzantine": 0, "evaluate-every": 1},
    {"lr": [0.1, 0.2]},
    seeds=(0, 1),
)  # fmt: skip
ITEM = Experiment(
    "tiny", "park-2024", "A quadratic | in three rounds",
    full=Setting(TINY, 1), quick=Setting(TINY, 0.1, "nothing is smaller"),
    claims=(
        Claim("larger steps, lower loss", "0", falls(LOSS, [{"lr": 0.1}, {"lr": 0.2}], "falls")),
        Claim("and the reverse", "Fig. 0", higher(LOSS, [({"lr": 0.2}, {"lr": 0.1})], "rises")),
        Claim("and a third", "Fig. 0", higher(LOSS, [({"lr": 0.3}, {"lr": 0.1})], "rises")),
    ),
    pictures=(Lines("round", "test_loss", "lr", "loss"), Lines("lr", LOSS, (), "loss")),
    choices=("three rounds",),
    remarks={"quick": "The reverse cannot hold, too."},
)  # fmt: skip


@pytest.fixture
def call(monkeypatch, tmp_path):
    """Call the command with the tiny item in the registry."""
    monkeypatch.setitem(registry.EXPERIMENTS, "tiny", ITEM)

    def run(*arguments, code=0):
        places = ["--out", str(tmp_path / "pages"), "--runs", str(tmp_path / "runs")]
        found = CliRunner().invoke(cli.app, ["reproduce", *arguments, *places, "--processes", "0"])
        assert found.exit_code == code, found.output
        return " ".join(found.output.split())

    return run


def test_an_item_from_its_runs_to_its_page(call, tmp_path):
    said = call("tiny", "--quick")
    assert "does not hold" in said and "not tried" in said and "nothing is smaller" in said
    place = tmp_path / "pages/tiny"
    found = json.loads((place / "verdicts.json").read_text())["quick"]
    assert [claim["verdict"] for claim in found["claims"]] == [HOLDS, FAILS, NOT_TRIED]
    assert found["seeds"] == [0, 1] and found["runs"] == found["ended"] == 4
    page = (place / "README.md").read_text()
    for part in ("# tiny: A quadratic", "## quick", "**does not hold**", "![A quadratic",
                 "Seeds: 0, 1",
                 "Chosen here: three rounds", "The reverse cannot hold", "torch ", "cores",
                 "`num-rounds=3`", "Smaller than in the paper: nothing is smaller"):  # fmt: skip
        assert part in page, part
    assert (place / "quick-1.png").stat().st_size > 1000
    assert (place / "quick.csv").read_text().count("\n") == 5

    ours = {"quick": found | {"paper": "ours"}}
    assert "Smaller than in full: nothing is smaller" in page_of(ours)

    # The full setting has the same cells: none runs again, and the page has both.
    assert "4 done nothing to run" in call("tiny", "--plan")
    call("tiny")
    page = (place / "README.md").read_text()
    assert page.index("## full") < page.index("## quick") < page.index("## Every setting")
    assert page.count("Chosen here: three rounds") == 1

    call("--summary", str(tmp_path / "pages"))
    summary = (tmp_path / "pages/README.md").read_text()
    assert "- 2 settings ran on " in summary and "; python 3." in summary
    assert "2 claims hold, 2 do not, 0 are not decided (the error is larger), 2 were not" in summary
    assert "| [tiny](tiny/README.md) |" in summary and "and the reverse" in summary
    assert "| setting | seeds | hold |" in summary and "| quick | 2 | 1 | 1 | 0 | 1 |" in summary
    assert "A verdict from one seed has only the papers' own noise" in summary


def test_a_part_of_an_item_writes_no_page(call, tmp_path):
    assert "4 to run: about" in call("tiny", "--plan")
    assert not (tmp_path / "runs").exists()
    assert "no page" in call("tiny", "--only", "lr=0.2", "--only", "seed=1")
    assert not (tmp_path / "pages").exists()
    assert len(list((tmp_path / "runs/tiny/cells").iterdir())) == 1


def test_of_several_items_those_that_can_take_the_processes(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(runner, "runner_for", lambda *given: asked.append(given) or runner.Here())
    flower = replace(ITEM, name="slow", full=Setting(replace(TINY, engine="flower"), 1))
    for item in (ITEM, flower):
        monkeypatch.setitem(registry.EXPERIMENTS, item.name, item)
    for names in (["tiny", "slow"], ["slow"]):
        places = ["--plan", "--processes", "4", "--runs", str(tmp_path)]
        assert CliRunner().invoke(cli.app, ["reproduce", *names, *places]).exit_code == 0
    assert [given[:2] for given in asked] == [("local", 4), ("flower", None), ("flower", 4)]


def test_a_plan_of_what_was_never_timed_says_what_the_item_declares(call, monkeypatch):
    """A run through Flower is not tried for an estimate."""
    flower = replace(ITEM, full=Setting(replace(TINY, engine="flower"), 4))
    monkeypatch.setitem(registry.EXPERIMENTS, "tiny", flower)
    said = call("tiny", "--plan", "--only", "lr=0.2")
    assert "2 to run; no like cell was ever timed: about 4 min on 2 cores for" in said
    assert "for the whole setting, as the item declares" in said


def test_a_plan_says_that_a_second_stage_is_not_counted(call, monkeypatch):
    assert "second stage" not in call("tiny", "--plan")
    twice = replace(ITEM, full=replace(ITEM.full, then=lambda sweep, rows: sweep))
    monkeypatch.setitem(registry.EXPERIMENTS, "tiny", twice)
    said = call("tiny", "--plan")
    assert "4 to run: about" in said and "a second stage follows" in said


@pytest.mark.parametrize(
    "arguments, says",
    [
        ([], "expected names of experiments, or all"),
        (["fig9"], "unknown experiment 'fig9'"),
        (["tiny", "--setting", "small"], "expected a setting among full, quick; got 'small'"),
        (["tiny", "--quick", "--setting", "full"], "--setting full: expected none beside --quick"),
        (["tiny", "-c", "lr=1.0"], "expected what holds for this machine: data-dir"),
        (["tiny", "--only", "f=1"], "--only: expected some of lr, seed; got f"),
        (["tiny", "--only", "lr=9"], "--only: no cell of tiny has lr=9"),
    ],
)
def test_what_cannot_be_is_refused_before_a_run(call, tmp_path, arguments, says):
    found = CliRunner().invoke(cli.app, ["reproduce", *arguments])
    assert found.exit_code == 2 and says in " ".join(found.output.split())


def test_what_holds_for_this_machine_reaches_the_runs(call, monkeypatch):
    asked = []

    def noted(item, setting, sweep, folder, **more):
        asked.append(sweep.config)
        raise ConfigError("no more is wanted")

    monkeypatch.setattr(reproducing, "reproduce", noted)
    here = {"data-dir": "here", "device": "auto", "download": True, "precision": "tf32"}
    given = "data-dir='here' device='auto' download=true precision='tf32'"
    assert "no more is wanted" in call("tiny", "-c", given, code=2)
    assert asked == [TINY.config | here]


def test_a_run_that_failed_is_exit_code_1(call, monkeypatch):
    monkeypatch.setattr(work, "execute", None)
    said = call("tiny", "--only", "lr=0.2 seed=1", code=1)
    assert "failed: lr=0.2 seed=1" in said and "no page" in said


def test_an_item_without_its_data_does_not_stop_the_others(call, monkeypatch, tmp_path):
    away = replace(TINY, config={"task": "mnist", "data-dir": str(tmp_path)}, seeds=tuple(range(9)))
    for name, sweep in {"away": away, "third": TINY}.items():
        monkeypatch.setitem(
            registry.EXPERIMENTS, name, replace(ITEM, name=name, full=Setting(sweep, 1))
        )
    said = call("tiny", "away", "third", code=1)
    assert said.count("page:") == 2 and not (tmp_path / "pages/away").exists()
    assert "away cannot run: sweep 'tiny': 18 of 18 cells cannot run" in said
    assert said.count("train-images-idx3-ubyte.gz") == 1 and "and 12 more" in said
    assert said.endswith("could not run: away")
    assert "could not run: away" in call("tiny", "away", "--plan", code=1)
    said = call("away", "away", code=2)
    assert "none of these items can run here" in said


def test_the_list_has_every_item(call):
    said = call("--list")
    assert all(name in said for name in registry.EXPERIMENTS) and "about" in said
    assert "signguard-fig5, full: Fashion-MNIST alone, one of 2 data sets; CIFAR-10 is" in said


def test_a_part_of_cases_and_seeds():
    sweep = Sweep("s", grid={"f": (1, 2)}, cases=({"r": "a"}, {"r": "b", "x": 1}), seeds=(0, 1))
    part = narrowed(sweep, ["r='b' seed=1", "f=2"])
    assert list(part.points()) == [{"r": "b", "x": 1, "f": 2, "seed": 1}]
    with pytest.raises(ConfigError, match="no cell"):
        narrowed(sweep, ["r='c'"])


def test_a_setting_can_have_choices_of_its_own():
    other = replace(ITEM.quick, choices=("four rounds",))
    item = replace(ITEM, others={"other": other})
    assert item.choices_of("quick") == ("three rounds",)
    assert item.choices_of("other") == ("four rounds",)


def test_a_summary_names_what_was_not_run():
    said = summary_of({})
    assert "0 claims hold, 0 do not, 0 are not decided" in said
    assert all(f"| {name} |" in said for name in registry.EXPERIMENTS)


@pytest.mark.parametrize("pictures", [ITEM.pictures, ITEM.pictures[1:]])
def test_rounds_are_read_where_something_is_of_them(pictures, tmp_path):
    item = replace(ITEM, pictures=pictures)
    outcome = reproduce(item, "quick", TINY, tmp_path, runner=runner_for(processes=0))
    assert len(outcome.rows) == 4 and len(outcome.rounds) == (12 if len(pictures) == 2 else 0)


def test_a_page_of_many_cells_names_their_file(call, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "MANY", 1)
    call("tiny", "--quick")
    place = tmp_path / "pages/tiny"
    page = (place / "README.md").read_text()
    assert "[quick.csv](quick.csv)" in page and "| lr |" not in page
    assert json.loads((place / "verdicts.json").read_text())["quick"]["cells"] == []
    with (place / "quick.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["lr"], line["runs"], line["finished"]) for line in lines] == [
        ("0.1", "2", "2"), ("0.2", "2", "2"),
    ]  # fmt: skip
    assert all(float(line[LOSS]) > 0 < float(line[f"{LOSS} error"]) for line in lines)


def test_runs_that_did_not_finish_are_named_and_count_as_the_judges_count_them():
    score = "final_test_accuracy"
    ways = {"finished": 0.6, "diverged": 0.9, "failed": 0.3}
    rows = [{"seed": s, "status": way, score: x} for s, (way, x) in enumerate(ways.items())]
    rows = [row | {"strategy": "mean", LOSS: 1.0} for row in rows]
    (line,) = records.means_of(rows, ("strategy",))
    assert line[score].startswith("0.300 ±") and line[LOSS] == "inf"  # 0.6 and 0
    assert set(line) == {"strategy", score, LOSS, "did not finish"}  # and none that nobody measured
    assert line["did not finish"] == "1 of 3 diverged, 1 of 3 failed"
    (line,) = records.numbers_of(rows, ("strategy",))
    assert (line["runs"], line["finished"], line["diverged"], line[score]) == (3, 1, 1, 0.3)
    (whole,) = records.means_of(rows[:1], ("strategy",))
    assert "did not finish" not in whole


def test_a_page_says_how_runs_that_diverged_count(call, tmp_path):
    call("tiny", "--quick")
    place = tmp_path / "pages/tiny"
    assert "counts as 0" not in (place / "README.md").read_text()
    found = json.loads((place / "verdicts.json").read_text())
    found["quick"]["cells"][0]["did not finish"] = "1 of 2 diverged"
    page = page_of(found)
    assert "| 1 of 2 diverged |" in page and "a final accuracy counts as 0" in page


def test_every_cell_has_what_a_page_says_of_every_cell(call, tmp_path):
    call("tiny", "--quick")
    found = json.loads((tmp_path / "pages/tiny/verdicts.json").read_text())
    found["quick"] |= {
        "config": {"lr": 0.3, "strategy": "median", "num-rounds": 9, "num-workers": 5},
        "grid": {"lr": [0.1, 0.2]}, "cases": [{"strategy": "mean"}, {"num-rounds": 7}],
    }  # fmt: skip
    assert "- Every cell: `num-workers=5`\n" in page_of(found)


def test_options_of_parts_share_a_column():
    rows = [{"strategy": "mean", "lie.z": z, "status": "finished", LOSS: z} for z in (1.5, None)]
    found = records.numbers_of(rows, ("strategy", "lie.z"))
    assert [line["options"] for line in found] == ["lie.z=1.5", ""]
    assert LOSS in found[0] and LOSS not in found[1]
