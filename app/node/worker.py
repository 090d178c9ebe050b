"""The warm worker of a node: answers one message after the other, and ends with the node.

Started by `warm.py`. It keeps what takes long to load, and nothing that a node has to remember:
the node's state comes with each message and goes back with the answer, so an answer has the bits
that it has in a process of its own.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import psutil
from flwr.app import Message

from signfed.app.node.frames import SPARE, failure, read_request, send_reply

LOOK = 1.0  # seconds between two looks at whether to go on
IDLE = 900.0  # seconds without a message after which its memory is given back


class Watch:
    """Tell when a worker has to end: whom it serves is gone, or has given it up.

    Parameters
    ----------
    path : Path
        Of its socket; removed, it is not wanted any more.
    node : int
        Process id of the SuperExec, which ends with its SuperNode.

    Attributes
    ----------
    until : float
        Monotonic clock: when the worker has been idle, or at one message, for too long.
    """

    def __init__(self, path: Path, node: int) -> None:
        self._path, self._inode = path, path.stat().st_ino
        self._node = psutil.Process(node)
        self.until = time.monotonic() + IDLE

    def reason(self) -> str:
        """Return why the worker has to end; empty while it may go on."""
        if not self._node.is_running() or self._node.status() == psutil.STATUS_ZOMBIE:
            return "the node is gone"
        try:
            if self._path.stat().st_ino != self._inode:
                return "another worker has taken over"
        except OSError:
            return "the node does without it"
        return "no time left" if time.monotonic() > self.until else ""

    def keep(self) -> None:
        """End this process when there is a reason, whatever it is doing."""
        reason = ""
        while not reason:
            time.sleep(LOOK)
            with contextlib.suppress(psutil.Error):
                reason = self.reason()
        with contextlib.suppress(OSError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
        os._exit(0)


def serve(listening: socket.socket, watch: Watch) -> None:
    """Answer whoever connects, one after the other.

    Parameters
    ----------
    listening : socket
        Bound and listening.
    watch : Watch
        Of this process.
    """
    from signfed.app.node import answers

    while True:
        connection, _ = listening.accept()
        with connection, connection.makefile("rwb") as stream:
            try:
                message, context = read_request(stream)
            except EOFError:
                continue  # somebody only looked whether there is a worker
            watch.until = time.monotonic() + message.metadata.ttl + 2 * SPARE
            try:
                reply = answers.answer(message, context)
            except Exception as error:
                reply = Message(failure(error), reply_to=message)
            with contextlib.suppress(ConnectionError):  # the process of the message is gone
                send_reply(stream, reply, context.state)
        watch.until = time.monotonic() + IDLE


def main(descriptor: str, path: str, node: str) -> None:
    """Be the worker of a node.

    Parameters
    ----------
    descriptor : str
        Number of an inherited socket that listens.
    path : str
        Where it is bound.
    node : str
        Process id of the node's SuperExec.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C at the node's terminal: no traceback
    logging.basicConfig(format="%(message)s")
    watch = Watch(Path(path), int(node))
    threading.Thread(target=watch.keep, daemon=True).start()
    with socket.socket(fileno=int(descriptor)) as listening:
        serve(listening, watch)


if __name__ == "__main__":
    main(*sys.argv[1:])
