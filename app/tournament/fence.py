"""What a process gives up before it runs a submission: time, memory, files, network, neighbours.

A fence against accidents and against cheating in the match, not a sandbox: a submission can read
every file that the referee may read and, where Landlock is missing, change and delete it. For
strangers' code use a container besides.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass

import psutil

from signfed.app.tournament.landlock import write_only_below

CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWPID = 0x10000000, 0x40000000, 0x20000000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What a submission may take in one match.

    Attributes
    ----------
    seconds : float
        That the referee waits for all its answers together. It has twice as many of CPU time.
    megabytes : int
        Of memory, beyond what signfed and PyTorch take.
    file_megabytes : int
        Longest file that it can write.
    files : int
        That it can have open.
    """

    seconds: float = 20.0
    megabytes: int = 1024
    file_megabytes: int = 1
    files: int = 64


def close_in(limits: Limits, scratch: str) -> dict[str, bool]:
    """Fence this process in, for good; in Linux the caller goes on in a child of it.

    Parameters
    ----------
    limits : Limits
    scratch : str
        Folder to work in.

    Returns
    -------
    dict
        Name of a fence -> whether it stands.
    """
    os.chdir(scratch)
    root, apart, undumpable, files = os.getuid() == 0, False, False, False
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # when the tournament ends, however
        apart = libc.unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID) == 0
        if apart:
            _go_on_in_a_child(libc)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        # Its memory cannot be opened by another process of the same user.
        undumpable = libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0
        files = write_only_below(scratch)
    stands = {
        "network": apart,
        "neighbours": apart and undumpable,
        "files": files,
        "memory": _limit(resource.RLIMIT_AS, _mapped() + limits.megabytes * MEGABYTE),
        # Nobody limits root; there the referee looks for new processes while it waits.
        "processes": _limit(resource.RLIMIT_NPROC, 1) and not root,
    }
    _limit(resource.RLIMIT_FSIZE, limits.file_megabytes * MEGABYTE)
    _limit(resource.RLIMIT_NOFILE, limits.files)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, int(2 * limits.seconds) + 2)
    return stands


def _mapped() -> int:
    """Bytes of address space in use."""
    if sys.platform == "linux":  # by no number of the process: it has another one outside
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    return int(psutil.Process().memory_info().vms)


def _go_on_in_a_child(libc: ctypes.CDLL) -> None:
    """Fork: the new process is the first of its namespace, and all there end with it."""
    child = os.fork()
    if not child:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        return
    for descriptor in range(3, 256):  # so that the referee sees the child's end
        with suppress(OSError):
            os.close(descriptor)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:  # end alike
        with suppress(OSError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code & 0xFF)


def _limit(what: int, most: int) -> bool:
    try:
        resource.setrlimit(what, (most, most))
    except (ValueError, OSError):
        return False
    return True
