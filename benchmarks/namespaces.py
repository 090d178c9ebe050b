"""Machines that are network namespaces, each behind a slow link of its own to the first.

A link is a pair of tun devices. The kernel limits the rate of each end (`tc`, a token bucket); a
thread of this process carries the packets across, each after the link's delay, since not every
kernel has tc's own (netem). Needs root. Names and addresses are those of the namespaces made here,
which are removed at the end, with whatever runs in them.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import select
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

CLONE_NEWNET, TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x40000000, 0x400454CA, 1, 0x1000
PACKET = 65_536
SERVER = "10.203.0.1"  # of the first machine, reached over every link


class Delay(threading.Thread):
    """Carry packets between the two ends of links, each packet some seconds later."""

    def __init__(self, seconds: float) -> None:
        super().__init__(daemon=True)
        self._seconds, self._other = seconds, dict[int, int]()
        self._over, self._wake = os.pipe()
        self._waiting: list[tuple[float, int, int, bytes]] = []

    def join_ends(self, one: int, other: int) -> None:
        """Connect two file descriptors of tun devices. Before the thread starts."""
        self._other |= {one: other, other: one}

    def run(self) -> None:
        number = 0
        while True:
            now = time.monotonic()
            while self._waiting and self._waiting[0][0] <= now:
                _, _, end, packet = heapq.heappop(self._waiting)
                with suppress(OSError):
                    os.write(end, packet)
            pause = self._waiting[0][0] - now if self._waiting else None
            ready, _, _ = select.select([*self._other, self._over], [], [], pause)
            if self._over in ready:
                return
            for end in ready:
                number += 1
                due = time.monotonic() + self._seconds
                packet = os.read(end, PACKET)
                heapq.heappush(self._waiting, (due, number, self._other[end], packet))

    def stop(self) -> None:
        """End the thread; closes the ends."""
        os.write(self._wake, b"x")
        self.join()
        for end in [*self._other, self._over, self._wake]:
            os.close(end)


class Machines:
    """A server and devices, each in a network namespace.

    Parameters
    ----------
    devices : int
    up, down : str
        Rates of a device's link, as tc writes them: "1mbit"; "" for no limit.
    delay : float
        Seconds that a packet takes, each way.

    Examples
    --------
    with Machines(3, "1mbit", "4mbit", 0.05) as machines:
        machines.run("device-0", ["ping", "-c1", SERVER])
    """

    def __init__(self, devices: int, up: str = "", down: str = "", delay: float = 0.0) -> None:
        self.names = ["server", *(f"device-{i}" for i in range(devices))]
        self._up, self._down, self._delay = up, down, Delay(delay)
        self._prefix = f"signfed-{os.getpid()}-"

    def __enter__(self) -> Machines:
        try:
            for name in self.names:
                _do("ip", "netns", "add", self._prefix + name)
                self.run(name, ["ip", "link", "set", "lo", "up"])
            self.run("server", ["ip", "address", "add", f"{SERVER}/32", "dev", "lo"])
            for number, name in enumerate(self.names[1:], 1):
                self._connect(number, name)
            self._delay.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._delay.is_alive():
            self._delay.stop()
        for name in self.names:
            found = subprocess.run(
                ["ip", "netns", "pids", self._prefix + name], capture_output=True, text=True
            )
            for pid in found.stdout.split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", self._prefix + name], capture_output=True)

    def command(self, name: str, command: Sequence[str]) -> list[str]:
        """Return the command that has another one done on a machine."""
        return ["ip", "netns", "exec", self._prefix + name, *command]

    def run(self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> str:
        """Have a command done, and return what it says."""
        done = subprocess.run(
            self.command(name, command), capture_output=True, text=True, env=env, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{name}: {' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def _connect(self, number: int, name: str) -> None:
        ends = []
        for place, device, own, peer, rate in (
            ("server", f"link{number}", f"10.203.{number}.1", f"10.203.{number}.2", self._down),
            (name, "uplink", f"10.203.{number}.2", f"10.203.{number}.1", self._up),
        ):
            ends.append(self._tun(place, device))
            self.run(place, ["ip", "address", "add", own, "peer", peer, "dev", device])
            self.run(place, ["ip", "link", "set", device, "up"])
            if rate:
                bucket = ["tbf", "rate", rate, "burst", "16kb", "latency", "1s"]
                self.run(place, ["tc", "qdisc", "add", "dev", device, "root", *bucket])
        self.run(name, ["ip", "route", "add", SERVER, "dev", "uplink"])
        self._delay.join_ends(*ends)

    def _tun(self, place: str, device: str) -> int:
        """A tun device in a namespace. A thread enters it, and no other one of this process."""
        found: list[int] = []

        def make() -> None:
            libc = ctypes.CDLL(None, use_errno=True)
            with Path(f"/run/netns/{self._prefix}{place}").open() as namespace:
                if libc.setns(namespace.fileno(), CLONE_NEWNET):
                    return
            end = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
            fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH", device.encode(), IFF_TUN | IFF_NO_PI))
            found.append(end)

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if not found:
            raise RuntimeError(f"{place}: no tun device; this needs root")
        return found[0]


def _do(*command: str) -> None:
    subprocess.run(command, check=True)
