"""A sweep as TOML: what it means, and that all that is wrong with it is said at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from signfed.app.errors import ConfigError
from signfed.app.experiments.cells import cells_of
from signfed.app.experiments.choose import check_choice
from signfed.app.experiments.sweep import Choose, Sweep
from signfed.app.experiments.sweep_file import read_sweep

ROOT = Path(__file__).parents[3]
QUICK = {"task": "quadratic", "num-rounds": 2, "num-byzantine": 2, "attack": "none"}


def read(tmp_path, text):
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    return read_sweep(file)


def test_every_part(tmp_path):
    found = read(
        tmp_path,
        """
        seeds = 2
        engine = "flower"
        [config]
        lr = 0.1
        sign-fd.eps = 1e-4
        [grid]
        strategy = ["mean", "krum"]
        [[cases]]
        attack = "none"
        [[cases]]
        attack = "lie"
        lie.z = 1.5
        [choose]
        over = ["lr"]
        """,
    )
    assert found == Sweep(
        "mine", {"lr": 0.1, "sign-fd.eps": 1e-4}, {"strategy": ["mean", "krum"]},
        [{"attack": "none"}, {"attack": "lie", "lie.z": 1.5}], [0, 1], "flower",
        Choose(("lr",), "attack"),
    )  # fmt: skip
    assert read(tmp_path, "seeds = [3, 5]\nname = 'x'\n") == Sweep("x", cases=[{}], seeds=[3, 5])


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    with pytest.raises(ConfigError) as refused:
        read(
            tmp_path,
            """
            seed = 3
            seeds = 0
            name = 5
            [config]
            strategi = "mean"
            [grid]
            lr = 0.1
            attack = []
            [[cases]]
            lie.zz = 1
            [choose]
            over = "lr"
            """,
        )
    said = str(refused.value).splitlines()
    assert said[0].endswith("mine.toml: nothing was started")
    assert said[1:] == [
        "seed: expected one of name, seeds, engine, config, grid, cases, choose; did you mean "
        "seeds?",
        "name: expected text; got 5",
        "config: unknown key 'strategi'; did you mean strategy?",
        "grid: lr: expected a list of values; got 0.1",
        "grid: attack: expected a list of values; got []",
        "case 1: unknown key 'lie.zz'; did you mean lie.z?",
        "seeds: expected how many, or a list of seeds; got 0",
        "choose: over: expected a list of keys, over = ['lr']",
    ]


@pytest.mark.parametrize("text", ["lr = ", "cases = 3", "name = 'x'\nname = 'y'"])
def test_what_is_no_sweep(tmp_path, text):
    with pytest.raises(ConfigError, match=r"expected (TOML|tables)"):
        read(tmp_path, text)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_sweep(tmp_path / "nothing.toml")


@pytest.mark.parametrize(
    "sweep, said",
    [
        (Sweep("x", engine="ray"), "engine: expected local or flower; got 'ray'"),
        (Sweep("a/b"), "name: expected one that a folder can have"),
        (Sweep("x", grid={"lr": []}), "lr: expected at least one value"),
        (Sweep("x", seeds=[]), "seeds: expected at least one value"),
        (Sweep("x", {"seed": 3}), r"seed: not for a cell; use seeds = \[...\]"),
        (Sweep("x", {"out-dir": "y"}), "out-dir: not for a cell; use --out"),
        (Sweep("x", grid={"lr": [1]}, cases=[{"lr": 2}]), "lr: expected in grid or in cases"),
        (Sweep("x", choose=Choose(["lr"])), "choose: lr: expected a key of the grid"),
    ],
)
def test_sweeps_that_say_nothing_or_one_thing_twice(sweep, said):
    with pytest.raises(ConfigError, match=said):
        cells_of(sweep, load=None)


def test_every_cell_that_cannot_run_is_named():
    grid = {"strategy": ["mean", "krum", "crum"], "num-byzantine": [2, 7]}
    with pytest.raises(ConfigError) as refused:
        cells_of(Sweep("x", QUICK, grid, seeds=[0, 1]), load=None)
    said = str(refused.value)
    assert said.startswith("sweep 'x': 6 of 12 cells cannot run; nothing was started\n")
    assert said.count("\n    ") == 6 and "krum needs n >= 2f+3" in said
    assert "\n    strategy='krum' num-byzantine=7 seed=1" in said
    assert "strategy='krum' num-byzantine=2" not in said


def test_an_attack_that_only_the_local_engine_can_carry_out():
    config = {"num-byzantine": 2, "strategy": "mean", "attack": "opt-ipm"}
    cells_of(Sweep("x", config), load=None)
    with pytest.raises(ConfigError, match="attack='opt-ipm': asks the server's rule"):
        cells_of(Sweep("x", config, engine="flower"), load=None)


def test_two_cells_with_the_same_configuration():
    """Written differently; and where only what changes no result differs."""
    for grid in ({"lr": [1, 1.0]}, {"checkpoint-every": [5, 10]}, {"round-timeout": [5.0, 9.0]}):
        with pytest.raises(ConfigError, match="the same configuration as another cell's: "):
            cells_of(Sweep("x", QUICK, grid), load=None)


def test_the_keys_of_a_cell_say_what_it_ran():
    cases = [{"strategy": "mean", "lr": 0.5}, {"strategy": "krum", "krum.neighbours": 3}]
    found = cells_of(Sweep("x", QUICK, {}, cases), load=None)
    assert [dict(cell.keys) for cell in found] == [
        {"strategy": "mean", "lr": 0.5, "seed": 0},
        {"strategy": "krum", "lr": 0.001, "krum.neighbours": 3, "seed": 0},
    ]


def test_a_choice_needs_validation_data():
    grid = {"lr": [0.1, 0.2], "attack": ["none", "lie"]}
    with pytest.raises(ConfigError, match="choose: expected validation-samples"):
        check_choice(Sweep("x", {}, grid, choose=Choose(["lr"])))
    check_choice(Sweep("x", {"validation-samples": 9}, grid, choose=Choose(["lr"])))
    stops = {"validation-samples": 9, "stop-when": "stale=5"}
    with pytest.raises(ConfigError, match=r"choose: expected no stop-when.* got 'stale=5'"):
        check_choice(Sweep("x", stops, grid, choose=Choose(["lr"])))
    with pytest.raises(ConfigError, match="choose: over"):
        check_choice(Sweep("x", {"validation-samples": 9}, grid, choose=Choose(["attack"])))


def test_the_example_is_a_sweep_that_can_run():
    assert len(cells_of(read_sweep(ROOT / "examples" / "sweep.toml"), load=None)) == 18
