"""Which node should speak for which partition, by what nodes said and who is connected."""

from __future__ import annotations

from tests.simulation.outcome import Violation


class Presence:
    """The nodes of one server process, as the server should know them.

    Attributes
    ----------
    holders : dict
        Partition -> node.
    connected : list of int
        The nodes that are there, by the server's last look.
    """

    def __init__(self, holders: dict[int, int]) -> None:
        self.holders = dict(holders)
        self.connected: list[int] = []
        self._claims: dict[int, int] = {}  # node -> the partition that it said
        self._unheard: dict[int, int] = {}  # node -> the round in which its question was lost

    def look(self, connected: list[int]) -> None:
        """The server looks who is there; who came since its last look is known after it."""
        self.settle()
        self.connected = connected

    def speaks(self, node: int) -> bool:
        """Whether a holder may be asked: it is there, and has said in this process what it is."""
        return node in self.connected and node in self._claims

    def settle(self) -> None:
        """Who is connected and has said which partition it is gets it, unless another has it."""
        for node, partition in self._claims.items():
            self._claim(node, partition)

    def heard(self, node: int, partition: int) -> None:
        """The server hears which partition a node is; what it said first counts."""
        self._claims.setdefault(node, partition)
        self._claim(node, partition)

    def _claim(self, node: int, partition: int) -> None:
        holder = self.holders.get(partition)
        if node in self.connected and holder not in self.connected:
            self.holders[partition] = node

    def questioned(self, node: int) -> None:
        """The server asks a node which partition it is."""
        self._unheard.pop(node, None)

    def unheard(self, node: int, server_round: int) -> None:
        """The question came to nothing: the server should ask again."""
        if node not in self._claims:
            self._unheard[node] = server_round

    def check(self, server_round: int) -> None:
        """Raise Violation where a connected node has not been asked again for a round."""
        forgotten = [node for node, lost in self._unheard.items() if lost < server_round - 1]
        if left := [node for node in forgotten if node in self.connected]:
            raise Violation("wait", f"nodes {left} are connected and are not asked who they are")
