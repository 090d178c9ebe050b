"""Paths, `os` and `shutil` of the simulated disk: what the code under test uses of them."""

from __future__ import annotations

import errno
import io
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from tests.simulation.disk import DISK, File, Killed


class _Raw(io.RawIOBase):
    """What Python's own buffers write to."""

    def __init__(self, file: File) -> None:
        self._file, self._disk = file, DISK.now
        self._process = self._disk.process

    def writable(self) -> bool:
        return True

    def write(self, payload: memoryview) -> int:  # type: ignore[override]
        if self._disk is not DISK.now or self._process != self._disk.process:
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
