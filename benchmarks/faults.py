"""Faults on the processes of a real federation, and whether the model is that of what counted.

    python -m benchmarks.faults                      # all, some ten minutes
    python -m benchmarks.faults "node killed" ...    # some

A SuperLink and three SuperNodes with TLS and keys on loopback, each node with class folders of its
own, one of them Byzantine. Each fault strikes a run of its own after its second round. Afterwards
the local engine computes the rounds anew from the rows that counted, by `rounds.jsonl`: the model
has to be the same to the last bit. A full disk needs root (a small tmpfs). A wrong clock is that of
the node's signatures alone (tests/quick_flower).
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common import report
from benchmarks.door import Door
from benchmarks.scene import NODES, PATIENCE, ROUNDS, STRUCK, Scene, small_disk
from signfed.app.federation import device
from signfed.app.federation.files import private_folder
from signfed.app.federation.scripts import read_node_script
from signfed.app.flower import guard
from signfed.app.runs.folder import read_summary
from tests.loopback import free_port
from tests.trial import QUICK, rounds_of, signfed
from tests.waiting import until


def node_killed(s: Scene) -> str:
    s.fed.kill(s.node)
    return f"{s.lost()}; the others go on"


def node_restarted(s: Scene) -> str:
    """At once, as by a power cut: the SuperLink takes the process before for alive."""
    s.fed.kill(s.node)
    s.up()
    return f"{s.lost()}; same key, {s.back()}"


def node_stopped(s: Scene) -> str:
    s.fed.signal(s.node.flower, signal.SIGSTOP)
    lost = s.lost()
    s.fed.signal(s.node.flower, signal.SIGCONT)
    return f"{lost}; continued, {s.back()}"


def through(door: Door, text: str) -> str:
    return re.sub(r"--superlink localhost:\d+", f"--superlink localhost:{door.port}", text)


def cut_off(s: Scene) -> str:
    s.door.shut()
    lost = s.lost()
    s.door.open()
    return f"{lost}; link mended, {s.back()}"


def slowed(s: Scene) -> str:
    s.door.rate = 1000.0
    lines = len(rounds_of(s.out))
    until(lambda: len(rounds_of(s.out)) > lines + 2, "two rounds", PATIENCE)
    slow = rounds_of(s.out)[lines + 1 : lines + 3]
    said = ", ".join(f"{r['received']} rows in {r['seconds']['clients']:.0f} s" for r in slow)
    return f"8 kbit/s: {said}"


def stranger(s: Scene) -> str:
    path = private_folder(s.fed.path / "stranger")
    device.request(path / "stranger.csr", path)
    text = s.node.script.read_text().replace(str(s.node.key), str(path / "node.key"))
    port = read_node_script(text)["--port"]
    (path / "start.sh").write_text(text.replace(f"--port {port}", f"--port {free_port()}"))
    code = s.fed.start(path / "start.sh", path / "log").wait(PATIENCE)
    known = "305" in (path / "log").read_text()
    return f"refused, exit code {code}{' (Flower: 305)' if known else ''}"


def anothers_partition(s: Scene) -> str:
    """It is lost as long as it restarts; what counts is what its own answer is worth."""
    s.restarted(lambda text: text.replace(f"partition-id={STRUCK}", "partition-id=1"))
    line = s.seen("its refusal", lambda r: STRUCK in r["dropped"].get("foreign-worker", ()))
    return (
        f"round {line['round']}: foreign-worker, its rows are another's; {line['received']} count"
    )


def superlink_killed(s: Scene) -> str:
    s.server_process("signfed.app.federation.serve").kill()
    done = len(rounds_of(s.out))
    s.up()
    s.resume()
    s.back()
    return f"after round {done}; restarted, nodes came back, resumed"


def serverapp_killed(s: Scene) -> str:
    s.server_process("flwr-serverapp").kill()
    done = len(rounds_of(s.out))
    s.resume()
    s.back()
    return f"after round {done}; resumed"


def node_disk_full(s: Scene) -> str:
    guard.end(str(s.node.flower), quick=True)
    with small_disk(s.node.flower) as fill:
        fill()
        s.up()
        lost = s.lost()
        (s.node.flower / "ballast").unlink()
        guard.end(str(s.node.flower), quick=True)
        s.up()
        back = s.back()
        s.ended()
        guard.end(str(s.node.flower), quick=True)
    s.up()
    return f"{lost}; freed and restarted, {back}"


def server_disk_full(s: Scene) -> str:
    s.fill()
    until(lambda: "running" not in s.fed.status_of(s.run_id), "the end of the run", PATIENCE)
    (s.out / "ballast").unlink()
    said = read_summary(s.out).get("error", "no summary could be written")
    s.resume()
    s.back()
    return f"ended ({said[:60]}); freed, resumed"


def clock_off(s: Scene) -> str:
    code = s.restarted(variables={"SIGNFED_TEST_AHEAD": "600"}).wait(PATIENCE)
    lost = s.lost()
    s.up()
    return f"ten minutes ahead: exit code {code}, {lost}; clock set, {s.back()}"


def bundles(s: Scene) -> str:
    """A bundle of another device, one that was edited, an older one: none is installed."""
    server, said = s.fed.server, []
    fingerprint = signfed("federation", "list", server.path)["result"]["fingerprint"]
    bundle, other = server.bundle(s.node.path.name), s.place / "other"
    before = bundle.read_text()
    device.request(s.place / "other.csr", other)
    signfed("federation", "rotate", server.path, "--node", s.node.path.name)
    newer = ["--fingerprint", fingerprint, "--home", s.node.path]
    signfed("node", "install", bundle, *newer, "--port", free_port())
    for name, text, home in (
        ("another's", before, other),
        ("edited", before.replace('"partition": 2', '"partition": 1'), s.node.path),
        ("replayed", before, s.node.path),
    ):
        (s.place / "given.bundle").write_text(text)
        given = ["--fingerprint", fingerprint, "--home", home]
        signfed("node", "install", s.place / "given.bundle", *given, code=2)
        said.append(name)
    return f"refused: {', '.join(said)}"


@dataclass(frozen=True)
class Fault:
    """One way in which something goes wrong."""

    strike: Callable[[Scene], str]
    possible: bool = True
    rounds: int = ROUNDS
    small: bool = False  # whether the run folder lies on a small disk
    door: bool = False  # whether the node reaches the server through a door


ROOT = os.geteuid() == 0
FAULTS = {
    "node killed": Fault(node_killed),
    "node restarted, same key": Fault(node_restarted),
    "node stopped and continued": Fault(node_stopped),
    "node cut off": Fault(cut_off, rounds=30, door=True),
    "node slowed": Fault(slowed, door=True),
    "stranger without key": Fault(stranger, rounds=4),
    "node with another's partition": Fault(anothers_partition),
    "bundles another's, edited, replayed": Fault(bundles, rounds=4),
    "SuperLink killed": Fault(superlink_killed, rounds=5),
    "ServerApp killed": Fault(serverapp_killed, rounds=5),
    "disk full on a node": Fault(node_disk_full, ROOT, rounds=60),  # quick ones while it starts
    "disk full on the server": Fault(server_disk_full, ROOT, small=True),
    "clock ten minutes off": Fault(clock_off, rounds=12),
}


def tried(s: Scene, name: str, fault: Fault) -> dict[str, Any]:
    """One run, struck by one fault."""
    started = time.monotonic()
    if not fault.possible:
        return {"fault": name, "what happened": "not tried", "model": "-", "s": 0.0}
    s.up()
    s.rounds = fault.rounds
    if fault.door:
        s.door = Door(s.fed.server.settings.port)
        s.restarted(partial(through, s.door))
    out = s.place / re.sub(r"\W+", "-", name)
    try:
        if fault.small:
            out.mkdir()
        with small_disk(out) if fault.small else nullcontext(s.fill) as s.fill:
            s.begin(out)
            until(lambda: len(rounds_of(out)) >= 2, "two rounds", PATIENCE)
            happened = fault.strike(s)
            model = "the same" if s.ended() else "ANOTHER"
    except (AssertionError, StopIteration) as error:
        happened, model = f"FAILED: {error or type(error).__name__}", "-"
        s.fed.flwr("stop", s.run_id, "signfed")
    print(f"{name}: {happened}; model {model}", flush=True)
    guard.end(str(s.node.flower), quick=True)  # the next fault finds it as it was installed
    return {
        "fault": name, "what happened": happened, "model": model, "s": time.monotonic() - started
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=", ".join(FAULTS))
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    os.environ |= {"FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.1", "PYTHONPATH": str(QUICK)}
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as place:
        scene = Scene(Path(place))
        try:
            rows = [tried(scene, name, FAULTS[name]) for name in given.faults or FAULTS]
        finally:
            signfed("federation", "down", "--dir", scene.fed.path)
    report(f"faults on a federation of {NODES} nodes", rows, given.out)
    raise SystemExit(any(row["model"] not in ("the same", "-") for row in rows))


if __name__ == "__main__":
    main()
