"""Linux's Landlock: what a process may no longer do to files, for good, without being root."""

from __future__ import annotations

import ctypes
import os
import struct
import sys

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls, on every machine alike
VERSION = 1  # flag: say which version the kernel has
PATH_BENEATH = 1  # kind of rule
WRITE_FILE, TRUNCATE = 1 << 1, 1 << 14
CHANGES = WRITE_FILE | sum(1 << bit for bit in range(4, 13))  # and remove and make, of any kind
TRUNCATES_FROM = 3  # version; before it, files could still be emptied by their name


def write_only_below(folder: str) -> bool:
    """Forbid this process and its children to write, make or remove files, but below a folder.

    Modes, owners and times of files are not held, nor are sockets that lie in a folder.

    Parameters
    ----------
    folder : str

    Returns
    -------
    bool
        Whether it holds; False where the kernel has no Landlock, or one from before Linux 6.2.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None)
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION)
    if version < 1:
        return False
    handled = CHANGES | (TRUNCATE if version >= TRUNCATES_FROM else 0)
    asked = struct.pack("=Q", handled)
    rules = libc.syscall(CREATE_RULESET, asked, ctypes.c_size_t(len(asked)), 0)
    if rules < 0:
        return False
    try:
        may = ((folder, handled), (os.devnull, handled & (WRITE_FILE | TRUNCATE)))
        added = [_allow(libc, rules, path, access) for path, access in may]
        # PR_SET_NO_NEW_PRIVS has to be set.
        held = all(added) and libc.syscall(RESTRICT_SELF, rules, 0) == 0
    finally:
        os.close(rules)
    return held and version >= TRUNCATES_FROM


def _allow(libc: ctypes.CDLL, rules: int, path: str, access: int) -> bool:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", access, place)
        return bool(libc.syscall(ADD_RULE, rules, PATH_BENEATH, rule, 0) == 0)
    finally:
        os.close(place)
