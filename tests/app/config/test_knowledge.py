"""What an attack may know depends on where its clients run, and is checked before they do."""

from __future__ import annotations

import json

import numpy as np
import pytest
from flwr.superlink.grid import HttpGrid
from typer.testing import CliRunner

from signfed.app import cli
from signfed.app.client_app import app as client_app
from signfed.app.config.knowledge import check_hosts, check_memory, check_reach
from signfed.app.config.plugins import Plugin
from signfed.app.config.run_config import parse
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.prepare import prepare
from signfed.app.engines.run import execute
from signfed.app.engines.workers import Remembered
from signfed.app.errors import ConfigError
from signfed.app.flower import local_flower as flower
from signfed.app.runs.folder import read_summary
from signfed.app.server_app import run
from signfed.attacks import ATTACKS
from signfed.attacks.core.view import Knowledge
from signfed.strategies.mean import Mean
from tests.federation import config_for
from tests.grid import InProcessGrid

OF_LEVEL = {
    "own": "sign-inversion", "colluders": "colluding-majority", "omniscient": "lie",
    "server": "weight-aware",
}  # fmt: skip
LEVELS = Knowledge.__args__


def test_the_examples_are_of_their_levels():
    assert {level: ATTACKS[name].knowledge for level, name in OF_LEVEL.items()} == {
        level: level for level in LEVELS
    }


@pytest.mark.parametrize("reach", ["colluders", "omniscient", "server"])
@pytest.mark.parametrize("level", LEVELS)
def test_an_attack_runs_where_what_it_needs_can_be_known(level, reach):
    plugin = Plugin(OF_LEVEL[level])
    if LEVELS.index(level) <= LEVELS.index(reach):
        check_reach(plugin, reach)
        return
    where = {"colluders": "a real device", "omniscient": "a Flower client"}[reach]
    remedy = {"omniscient": "run it as a simulation", "server": "use --engine local"}[level]
    with pytest.raises(ConfigError) as refused:
        check_reach(plugin, reach)
    assert str(refused.value) == (
        f"attack={plugin.name!r}: needs knowledge {level!r}, {where} can have at most {reach!r}; "
        f"{remedy}"
    )


def test_an_attack_made_of_others_needs_what_they_need():
    def varying(attacks):
        return parse({"attack": "time-varying", "time-varying.attacks": attacks}).attack

    check_reach(varying("none,sign-flip,colluding-majority"), "colluders")
    with pytest.raises(ConfigError, match="needs knowledge 'omniscient'"):
        check_reach(varying("none,sign-flip,ipm"), "colluders")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "hosted, together",
    [
        ([(0, 1, 2, 3)], True),
        ([(0, 2), (1, 3)], True),
        ([(0,), (1, 2), (3,)], False),
        ([(0, 1), (2, 3)], False),
    ],
)
def test_colluding_workers_are_on_one_device(level, hosted, together):
    plugin, byzantine = Plugin(OF_LEVEL[level]), {0, 2}
    check_hosts(plugin, set(), hosted)
    check_hosts(plugin, {2}, hosted)
    if together or level == "own":
        check_hosts(plugin, byzantine, hosted)
        return
    with pytest.raises(ConfigError, match=r"have to be on one device; workers \[0, 2\] are on sev"):
        check_hosts(plugin, byzantine, hosted)


class Devices(InProcessGrid, HttpGrid):
    """As the grid of a real federation; there is no network behind it."""


def config(path, **keys):
    given = {"strategy": "sign-mv", "num-rounds": 2, "evaluate-every": 2}
    return config_for(path, given | {k.replace("_", "-"): v for k, v in keys.items()})


def on_grid(kind, path, *, nodes=1, **keys):
    given = config(path, **keys)
    return run(kind(client_app, nodes, given), given)


@pytest.mark.parametrize(
    "grid, level", [(Devices, "omniscient"), (Devices, "server"), (InProcessGrid, "server")]
)
def test_what_cannot_be_known_is_refused_before_there_is_a_folder(grid, level, tmp_path):
    with pytest.raises(ConfigError, match=f"needs knowledge '{level}'"):
        on_grid(grid, tmp_path / "run", attack=OF_LEVEL[level])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("level", ["omniscient", "server"])
def test_without_byzantine_workers_nothing_has_to_be_known(level, tmp_path):
    on_grid(Devices, tmp_path / "run", nodes=2, attack=OF_LEVEL[level], num_byzantine=0)
    assert read_summary(tmp_path / "run")["status"] == "finished"


@pytest.mark.parametrize("nodes, byzantine", [(1, "1,2,5"), (2, "0,2,8"), (15, "4")])
def test_colluders_on_one_device_attack_as_in_a_simulation(nodes, byzantine, tmp_path):
    keys = {"attack": "colluding-majority", "byzantine_ids": byzantine}
    keys["num_byzantine"] = len(byzantine.split(","))
    real = on_grid(Devices, tmp_path / "real", nodes=nodes, **keys)
    simulated = on_grid(InProcessGrid, tmp_path / "simulated", nodes=15, **keys)
    sha256 = [read_summary(path)["model_sha256"] for path in (real, simulated)]
    assert sha256[0] == sha256[1]


def test_colluders_on_two_devices_end_the_run_before_its_first_round(tmp_path):
    keys = {"nodes": 2, "byzantine_ids": "0,3", "num_byzantine": 2}
    with pytest.raises(ConfigError, match=r"workers \[0, 3\] are on several"):
        on_grid(Devices, tmp_path / "run", attack="colluding-majority", **keys)
    summary = read_summary(tmp_path / "run")
    assert (summary["status"], summary["rounds"]) == ("failed", 0)
    on_grid(Devices, tmp_path / "own", attack="sign-inversion", **keys)
    assert read_summary(tmp_path / "own")["status"] == "finished"


def test_the_command_line_refuses_it_before_flower_is_started(monkeypatch, tmp_path):
    def forbidden(self):
        raise AssertionError("Flower was started")

    monkeypatch.setattr(flower.LocalFlower, "__enter__", forbidden)
    monkeypatch.chdir(tmp_path)
    given = ["run", "-c", "attack='weight-aware' num-rounds=2", "--out", "run"]
    result = CliRunner().invoke(cli.app, given)
    assert result.exit_code == 2 and "use --engine local" in result.output
    assert list(tmp_path.iterdir()) == []
    result = CliRunner().invoke(cli.app, [*given, "--engine", "local", "--no-report"])
    assert result.exit_code == 0 and read_summary(tmp_path / "run")["status"] == "finished"


@pytest.mark.parametrize("attack", ["label-flip", "time-varying"])
def test_labels_cannot_be_flipped_where_there_are_none(attack):
    parse({"attack": attack})
    with pytest.raises(ConfigError, match=f"attack='{attack}': changes labels, .*'quadratic'"):
        parse({"attack": attack, "task": "quadratic"})


@pytest.mark.parametrize(
    "keys, rounds",
    [
        ({}, 5),  # digits has 1,437 samples, each of 15 workers 95 of them: 4 batches of 20, and 15
        ({"num-workers": 10, "num-byzantine": 3}, 8),  # 143 each
        ({"partition": "shared"}, 72),  # each draws from all 1,437
        ({"server-samples": 237}, 4),  # 80 of 1,200
        ({"validation-samples": 237}, 4),
        ({"server-samples": 400, "validation-samples": 437}, 2),  # 40 of 600
        ({"batch-size": 95}, 1),
    ],
)
def test_a_period_of_0_is_an_epoch(keys, rounds):
    given = {"attack": "time-varying", "time-varying.period": 0, "batch-size": 20} | keys
    assert dict(parse(given).attack.options)["period"] == rounds


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("reach", ["colluders", "omniscient", "server"])
@pytest.mark.parametrize("remember", [False, True])
def test_what_only_others_remember_is_known_in_the_local_engine(remember, reach, level):
    plugin = Plugin(OF_LEVEL[level])
    if reach == "server" or level == "own" or not remember:
        check_memory(plugin, remember, reach)
        return
    with pytest.raises(ConfigError) as refused:
        check_memory(plugin, remember, reach)
    assert str(refused.value) == (
        f"attack={plugin.name!r}: needs other workers' updates, and with worker-momentum or "
        "encoder='top-k' these depend on rounds that only the workers themselves remember; no "
        "Flower client can compute them. Use --engine local, or worker-momentum=0 and another "
        "encoder"
    )


@pytest.mark.parametrize("memory", [{"worker-momentum": 0.9}, {"encoder": "top-k"}])
def test_who_looks_at_others_that_remember_runs_in_the_local_engine_alone(memory, tmp_path):
    keys = {"strategy": "mean", "task": "quadratic", "num_byzantine": 2, "attack": "lie"} | memory
    with pytest.raises(ConfigError, match="no Flower client can compute them"):
        engine("1", tmp_path / "flower", **keys)
    assert not (tmp_path / "flower").exists()
    engine("local", tmp_path / "local", **keys)
    keys["num_byzantine"] = 0  # nothing has to be known
    engine("1", tmp_path / "honest", **keys)


def test_a_gradient_is_remembered_for_its_parameters_and_its_round():
    asked = []

    def gradient(parameters, worker, server_round):
        asked.append((worker, server_round))
        return parameters * (10 * worker + server_round)

    remembered, x = Remembered(gradient), np.ones(3, np.float32)
    assert np.array_equal(remembered(x, 0, 1), x)
    assert np.array_equal(remembered(x, 1, 1), 11 * x)
    assert np.array_equal(remembered(x.copy(), 0, 1), x)  # equal, not identical
    assert asked == [(0, 1), (1, 1)]
    assert np.array_equal(remembered(x, 0, 2), 2 * x)
    x += 1  # in place, as an optimizer would
    assert np.array_equal(remembered(x, 0, 2), 2 * x)
    remembered(x, 1, 2)
    assert np.array_equal(remembered(x - 1, 0, 1), x - 1)  # only the last is kept
    assert asked[2:] == [(0, 2), (0, 2), (1, 2), (0, 1)]


OWN = """
import numpy as np
from signfed import attack

@attack(knowledge="omniscient", stage="gradient")
def reversed_mean(view):
    return np.repeat(-view.honest.mean(axis=0, keepdims=True), len(view.own), axis=0)

@attack(knowledge="server", stage="message")
def insider(view):
    return -view.own

def undecorated(view):
    return -view.own
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "attacks_of_my_own.py").write_text(OWN)
    monkeypatch.syspath_prepend(folder)
    return lambda name: f"attacks_of_my_own:{name}"


def engine(name, path, **keys):
    if name == "local":
        return execute(prepare(config(path, **keys)), local_engine)
    return on_grid(InProcessGrid, path, nodes=int(name), **keys)


def sha256(name, path, **keys):
    return read_summary(engine(name, path, **keys))["model_sha256"]


def test_ones_own_attack_runs_everywhere_and_as_one_of_ours_would(own, tmp_path):
    """reversed_mean is ipm at length 1, but for its rounding: the signs that a rule gets are its.

    15 workers, 6 of them Byzantine, on the sign channel.
    """
    found = {
        sha256(name, tmp_path / name, attack=own("reversed_mean")) for name in ("local", "1", "3")
    }
    ours = sha256("local", tmp_path / "ours", attack="ipm", **{"ipm.epsilon": 1.0})
    honest = sha256("local", tmp_path / "none", attack="none")
    assert found == {ours} and ours != honest


def test_ones_own_attack_is_held_to_what_it_declares(own, tmp_path):
    engine("local", tmp_path / "local", attack=own("insider"))
    with pytest.raises(ConfigError, match="needs knowledge 'server'"):
        engine("1", tmp_path / "flower", attack=own("insider"))


@pytest.mark.parametrize(
    "function, said",
    [
        ("undecorated", r"expected a function under @attack\(knowledge=..., stage=...\)"),
        ("missing", "has no attribute 'missing'; expected module:function"),
    ],
)
@pytest.mark.parametrize("name", ["local", "1"])
def test_what_is_no_attack_is_refused(name, function, said, own, tmp_path):
    with pytest.raises(ConfigError, match=said):
        engine(name, tmp_path / "run", attack=own(function))
    assert not (tmp_path / "run").exists()


@pytest.fixture
def attackers_seen(monkeypatch):
    """Who sent -7 everywhere, of each round's rows as the rule got them."""
    seen, real = [], Mean.aggregate

    def aggregate(self, updates):
        seen.append(updates.ids[(updates.rows == -7).all(dim=1)].tolist())
        return real(self, updates)

    monkeypatch.setattr(Mean, "aggregate", aggregate)
    return seen


@pytest.mark.parametrize("name", ["local", "1", "4"])
@pytest.mark.parametrize("given, ids", [("first", [0, 1, 2]), ("0,3,5", [0, 3, 5]), ("random", [])])
def test_who_is_named_attacks_and_nobody_else(name, given, ids, attackers_seen, tmp_path):
    keys = {"strategy": "mean", "attack": "directional", "directional.value": -7.0, "seed": 3}
    engine(name, tmp_path / "run", **keys, byzantine_ids=given, num_byzantine=3)
    named = json.loads((tmp_path / "run" / "config.json").read_text())["byzantine_ids"]
    assert attackers_seen == [named, named] and len(named) == 3
    assert named == ids or (given == "random" and named != [0, 1, 2])
