"""Options of a user's own rule and attack, in either engine and by Flower's own parser."""

import pytest
from flwr.common.config import parse_config_args

from signfed.app.client_app import app as client_app
from signfed.app.config.pairs import given_keys
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.prepare import prepare
from signfed.app.engines.run import execute
from signfed.app.errors import ConfigError
from signfed.app.runs.folder import read_summary
from signfed.app.server_app import run
from tests.grid import InProcessGrid

OWN = """
from typing import Annotated, Literal

from pydantic import Field

from signfed import RobustStrategy, attack

class Clipped(RobustStrategy):
    encoder = "float32"

    def __init__(
        self,
        radius: Annotated[float, Field(gt=0)] = 1.0,
        mode: Literal["soft", "hard"] = "hard",
    ):
        self.radius, self.mode = radius, mode

    def aggregate(self, updates):
        mean = updates.dense().mean(dim=0)
        return mean.clamp(-self.radius, self.radius) if self.mode == "soft" else mean

@attack(knowledge="own", stage="gradient")
def scaled(view, *, scale: Annotated[float, Field(gt=0)] = 1.0):
    return -scale * view.own
"""
BASE = (
    "strategy='own_with_options:Clipped' attack='own_with_options:scaled' num-rounds=2 "
    "evaluate-every=2 lr=0.1 device='cpu'"
)
OPTIONS = """strategy-options='radius=0.001 mode="soft"' attack-options='scale=2'"""


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "own_with_options.py").write_text(OWN)
    monkeypatch.syspath_prepend(folder)


def locally(text, path):
    execute(prepare(given_keys([text]) | {"out-dir": str(path)}), local_engine)
    return read_summary(path)["model_sha256"]


def by_flower(text, path):
    config = parse_config_args([text]) | {"out-dir": str(path)}
    run(InProcessGrid(client_app, 2, config), config)
    return read_summary(path)["model_sha256"]


def test_they_reach_rule_and_attack_in_either_engine(tmp_path):
    found = [locally(BASE, tmp_path / "default")]
    for options in (OPTIONS, *OPTIONS.split(" attack-")[:1], "attack-options='scale=2'"):
        text = f"{BASE} {options}"
        here = locally(text, tmp_path / f"local-{len(found)}")
        assert here == by_flower(text, tmp_path / f"flower-{len(found)}")
        found.append(here)
    assert len(set(found)) == 4  # both, either, none


@pytest.mark.parametrize("engine", [locally, by_flower])
@pytest.mark.parametrize(
    "options, said",
    [
        ("strategy-options='radius=0.0'", "strategy-options: radius: expected a number above 0"),
        ("strategy-options='mode=\"x\"'", "strategy-options: mode: expected one of soft, hard"),
        ("attack-options='size=2'", "attack-options: .* has no option 'size'; expected scale"),
    ],
)
def test_what_they_cannot_be_is_refused_before_there_is_a_folder(engine, options, said, tmp_path):
    with pytest.raises(ConfigError, match=said):
        engine(f"{BASE} {options}", tmp_path / "run")
    assert not (tmp_path / "run").exists()
