"""A disk in memory that is full, loses power or has its writer killed at any operation.

What a file holds and what a folder lists reach the disk when they are flushed. Folders are
journaled: their changes reach it in order, and a flush of any file or folder takes along all that
came before. A write that was not flushed may be cut at any byte by a loss of power; by a kill it is
not.
"""

from __future__ import annotations

import errno
from types import SimpleNamespace


class Killed(BaseException):
    """The server's process is gone."""


class File:
    def __init__(self) -> None:
        self.content = bytearray()
        self.flushed = b""


class Disk:
    """Files by path; None stands for a folder.

    Attributes
    ----------
    operations : int
        Done so far: writes, flushes, renames, and what is made or removed.
    kill : tuple of int, int or None
        The operation at which the process is killed, and the bytes of a write that still get there.
    full : range
        Operations at which nothing more fits; a write takes what `room` says.
    process : int
        Which process writes: each has a higher number than those before it. What an earlier one
        left in its buffers is lost.
    """

    def __init__(self) -> None:
        self.files: dict[str, File | None] = {}
        self._safe: dict[str, File | None] = {}
        self._changes: list[dict[str, File | None]] = []  # what folders listed, oldest first
        self.operations = 0
        self.kill: tuple[int, int] | None = None
        self.full, self.room = range(0), 0
        self.was_full, self.process = 0, 0
        self.dead = False
        self._descriptors: list[File | None] = []

    def operate(self, room: int | None = None) -> int | None:
        """Count an operation; how many bytes of a write get there, None for all."""
        if self.dead:
            raise Killed
        self.operations += 1
        if self.kill and self.operations == self.kill[0]:
            self.dead = True
            if room is None:
                raise Killed
            return min(room, self.kill[1])
        if room is not None and self.operations in self.full:
            self.was_full += 1
            return min(room, self.room)
        return None

    def full_now(self) -> bool:
        return self.operations in self.full

    def made(self) -> None:
        """An operation that needs room for an entry of a folder."""
        self.operate()
        if self.full_now():
            self.was_full += 1
            raise OSError(errno.ENOSPC, "No space left on device")

    def changed(self) -> None:
        self._changes.append(dict(self.files))

    def flush(self, file: File | None) -> None:
        self.operate()
        if file is not None:
            file.flushed = bytes(file.content)
        self._safe, self._changes = dict(self.files), []

    def restart(self, *, power_lost: bool, entries: float, share: float) -> None:
        """Another process begins; after a loss of power only what had reached the disk is there.

        entries: which share of the changes of folders has; share: of what a file was given since.
        """
        self.process += 1
        self.dead, self.kill = False, None
        self._descriptors.clear()
        if not power_lost:
            return
        states = [self._safe, *self._changes]
        self.files = dict(states[min(int(entries * len(states)), len(states) - 1)])
        for file in self.files.values():
            if file is not None:
                start = bytes(file.content)
                fresh = len(start) - len(file.flushed)
                kept = len(file.flushed) + int(share * (fresh + 1)) if fresh > 0 else len(start)
                file.content = bytearray(start[:kept])
                file.flushed = bytes(file.content)
        self._safe, self._changes = dict(self.files), []

    def descriptor(self, file: File | None) -> int:
        self._descriptors.append(file)
        return len(self._descriptors) - 1

    def described(self, descriptor: int) -> File | None:
        return self._descriptors[descriptor]


DISK = SimpleNamespace(now=Disk())  # the one of the run under way
