"""The referee's end of a submission's process: asks it, and says why an answer does not come."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, get_context
from threading import Lock

import numpy as np
import psutil

from signfed.app.tournament import guest
from signfed.app.tournament.entries import Entry
from signfed.app.tournament.fence import MEGABYTE, Limits
from signfed.app.tournament.frames import Arrays, Said, pack, read

TICK = 0.1  # seconds between two looks at a process that has not answered
STARTING = 60.0  # seconds for a process to come up, before it has seen the submission
LONGEST = 300  # characters of a reason
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
KEPT = ("PATH", "PYTHONPATH", "LANG", "VIRTUAL_ENV", "SYSTEMROOT")  # of the environment


class Lost(Exception):
    """A submission lost its match by what it did.

    Parameters
    ----------
    entry : Entry
        The submission.
    reason : str
    """

    def __init__(self, entry: Entry, reason: str) -> None:
        text = "".join(c if c.isprintable() else " " for c in reason)
        self.entry, self.reason = entry, " ".join(text.split())[:LONGEST]
        super().__init__(f"{entry.kind} {entry.name}: {self.reason}")


class Host:
    """A submission in a process of its own, from its start to `close`: a context manager.

    Parameters
    ----------
    entry : Entry
        The submission.
    limits : Limits

    Attributes
    ----------
    seconds : float
        That it was waited for, once its process was up.
    fences : dict
        Name of a fence -> whether it stands; empty before the first answer.
    """

    def __init__(self, entry: Entry, limits: Limits) -> None:
        self.entry, self.limits, self.seconds = entry, limits, 0.0
        self.fences: dict[str, bool] = {}
        self._lock = Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="signfed-", ignore_cleanup_errors=True)
        self._line, theirs = socket.socketpair()
        context = get_context("forkserver")
        context.set_forkserver_preload(["__main__", guest.__name__])
        with _bare_environment():
            forkserver.ensure_running()
        self._process = context.Process(
            target=guest.main, args=(entry, limits, self._folder.name, theirs), daemon=True
        )
        self._process.start()
        theirs.close()

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process and all that it started; remove its folder."""
        self._line.close()
        for child in self._children():
            with suppress(psutil.Error):
                child.kill()
        self._process.kill()
        self._process.join()
        self._folder.cleanup()

    def ask(
        self, said: Mapping[str, object], arrays: Mapping[str, np.ndarray]
    ) -> tuple[Said, Arrays]:
        """Return what it answers; the first answer comes when it has loaded the submission.

        Parameters
        ----------
        said, arrays : mapping
            The question.

        Raises
        ------
        Lost
            When it raises, takes too long or too much, ends, or answers what is no answer.
        """
        with self._lock:
            if not self.fences:
                late = f"its process did not come up in {STARTING:g} s"
                self.fences, _ = self._exchange(b"", time.monotonic() + STARTING, late)
            started = time.monotonic()
            ends = started + self.limits.seconds - self.seconds
            late = f"took more than {self.limits.seconds:g} s"
            try:
                answer, found = self._exchange(pack(said, arrays), ends, late)
            finally:
                self.seconds += time.monotonic() - started
        if "error" in answer:
            raise self._lost(str(answer["error"]))
        return answer, found

    def _exchange(self, frame: bytes, ends: float, late: str) -> tuple[Said, Arrays]:
        try:
            self._send(frame, ends)
            return read(lambda count: self._take(count, ends))
        except ValueError as error:
            raise self._lost(str(error)) from None
        except TimeoutError:
            raise self._lost(late) from None
        except OSError:
            raise self._lost(self._end()) from None

    def _lost(self, reason: str) -> Lost:
        return Lost(self.entry, reason)

    def _send(self, frame: bytes, ends: float) -> None:
        rest = memoryview(frame)
        while rest:
            self._look(ends)
            with suppress(TimeoutError):
                rest = rest[self._line.send(rest) :]

    def _take(self, count: int, ends: float) -> bytes:
        parts: list[bytes] = []
        while count:
            self._look(ends)
            with suppress(TimeoutError):
                parts.append(self._line.recv(min(count, MEGABYTE)))
                if not parts[-1]:
                    raise ConnectionError
                count -= len(parts[-1])
                continue
            self._watch()
        return b"".join(parts)

    def _look(self, ends: float) -> None:
        left = ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._line.settimeout(min(left, TICK))

    def _watch(self) -> None:
        """What no limit of the system's holds, as for root, is seen here."""
        children = self._children()
        # In Linux the submission itself is a child: the first process of its namespace.
        if sum(1 for each in children if each.ppid() != self._process.pid) or len(children) > 1:
            raise self._lost("started other processes")

    def _children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self._process.pid).children(recursive=True)
        except psutil.Error:
            return []

    def _end(self) -> str:
        """Say how the process ended."""
        self._process.join(2)
        code = self._process.exitcode
        if code == -signal.SIGXCPU:
            return f"took more than {2 * self.limits.seconds:g} s of CPU time"
        if code is not None and code < 0:
            return f"its process was ended by {signal.Signals(-code).name}"
        return f"its process ended with exit code {code}"


@contextmanager
def _bare_environment() -> Iterator[None]:
    """Hide what the environment holds, such as keys, from the processes to be started."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update({name: before[name] for name in KEPT if name in before} | ONE_THREAD)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
