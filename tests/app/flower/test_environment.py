"""What Flower's processes get of the environment, and what they do not."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from signfed.app.engines.progress import last_error
from signfed.app.flower import environment as env
from signfed.app.flower import guard, local_flower
from signfed.app.flower.environment import FlowerError, environment, program, short_folder
from signfed.app.flower.local_flower import LocalFlower


@pytest.mark.parametrize(
    "given, expected",
    [
        ({}, "127.0.0.1,localhost,::1"),
        ({"no_proxy": "example.org"}, "example.org,127.0.0.1,localhost,::1"),
        ({"NO_PROXY": "localhost, a.b"}, "localhost,a.b,127.0.0.1,::1"),
        ({"no_proxy": "*"}, "*,127.0.0.1,localhost,::1"),
    ],
)
def test_loopback_never_goes_through_a_proxy(monkeypatch, given, expected):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    found = environment(Path("/home"))
    assert found["no_proxy"] == found["NO_PROXY"] == expected


def test_a_ray_cluster_is_taken_only_when_it_is_asked_for(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert "RAY_ADDRESS" not in environment(Path("/home"))
    assert environment(Path("/home"), "10.0.0.2:6379")["RAY_ADDRESS"] == "10.0.0.2:6379"


def test_what_is_set_for_another_flower_is_not_that_of_this_one(monkeypatch):
    for name in ("FLWR_HOME", "RAY_TMPDIR", guard.MARK):
        monkeypatch.setenv(name, "/other")
    found = environment(Path("/home"))
    assert found["FLWR_HOME"] == found["RAY_TMPDIR"] == "/home" and found[guard.MARK] == "1"


def test_nobody_is_told_of_a_run_but_where_the_user_wants_it(monkeypatch):
    for name in ("FLWR_TELEMETRY_ENABLED", "RAY_USAGE_STATS_ENABLED"):
        monkeypatch.delenv(name, raising=False)
        assert environment(Path("/home"))[name] == "0"
        monkeypatch.setenv(name, "1")
        assert environment(Path("/home"))[name] == "1"


def test_rays_workers_are_as_important_as_other_processes_unless_the_user_says_so(monkeypatch):
    monkeypatch.delenv("RAY_worker_niceness", raising=False)
    assert environment(Path("/home"))["RAY_worker_niceness"] == "0"
    monkeypatch.setenv("RAY_worker_niceness", "15")
    assert environment(Path("/home"))["RAY_worker_niceness"] == "15"


def test_programs_of_this_python_and_modules_of_this_folder_come_first(monkeypatch, tmp_path):
    for name in ("PATH", "PYTHONPATH"):
        monkeypatch.setenv(name, f"/a{os.pathsep}/b")
    monkeypatch.chdir(tmp_path)
    found = environment(Path("/home"))
    assert found["PATH"].split(os.pathsep) == [str(env.BIN), "/a", "/b"]
    assert found["PYTHONPATH"].split(os.pathsep) == [str(tmp_path), "/a", "/b"]


def test_where_no_folder_has_a_short_path_that_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(env, "LONGEST_HOME", 1)
    with pytest.raises(FlowerError, match=f"set TMPDIR to a shorter one than {tmp_path}"):
        short_folder()
    assert list(tmp_path.iterdir()) == []


def test_a_long_tmpdir_is_not_taken_for_sockets(monkeypatch, tmp_path):
    long = tmp_path / ("t" * 84)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = short_folder()
    assert len(str(folder)) <= env.LONGEST_HOME and list(long.iterdir()) == []
    folder.rmdir()


def test_programs_are_looked_for_beside_python_and_on_the_path(monkeypatch, tmp_path):
    monkeypatch.setattr(env, "BIN", tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FlowerError, match=r"flwr: found neither in .*bin nor on PATH; pip install"):
        program("flwr")
    for folder in (tmp_path, tmp_path / "bin"):
        folder.mkdir(exist_ok=True)
        (folder / "flwr").touch(mode=0o755)
        assert program("flwr") == str(folder / "flwr")


def test_without_ray_nothing_is_started(monkeypatch):
    monkeypatch.setattr(local_flower, "find_spec", lambda name: None)
    flower = LocalFlower()
    with pytest.raises(FlowerError, match=r"needs Ray.*signfed\[simulation\].*--engine local"):
        flower.__enter__()
    assert not flower.log.parent.exists()


ANSWERS = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answers)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def test_a_port_that_another_takes_is_tried_no_more(monkeypatch):
    """The first port is another server's, which answers: it is not mistaken for ours."""
    other = subprocess.Popen(
        [sys.executable, "-c", ANSWERS, "0"], stdout=subprocess.PIPE, text=True
    )
    taken, tried = int(other.stdout.readline()), []

    def start(self, log, name, *arguments):
        tried.append(int(arguments[arguments.index("--port") + 1]))
        with log.open("ab") as output:
            child = subprocess.Popen(
                [sys.executable, "-c", ANSWERS, str(tried[-1])], stderr=output, stdout=output
            )
        self._children.append(child)
        return child

    ports = iter([taken, local_flower.free_port()])
    monkeypatch.setattr(local_flower, "free_port", lambda: next(ports))
    monkeypatch.setattr(LocalFlower, "_start", start)
    try:
        with LocalFlower() as flower:
            assert len(tried) == 2 and tried[0] == taken
            for child in flower._children:  # they have no FLWR_HOME for the guard to know
                child.kill()
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", ""),
        ("INFO : all is well\n", ""),
        ("torch.OutOfMemoryError: 3 GB\n", "torch.OutOfMemoryError: 3 GB"),
        ("\x1b[91mERROR \x1b[0m:  ValueError: no\n", "ValueError: no"),
        (
            "ray.exceptions.ActorDiedError: gone\n"
            "RuntimeError: An error was encountered. Ending simulation.\n",
            "ray.exceptions.ActorDiedError: gone",
        ),
        ("KeyError: 'a'\nErrors are reported to nobody\n", "KeyError: 'a'"),
    ],
)
def test_the_reason_is_the_last_exception_that_is_not_flowers_own_word(tmp_path, text, expected):
    log = tmp_path / "flower.log"
    log.write_text(text)
    assert last_error(log) == expected
