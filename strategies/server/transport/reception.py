"""Nodes come, say which workers they host, go, and come back."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from logging import getLogger

from flwr.app import Message
from flwr.serverapp import Grid

from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.server.federation import Admit, FederationError
from signfed.strategies.server.transport import wire
from signfed.strategies.server.transport.digests import compare, digest_in
from signfed.strategies.server.transport.exchange import Pending, answered, arrived, push
from signfed.strategies.server.transport.measure import excuse
from signfed.strategies.server.transport.roster import ClaimRefused, Roster, WorkersTaken

log = getLogger("signfed")

# Of flwr.common.constant.ErrorCode; for all others the question was lost on the way.
REFUSALS = (1, 2, 6, 7)  # the ClientApp cannot be loaded, or it failed
DEATHS = (0, 8)  # its process ended
MAX_DEATHS = 3  # of a node, before it is asked as seldom as one that declined
FIRST_LOOK, LONGEST_LOOK = 0.005, 0.25  # seconds between two looks for new nodes


class Reception:
    """Receive the nodes of one run: each is asked which partition it is, whenever it connects.

    Parameters
    ----------
    num_workers : int
        M.
    patience : float
        Seconds to wait for all nodes before round 1, for a node's answer, and until a node that
        takes no part is asked again: its owner may have mended it.
    digest : mapping, optional
        Of what the run computes on, by part; a node that differs takes no part.
    admit : callable, optional
        Which connected nodes take part, and as which partition; the others are not spoken to.
    """

    def __init__(
        self,
        num_workers: int,
        patience: float,
        digest: Mapping[str, str] | None = None,
        admit: Admit | None = None,
    ) -> None:
        self.roster = Roster(num_workers)
        self._admit = admit
        self._admitted: Mapping[int, tuple[int, int]] = {}
        self._digest = dict(digest or {})
        self._patience = patience
        self._connected: set[int] = set()
        self._asked: dict[int, float] = {}  # node -> until when it is not asked again
        self._hellos: Pending = {}
        self._claims: dict[int, tuple[int, int]] = {}  # what each node says that it is
        self._declined: dict[int, str] = {}  # node -> why it takes no part
        self._deaths: Counter[int] = Counter()

    def gather(self, grid: Grid, quorum: int) -> None:
        """Wait until each worker has a node; after `patience` seconds `quorum` workers will do.

        Simulated nodes are all there at once: when all have declined, nobody else will come.

        Parameters
        ----------
        grid : Grid
            Flower's.
        quorum : int
            Workers that a round needs.

        Raises
        ------
        FederationError
            When fewer have a node.
        """
        from flwr.superlink.grid import HttpGrid  # a second of imports, which a server has made

        simulated = not isinstance(grid, HttpGrid)
        self._wait(
            grid,
            self._patience,
            lambda: not self.roster.absent(self._connected) or (simulated and self._all_declined()),
        )
        missing = self.roster.absent(self._connected)
        enough = self.roster.num_workers - len(missing) >= quorum
        declined = [item for item in self._declined.items() if item[0] in self._connected]
        if declined and not enough:
            node, why = declined[0]
            raise FederationError(
                f"{len(declined)} of {len(self._connected)} nodes take no part, so workers "
                f"{missing} have none; node {node}: {why}"
            )
        waited = f"waited {self._patience:.0f} s for the nodes: workers {missing} have none"
        if not enough:
            silent = len(self._connected - self._claims.keys() - self._declined.keys())
            slow = "raise node-timeout if these are slow to start, " if silent else ""
            raise FederationError(
                f"{waited} ({len(self._connected)} nodes connected, {silent} of them without an "
                f"answer yet), and quorum needs {quorum}: {slow}start missing SuperNodes with "
                "--node-config 'partition-id=P num-partitions=N', or lower num-workers"
            )
        if missing:
            log.warning("%s; going on, they can join later", waited)

    def await_workers(
        self, grid: Grid, workers: Collection[int], quorum: int, timeout: float
    ) -> None:
        """Look for nodes; wait while fewer than `quorum` of these workers have one.

        Parameters
        ----------
        grid : Grid
            Flower's.
        workers : collection of int
            Those of the round.
        quorum : int
            Workers that a round needs.
        timeout : float
            Seconds.
        """
        self._wait(
            grid, timeout, lambda: sum(len(ids) for ids in self.hosts(workers).values()) >= quorum
        )

    def hosts(self, workers: Collection[int]) -> dict[int, tuple[int, ...]]:
        """Return connected node -> those of these workers that it hosts, ascending, if any."""
        chosen = set(workers)
        hosted = {node: chosen.intersection(ids) for node, ids in self.present().items()}
        return {node: tuple(sorted(ids)) for node, ids in hosted.items() if ids}

    def _wait(self, grid: Grid, timeout: float, enough: Callable[[], bool]) -> None:
        deadline = time.monotonic() + timeout
        pause = FIRST_LOOK
        self.look(grid)
        while not enough() and (remaining := deadline - time.monotonic()) > 0:
            time.sleep(min(pause, remaining))
            pause = min(pause * 1.5, LONGEST_LOOK)
            self.look(grid)

    def look(self, grid: Grid) -> None:
        """Ask nodes that are new, bind those that have answered; waits for nobody."""
        if (admit := self._admit) is None:
            self._connected = answered(lambda: set(grid.get_node_ids()), self._connected)
        else:
            self._admitted = answered(lambda: admit(grid), self._admitted)
            self._connected = set(self._admitted)
        now = time.monotonic()
        new = [node for node in sorted(self._connected) if now >= self._asked.get(node, now)]
        if new:
            self._ask(grid, new, until=now + self._patience)
        for request, reply in arrived(grid, self._hellos):
            node = request.metadata.dst_node_id
            self._asked[node] = math.inf
            self._hear(node, reply)
        bound = dict(self.roster.items())
        for node, claim in list(self._claims.items()):
            if node in self._connected and node not in bound:
                self._bind(node, claim)

    def _ask(self, grid: Grid, nodes: list[int], until: float) -> None:
        """Ask nodes who they are; a question that a node left unanswered is given up."""
        self._hellos = {
            i: m for i, m in self._hellos.items() if m.metadata.dst_node_id not in nodes
        }
        asked = push(grid, [wire.hello(node, ttl=self._patience) for node in nodes])
        # A question that Flower does not take is asked again at the next look.
        self._asked |= {message.metadata.dst_node_id: until for message in asked.values()}
        self._hellos |= asked

    def present(self) -> dict[int, tuple[int, ...]]:
        """Return connected node -> its workers, for those that host at least one."""
        return {node: ids for node, ids in self.roster.items() if node in self._connected}

    def _all_declined(self) -> bool:
        return bool(self._connected) and self._connected <= self._declined.keys()

    def _hear(self, node: int, reply: Message) -> None:
        if not wire.is_from(reply, node):
            self._decline(node, DropReason.WRONG_SENDER)
            return
        try:
            claim = wire.read_hello_reply(reply)
            if refusal := self._another(node, claim) or compare(
                node, self._digest, digest_in(reply, self._digest)
            ):
                self._decline(node, refusal)
            else:
                self._bind(node, claim)
        except wire.Malformed as refusal:
            code = reply.error.code if reply.has_error() else REFUSALS[0]
            self._deaths[node] += code in DEATHS
            if code not in REFUSALS and self._deaths[node] < MAX_DEATHS:
                del self._asked[node]  # the question was lost on the way
                return
            self._decline(node, excuse(reply) or str(refusal))

    def _another(self, node: int, claim: tuple[int, int]) -> str:
        """What is wrong with a claim of a node whose partition is known; "" for nothing."""
        known = self._admitted.get(node, claim)
        if claim == known:
            return ""
        return "it claims partition {} of {}, its key is approved for {} of {}".format(
            *claim, *known
        )

    def _decline(self, node: int, why: str) -> None:
        del self._deaths[node]
        self._asked[node] = time.monotonic() + self._patience
        if self._declined.get(node) != why:
            self._declined[node] = why
            log.warning("node %d takes no part: %s", node, why)

    def _bind(self, node: int, claim: tuple[int, int]) -> None:
        first_time = node not in self._claims
        self._claims[node] = claim  # who is not there now, or has to wait, gets its turn
        if node not in self._connected:
            return
        try:
            workers = self.roster.claim(node, *claim, connected=self._connected)
            self._declined.pop(node, None)
            log.info("node %d hosts workers %s", node, list(workers))
        except WorkersTaken as refusal:  # by the device itself, maybe, not yet given up
            if first_time:
                log.warning("node %d takes no part: %s", node, refusal)
        except ClaimRefused as refusal:
            del self._claims[node]
            self._decline(node, str(refusal))
