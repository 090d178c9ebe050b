"""Cells in processes of this machine, which may die one by one."""

from __future__ import annotations

import signal
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from signfed.app.engines.signals import end_with_parent
from signfed.app.experiments.work import Ended, KeptData, Outcome, Work, carry_out
from signfed.app.runs.folder import FAILED

PATIENCE = 12.0  # seconds for a process to save its run before it is killed


class Processes:
    """Several at a time, in processes that are started once and serve one work after the other.

    Not a `ProcessPoolExecutor`: that one breaks as a whole when a process dies, and does not say
    which work killed it.

    Parameters
    ----------
    slots : int
        How many at most; each is started when it is first needed.
    """

    elsewhere = False

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._context = get_context("spawn")
        self._idle: list[tuple[Connection, SpawnProcess]] = []
        self._busy: dict[Connection, tuple[SpawnProcess, Work]] = {}

    def start(self, work: Work) -> None:
        pipe, process = self._idle.pop() if self._idle else self._new()
        try:
            pipe.send(work)
        except OSError:  # it died while it was idle
            pipe, process = self._new()
            pipe.send(work)
        self._busy[pipe] = process, work

    def wait(self) -> Ended:
        ended = []
        for pipe in wait(list(self._busy)):
            assert isinstance(pipe, Connection)
            process, work = self._busy.pop(pipe)
            try:
                outcome = pipe.recv()
                self._idle.append((pipe, process))
            except (EOFError, OSError):
                process.join()
                pipe.close()
                outcome = Outcome(FAILED, f"WorkerDied: {_how(process.exitcode)}")
            ended.append((work, outcome))
        return ended

    def close(self) -> None:
        processes = [process for process, _ in self._busy.values()]
        for process in processes:
            process.terminate()
        for pipe, process in self._idle:
            pipe.close()
            processes.append(process)
        for process in processes:
            process.join(PATIENCE)
            if process.exitcode is None:
                process.kill()
        self._idle, self._busy = [], {}

    def _new(self) -> tuple[Connection, SpawnProcess]:
        here, there = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(there,), daemon=True)
        process.start()
        there.close()  # so that its end is seen here
        return here, process


def _serve(pipe: Connection) -> None:
    """What a process does: works, until nobody sends any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: who started it decides
    end_with_parent()
    load = KeptData()
    try:
        while True:
            pipe.send(carry_out(pipe.recv(), load))
    except (EOFError, OSError, KeyboardInterrupt):
        return


def _how(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        memory = "; the machine may have run out of memory" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{memory}"
    return f"its process ended with exit code {exitcode}"
