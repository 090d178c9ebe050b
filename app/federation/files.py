"""Files that only their owner reads, from the moment they exist, and that nothing overwrites."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError

FOLDER_MODE, FILE_MODE, SCRIPT_MODE = 0o700, 0o600, 0o700


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner enters, unless it is there.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ConfigError
        When it cannot be made, or others may enter the one that is there.
    """
    try:
        path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"expected a folder that can be made; {path}: {error.strerror}") from None
    if path.stat().st_mode & 0o077:
        raise ConfigError(
            f"expected a folder that only its owner enters; {path} has mode "
            f"{path.stat().st_mode & 0o777:04o}; chmod 700 {path}"
        )
    return path


def write_once(path: Path, text: str, mode: int = FILE_MODE) -> bool:
    """Write a file that is not there yet; leave one that holds the same.

    Parameters
    ----------
    path : Path
    text : str
    mode : int
        Its permissions, from the moment it exists.

    Returns
    -------
    bool
        Whether it was written now.

    Raises
    ------
    ConfigError
        When a file of that name holds something else.
    """
    if not absent(path, text):
        return False
    draft = _draft(path, text, mode)
    try:
        os.link(draft, path)  # as a whole, and only where there is none
    except FileExistsError:
        raise ConfigError(f"expected no file {path}; another command has just written it") from None
    except OSError:  # a file system without links
        os.rename(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return True


def absent(path: Path, text: str) -> bool:
    """Tell whether a file is not there yet.

    Parameters
    ----------
    path : Path
    text : str
        What it may hold where it is there.

    Raises
    ------
    ConfigError
        When a file of that name holds something else.
    """
    if not path.exists():
        return True
    if not _holds(path, text):
        raise ConfigError(
            f"expected no file {path}, or the one that would be written; it holds something else, "
            "and nothing is overwritten: move it away"
        )
    return False


def make_way(path: Path, text: str, mark: str) -> None:
    """Put a file that holds something else aside, so that nothing is lost.

    Parameters
    ----------
    path : Path
    text : str
        What is going to be written there.
    mark : str
        What is appended to its name; where a file has that name, ".2" and so on, too.
    """
    if not path.is_file() or _holds(path, text):
        return
    names = itertools.chain([mark], (f"{mark}.{n}" for n in itertools.count(2)))
    asides = (path.with_name(f"{path.name}.{name}") for name in names)
    os.replace(path, next(aside for aside in asides if not aside.exists()))


def replace(path: Path, text: str, mode: int = FILE_MODE) -> None:
    """Replace a file as a whole: readers see the old text or the new one.

    Parameters
    ----------
    path : Path
    text : str
    mode : int
    """
    os.replace(_draft(path, text, mode), path)


def append_line(path: Path, line: str) -> None:
    """Append one line, on the disk when this returns.

    Parameters
    ----------
    path : Path
    line : str
        Without its end.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE_MODE)
    try:
        os.write(descriptor, f"{line}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Return an object of JSON.

    Parameters
    ----------
    path : Path
    what : str
        What an error calls the file.

    Raises
    ------
    ConfigError
        When there is none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"expected {what}; {path}: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"expected {what}; {path} holds no JSON") from None
    if not isinstance(found, dict):
        raise ConfigError(f"expected {what}; {path} holds no object of JSON")
    return found


def as_text(content: Mapping[str, Any]) -> str:
    """Return an object as indented JSON, its keys in the order in which they were given."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def time_text(moment: datetime) -> str:
    """Return a moment as files hold it, to the second, in UTC.

    Examples
    --------
    >>> time_text(datetime(2026, 11, 26, 9, 30, tzinfo=UTC))
    '2026-11-26T09:30:00Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_time(text: str) -> datetime:
    """Return the moment that `time_text` wrote. Raises ValueError for any other text.

    Examples
    --------
    >>> read_time("2026-11-26T09:30:00Z").hour
    9
    """
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Keep two commands from changing a federation at once; the second one waits.

    Parameters
    ----------
    folder : Path
        Of the federation, or of the node.
    """
    import fcntl  # not on Windows, where Flower's SuperLink does not run either

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8", errors="replace") == text


def _draft(path: Path, text: str, mode: int) -> Path:
    """Write a file beside its place, on the disk as a whole; a full disk leaves nothing of it."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    return draft
