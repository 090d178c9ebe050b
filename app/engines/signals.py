"""Ctrl-C, SIGTERM and SIGHUP: each ends a command in the same orderly way."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
ROUND_TIME = 3.0  # seconds for a round under way to end, before it is broken off


class Interruptible:
    """Turn a signal into one KeyboardInterrupt in the main thread: a context manager.

    A signal that is ignored, as SIGHUP is under nohup, stays ignored. While the body calls
    `between_rounds`, a signal waits for the next call, so that a run ends between two rounds; it
    waits no longer than ROUND_TIME.
    """

    def __init__(self) -> None:
        self._numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
        self._before: dict[int, object] = {}
        self._asked = self._raised = self._in_rounds = False
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Interruptible:
        if threading.current_thread() is threading.main_thread():
            for number in self._numbers:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *error: object) -> None:
        if self._timer:  # whoever comes next must not get the signal
            self._timer.cancel()
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def between_rounds(self) -> None:
        """Raise KeyboardInterrupt if a signal came: the state of the run is whole now."""
        self._in_rounds = True
        if self._asked:
            self._raise()

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._in_rounds and not self._asked:
            self._asked = True
            self._timer = threading.Timer(ROUND_TIME, os.kill, (os.getpid(), number))
            self._timer.daemon = True
            self._timer.start()
        else:
            self._raise()

    def _raise(self) -> None:
        if not self._raised:  # a second one must not break off what the first one set going
            self._raised = True
            raise KeyboardInterrupt


def end_with_parent() -> None:
    """End this worker process of a pool when the process that started it is gone, however."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def unheard() -> Iterator[None]:
    """Hold Ctrl-C back; processes that are started within do not hear it before `end_at_once`.

    Before that they import what they need, where it would end in a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_at_once() -> None:
    """Let Ctrl-C at the terminal, or the end of the parent, end this worker process of a pool."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # without a traceback
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    end_with_parent()
