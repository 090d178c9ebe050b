"""Every way to lie on the wire that we know, as data.

A fault takes a turn and gives the messages that arrive; `Entry.end` says what becomes of them:

- a reason: the rows are dropped, counted under it, and leave no other trace;
- HONEST: the lie is in what nobody reads; the round is the one with the honest reply;
- VALID: finite rows of the right form. They count as received, whatever they say: to outvote them
  is the rule's business, so the model may change, and at worst a round is skipped.
"""

from __future__ import annotations

from dataclasses import dataclass

from signfed.strategies.core.codecs import Codec
from tests.strategies.server.hostile import arrays, headers, messages, records, values
from tests.strategies.server.hostile.turn import Fault

HONEST, VALID = "honest", "valid"


@dataclass(frozen=True)
class Entry:
    """A fault, and what becomes of the rows of the node that sends it."""

    send: Fault
    end: str

    @property
    def dropped(self) -> bool:
        return self.end not in (HONEST, VALID)


def catalogue(codec: Codec) -> dict[str, Entry]:
    """Fault by name, for replies with rows of this codec."""
    common = arrays.COMMON | records.COMMON | headers.OWN
    common |= messages.COMMON | messages.REFUSED_BY_FLOWER
    return {name: Entry(*entry) for name, entry in (common | values.OF[codec.name]).items()}


def usual() -> dict[str, Entry]:
    """Those that exist in Flower's usual protocol too, one float32 array and metrics beside it.

    Without those that its SuperLink refuses. `end` is what our own server makes of them.
    """
    common = arrays.COMMON | records.COMMON | messages.COMMON
    return {name: Entry(*entry) for name, entry in (common | values.OF["float32"]).items()}
