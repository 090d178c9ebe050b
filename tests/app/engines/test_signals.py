"""Signals end a run between two rounds, and it goes on with the same bits."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest

import signfed
from signfed.app.engines.signals import ENDING, Interruptible
from signfed.app.runs.folder import read_rounds, read_summary
from tests.app.engines.commands import await_end, await_rounds, environment, last_line, start
from tests.federation import locally
from tests.waiting import GUARD

QUADRATIC = {"task": "quadratic", "num_byzantine": 3, "evaluate_every": 500}  # starts at once
CONFIG = "task='quadratic' num-byzantine=3 evaluate-every=500 num-rounds=60000"


@pytest.fixture(autouse=True)
def heard():
    """A hangup is not ignored, as it is under nohup by pytest and all that it starts."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def test_a_run_that_is_ended_again_and_again_goes_on_from_there(tmp_path):
    """By SIGKILL it loses what came after the last checkpoint, by any other signal nothing.

    Each at some moment; benchmarks/kill.py does it more often.
    """
    moments, path = random.Random(os.getpid()), tmp_path / "run"
    arguments = ["--out", str(path), "-c", CONFIG]
    for name, every in (("SIGKILL", 3), ("SIGINT", 0), ("SIGHUP", 0), ("SIGKILL", 3)):
        arguments += ["-c", f"checkpoint-every={every}"]
        process = start(tmp_path, "--engine", "local", *arguments)
        await_rounds(process, path, len(read_rounds(path)) + 12)
        time.sleep(moments.random() / 4)
        process.send_signal(getattr(signal, name))
        output, _ = process.communicate()
        status, rounds = read_summary(path)["status"], len(read_rounds(path))
        if name == "SIGKILL":
            assert (process.returncode, status) == (-signal.SIGKILL, "running")
        else:
            assert (process.returncode, status) == (130, "interrupted"), output
            assert last_line(output) == f"interrupted: go on: signfed run --resume '{path}'"
            checkpoints = [p.name for p in (path / "checkpoints").iterdir()]
            assert f"round-{rounds:06d}" in checkpoints
        arguments = ["--resume", str(path)]
    signfed.run({"num-rounds": rounds + 3, "resume": str(path)})
    assert [r["round"] for r in read_rounds(path)] == list(range(1, rounds + 4))
    whole = {"num_rounds": rounds + 3, "sign_fd.estimator": "agreement"}
    assert (
        read_summary(path)["model_sha256"]
        == locally(tmp_path / "whole", **QUADRATIC, **whole).sha256
    )


@pytest.mark.parametrize("name", ENDING)
def test_outside_of_rounds_a_signal_is_heard_at_once(name):
    with pytest.raises(KeyboardInterrupt), Interruptible():
        signal.raise_signal(getattr(signal, name))


def test_between_rounds_a_signal_waits_for_the_end_of_the_round():
    with Interruptible() as signals:
        signals.between_rounds()
        signal.raise_signal(signal.SIGTERM)  # in the middle of a round
        with pytest.raises(KeyboardInterrupt):
            signals.between_rounds()
        signal.raise_signal(signal.SIGTERM)  # what the first one set going is not broken off


def test_a_round_that_does_not_end_is_broken_off_and_nothing_is_sent_afterwards(monkeypatch):
    monkeypatch.setattr("signfed.app.engines.signals.ROUND_TIME", 0.05)
    got = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: got.append(number))
    try:
        with pytest.raises(KeyboardInterrupt), Interruptible() as signals:
            signals.between_rounds()
            signal.raise_signal(signal.SIGTERM)
            time.sleep(20)  # a round; the second signal ends it
        with pytest.raises(KeyboardInterrupt), Interruptible() as signals:
            signals.between_rounds()
            signal.raise_signal(signal.SIGTERM)
            signals.between_rounds()
        time.sleep(0.2)  # longer than the timer: what it sends would arrive
        assert got == []
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_second_signal_breaks_the_round_off():
    with Interruptible() as signals:
        signals.between_rounds()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_what_nohup_ignores_stays_ignored_and_handlers_are_put_back():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    others = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    try:
        with Interruptible():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == others
    finally:
        signal.signal(signal.SIGHUP, before)


POOL = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from signfed.app.engines.signals import end_with_parent

if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, get_context("spawn"), end_with_parent)
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_pools_workers_end_with_their_parent(tmp_path, name):
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    process = subprocess.Popen(
        [sys.executable, script], env=environment(), stdout=subprocess.PIPE, text=True
    )
    worker = psutil.Process(int(process.stdout.readline()))
    process.send_signal(getattr(signal, name))
    process.wait()
    assert await_end([worker]) == []


QUIET = """
import sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from signfed.app.engines.signals import end_at_once, unheard

def work():
    print("at work", flush=True)
    time.sleep(600)

if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, get_context("spawn"), end_at_once)
    try:
        with unheard():
            found = pool.submit(work)
        found.result()
    except KeyboardInterrupt:
        pool.shutdown(cancel_futures=True)
        sys.exit(130)
else:
    print("imports", flush=True)
    time.sleep(1)
"""


@pytest.mark.parametrize("moment", ["imports", "at work"])
def test_ctrl_c_ends_a_pools_workers_at_once_and_without_a_traceback(tmp_path, moment):
    script = tmp_path / "pool.py"
    script.write_text(QUIET)
    process = subprocess.Popen(
        [sys.executable, script], env=environment(), stdout=subprocess.PIPE, text=True,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    while process.stdout.readline().strip() != moment:
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does
    _, said = process.communicate(timeout=GUARD)
    assert process.returncode == 130 and said == ""
