"""The example apps: as they stand, on FedAvg as their READMEs say, attacked, and by `flwr run`."""

from __future__ import annotations

import re
import time
from math import isfinite

import pytest
import torch

from signfed.app.commands.new import make
from signfed.app.flower.local_flower import LocalFlower
from tests.examples.apps import EXAMPLES, Edit, edited, package_of, play, scores

OWN = "my_strategy"  # what `signfed new` makes; the others were changed in two lines
ALL = sorted(folder.parent.name for folder in EXAMPLES.glob("*/pyproject.toml"))
NAMES = [name for name in ALL if name != OWN]
IMPORT = ("client_app.py", "from flwr.clientapp import ClientApp\n",
          "import signfed\nfrom flwr.clientapp import ClientApp\n")  # fmt: skip
# Nodes and rounds that take a second or two, and by how much the loss falls until then.
SIZES = {"digits-pytorch": (4, 3), "digits-sklearn": (5, 2), "text-adapter": (2, 2)}
FALLS = {"digits-pytorch": 1.5, "digits-sklearn": 1.6, "text-adapter": 0.1}
SHORT: dict[str, list[Edit]] = {"text-adapter": [("task.py", "steps=100", "steps=30")]}


def lines_of(example: str, section: str) -> list[Edit]:
    """What a README says to change: the pairs of `-` and `+` lines of a section's diff."""
    text = (EXAMPLES / example / "README.md").read_text(encoding="utf-8")
    part = text.split(f"## {section}\n")[1].split("\n## ")[0]
    [block] = re.findall(r"```diff\n(.*?)```", part, re.DOTALL)
    edits, file, old = [], "", ""
    for line in block.splitlines():
        if line.startswith("--- "):
            file = line.removeprefix(f"--- {package_of(example)}/")
        elif line.startswith("-"):
            old = line[1:]
        else:
            edits.append((file, f"{old}\n", f"{line[1:]}\n"))
    return edits


def played(example, folder, edits=(), nodes=0, rounds=0):
    size = SIZES[example]
    app = edited(example, folder, [*SHORT.get(example, []), *edits])
    return play(app, nodes or size[0], num_server_rounds=rounds or size[1])


def last(result):
    return scores(result)[max(scores(result))]


def fall(result):
    return scores(result)[0]["loss"] - last(result)["loss"]


@pytest.fixture(autouse=True)
def quiet():
    torch.set_num_threads(1)


def test_the_readme_lists_every_example():
    index = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert len(NAMES) == 3 and set(NAMES) == set(SIZES) and OWN in ALL
    assert all(f"[{name}]({name})" in index for name in ALL)


@pytest.mark.parametrize("example", NAMES)
def test_an_app_trains_with_the_two_lines_and_without_them(example, tmp_path):
    lines = lines_of(example, "The two lines")
    assert [file for file, *_ in lines] == ["server_app.py"] * 2
    ours = played(example, tmp_path / "ours")
    back = [(file, new, old) for file, old, new in lines]
    theirs = played(example, tmp_path / "theirs", back)
    assert fall(ours) > FALLS[example] and fall(theirs) > FALLS[example]
    assert list(ours.arrays) == list(theirs.arrays)
    for name, array in ours.arrays.items():
        assert array.shape == theirs.arrays[name].shape
        # FedAvg makes floats of num_batches_tracked.
        assert array.dtype == theirs.arrays[name].dtype or name.endswith("tracked")
    assert list(ours.evaluate_metrics_clientapp) == list(theirs.evaluate_metrics_clientapp)


def test_an_attack_bites_fed_avg_and_not_the_rule(tmp_path):
    """Two nodes of seven send three times the opposite."""
    example = "digits-sklearn"
    [(file, old, new)] = lines_of(example, "Attack it")
    attack = [IMPORT, (file, old, new.replace("range(3)", "range(2)"))]
    back = [(file, new, old) for file, old, new in lines_of(example, "The two lines")]
    harmed = played(example, tmp_path / "a", attack + back, nodes=7)
    held = played(example, tmp_path / "b", attack, nodes=7)
    assert last(harmed)["loss"] > 2 and last(held)["loss"] < 0.7


def test_an_attack_on_batch_norm_ends_fed_avg_with_nan(tmp_path):
    example = "digits-pytorch"
    attack = [IMPORT, *lines_of(example, "Attack it")]
    back = [(file, new, old) for file, old, new in lines_of(example, "The two lines")]
    harmed = played(example, tmp_path / "a", attack + back, nodes=10, rounds=3)
    assert not isfinite(last(harmed)["loss"])
    held = played(example, tmp_path / "b", attack, nodes=10, rounds=3)
    assert last(held)["loss"] < 0.8


def test_one_bit_for_the_adapter(tmp_path):
    example = "text-adapter"
    lines = lines_of(example, "One bit per parameter")
    assert fall(played(example, tmp_path, [IMPORT, *lines])) > FALLS[example] / 2


def test_a_rule_and_an_attack_of_one_s_own(tmp_path):
    """Two nodes of seven send the opposite, ten times as long."""
    line = "from flwr.serverapp import Grid, ServerApp\n"
    mean = [
        ("server_app.py", line, f"{line}from flwr.serverapp.strategy import FedAvg\n"),
        ("server_app.py", 'MyStrategy(radius=float(config["radius"]), ', "FedAvg("),
    ]  # fmt: skip
    attacked = {"nodes": 7, "num_server_rounds": 3, "attackers": 2}
    harmed = play(edited(OWN, tmp_path / "a", mean), **attacked)
    held = play(edited(OWN, tmp_path / "b"), **attacked)
    assert last(harmed)["accuracy"] < 0.3 and last(held)["accuracy"] > 0.7


@pytest.mark.ray
def test_flwr_run(tmp_path):
    """Of what `signfed new` makes."""
    log = tmp_path / "log"
    with LocalFlower(log) as flower:
        run = flower.submit(
            {"num-server-rounds": 2, "attackers": 1},
            "num-supernodes=3 client-resources-num-cpus=1",
            make("clipped-mean", tmp_path),
        )
        while not (said := re.search(r"accuracy on the server's images: (0\.\d+)", text_of(log))):
            status = flower.status(run)  # the log may come after the end
            assert not status.startswith("finished") or status == "finished:completed", text_of(log)
            time.sleep(0.5)
    assert float(said[1]) > 0.3, text_of(log)


def text_of(log):
    return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
