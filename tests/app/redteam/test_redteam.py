"""The search for the worst parameters: its grids by hand, its trials, and what it refuses."""

from __future__ import annotations

import json
import logging
import math
import re
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from threading import Event
from typing import Annotated

import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from signfed.app import cli
from signfed.app.commands import redteam as command
from signfed.app.config.keys import KEYS
from signfed.app.config.pairs import read_pairs
from signfed.app.config.run_config import parse
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.prepare import prepare
from signfed.app.engines.run import execute
from signfed.app.engines.signals import end_at_once
from signfed.app.errors import ConfigError
from signfed.app.redteam import Trial, red_team, search, worst
from signfed.app.redteam.space import (
    ATTACKERS,
    between,
    first_trials,
    grid,
    next_trials,
    searched,
)
from signfed.app.redteam.tables import print_red_team, write_red_team
from signfed.app.runs.folder import read_summary
from signfed.attacks import ATTACKS
from signfed.strategies.core.options import Choice, Option, Range
from signfed.strategies.mean import Mean
from signfed.strategies.registry import STRATEGIES
from tests.own_folders import SCHEMA, write_images
from tests.waiting import GUARD


def option(search, kind=float):
    """An option that a red team varies like that."""
    return Option("owner", "name", Annotated[kind, search], kind())


@pytest.mark.parametrize(
    "axis, count, expected",
    [
        (Range(0.0, 1.0), 2, [0, 1]),
        (Range(0.0, 1.0), 5, [0, 0.25, 0.5, 0.75, 1]),
        (Range(0.0, 1.0), 4, [0, 0.3333, 0.6667, 1]),
        (Range(1e-3, 1e3, log=True), 4, [1e-3, 0.1, 10, 1e3]),
        (Range(0, 300), 4, [0, 100, 200, 300]),
        (Choice(("a", "b")), 7, ["a", "b"]),
    ],
)
def test_a_grid_by_hand(axis, count, expected):
    assert list(grid(option(axis), count)) == expected


def test_the_grid_of_a_whole_number_is_whole():
    found = list(grid(option(Range(0, 100), int), 4))
    assert found == [0, 33, 67, 100] and all(type(value) is int for value in found)


@pytest.mark.parametrize(
    "axis, expected", [(Range(1, 3), [1, 2, 3]), (Range(1, 8, log=True), [1, 2, 3, 5, 8])]
)
def test_a_whole_number_is_tried_once_however_many_are_asked_for(axis, expected):
    """1, 1.4, 1.8, 2.2, 2.6, 3; and 1, 1.5, 2.3, 3.5, 5.3, 8."""
    assert list(grid(option(axis, int), 6)) == expected


@pytest.mark.parametrize(
    "axis, value, tried, expected",
    [
        (Range(0.0, 1.0), 0.5, [0.0, 0.5, 1.0], [0.25, 0.75]),
        (Range(0.0, 1.0), 0.0, [0.0, 0.5, 1.0], [0.25]),
        (Range(0.0, 1.0), 1.0, [1.0, 0.0, 0.5], [0.75]),
        (Range(0.0, 1.0), 0.25, [0.0, 0.25, 0.5, 1.0], [0.125, 0.375]),
        (Range(0.0, 1.0), 0.5, [0.5], []),
        (Range(1e-3, 1e3, log=True), 0.1, [1e-3, 0.1, 10.0, 1e3], [0.01, 1]),
        (Choice(("a", "b")), "a", ["a"], []),
    ],
)
def test_middles_by_hand(axis, value, tried, expected):
    assert list(between(option(axis), value, tried)) == expected


@pytest.mark.parametrize(
    "value, tried, expected",
    [(100, [0, 100, 200, 300], [50, 150]), (1, [0, 1, 2], [])],  # nothing whole in between
)
def test_middles_of_whole_numbers_by_hand(value, tried, expected):
    assert list(between(option(Range(0, 300), int), value, tried)) == expected


SPACE = [attack for attack in ATTACKERS if searched(attack)]


@pytest.mark.parametrize("attack", SPACE)
def test_what_is_tried_belongs_to_the_attack_and_is_accepted(attack):
    trials = first_trials(attack, 5)
    assert len(trials) == math.prod(len(grid(each, 5)) for each in searched(attack))
    for point in trials:
        options = dict(parse({"attack": attack, **point}).attack.options)
        for key, value in point.items():
            assert KEYS[key].owner == attack and options[KEYS[key].name] == value


def test_every_attack_but_the_control_is_tried():
    assert set(ATTACKERS) == set(ATTACKS) - {"none"}


@pytest.mark.parametrize("attack", sorted(set(ATTACKS) - set(SPACE)))
def test_an_attack_without_parameters_is_one_trial(attack):
    assert first_trials(attack, 9) == [{}]
    assert next_trials(attack, {}, [{}]) == []


def test_the_trials_of_two_keys():
    """Ranges by choices at first; later one range at a time, the choice that was worst kept."""
    first = first_trials("lie", 4)
    assert first == [
        {"lie.z": z, "lie.direction": d} for z in (0.05, 0.5, 5, 50) for d in ("minus", "plus")
    ]
    middles = [0.1581, 1.581]  # 0.05 sqrt(10) and 0.5 sqrt(10)
    later = next_trials("lie", {"lie.z": 0.5, "lie.direction": "plus"}, first)
    assert later == [{"lie.z": z, "lie.direction": "plus"} for z in middles]


TRIALS = [
    Trial("mean", "none", {}, 0.9),
    Trial("mean", "lie", {"lie.z": 1.0}, 0.5),
    Trial("mean", "lie", {"lie.z": 2.0}, 0.4),
    Trial("mean", "ipm", {"ipm.epsilon": 1.0}, 0.3),
    Trial("median", "none", {}, 0.1),
    Trial("median", "lie", {"lie.z": 1.0}, 0.2),
    Trial("median", "ipm", {"ipm.epsilon": 1.0}, 0.6),
]


BACKDOORS = [
    Trial("mean", "backdoor", {"backdoor.share": 0.1, "backdoor.boost": 1.0}, 0.2, 0.5),
    Trial("mean", "backdoor", {"backdoor.share": 0.4, "backdoor.boost": 1.0}, 0.8, 0.75),
    Trial("mean", "backdoor", {"backdoor.share": 1.0, "backdoor.boost": 1.0}, 0.7, 0.25),
]


def scored(monkeypatch, scores):
    """In place of runs: what a function makes of their configs. Returns the configs."""
    asked: list = []
    monkeypatch.setattr(search, "ProcessPoolExecutor", lambda *given, **more: ThreadPoolExecutor(1))
    monkeypatch.setattr(
        search, "final_scores", lambda config: asked.append(config) or scores(config)
    )
    return asked


def test_a_search_halves_in_again_and_again_by_hand(monkeypatch):
    """The rule fails at 0.8: 1 is the worst of three, 0.75 of four, and 0.875 no better."""
    key, said = "stochastic-sign-flip.probability", []
    scored(monkeypatch, lambda config: (abs(config.get(key, 9.0) - 0.8), None))
    trials = red_team(
        {}, ["mean"], ["stochastic-sign-flip"], grid=3, refinements=2,
        on_trial=lambda trial, *at: said.append(at),
    )  # fmt: skip
    tried = [trial.parameters.get(key) for trial in trials]
    assert tried == [None, 0.0, 0.5, 1.0, 0.75, 0.625, 0.875]
    assert said == [(1, 4), (2, 4), (3, 4), (4, 4), (5, 5), (6, 7), (7, 7)]
    assert worst(trials, "mean").parameters == {key: 0.75}


def test_a_search_goes_on_around_what_was_the_worst_of_all_sweeps(monkeypatch):
    """The best of the first sweep is still that of all after the second."""
    key = "stochastic-sign-flip.probability"
    scored(monkeypatch, lambda config: (abs(config.get(key, 9.0) - 0.5), None))
    trials = red_team({}, ["mean"], ["stochastic-sign-flip"], grid=3, refinements=2)
    tried = [trial.parameters.get(key) for trial in trials]
    assert tried == [None, 0.0, 0.5, 1.0, 0.25, 0.75, 0.375, 0.625]


def test_success_and_accuracy_of_a_trial_are_means_over_its_seeds(monkeypatch):
    scored(monkeypatch, lambda config: (config["seed"] / 4, (4 - config["seed"]) ** 2 / 16))
    trials = red_team({"seed": 1}, ["mean"], ["none"], refinements=0, seeds=3)
    assert [(t.accuracy, t.success) for t in trials] == [(0.5, (9 + 4 + 1) / 48)]


def test_data_are_loaded_once_for_all_trials_that_share_them(monkeypatch):
    scored(monkeypatch, lambda config: (0.5, None))
    loaded, real = [], search.problem_of
    monkeypatch.setattr(search, "problem_of", lambda w: loaded.append(w) or real(w))
    trials = red_team({}, ["mean", "sign-mv"], ["lie", "ipm"], grid=2, refinements=0)
    assert len(trials) == 2 * (1 + 4 + 2) and len(loaded) == 1


def test_a_trial_is_evaluated_in_its_last_round_alone(monkeypatch):
    asked = scored(monkeypatch, lambda config: (0.5, None))
    red_team({"num-rounds": 30}, ["mean"], ["none"], refinements=0)
    red_team({}, ["mean"], ["none"], refinements=0)
    evaluated = [parse(config) for config in asked]
    assert all(config.evaluate_every == config.num_rounds for config in evaluated)


def test_of_a_backdoor_the_worst_is_the_most_successful():
    """Among all attacks it is the accuracy that counts."""
    trials = [*TRIALS, *BACKDOORS]
    assert worst(trials, "mean", "backdoor") == BACKDOORS[1]
    assert worst(trials, "mean") == BACKDOORS[0]
    shares = [point["backdoor.share"] for point in search._around(trials, "mean", "backdoor")]
    assert shares == [0.25, 0.7]


@pytest.mark.parametrize(
    "asked, number",
    [(("mean",), 3), (("mean", "lie"), 2), (("mean", "none"), 0), (("median",), 5)],
)
def test_the_worst_by_hand(asked, number):
    """The control is no attack, however bad."""
    assert worst(TRIALS, *asked) == TRIALS[number]


def test_a_search_goes_on_around_the_worst_of_a_rule_and_an_attack():
    trials = [
        Trial("mean", "sleeper", {"sleeper.rounds": 0}, 0.5),
        Trial("mean", "sleeper", {"sleeper.rounds": 100}, 0.4),
        Trial("mean", "stochastic-sign-flip", {"stochastic-sign-flip.probability": 0.5}, 0.1),
        Trial("median", "sleeper", {"sleeper.rounds": 200}, 0.0),
        Trial("mean", "none", {}, 0.0),
    ]
    assert search._around(trials, "mean", "sleeper") == [{"sleeper.rounds": 50}]
    assert search._around(trials, "median", "sleeper") == []  # nothing else was tried
    assert search._around(trials, "mean", "none") == []


# With 8 Byzantine workers of 15 the vote is lost wherever all honest ones agree, if the 8 always
# flip; with batches of 64 these agree on most coordinates, so no lesser probability is as bad.
LOST = {
    "num-byzantine": 8, "task": "quadratic", "num-rounds": 15, "lr": 0.05, "seed": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def found():
    """A search in two sweeps, and what it said on the way."""
    said = []
    trials = red_team(
        LOST, ["sign-mv"], ["stochastic-sign-flip"], grid=3, refinements=1, seeds=2, processes=1,
        on_trial=lambda *news: said.append(news),
    )  # fmt: skip
    return trials, said


def test_a_search_finds_the_worst_and_halves_in_on_it(found):
    trials, said = found
    chosen = worst(trials, "sign-mv", "stochastic-sign-flip")
    assert chosen.parameters == {"stochastic-sign-flip.probability": 1.0}
    tried = [trial.parameters.get("stochastic-sign-flip.probability") for trial in trials]
    assert tried == [None, 0.0, 0.5, 1.0, 0.75]
    by_probability = [trials[i].accuracy for i in (1, 2, 4, 3)]
    assert by_probability == sorted(by_probability, reverse=True)
    assert trials[1].accuracy == trials[0].accuracy  # probability 0: no attack
    progress = [(1, 4), (2, 4), (3, 4), (4, 4), (5, 5)]  # the last was not foreseen
    assert said == [(trial, *at) for trial, at in zip(trials, progress, strict=True)]


def test_seeds_of_a_trial_count_from_the_bases():
    trials = [search._config(base, "mean", "lie", {}, 2) for base in (LOST | {"seed": 5}, {})]
    assert [trial["seed"] for trial in trials] == [7, 2]


def test_a_trial_is_the_mean_of_runs_that_one_could_make_oneself(found, tmp_path):
    """On a task without accuracy: of minus the loss. Seeds count from the base's."""
    for number, trial in enumerate(found[0]):
        losses = []
        for seed in (4, 5):
            path = tmp_path / f"{number}-{seed}"
            config = LOST | dict(trial.parameters)
            config |= {"strategy": "sign-mv", "attack": trial.attack, "seed": seed}
            execute(prepare(config | {"out-dir": str(path)}), local_engine)
            losses.append(read_summary(path)["final_test_loss"])
        assert trial.accuracy == -sum(losses) / 2


@pytest.fixture
def here(monkeypatch):
    """Runs in this process: a new one takes seconds to start. It is left as it was found."""
    monkeypatch.setattr(search, "ProcessPoolExecutor", lambda *given, **more: ThreadPoolExecutor(1))
    before = torch.get_num_threads(), logging.getLogger("signfed").level
    yield
    assert (torch.get_num_threads(), logging.getLogger("signfed").level) == before


@pytest.mark.parametrize("task, lowest", [("quadratic", -1e300), ("digits", 0.0)])
def test_a_run_that_could_not_end_is_as_bad_as_can_be(here, task, lowest):
    """At such a rate the model diverges within two rounds, and then all are skipped."""
    config = {"task": task, "strategy": "mean", "num-rounds": 10}
    assert search.final_scores(config)[0] > lowest
    assert search.final_scores(config | {"lr": 1e30}) == (lowest, None)


@pytest.fixture
def no_run(monkeypatch):
    def forbidden(*arguments):
        raise AssertionError("a run was started")

    monkeypatch.setattr(search, "ProcessPoolExecutor", forbidden)


REFUSED = [
    ("sign-mv,median,medan", "lie", "", "--strategies: expected all or some of mean, .*'medan'"),
    ("sign-mv", "lie,lye", "", "--attacks: expected all or some of sign-inversion, .*'lye'"),
    ("sign-mv", "none", "", "--attacks: .*; got 'none'"),
    ("sign-mv", "no_such_module:attack", "", "No module named 'no_such_module'"),
    ("no_such_module:Rule", "lie", "", "No module named 'no_such_module'"),
    ("sign-mv", "lie", "strategy='mean'", "strategy: not for a red team, which sets it itself"),
    ("sign-mv", "lie", "attack='ipm'", "attack: not for a red team"),
    ("sign-mv", "lie", "out-dir='x'", "out-dir: not for a red team"),
    ("sign-mv", "lie", "stop-when='stale=2'", "stop-when: not for a red team, whose trials run to"),
    ("sign-mv", "lie", "resume='x'", "resume: not for a red team, whose trials begin anew"),
    ("sign-mv", "lie", "evaluate-every=3", "evaluate-every: not for a red team"),
    ("sign-mv,bulyan", "lie", "", "strategy='bulyan': .*got n=15 updates, f=6"),
    ("sign-mv", "lie,label-flip", "task='quadratic'", "label-flip.* changes labels"),
    ("sign-mv", "lie", "attack-options='a=1'", "belongs to your own attack, which is not tried"),
    ("sign-mv", "lie", "num-round=3", "unknown key 'num-round'"),
    (
        "sign-mv",
        "lie",
        "stochastic-sign-flip.probability=0.3",
        "belongs to stochastic-sign-flip, which is not tried",
    ),
]


@pytest.fixture
def redteam(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def invoke(strategies, attacks, config="", *more, catch=True):
        given = ["--strategies", strategies, "--attacks", attacks, "-c", config, *more]
        return CliRunner().invoke(cli.app, ["redteam", *given], catch_exceptions=catch)

    return invoke


@pytest.mark.parametrize("strategies, attacks, config, said", REFUSED)
def test_what_cannot_be_is_refused_before_the_first_run(
    redteam, no_run, tmp_path, strategies, attacks, config, said
):
    result = redteam(strategies, attacks, config)
    assert result.exit_code == 2 and re.search(f"error: .*{said}", result.output)
    assert list(tmp_path.iterdir()) == []


def test_data_of_devices_are_tried_where_there_is_a_test_set(redteam, no_run, tmp_path):
    """Without one a model is worth nothing that trials could be compared by."""
    write_images(tmp_path / "data" / "server", 2)
    config = "num-workers=2 num-byzantine=1 batch-size=2 data-dir='data' " + " ".join(
        f"{key}='{value}'" for key, value in SCHEMA.items()
    )
    result = redteam("sign-mv", "lie", config)
    assert result.exit_code == 2 and "data-dir: expected a folder for each worker" in result.output
    for worker in "01":
        write_images(tmp_path / "data" / worker, 2)
    with pytest.raises(AssertionError, match="a run was started"):
        redteam("sign-mv", "lie", config, catch=False)
    shutil.rmtree(tmp_path / "data" / "server")
    result = redteam("sign-mv", "lie", config)
    assert result.exit_code == 2 and "error: data-dir: expected test samples in" in result.output


class Locked(Mean):
    def __deepcopy__(self, memo):
        raise TypeError("holds a lock")


def test_a_rule_that_cannot_be_copied_is_not_asked(redteam, no_run):
    result = redteam(f"{__name__}:Locked", "opt-ipm")
    assert result.exit_code == 2 and "Locked cannot be copied" in result.output


def test_the_commands_budget_must_be_one(redteam, no_run):
    for option, value in (("--grid", "1"), ("--refinements", "-1"), ("--seeds", "0")):
        assert redteam("sign-mv", "lie", "", option, value).exit_code == 2


def test_all_stands_for_all():
    assert command.named("all", STRATEGIES, "--strategies") == list(STRATEGIES)
    assert command.named(" mean , own:Rule", STRATEGIES, "--strategies") == ["mean", "own:Rule"]


def test_the_command_shows_and_writes_what_was_found(redteam, here, tmp_path):
    result = redteam(
        "mean,sign-mv", "reverse-scaling,sign-inversion", "num-rounds=15 lr=0.3",
        "--grid", "2", "--refinements", "0", "--out", "found.json",
    )  # fmt: skip
    assert result.exit_code == 0 and "all 8 trials: found.json" in result.output
    written = json.loads((tmp_path / "found.json").read_text())
    assert written["config"] == {"num-rounds": 15, "lr": 0.3}
    tried = [
        ("none", {}), ("reverse-scaling", {"reverse-scaling.factor": 0.1}),
        ("reverse-scaling", {"reverse-scaling.factor": 1000.0}), ("sign-inversion", {}),
    ]  # fmt: skip
    expected = [(rule, *pair) for rule in ("mean", "sign-mv") for pair in tried]
    trials = [Trial(**trial) for trial in written["trials"]]
    assert [(t.strategy, t.attack, t.parameters) for t in trials] == expected
    assert trials[2].accuracy < trials[1].accuracy < trials[0].accuracy  # 6 of 15 by a thousand
    assert trials[5].accuracy == trials[6].accuracy  # a sign has no size
    for trial in (worst(trials, "mean"), worst(trials, "sign-mv", "none")):
        assert f"{trial.accuracy:.3f}" in result.output


def test_what_was_found_survives_an_interrupt(redteam, here, monkeypatch, tmp_path):
    real, done = search.final_scores, []

    def interrupted(config):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(config)
        return real(config)

    monkeypatch.setattr(search, "final_scores", interrupted)
    budget = ("--grid", "2", "--refinements", "0", "--out", str(tmp_path / "x"))
    assert redteam("mean", "lie,ipm", "num-rounds=2", *budget).exit_code == 130
    trials = json.loads((tmp_path / "x").read_text())["trials"]
    assert [trial["attack"] for trial in trials] == ["none", "lie"]


def test_a_file_holds_every_trial_and_the_tables_the_worst(tmp_path):
    write_red_team(tmp_path / "x", {"lr": 0.1}, TRIALS)
    expected = {"config": {"lr": 0.1}, "trials": [asdict(trial) for trial in TRIALS]}
    assert json.loads((tmp_path / "x").read_text()) == expected
    console = Console(width=120, record=True, quiet=False, file=(tmp_path / "out").open("w"))
    print_red_team(console, TRIALS)
    lines = [" ".join(line.replace("│", " ").split()) for line in console.export_text().split("\n")]
    assert "mean 0.900 ipm ipm.epsilon=1.0 0.300 0.600" in lines
    assert "median 0.100 lie lie.z=1.0 0.200 -0.100" in lines
    assert "lie 0.400 0.200" in lines and "ipm 0.300 0.600" in lines


def test_a_file_is_never_half_written(tmp_path):
    """Whoever holds the one of before holds all of it."""
    write_red_team(tmp_path / "x", {}, TRIALS[:1])
    with (tmp_path / "x").open() as before:
        write_red_team(tmp_path / "x", {}, TRIALS)
        assert len(json.load(before)["trials"]) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def test_options_go_to_those_they_belong_to():
    """Of one rule among several, of an attack, of a part of an attack; the control has none."""
    base = {
        "attack-options": "a=1",
        "sign-fd.estimator": "pooled",
        "sign-fd.forget": 0.9,
        "lie.z": 2.0,
        "byzmean.inner": "lie",
        "lr": 0.01,
    }
    search.check_options(base, ["sign-mv", "sign-fd"], ["byzmean", "signfed.attacks.ipm:ipm"])
    for strategy, attack, kept in (
        ("sign-fd", "none", {"sign-fd.estimator", "sign-fd.forget"}), ("sign-mv", "lie", {"lie.z"}),
        ("sign-mv", "byzmean", {"lie.z", "byzmean.inner"}), ("sign-mv", "sleeper", set()),
    ):  # fmt: skip
        config = search._config(base, strategy, attack, {}, 3)
        assert {key for key in config if "." in key} == kept
        assert (config["lr"], config["seed"]) == (0.01, 3)
        parse(config)
    own = f"{__name__}:Locked"
    base |= {"strategy-options": "a=1"}
    with pytest.raises(ConfigError, match="strategy-options: belongs to your own strategy, which"):
        search.check_options(base, ["sign-fd"], ["lie", "byzmean", "signfed.attacks.ipm:ipm"])
    search.check_options(base, [own, "sign-fd"], ["lie", "byzmean", "signfed.attacks.ipm:ipm"])
    assert "strategy-options" not in search._config(base, "sign-fd", "lie", {}, 0)
    assert search._config(base, own, "lie", {}, 0)["strategy-options"] == "a=1"
    other = search._config(base, "sign-mv", "byzmean", {"byzmean.inner": "ipm"}, 0)
    assert {key for key in other if "." in key} == {
        "byzmean.inner"
    }  # its inner attack is another one now


def test_an_interrupt_does_not_wait_for_what_was_planned(monkeypatch):
    """The first trial shown raises; the one under way ends, the hundreds planned are not run."""
    ran, shut = [], Event()

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait=True, *, cancel_futures=False):
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            shut.set()
            super().shutdown()

    def scores(config):
        ran.append(config)
        if len(ran) == 2:
            assert shut.wait(GUARD)
        return 0.5, None

    monkeypatch.setattr(search, "ProcessPoolExecutor", lambda *given, **more: Pool(1))
    monkeypatch.setattr(search, "final_scores", scores)

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        red_team({}, ["sign-mv"], ["stochastic-sign-flip"], grid=400, on_trial=interrupt)
    assert 1 <= len(ran) <= 2


def test_its_processes_hear_no_ctrl_c_before_they_end_at_once_by_it(monkeypatch):
    """What that spares a user: see the tests of signals."""
    made, held = [], []

    class Pool(ThreadPoolExecutor):
        def map(self, *given):
            held.append(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
            return super().map(*given)

    scored(monkeypatch, lambda config: (0.5, None))
    monkeypatch.setattr(search, "ProcessPoolExecutor", lambda *given: made.append(given) or Pool(1))
    red_team({}, ["mean"], ["ipm"], grid=2, refinements=1, processes=3)
    ((processes, context, begins),) = made
    assert (processes, context.get_start_method(), begins) == (3, "spawn", end_at_once)
    assert held == [True] * 4  # the control, two trials, and one between them
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_the_table_of_backdoors(tmp_path):
    console = Console(width=120, record=True, file=(tmp_path / "out").open("w"))
    print_red_team(console, TRIALS[:4])
    assert "backdoors" not in console.export_text()
    print_red_team(console, [*TRIALS[:4], *BACKDOORS])
    lines = [" ".join(line.replace("│", " ").split()) for line in console.export_text().split("\n")]
    assert "mean backdoor backdoor.share=0.4 backdoor.boost=1.0 0.750 0.800" in lines


def test_a_search_goes_by_success_and_tells_it(here):
    config = {"num-rounds": 20, "lr": 0.5, "num-byzantine": 1, "backdoor.target": 3}
    trials = red_team(config, ["mean"], ["backdoor"], grid=2, refinements=0, processes=1)
    assert trials[0].success is None
    tried = [tuple(trial.parameters.values()) for trial in trials[1:]]
    assert tried == [(0.1, 1.0), (0.1, 100.0), (1.0, 1.0), (1.0, 100.0)]
    found = {point: trial.success for point, trial in zip(tried, trials[1:], strict=True)}
    assert all(0.0 <= rate <= 1.0 for rate in found.values())
    assert worst(trials, "mean", "backdoor").success == max(found.values()) > found[0.1, 1.0]


def test_a_backdoor_of_a_run_that_could_not_end_has_no_success():
    config = {"strategy": "mean", "attack": "backdoor", "num-rounds": 10, "lr": 1e30}
    assert search.final_scores(config) == (0.0, 0.0)


OWN = """
from typing import Annotated, Literal
from pydantic import Field
from signfed import attack
from signfed.strategies.core.options import Range

@attack(knowledge="own", stage="gradient")
def scaled_by(view, *, factor: Annotated[float, Range(1.0, 100.0, log=True)] = 2.0,
              side: Literal["up", "down"] = "down", shift_by: float = 0.0,
              form: Literal["line"] = "line", count: Annotated[int, Field(ge=2, le=2)] = 2):
    return (factor if side == "up" else -factor) * view.own + shift_by
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "attacks_with_ranges.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return "attacks_with_ranges:scaled_by"


def test_the_options_of_ones_own_attack_are_searched(own, here):
    """Those with more than one value to try; what base says of the others stays."""
    key = "attacks-with-ranges:scaled-by."
    assert first_trials(own, 3) == [
        {f"{key}factor": factor, f"{key}side": side} for factor in (1, 10, 100)
        for side in ("up", "down")
    ]  # fmt: skip
    base = {"num-rounds": 15, "lr": 0.3, "attack-options": "shift_by=0.001 side='up'"}
    point = {f"{key}factor": 10.0, f"{key}side": "down"}
    given = search._config(base, "mean", own, point, 0)
    options = dict(parse(given).attack.options)
    assert options.items() >= {"factor": 10.0, "side": "down", "shift_by": 0.001}.items()
    assert not any(name.startswith("attacks") for name in given)
    others = {"form": "a \"b\" 'c'", "shut": True, "count": 3, "size": 1e-07}
    point = {key + name: value for name, value in others.items()}
    text = search._config({}, "mean", own, point, 0)["attack-options"]
    assert read_pairs("attack-options", text) == others
    trials = red_team(base, ["mean"], [own, "sign-flip"], grid=2, refinements=1, processes=1)
    tried = [trial.parameters for trial in trials if trial.attack == own]
    assert len(tried) == 2 * 2 + 1  # and the middle beside the worst
    chosen = worst(trials, "mean", own)
    assert chosen.parameters[f"{key}factor"] == 100.0
    assert chosen.accuracy <= worst(trials, "mean", "sign-flip").accuracy
