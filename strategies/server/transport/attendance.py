"""Who takes part: the workers of our own app, each bound to a node."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from flwr.serverapp import Grid

from signfed.strategies.core.rule import State
from signfed.strategies.server.federation import Federation
from signfed.strategies.server.transport.reception import Reception

Hosts = dict[int, tuple[int, ...]]  # node -> the workers that it is asked for


class Attendance(Protocol):
    """Which workers there are, on which nodes, and which of them a round asks."""

    def gather(self, grid: Grid, state: State) -> None:
        """Wait for the nodes before round 1. Raises FederationError when too few come.

        Parameters
        ----------
        grid : Grid
        state : dict of Tensor
            Bindings of an earlier run; empty for a new one.
        """

    def wait(self, grid: Grid, server_round: int, timeout: float) -> None:
        """Look for nodes; wait while too few are there for this round.

        Parameters
        ----------
        grid : Grid
        server_round : int
        timeout : float
            Seconds.
        """

    def asked(self, server_round: int) -> Hosts:
        """Return the connected nodes that the round asks, each with at least one worker."""

    def absent(self, server_round: int, asked: Hosts) -> Collection[int]:
        """Return the workers of the round that no connected node hosts.

        Parameters
        ----------
        server_round : int
        asked : dict
            What `asked` returned.
        """

    def state_dict(self) -> State:
        """Return which node speaks for which workers."""


class Workers:
    """Let the nodes of our own app say which of the workers 0..M-1 they host: an `Attendance`.

    Parameters
    ----------
    federation : Federation
    digest : mapping, optional
        Of what the run computes on, by part; a node that differs takes no part.
    """

    def __init__(self, federation: Federation, digest: Mapping[str, str] | None = None) -> None:
        self._participation, self._quorum = federation.participation, federation.quorum
        self._reception = Reception(
            federation.num_workers, federation.node_timeout, digest, federation.admit
        )

    def gather(self, grid: Grid, state: State) -> None:
        self._reception.roster.load_state_dict(state)
        self._reception.gather(grid, self._quorum)

    def present(self) -> list[tuple[int, ...]]:
        """Return the workers of each connected node."""
        return list(self._reception.present().values())

    def wait(self, grid: Grid, server_round: int, timeout: float) -> None:
        chosen = self._participation.workers(server_round)
        self._reception.await_workers(grid, chosen, self._quorum, timeout)

    def asked(self, server_round: int) -> Hosts:
        return self._reception.hosts(self._participation.workers(server_round))

    def absent(self, server_round: int, asked: Hosts) -> Collection[int]:
        return set(self._participation.workers(server_round)).difference(*asked.values())

    def state_dict(self) -> State:
        return self._reception.roster.state_dict()
