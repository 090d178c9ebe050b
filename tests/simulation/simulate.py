"""Run one scenario: the real server over a simulated network, clock and disk, to its end."""

from __future__ import annotations

import hashlib
import json
import logging
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np
from flwr.app import Message

from signfed.app import server_app
from signfed.app.config.run_config import RunConfig, parse
from signfed.app.engines import prepare, run
from signfed.app.errors import ConfigError
from signfed.app.runs import checkpoint, claim, folder, json_files, resuming, saving
from signfed.app.runs.folder import model_sha256, read_rounds, read_summary
from signfed.app.runs.saving import Saver
from signfed.app.task import Problem, find_task
from signfed.app.task.quadratic import Quadratic
from signfed.strategies.core.rule import State
from signfed.strategies.core.updates import Updates
from signfed.strategies.server import strategy
from signfed.strategies.server.federation import FederationError
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.transport import exchange, reception
from signfed.strategies.server.transport.link import Link
from tests.simulation.clock import Clock, EndlessError
from tests.simulation.disk import DISK, Disk, Killed, Os, Shutil, SimPath
from tests.simulation.model import Model, Violation, bare, difference
from tests.simulation.network import Network
from tests.simulation.scenario import DISK as ENDINGS
from tests.simulation.scenario import Fault, Scenario

DIMENSIONS = 19  # the last byte of a row of signs has padding
MOST_ATTEMPTS = 20
WEIGHED = 64  # every so many seeds the memory of each round is measured, which takes long
BOUND = 1 << 20  # bytes of one round's checks; docs/hostile.md


@dataclass
class Result:
    """What came of a scenario. trace: SHA-256 of all records and of the model."""

    rounds: int = 0
    attempts: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    end: str = ""
    trace: str = ""


class _Under:
    """The run under way, for the parts of the server that are watched."""

    simulation: Simulation


class WatchedLink(Link):
    """Shows the model what a round has received, and what the server holds then."""

    def open(
        self, server_round: int, incoming: Iterable[Message]
    ) -> tuple[Updates | None, RoundRecord]:
        weighed = _Under.simulation.weighed
        if weighed:
            tracemalloc.start()
        try:
            updates, record = super().open(server_round, incoming)
            peak = tracemalloc.get_traced_memory()[1] if weighed else 0
        finally:
            if weighed:
                tracemalloc.stop()
        _Under.simulation.model.received(updates, record.dropped)
        self._weigh(peak)
        return updates, record

    def _weigh(self, peak: int) -> None:
        kept = sum(step.nbytes for step in self._downlink._steps)
        room = self._downlink._model_bytes()
        waiting = len(self._overdue)
        if peak > BOUND or kept > room or waiting > 2 * len(self.asked):
            raise Violation(
                "memory",
                f"{peak} bytes in a round, {kept} of steps where a model has {room}, "
                f"{waiting} requests kept of {len(self.asked)}",
            )


class WatchedSaver(Saver):
    """Shows the model each record and state, before and after they are written."""

    def after_round(
        self, record: Mapping[str, Any], state: Callable[[], State], *, last: bool = False
    ) -> None:
        _Under.simulation.after_round(dict(record), state())
        super().after_round(record, state, last=last)
        _Under.simulation.saved(record["round"])


class Simulation:
    """One scenario under way."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.result = scenario, Result()
        self.weighed = scenario.seed % WEIGHED == 0
        self.clock, self.disk = Clock(), Disk()
        self.config: RunConfig = parse(scenario.config)
        self.problem: Problem = find_task("quadratic").problem(self.config.workload)
        self.path = SimPath("/runs/0")
        ends = any(f.kind in (*ENDINGS, "interrupted") for f in scenario.faults)
        self.model = Model(self.config, self.problem, scenario.nodes, copies=ends)
        self._done: set[Fault] = set()
        self._promised = 0  # the last round whose checkpoint was written
        self._trace = hashlib.sha256()

    def run(self) -> Result:
        """Start the server, and again after each end that is not the run's; check all."""
        _Under.simulation, DISK.now = self, self.disk
        for module in (exchange, reception, saving, folder, claim):
            module.time = self.clock  # type: ignore[attr-defined]
        given = self.scenario.config | {"out-dir": str(self.path)}
        while given is not None:
            self.result.attempts += 1
            if self.result.attempts > MOST_ATTEMPTS:
                raise Violation("wait", "the run does not come to an end")
            given = self._attempt(given)
        self.result.trace = self._trace.hexdigest()
        return self.result

    def _attempt(self, given: dict[str, Any]) -> dict[str, Any] | None:
        """One server process. Returns the run config of the next, None when there is none."""
        ending = self._arm()
        self.clock.forget()
        self._phase(self.scenario.config["node-timeout"])
        network = Network(
            self.scenario, self.clock, self.model, given, self._done, self.result.faults
        )
        try:
            server_app.run(network, given)
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
            self.model.gave_up(error)
            self._ended("failed", type(error).__name__)
        except EndlessError as error:
            raise Violation("wait", str(error)) from error
        except (OSError, ConfigError) as error:
            if not self.disk.was_full:
                raise Violation("resume", f"{type(error).__name__}: {error}") from error
            return self._again()
        else:
            self._ended("finished", "")
        return None

    def _arm(self) -> Fault | None:
        """Have the disk do what the next fault of it says."""
        self.disk.operations, self.disk.was_full = 0, 0
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
        self.clock.phase(patience + 2 * self.scenario.config["round-timeout"])

    def after_round(self, record: dict[str, Any], state: State) -> None:
        self.model.close(record, state)
        self.result.rounds += 1
        self._trace.update(json.dumps(bare(record), sort_keys=True).encode())
        self._phase(0.0)

    def saved(self, server_round: int) -> None:
        """A round's files are written: is the checkpoint what the model is?"""
        every, last = self.config.checkpoint_every, self.config.num_rounds
        if server_round == last or (every and server_round % every == 0):
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

    def _again(self) -> dict[str, Any] | None:
        """What a user does next: resume; or, where nothing was kept, start anew elsewhere."""
        if self.disk.was_full:
            self.result.faults["disk-full"] += 1
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
            if kept != [line for line in self.model.lines if line["round"] <= done]:
                raise Violation("resume", f"rounds.jsonl lacks lines of {done} rounds: {kept}")
        if done == self.config.num_rounds:
            self.result.end = "all rounds done"
            return None
        try:
            given = resuming.earlier(self.path)  # type: ignore[arg-type]
        except ConfigError as error:
            if done:
                raise Violation("resume", str(error)) from error
            self.path = SimPath(f"/runs/{self.result.attempts}")
            self.model = Model(self.config, self.problem, self.scenario.nodes)
            return self.scenario.config | {"out-dir": str(self.path)}
        self.model = Model(self.config, self.problem, self.scenario.nodes, self.model, done)
        return given | {"resume": str(self.path)}

    def _parses(self, file: SimPath) -> None:
        if file.exists():
            try:
                json.loads(file.read_text())
            except ValueError as error:
                raise Violation("resume", f"{file}: {error}") from error

    def _ended(self, status: str, error: str) -> None:
        """The run is over: is what its folder says true?"""
        summary = read_summary(self.path)  # type: ignore[arg-type]
        parameters = self.model.training.parameters.numpy()
        if status == "finished" and not np.isfinite(parameters).all():
            status = "diverged"
        if error == "DivergedError":
            status = "diverged"
        lines = [bare(line) for line in read_rounds(self.path)]  # type: ignore[arg-type]
        said = summary.get("status"), summary.get("rounds")
        if not self.disk.was_full and (said != (status, len(lines)) or lines != self.model.lines):
            raise Violation("record", f"{summary}; it should be {status}, {self.model.lines}")
        if "model_sha256" in summary and summary["model_sha256"] != model_sha256(parameters):
            raise Violation("record", "the summary names another model")
        self._trace.update(model_sha256(parameters).encode())
        if self.disk.was_full:
            self.result.faults["disk-full"] += 1
        self.result.end = status


@contextmanager
def simulated() -> Iterator[None]:
    """Within the block the server's clock, disk and paths are simulated ones."""
    patches = [
        patch.object(Quadratic, "dimensions", DIMENSIONS),
        patch.object(strategy, "Link", WatchedLink),
        patch.object(run, "Saver", WatchedSaver),
        patch.object(checkpoint, "shutil", Shutil),
        patch.object(claim, "_locked", lambda folder: True),
        *(patch.object(module, "Path", SimPath) for module in (prepare, resuming)),
        *(patch.object(m, "os", Os) for m in (checkpoint, claim, folder, json_files)),
        *(patch.object(m, "time", m.time) for m in (exchange, reception, saving, folder, claim)),  # type: ignore[attr-defined]
    ]
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with ExitStack() as stack:
            for each in patches:
                stack.enter_context(each)
            yield
    finally:
        logging.disable(disabled)


def simulate(scenario: Scenario) -> Result:
    """Run a scenario, within `simulated()`. Raises Violation, or whatever the server raises."""
    return Simulation(scenario).run()
