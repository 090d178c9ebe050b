"""A federation of real processes that faults strike, and a run on it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from benchmarks.door import Door
from signfed.app.federation.device import NodeHome
from signfed.app.flower import guard
from signfed.app.runs.folder import read_summary
from tests.own_folders import SCHEMA, write_federation
from tests.replay import replayed
from tests.trial import Federation, rounds_of, signfed
from tests.waiting import until

NODES, ROUNDS, STRUCK = 3, 8, 2  # STRUCK: the node that faults strike; 0 is Byzantine
PATIENCE = 400.0
Round = Mapping[str, Any]


class Scene:
    """A federation that is up, and a run on it."""

    def __init__(self, place: Path) -> None:
        self.data = write_federation(place / "data")
        self.fed = Federation(place / "trial")
        self.place, self.out, self.run_id = place, place / "run", ""
        self.door: Door | None = None  # between the node and the server, if there is one
        self.rounds = ROUNDS
        self.fill: Callable[[], None] = lambda: None  # fills the disk of the run, if it is small

    @property
    def node(self) -> NodeHome:
        """The node that is struck."""
        return self.fed.nodes()[STRUCK]

    def up(self) -> None:
        """Start what does not run."""
        signfed("federation", "up", NODES, "--dir", self.fed.path, "--data-dir", self.data)

    def begin(self, out: Path, **changes: Any) -> None:
        """Start a run, or go on with one."""
        self.out = out
        given = SCHEMA | {
            "strategy": "sign-fd", "attack": "sign-inversion", "num-workers": NODES,
            "num-byzantine": 1, "num-rounds": self.rounds, "batch-size": 4, "lr": 0.01,
            "device": "cpu",
            "data-dir": str(self.data), "out-dir": str(out), "checkpoint-every": 1,
            "node-timeout": 200.0, "round-timeout": 30.0, "quorum": 0.3,
        }  # fmt: skip
        self.run_id = self.fed.submit(given | {k.replace("_", "-"): v for k, v in changes.items()})

    def resume(self) -> None:
        """The one command after a run that broke off."""
        until(lambda: "running" not in self.fed.status_of(self.run_id), "its end", PATIENCE)
        self.begin(self.out, out_dir="", resume=str(self.out))

    def seen(self, what: str, holds: Callable[[Round], bool]) -> Round:
        """The first round from now on of which it holds, before the run ends."""
        after = len(rounds_of(self.out))

        def found() -> Round | None:
            lines = rounds_of(self.out)
            done = len(lines) == self.rounds or read_summary(self.out).get("status") == "failed"
            hits = [line for line in lines[after:] if holds(line)]
            assert hits or not done, f"the run ended without {what}"
            return hits[0] if hits else None

        return until(found, what, PATIENCE)  # type: ignore[return-value]

    def lost(self) -> str:
        """Wait for a round without the node's row; why."""
        line = self.seen(
            "a lost row", lambda r: any(STRUCK in ids for ids in r["dropped"].values())
        )
        reason = next(reason for reason, ids in line["dropped"].items() if STRUCK in ids)
        return f"round {line['round']}: {reason}"

    def back(self) -> str:
        """Wait for a round with it."""
        whole = self.seen("the node's return", lambda r: r["received"] == NODES)
        return f"back in round {whole['round']}"

    def ended(self) -> bool:
        """Wait for the end; whether the model is that of the rows that counted."""
        until(lambda: read_summary(self.out).get("status") == "finished", "the end", PATIENCE)
        return bool(read_summary(self.out)["model_sha256"] == replayed(self.out))

    def server_process(self, mark: str) -> psutil.Process:
        """The one process of the server with this in its command line."""
        processes = guard.of_home(str(self.fed.server.superlink_home))
        return next(p for p in processes if any(mark in part for part in p.cmdline()))

    def restarted(self, edit: Callable[[str], str] = str, variables: Any = ()) -> subprocess.Popen:  # type: ignore[type-arg]
        """The node's start script, edited, in place of the node that runs."""
        guard.end(str(self.node.flower), quick=True)
        script = self.node.path / "edited.sh"
        script.write_text(edit(self.node.script.read_text()))
        with self.environment(dict(variables)):
            return self.fed.start(script, self.fed.path / "edited.log")

    @staticmethod
    @contextmanager
    def environment(variables: Mapping[str, str]) -> Iterator[None]:
        """More variables, for what is started meanwhile."""
        before = dict(os.environ)
        os.environ.update(variables)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


@contextmanager
def small_disk(place: Path) -> Iterator[Callable[[], None]]:
    """A tmpfs; yields what fills it. Whoever uses it removes the file `ballast`."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m,mode=700", "tmpfs", place], check=True)
    try:

        def fill() -> None:
            with suppress(OSError), (place / "ballast").open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(1024))

        yield fill
    finally:
        subprocess.run(["umount", "-l", place], check=True)
