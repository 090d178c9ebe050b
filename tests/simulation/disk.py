"""A disk in memory that is full, loses power or has its writer killed at any operation.

What a file holds and what a folder lists reach the disk when they are flushed. Folders are
journaled: their changes reach it in order, and a flush of any file or folder takes along all that
came before. A write that was not flushed may be cut at any byte by a loss of power; by a kill it is
not.
"""

from __future__ import annotations

import errno
import io
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
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
    """

    def __init__(self) -> None:
        self.files: dict[str, File | None] = {}
        self._safe: dict[str, File | None] = {}
        self._changes: list[dict[str, File | None]] = []  # what folders listed, oldest first
        self.operations = 0
        self.kill: tuple[int, int] | None = None
        self.full, self.room = range(0), 0
        self.was_full = 0
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


class _Raw(io.RawIOBase):
    """What Python's own buffers write to."""

    def __init__(self, file: File) -> None:
        self._file, self._disk = file, DISK.now

    def writable(self) -> bool:
        return True

    def write(self, payload: memoryview) -> int:  # type: ignore[override]
        if self._disk is not DISK.now:
            return len(payload)  # of a process that is gone
        taken = self._disk.operate(len(payload))
        self._file.content += bytes(payload[: len(payload) if taken is None else taken])
        if taken is not None and self._disk.dead:
            raise Killed
        if taken == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return len(payload) if taken is None else taken

    def fileno(self) -> int:
        return self._disk.descriptor(self._file)


class SimPath(PurePosixPath):
    """A path on the simulated disk."""

    @property
    def _key(self) -> str:
        return str(self)

    @classmethod
    def home(cls) -> SimPath:
        return cls("/home")

    def expanduser(self) -> SimPath:
        return self

    def resolve(self) -> SimPath:
        return self

    def exists(self) -> bool:
        return self._key in DISK.now.files

    def is_dir(self) -> bool:
        return self.exists() and DISK.now.files[self._key] is None

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        if self.exists():
            if exist_ok:
                return
            raise FileExistsError(errno.EEXIST, "File exists", self._key)
        if not self.parent.exists() and parents and str(self.parent) != "/":
            self.parent.mkdir(parents=True)
        DISK.now.made()
        DISK.now.files[self._key] = None
        DISK.now.changed()

    def iterdir(self) -> Iterator[SimPath]:
        return self.glob("*")

    def glob(self, pattern: str) -> Iterator[SimPath]:
        paths = [SimPath(name) for name in DISK.now.files]
        return iter([p for p in paths if p.parent == self and fnmatchcase(p.name, pattern)])

    def unlink(self, missing_ok: bool = False) -> None:
        if not self.exists():
            if missing_ok:
                return
            raise FileNotFoundError(errno.ENOENT, "No such file", self._key)
        DISK.now.operate()
        del DISK.now.files[self._key]
        DISK.now.changed()

    def open(self, mode: str = "r", encoding: str | None = None) -> io.IOBase:
        files = DISK.now.files
        if mode == "rb":
            return io.BytesIO(self.read_bytes())
        if mode == "x" and self.exists():
            raise FileExistsError(errno.EEXIST, "File exists", self._key)
        if mode != "a" or not self.exists():
            DISK.now.made()
            files[self._key] = File()  # never one that is cut: nothing under test does that
            DISK.now.changed()
        file = files[self._key]
        assert file is not None
        stream = io.BufferedWriter(_Raw(file))
        return stream if "b" in mode else io.TextIOWrapper(stream, encoding=encoding)

    def read_bytes(self) -> bytes:
        file = DISK.now.files.get(self._key)
        if file is None:
            raise FileNotFoundError(errno.ENOENT, "No such file", self._key)
        return bytes(file.content)

    def read_text(self, encoding: str | None = None) -> str:
        return self.read_bytes().decode(encoding or "utf-8")

    def write_text(self, text: str, encoding: str | None = None) -> None:
        with self.open("w", encoding=encoding) as stream:
            stream.write(text)  # type: ignore[call-overload]


class Os:
    """What the code under test takes of the module `os`."""

    name, O_RDONLY, W_OK, X_OK = "posix", 0, 2, 1

    @staticmethod
    def getpid() -> int:
        return 1

    @staticmethod
    def access(path: SimPath, mode: int) -> bool:
        return path.exists()

    @staticmethod
    def replace(old: SimPath, new: SimPath) -> None:
        disk = DISK.now
        disk.operate()
        for name in list(disk.files):
            if name == str(old) or name.startswith(f"{old}/"):
                disk.files[str(new) + name[len(str(old)) :]] = disk.files.pop(name)
        disk.changed()

    @staticmethod
    def fsync(descriptor: int) -> None:
        DISK.now.flush(DISK.now.described(descriptor))

    @staticmethod
    def open(path: SimPath, flags: int) -> int:
        return DISK.now.descriptor(None)

    @staticmethod
    def close(descriptor: int) -> None:
        pass


class Shutil:
    """What the code under test takes of the module `shutil`: one file after the other goes."""

    @staticmethod
    def rmtree(path: SimPath, ignore_errors: bool = False) -> None:
        inside = [n for n in DISK.now.files if n == str(path) or n.startswith(f"{path}/")]
        for name in sorted(inside, reverse=True):
            DISK.now.operate()
            del DISK.now.files[name]
            DISK.now.changed()
