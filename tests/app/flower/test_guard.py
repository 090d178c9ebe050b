"""What belongs to a FLWR_HOME is known by its environment, at any moment of its life."""

from __future__ import annotations

import os
import signal
import subprocess
from io import BytesIO
from types import SimpleNamespace

import psutil
import pytest

from signfed.app.flower import guard


@pytest.fixture
def start(tmp_path):
    """Starts a script with an environment; it is ended at the end."""
    started = []

    def start(text: str, **environment: str) -> int:
        script = tmp_path / "script.sh"
        script.write_text(text)
        started.append(subprocess.Popen(["/bin/sh", str(script)], env=environment))
        return started[-1].pid

    yield start
    for one in started:
        one.kill()
        one.wait()


def test_a_process_that_becomes_another_program_is_known(start, tmp_path):
    """Linux shows no environment meanwhile: 3 of 100 looks at this one saw none."""
    home = str(tmp_path / "home")
    pid = start('exec /bin/sh "$0"\n', **os.environ, FLWR_HOME=home)
    assert all(guard._belongs(psutil.Process(pid), home) for _ in range(1000))
    assert not guard._belongs(psutil.Process(pid), str(tmp_path / "other"))


def test_a_process_without_environment_is_not_waited_for(start, tmp_path, monkeypatch):
    pid = start("exec env -i sleep 600\n")
    asleep = psutil.Process(pid)
    while "sleep" not in asleep.cmdline()[:1]:
        assert asleep.is_running()
    monkeypatch.setattr(guard.time, "sleep", lambda _: pytest.fail("it waits"))
    assert not guard._belongs(psutil.Process(pid), str(tmp_path / "home"))


def test_a_process_that_wrote_over_its_environment_is_known_by_its_files(start, tmp_path):
    """Ray's do, and log below the home; a home whose name begins the same is another one."""
    process = psutil.Process(start('exec sleep 600 >"$0.log"\n', PATH=os.environ["PATH"]))
    while not (tmp_path / "script.sh.log").exists():
        assert process.is_running()
    assert guard._belongs(process, str(tmp_path))
    assert not guard._belongs(process, str(tmp_path / "script.sh"))


def test_a_process_that_nobody_has_taken_note_of_is_not_waited_for(start, monkeypatch):
    ended = psutil.Process(start("exit\n"))
    while ended.status() != psutil.STATUS_ZOMBIE:
        assert ended.is_running()
    monkeypatch.setattr(guard.time, "sleep", lambda _: pytest.fail("it waits"))
    guard._wait([ended], 60.0)


@pytest.mark.parametrize("said, quick", [(b"", False), (guard.QUICK, True)])
def test_no_signal_keeps_a_guard_from_its_work(monkeypatch, tmp_path, said, quick):
    """Such as a service manager's, which ends all processes of a service at once."""
    ending, found = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP), []
    before = [signal.getsignal(number) for number in ending]

    def end(home, *, quick):
        found.append((home, quick, {signal.getsignal(number) for number in ending}))

    (tmp_path / "home").mkdir()
    monkeypatch.setattr(guard.sys, "stdin", SimpleNamespace(buffer=BytesIO(said)))
    monkeypatch.setattr(guard, "end", end)
    try:
        guard.main(str(tmp_path / "home"))
    finally:
        for number, handler in zip(ending, before, strict=True):
            signal.signal(number, handler)
    assert found == [(str(tmp_path / "home"), quick, {signal.SIG_IGN})]
    assert not (tmp_path / "home").exists()
