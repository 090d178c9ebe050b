"""A Flower of one's own without Flower: programs of our own under its names."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import psutil
import pytest

from signfed.app.flower import environment as env
from signfed.app.flower import local_flower
from signfed.app.flower.environment import FlowerError
from signfed.app.flower.local_flower import LocalFlower
from tests.app.engines.commands import await_end

# It takes longer over its state than a process that is told to end would live, and says each word
# by a file: a file is there, or it is not.
SERVER = """
import signal, sys, time
from pathlib import Path

def save(number, frame):
    Path(sys.argv[1], "asked").touch()
    time.sleep(0.3)
    Path(sys.argv[1], "saved").touch()
    sys.exit()

signal.signal(signal.SIGINT, save)
Path(sys.argv[1], "server").touch()
while True:
    time.sleep(60)
"""
# Ray's may be like that: it takes note of neither.
DEAF = """
import signal, sys, time
from pathlib import Path

signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
Path(sys.argv[1], "deaf").touch()
while True:
    time.sleep(60)
"""
FAILS = """
import sys
from pathlib import Path

with Path("tried").open("a") as tried:
    tried.write(".")
sys.exit("first line\\nRuntimeError: no disk\\n")
"""
ANSWERS = """
import json, sys
from pathlib import Path

with Path("asked").open("a") as asked:
    asked.write(json.dumps(sys.argv[1:]) + "\\n")
    config = [b for a, b in zip(sys.argv, sys.argv[1:]) if a == "--run-config"]
    asked.write(json.dumps([Path(file).read_text() for file in config]) + "\\n")
print(Path("answer").read_text(), end="")
sys.exit("a word on stderr")
"""


@pytest.fixture
def programs(monkeypatch, tmp_path):
    """Puts programs where Flower's are looked for; what they start with is this folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(env, "BIN", tmp_path / "bin")
    (tmp_path / "bin").mkdir()

    def put(name: str, text: str) -> None:
        file = tmp_path / "bin" / name
        file.write_text(f"#!{sys.executable} -S\n{text}")
        file.chmod(0o755)

    return put


@pytest.fixture
def started(programs, monkeypatch, tmp_path):
    """A Flower that has a server and a process which ends by SIGKILL alone, once it is entered."""
    programs("flwr-simulation", SERVER)
    programs("ray", DEAF)

    def start(self):
        for name, sign in (("flwr-simulation", "server"), ("ray", "deaf")):
            child = self._start(self.log, name, str(tmp_path))
            while not (tmp_path / sign).exists():
                assert child.poll() is None
                time.sleep(0.01)

    monkeypatch.setattr(local_flower, "find_spec", lambda name: True)
    monkeypatch.setattr(LocalFlower, "_start_superlink", start)
    flower = LocalFlower(tmp_path / "flower.log")
    yield flower
    for child in flower._children:
        child.kill()
    shutil.rmtree(flower._home, ignore_errors=True)


def nothing_left(flower):
    family = [psutil.Process(child.pid) for child in flower._children if child.poll() is None]
    return not await_end(family, 0) and not flower._home.exists()


def test_after_the_run_all_end_without_a_word_and_nothing_is_left(started, tmp_path):
    with started:
        assert started._home.exists()
    assert nothing_left(started)
    assert not (tmp_path / "asked").exists()


def test_where_the_run_is_broken_off_the_server_has_time_to_save(started, tmp_path):
    with pytest.raises(KeyboardInterrupt), started:
        raise KeyboardInterrupt
    assert (tmp_path / "saved").exists() and nothing_left(started)


def test_where_the_guard_was_killed_the_command_does_its_work(started, tmp_path):
    with pytest.raises(KeyboardInterrupt), started:
        started._guard.kill()
        started._guard.wait()
        raise KeyboardInterrupt
    assert (tmp_path / "saved").exists() and nothing_left(started)


def test_what_is_of_another_home_goes_on(started, tmp_path):
    """Its name begins as this one's does."""
    home = Path(f"{started._home}-2")
    home.mkdir()
    with (home / "log").open("w") as log:
        child = subprocess.Popen(
            [tmp_path / "bin" / "ray", tmp_path], env=env.environment(home), stdout=log
        )
    try:
        with started:
            pass
        assert child.poll() is None and home.exists()
    finally:
        child.kill()
        child.wait()
        shutil.rmtree(home)


def test_a_superlink_that_fails_is_tried_once_and_its_last_word_told(
    programs, monkeypatch, tmp_path
):
    monkeypatch.setattr(local_flower, "find_spec", lambda name: True)
    programs("flower-superlink", FAILS)
    flower = LocalFlower()
    with pytest.raises(FlowerError, match="SuperLink did not start: first line") as raised:
        flower.__enter__()
    assert str(raised.value).splitlines()[-1] == "RuntimeError: no disk"
    assert (tmp_path / "tried").read_text() == "." and nothing_left(flower)


@pytest.fixture
def answered(programs, tmp_path):
    """A Flower whose `flwr` says what it is told to say."""
    programs("flwr", ANSWERS)
    flower = LocalFlower(tmp_path / "flower.log")

    def says(answer):
        (tmp_path / "answer").write_text(answer if isinstance(answer, str) else json.dumps(answer))
        return flower

    yield says
    for child in flower._children:
        child.wait()
    flower._stop(quick=True)


def test_a_run_is_submitted_with_its_config_and_its_log_followed(answered, tmp_path):
    flower = answered({"success": True, "run-id": 7})
    given = {"out-dir": "a \"b\" 'c'", "lr": 0.5, "num-rounds": 3, "lie.z": 1.0}
    assert flower.submit(given, "num-supernodes=2", tmp_path / "app") == "7"
    for child in flower._children:
        child.wait()
    run, configs, log, _ = map(json.loads, (tmp_path / "asked").read_text().splitlines())
    assert run[:2] == ["run", str(tmp_path / "app")] and tomllib.loads(configs[0]) == given
    assert run[run.index("--federation-config") + 1] == "num-supernodes=2"
    assert log[:2] == ["log", "7"] and "--stream" in log
    assert "a word on stderr" in flower.log.read_text()


@pytest.mark.parametrize(
    "answer, said",
    [
        ({"success": False, "error-message": "no such app"}, "did not take the run: .*no such app"),
        ("Traceback: no json\n", "flwr run: Traceback: no json\na word on stderr"),
    ],
)
def test_a_run_that_flower_does_not_take_is_an_error_with_what_it_said(answered, answer, said):
    flower = answered(answer)
    with pytest.raises(FlowerError, match=said):
        flower.submit({}, "", Path("app"))
    assert flower._children == []


def test_the_status_is_flowers_word_on_the_run(answered):
    assert answered({"runs": [{"status": "finished:failed"}]}).status("7") == "finished:failed"
    assert answered({"runs": []}).status("7") == answered({}).status("7") == "unknown"
