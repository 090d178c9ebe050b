"""`signfed.run`: the command `signfed run` as a Python call."""

import pytest

import signfed
from signfed.app.engines import launch
from signfed.app.runs.folder import read_summary, set_status

CONFIG = {"num-rounds": 2, "device": "cpu"}


def test_a_local_run_returns_its_folder_and_summary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = signfed.run(CONFIG)
    assert result.path.parent == tmp_path / "signfed-runs"
    assert result.summary == read_summary(result.path)
    assert (result.summary["status"], result.summary["rounds"]) == ("finished", 2)
    again = signfed.run(CONFIG | {"num-rounds": 4, "resume": str(result.path)})
    assert again.path == result.path and again.summary["rounds"] == 4


def test_what_cannot_be_run_is_a_config_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for config, engine in (({"lr": 0.0}, "local"), ({"lie.z": 2.0}, "flower"), ({}, "fleet")):
        with pytest.raises(signfed.ConfigError):
            signfed.run(config, engine=engine)
    with pytest.raises(signfed.ConfigError, match="--supernodes: expected 1 to num-workers = 15"):
        signfed.run(CONFIG, engine="flower", supernodes=16)
    assert list(tmp_path.iterdir()) == []


OWN = """
from signfed import RobustStrategy

class Fails(RobustStrategy):
    def aggregate(self, updates):
        raise ArithmeticError("no!")
"""


def test_what_ends_a_local_run_is_raised(tmp_path, monkeypatch):
    (tmp_path / "fails_at_once.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    out = {"strategy": "fails_at_once:Fails", "out-dir": str(tmp_path / "run")}
    with pytest.raises(ArithmeticError, match="no!"):
        signfed.run(CONFIG | out)
    assert read_summary(tmp_path / "run")["status"] == "failed"


@pytest.mark.parametrize(
    "status, raised", [("finished", None), ("failed", RuntimeError), ("interrupted", BaseException)]
)
def test_flower_gets_the_run_and_its_end_is_told(status, raised, tmp_path, monkeypatch):
    asked = []

    def on_flower(values, federation, num_rounds, console):
        asked.append((values["out-dir"], federation, num_rounds))
        set_status(tmp_path / "run", status, "why" if status == "failed" else "")
        return status

    monkeypatch.setattr(launch, "on_flower", on_flower)
    config = CONFIG | {"out-dir": str(tmp_path / "run")}

    def run():
        return signfed.run(config, engine="flower", supernodes=3)

    if raised is None:
        assert run().summary["status"] == "finished"
    else:
        with pytest.raises(raised, match="why" if status == "failed" else ""):
            run()
    federation = "num-supernodes=3 client-resources-num-cpus=1 client-resources-num-gpus=0.0"
    assert asked == [(str(tmp_path / "run"), federation, 2)]
