"""Freed memory stays with the process where glibc can be told so."""

import ctypes
import subprocess
import sys

import pytest

from signfed.app.engines import freed_memory

FAULTS = """
import resource, sys
import numpy as np
from signfed.app.engines.freed_memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def work():
    for _ in range(20):
        np.ones(16 << 20, np.float32)  # 64 MiB, 16,384 pages
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def glibc():
    return sys.platform.startswith("linux") and hasattr(ctypes.CDLL(None), "gnu_get_libc_version")


@pytest.mark.skipif(not glibc(), reason="needs glibc")
def test_memory_that_was_freed_is_not_faulted_in_again():
    """Without it, glibc's own threshold moves with what was freed: anything from 0 faults on."""
    command = [sys.executable, "-c", FAULTS, "keep"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 16384  # not even once in twenty times


def test_elsewhere_nothing_is_done(monkeypatch):
    monkeypatch.setattr(freed_memory.sys, "platform", "darwin")
    assert freed_memory.keep_freed_memory() is False


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(freed_memory.sys, "platform", "linux")
    monkeypatch.setattr(freed_memory.ctypes, "CDLL", lambda name: object())
    assert freed_memory.keep_freed_memory() is False


def test_a_threshold_that_is_not_taken_is_told(monkeypatch):
    class Refuses:
        @staticmethod
        def mallopt(name, value):
            return 0

    monkeypatch.setattr(freed_memory.sys, "platform", "linux")
    monkeypatch.setattr(freed_memory.ctypes, "CDLL", lambda name: Refuses)
    assert freed_memory.keep_freed_memory() is False
