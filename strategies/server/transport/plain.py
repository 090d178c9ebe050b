"""Messages of another's Flower app, both halves: Flower's usual records, and what ours add.

Request (train, evaluate): arrays and config under the user's keys; config holds "server-round".
On a channel of signs there is a third record, which only our mods read and which they take out:
    config "signfed": "encoder" ("sign"); "coordinates", N; "lr" (float), the server's learning
        rate; "round" (int); "version" (int), the steps taken so far; "keep" (bool), whether a node
        should keep the model; "beside" (names), the float arrays that travel as they are; "digest"
        (text), where the arrays are steps.
  To a node that keeps the model, the arrays are "signfed.directions", uint8 [k, ceil(N/8)], the
  packed sign vectors of the last k steps, oldest first, and the arrays beside the vector.

Reply to train: one record of arrays, the model that the node made; one of metrics, with the number
of examples. Of a node with a mod: in place of the vector's arrays "signfed.signs", uint8
[ceil(N/8)], the packed signs of x - y; and, where it keeps the model,
    config "signfed": "version" (int), the one that it holds.
  Where the update is not finite, no arrays, and "signfed": "non-finite" (True). From a node that
  cannot follow, "signfed": "held" (int) alone, -1 for no version. A Byzantine mod adds "byzantine"
  (True), for reports alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import NamedTuple

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict

from signfed.strategies.core.codecs import SignCodec
from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.server.claims import MAX_METRICS, is_count
from signfed.strategies.server.transport.layout import Layout, is_finite
from signfed.strategies.server.transport.payload import Malformed, read_array

OURS = "signfed"  # the record that our mods and our server add
DIRECTIONS, SIGNS = "signfed.directions", "signfed.signs"
MAX_RECORDS = 16


class Claim(NamedTuple):
    """What a node says of itself, and what it calls that: a user's function may go by the name."""

    name: str
    metrics: MetricRecord


def array_records(content: RecordDict) -> dict[str, ArrayRecord]:
    """Return the records of arrays of a message or a state, by name.

    Flower's `content.array_records` makes a circle of references, which keeps every array of the
    content in memory until the next garbage collection.

    Parameters
    ----------
    content : RecordDict
    """
    return {name: held for name, held in content.items() if isinstance(held, ArrayRecord)}


def header(content: RecordDict) -> ConfigRecord:
    """Return what our end says in a message; empty where it says nothing."""
    record = content.get(OURS)
    return record if isinstance(record, ConfigRecord) else ConfigRecord()


def lacking_reply(request: Message, held: int) -> Message:
    """Make the reply of a node that cannot follow.

    Parameters
    ----------
    request : Message
    held : int
        The version that it holds; -1 for none.
    """
    return Message(RecordDict({OURS: ConfigRecord({"held": held})}), reply_to=request)


def read_lacking(reply: Message) -> int | None:
    """Return the version that the sender of a `lacking_reply` holds, -1 for none; else None."""
    if (
        reply.has_error()
        or len(reply.content) != 1
        or "held" not in (said := header(reply.content))
    ):
        return None
    held = said["held"]
    return held if type(held) is int and held >= 0 else -1


def holds(reply: Message, version: int) -> bool:
    """Tell whether the sender says that it keeps this version of the model.

    Parameters
    ----------
    reply : Message
    version : int
    """
    return not reply.has_error() and header(reply.content).get("version") == version


def announces(reply: Message) -> bool:
    """Tell whether the sender says that it is Byzantine: for reports of a simulation."""
    return header(reply.content).get("byzantine") is True


def answered(reply: Message, arrays: ArrayRecord | None, **said: int | bool) -> Message:
    """Make a client's reply with other arrays, under the same name.

    Parameters
    ----------
    reply : Message
        The client's own.
    arrays : ArrayRecord or None
        None for no arrays.
    **said
        What our end says besides.
    """
    content = RecordDict(dict(reply.content))
    [name] = array_records(content)
    del content[name]
    if arrays is not None:
        content[name] = arrays
    if said:
        content[OURS] = ConfigRecord({**header(content), **said})
    return with_content(reply, content)


def with_content(message: Message, content: RecordDict) -> Message:
    """Make the same message with another content; the one that was given stays as it is.

    Parameters
    ----------
    message : Message
    content : RecordDict
    """
    other = copy(message)
    other.content = content
    return other


def read_metrics(reply: Message, count: str) -> Claim:
    """Return the one record of metrics of a reply, with its name. Raises Malformed.

    Parameters
    ----------
    reply : Message
    count : str
        Name of the number of examples.
    """
    if reply.has_error():
        raise Malformed(DropReason.ERROR)
    if len(reply.content) > MAX_RECORDS:
        raise Malformed
    found = [Claim(n, held) for n, held in reply.content.items() if isinstance(held, MetricRecord)]
    said = found[0].metrics if len(found) == 1 else MetricRecord()
    if len(said) > MAX_METRICS or not is_count(said.get(count)):
        raise Malformed(detail=f"expected one MetricRecord with a number {count!r} above 0")
    return found[0]


def read_arrays(reply: Message) -> ArrayRecord:
    """Return the one record of arrays of a reply. Raises Malformed."""
    found = [record for record in reply.content.values() if isinstance(record, ArrayRecord)]
    if not found and header(reply.content).get("non-finite") is True:
        raise Malformed(DropReason.NON_FINITE)
    if len(found) != 1:
        raise Malformed(detail="expected one ArrayRecord in a reply to train")
    return found[0]


def read_row(
    arrays: ArrayRecord,
    layout: Layout,
    before: Mapping[str, np.ndarray],
    update: np.ndarray,
    signs: bool,
) -> np.ndarray:
    """Return the row of a reply: packed signs, uint8 [ceil(N/8)], or the update. Raises Malformed.

    Parameters
    ----------
    arrays : ArrayRecord
        Of the reply.
    layout : Layout
        The model's arrays.
    before : mapping
        Name -> values of the vector's arrays, as they were sent.
    update : ndarray, float32 [N]
        Where to write the update.
    signs : bool
        Whether signs are asked for; who sends floats is packed here.
    """
    codec, n = SignCodec(), layout.n_coordinates
    if signs and SIGNS in arrays:
        _exactly(arrays, {SIGNS, *(form.name for form in layout.beside)})
        row = read_array(arrays[SIGNS], codec.dtype, (codec.length(n),))
        if fault := codec.fault(row, n):
            raise Malformed(fault)
        return row
    _exactly(arrays, layout.names)
    layout.update(before, arrays, update)
    if not is_finite(update):
        raise Malformed(DropReason.NON_FINITE)
    return codec.encode(update) if signs else update


def read_beside(arrays: ArrayRecord, layout: Layout) -> dict[str, np.ndarray]:
    """Return the values of the arrays beside the vector. Raises Malformed.

    Parameters
    ----------
    arrays : ArrayRecord
        Of the reply.
    layout : Layout
        The model's arrays.
    """
    found = layout.values(arrays, beside=True)
    if not all(is_finite(values) for values in found.values()):
        raise Malformed(DropReason.NON_FINITE)
    return found


def _exactly(arrays: ArrayRecord, names: frozenset[str] | set[str]) -> None:
    if len(arrays) != len(names) or not all(name in arrays for name in names):
        raise Malformed(detail=f"expected the {len(names)} arrays of the model, by their names")
