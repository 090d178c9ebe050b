"""A door between a node and its server, on loopback: it can be shut, opened and narrowed.

It passes bytes on as they are, so TLS goes through it, and whoever is behind it needs no root.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

PIECE = 4096  # bytes read at once


class Door:
    """Listen on loopback, and pass on what comes in both directions.

    Parameters
    ----------
    port : int
        Of the server.

    Attributes
    ----------
    port : int
        Of the door.
    rate : float
        Bytes a second in each direction of a connection; 0 for as many as there are.
    """

    def __init__(self, port: int) -> None:
        self._server, self.rate = port, 0.0
        self._shut = threading.Event()
        self._open: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def shut(self) -> None:
        """Break every connection, and take no other."""
        self._shut.set()
        for end in list(self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def open(self) -> None:
        """Take connections again."""
        self._shut.clear()

    def _serve(self) -> None:
        while True:
            near, _ = self._listening.accept()
            if self._shut.is_set():
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._server))
            except OSError:  # the server is not there
                near.close()
                continue
            self._open |= {near, far}
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE):
                if self.rate:
                    time.sleep(len(piece) / self.rate)
                sink.sendall(piece)
        for end in (source, sink):
            self._open.discard(end)
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
