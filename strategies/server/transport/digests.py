"""Whether a node computes on the same data and model as the server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from logging import getLogger

from flwr.app import Message

log = getLogger("signfed")

LONGEST = 200  # characters of a digest, with the kind of machine
CAUSES = (
    "usual causes: other files below data-dir, another version of the code or of a library, and "
    "what depends on the process: the order of a set (PYTHONHASHSEED), the clock, the number of "
    "calls before, a generator that seeds itself"
)


def digest_in(reply: Message, parts: Iterable[str]) -> dict[str, str]:
    """Return the digests in a well-formed hello reply; "" for one that is not fit for a log.

    Parameters
    ----------
    reply : Message
        What the node answered.
    parts : iterable of str
        Names of the digests.
    """
    said = {part: reply.content["node"].get(part) for part in parts}
    return {
        part: text if isinstance(text, str) and len(text) < LONGEST and text.isprintable() else ""
        for part, text in said.items()
    }


def compare(node: int, here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """Tell why a node cannot take part; empty when it can.

    Values that were computed may be rounded otherwise by another kind of machine: their digests end
    in "@machine", and a difference between two kinds is only logged.

    Parameters
    ----------
    node : int
        For the log.
    here, there : mapping of str to str
        Part ("data", "labels", "shards", "model", "buffers") -> digest, of server and node.

    Examples
    --------
    >>> compare(1, {"data": "12ab"}, {"data": "12ab"})
    ''
    >>> compare(1, {"data": "12ab", "model": "7f@arm"}, {"data": "", "model": "80@arm"})[:50]
    "its data and model differ from the server's (usual"
    >>> compare(1, {"model": "7f@arm"}, {"model": "80@x86"})
    ''
    """
    differ = [part for part, digest in here.items() if there.get(part, "") != digest]
    machines = {part: (_machine(here[part]), _machine(there.get(part, ""))) for part in differ}
    unlike = [part for part in differ if all(machines[part]) and len(set(machines[part])) == 2]
    if unlike:
        log.warning(
            "node %d: its %s cannot be compared: made on %s, the server's on %s",
            node, " and ".join(unlike), *reversed(machines[unlike[0]]),
        )  # fmt: skip
    if refused := [part for part in differ if part not in unlike]:
        return f"its {' and '.join(refused)} differ from the server's ({CAUSES})"
    return ""


def _machine(digest: str) -> str:
    return digest.partition("@")[2]
