"""What the C library does with freed memory."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc's <malloc.h>
NEVER = (1 << 31) - 1


def keep_freed_memory() -> bool:
    """Have glibc keep what is freed, for the next gradient.

    It gives freed blocks of some size back to the system at once, and pages that come anew are
    zeroed one fault at a time, in every round. The process then stays as large as it ever was.

    Returns
    -------
    bool
        False where there is no glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    # Not one block mapped by itself: such a one goes back when it is freed, whatever its size.
    taken = mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, NEVER)
    return taken == (1, 1)
