"""What nodes should answer: rows made by the real clients from what the model knows."""

from __future__ import annotations

import numpy as np
from flwr.app import Message

from signfed.app.config.run_config import RunConfig
from signfed.app.engines import workers
from signfed.app.task import Problem
from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.server.federation import Federation
from tests.simulation.outcome import Content, Life, Outcome, Request, Violation


class Answers:
    """The nodes of one server process, as they should be.

    Attributes
    ----------
    models : dict
        Version -> parameters, of each version that the server has had.
    """

    def __init__(
        self, config: RunConfig, problem: Problem, federation: Federation, partitions: int
    ) -> None:
        self._config, self._problem, self._partitions = config, problem, partitions
        self._codec, self._encoder = federation.codec, config.build_encoder(federation.encoder)
        self._adversary = workers.adversary(config, problem)
        self.models: dict[int, np.ndarray] = {}
        self._memory: dict[Life, dict[int, dict[str, np.ndarray]]] = {}
        self._last: dict[Life, tuple[int, Content]] = {}
        self._held: dict[Life, int] = {}

    def workers(self, partition: int, server_round: int) -> tuple[int, ...]:
        """The workers of a round that a partition hosts."""
        asked = self._config.participation.workers(server_round)
        return tuple(w for w in asked if w % self._partitions == partition)

    def answered(self, request: Request, reply: Message, life: Life) -> Outcome:
        """A node has answered; what that is worth, and whether it is what it should be."""
        last, content = self._last.get(life, (0, Content()))
        if request.round < last:
            if not reply.has_error():
                raise Violation("node", f"{life} answered round {request.round} after {last}")
            return Outcome.of("error")
        if request.round > last:
            if request.steps is not None:
                held = self._held.get(life, -1)
                if held < 0 or not 0 <= request.version - held <= request.steps:
                    self._compare(reply, Content(lacking=True), life, request)
                    return Outcome(content=Content(lacking=True))
            content = self._computed(request, life)
            self._last[life] = request.round, content
        if request.keep:
            self._held[life] = request.version
        else:
            self._held.pop(life, None)
        self._compare(reply, content, life, request)
        return Outcome(content=content)

    def _computed(self, request: Request, life: Life) -> Content:
        memory = self._memory.setdefault(life, {})
        parameters, rows, faults = self.models[request.version], {}, {}
        poisoned = workers.poisoned(self._problem, {}, self._config)
        for worker in self.workers(request.partition, request.round):
            client = workers.client(
                worker, self._config, self._problem.gradient, poisoned, self._encoder,
                memory.get(worker, {}), self._adversary,
            )  # fmt: skip
            sent, _, _ = client.fit([parameters], {"round": request.round})
            if not sent:
                faults[worker] = str(DropReason.NON_FINITE)
            elif fault := self._codec.fault(sent[0], len(parameters)):
                faults[worker] = str(fault)
            else:
                rows[worker] = sent[0]
            memory[worker] = client.memory
        return Content(rows, faults)

    def _compare(self, reply: Message, content: Content, life: Life, request: Request) -> None:
        place = f"node {life}, round {request.round}"
        if reply.has_error():
            raise Violation("node", f"{place}: {reply.error.reason}")
        if content.lacking != ("replica" in reply.content):
            said = sorted(reply.content)
            raise Violation("node", f"{place}: lacking {content.lacking}; it said {said}")
        if content.rows and not content.faults:
            found = reply.content["updates"]["rows"]
            mine = np.stack(list(content.rows.values()))
            said = found.dtype, tuple(found.shape), found.data[-mine.nbytes :]
            if said != (str(mine.dtype), mine.shape, mine.tobytes()):
                raise Violation("node", f"{place}: other rows than its workers make")

    def changed(self, content: Content, payload: bytes) -> Outcome:
        """What a reply is worth whose rows are these bytes now."""
        if content.lacking or not content.rows or content.faults:
            return Outcome(content=content)
        rows, faults = {}, {}
        n = len(next(iter(self.models.values())))
        length = self._codec.length(n)
        matrix = np.frombuffer(payload, self._codec.dtype).reshape(-1, length)
        for worker, row in zip(content.rows, matrix, strict=True):
            if fault := self._codec.fault(row, n):
                faults[worker] = str(fault)
            else:
                rows[worker] = row
        return Outcome(content=Content(rows, faults))
