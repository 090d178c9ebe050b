"""Signals end a run between two rounds, and it goes on with the same bits."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import psutil
import pytest

from signfed.app.engines.signals import Interruptible
from signfed.app.runs.folder import read_rounds, read_summary
from tests.app.engines.commands import await_end, await_rounds, environment, last_line, start
from tests.federation import locally

CONFIG = "num-byzantine=3 batch-size=8 checkpoint-every={every} num-rounds={rounds}"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_a_signal_ends_a_local_run_which_goes_on_from_there(tmp_path, name):
    path = tmp_path / "run"
    every = 5 if name == "SIGKILL" else 0
    config = CONFIG.format(every=every, rounds=60000)
    process = start(tmp_path, "--engine", "local", "--out", str(path), "-c", config)
    await_rounds(process, path, 12)
    time.sleep(random.Random(name).random())
    process.send_signal(getattr(signal, name))
    output, _ = process.communicate()
    rounds = len(read_rounds(path))
    if name == "SIGKILL":
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 130, output
        assert read_summary(path)["status"] == "interrupted"
        assert last_line(output) == f"interrupted: go on: signfed run --resume '{path}'"
        assert [p.name for p in (path / "checkpoints").iterdir()] == [f"round-{rounds:06d}"]
    total = rounds + 2
    again = start(tmp_path, "--engine", "local", "--resume", str(path), "-c", f"num-rounds={total}")
    output, _ = again.communicate()
    assert again.returncode == 0, output
    whole = {"num_byzantine": 3, "batch_size": 8, "num_rounds": total}
    whole |= {"sign_fd.estimator": "agreement", "sign_fd.initial_rounds": 50}
    assert read_summary(path)["model_sha256"] == locally(tmp_path / "whole", **whole).sha256


def test_outside_of_rounds_a_signal_is_heard_at_once():
    with pytest.raises(KeyboardInterrupt), Interruptible():
        signal.raise_signal(signal.SIGTERM)


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
    assert await_end([worker], 10.0) == []
