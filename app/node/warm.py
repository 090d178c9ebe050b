"""The process of one message: it hands the message to the node's warm worker.

Flower starts a process for each message, and importing PyTorch takes longer than most rounds do.
The worker (`worker.py`) is started by the first message's process and keeps PyTorch, model and data
for the next. Its socket lies in a folder that only its user can enter, so whoever reaches it could
as well be the node. Whatever goes wrong with it, this process answers the message itself.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flwr.app import Context, Message

from signfed.app.node.frames import SPARE, read_reply, send_request

OFF = "warm-worker"  # in the node config: false has every message answered by its own process
INSTALLS = "--allow-runtime-dependency-installation"  # what Flower removes after each message

log = logging.getLogger("signfed")


def answer(message: Message, context: Context) -> Message | None:
    """Have the warm worker answer a message; None where this process has to.

    Parameters
    ----------
    message : Message
        What the server asks.
    context : Context
        The node's; its state becomes that after the answer.

    Returns
    -------
    Message or None
        The worker's answer, with metadata as if it were made here.

    Raises
    ------
    TimeoutError
        When the worker has no answer within the message's time to live.
    """
    if not (is_message_process() and context.node_config.get(OFF, True)):
        return None
    try:
        with connected(folder(), name(context)) as connection:
            connection.settimeout(message.metadata.ttl + SPARE)
            with connection.makefile("rwb") as stream:
                send_request(stream, message, context)
                reply, state = read_reply(stream, message)
    except TimeoutError:
        _forget(context)
        raise TimeoutError(
            f"the node's worker expected to answer within {message.metadata.ttl:.0f} s, the "
            "message's time to live; it did not, and the next message starts another"
        ) from None
    except (OSError, EOFError) as error:
        log.warning("warm worker: %s: %s; answered without it", type(error).__name__, error)
        return None
    context.state = state
    return reply


def is_message_process() -> bool:
    """Tell whether Flower started this process for one message, to be imported anew for the next.

    Not so in a simulation, whose processes stay. Where Flower installs an app's dependencies for
    one message, nothing can stay warm.
    """
    started_for_one = Path(sys.argv[0]).stem == "flwr-clientapp" and INSTALLS not in sys.argv
    return started_for_one and hasattr(socket, "AF_UNIX")


def name(context: Context) -> str:
    """Return the name of the node's worker for a run: "<the node>-<the run>".

    Of the node that this process was started for, by its SuperExec, and of its run, since another
    run may bring other code.

    Parameters
    ----------
    context : Context
        Of the node.
    """
    node = f"{os.getppid()} {context.node_id}"
    return f"{_short(node)}-{_short(str(context.run_id))}"


def folder() -> Path:
    """Return the folder of the sockets, which nobody but this user can enter.

    Raises
    ------
    PermissionError
        When it is another's, or open to others.
    """
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    path = Path(base) / f"signfed-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    private = stat.S_ISDIR(found.st_mode) and not stat.S_IMODE(found.st_mode) & 0o077
    if not private or found.st_uid != os.getuid():
        raise PermissionError(
            f"{path}: expected a folder of this user, closed to others (mode 700); found "
            f"{stat.filemode(found.st_mode)} of user {found.st_uid}; remove it"
        )
    return path


@contextmanager
def connected(place: Path, worker: str) -> Iterator[socket.socket]:
    """Connect to the worker of that name, which is started where there is none.

    Parameters
    ----------
    place : Path
        Folder of the sockets.
    worker : str
        As `name` returns it. Another run's worker of the same node ends.

    Yields
    ------
    socket
    """
    import fcntl  # Windows has neither this nor sockets in a folder

    path = place / worker
    with socket.socket(socket.AF_UNIX) as connection:
        with (place / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two processes would start two workers
            try:
                connection.connect(str(path))
            except (FileNotFoundError, ConnectionRefusedError):
                _clear(place, worker.partition("-")[0])
                _start(path)
                connection.connect(str(path))
        yield connection


def _start(path: Path) -> None:
    """Start a worker. It inherits a socket that listens: nobody has to wait for it to begin."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        command = [sys.executable, "-P", "-m", "signfed.app.node.worker"]
        subprocess.Popen(
            [*command, str(listening.fileno()), str(path), str(os.getppid())],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
            pass_fds=(listening.fileno(),),
        )


def _clear(place: Path, node: str) -> None:
    """Remove the sockets of this node, whose workers then end, and those that nobody listens at."""
    for path in place.glob("*-*"):
        if path.name.startswith(f"{node}-") or not _listened_at(path):
            path.unlink(missing_ok=True)


def _listened_at(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return not probe.connect_ex(str(path))


def _forget(context: Context) -> None:
    """A worker whose socket is gone ends; one that is stopped does so when it goes on."""
    (folder() / name(context)).unlink(missing_ok=True)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
