"""One whole run, whatever the engine: a prepared run -> rounds -> run folder."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from signfed.app.config.keys import defaults
from signfed.app.config.knowledge import built
from signfed.app.config.run_config import RunConfig
from signfed.app.engines.claims import is_evaluated
from signfed.app.engines.prepare import Prepared
from signfed.app.runs.folder import RunFolder, read_rounds, read_summary
from signfed.app.runs.resuming import no_round_left
from signfed.app.runs.saving import Saver
from signfed.app.runs.scoring import Scorer
from signfed.app.runs.stopping import Stopping
from signfed.app.runs.summary import claimed_accuracy, score
from signfed.app.runs.versions import versions
from signfed.app.task import Problem
from signfed.attacks import Attack, Trigger
from signfed.strategies.core.options import Value
from signfed.strategies.core.rule import State
from signfed.strategies.server.loop import OnRound, gone
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.strategy import RobustStrategy
from signfed.strategies.server.training import Observe

log = logging.getLogger("signfed")


@dataclass(frozen=True, eq=False)
class Run:
    """What an engine gets.

    Attributes
    ----------
    config : RunConfig
    strategy : RobustStrategy
    problem : Problem
    observe : callable or None
        Scores a usable round; None when nobody is Byzantine.
    on_round : callable
        Takes the record of each round, and a function that returns the engine's state after it;
        True ends the run.
    resume : tuple of int and dict, optional
        A round and such a state, to go on from; the engine empties it once it is under way.
    attack : Attack, optional
        What the Byzantine workers do, in the local engine; by default what the config names.
    saves : callable, optional
        Number of a round -> whether its state is wanted for certain.
    note : callable
        Takes what the engine found out before round 1, for `config.json`.
    """

    config: RunConfig
    strategy: RobustStrategy
    problem: Problem
    observe: Observe | None
    on_round: OnRound
    resume: tuple[int, State] | None = None
    attack: Attack | None = None
    saves: Callable[[int], bool] = lambda server_round: False
    note: Callable[..., None] = lambda **facts: None

    def evaluate(self, server_round: int, parameters: Tensor) -> dict[str, float] | None:
        """Say what the model is worth, in the rounds that are evaluated; None in the others.

        Parameters
        ----------
        server_round : int
            Number of the round.
        parameters : Tensor, float32 [N]
            The model after it.
        """
        if not self.evaluates(server_round):
            return None
        return self.problem.evaluate(parameters, self._trigger)

    def evaluates(self, server_round: int) -> bool:
        """Tell whether a round is evaluated: every so many, and the last."""
        return is_evaluated(self.config, server_round)

    @cached_property
    def _trigger(self) -> Trigger | None:
        return built(self.config.attack).trigger


# Runs all rounds; returns the final parameters, float32 [N].
Engine = Callable[[Run], np.ndarray]


def execute(
    prepared: Prepared,
    engine: Engine,
    *,
    on_start: Callable[[Callable[[], None]], None] = lambda interrupt: None,
    on_round: Callable[[dict[str, Any]], None] = lambda record: None,
) -> Path:
    """Carry out a run.

    Parameters
    ----------
    prepared : Prepared
        What `prepare` returned. It serves one run: its rule keeps state.
    engine : callable
        `local_engine`, or one that sends messages.
    on_start : callable, optional
        Gets, before round 1, a function that ends the run's files from any thread.
    on_round : callable, optional
        Gets each line of `rounds.jsonl` after it was written. A KeyboardInterrupt that it raises
        ends the run exactly there.

    Returns
    -------
    Path
        The run folder.

    Raises
    ------
    Exception
        Whatever the engine raises: FederationError when the nodes fail the run. The folder's
        summary then says so.
    """
    config, problem = prepared.config, prepared.problem
    described, last = describe(config, prepared.given), prepared.resume
    folder = RunFolder(
        prepared.path, described, len(problem.initial()),
        done=prepared.done if config.resume else None, seconds=last.seconds if last else 0.0,
    )  # fmt: skip
    log.info("run folder: %s", folder.path)
    if config.resume:
        log.info("goes on after round %d", prepared.done)
    saver = Saver(folder, described["config"], config.checkpoint_every, config.num_rounds)
    on_start(saver.interrupt)
    prepared.strategy.summary()

    stopping = Stopping(config.stop_when, read_rounds(folder.path))

    def write(record: RoundRecord, state: Callable[[], State]) -> bool:
        line = record.to_json()
        ends = stopping.after(line)
        saver.after_round(line, state, last=ends)
        if record.test_loss is not None or claimed_accuracy(line) is not None:
            log.info(
                "round %d/%d: %s, %d updates received, dropped: %s",
                record.round, config.num_rounds, score(line), record.received, record.losses,
            )  # fmt: skip
        try:
            on_round(line)
        except KeyboardInterrupt:
            if state is not gone:
                saver.keep(record.round, state)
            raise
        return ends

    observe = Scorer(config.byzantine_ids) if config.byzantine_ids else None
    start = (last.server_round, last.state) if last else None
    try:
        given = Run(
            config,
            prepared.strategy,
            problem,
            observe,
            write,
            start,
            saves=saver.is_due,
            note=folder.note,
        )
        if last and (stopping.reason or no_round_left(config, last)):  # but for its summary
            parameters = last.state["parameters"].numpy()
        else:
            parameters = engine(given)
    except BaseException as error:
        saver.end(None, error)
        raise
    early = {"stopped_round": stopping.round, "stopped_because": stopping.reason}
    saver.end(parameters, None, **(early if stopping.reason else {}))
    log.info("%s: %s", read_summary(folder.path).get("status"), folder.path)
    return folder.path


def describe(config: RunConfig, run_config: Mapping[str, Value]) -> dict[str, Any]:
    """Return what `config.json` holds: every key, who is Byzantine, and the versions that ran.

    Parameters
    ----------
    config : RunConfig
        As it was checked.
    run_config : mapping
        As it was given.
    """
    return {
        "config": defaults() | dict(run_config) | {"resume": ""},
        "byzantine_ids": list(config.byzantine_ids),
        "versions": versions(),
    }
