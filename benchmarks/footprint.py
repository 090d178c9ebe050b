"""What a device has to hold: the bare install on disk, and a node's processes in memory.

    python -m benchmarks.footprint

Disk: the installed files of signfed's dependencies, without extras, from their own records; they
are those of this environment, whose PyTorch may be a CUDA build. Memory: the proportional share
(PSS) of the processes of one node of a federation on loopback, digits, after the last round and at
most, looked at ten times a second. --python names another environment for the node, as words:

    python -m benchmarks.footprint --python "chroot /srv/debian /env/bin/python"
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
import tempfile
import threading
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import psutil

from benchmarks.common import report
from signfed.app.node.supernode import ITSELF as SUPERNODE
from signfed.app.node.supernode import SUPEREXEC
from tests.loopback import Processes

LOOK = 0.1  # seconds


def needed(root: str = "signfed") -> set[str]:
    """The distributions that a bare install brings, by the metadata of what is installed."""
    found: set[str] = set()
    waiting = [root]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            requires = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # for another system
        found.add(name)
        plain = (line for line in requires if "extra ==" not in line)
        waiting += [re.match(r"[\w.-]+", line)[0] for line in plain]
        waiting += ["cuda-toolkit"] if name == "torch" else []
    return found


def size(name: str) -> int:
    """Bytes of a distribution's files."""
    files = distribution(name).files or []
    paths = {Path(str(file.locate())) for file in files}
    return sum(path.stat().st_size for path in paths if path.is_file())


def disk() -> list[dict[str, Any]]:
    sizes = {name: size(name) for name in needed()}
    largest = sorted(sizes, key=lambda name: -sizes[name])[:6]
    rows = [{"package": name, "MB": sizes[name] / 1e6} for name in largest]
    rest = sum(sizes.values()) - sum(sizes[name] for name in largest)
    rows.append({"package": f"{len(sizes) - len(largest)} others", "MB": rest / 1e6})
    return [*rows, {"package": "all", "MB": sum(sizes.values()) / 1e6}]


def kind_of(process: psutil.Process) -> str:
    command = process.cmdline()
    for mark, kind in (
        (SUPERNODE, "SuperNode"),
        (SUPEREXEC, "SuperExec"),
        ("signfed.app.node.worker", "warm worker"),
    ):
        if mark in command:
            forked = mark == SUPEREXEC and SUPEREXEC in process.parent().cmdline()
            return "process of a message" if forked else kind
    return ""


def memory(rounds: int, python: list[str], more: str) -> list[dict[str, Any]]:
    """Megabytes by kind of process, of one node: after the run, and at most."""
    most: dict[str, float] = {}
    last: dict[str, float] = {}
    over = threading.Event()

    def look(home: str) -> None:
        while not over.wait(LOOK):
            now: dict[str, float] = {}
            for process in psutil.process_iter():
                try:
                    if (kind := kind_of(process)) and process.environ().get("FLWR_HOME") == home:
                        now[kind] = now.get(kind, 0.0) + process.memory_full_info().pss / 1e6
                except (psutil.Error, AttributeError):  # it has ended, or its parent has
                    continue
            for kind, held in now.items():
                most[kind] = max(most.get(kind, 0.0), held)
            most["all"] = max(most.get("all", 0.0), sum(now.values()))
            last.clear()
            last.update(now | {"all": sum(now.values())})

    with tempfile.TemporaryDirectory() as place:
        processes = Processes(Path(place))
        watching = threading.Thread(target=look, args=(f"{place}/node0",))
        try:
            processes.federation(1, supernode=[*python, "-m", SUPERNODE])
            watching.start()
            status = processes.run_to_its_end(
                f"{more} num-rounds={rounds} num-workers=1 num-byzantine=0 attack='none' "
                f"device='cpu' strategy='sign-mv' out-dir='{place}/run'"
            )
            assert status == "finished:completed", status
        finally:
            over.set()
            if watching.ident:
                watching.join()
            processes.end()
    return [{"process": k, "MB after": last.get(k, 0.0), "MB at most": most[k]} for k in most]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=None, help="of the memory")
    parser.add_argument("--python", default=sys.executable, help="of the node, and what starts it")
    given = parser.parse_args()
    own = given.python == sys.executable
    if own:
        report("installed files of a bare install", disk(), None)
    # A bare install has no data set; PyTorch is what counts.
    rows = memory(given.rounds, shlex.split(given.python), "" if own else "task='quadratic'")
    report(f"memory of one node, {given.rounds} rounds", rows, given.out)


if __name__ == "__main__":
    main()
