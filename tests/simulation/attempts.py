"""A scenario under way: server processes, one after the other, until the run is over; all checked.

What an app does of its own stands below this: signfed's in `simulate.py`, a public one in
`public.py`.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from signfed.app.errors import ConfigError
from signfed.app.runs import checkpoint, recorder
from signfed.app.runs.folder import ENDED, read_rounds, read_summary
from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.rule import State
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.federation import DivergedError, FederationError
from signfed.strategies.server.optimizer import model_sha256
from tests.simulation.clock import Clock, EndlessError
from tests.simulation.disk import DISK, Disk, Killed
from tests.simulation.expected import Expected
from tests.simulation.files import SimPath
from tests.simulation.outcome import Result, Violation, bare, difference
from tests.simulation.scenario import PUBLIC, Fault, Scenario
from tests.simulation.seams import TIMED, Under

MOST_ATTEMPTS = 20
WEIGHED = 64  # one seed in so many has the memory of each round measured, which takes long

Given = dict[str, Any]  # what a server process is started with


class Attempts(ABC):
    """One scenario under way."""

    model: Expected  # of the attempt
    waits = 2  # times that a round may wait until its timeout

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.result = scenario, Result()
        self.weighed = scenario.seed // PUBLIC % WEIGHED == 0
        self._every = scenario.config.get("checkpoint-every", recorder.EVERY)
        self.clock, self.disk = Clock(), Disk()
        self.path = SimPath("/runs/0")
        self._interrupted = {f.at - 1 for f in scenario.faults if f.kind == "interrupted"}
        # A full disk ends a server in whatever round, and there may be room again for its copy.
        self._fills = any(f.kind == "disk-full" for f in scenario.faults)
        self._done: set[Fault] = set()
        self._promised = 0  # the last round whose checkpoint was written
        self._trace = hashlib.sha256()

    # -- what differs from app to app -------------------------------------------------------------

    @abstractmethod
    def _new_model(self, done: int) -> Expected:
        """The model of the next attempt, which goes on after so many rounds of the last."""

    @abstractmethod
    def _first(self) -> Given:
        """What the first server process on a folder is started with."""

    @abstractmethod
    def _resumed(self) -> Given:
        """What a later one is. Raises ConfigError where the folder does not say enough."""

    @abstractmethod
    def _serve(self, given: Given) -> None:
        """One server process, to its end."""

    def _gave_up(self, error: FederationError) -> None:
        """The server has; so should the model."""
        self.model.gave_up(error)

    # -- the run ----------------------------------------------------------------------------------

    def _due(self, server_round: int) -> bool:
        """Whether a checkpoint is promised after the round."""
        last = server_round == self.scenario.config["num-rounds"]
        return last or bool(self._every and server_round % self._every == 0)

    def _kept(self, server_round: int) -> bool:
        """Whether a later server process may go on from the round."""
        return self._due(server_round) or server_round in self._interrupted or self._fills

    def run(self) -> Result:
        """Start the server, and again after each end that is not the run's; check all."""
        Under.simulation, Under.clock, DISK.now = self, self.clock, self.disk
        for module in TIMED:
            module.time = self.clock  # type: ignore[attr-defined]
        given: Given | None = self._first()
        while given is not None:
            self.result.attempts += 1
            if self.result.attempts > MOST_ATTEMPTS:
                raise Violation("wait", "the run does not come to an end")
            given = self._attempt(given)
            self.result.faults["disk-full"] += bool(self.disk.was_full)
        self.result.trace = self._trace.hexdigest()
        return self.result

    def _attempt(self, given: Given) -> Given | None:
        """One server process. Returns what the next is started with, None when there is none."""
        ending = self._arm()
        self.clock.forget()
        self._phase(self.scenario.config["node-timeout"])
        try:
            self._serve(given)
        except Killed:
            assert ending is not None
            self._count(ending)
            self.disk.restart(
                power_lost=ending.kind == "power-lost", entries=ending.size, share=ending.share
            )
            return self._again()
        except KeyboardInterrupt:
            if read_summary(self.path)["status"] != "interrupted" and not self.disk.was_full:
                raise Violation("record", "interrupted, and the summary does not say so") from None
            if not self.disk.was_full:
                self._promised = max(self._promised, self.model.round - 1)
            return self._again()
        except FederationError as error:
            self._gave_up(error)
            self._ended("diverged" if isinstance(error, DivergedError) else "failed")
        except EndlessError as error:
            raise Violation("wait", str(error)) from error
        except (OSError, ConfigError) as error:
            if not self.disk.was_full:
                raise Violation("resume", f"{type(error).__name__}: {error}") from error
            return self._again()
        else:
            self._ended("finished")
        return None

    def _arm(self) -> Fault | None:
        """Have the disk do what the next fault of it says."""
        self.disk.operations, self.disk.was_full = 0, 0
        self.disk.process += 1
        self.disk.full, self.disk.kill = range(0), None
        ending = None
        for fault in self.scenario.faults:
            if fault in self._done:
                continue
            if fault.kind == "disk-full":
                self.disk.full = range(fault.at, fault.at + 1 + int(fault.size * 20))
                self.disk.room = int(fault.share * 40)
                self._done.add(fault)
                continue
            if fault.kind in ("killed", "power-lost") and ending is None:
                ending = fault
                self.disk.kill = (fault.at, int(fault.share * 400))
        return ending

    def _count(self, fault: Fault) -> None:
        self._done.add(fault)
        self.result.faults[fault.kind] += 1

    def _phase(self, patience: float) -> None:
        self.clock.phase(patience + self.waits * self.scenario.config["round-timeout"])

    def received(self, updates: Updates | None, dropped: dict[DropReason, list[int]]) -> None:
        self.model.received(updates, dropped)

    def after_round(self, record: dict[str, Any], state: State) -> None:
        line = bare(record)
        self.model.close(line, state)
        self.result.rounds += 1
        self._trace.update(line.encode())
        self._phase(0.0)

    def saved(self, server_round: int) -> None:
        """A round's files are written: is the checkpoint what the model is?"""
        if self._due(server_round):
            self._promised = server_round
            self._whole(server_round)

    def _whole(self, server_round: int) -> None:
        place = self.path / "checkpoints" / f"round-{server_round:06d}"
        try:
            found = checkpoint.read(place)  # type: ignore[arg-type]
        except checkpoint.CheckpointError as error:
            raise Violation("resume", str(error)) from error
        snapshot = self.model.history.get(server_round)
        if found.server_round != server_round or snapshot is None:
            raise Violation("resume", f"{place} is of round {found.server_round}")
        if differ := difference(found.state, snapshot.state):
            raise Violation("resume", f"{place}: {differ}")

    def _again(self) -> Given | None:
        """What a user does next: resume; or, where nothing was kept, start anew elsewhere."""
        places = checkpoint.list_checkpoints(self.path)  # type: ignore[arg-type]
        done = int(places[-1].name.removeprefix("round-")) if places else 0
        if done < self._promised:
            raise Violation("resume", f"checkpoint of round {self._promised} is gone, has {done}")
        self._parses(self.path / "summary.json")
        if done:  # before it, a config that is cut off says that the run never began
            self._parses(self.path / "config.json")
        if done:
            self._whole(done)
            kept = [bare(line) for line in read_rounds(self.path) if line["round"] <= done]  # type: ignore[arg-type]
            if kept != self.model.lines[:done]:
                raise Violation("resume", f"rounds.jsonl lacks lines of {done} rounds: {kept}")
        ended = read_summary(self.path).get("status") in ENDED  # type: ignore[arg-type]
        if done == self.scenario.config["num-rounds"] and ended:
            self._ended("finished")
            return None
        try:
            given = self._resumed()
        except ConfigError as error:
            if done:
                raise Violation("resume", str(error)) from error
            self.path = SimPath(f"/runs/{self.result.attempts}")
            given = self._first()
        self.model = self._new_model(done)
        return given

    def _parses(self, file: SimPath) -> None:
        if file.exists():
            try:
                json.loads(file.read_text())
            except ValueError as error:
                raise Violation("resume", f"{file}: {error}") from error

    def _ended(self, status: str) -> None:
        """The run is over: is what its folder says true?"""
        summary = read_summary(self.path)  # type: ignore[arg-type]
        parameters = self.model.training.parameters.numpy()
        if status == "finished" and not np.isfinite(parameters).all():
            status = "diverged"
        lines = [bare(line) for line in read_rounds(self.path)]  # type: ignore[arg-type]
        said = summary.get("status"), summary.get("rounds")
        whole = status != "finished" or len(lines) == self.scenario.config["num-rounds"]
        right = whole and said == (status, len(lines)) and lines == self.model.lines
        if not self.disk.was_full and not right:
            raise Violation("record", f"{summary}; it should be {status}, {self.model.lines}")
        named = summary.get("model_sha256", "" if status == "finished" else None)
        if named not in (None, model_sha256(parameters)) and not self.disk.was_full:
            raise Violation("record", f"the summary names another model: {named}")
        self._trace.update(model_sha256(parameters).encode())
        self.result.end = status
